#include <algorithm>
#include <cstdio>
#include <thread>

#include "harness/cli/campaigner.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/terminal.h"
#include "harness/measure/clock.h"
#include "harness/measure/environment.h"
#include "harness/plan/memory.h"
#include "harness/run/build_info.h"
#include "harness/run/device_fields.h"
#include "results/file_lock.h"
#include "suites/routing_trace.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr double kMinStepS = 5;                 // a short --time-limit does not ask for shorter steps than this
constexpr int64_t kMaxAxis = int64_t{1} << 40;  // the case's own limits are narrower and name the field

Status take_integer(const Arguments& a, const char* option, int64_t min, int64_t max, std::optional<int64_t>* out) {
  if (!a.has(option)) return ok_status();
  const Result<int64_t> value = integer_value(std::string("--") + option, a.text(option), min, max);
  if (!value.ok()) return value.error();
  *out = *value;
  return ok_status();
}

Result<Selection> selection_of(const Arguments& a, const Catalogue& catalogue) {
  Selection s;
  s.filter = a.text("case");
  if (a.has("model")) {
    const Result<std::variant<ModelShape, VideoShape>> model = catalogue.any_model(a.text("model"));
    if (!model.ok()) return model.error();
    if (std::holds_alternative<VideoShape>(*model)) {
      s.video = std::get<VideoShape>(*model);
    } else {
      s.model = std::get<ModelShape>(*model);
    }
  }
  if (a.has("dtype")) {
    const Result<DtypePlan> plan = dtype_plan(a.text("dtype"));
    if (!plan.ok()) return plan.error();
    s.dtype = a.text("dtype");
  }
  if (a.has("routing")) {
    Result<Routing> routing = parse_routing(a.text("routing"));
    if (!routing.ok()) return bad_input("--routing: " + routing.error().message);
    if (const Status loaded = load_routing_trace(&*routing); !loaded.ok()) return loaded.error();
    s.routing = std::move(routing).value();
  }
  for (const auto& [option, value, min] :
       {std::tuple{"batch", &s.batch, 1}, std::tuple{"tokens", &s.tokens, 1}, std::tuple{"context", &s.context, 0}}) {
    if (const Status status = take_integer(a, option, min, kMaxAxis, value); !status.ok()) return status.error();
  }
  return s;
}

// The arguments that say what is run; where it is written does not belong to them.
std::vector<std::string> lasting_words(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--resume" || words[i].rfind("--out=", 0) == 0) continue;
    if (words[i] == "--out") {
      ++i;
    } else {
      out.push_back(words[i]);
    }
  }
  return out;
}

Status take_settings(const Arguments& a, RunRequest* request) {
  Campaign& c = request->campaign;
  c.tool_version = tool_version();
  c.tool_commit = tool_commit();
  c.created = utc_now();
  c.arguments = lasting_words(a.words());
  c.form = a.has("full") ? "full" : "quick";
  std::optional<int64_t> seed, threads;
  if (Status s = take_integer(a, "seed", 0, INT64_MAX, &seed); !s.ok()) return s;
  const auto cpus = static_cast<int64_t>(std::max(1U, std::thread::hardware_concurrency()));
  if (Status s = take_integer(a, "threads", 1, cpus, &threads); !s.ok()) return s;
  c.seed = seed ? static_cast<uint64_t>(*seed) : drawn_seed();
  c.threads = static_cast<int>(threads.value_or(0));
  if (a.has("time-limit")) {
    const Result<double> limit = seconds_value("--time-limit", a.text("time-limit"), 0.1, 86400);
    if (!limit.ok()) return limit.error();
    c.time_limit_s = *limit;
  }
  std::optional<int64_t> launches;
  if (Status s = take_integer(a, "launches", 1, kMaxLaunches, &launches); !s.ok()) return s;
  c.launches = launches.value_or(0);
  if (a.has("hang-timeout")) {
    const Result<double> timeout = seconds_value("--hang-timeout", a.text("hang-timeout"), 1, 86400);
    if (!timeout.ok()) return timeout.error();
    request->supervisor.hang_timeout_s = *timeout;
  }
  Result<AdapterSettings> settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  c.options = std::move(settings).value();
  return ok_status();
}

