// A pass of its own that asks the adapter (table trace/1) what ran when, op by op. It never supplies a timing to a
// record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/run/numerics_check.h"
#include "results/record.h"

namespace assay {

struct ProfiledSpan {
  uint32_t op = 0;                    // of the graph
  std::string name;                   // what the adapter ran: a kernel, a library's product
  uint64_t begin_ns = 0, end_ns = 0;  // from the step's first begin
};

struct ProfileRun {
  Graph graph;
  std::vector<int64_t> scalars;
  int64_t layers = 0, layers_total = 0;  // run, and of the model
  Ceiling ceiling;
  uint64_t steps = 0, dropped = 0;             // traced; records that the adapter lost
  double plain_step_s = 0, traced_step_s = 0;  // medians without and with tracing, host time
  std::vector<double> op_seconds;              // of one step, mean over the traced ones, by op
  std::vector<uint32_t> op_calls;              // launches or stages of one step
  double busy_s = 0;                           // of one step: sum of all spans
  std::vector<ProfiledSpan> last;              // the last traced step
};

// kUnsupported where the adapter has no trace/1.
Result<ProfileRun> profile_run(const Bench& bench, const Case& c, const DeviceInfo& device);

}  // namespace assay
