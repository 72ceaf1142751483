// Calls captured as a graph, and timed before they are a step's.
#pragma once

#include <cstdint>
#include <vector>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

struct StepGraph {
  Handle graph, exec;
};
// What is loaded lazily must have run before. Throws Failure.
StepGraph captured(const Runtime& runtime, void* stream, const std::vector<Call>& calls);

// Runs calls on a stream of its own and takes their time by events, each time with cold caches: in a step the other
// layers' keys and weights went through them meanwhile.
class Trial {
 public:
  Trial(const Runtime& runtime, uint64_t sweep_bytes);
  [[nodiscard]] void* stream() const { return stream_.get(); }
  void wait() const { runtime_.check(runtime_.StreamSynchronize(stream_.get()), "trial"); }
  double ms(const std::vector<Call>& calls) const;
  // Of the calls as a step runs them, as a graph where there are graphs: the middle of three.
  [[nodiscard]] double step_ms(const std::vector<Call>& calls) const;
  [[nodiscard]] std::vector<uint16_t> read(const Slot& slot, uint64_t most_bytes) const;

 private:
  template <typename Work>
  double timed(const Work& work) const;

  const Runtime& runtime_;
  Handle stream_, from_, to_;
  Memory sweep_;
};

}  // namespace assay::gpu
