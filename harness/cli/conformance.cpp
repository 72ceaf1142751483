// assay conformance: does an adapter keep its contract?
#include <algorithm>

#include "harness/cli/common.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/terminal.h"
#include "harness/conformance/kit.h"
#include "harness/measure/clock.h"

namespace assay {
namespace {

namespace kit = conformance;

constexpr int kExitNotOpened = 3;

Error not_opened(const std::string& adapter, const std::string& why) {
  return {ErrorKind::kUnsupported, adapter + " can't be opened here: " + why};
}

// An adapter that is named and lacks something on this machine is kUnsupported: no fault of the command, nor of it.
Status check_usable(const Arguments& a) {
  std::vector<Manifest> named;
  for (const std::string& file : a.texts("adapter")) {
    const Result<Manifest> manifest = read_manifest(file);
    if (!manifest.ok()) return bad_input("--adapter: " + manifest.error().message);
    named.push_back(*manifest);
  }
  if (named.empty()) named = known_adapters(a);
  const std::string device = a.text("device");
  for (const Manifest& m : named) {
    const bool meant = a.has("adapter") || m.name == device.substr(0, device.find(':'));
    if (meant && m.machine_lacks) return not_opened(m.name, m.problem);
  }
  return ok_status();
}

// --device as a number of the adapter that --adapter names, or as NAME:NUMBER.
Result<ChosenDevice> chosen_device(const Arguments& a) {
  if (!a.has("adapter") && !a.has("device"))
    return bad_input("expected --adapter FILE, or --device of a known adapter");
  if (const Status usable = check_usable(a); !usable.ok()) return usable.error();
  const std::string device = a.text("device");
  const bool plain = !device.empty() && device.find_first_not_of("0123456789") == std::string::npos;
  if (!a.has("adapter") || !plain) return device_of(a);
  const Result<Manifest> named = read_manifest(a.text("adapter"));
  if (!named.ok()) return bad_input("--adapter: " + named.error().message);
  return choose_device(named->name + ":" + device, known_adapters(a));
}

Result<std::vector<kit::SuiteCases>> suite_cases(bool quick) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  std::vector<kit::SuiteCases> suites;
  for (const Suite& suite : catalogue->suites()) {
    if (suite.name == "ceilings") continue;
    kit::SuiteCases one{suite.name, {}};
    for (const Case& c : quick ? suite.quick_cases : suite.full_cases) one.cases.push_back(c.to_json());
    suites.push_back(std::move(one));
  }
  return suites;
}

Result<kit::KitOptions> kit_options(const Arguments& a) {
  kit::KitOptions options;
  const Result<ChosenDevice> device = chosen_device(a);
  if (!device.ok()) return device.error();
  options.library = device->adapter.library.string();
  options.adapter = device->adapter.name;
  options.vendor = device->adapter.vendor;
  options.version = device->adapter.version;
  options.device = device->index;
  options.quick = a.has("quick");
  options.only = a.text("only");
  auto settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  options.settings = std::move(settings).value();
  if (const Status s = check_settings(device->adapter, options.settings); !s.ok()) return s.error();
  options.seed = drawn_seed();
  if (a.has("seed")) {
    const Result<int64_t> seed = integer_value("--seed", a.text("seed"), 0, INT64_MAX);
    if (!seed.ok()) return seed.error();
    options.seed = static_cast<uint64_t>(*seed);
  }
  if (a.has("hang-timeout")) {
    const Result<double> seconds = seconds_value("--hang-timeout", a.text("hang-timeout"), 0.5, 3600);
    if (!seconds.ok()) return seconds.error();
    options.hang_timeout_s = *seconds;
  }
  auto suites = suite_cases(options.quick);
  if (!suites.ok()) return suites.error();
  options.suites = std::move(suites).value();
  return options;
}

std::string counts(const kit::CheckResult& c) {
  const size_t passed = c.count(kit::Outcome::kPass) + c.count(kit::Outcome::kAdvice);
  const size_t unsupported = c.count(kit::Outcome::kUnsupported);
  std::string text = std::to_string(passed) + "/" + std::to_string(passed + c.count(kit::Outcome::kFail));
  return unsupported == 0 ? text : text + ", " + std::to_string(unsupported) + " not offered";
}

// What a reader must know of a check beyond its verdict.
std::string remark(const kit::CheckResult& c) {
  if (c.verdict() == kit::Verdict::kUnsupported) {
    return c.findings.empty() ? "nothing to check" : c.findings.front().detail;
  }
  std::string text;
  for (const kit::Finding& f : c.findings) {
    if (f.outcome != kit::Outcome::kFail && f.outcome != kit::Outcome::kAdvice) continue;
    const bool named = f.detail.rfind(f.name + ": ", 0) == 0;  // an adapter's call that failed names itself
    text += (text.empty() ? "" : "; ") + (named ? "" : f.name + ": ") + f.detail;
    if (text.size() > 400) return text + " ...";
  }
  return text;
}

std::string render(const kit::Report& r) {
  TextTable table({"check", "verdict", "right", "remark"});
  for (const kit::CheckResult& c : r.checks) {
    const kit::Verdict v = c.verdict();
    const bool advice = c.count(kit::Outcome::kAdvice) > 0;
    const char* word = v == kit::Verdict::kFail ? "FAIL" : v == kit::Verdict::kPass ? "pass" : "not offered";
    const Mark mark = v == kit::Verdict::kFail              ? Mark::kBad
                      : v == kit::Verdict::kPass && !advice ? Mark::kGood
                                                            : Mark::kWarning;
    table.row({c.info.id, word, counts(c), remark(c)}, mark);
  }
  std::string text = table.render(stdout_options());
  text += "\n" + std::to_string(r.count(kit::Verdict::kPass)) + " checks passed, " +
          std::to_string(r.count(kit::Verdict::kFail)) + " failed, " +
          std::to_string(r.count(kit::Verdict::kUnsupported)) + " not offered";
  for (size_t i = 0; i < r.coverage.size(); ++i) {
    const kit::Coverage& c = r.coverage[i];
    text += (i == 0 ? "\ncases taken: " : ", ") + c.suite + " " + std::to_string(c.supported) + "/" +
            std::to_string(c.total);
  }
  text += "\nseed " + std::to_string(r.options.seed) + ", report " + r.id;
  return text + "\n" + (r.passed() ? "conforms" : "does not conform") +
         (r.options.only.empty() ? "\n" : " (of the checks that were run)\n");
}

Result<int> run_kit(const Arguments& a) {
  const Result<kit::KitOptions> options = kit_options(a);
  if (!options.ok()) return options.error();
  catch_interrupts();
  const bool terminal = is_terminal(2);
  const auto progress = [&](const kit::CheckInfo& check, size_t index, size_t count) {
    if (terminal) put_progress(std::to_string(index + 1) + "/" + std::to_string(count) + " " + check.id);
    return !interrupted();
  };
  Result<kit::Report> report = kit::run_kit(*options, progress);
  if (terminal) put_progress("");
  if (interrupted()) return kExitInterrupted;
  if (!report.ok() && report.error().kind == ErrorKind::kUnsupported) {
    return not_opened(options->adapter, report.error().message);
  }
  if (!report.ok()) return report.error();
  report->when = utc_now();
  report->id = kit::report_id(*report);
  if (a.has("json")) {
    if (const Status s = write_file_atomic(a.text("json"), kit::report_json(*report)); !s.ok()) return s.error();
  }
  if (a.has("html")) {
    if (const Status s = write_file_atomic(a.text("html"), kit::report_html(*report)); !s.ok()) return s.error();
  }
  put_table(render(*report));
  return report->passed() ? kExitOk : kExitFailed;
}

Result<int> conformance_run(const Arguments& a) {
  Result<int> done = run_kit(a);
  if (done.ok() || done.error().kind != ErrorKind::kUnsupported) return done;
  put_note("assay conformance: " + done.error().message + "; nothing was checked");
  return kExitNotOpened;
}

Result<int> conformance_work(const Arguments& a) {
  const Result<int64_t> fd = integer_value("--fd", a.text("fd"), 0, INT32_MAX);
  if (!fd.ok()) return fd.error();
  const Result<int64_t> page = integer_value("--page", a.text("page"), 0, INT32_MAX);
  if (!page.ok()) return page.error();
  return kit::conformance_worker_main(static_cast<int>(*fd), static_cast<int>(*page));
}

}  // namespace

