// What the row functions of all kinds share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "suites/reference/row_ops.h"

namespace assay::reference {

inline double attr(const OpContext& c, size_t i) { return i < c.op.attr.size() ? c.op.attr[i] : 0; }
inline int64_t int_attr(const OpContext& c, size_t i) { return static_cast<int64_t>(attr(c, i)); }
inline uint64_t size_attr(const OpContext& c, size_t i) { return static_cast<uint64_t>(int_attr(c, i)); }
inline bool has_input(const OpContext& c, size_t i) { return i < c.op.in.size() && c.op.in[i] != kNoTensor; }
inline const Tensor& input(const OpContext& c, size_t i) { return c.graph.tensors[c.op.in[i]]; }
inline const Tensor& output(const OpContext& c) { return c.graph.tensors[c.op.out[0]]; }
inline uint64_t dim(const Tensor& t, size_t axis) { return static_cast<uint64_t>(t.dims[axis]); }
inline uint64_t last_dim(const Tensor& t) { return static_cast<uint64_t>(t.dims.back()); }

inline std::vector<double> fetch(const Source& source, uint32_t tensor, uint64_t first, uint64_t count) {
  std::vector<double> values(count);
  source(tensor, first, count, values.data());
  return values;
}

// Row `row` of input i, cut along its last axis.
inline std::vector<double> input_row(const OpContext& c, const Source& source, size_t i, uint64_t row) {
  const uint64_t length = last_dim(input(c, i));
  return fetch(source, c.op.in[i], row * length, length);
}

inline void pick(const std::vector<double>& row, const std::vector<uint64_t>& columns, double* out) {
  for (size_t i = 0; i < columns.size(); ++i) out[i] = row[columns[i]];
}

inline double dot(const double* a, const double* b, uint64_t n) {
  double sum = 0;
  for (uint64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// First element of token j of sequence b in a cache of the op, [B,S,G,L] or in pages [N,page,G,L].
uint64_t cache_row(const OpContext& c, const Source& source, const Tensor& cache, uint64_t b, uint64_t j);

// Columns (ascending) of output row `row` -> out.
using Columns = std::vector<uint64_t>;
using RowFunction = void (*)(const OpContext& c, const Source& source, uint64_t row, const Columns& columns,
                             double* out);

// row_linear.cpp
void matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void grouped_matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void head_matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void kv_expand(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void conv3d(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
// row_attention.cpp
void attention(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void kv_append(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void rope(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
// row_choice.cpp
void argmax(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void router_topk(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void index_topk(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void moe_combine(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
// row_pointwise.cpp
void rms_norm(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void layer_norm_modulate(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void gated_act(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void activation(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void add(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void embedding(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void quantize(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);
void patchify3d(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out);

}  // namespace assay::reference