Result<RunRequest> request_of(const Arguments& a) {
  if (a.has("quick") && a.has("full")) return bad_input("--quick and --full: expected one of them, found both");
  if (a.has("resume") && !a.has("out")) return bad_input("--resume: expected --out DIR of the run to go on with");
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  RunRequest request;
  std::vector<Suite> suites;
  for (const std::string& name : a.operands()) {
    Result<Suite> suite = catalogue->suite(name);
    if (!suite.ok()) return suite.error();
    suites.push_back(std::move(suite).value());
  }
  if (const Status s = take_settings(a, &request); !s.ok()) return s.error();
  const Result<Selection> selection = selection_of(a, *catalogue);
  if (!selection.ok()) return selection.error();
  Result<std::vector<PlannedCase>> cases = plan_suites(suites, request.campaign.form, *selection);
  if (!cases.ok()) return cases.error();
  request.cases = std::move(cases).value();
  if (request.campaign.time_limit_s > 0) {
    const double limit_s = request.campaign.time_limit_s;
    for (PlannedCase& c : request.cases) {
      c.policy.time_limit_s = limit_s;
      c.policy.max_step_s = std::min(c.policy.max_step_s, std::max(limit_s, kMinStepS));
    }
  }
  if (request.campaign.launches > 0) {
    for (PlannedCase& c : request.cases) c.policy.launches = request.campaign.launches;
  }
  Result<ChosenDevice> device = device_of(a);
  if (!device.ok()) return device.error();
  request.device = std::move(device).value();
  if (const Status s = check_settings(request.device.adapter, request.campaign.options); !s.ok()) return s.error();
  request.campaign.device = request.device.name;
  request.campaign.cases = campaign_cases(request.cases);
  request.out = a.has("out") ? fs::path(a.text("out")) : fs::path("assay-out") / (utc_now() + "-" + suites[0].name);
  request.resume = a.has("resume");
  request.seed_given = a.has("seed");
  request.check_numerics = !a.has("no-check");
  return request;
}

// Nothing is written before the device is there and the cases fit.
Result<DeviceInfo> check_device(RunRequest* request, WorkerProcess& worker) {
  Result<DeviceInfo> device =
      device_info(worker, request->device, request->campaign.options, request->campaign.threads);
  if (!device.ok()) return device.error();
  request->device_info = *device;
  if (const Status fits = check_memory(request->cases, *device); !fits.ok()) return fits.error();
  return device;
}

// Adapter, device and environment as a record of this run will tell them.
Record here_and_now(const Manifest& adapter, const DeviceInfo& device) {
  Record out;
  out.tool_commit = tool_commit();
  out.adapter_version = adapter.version;
  set_library_hash(adapter.library.string(), &out);
  set_device_fields(device, &out);
  out.environment.merge(environment({}));
  return out;
}

// What a run that goes on does with cases that were measured elsewhere, or begun there.
void tell_elsewhere(const std::vector<KeptCase>& kept) {
  const auto tell = [&](bool finished, const char* word, const char* what) {
    std::map<std::string, int> count;
    for (const KeptCase& c : kept) {
      if (!c.elsewhere.empty() && finished == !c.file.empty()) ++count[c.elsewhere];
    }
    for (const auto& [difference, n] : count) {
      put_note("assay run: " + std::to_string(n) + (n == 1 ? " case " : " cases ") + word + " with another " +
               difference + " than now: " + what);
    }
  };
  tell(true, "finished", "kept as measured");
  tell(false, "begun", "measured anew");
}

// The folders of this path that are not there yet, innermost first.
std::vector<fs::path> missing_folders(fs::path folder) {
  std::vector<fs::path> missing;
  std::error_code code;
  for (; !folder.empty() && !fs::exists(folder, code); folder = folder.parent_path()) missing.push_back(folder);
  return missing;
}

