// A tensor's dequantised values for the numerics check, in ranges and with bounded memory: what the host wrote is made
// again from the seed, what the adapter computed is read back in blocks.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "harness/loader/adapter.h"
#include "harness/run/pulse.h"
#include "suites/base/result.h"
#include "suites/graph.h"
#include "suites/reference/reference.h"

namespace assay {

class TensorSource {
 public:
  // With a program, STATE, OUTPUT and SCRATCH tensors are read back from it; without one, STATE is made again from the
  // seed as it was before the step. All must outlive it. With a program it is for one thread; several threads have one
  // each, and a `mutex` by which they take turns at program and pulse.
  TensorSource(const Graph& graph, uint64_t seed, Program* program, Pulse* pulse, std::mutex* mutex = nullptr);

  // [first, first + count) -> out. A value that can't be had is NaN, and error() says why.
  void get(uint32_t tensor, uint64_t first, uint64_t count, double* out);
  [[nodiscard]] Source source();
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  void codes(uint32_t tensor, uint64_t first, uint64_t count, double* out);
  void make_again(uint32_t tensor, uint64_t first, uint64_t count, double* out) const;
  void read_back(uint32_t tensor, uint64_t first, uint64_t count, double* out);
  const std::vector<uint8_t>& block(uint32_t tensor, uint64_t index);
  [[nodiscard]] bool from_adapter(uint32_t tensor) const;

  const Graph& graph_;
  uint64_t seed_;
  Program* program_;
  Pulse* pulse_;
  std::mutex* mutex_;
  std::optional<Error> error_;
  std::unordered_map<uint64_t, std::vector<uint8_t>> blocks_;
  uint64_t cached_bytes_ = 0;
};

}  // namespace assay
