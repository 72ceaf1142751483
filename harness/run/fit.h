// The largest context of a case that a device really holds: found by
// allocating, not by arithmetic.
#pragma once

#include <cstdint>
#include <string>

#include "harness/run/numerics_check.h"

namespace assay {

struct Fit {
  std::string basis;            // of the device
  int64_t limit = 0;            // the model's own: no context beyond it was tried
  int64_t planned_context = 0;  // by arithmetic: the graph's tensors within the free memory; 0: none
  int64_t context = 0;          // the largest that was allocated; 0: not even the smallest tried
  uint64_t planned_bytes = 0,
           allocated_bytes = 0;  // of that context: by the graph, and as the adapter says
  uint64_t written_bytes = 0;    // of them: inputs, weights and state, to the last byte
  int64_t refused_context = 0;   // the smallest that was refused; 0: none was
  std::string refusal;           // in the adapter's words
  int tries = 0;
  uint64_t free_bytes = 0;  // of the device before the first; 0: unknown
};

// Programs of the whole case with other contexts are prepared, each alone, by
// the adapter's plain allocations, until the largest one that succeeds and the
// smallest that is refused for want of memory lie within 1 in 256 of each other
// (16 tokens at least). What is allocated is written, too: a system may promise
// more memory than there is and take it back when it is used. Any other failure
// is an error.
Result<Fit> largest_context(const Bench& bench, const Case& c, const DeviceInfo& device);

// One line of JSON, and back.
std::string fit_to_json(const Fit& fit);
Result<Fit> fit_from_json(const std::string& text);

}  // namespace assay