// The folder of the run, this process's alone while it runs, and what is finished in it already.
struct OpenCampaign {
  FileLock lock;
  std::vector<KeptCase> kept;
};

// Two that measure into one folder would disturb each other and leave two records of each case.
Result<FileLock> lock_folder(const fs::path& folder) {
  std::string holder;
  Result<std::optional<FileLock>> lock = FileLock::try_take(folder / kCampaignLock, &holder);
  if (!lock.ok()) return lock.error();
  if (*lock) return std::move(**lock);
  return bad_input(folder.string() + ": expected no other run there now, found " + holder + " at one");
}

Result<OpenCampaign> go_on(RunRequest& request, const DeviceInfo& device) {
  const Result<Campaign> before = read_campaign(request.out);
  if (!before.ok()) return bad_input("--out " + before.error().message);
  if (!request.seed_given) request.campaign.seed = before->seed;
  const std::string difference = campaign_difference(*before, request.campaign);
  if (!difference.empty()) {
    return bad_input((request.out / kCampaignFile).string() + " is another run: " + difference);
  }
  Result<FileLock> lock = lock_folder(request.out);
  if (!lock.ok()) return bad_input("--out " + lock.error().message);
  Result<std::vector<KeptCase>> kept =
      kept_cases(request.campaign, request.out, here_and_now(request.device.adapter, device));
  if (!kept.ok()) return kept.error();
  tell_elsewhere(*kept);
  return OpenCampaign{std::move(lock).value(), std::move(kept).value()};
}

Result<OpenCampaign> begin(const RunRequest& request) {
  std::error_code code;
  fs::create_directories(request.out, code);
  if (code) return bad_input("can't create " + request.out.string() + ": " + code.message());
  Result<FileLock> lock = lock_folder(request.out);
  if (!lock.ok()) return lock.error();
  const fs::path file = request.out / kCampaignFile;
  if (fs::exists(file, code)) {
    return bad_input(request.out.string() + " holds a run already; go on with it by --resume");
  }
  const Status written = write_file_atomic(file, campaign_to_json(request.campaign));
  if (!written.ok()) return written.error();
  return OpenCampaign{std::move(lock).value(), std::vector<KeptCase>(request.cases.size())};
}

// A new campaign, or the one to go on with.
Result<OpenCampaign> open_campaign(RunRequest& request, const DeviceInfo& device) {
  if (request.resume) {
    Result<OpenCampaign> open = go_on(request, device);
    if (!open.ok()) return bad_input("--resume: " + open.error().message);
    return open;
  }
  const std::vector<fs::path> made = missing_folders(request.out);
  Result<OpenCampaign> open = begin(request);
  if (open.ok()) return open;
  std::error_code ignored;
  for (const fs::path& folder : made) fs::remove(folder, ignored);  // never more than what is empty
  return bad_input("--out: " + open.error().message);
}

int exit_code(const std::vector<Record>& records, size_t planned) {
  if (interrupted()) return kExitInterrupted;
  size_t ok = 0;
  for (const Record& r : records) {
    if (r.status == "failed") return kExitFailed;
    ok += r.status == "ok" ? 1 : 0;
  }
  return ok == 0 || records.size() < planned ? kExitFailed : kExitOk;
}

Result<int> run(const Arguments& arguments) {
  Result<RunRequest> request = request_of(arguments);
  if (!request.ok()) return request.error();
  catch_interrupts();
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start(request->supervisor);
  if (!worker.ok()) return worker.error();
  const Result<DeviceInfo> device = check_device(&*request, **worker);
  if (!device.ok()) return device.error();
  Result<OpenCampaign> open = open_campaign(*request, *device);
  if (!open.ok()) return open.error();
  const Status kept = Campaigner(*request, std::move(open->kept), std::move(worker).value()).run();
  if (!kept.ok()) {
    return Error{kept.error().kind, kept.error().message + "; finished cases are kept: the same command with --out " +
                                        request->out.string() + " --resume goes on"};
  }
  const Result<std::vector<Record>> all = read_records(request->out);
  if (!all.ok()) return all.error();
  const std::vector<Record> last = last_records(request->campaign, *all);
  const std::string table = render_table(last, table_format(arguments), stdout_options());
  put_table(table);
  std::fflush(stdout);
  put_note("\nRecords: " + request->out.string());
  if (interrupted())
    put_note("Interrupted; the same command with --out " + request->out.string() + " --resume goes on.");
  return exit_code(last, request->cases.size());
}

}  // namespace

