// RAII over the adapter ABI; used only inside a worker process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "harness/measure/clock.h"
#include "suites/base/result.h"
#include "suites/graph.h"

namespace assay {

struct DeviceInfo {
  uint32_t index = 0;
  std::string product, arch, serial, driver, firmware, bus_id, basis, support;
  std::string abi;  // of its adapter: "1.4"
  uint64_t memory_bytes = 0, memory_free_bytes = 0, memory_bandwidth_bytes_per_s = 0, dtypes = 0, cache_bytes = 0;
  double board_power_limit_w = 0;
  std::map<std::string, std::string> state;  // set-up and health when asked: "ecc": "on" (assay_device_info.state)
};

class Program;

// An opened adapter. Every call into it checks the status and turns a failure into an Error that carries
// the call's name and last_error.
class Adapter {
 public:
  using Options = std::vector<std::pair<std::string, std::string>>;
  // dlopen RTLD_NOW|RTLD_LOCAL, entry(major), open. A missing symbol, NULL entry or other major is an Error. `name`:
  // what the manifest calls it, "" where there is none; a library that says otherwise is refused, as bad input,
  // unopened.
  static Result<std::unique_ptr<Adapter>> open(const std::string& library, Options options,
                                               const std::string& name = "");
  virtual ~Adapter() = default;

  [[nodiscard]] virtual const assay_adapter* core() const = 0;
  [[nodiscard]] virtual assay_ctx* ctx() const = 0;
  [[nodiscard]] virtual Result<std::vector<DeviceInfo>> devices() = 0;
  // One of them, as it is now.
  [[nodiscard]] virtual Result<DeviceInfo> device(uint32_t index);
  [[nodiscard]] virtual const assay_program_table* program_table() const = 0;             // nullptr: not provided
  [[nodiscard]] virtual const assay_telemetry_table* telemetry_table() const = 0;         // nullptr: not provided
  [[nodiscard]] virtual const assay_trace_table* trace_table() const { return nullptr; }  // nullptr: not provided
  [[nodiscard]] virtual const assay_clock_table* clock_table() const { return nullptr; }  // nullptr: real time
  // Called with each time that the adapter asks of the host's clock, on the
  // asking thread; empty: no more. Set and cleared while nothing runs.
  virtual void watch_clock(const std::function<void(uint64_t t_ns)>& on_now) { (void)on_now; }
  // kUnsupported with the adapter's reason, or ok.
  [[nodiscard]] virtual Status supports(const Graph& graph, uint32_t device) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Program>> prepare(const Graph& graph, uint32_t device) = 0;
};

class Program {
 public:
  virtual ~Program() = default;  // destroys the adapter's program
  // Each step begins with the device's caches flushed, before its time is taken.
  void run_cold(bool cold) { cold_ = cold; }
  [[nodiscard]] bool cold() const { return cold_; }
  [[nodiscard]] virtual Status write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) = 0;
  [[nodiscard]] virtual Status read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) = 0;
  // The raw calls, for the timed loop: no allocation, no Error object on the good path.
  [[nodiscard]] virtual assay_status submit(const assay_run_args* args, assay_run** run) = 0;
  [[nodiscard]] virtual assay_status wait(assay_run* run, assay_run_result* result) = 0;
  // The clock that times steps: the host's, or the adapter's own for a device that does not run in real time.
  [[nodiscard]] virtual uint64_t now_ns() const { return assay::now_ns(); }
  [[nodiscard]] virtual Error last_error(const char* call, assay_status status) const = 0;
  [[nodiscard]] virtual assay_program_info info() const = 0;  // zeros where not provided
  [[nodiscard]] virtual assay_status flush_caches() { return ASSAY_UNSUPPORTED; }
  // Hardware counters of ops in one step (trace.count); kUnsupported with the reason where there are none.
  [[nodiscard]] virtual Status count(const assay_run_args& args, const std::vector<uint64_t>& ops,
                                     const std::function<void(const assay_op_counter&)>& emit) {
    (void)args, (void)ops, (void)emit;
    return Error{ErrorKind::kUnsupported, "the adapter has no hardware counters"};
  }

 private:
  bool cold_ = false;
};

}  // namespace assay