CommandSpec conformance_command() {
  CommandSpec spec;
  spec.name = "conformance";
  spec.summary = "does an adapter keep its contract? For who writes one";
  spec.about =
      "Every op at every dtype and odd shapes against the double-precision reference; whether its times can be "
      "believed "
      "and its results are fresh; lifetime, leaks, error paths, memory, threads, telemetry. Each check runs in a "
      "process "
      "of its own: a crash or a hang fails that check and the kit goes on. What an adapter does not offer is no "
      "failure; "
      "the suites' cases that it takes are counted. Exit code: 0 every mandatory check passed, 1 one failed, 2 bad "
      "input, 3 the adapter can't be opened here (a driver or a device is missing): nothing was checked.";
  spec.options = {
      {"adapter", "FILE", "manifest of the adapter (*.adapter.json)", Complete::kFile, {}, false},
      {"device",
       "DEVICE",
       "number of its device, or NAME:NUMBER; the first where not given",
       Complete::kDevice,
       {},
       false},
      adapter_setting_option(),
      {"quick", "", "fewer and smaller cases, under a minute", Complete::kNothing, {}, false},
      {"seed", "N", "of inputs; drawn anew where not given, and told at the end", Complete::kNothing, {}, false},
      {"only", "PREFIX", "only checks whose id begins so: ops.matmul, timing", Complete::kNothing, {}, false},
      {"hang-timeout",
       "SECONDS",
       "a call that takes longer is a hang, one that may compile after ten times this (20)",
       Complete::kNothing,
       {},
       false},
      {"json", "FILE", "the report as JSON", Complete::kFile, {}, false},
      {"html", "FILE", "the report as one page, Chinese and English", Complete::kFile, {}, false}};
  spec.examples = {{"assay conformance --adapter mine.adapter.json --quick", "a first look"},
                   {"assay conformance --adapter mine.adapter.json --html mine.html", "to be published"}};
  spec.run = conformance_run;
  return spec;
}

CommandSpec conformance_worker_command() {
  CommandSpec spec;
  spec.name = "conformance-worker";
  spec.summary = "runs one check; started by assay conformance";
  spec.options = {{"fd", "NUMBER", "inherited socket of checks", Complete::kNothing, {}, false},
                  {"page", "NUMBER", "inherited shared page", Complete::kNothing, {}, false}};
  spec.hidden = true;
  spec.run = conformance_work;
  return spec;
}

}  // namespace assay
