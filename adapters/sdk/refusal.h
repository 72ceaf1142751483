// How an adapter says no, and the graphs that none can run.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

#include "adapters/abi/assay_adapter.h"

namespace assay::sdk {

// Thrown by an adapter to say what went wrong and which status it is.
class Failure : public std::exception {
 public:
  Failure(assay_status status, std::string text) : status_(status), text_(std::move(text)) {}
  [[nodiscard]] assay_status status() const { return status_; }
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  assay_status status_;
  std::string text_;
};

namespace detail {

[[noreturn]] inline void bad_graph(const std::string& what) { throw Failure(ASSAY_INVALID_ARGUMENT, what); }

inline void check_tensor(const assay_program_desc& graph, uint32_t index) {
  constexpr int64_t kMostElements = int64_t{1} << 56;  // of 8 bytes each: what a 64-bit size holds
  const assay_tensor& t = graph.tensors[index];
  const std::string where = "tensor " + std::to_string(index) + ": ";
  if (t.dtype > ASSAY_I64) bad_graph(where + "unknown dtype " + std::to_string(t.dtype));
  if (t.role > ASSAY_ROLE_SCRATCH) bad_graph(where + "unknown role " + std::to_string(t.role));
  if (t.rank < 1 || t.rank > 6) bad_graph(where + "rank " + std::to_string(t.rank) + ", expected 1 to 6");
  int64_t elements = 1;
  for (uint32_t i = 0; i < t.rank; ++i) {
    if (t.dim[i] < 1) bad_graph(where + "dimension " + std::to_string(t.dim[i]) + ", expected at least 1");
    if (t.dim[i] > kMostElements / elements) bad_graph(where + "more than 2^56 elements");
    elements *= t.dim[i];
  }
  if (t.scale >= 0 && (static_cast<uint32_t>(t.scale) >= graph.n_tensors || t.scale_block < 1)) {
    bad_graph(where + "its scales are no tensor of the program");
  }
}

inline void check_lists(const assay_program_desc& graph, uint32_t index) {
  const assay_op& op = graph.ops[index];
  const std::string where = "op " + std::to_string(index) + ": ";
  if ((op.in == nullptr && op.n_in > 0) || (op.out == nullptr && op.n_out > 0) ||
      (op.attr == nullptr && op.n_attr > 0)) {
    bad_graph(where + "a list is null");
  }
  if (op.n_in == 0 || op.n_out == 0) bad_graph(where + "no inputs or no outputs");
  for (uint32_t i = 0; i < op.n_in + op.n_out; ++i) {
    const bool input = i < op.n_in;
    const uint32_t t = input ? op.in[i] : op.out[i - op.n_in];
    if (t >= graph.n_tensors && !(input && i > 0 && t == 0xffffffffu))
      bad_graph(where + "no tensor " + std::to_string(t));
  }
  for (uint32_t i = 0; i < op.n_attr; ++i) {
    if (!(op.attr[i] > -1e15 && op.attr[i] < 1e15))
      bad_graph(where + "attribute " + std::to_string(i) + " is no number");
  }
  if (op.scalar_slot != ASSAY_NO_SCALAR && op.scalar_slot >= graph.n_scalars)
    bad_graph(where + "its scalar is missing");
}

// What no adapter can run, whatever its ops: pointers, indices, ranks, dimensions. An adapter's own code sees only
// graphs that pass; kinds, dtypes and shapes of ops stay its business (ops.h helps).
inline void check_graph(const assay_program_desc& graph, size_t n_devices) {
  if (graph.device >= n_devices) bad_graph("no device " + std::to_string(graph.device));
  if ((graph.tensors == nullptr && graph.n_tensors > 0) || (graph.ops == nullptr && graph.n_ops > 0)) {
    bad_graph("tensors or ops are null");
  }
  for (uint32_t t = 0; t < graph.n_tensors; ++t) check_tensor(graph, t);
  for (uint32_t i = 0; i < graph.n_ops; ++i) check_lists(graph, i);
}

}  // namespace detail

}  // namespace assay::sdk
