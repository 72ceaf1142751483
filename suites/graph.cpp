#include "suites/graph.h"

#include <algorithm>
#include <limits>

namespace assay {
namespace {

struct DtypeRow {
  uint32_t dtype, bits;
  const char* name;
};
constexpr DtypeRow kDtypes[] = {
    {ASSAY_F32, 32, "f32"},      {ASSAY_F16, 16, "f16"}, {ASSAY_BF16, 16, "bf16"}, {ASSAY_F8E4M3, 8, "f8e4m3"},
    {ASSAY_F8E5M2, 8, "f8e5m2"}, {ASSAY_I8, 8, "i8"},    {ASSAY_I4, 4, "i4"},      {ASSAY_F4E2M1, 4, "f4e2m1"},
    {ASSAY_I32, 32, "i32"},      {ASSAY_I64, 64, "i64"},
};

constexpr const char* kOpNames[] = {"?",           "matmul",       "attention",   "kv_append",
                                    "rms_norm",    "rope",         "gated_act",   "add",
                                    "embedding",   "argmax",       "quantize",    "grouped_matmul",
                                    "router_topk", "moe_dispatch", "moe_combine", "layer_norm_modulate",
                                    "activation",  "patchify3d",   "conv3d",      "group_norm",
                                    "head_matmul", "kv_expand",    "index_topk"};

// Saturates instead of wrapping, so that an absurd size stays absurd.
uint64_t saturating_product(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<uint64_t>::max() : product;
}

}  // namespace

int64_t Graph::elements(uint32_t tensor) const {
  uint64_t count = 1;
  for (const int64_t dim : tensors[tensor].dims) count = saturating_product(count, static_cast<uint64_t>(dim));
  return static_cast<int64_t>(std::min<uint64_t>(count, std::numeric_limits<int64_t>::max()));
}

uint64_t Graph::bytes(uint32_t tensor) const {
  return packed_bytes(tensors[tensor].dtype, static_cast<uint64_t>(elements(tensor)));
}

uint32_t page_table_of(const Op& op) {
  const size_t i = op.kind == ASSAY_OP_ATTENTION ? ASSAY_ATTENTION_IN_PAGES : ASSAY_KV_APPEND_IN_PAGES;
  const bool takes_one = op.kind == ASSAY_OP_ATTENTION || op.kind == ASSAY_OP_KV_APPEND;
  return takes_one && op.in.size() > i ? op.in[i] : kNoTensor;
}

uint32_t dtype_bits(uint32_t dtype) {
  for (const auto& row : kDtypes) {
    if (row.dtype == dtype) return row.bits;
  }
  return 0;
}

uint64_t packed_bytes(uint32_t dtype, uint64_t count) {
  const uint64_t bits = dtype_bits(dtype);
  return bits == 4 ? count / 2 + count % 2 : saturating_product(count, bits / 8);
}

const char* dtype_name(uint32_t dtype) {
  for (const auto& row : kDtypes) {
    if (row.dtype == dtype) return row.name;
  }
  return "?";
}

const char* op_kind_name(uint32_t kind) { return kind < std::size(kOpNames) ? kOpNames[kind] : "?"; }

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
        if (t == kNoTensor) continue;
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
  desc_.accumulate = graph.tf32 ? "tf32" : "f32";
}

}  // namespace assay
