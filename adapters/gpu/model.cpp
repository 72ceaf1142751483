#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 46;
constexpr uint64_t kAlign = 256;

[[noreturn]] void invalid(const std::string& text) { throw Failure(ASSAY_INVALID_ARGUMENT, text); }

// Inputs from min_in on and attributes from min_attr on are optional.
struct KindRule {
  const char* name;
  uint32_t min_in, max_in, n_out, min_attr, n_attr;
};
constexpr KindRule kRules[] = {
    {"?", 0, 0, 0, 0, 0},
    {"matmul", 2, 3, 1, 0, 0},
    {"attention", 3, 5, 1, ASSAY_ATTENTION_N_ATTR, ASSAY_ATTENTION_N_ATTR_1_1},
    {"kv_append", 3, 3, 2, ASSAY_KV_APPEND_N_ATTR, ASSAY_KV_APPEND_N_ATTR},
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

Slot read_tensor(const assay_tensor& t, uint32_t index) {
  const std::string where = "tensor " + std::to_string(index) + ": ";
  if (t.rank < 1 || t.rank > 6) invalid(where + "rank " + std::to_string(t.rank) + ", expected 1 to 6");
  if (t.role > ASSAY_ROLE_SCRATCH) invalid(where + "unknown role " + std::to_string(t.role));
  if (bits_of_element(t.dtype) == 0) {
    throw Failure(ASSAY_UNSUPPORTED, where + "dtype " + std::to_string(t.dtype) + " is not known");
  }
  Slot slot;
  slot.dtype = t.dtype;
  slot.role = t.role;
  slot.dims.assign(t.dim, t.dim + t.rank);
  slot.cols = slot.dims.back();
  uint64_t elements = 1;
  for (const int64_t d : slot.dims) {
    if (d < 1) invalid(where + "dimension " + std::to_string(d) + ", expected at least 1");
    if (static_cast<uint64_t>(d) > kMaxElements / elements) invalid(where + "more than 2^46 elements");
    elements *= static_cast<uint64_t>(d);
  }
  slot.rows = static_cast<int64_t>(elements) / slot.cols;
  if (bits_of_element(t.dtype) == 4 && slot.cols % 2 != 0) invalid(where + "rows of 4-bit elements must be even");
  slot.scale = t.scale;
  slot.block = t.scale >= 0 ? t.scale_block : 0;
  return slot;
}

void check_scales(const std::vector<Slot>& slots) {
  for (size_t i = 0; i < slots.size(); ++i) {
    const Slot& slot = slots[i];
    const std::string where = "tensor " + std::to_string(i) + ": ";
    if (slot.scale < 0) continue;
    if (static_cast<size_t>(slot.scale) >= slots.size()) invalid(where + "its scale tensor does not exist");
    const Slot& scale = slots[static_cast<size_t>(slot.scale)];
    if (is_float(slot.dtype) || slot.dtype == ASSAY_I32) invalid(where + "scales on a tensor that is not quantised");
    if (slot.block < 1 || slot.cols % slot.block != 0) invalid(where + "scale_block does not divide the row");
    if (scale.dtype != ASSAY_F32 || scale.elements() != slot.elements() / slot.block) {
      invalid(where + "its scale tensor does not fit");
    }
  }
}

Op read_op(const assay_op& raw, uint32_t index, const assay_program_desc& desc) {
  const std::string where = "op " + std::to_string(index) + ": ";
  if (raw.kind < 1 || raw.kind >= std::size(kRules)) {
    throw Failure(ASSAY_UNSUPPORTED, where + "unknown kind " + std::to_string(raw.kind));
  }
  const KindRule& rule = kRules[raw.kind];
  if (raw.n_in < rule.min_in || raw.n_in > rule.max_in) invalid(where + "wrong number of inputs");
  if (raw.n_out != rule.n_out) invalid(where + "wrong number of outputs");
  if (raw.n_attr < rule.min_attr) invalid(where + "too few attributes");
  if (raw.in == nullptr || raw.out == nullptr || (raw.n_attr > 0 && raw.attr == nullptr)) invalid(where + "null array");
  if (raw.scalar_slot != ASSAY_NO_SCALAR && raw.scalar_slot >= desc.n_scalars) invalid(where + "no such scalar");
  Op op;
  op.kind = raw.kind;
  op.index = index;
  op.scalar_slot = raw.scalar_slot;
  op.in.assign(raw.in, raw.in + raw.n_in);
  op.out.assign(raw.out, raw.out + raw.n_out);
  if (raw.attr != nullptr) op.attr.assign(raw.attr, raw.attr + raw.n_attr);
  op.attr.resize(std::max<size_t>(op.attr.size(), rule.n_attr));
  for (size_t i = 0; i < op.in.size(); ++i) {
    const bool absent = i >= rule.min_in && op.in[i] == kAbsent;
    if (!absent && op.in[i] >= desc.n_tensors) invalid(where + "no such tensor " + std::to_string(op.in[i]));
  }
  for (const uint32_t t : op.out) {
    if (t >= desc.n_tensors) invalid(where + "no such tensor " + std::to_string(t));
  }
  for (const double a : op.attr) {
    if (!std::isfinite(a) || std::abs(a) > 0x1p53) invalid(where + "attribute out of range");
  }
  return op;
}

// Every activation is written before it is read, and once.
void check_order(const Model& model) {
  std::vector<bool> written;
  for (const Slot& slot : model.slots) {
    written.push_back(slot.role != ASSAY_ROLE_OUTPUT && slot.role != ASSAY_ROLE_SCRATCH);
  }
  for (const Op& op : model.ops) {
    const std::string where = "op " + std::to_string(op.index) + ": ";
    for (const uint32_t t : op.in) {
      if (t != kAbsent && !written[t]) invalid(where + "reads tensor " + std::to_string(t) + " before it is written");
    }
    for (const uint32_t t : op.out) {
      if (model.slots[t].role == ASSAY_ROLE_STATE) continue;
      if (written[t]) invalid(where + "writes tensor " + std::to_string(t) + ", which is given or written already");
      written[t] = true;
    }
  }
}

struct Life {
  size_t first = std::numeric_limits<size_t>::max(), last = 0;
};

std::vector<Life> lives_of(const Model& model) {
  std::vector<Life> lives(model.slots.size());
  for (size_t i = 0; i < model.ops.size(); ++i) {
    for (const auto* list : {&model.ops[i].in, &model.ops[i].out}) {
      for (const uint32_t t : *list) {
        if (t == kAbsent) continue;
        // Who reads a quantised tensor reads its scales, too, though the op does not list them.
        const int32_t scale = model.slots[t].scale;
        for (const uint32_t alive : {t, scale < 0 ? t : static_cast<uint32_t>(scale)}) {
          lives[alive].first = std::min(lives[alive].first, i);
          lives[alive].last = std::max(lives[alive].last, i);
        }
      }
    }
  }
  return lives;
}

}  // namespace

