// The kit's own side: a process per check, its death told as a finding, the rest gone on with in another.
#include "harness/conformance/kit.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "harness/conformance/kit_protocol.h"
#include "harness/measure/clock.h"
#include "harness/measure/environment.h"
#include "harness/run/build_info.h"
#include "harness/run/device_fields.h"
#include "harness/run/line_channel.h"
#include "harness/run/supervisor.h"
#include "harness/run/worker_death.h"
#include "harness/run/worker_spawn.h"

namespace assay::conformance {
namespace {

using nlohmann::json;

constexpr size_t kTailBytes = 600;
constexpr int kPollMs = 20;
constexpr double kCloseGraceS = 2;
constexpr int kMostDeaths = 8;  // of one check; what is left of it then is not tried

double since_s(uint64_t begin_ns) { return static_cast<double>(now_ns() - begin_ns) / 1e9; }

// One worker and one check.
class CheckProcess {
 public:
  CheckProcess(const SpawnedWorker& worker, double hang_timeout_s)
      : pid_(worker.pid),
        output_(worker.output),
        page_(worker.page),
        channel_(worker.socket, kMaxLineBytes),
        hang_timeout_s_(hang_timeout_s) {}
  ~CheckProcess() {
    channel_.close();
    reap_within(kCloseGraceS);
    kill_and_reap();
    munmap(page_, sizeof(SharedPage));
    ::close(output_);
  }
  CheckProcess(const CheckProcess&) = delete;
  CheckProcess& operator=(const CheckProcess&) = delete;

  // Adds what it finds; true when it came to its end, false when it died (the last finding then says how).
  bool ask(const Question& question, CheckResult* result, size_t* begun) {
    if (!channel_.send(question_to_json(question)).ok()) return died({}, question.check, result);
    uint64_t beat = 0, beat_at = now_ns();
    while (true) {
      pollfd ready{channel_.fd(), POLLIN, 0};
      ::poll(&ready, 1, kPollMs);
      Result<std::optional<std::string>> line = channel_.receive(LineChannel::Wait::kPoll);
      if (line.ok() && line->has_value()) {
        if (**line == kDoneLine) return true;
        if (take(**line, question.check, result, begun)) continue;
        WorkerEnd end;
        end.garbled = "a line that is no finding";
        return died(end, question.check, result);
      }
      if (!line.ok() || channel_.closed()) {
        reap_within(kCloseGraceS);
        return died({}, question.check, result);
      }
      if (reap(false)) return died({}, question.check, result);
      const uint64_t new_beat = page_->heartbeat.load(std::memory_order_relaxed);
      if (new_beat != beat) beat_at = now_ns();
      beat = new_beat;
      WorkerEnd end;
      end.silent_s = since_s(beat_at);
      end.killed_hung = end.silent_s > patience_s(*page_, hang_timeout_s_);
      if (end.killed_hung) return died(end, question.check, result);
    }
  }

 private:
  bool take(const std::string& line, const std::string& check, CheckResult* result, size_t* begun) {
    const json j = json::parse(line, nullptr, false);
    if (j.is_discarded() || !j.is_object()) return false;
    if (j.contains("begin")) {
      name_ = j.value("begin", "");
      dtype_ = j.value("dtype", "");
      *begun = j.value("index", size_t{0}) + 1;
      pending_ = true;
      return true;
    }
    const int outcome = j.value("outcome", -1);
    if (outcome < 0 || outcome > static_cast<int>(Outcome::kAdvice)) return false;
    result->findings.push_back({check, name_, dtype_, static_cast<Outcome>(outcome), j.value("detail", "")});
    pending_ = false;
    return true;
  }

  bool died(WorkerEnd end, const std::string& check, CheckResult* result) {
    kill_and_reap();
    end.known = end_.known;
    end.wait_status = end_.wait_status;
    const std::string reason = death_reason(end, *page_, output_tail(output_, kTailBytes));
    const std::string name = pending_ ? name_ : name_.empty() ? "start" : "after: " + name_;
    result->findings.push_back({check, name, pending_ ? dtype_ : "", Outcome::kFail, reason});
    return false;
  }

