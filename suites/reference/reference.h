// The executable meaning of op_spec.md, in double precision, written for clarity.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "suites/base/result.h"
#include "suites/graph.h"

namespace assay {

// A tensor's dequantised values, dense row-major.
using Values = std::vector<double>;

// Runs one op whole: inputs (dequantised) in op order -> outputs in op order. STATE inputs are updated copies.
// Integer tensors are exact doubles. Quantised outputs come as {codes, scales}. An input that is left out (kNoTensor)
// has no values; rows that an op does not write are 0.
Result<std::vector<Values>> reference_op(const Graph& graph, const Op& op, const std::vector<Values>& inputs,
                                         const std::vector<int64_t>& scalars);

// Runs the whole graph from its inputs, weights and state; returns every tensor's values by index.
Result<std::vector<Values>> reference_graph(const Graph& graph, const std::vector<Values>& tensors,
                                            const std::vector<int64_t>& scalars);

// Elements [first, first + count) of a dense image in `dtype`, as they are, without scales.
void unpack(uint32_t dtype, const void* data, uint64_t first, uint64_t count, double* out);

// Dequantised values of raw bytes as read from or written to an adapter; scales: raw F32 or nullptr.
Values dequantise(const Tensor& tensor, const void* data, const float* scales);

// Gives element ranges of a tensor's dequantised values on demand: [first, first + count) -> out.
using Source = std::function<void(uint32_t tensor, uint64_t first, uint64_t count, double* out)>;

// The check of one op at its real shape: reference values for a sample of output rows (and, for wide
// outputs, columns), compared with what the adapter produced. Cost is bounded by `budget` multiply-adds.
struct OpCheck {
  std::string op, kind, dtype;
  double error = 0, limit = 0;  // relative error by norm
  uint64_t elements = 0;        // compared
  bool pass = false;
  std::string detail;  // "" or what went wrong first: "output[3,17]: expected 0.41, found nan"
};
OpCheck check_op(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars, const Source& actual,
                 uint64_t seed, double budget);

// Limits of metrics.md by the widest rounding on the op's path: f32 1e-5, bf16/f16 1e-2, int8 as quantised.
double numerics_limit(const Graph& graph, const Op& op);

// Full-depth check of a program on the first `rows` tokens of each sequence (a causal model's first tokens
// do not depend on later ones; decode: the first `rows` sequences). `weights` gives WEIGHT, INPUT and
// STATE values to several threads; the result is compared with the adapter's "hidden" rows by the caller.
// Returns hidden rows [rows, hidden] of sequence 0 (prefill) or of sequences 0..rows-1 (decode). kUnsupported, with the
// reason, where these rows depend on others (attention to later tokens, convolutions) or where a choice of experts or
// keys is so close that a right program may make another.
Result<Values> reference_hidden_prefix(const Graph& graph, const std::vector<int64_t>& scalars, int64_t batch,
                                       int64_t rows, const Source& weights, int threads);
// All rows of one tensor of a step that is small enough for it; any graph.
Result<Values> reference_tensor(const Graph& graph, const std::vector<int64_t>& scalars, uint32_t tensor,
                                const Source& host, int threads);

}  // namespace assay
