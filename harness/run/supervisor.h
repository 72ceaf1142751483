// The parent's side of a worker process: start it, hand it jobs, watch it, and turn its death into a record.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "harness/loader/adapter.h"
#include "harness/worker_protocol.h"
#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

struct Progress {
  Phase phase = Phase::kStarting;
  uint64_t steps = 0;
  double phase_share = 0;      // 0..1, 0 = unknown
  double elapsed_s = 0;        // since the job was sent
  double step_s = 0;           // that a step is expected to take, 0 = unknown
  uint64_t planned_bytes = 0;  // of the program's tensors, 0 = not known yet
  bool stopping = false;       // asked to end after the step in hand
};

struct SupervisorOptions {
  std::string executable;       // the assay binary to run as `assay worker`; "" = /proc/self/exe
  double hang_timeout_s = 120;  // no heartbeat for this long (patience_s), and for 5 expected steps = hung
  double poll_interval_s = 0.05;
  double stop_grace_s = 4;  // after a stop request a worker that goes on is killed; with steps timed already it may
                            // end the one in hand
};

// One worker serves one adapter with one set of options. The thread that starts it must outlive it: the kernel kills a
// worker whose starting thread is gone.
class WorkerProcess {
 public:
  static Result<std::unique_ptr<WorkerProcess>> start(const SupervisorOptions& options);
  virtual ~WorkerProcess() = default;  // closes the socket, waits briefly, then kills its own child by pid

  // Devices of one adapter. A crash or hang of the adapter is an Error that says so.
  virtual Result<std::vector<DeviceInfo>> devices(const Job& job) = 0;

  // Always returns a record: of the run, or a failed one ("adapter died with SIGSEGV in program.wait").
  // `on_progress` is called about every poll interval; returning false asks the worker to stop after the
  // step in hand (the record then is `interrupted` and keeps its samples).
  virtual Record run(const Job& job, const std::function<bool(const Progress&)>& on_progress) = 0;

  // What a job of kind kProfile or kFit answers; a crash or hang of the adapter
  // is an Error that says so. Returning false from `on_progress` ends the
  // worker.
  virtual Result<std::string> ask(const Job& job, const std::function<bool(const Progress&)>& on_progress) = 0;

  // False once the child is gone; start a new worker for the next job.
  [[nodiscard]] virtual bool alive() const = 0;
};

}  // namespace assay