CommandSpec run_command() {
  CommandSpec spec;
  spec.name = "run";
  spec.summary = "measure suites on a device";
  spec.operands = "SUITE...";
  spec.min_operands = 1;
  spec.max_operands = 64;
  spec.complete = Complete::kSuite;
  spec.about =
      "A suite is a name of 'assay list' or the path of a suite file. Each case is one record: its outputs are first "
      "checked against a double-precision reference, then steps are timed until the interval is narrow enough or the "
      "time limit is reached. Cases are launched several times, in passes over all of them, so that the interval knows "
      "what changes between launches. A value on an axis (--model, --dtype, --batch, --tokens, --context, --routing) "
      "chooses "
      "the suite's "
      "cases that have it, or makes cases with it. Ctrl-C (or SIGTERM) keeps what was measured; --resume goes on.";
  const auto nothing = Complete::kNothing;
  spec.options = {
      {"device", "NAME", "device of 'assay devices'; default cpu:0", Complete::kDevice, {}, false},
      {"quick", "", "the short form of the suites (default)", nothing, {}, false},
      {"full", "", "the full form", nothing, {}, false},
      {"case", "FILTER", "cases whose id has this part, or matches this pattern (* ? [])", nothing, {}, false},
      {"model", "NAME", "model of 'assay list models', or its file", Complete::kModel, {}, false},
      {"dtype",
       "NAME",
       "f32, tf32, bf16, f16, int8_w8a8, fp8_w8a8; weights only: int8, fp8, int4, int4_g32, fp4, fp4_g16",
       Complete::kDtype,
       {},
       false},
      {"batch", "N", "sequences per step", nothing, {}, false},
      {"tokens", "N", "prompt length of prefill", nothing, {}, false},
      {"context", "N", "tokens in the KV cache before the step", nothing, {}, false},
      {"routing",
       "ROUTING",
       "of experts: uniform, zipf:ALPHA, log-normal:SIGMA, k-hot, trace:FILE",
       nothing,
       {},
       false},
      {"threads", "N", "threads of a CPU adapter; default all", nothing, {}, false},
      {"seed",
       "N",
       "of weights and inputs; drawn anew for each run where not given, and kept in its records",
       nothing,
       {},
       false},
      {"time-limit",
       "SECONDS",
       "of the timed part of each case, its launches together; nor may a step be longer",
       nothing,
       {},
       false},
      {"launches",
       "N",
       "how often each case is launched anew, sharing its time limit; default of the suites, 3 as a rule. What "
       "launches "
       "differ by is in the interval, except with 1",
       nothing,
       {},
       false},
      {"hang-timeout",
       "SECONDS",
       "a silent adapter is ended after this, and 5 expected steps; where it may compile (open, prepare) after ten "
       "times this; default 120",
       nothing,
       {},
       false},
      {"out", "DIR", "folder of the records; default assay-out/TIME-SUITE", Complete::kFolder, {}, false},
      {"resume", "", "go on with the run in --out", nothing, {}, false},
      {"no-check", "", "do not check the numbers; the record says so (for null and replay)", nothing, {}, false},
      adapter_option(),
      adapter_setting_option(),
      format_option(),
      json_option()};
  spec.examples = {{"assay run prefill decode --quick", "a first result for this machine"},
                   {"assay run decode --model qwen2.5-0.5b --dtype int8 --batch 1", "one model, weights in int8"},
                   {"assay run moe-routing --routing zipf:1.01", "the same cases under one distribution"},
                   {"assay run prefill --full --out nightly --resume", "go on with a run that was cut off"},
                   {"assay run ceilings", "the attainable peaks of the machine"}};
  spec.run = run;
  return spec;
}

}  // namespace assay
