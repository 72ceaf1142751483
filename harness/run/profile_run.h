// A pass of its own that asks the adapter (table trace/1) what ran when, op by op. It never supplies a timing to a
// record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measure/counters.h"
#include "harness/run/numerics_check.h"
#include "results/record.h"

namespace assay {

enum Ran : uint32_t { kRanKernel, kRanCopy, kRanFill, kRanSync, kRanComm };  // as assay_activity.kind counts them

struct ProfiledSpan {
  uint32_t op = 0;                    // of the graph
  std::string name;                   // what the adapter ran: a kernel, a library's product, a copy
  uint64_t begin_ns = 0, end_ns = 0;  // from the step's first begin
  uint32_t kind = kRanKernel;
  uint64_t bytes = 0;  // of a copy or a fill
};

struct OpCounter {
  std::string name, reason;   // reason: why there are no values
  std::vector<double> by_op;  // of one step, mean over the traced ones
};

struct ProfileRun {
  Graph graph;
  std::vector<int64_t> scalars;
  int64_t layers = 0, layers_total = 0;  // run, and of the model
  std::string layers_reason;             // why not all
  int64_t experts = 0;                   // of each layer that ran; 0: the model has none
  Ceiling ceiling;
  uint64_t steps = 0, dropped = 0;  // traced; records that the adapter lost
  double plain_step_s = 0,
         traced_step_s = 0;        // medians without and with tracing, host time
  std::vector<double> op_seconds;  // of one step, mean over the traced ones, by op
  std::vector<uint32_t> op_calls;  // launches or stages of one step
  // In which nothing ran on the device before each op's activities; median over the traced steps, by op.
  std::vector<double> op_gap_seconds;
  double busy_s = 0;               // of one step: sum of all spans
  std::vector<ProfiledSpan> last;  // the last traced step
  std::string basis;               // of the device
  // Events of the host's CPU and the threads of this process by op, of one
  // step; each name stands with the reason where it is absent. Without any
  // name, counters_reason says why.
  std::vector<OpCounter> counters;
  std::string counters_reason;
};

// kUnsupported where the adapter has no trace/1. `counters`: opened before the
// adapter, on this thread; nullptr: none are read. They are read whenever the
// adapter asks for the time while it traces, so they belong to ops only where
// it asks at the ops' very begins and ends, on this thread.
Result<ProfileRun> profile_run(const Bench& bench, const Case& c, const DeviceInfo& device,
                               Counters* counters = nullptr);

// One line of JSON, and back: the graph is lowered again from the case.
std::string profile_to_json(const ProfileRun& run);
Result<ProfileRun> profile_from_json(const std::string& text, const Case& c);

}  // namespace assay
