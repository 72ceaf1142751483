// FLOPs and bytes of every op, from shapes.
#include <algorithm>
#include <cmath>

#include "suites/base/routing.h"
#include "suites/graph.h"

namespace assay {
namespace {

double dim(const Graph& graph, uint32_t t, size_t axis) { return static_cast<double>(graph.tensors[t].dims[axis]); }
// Of an activation [.., n]: the product of its leading axes.
double rows_of(const Graph& graph, uint32_t t) {
  return static_cast<double>(graph.elements(t)) / static_cast<double>(graph.tensors[t].dims.back());
}
double element_bytes(const Graph& graph, uint32_t t) { return dtype_bits(graph.tensors[t].dtype) / 8.0; }
double tensor_bytes(const Graph& graph, uint32_t t) { return static_cast<double>(graph.bytes(t)); }
bool is_state(const Graph& graph, uint32_t t) { return graph.tensors[t].role == ASSAY_ROLE_STATE; }
bool has_input(const Op& op, size_t i) { return op.in.size() > i && op.in[i] != kNoTensor; }
double optional_attr(const Op& op, size_t i) { return op.attr.size() > i ? op.attr[i] : 0; }

// A weight and the scales it can't be used without.
double weight_bytes(const Graph& graph, uint32_t t) {
  const Tensor& tensor = graph.tensors[t];
  return tensor_bytes(graph, t) + (tensor.scale >= 0 ? tensor_bytes(graph, static_cast<uint32_t>(tensor.scale)) : 0);
}

// Adds the bytes of input i: a weight apart from an activation.
void add_input(const Graph& graph, uint32_t t, double share, OpCost* cost) {
  (graph.tensors[t].role == ASSAY_ROLE_WEIGHT ? cost->weight_bytes : cost->activation_bytes) +=
      share * weight_bytes(graph, t);
}

// Every input and output once.
OpCost streaming_cost(const Graph& graph, const Op& op) {
  OpCost cost;
  for (const uint32_t t : op.in) {
    if (t != kNoTensor) add_input(graph, t, 1, &cost);
  }
  for (const uint32_t t : op.out) cost.activation_bytes += tensor_bytes(graph, t);
  return cost;
}

// As streaming, but of input `wide` only `columns` of its last axis are read.
OpCost sliced_cost(const Graph& graph, const Op& op, size_t wide, double columns) {
  OpCost cost = streaming_cost(graph, op);
  if (!has_input(op, wide)) return cost;
  const uint32_t t = op.in[wide];
  add_input(graph, t, columns / static_cast<double>(graph.tensors[t].dims.back()) - 1, &cost);
  return cost;
}

// Keys that the queries of one sequence and head see in sum, and how many different keys those are.
struct KeysSeen {
  double pairs = 0, distinct = 0;
};

// Query i of `tokens` sees min(limit, pos + i + 1) keys: the first of them grow until the limit is reached.
double limited_pairs(double pos, double tokens, double limit) {
  const double growing = std::clamp(limit - pos, 0.0, tokens);
  return growing * pos + growing * (growing + 1) / 2 + (tokens - growing) * limit;
}

KeysSeen keys_seen(double pos, double tokens, int mask, double window, double slots) {
  switch (mask) {
    case ASSAY_MASK_FULL:
      return {tokens * (pos + tokens), pos + tokens};
    case ASSAY_MASK_CROSS:
      return {tokens * slots, slots};
    case ASSAY_MASK_CAUSAL:
      return {limited_pairs(pos, tokens, pos + tokens), pos + tokens};
    default:
      return {limited_pairs(pos, tokens, window), std::min(pos + tokens, window + tokens - 1)};
  }
}

// The same where every query sees at most `list` of those keys.
KeysSeen listed_keys(const KeysSeen& all, double pos, double tokens, int mask, double window, double list) {
  if (list >= all.distinct) return all;
  KeysSeen seen;
  if (mask == ASSAY_MASK_FULL || mask == ASSAY_MASK_CROSS) {
    seen.pairs = tokens * list;
  } else {
    seen.pairs = limited_pairs(pos, tokens, mask == ASSAY_MASK_WINDOW ? std::min(window, list) : list);
  }
  seen.distinct = all.distinct * (1 - std::pow(1 - list / all.distinct, tokens));
  return seen;
}

// Columns of K and V per head and key; in one tensor (absorbed MLA), those that both take are read once.
double kv_row_bytes(const Graph& graph, const Op& op, double own_dim_qk) {
  const double dim_v = op.attr[ASSAY_ATTENTION_DIM_V];
  const double k_bytes = element_bytes(graph, op.in[1]), v_bytes = element_bytes(graph, op.in[2]);
  double shared = 0;
  if (op.in[1] == op.in[2]) {
    const double k_col = optional_attr(op, ASSAY_ATTENTION_KV_COL_K),
                 v_col = optional_attr(op, ASSAY_ATTENTION_KV_COL_V);
    shared = std::max(0.0, std::min(k_col + own_dim_qk, v_col + dim_v) - std::max(k_col, v_col));
  }
  return own_dim_qk * k_bytes + (dim_v - shared) * v_bytes;
}

// Entries of the page table that lead to `keys` neighbouring keys of each sequence, or to single ones of a list.
double page_table_bytes(const Graph& graph, const Op& op, double keys, bool listed) {
  const uint32_t table = page_table_of(op);
  if (table == kNoTensor) return 0;
  const double entries = listed ? keys : std::ceil(keys / dim(graph, op.in[1], 1));
  return dim(graph, table, 0) * std::min(dim(graph, table, 1), entries) * element_bytes(graph, table);
}

OpCost attention_cost(const Graph& graph, const Op& op, double pos) {
  const auto& a = op.attr;
  const double batch = a[ASSAY_ATTENTION_BATCH], heads = a[ASSAY_ATTENTION_HEADS];
  const double dim_rope = has_input(op, 3) ? optional_attr(op, ASSAY_ATTENTION_DIM_ROPE) : 0;
  const double rows = rows_of(graph, op.in[0]), tokens = rows / batch;
  const auto mask = static_cast<int>(a[ASSAY_ATTENTION_MASK]);
  KeysSeen seen = keys_seen(pos, tokens, mask, a[ASSAY_ATTENTION_WINDOW], dim(graph, op.in[1], 1));
  OpCost cost;
  if (has_input(op, 4)) {
    seen = listed_keys(seen, pos, tokens, mask, a[ASSAY_ATTENTION_WINDOW], dim(graph, op.in[4], 1));
    cost.activation_bytes += tensor_bytes(graph, op.in[4]);
  }
  cost.flops = 2 * batch * heads * seen.pairs * (a[ASSAY_ATTENTION_DIM_QK] + a[ASSAY_ATTENTION_DIM_V]);
  double key_bytes = a[ASSAY_ATTENTION_KV_HEADS] * kv_row_bytes(graph, op, a[ASSAY_ATTENTION_DIM_QK] - dim_rope);
  if (dim_rope > 0) key_bytes += dim_rope * element_bytes(graph, op.in[3]);
  (is_state(graph, op.in[1]) ? cost.kv_bytes : cost.activation_bytes) += batch * seen.distinct * key_bytes;
  cost.activation_bytes += page_table_bytes(graph, op, seen.distinct, has_input(op, 4));
  cost.activation_bytes +=
      rows * heads * a[ASSAY_ATTENTION_DIM_QK] * element_bytes(graph, op.in[0]) + tensor_bytes(graph, op.out[0]);
  return cost;
}

OpCost kv_append_cost(const Graph& graph, const Op& op) {
  const auto& a = op.attr;
  const double per_row = a[ASSAY_KV_APPEND_KV_HEADS] * rows_of(graph, op.in[0]);
  OpCost cost;
  cost.kv_bytes = per_row * (a[ASSAY_KV_APPEND_DIM_K] * element_bytes(graph, op.in[1]) +
                             a[ASSAY_KV_APPEND_DIM_V] * element_bytes(graph, op.in[2]));
  cost.activation_bytes =
      per_row * (a[ASSAY_KV_APPEND_DIM_K] + a[ASSAY_KV_APPEND_DIM_V]) * element_bytes(graph, op.in[0]) +
      page_table_bytes(graph, op, rows_of(graph, op.in[0]) / a[ASSAY_KV_APPEND_BATCH], false);
  return cost;
}

OpCost embedding_cost(const Graph& graph, const Op& op) {
  OpCost cost;
  add_input(graph, op.in[1], static_cast<double>(graph.elements(op.in[0])) / dim(graph, op.in[1], 0), &cost);
  cost.activation_bytes += tensor_bytes(graph, op.in[0]) + tensor_bytes(graph, op.out[0]);
  return cost;
}

OpCost matmul_cost(const Graph& graph, const Op& op) {
  OpCost cost = streaming_cost(graph, op);
  cost.flops = 2 * dim(graph, op.in[0], 0) * dim(graph, op.in[1], 0) * dim(graph, op.in[1], 1);
  return cost;
}

OpCost grouped_matmul_cost(const Graph& graph, const Op& op) {
  const double rows = dim(graph, op.in[0], 0), experts = dim(graph, op.in[1], 0);
  const double active =
      op.routing != nullptr ? static_cast<double>(op.routing->active(op.routed_tokens)) : std::min(rows, experts);
  OpCost cost = streaming_cost(graph, op);
  add_input(graph, op.in[1], active / experts - 1, &cost);
  cost.flops = 2 * rows * dim(graph, op.in[1], 1) * dim(graph, op.in[1], 2);
  return cost;
}

OpCost conv3d_cost(const Graph& graph, const Op& op) {
  OpCost cost = streaming_cost(graph, op);
  const auto places = static_cast<double>(graph.elements(op.out[0])) / dim(graph, op.out[0], 3);
  cost.flops = 2 * places * dim(graph, op.in[1], 0) * dim(graph, op.in[1], 1);
  return cost;
}

OpCost head_matmul_cost(const Graph& graph, const Op& op) {
  const double heads = dim(graph, op.in[1], 0), n = dim(graph, op.in[1], 1), k = dim(graph, op.in[1], 2);
  OpCost cost = sliced_cost(graph, op, 0, heads * (k + op.attr[ASSAY_HEAD_MATMUL_PASS]));
  cost.flops = 2 * dim(graph, op.in[0], 0) * heads * n * k;
  return cost;
}

OpCost kv_expand_cost(const Graph& graph, const Op& op, double pos) {
  const double rows = dim(graph, op.in[0], 0) * (pos + op.attr[ASSAY_KV_EXPAND_TOKENS]);
  const double n = dim(graph, op.in[1], 0), k = dim(graph, op.in[1], 1);
  OpCost cost;
  cost.flops = 2 * rows * n * k;
  cost.weight_bytes = weight_bytes(graph, op.in[1]);
  (is_state(graph, op.in[0]) ? cost.kv_bytes : cost.activation_bytes) += rows * k * element_bytes(graph, op.in[0]);
  cost.activation_bytes += rows * n * element_bytes(graph, op.out[0]);
  return cost;
}

OpCost index_topk_cost(const Graph& graph, const Op& op, double pos) {
  const auto& a = op.attr;
  const double batch = a[ASSAY_INDEX_TOPK_BATCH], head_dims = a[ASSAY_INDEX_TOPK_HEADS] * a[ASSAY_INDEX_TOPK_DIM];
  const double rows = dim(graph, op.in[0], 0);
  const KeysSeen seen = keys_seen(pos, rows / batch, ASSAY_MASK_CAUSAL, 0, 0);
  OpCost cost;
  cost.flops = 2 * batch * head_dims * seen.pairs;
  (is_state(graph, op.in[1]) ? cost.kv_bytes : cost.activation_bytes) +=
      batch * seen.distinct * a[ASSAY_INDEX_TOPK_DIM] * element_bytes(graph, op.in[1]);
  cost.activation_bytes += rows * head_dims * element_bytes(graph, op.in[0]) + tensor_bytes(graph, op.in[2]) +
                           tensor_bytes(graph, op.out[0]);
  return cost;
}

}  // namespace

OpCost op_cost(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars) {
  const auto pos = static_cast<double>(op.scalar_slot < scalars.size() ? scalars[op.scalar_slot] : 0);
  switch (op.kind) {
    case ASSAY_OP_ATTENTION:
      return attention_cost(graph, op, pos);
    case ASSAY_OP_KV_APPEND:
      return kv_append_cost(graph, op);
    case ASSAY_OP_EMBEDDING:
      return embedding_cost(graph, op);
    case ASSAY_OP_MATMUL:
      return matmul_cost(graph, op);
    case ASSAY_OP_GROUPED_MATMUL:
      return grouped_matmul_cost(graph, op);
    case ASSAY_OP_CONV3D:
      return conv3d_cost(graph, op);
    case ASSAY_OP_HEAD_MATMUL:
      return head_matmul_cost(graph, op);
    case ASSAY_OP_KV_EXPAND:
      return kv_expand_cost(graph, op, pos);
    case ASSAY_OP_INDEX_TOPK:
      return index_topk_cost(graph, op, pos);
    case ASSAY_OP_ADD:  // the gate, of all that the conditioning holds
      return sliced_cost(graph, op, 2, static_cast<double>(graph.tensors[op.in[0]].dims.back()));
    case ASSAY_OP_LAYER_NORM_MODULATE:  // shift and scale
      return sliced_cost(graph, op, 1, 2 * dim(graph, op.in[0], 1));
    default:
      return streaming_cost(graph, op);
  }
}

GraphCost graph_cost(const Graph& graph, const std::vector<int64_t>& scalars) {
  GraphCost total;
  for (const Op& op : graph.ops) {
    const OpCost cost = op_cost(graph, op, scalars);
    total.flops += cost.flops;
    total.weight_bytes += cost.weight_bytes;
    total.kv_bytes += cost.kv_bytes;
    total.activation_bytes += cost.activation_bytes;
  }
  return total;
}

}  // namespace assay
