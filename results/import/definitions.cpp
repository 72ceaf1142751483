#include "results/import/definitions.h"

#include <algorithm>

namespace assay {

const std::vector<FigureDefinition>& figure_definitions() {
  static const std::vector<FigureDefinition> kDefinitions{
      {"output-tokens-per-s/wall", "output tokens of completed requests / duration of the benchmark", true},
      {"input-tokens-per-s/wall", "input tokens of completed requests / duration of the benchmark", true},
      {"total-tokens-per-s/wall", "input and output tokens of completed requests / duration of the benchmark", true},
      {"requests-per-s/wall", "completed requests / duration of the benchmark", true},
      {"goodput/wall", "completed requests that met the limits of the run / duration of the benchmark", true},
      {"total-tokens-per-s-per-chip/wall", "input and output tokens / duration / chips of the tensor-parallel group",
       true},
      {"output-tokens-per-s-per-chip/wall",
       "output tokens / duration / chips of the tensor-parallel group; of the decode chips only where prefill and "
       "decode are apart",
       true},
      {"input-tokens-per-s-per-chip/wall",
       "input tokens / duration / chips of the tensor-parallel group; of the prefill chips only where prefill and "
       "decode are apart",
       true},
      {"interactivity/inverse-tpot", "1 / the same statistic of the TPOT: tokens per second per user", true},
      {"ttft/send-interpolated",
       "first token - send, per request; queueing in the client is left out; percentiles between neighbours", false},
      {"tpot/after-first-interpolated",
       "(last token - first token) / (output tokens - 1), per request; percentiles between neighbours", false},
      {"itl/gaps-interpolated", "gaps between token events of all requests; percentiles between neighbours", false},
      {"e2e/send-interpolated", "last token - send, per request; percentiles between neighbours", false},
      {"ttft/scheduled-rank", "first token - scheduled time, per sample; percentile sorted[floor(n p)]", false},
      {"tpot/after-first-rank",
       "(last token - first token) / (output tokens - 1), per sample; percentile sorted[floor(n p)]", false},
      {"latency/scheduled-rank", "completion - scheduled time, per sample; percentile sorted[floor(n p)]", false},
      {"latency/query-rank", "completion - scheduled time, per query; percentile sorted[floor(n p)]", false},
      {"latency/early-stopping", "estimate of the percentile by early stopping at 99 %", false},
      {"samples-per-s/offline", "samples / latency of the last sample", true},
      {"tokens-per-s/offline", "output tokens / latency of the last sample", true},
      {"samples-per-s/completed", "(samples - 1) / completion of the last sample", true},
      {"tokens-per-s/completed", "output tokens / completion of the last sample", true},
      {"samples-per-s/scheduled", "(samples - 1) / scheduled time of the last sample", true},
      {"samples-per-s/with-overhead", "(samples - 1) / issue of the last sample", true},
      {"samples-per-s/without-overhead", "1 / mean latency", true},
      {"mlperf-result/as-stated", "the result of the round's rules for the scenario, in the unit stated", true},
      {"mlperf-result/latency", "the latency of the round's rules for the scenario", false},
      {"mlperf-result/unit-doubtful",
       "the result of the round's rules; the unit stated is not the one that the rules give this model", true},
      // Of records imported before the units were told apart.
      {"mlperf-power/as-stated", "mean power or energy per stream of the round's power rules, in the unit stated",
       false},
      {"mlperf-power/mean-of-system", "mean of the power samples of the whole system at the wall within the run",
       false},
      {"mlperf-power/per-query", "mean power of the system x duration / queries (single stream)", false},
      {"mlperf-power/per-stream", "mean power of the system x duration / (queries x 8 streams) (multi-stream)", false},
      {"mlperf-power/per-token", "mean power of the system / its output tokens per second", false},
      {"tokens-per-s/mean-of-rates",
       "arithmetic mean of the rates of the repetitions: over total tokens / total time; its interval: Student's t of "
       "the repetitions in one process, without what launches differ by",
       true},
      {"tokens-per-s/standard-deviation", "standard deviation of the rates of the repetitions", false},
      {"time/mean-of-repetitions", "mean time of one repetition, n_prompt + n_gen tokens", false},
      {"time-per-iteration/wall", "wall time of the loop / iterations", false},
      {"time-per-iteration/cpu", "CPU time of the loop / iterations", false},
      {"iteration-rate/counter", "items or bytes processed / time of the loop, as the benchmark counts them", true}};
  return kDefinitions;
}

const FigureDefinition* find_definition(const std::string& id) {
  const auto& all = figure_definitions();
  const auto found = std::find_if(all.begin(), all.end(), [&](const FigureDefinition& d) { return id == d.id; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace assay
