// A pass of its own that asks the adapter (table trace/1) what ran when, op by op. It never supplies a timing to a
// record.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "harness/measure/counters.h"
#include "harness/run/numerics_check.h"
#include "results/record.h"

namespace assay {

inline constexpr uint32_t kNoOp = ~uint32_t{0};

struct ProfiledSpan {
  uint32_t op = 0;                        // of the graph, or kNoOp
  std::string name;                       // what the adapter ran: a kernel, a library's product, a copy
  uint64_t begin_ns = 0, end_ns = 0;      // from the step's first begin
  uint32_t kind = ASSAY_ACTIVITY_KERNEL;  // ASSAY_ACTIVITY_*
  uint64_t bytes = 0;                     // of a copy or a fill
};

// Copies and fills that belong to no op, by name; of one step, mean over the traced ones.
struct Moved {
  std::string name;
  double count = 0, seconds = 0, bytes = 0;
};

struct OpCounter {
  std::string name, reason;   // reason: why there are no values
  std::vector<double> by_op;  // of one step, mean over the traced ones
};

// Of the device, of one run of the op; by op, where it was counted.
struct DeviceCounter {
  std::string name, unit;  // as the vendor calls it; "byte", "percent", ""
  std::map<uint32_t, double> by_op;
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
  std::vector<Moved> moved;
  double busy_s = 0;               // of one step: sum of all spans
  std::vector<ProfiledSpan> last;  // the last traced step
  std::string basis;               // of the device
  // Events of the host's CPU and the threads of this process by op, of one
  // step; each name stands with the reason where it is absent. Without any
  // name, counters_reason says why.
  std::vector<OpCounter> counters;
  std::string counters_reason;
  std::vector<DeviceCounter> device_counters;  // of one op for all that are equal
  std::string device_counters_reason;          // why there are none
  NoiseReport noise;                           // of the host, while the steps without and with tracing ran
  std::string noise_reason;                    // why it was not watched
};

// kUnsupported where the adapter has no trace/1. `counters`: opened before the
// adapter, on this thread; nullptr: none are read. They are read whenever the
// adapter asks for the time while it traces, so they belong to ops only where
// it asks at the ops' very begins and ends, on this thread.
// `counted_ops`: of which ops the device's counters are read in a pass of their own: "all", names with commas, or none.
// Counters that can't be had are absent with the reason; the profile stands.
Result<ProfileRun> profile_run(const Bench& bench, const Case& c, const DeviceInfo& device,
                               Counters* counters = nullptr, const std::string& counted_ops = "");

// Activities, in the order in which they began, by the step in which they ran: those of ops are `each` in every step,
// and what belongs to no op counts to the step after whose start (host time) it began.
std::vector<std::vector<ProfiledSpan>> steps_of(std::vector<ProfiledSpan> spans, size_t each,
                                                const std::vector<uint64_t>& start_ns);

// The first op of each group of equals that `names` ("all", or names with commas) chooses: one stands for the others.
// kBadInput for a name that no op has, and for none.
Result<std::vector<uint64_t>> ops_to_count(const Graph& graph, const std::vector<int64_t>& scalars,
                                           const std::string& names);
// Adds the device's counters of the ops that `names` chooses to a run of `program`; where they can't be had, the
// reason. names "": they are not asked for.
void count_ops(Program& program, const std::string& names, ProfileRun* run);

// One line of JSON, and back: the graph is lowered again from the case.
std::string profile_to_json(const ProfileRun& run);
Result<ProfileRun> profile_from_json(const std::string& text, const Case& c);

}  // namespace assay
