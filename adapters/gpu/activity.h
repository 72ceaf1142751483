// What ran when, kernel by kernel, from the vendor's profiler (CUPTI's activity records), through own declarations:
// kernels, copies and fills with begin and end on the device, of single launches and of graphs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/gpu/library.h"

namespace assay::gpu {

struct ActivityRecord {
  uint64_t begin_ns = 0, end_ns = 0;  // host clock
  uint64_t call = 0;                  // what was announced by begin_call(); 0: nothing, as in a graph
  uint64_t launch = 0;                // of a graph: the same for all nodes of one launch; 0: no graph
  std::string name;
  uint32_t kind = ASSAY_ACTIVITY_KERNEL;
  uint64_t bytes = 0;  // of a copy or a fill
};

class Activity {
 public:
  // nullptr and the reason in `why` where the vendor has none, or it can't be loaded.
  static std::unique_ptr<Activity> load(const std::string& folder, std::string* why);
  virtual ~Activity() = default;
  // "" or why it can't record here. One recording at a time in a process.
  virtual std::string start(const sdk::Host& host) = 0;
  // What is launched between the two on this thread carries `call`, above 0.
  virtual void begin_call(uint64_t call) = 0;
  virtual void end_call() = 0;
  // By begin. The device must be idle. `dropped` grows by what was lost: records, or buffers of them.
  virtual std::vector<ActivityRecord> stop(uint64_t* dropped) = 0;
};

// Spans of ops from the records of steps that ran call by call, each call announced as 1 + its op, and of launches of
// the graph captured from the same calls: a graph's nodes are those calls' kernels in the same order. Launches whose
// kernels are others are left out and counted. Copies and fills of no call come with ASSAY_NO_OP. All by begin.
struct OpSpan {
  uint64_t op = 0;
  std::string name;
  uint64_t begin_ns = 0, end_ns = 0;
  uint32_t kind = ASSAY_ACTIVITY_KERNEL;
  uint64_t bytes = 0;
};
std::vector<OpSpan> spans_of(const std::vector<ActivityRecord>& records, uint64_t* left_out);

}  // namespace assay::gpu
