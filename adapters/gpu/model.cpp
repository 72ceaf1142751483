#include <algorithm>
#include <utility>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

namespace {

constexpr uint64_t kAlign = 256;

[[noreturn]] void invalid(const std::string& text) { throw Failure(ASSAY_INVALID_ARGUMENT, text); }

Slot read_tensor(const assay_tensor& t, uint32_t index) {
  const std::string where = "tensor " + std::to_string(index) + ": ";
  sdk::Shape shape = sdk::read_shape(t, index);
  if (bits_of_element(t.dtype) == 0) {
    throw Failure(ASSAY_UNSUPPORTED, where + "dtype " + std::to_string(t.dtype) + " is not known");
  }
  Slot slot;
  slot.dtype = t.dtype;
  slot.role = t.role;
  slot.dims = std::move(shape.dims);
  slot.rows = shape.rows;
  slot.cols = shape.cols;
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

}  // namespace

uint32_t bits_of_element(uint32_t dtype) {
  constexpr uint32_t kBits[] = {32, 16, 16, 8, 8, 8, 4, 4, 32};
  return dtype < std::size(kBits) ? kBits[dtype] : 0;
}

uint64_t Slot::bytes() const { return static_cast<uint64_t>(elements()) * bits_of_element(dtype) / 8; }

void Plan::note(const std::string& text) {
  if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(text);
}

const double* Plan::table(const std::vector<double>& values) {
  const auto [at, added] = table_at.emplace(values, tables.size());
  if (added) tables.insert(tables.end(), values.begin(), values.end());
  return dry ? nullptr : device_tables + at->second;
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
  for (uint32_t i = 0; i < desc.n_ops; ++i) {
    model.ops.push_back(sdk::read_op(desc.ops[i], i, desc.n_tensors, desc.n_scalars));
  }
  std::vector<uint32_t> roles;
  for (const Slot& slot : model.slots) roles.push_back(slot.role);
  sdk::check_order(roles, model.ops);
  return model;
}

Layout lay_out(const Model& model) {
  std::vector<int32_t> scales;
  for (const Slot& slot : model.slots) scales.push_back(slot.scale);
  std::vector<sdk::Life> lives = sdk::lives_of(scales, model.ops);
  std::vector<uint64_t> bytes(model.slots.size(), 0);
  for (size_t t = 0; t < lives.size(); ++t) {
    if (model.slots[t].role == ASSAY_ROLE_SCRATCH) bytes[t] = model.slots[t].bytes();
    lives[t].bytes = (bytes[t] + kAlign - 1) / kAlign * kAlign;
  }
  sdk::share_in_place(bytes, model.ops, lives);
  for (size_t i = 0; i < model.ops.size(); ++i) {
    const size_t last = last_fused(model, i);
    if (last == i) continue;
    for (const uint32_t t : model.ops[i].in) {
      if (t == sdk::kAbsent) continue;
      sdk::Life& root = lives[lives[t].root];
      root.last = std::max(root.last, last);
    }
  }
  std::vector<size_t> scratch;
  for (size_t t = 0; t < lives.size(); ++t) {
    if (bytes[t] > 0 && lives[t].root == t) scratch.push_back(t);
  }
  Layout layout;
  layout.bytes = sdk::place(scratch, lives);
  layout.offset.assign(model.slots.size(), ~uint64_t{0});
  for (size_t t = 0; t < lives.size(); ++t) {
    if (model.slots[t].role == ASSAY_ROLE_SCRATCH) layout.offset[t] = lives[lives[t].root].offset;
  }
  return layout;
}

}  // namespace assay::gpu