uint32_t bits_of_element(uint32_t dtype) {
  constexpr uint32_t kBits[] = {32, 16, 16, 8, 8, 8, 4, 4, 32};
  return dtype < std::size(kBits) ? kBits[dtype] : 0;
}

bool is_float(uint32_t dtype) { return dtype <= ASSAY_BF16; }

const char* kind_text(uint32_t kind) { return kRules[kind < std::size(kRules) ? kind : 0].name; }

uint64_t Slot::bytes() const { return static_cast<uint64_t>(elements()) * bits_of_element(dtype) / 8; }

void Plan::note(const std::string& text) {
  if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(text);
}

Model read_model(const assay_program_desc& desc, uint32_t n_devices) {
  if (desc.struct_size < sizeof(assay_program_desc)) invalid("the program description is too short");
  if (desc.device >= n_devices) invalid("no device " + std::to_string(desc.device));
  if (desc.n_ops == 0 || desc.ops == nullptr || desc.tensors == nullptr) invalid("a program without ops");
  const std::string accumulate = desc.accumulate == nullptr ? "" : desc.accumulate;
  if (!accumulate.empty() && accumulate != "f32" && accumulate != "tf32") {
    throw Failure(ASSAY_UNSUPPORTED, "accumulation in " + accumulate + ": this adapter accumulates in f32");
  }
  Model model;
  model.tf32 = accumulate == "tf32";
  model.n_scalars = desc.n_scalars;
  for (uint32_t t = 0; t < desc.n_tensors; ++t) model.slots.push_back(read_tensor(desc.tensors[t], t));
  check_scales(model.slots);
  for (uint32_t i = 0; i < desc.n_ops; ++i) model.ops.push_back(read_op(desc.ops[i], i, desc));
  check_order(model);
  return model;
}

Layout lay_out(const Model& model) {
  const std::vector<Life> lives = lives_of(model);
  Layout layout;
  layout.offset.assign(model.slots.size(), ~uint64_t{0});
  std::vector<size_t> order;
  for (size_t t = 0; t < lives.size(); ++t) {
    if (model.slots[t].role == ASSAY_ROLE_SCRATCH) order.push_back(t);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const uint64_t x = model.slots[a].bytes(), y = model.slots[b].bytes();
    return x != y ? x > y : a < b;
  });
  std::vector<size_t> placed;  // by offset
  for (const size_t t : order) {
    const uint64_t bytes = (model.slots[t].bytes() + kAlign - 1) / kAlign * kAlign;
    uint64_t offset = 0;
    for (const size_t other : placed) {
      const bool together = lives[t].first <= lives[other].last && lives[other].first <= lives[t].last;
      const uint64_t other_end = layout.offset[other] + (model.slots[other].bytes() + kAlign - 1) / kAlign * kAlign;
      if (together && offset < other_end && layout.offset[other] < offset + bytes) offset = other_end;
    }
    layout.offset[t] = offset;
    layout.bytes = std::max(layout.bytes, offset + bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), t,
                                   [&](size_t a, size_t b) { return layout.offset[a] < layout.offset[b]; }),
                  t);
  }
  return layout;
}

}  // namespace assay::gpu
