#include "suites/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace assay {
namespace {

struct DtypeRow {
  uint32_t dtype;
  uint64_t bytes;
  const char* name;
};
constexpr DtypeRow kDtypes[] = {
    {ASSAY_F32, 4, "f32"},       {ASSAY_F16, 2, "f16"}, {ASSAY_BF16, 2, "bf16"}, {ASSAY_F8E4M3, 1, "f8e4m3"},
    {ASSAY_F8E5M2, 1, "f8e5m2"}, {ASSAY_I8, 1, "i8"},   {ASSAY_I32, 4, "i32"},   {ASSAY_I64, 8, "i64"},
};

constexpr const char* kOpNames[] = {"?",         "matmul", "attention", "kv_append", "rms_norm", "rope",
                                    "gated_act", "add",    "embedding", "argmax",    "quantize"};

// Saturates instead of wrapping, so that an absurd size stays absurd.
uint64_t saturating_product(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<uint64_t>::max() : product;
}

double tensor_bytes(const Graph& graph, uint32_t t) { return static_cast<double>(graph.bytes(t)); }

// A weight and the scales it can't be used without.
double weight_bytes(const Graph& graph, uint32_t t) {
  const Tensor& tensor = graph.tensors[t];
  return tensor_bytes(graph, t) + (tensor.scale >= 0 ? tensor_bytes(graph, static_cast<uint32_t>(tensor.scale)) : 0);
}

// Keys that the queries of one sequence and head see in sum, and how many different keys those are.
struct KeysSeen {
  double pairs = 0, distinct = 0;
};
KeysSeen keys_seen(int64_t pos, int64_t tokens, int mask, int64_t window) {
  const auto p = static_cast<double>(pos), t = static_cast<double>(tokens);
  if (mask == ASSAY_MASK_FULL) return {t * (p + t), p + t};
  if (mask == ASSAY_MASK_CAUSAL) return {t * p + t * (t + 1) / 2, p + t};
  // Window: query i sees min(window, pos + i + 1) keys; the first of them grow until the window is full.
  const double growing = std::clamp<double>(static_cast<double>(window) - p, 0, t);
  const double pairs = growing * p + growing * (growing + 1) / 2 + (t - growing) * static_cast<double>(window);
  return {pairs, std::min(p + t, static_cast<double>(window) + t - 1)};
}

OpCost attention_cost(const Graph& graph, const Op& op, int64_t pos) {
  const auto& a = op.attr;
  const double batch = a[ASSAY_ATTENTION_BATCH], heads = a[ASSAY_ATTENTION_HEADS];
  const double dims = a[ASSAY_ATTENTION_DIM_QK] + a[ASSAY_ATTENTION_DIM_V];
  const Tensor& q = graph.tensors[op.in[0]];
  const auto rows = static_cast<double>(q.dims[0]);
  const KeysSeen seen = keys_seen(pos, static_cast<int64_t>(rows / batch), static_cast<int>(a[ASSAY_ATTENTION_MASK]),
                                  static_cast<int64_t>(a[ASSAY_ATTENTION_WINDOW]));
  OpCost cost;
  cost.flops = 2 * batch * heads * seen.pairs * dims;
  const double kv_heads = a[ASSAY_ATTENTION_KV_HEADS];
  const auto k_bytes = static_cast<double>(dtype_bytes(graph.tensors[op.in[1]].dtype));
  const auto v_bytes = static_cast<double>(dtype_bytes(graph.tensors[op.in[2]].dtype));
  // K and V in one tensor (absorbed MLA) are read once.
  const bool shared = op.in[1] == op.in[2];
  cost.kv_bytes = batch * seen.distinct * kv_heads *
                  (a[ASSAY_ATTENTION_DIM_QK] * k_bytes + (shared ? 0 : a[ASSAY_ATTENTION_DIM_V] * v_bytes));
  cost.activation_bytes = rows * heads * a[ASSAY_ATTENTION_DIM_QK] * static_cast<double>(dtype_bytes(q.dtype)) +
                          tensor_bytes(graph, op.out[0]);
  return cost;
}

OpCost kv_append_cost(const Graph& graph, const Op& op) {
  const auto& a = op.attr;
  const Tensor& x = graph.tensors[op.in[0]];
  const double per_row = a[ASSAY_KV_APPEND_KV_HEADS] * static_cast<double>(x.dims[0]);
  OpCost cost;
  cost.kv_bytes =
      per_row * (a[ASSAY_KV_APPEND_DIM_K] * static_cast<double>(dtype_bytes(graph.tensors[op.in[1]].dtype)) +
                 a[ASSAY_KV_APPEND_DIM_V] * static_cast<double>(dtype_bytes(graph.tensors[op.in[2]].dtype)));
  cost.activation_bytes =
      per_row * (a[ASSAY_KV_APPEND_DIM_K] + a[ASSAY_KV_APPEND_DIM_V]) * static_cast<double>(dtype_bytes(x.dtype));
  return cost;
}

OpCost embedding_cost(const Graph& graph, const Op& op) {
  const Tensor& table = graph.tensors[op.in[1]];
  const double rows = static_cast<double>(graph.elements(op.in[0]));
  const double row_bytes = weight_bytes(graph, op.in[1]) / static_cast<double>(table.dims[0]);
  OpCost cost;
  (table.role == ASSAY_ROLE_WEIGHT ? cost.weight_bytes : cost.activation_bytes) = rows * row_bytes;
  cost.activation_bytes += tensor_bytes(graph, op.in[0]) + tensor_bytes(graph, op.out[0]);
  return cost;
}

// Every input and output once; weights apart from activations.
OpCost streaming_cost(const Graph& graph, const Op& op) {
  OpCost cost;
  for (const uint32_t t : op.in) {
    if (graph.tensors[t].role == ASSAY_ROLE_WEIGHT) {
      cost.weight_bytes += weight_bytes(graph, t);
    } else {
      cost.activation_bytes += weight_bytes(graph, t);
    }
  }
  for (const uint32_t t : op.out) cost.activation_bytes += tensor_bytes(graph, t);
  return cost;
}

}  // namespace

