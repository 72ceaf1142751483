// What the shape checks of all kinds share.
#pragma once

#include <string>
#include <vector>

#include "suites/reference/row_ops.h"

namespace assay::reference {

using Dims = std::vector<int64_t>;

inline bool given(const OpContext& c, size_t i) { return i < c.op.in.size() && c.op.in[i] != kNoTensor; }
inline const Dims& in(const OpContext& c, size_t i) { return c.graph.tensors[c.op.in[i]].dims; }
inline const Dims& out(const OpContext& c, size_t i) { return c.graph.tensors[c.op.out[i]].dims; }
inline int64_t whole(const OpContext& c, size_t i) {
  return i < c.op.attr.size() ? static_cast<int64_t>(c.op.attr[i]) : 0;
}

// [M, n] of an activation with one or more leading axes (op_spec.md).
inline Dims as_rows(const Dims& dims) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) rows *= dims[i];
  return {rows, dims.empty() ? 1 : dims.back()};
}

std::string text(const Dims& dims);
Error wrong(const OpContext& c, const std::string& expected, const std::string& found);
// `found` equals `wanted`, or an Error that names both.
Status expect(const OpContext& c, const char* name, const Dims& found, const Dims& wanted);
// Rows of input 0 [B*T,ld] fall into `batch` sequences.
Status expect_sequences(const OpContext& c, int64_t batch);
// Columns first..first+count lie inside input i.
Status expect_columns(const OpContext& c, const char* name, size_t i, int64_t first, int64_t count);
// Input i is [batch, S, heads, at least `size`] with at least `slots` slots.
Status expect_cache(const OpContext& c, const char* name, size_t i, int64_t batch, int64_t slots, int64_t heads,
                    int64_t size);

// shapes_llm.cpp
Status check_attention(const OpContext& c);
Status check_kv_append(const OpContext& c);
Status check_rope(const OpContext& c);
Status check_grouped_matmul(const OpContext& c);
Status check_router_topk(const OpContext& c);
Status check_moe_dispatch(const OpContext& c);
Status check_moe_combine(const OpContext& c);
Status check_head_matmul(const OpContext& c);
Status check_kv_expand(const OpContext& c);
Status check_index_topk(const OpContext& c);
// shapes_video.cpp
Status check_layer_norm_modulate(const OpContext& c);
Status check_patchify3d(const OpContext& c);
Status check_conv3d(const OpContext& c);
Status check_group_norm(const OpContext& c);
// Columns col..col+cols (cols 0: to the end) of x are whole groups; y is like x.
Status check_slice(const OpContext& c, int64_t col, int64_t cols, int64_t group);

}  // namespace assay::reference
