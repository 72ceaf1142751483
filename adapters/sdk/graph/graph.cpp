#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "adapters/sdk/graph/graph.h"

#include "adapters/sdk/graph/op_check.h"

namespace assay::sdk {

namespace {

constexpr uint32_t kMaxRank = 6;
constexpr uint64_t kMaxElements = 1ull << 46;

[[noreturn]] void invalid_graph(const std::string& text) { throw Failure(ASSAY_INVALID_ARGUMENT, text); }
[[noreturn]] void unsupported(const std::string& text) { throw Failure(ASSAY_UNSUPPORTED, text); }

struct KindRule {
  const char* name;
  // Inputs from min_in on are optional; attributes from min_attr on, too.
  uint32_t min_in, max_in, n_out, min_attr, n_attr;
};
const KindRule* rule_of(uint32_t kind) {
  static constexpr KindRule kRules[] = {
      {"", 0, 0, 0, 0, 0},
      {"matmul", 2, 3, 1, 0, 0},
      {"attention", 3, 6, 1, ASSAY_ATTENTION_N_ATTR, ASSAY_ATTENTION_N_ATTR_1_1},
      {"kv_append", 3, 4, 2, ASSAY_KV_APPEND_N_ATTR, ASSAY_KV_APPEND_N_ATTR},
      {"rms_norm", 2, 2, 1, ASSAY_RMS_NORM_N_ATTR, ASSAY_RMS_NORM_N_ATTR},
      {"rope", 1, 1, 1, ASSAY_ROPE_N_ATTR, ASSAY_ROPE_N_ATTR_1_1},
      {"gated_act", 1, 1, 1, ASSAY_GATED_ACT_N_ATTR, ASSAY_GATED_ACT_N_ATTR},
      {"add", 2, 3, 1, 0, ASSAY_ADD_N_ATTR_1_1},
      {"embedding", 2, 2, 1, 0, 0},
      {"argmax", 1, 1, 1, 0, 0},
      {"quantize", 1, 1, 2, 0, 0},
      {"grouped_matmul", 3, 3, 1, 0, 0},
      {"router_topk", 1, 2, 2, ASSAY_ROUTER_TOPK_N_ATTR, ASSAY_ROUTER_TOPK_N_ATTR},
      {"moe_dispatch", 2, 2, 3, ASSAY_MOE_DISPATCH_N_ATTR, ASSAY_MOE_DISPATCH_N_ATTR},
      {"moe_combine", 3, 3, 1, 0, 0},
      {"layer_norm_modulate", 1, 4, 1, ASSAY_LAYER_NORM_MODULATE_N_ATTR, ASSAY_LAYER_NORM_MODULATE_N_ATTR},
      {"activation", 1, 1, 1, ASSAY_ACTIVATION_N_ATTR, ASSAY_ACTIVATION_N_ATTR},
      {"patchify3d", 1, 1, 1, ASSAY_PATCHIFY3D_N_ATTR, ASSAY_PATCHIFY3D_N_ATTR},
      {"conv3d", 2, 3, 1, ASSAY_CONV3D_N_ATTR, ASSAY_CONV3D_N_ATTR},
      {"group_norm", 3, 3, 1, ASSAY_GROUP_NORM_N_ATTR, ASSAY_GROUP_NORM_N_ATTR},
      {"head_matmul", 2, 2, 1, ASSAY_HEAD_MATMUL_N_ATTR, ASSAY_HEAD_MATMUL_N_ATTR},
      {"kv_expand", 2, 2, 1, ASSAY_KV_EXPAND_N_ATTR, ASSAY_KV_EXPAND_N_ATTR},
      {"index_topk", 3, 3, 1, ASSAY_INDEX_TOPK_N_ATTR, ASSAY_INDEX_TOPK_N_ATTR}};
  return kind >= 1 && kind < std::size(kRules) ? &kRules[kind] : nullptr;
}

Slot read_tensor(const assay_tensor& t, uint32_t index) {
  Shape shape = read_shape(t, index);
  Slot slot;
  slot.host_dtype = t.dtype;
  slot.role = t.role;
  slot.dims = std::move(shape.dims);
  slot.rows = shape.rows;
  slot.cols = shape.cols;
  const bool kept = t.role == ASSAY_ROLE_STATE || t.role == ASSAY_ROLE_WEIGHT;
  slot.dtype = is_float(t.dtype) && !kept ? static_cast<uint32_t>(ASSAY_F32) : t.dtype;
  slot.scale = t.scale;
  slot.scale_block = t.scale >= 0 ? t.scale_block : 0;
  return slot;
}

// Refuses a dtype that these kernels lack, by its name and those of all ops that have it.
void check_dtypes(const Model& model) {
  const auto lacks = [](const Slot& slot) { return element_bytes(slot.host_dtype) == 0; };
  const auto found = std::find_if(model.slots.begin(), model.slots.end(), lacks);
  if (found == model.slots.end()) return;
  std::vector<uint32_t> kinds;
  std::string ops, first = "tensor " + std::to_string(found - model.slots.begin());
  const auto has_it = [&](uint32_t t) { return t != kAbsent && model.slots[t].host_dtype == found->host_dtype; };
  for (const Op& op : model.ops) {
    if (std::none_of(op.in.begin(), op.in.end(), has_it) && std::none_of(op.out.begin(), op.out.end(), has_it))
      continue;
    if (kinds.empty()) first.insert(0, "op " + std::to_string(op.index) + ", ");
    if (std::find(kinds.begin(), kinds.end(), op.kind) != kinds.end()) continue;
    kinds.push_back(op.kind);
    ops += std::string(kinds.size() > 1 ? ", " : " in ") + kind_text(op.kind);
  }
  unsupported(dtype_text(found->host_dtype) + ops + " (first: " + first +
              "); this adapter has f32, f16, bf16, i8 and i32");
}

void check_scales(const std::vector<Slot>& slots) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    if (slot.scale < 0) continue;
    const std::string where = "tensor " + std::to_string(i) + ": ";
    if (static_cast<size_t>(slot.scale) >= slots.size()) invalid_graph(where + "scale tensor does not exist");
    const Slot& scale = slots[static_cast<size_t>(slot.scale)];
    if (slot.host_dtype != ASSAY_I8) unsupported(where + "scales on a tensor that is not i8");
    if (slot.scale_block < 1 || slot.cols % slot.scale_block != 0)
      invalid_graph(where + "scale_block does not divide the row");
    if (scale.host_dtype != ASSAY_F32 || scale.rows * scale.cols != slot.rows * (slot.cols / slot.scale_block)) {
      invalid_graph(where + "scale tensor does not fit");
    }
  }
}