int64_t Graph::elements(uint32_t tensor) const {
  uint64_t count = 1;
  for (const int64_t dim : tensors[tensor].dims) count = saturating_product(count, static_cast<uint64_t>(dim));
  return static_cast<int64_t>(std::min<uint64_t>(count, std::numeric_limits<int64_t>::max()));
}

uint64_t Graph::bytes(uint32_t tensor) const {
  return saturating_product(static_cast<uint64_t>(elements(tensor)), dtype_bytes(tensors[tensor].dtype));
}

uint64_t dtype_bytes(uint32_t dtype) {
  for (const auto& row : kDtypes) {
    if (row.dtype == dtype) return row.bytes;
  }
  return 0;
}

const char* dtype_name(uint32_t dtype) {
  for (const auto& row : kDtypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "?";
}

const char* op_kind_name(uint32_t kind) { return kind < std::size(kOpNames) ? kOpNames[kind] : "?"; }

OpCost op_cost(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars) {
  const int64_t pos = op.scalar_slot < scalars.size() ? scalars[op.scalar_slot] : 0;
  switch (op.kind) {
    case ASSAY_OP_ATTENTION:
      return attention_cost(graph, op, pos);
    case ASSAY_OP_KV_APPEND:
      return kv_append_cost(graph, op);
    case ASSAY_OP_EMBEDDING:
      return embedding_cost(graph, op);
    case ASSAY_OP_MATMUL: {
      OpCost cost = streaming_cost(graph, op);
      const Tensor& x = graph.tensors[op.in[0]];
      const Tensor& w = graph.tensors[op.in[1]];
      cost.flops = 2 * static_cast<double>(x.dims[0]) * static_cast<double>(w.dims[0]) * static_cast<double>(w.dims[1]);
      return cost;
    }
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

GraphMemory graph_memory(const Graph& graph) {
  GraphMemory memory;
  const auto add = [](uint64_t a, uint64_t b) {
    return b > std::numeric_limits<uint64_t>::max() - a ? std::numeric_limits<uint64_t>::max() : a + b;
  };
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    switch (graph.tensors[t].role) {
      case ASSAY_ROLE_WEIGHT:
        memory.weight_bytes = add(memory.weight_bytes, graph.bytes(t));
        break;
      case ASSAY_ROLE_STATE:
        memory.state_bytes = add(memory.state_bytes, graph.bytes(t));
        break;
      case ASSAY_ROLE_SCRATCH:
        break;
      default:
        memory.io_bytes = add(memory.io_bytes, graph.bytes(t));
    }
  }
  // A scratch tensor lives from the op that writes it to the last op that reads it.
  constexpr size_t kUnused = std::numeric_limits<size_t>::max();
  std::vector<size_t> first(graph.tensors.size(), kUnused), last(graph.tensors.size(), 0);
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    for (const auto* list : {&graph.ops[i].in, &graph.ops[i].out}) {
      for (const uint32_t t : *list) {
        first[t] = std::min(first[t], i);
        last[t] = i;
      }
    }
  }
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    uint64_t alive = 0;
    for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
      if (graph.tensors[t].role == ASSAY_ROLE_SCRATCH && first[t] <= i && i <= last[t])
        alive = add(alive, graph.bytes(t));
    }
    memory.scratch_peak_bytes = std::max(memory.scratch_peak_bytes, alive);
  }
  return memory;
}

ProgramView::ProgramView(const Graph& graph, uint32_t device) {
  for (const Tensor& tensor : graph.tensors) {
    assay_tensor t{};
    t.struct_size = sizeof(t);
    t.dtype = tensor.dtype;
    t.role = tensor.role;
    t.rank = static_cast<uint32_t>(tensor.dims.size());
    std::copy_n(tensor.dims.begin(), std::min<size_t>(tensor.dims.size(), std::size(t.dim)), t.dim);
    t.scale = tensor.scale;
    t.scale_block = tensor.scale_block;
    tensors_.push_back(t);
  }
  for (const Op& op : graph.ops) {
    assay_op o{};
    o.struct_size = sizeof(o);
    o.kind = op.kind;
    o.in = op.in.data();
    o.out = op.out.data();
    o.n_in = static_cast<uint32_t>(op.in.size());
    o.n_out = static_cast<uint32_t>(op.out.size());
    o.n_attr = static_cast<uint32_t>(op.attr.size());
    o.scalar_slot = op.scalar_slot;
    o.attr = op.attr.data();
    ops_.push_back(o);
  }
  desc_.struct_size = sizeof(desc_);
  desc_.device = device;
  desc_.n_tensors = static_cast<uint32_t>(tensors_.size());
  desc_.n_ops = static_cast<uint32_t>(ops_.size());
  desc_.n_scalars = static_cast<uint32_t>(graph.scalars.size());
  desc_.tensors = tensors_.data();
  desc_.ops = ops_.data();
  desc_.accumulate = "f32";
}

}  // namespace assay
