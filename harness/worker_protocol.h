// What the parent and a worker say to each other. One adapter per worker process (architecture.md).
//
// The parent starts `assay worker` with two inherited descriptors: a socket of
// JSON lines and a shared page. Parent -> worker: one Job per line; worker ->
// parent: one JobResult per line (a Record as JSON, a list of devices, or what
// a profile found). The shared page carries progress and the stop flag, so that
// the timed loop makes no system call for either.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/loader/adapter.h"
#include "results/record.h"
#include "suites/suite.h"

namespace assay {

enum class Phase : uint32_t { kStarting, kOpen, kCheck, kCeiling, kPrepare, kLoad, kWarmup, kTimed, kFinish, kIdle };
const char* phase_name(Phase phase);

// Values of SharedPage::in_adapter. The timed loop has no time to write a name.
inline constexpr uint32_t kNotInAdapter = 0, kInLastCall = 1, kInSubmit = 2, kInWait = 3;

struct SharedPage {
  std::atomic<uint32_t> phase;        // Phase; written by the worker
  std::atomic<uint64_t> steps;        // finished in this phase
  std::atomic<uint64_t> heartbeat;    // any change means alive: raised per step, per tensor loaded, per op checked
  std::atomic<uint64_t> phase_share;  // 0..1000: how far the phase is, 0 = unknown
  std::atomic<uint64_t> step_ns;      // what a step is expected to take, 0 = unknown
  std::atomic<uint64_t> planned;      // bytes of the tensors that the adapter is about to allocate, 0 = unknown
  std::atomic<uint32_t> stop;         // written by the parent: 1 = finish the step and return what there is
  std::atomic<uint32_t> in_adapter;   // not 0 while adapter code runs (so a hang is the adapter's)
  char last_call[64];                 // "program.wait": what it was doing
};

// What a further launch of a case takes from the first: it runs the same part of the model, and neither the numbers
// nor the projection are made again; the ceilings are, at the sizes that the first found.
struct EarlierLaunch {
  int64_t layers = 0, experts = 0;          // that run
  double flops_per_s = 0, bytes_per_s = 0;  // ceilings, 0: unknown
  double step_s = 0;                        // mean
  int64_t gemm_size = 0;                    // of the ceilings; 0: none was measured
  uint64_t read_bytes = 0;
};

struct Job {
  enum class Kind { kDevices, kRun, kProfile, kFit } kind = Kind::kRun;
  std::string adapter_library;  // path of the shared module
  std::string device;           // "cpu:0"; where devices are asked for, the adapter's name: what its library must say
  std::string basis;            // of the device, where the parent knows it: of a record that the worker can't write
  std::string case_json;        // Case::to_json()
  std::string form;             // quick, full
  RunPolicy policy;             // its time limit is this launch's share of the case's
  uint64_t seed = 1;
  int threads = 0;  // 0: all
  bool check_numerics = true;
  std::optional<EarlierLaunch> earlier;  // of the case: what this launch need not find out again
  std::string counted_ops;  // of a profile: "all", or names of ops with commas; "": no counters of the device
  std::vector<std::pair<std::string, std::string>> options;  // for assay_host.option
};
std::string job_to_json(const Job& job);
// Unknown, missing or mistyped fields are errors that name the field.
Result<Job> job_from_json(const std::string& text);

// What a worker answers: exactly one of record, devices, text and error is set.
// An error means that the job could not be understood or its adapter not
// opened; a run that failed is a record.
struct JobResult {
  std::optional<Record> record;
  std::optional<std::vector<DeviceInfo>> devices;
  std::optional<std::string> text;  // of a profile or a fit: JSON (profile_run.h, fit.h)
  std::optional<Error> error;
};
std::string job_result_to_json(const JobResult& result);  // one line
Result<JobResult> job_result_from_json(const std::string& text);

// Runs jobs from `fd` until it closes; returns the process's exit code. `shared_fd` holds a SharedPage.
int worker_main(int fd, int shared_fd);

}  // namespace assay