// Whether input i of an op is one that its kernels read in any float dtype.
bool reads_narrow(uint32_t kind, size_t i) {
  switch (kind) {
    case ASSAY_OP_MATMUL:
    case ASSAY_OP_EMBEDDING:
    case ASSAY_OP_GROUPED_MATMUL:
    case ASSAY_OP_CONV3D:
    case ASSAY_OP_HEAD_MATMUL:
    case ASSAY_OP_INDEX_TOPK:
      return i == 1;
    case ASSAY_OP_ATTENTION:
      return i >= 1 && i <= 3;
    case ASSAY_OP_KV_EXPAND:
      return i <= 1;
    default:
      return false;
  }
}

// Weights stay as narrow as they are given only where they are read as matrices or caches; the small rest is f32.
void widen_small_weights(Model& model) {
  std::vector<bool> narrow(model.slots.size());
  for (const Op& op : model.ops) {
    for (size_t i = 0; i < op.in.size(); ++i) {
      if (op.in[i] != kAbsent && reads_narrow(op.kind, i)) narrow[op.in[i]] = true;
    }
  }
  for (size_t t = 0; t < model.slots.size(); ++t) {
    Slot& slot = model.slots[t];
    if (slot.role == ASSAY_ROLE_WEIGHT && is_float(slot.dtype) && !narrow[t]) slot.dtype = ASSAY_F32;
  }
}

}  // namespace

Shape read_shape(const assay_tensor& t, uint32_t index) {
  const std::string where = "tensor " + std::to_string(index) + ": ";
  if (t.rank < 1 || t.rank > kMaxRank) invalid_graph(where + "rank " + std::to_string(t.rank) + ", expected 1 to 6");
  if (t.role > ASSAY_ROLE_SCRATCH) invalid_graph(where + "unknown role " + std::to_string(t.role));
  Shape shape;
  shape.dims.assign(t.dim, t.dim + t.rank);
  shape.cols = shape.dims.back();
  uint64_t elements = 1;
  for (const int64_t d : shape.dims) {
    if (d < 1) invalid_graph(where + "dimension " + std::to_string(d) + ", expected at least 1");
    if (static_cast<uint64_t>(d) > kMaxElements / elements) invalid_graph(where + "more than 2^46 elements");
    elements *= static_cast<uint64_t>(d);
  }
  shape.rows = static_cast<int64_t>(elements) / shape.cols;
  return shape;
}

