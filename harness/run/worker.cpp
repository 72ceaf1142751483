// The worker process: jobs in, records out, one adapter open at a time.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>

#include "harness/measure/counters.h"
#include "harness/run/case_run.h"
#include "harness/run/device_fields.h"
#include "harness/run/fit.h"
#include "harness/run/line_channel.h"
#include "harness/run/profile_run.h"
#include "harness/run/pulse.h"
#include "harness/run/worker_death.h"
#include "harness/worker_protocol.h"

namespace assay {
namespace {

constexpr size_t kMaxWorkerLineBytes = size_t{512} << 20;
constexpr size_t kWorkerTailBytes = 2000;

// The parent decides when to stop and may be killed at any moment; the kernel should take this process before it.
void become_worker() {
  std::signal(SIGINT, SIG_IGN);  // these two go to the whole group, and what ends the run is the parent's to say
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::ofstream("/proc/self/oom_score_adj") << 1000;
}

SharedPage* map_page(int fd) {
  void* memory = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<SharedPage*>(memory);
}

class Worker {
 public:
  explicit Worker(SharedPage* page) : pulse_(page) {}

  JobResult answer(const Job& job) {
    JobResult result;
    discard_output();
    Status opened = open(job);
    if (!opened.ok()) {
      result.error = opened.error();
    } else if (job.kind == Job::Kind::kDevices) {
      InAdapter inside(pulse_, "device_info");
      Result<std::vector<DeviceInfo>> devices = adapter_->devices();
      if (devices.ok()) {
        result.devices = std::move(devices).value();
      } else {
        result.error = devices.error();
      }
    } else if (job.kind != Job::Kind::kRun) {
      Result<std::string> text = looked_into(job);
      if (text.ok()) {
        result.text = std::move(text).value();
      } else {
        result.error = text.error();
      }
    } else {
      result.record = run_case(job, {*adapter_, *counters_, *threads_, pulse_});
      add_output(&*result.record);
    }
    return result;
  }

  Pulse& pulse() { return pulse_; }

  // The adapter's close can hang or crash as well; it is the last thing a worker does.
  void close() {
    InAdapter inside(pulse_, "close");
    adapter_.reset();
  }

 private:
  // A profile or a fit of the job's case.
  Result<std::string> looked_into(const Job& job) {
    const Result<Case> c = case_from_json(job.case_json, "job");
    if (!c.ok()) return c.error();
    const Result<uint32_t> index = device_index(job.device);
    if (!index.ok()) return index.error();
    Result<std::vector<DeviceInfo>> devices = adapter_->devices();
    if (!devices.ok()) return devices.error();
    if (*index >= devices->size()) {
      return bad_input("--device: " + job.device + ": " + no_such_device(adapter_->core()->name, devices->size()));
    }
    const DeviceInfo& device = (*devices)[*index];
    const Bench bench{*adapter_, *index, *threads_, pulse_, job.seed};
    if (job.kind == Job::Kind::kFit) {
      const Result<Fit> fit = largest_context(bench, *c, device);
      return fit.ok() ? Result<std::string>(fit_to_json(*fit)) : Result<std::string>(fit.error());
    }
    const Result<ProfileRun> run = profile_run(bench, *c, device, counters_.get(), job.counted_ops);
    return run.ok() ? Result<std::string>(profile_to_json(*run)) : Result<std::string>(run.error());
  }

  // Opens the job's adapter unless it is open already with the same options.
  Status open(const Job& job) {
    Adapter::Options options = job.options;
    const HostThreads threads(job.threads);
    options.emplace_back("threads", std::to_string(threads.count()));
    if (adapter_ && job.adapter_library == library_ && options == options_) return ok_status();
    if (adapter_) return Error{ErrorKind::kInternal, "a worker serves one adapter with one set of options"};
    pulse_.phase(Phase::kOpen);
    threads_ = std::make_unique<HostThreads>(threads);
    counters_ = open_counters();
    const std::string name = job.device.substr(0, job.device.find(':'));
    InAdapter inside(pulse_, "open");
    Result<std::unique_ptr<Adapter>> adapter = Adapter::open(job.adapter_library, options, name);
    if (!adapter.ok()) return adapter.error();
    adapter_ = std::move(adapter).value();
    library_ = job.adapter_library;
    options_ = options;
    return ok_status();
  }

  static void discard_output() {
    std::fflush(stdout);
    std::fflush(stderr);
    // Fails where the descriptor is a terminal or pipe, which is then simply not captured.
    (void)!ftruncate(STDERR_FILENO, 0);
  }

  static void add_output(Record* record) {
    std::fflush(stdout);
    std::fflush(stderr);
    const std::string tail = output_tail(STDERR_FILENO, kWorkerTailBytes);
    if (!tail.empty()) record->warnings.push_back("adapter printed: " + tail);
  }

  Pulse pulse_;
  std::string library_;
  Adapter::Options options_;
  std::unique_ptr<HostThreads> threads_;
  std::unique_ptr<Counters> counters_;
  std::unique_ptr<Adapter> adapter_;
};

JobResult answer_line(Worker& worker, const std::string& line) {
  JobResult failed;
  Result<Job> job = job_from_json(line);
  if (!job.ok()) {
    failed.error = job.error();
    return failed;
  }
  try {
    return worker.answer(*job);
  } catch (const std::exception& e) {
    failed.error = Error{ErrorKind::kInternal, std::string("worker: ") + e.what()};
  } catch (...) {
    failed.error = Error{ErrorKind::kInternal, "worker: exception of unknown type"};
  }
  return failed;
}

int serve(LineChannel& channel, Worker& worker) {
  while (true) {
    worker.pulse().phase(Phase::kIdle);
    Result<std::optional<std::string>> line = channel.receive(LineChannel::Wait::kBlock);
    if (!line.ok()) return 1;
    if (!line->has_value()) return 0;
    const JobResult result = answer_line(worker, **line);
    if (!channel.send(job_result_to_json(result)).ok()) return 1;
  }
}

}  // namespace

int worker_main(int fd, int shared_fd) {
  become_worker();
  SharedPage* page = map_page(shared_fd);
  if (page == nullptr) return 2;
  LineChannel channel(fd, kMaxWorkerLineBytes);
  int code = 1;
  try {
    Worker worker(page);
    code = serve(channel, worker);
    worker.close();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "worker: %s\n", e.what());
  }
  return code;
}

}  // namespace assay