  bool reap(bool wait) {
    if (pid_ <= 0) return true;
    int status = 0;
    pid_t got = 0;
    do {
      got = waitpid(pid_, &status, wait ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got == 0) return false;
    end_.known = got == pid_;
    end_.wait_status = status;
    pid_ = -1;
    return true;
  }
  void reap_within(double seconds) {
    const uint64_t begin = now_ns();
    while (!reap(false) && since_s(begin) < seconds) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  void kill_and_reap() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    reap(true);
  }

  pid_t pid_;
  int output_;
  SharedPage* page_;
  LineChannel channel_;
  double hang_timeout_s_;
  WorkerEnd end_;
  std::string name_, dtype_;
  bool pending_ = false;
};

void run_check(const KitOptions& options, CheckResult* result) {
  const uint64_t begin = now_ns();
  Question question{result->info.id, 0, options};
  if (question.check != "coverage") question.options.suites.clear();
  for (int deaths = 0; deaths < kMostDeaths; ++deaths) {
    Result<SpawnedWorker> worker = spawn_worker(options.executable, "conformance-worker");
    if (!worker.ok()) {
      result->findings.push_back({result->info.id, "start", "", Outcome::kFail, worker.error().message});
      break;
    }
    CheckProcess process(*worker, options.hang_timeout_s);
    size_t begun = question.first;
    if (process.ask(question, result, &begun) || begun == question.first) break;
    question.first = begun;
  }
  result->seconds = since_s(begin);
}

bool chosen(const std::string& id, const std::string& only) { return id.compare(0, only.size(), only) == 0; }

Status find_device(const KitOptions& options, Report* report, std::string* failure) {
  SupervisorOptions supervisor;
  supervisor.executable = options.executable;
  supervisor.hang_timeout_s = options.hang_timeout_s;
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start(supervisor);
  if (!worker.ok()) return worker.error();
  Job job;
  job.kind = Job::Kind::kDevices;
  job.adapter_library = options.library;
  job.device = options.adapter;
  job.options = options.settings;
  const Result<std::vector<DeviceInfo>> devices = (*worker)->devices(job);
  if (!devices.ok()) {
    const Error& error = devices.error();
    if (error.kind == ErrorKind::kBadInput || error.kind == ErrorKind::kUnsupported) return error;
    *failure = error.message;
    return ok_status();
  }
  if (devices->empty()) return Error{ErrorKind::kUnsupported, "no device found"};
  if (options.device < devices->size()) {
    report->device = (*devices)[options.device];
    if (!report->device.firmware.empty()) report->environment["device_firmware"] = report->device.firmware;
    return ok_status();
  }
  return bad_input("device " + std::to_string(options.device) + ": expected one of the adapter's " +
                   std::to_string(devices->size()) + ", numbered from 0");
}

std::vector<Coverage> coverage_of(const Report& report) {
  std::vector<Coverage> out;
  for (const CheckResult& check : report.checks) {
    if (check.info.id != "coverage") continue;
    for (const SuiteCases& suite : report.options.suites) {
      Coverage c{suite.suite, 0, suite.cases.size()};
      for (const Finding& f : check.findings) {
        c.supported += f.name.rfind(suite.suite + ": ", 0) == 0 && f.outcome == Outcome::kPass ? 1 : 0;
      }
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

const char* outcome_name(Outcome outcome) {
  constexpr std::array kNames{"pass", "fail", "unsupported", "advice"};
  return kNames[static_cast<size_t>(outcome)];
}

size_t CheckResult::count(Outcome outcome) const {
  size_t n = 0;
  for (const Finding& f : findings) n += f.outcome == outcome ? 1 : 0;
  return n;
}

Verdict CheckResult::verdict() const {
  if (count(Outcome::kFail) > 0) return Verdict::kFail;
  return count(Outcome::kPass) + count(Outcome::kAdvice) > 0 ? Verdict::kPass : Verdict::kUnsupported;
}

size_t Report::count(Verdict verdict) const {
  size_t n = 0;
  for (const CheckResult& c : checks) n += c.verdict() == verdict ? 1 : 0;
  return n;
}

bool Report::passed() const {
  bool works = !options.only.empty();  // of a part nothing is asked
  for (const CheckResult& c : checks) {
    works = works || ((c.info.group == "ops" || c.info.group == "requests") && c.count(Outcome::kPass) > 0);
  }
  return count(Verdict::kFail) == 0 && works;
}

Result<Report> run_kit(const KitOptions& options, const Progress& progress) {
  const uint64_t begin = now_ns();
  std::vector<CheckInfo> wanted;
  for (const CheckInfo& info : check_infos()) {
    if (chosen(info.id, options.only)) wanted.push_back(info);
  }
  if (wanted.empty()) return bad_input("--only: no check begins with '" + options.only + "'");
  Report report;
  report.options = options;
  report.tool_version = tool_version();
  report.tool_commit = tool_commit();
  report.environment = environment({});
  if (const std::string hash = library_hash(options.library); !hash.empty())
    report.environment["adapter_library_hash"] = hash;
  std::string failure;
  if (Status s = find_device(options, &report, &failure); !s.ok()) return s.error();
  if (!failure.empty()) {
    wanted.resize(1);
    report.checks.push_back({wanted[0], {{wanted[0].id, "open", "", Outcome::kFail, failure}}, 0});
    wanted.clear();
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (progress && !progress(wanted[i], i, wanted.size())) return Error{ErrorKind::kIo, "interrupted"};
    report.checks.push_back({wanted[i], {}, 0});
    run_check(options, &report.checks.back());
  }
  report.coverage = coverage_of(report);
  report.seconds = since_s(begin);
  return report;
}

}  // namespace assay::conformance
