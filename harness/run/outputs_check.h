// Was the work of the timed steps done in their time, and for the inputs that were there? Read from what they left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "harness/run/numerics_check.h"
#include "harness/run/timing_truth.h"

namespace assay {

// What a step leaves on the device: first rows of its result, and what its last op yields (the tokens chosen). Nothing
// for ceilings, which have no result.
struct KnownRows {
  uint32_t tensor = 0;
  std::vector<double> values;
  uint32_t last_tensor = 0;
  std::vector<double> last_values;  // empty: the last op's is the result
};

// Of the program that has just run a step: the rows that check_outputs reads again.
Result<std::optional<KnownRows>> known_rows(const Bench& bench, const Case& c, const Graph& graph, Program& program);

struct OutputsPlan {
  double step_ns = 0;        // median of the timed steps
  bool own_time = false;     // the adapter brings its clock: reads and steps are not judged by it
  bool other_inputs = true;  // not of long steps in the quick form, nor in each launch
};

// Right after the last timed step: its result is read, twice, then steps run on other inputs. Sets the outcomes
// "outputs" (finite, and those that were right before the timing), "outputs.in-time" (the first read takes no
// longer than the second by a fifth of a step) and "outputs.other-inputs" (the best of five such steps takes no longer
// by half, by a quarter without a warning, than the timed ones and the best of those that repeat it). What fails says
// so in verdict->failure. An Error is the adapter's failure. The inputs of bench.seed are there again afterwards.
Status check_outputs(const Bench& bench, const Graph& graph, Program& program, const assay_run_args& args,
                     const KnownRows& known, const OutputsPlan& plan, TruthVerdict* verdict);

// Pure part. Nanoseconds of reads and steps, those of each kind in the order taken: each step on other inputs is
// followed by one on the same, so that a machine that became slower since the timing slows both.
struct OutputTimes {
  std::vector<double> first_read_ns, second_read_ns, other_step_ns, same_step_ns;
};
void judge_output_times(const OutputTimes& times, double step_ns, TruthVerdict* verdict);

}  // namespace assay