Op read_op(const assay_op& raw, uint32_t index, size_t n_tensors, uint32_t n_scalars) {
  const std::string where = "op " + std::to_string(index) + ": ";
  const KindRule* rule = rule_of(raw.kind);
  if (rule == nullptr) unsupported(where + "unknown kind " + std::to_string(raw.kind));
  if (raw.n_in < rule->min_in || raw.n_in > rule->max_in) invalid_graph(where + "wrong number of inputs");
  if (raw.n_out != rule->n_out) invalid_graph(where + "wrong number of outputs");
  if (raw.n_attr < rule->min_attr) invalid_graph(where + "too few attributes");
  if (raw.in == nullptr || raw.out == nullptr || (raw.n_attr > 0 && raw.attr == nullptr))
    invalid_graph(where + "null array");
  if (raw.scalar_slot != ASSAY_NO_SCALAR && raw.scalar_slot >= n_scalars) invalid_graph(where + "no such scalar");
  Op op;
  op.kind = raw.kind;
  op.index = index;
  op.in.assign(raw.in, raw.in + raw.n_in);
  op.out.assign(raw.out, raw.out + raw.n_out);
  op.attr.assign(raw.attr, raw.attr + (raw.attr == nullptr ? 0 : raw.n_attr));
  op.attr.resize(std::max<size_t>(op.attr.size(), rule->n_attr));
  op.scalar_slot = raw.scalar_slot;
  for (const auto* list : {&op.in, &op.out}) {
    for (size_t i = 0; i < list->size(); ++i) {
      const uint32_t t = (*list)[i];
      const bool absent = list == &op.in && i >= rule->min_in && t == kAbsent;
      if (t >= n_tensors && !absent) invalid_graph(where + "no such tensor " + std::to_string(t));
    }
  }
  for (const double a : op.attr) {
    if (!std::isfinite(a) || std::abs(a) > 0x1p53) invalid_graph(where + "attribute out of range");
  }
  return op;
}

void check_order(const std::vector<uint32_t>& roles, const std::vector<Op>& ops) {
  std::vector<bool> written(roles.size());
  for (size_t t = 0; t < roles.size(); ++t) {
    written[t] = roles[t] != ASSAY_ROLE_OUTPUT && roles[t] != ASSAY_ROLE_SCRATCH;
  }
  for (const Op& op : ops) {
    const std::string where = "op " + std::to_string(op.index) + ": ";
    for (const uint32_t t : op.in) {
      if (t != kAbsent && !written[t])
        invalid_graph(where + "reads tensor " + std::to_string(t) + " before it is written");
    }
    for (const uint32_t t : op.out) {
      if (roles[t] == ASSAY_ROLE_STATE) continue;
      if (written[t])
        invalid_graph(where + "writes tensor " + std::to_string(t) + ", which is given or written already");
      written[t] = true;
    }
  }
}

uint64_t element_bytes(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_F32:
    case ASSAY_I32:
      return 4;
    case ASSAY_F16:
    case ASSAY_BF16:
      return 2;
    case ASSAY_I8:
      return 1;
    default:
      return 0;
  }
}

bool is_float(uint32_t dtype) { return dtype == ASSAY_F32 || dtype == ASSAY_F16 || dtype == ASSAY_BF16; }

const char* kind_text(uint32_t kind) {
  const KindRule* rule = rule_of(kind);
  return rule == nullptr ? "?" : rule->name;
}

const char* dtype_text(uint32_t dtype) {
  static constexpr const char* kNames[] = {"f32", "f16", "bf16",   "f8e4m3", "f8e5m2",
                                           "i8",  "i4",  "f4e2m1", "i32",    "i64"};
  return dtype < std::size(kNames) ? kNames[dtype] : "unknown";
}

uint64_t Slot::bytes() const { return elements() * element_bytes(dtype); }

Model read_model(const assay_program_desc& desc) {
  if (desc.struct_size < sizeof(assay_program_desc)) invalid_graph("the program description is too short");
  if (desc.n_ops == 0 || desc.ops == nullptr || desc.tensors == nullptr) invalid_graph("a program without ops");
  if (desc.accumulate != nullptr && std::string(desc.accumulate) != "f32" && *desc.accumulate != '\0') {
    const std::string asked = desc.accumulate;
    if (asked == "tf32") unsupported("products in tf32: this adapter multiplies f32 as f32");
    unsupported("accumulation in " + asked + ": this adapter accumulates in f32");
  }
  Model model;
  model.n_scalars = desc.n_scalars;
  for (uint32_t t = 0; t < desc.n_tensors; ++t) model.slots.push_back(read_tensor(desc.tensors[t], t));
  for (uint32_t i = 0; i < desc.n_ops; ++i) {
    model.ops.push_back(read_op(desc.ops[i], i, model.slots.size(), desc.n_scalars));
  }
  check_dtypes(model);
  check_scales(model.slots);
  widen_small_weights(model);
  for (const Op& op : model.ops) OpCheck(model, op).run();
  std::vector<uint32_t> roles;
  for (const Slot& slot : model.slots) roles.push_back(slot.role);
  check_order(roles, model.ops);
  return model;
}

}  // namespace assay::sdk
