#include "adapters/spirv/plan.h"

#include <algorithm>

namespace assay::spirv {

namespace {

constexpr uint64_t kAlign = 4096;
constexpr int64_t kCpuRows = 64, kCpuCols = 48;    // a group's block of a product: kernels/gemm_cpu.cl
constexpr int64_t kTileResults = 4, kRowCols = 4;  // of a work-item along an axis: kernels/gemm_gpu.cl

// The model as its tensors' lives are: a gate that runs in one launch with its product reads what the product reads.
sdk::Model lives_joined(const Traits& device, sdk::Model model) {
  for (size_t i = 0; i < model.ops.size(); ++i) {
    if (is_gated_row(device, model, i)) model.ops[i + 1].in.push_back(model.ops[i].in[0]);
  }
  return model;
}

}  // namespace

std::string suffix(uint32_t dtype) { return sdk::dtype_text(dtype); }

Plan::Plan(const Traits& device, const sdk::Model& model) : device_(device), model_(model) {
  const sdk::Layout layout = sdk::lay_out(lives_joined(device, model), false);
  buffers.resize(2);
  const std::vector<uint64_t> zeros(std::max<uint32_t>(1, model.n_scalars));
  buffers[kScalars] = {zeros.size() * sizeof(int64_t), {{0, zeros}}};
  uint32_t scratch = 0;
  if (layout.scratch_bytes > 0) {
    scratch = static_cast<uint32_t>(buffers.size());
    buffers.push_back({layout.scratch_bytes, {}});
  }
  for (size_t t = 0; t < model.slots.size(); ++t) {
    if (layout.scratch_offset[t] != sdk::Layout::kOwn) {
      views_.push_back({scratch, layout.scratch_offset[t]});
      continue;
    }
    views_.push_back({static_cast<uint32_t>(buffers.size()), 0});
    buffers.push_back({model.slots[t].bytes(), {}});
  }
}

Argument Plan::scales_of(uint32_t tensor) const {
  const int32_t scale = slot(tensor).scale;
  return scale < 0 ? Argument(Absent{}) : Argument(at(static_cast<uint32_t>(scale)));
}

size_t Plan::row_group() const {
  if (device_.form == Form::kCpu) return 1;
  size_t group = 1;
  while (group * 2 <= std::min<size_t>(device_.max_group, 128)) group *= 2;
  return group;
}

int64_t Plan::span(int64_t count) const {
  const int64_t least = device_.form == Form::kCpu ? 4096 : 2048;
  const int64_t most = device_.form == Form::kCpu ? 1 << 18 : 8192;
  return std::clamp(ceil_div(count, int64_t{8} * device_.units) / 64 * 64, least, most);
}

View Plan::work(uint64_t bytes) {
  const View view{kWork, work_used_};
  work_used_ += (bytes + kAlign - 1) / kAlign * kAlign;
  buffers[kWork].bytes = std::max(buffers[kWork].bytes, work_used_);
  return view;
}

View Plan::constant(const std::vector<uint64_t>& words) {
  buffers.push_back({words.size() * sizeof(uint64_t), {{0, words}}});
  return {static_cast<uint32_t>(buffers.size() - 1), 0};
}

void Plan::launch(const std::string& kernel, std::array<size_t, 3> groups, std::vector<Argument> arguments) {
  launch(kernel, groups, {row_group(), 1, 1}, std::move(arguments));
}

void Plan::launch(const std::string& kernel, std::array<size_t, 3> groups, std::array<size_t, 3> local,
                  std::vector<Argument> arguments) {
  launches.push_back({kernel, groups, local, std::move(arguments)});
}

void Plan::note(const std::string& text) {
  if (std::find(notes.begin(), notes.end(), text) == notes.end()) notes.push_back(text);
}

bool Plan::gather() {
  Buffer whole;
  std::vector<uint64_t> at;
  for (Buffer& buffer : buffers) {
    at.push_back(whole.bytes);
    whole.bytes += (buffer.bytes + kAlign - 1) / kAlign * kAlign;
  }
  if (device_.max_allocation != 0 && whole.bytes > device_.max_allocation) return false;
  const auto move = [&](View& view) { view = {kWork, at[view.buffer] + view.offset}; };
  for (size_t i = 0; i < buffers.size(); ++i) {
    for (Contents& c : buffers[i].contents) whole.contents.push_back({at[i] + c.offset, std::move(c.words)});
  }
  for (View& view : views_) move(view);
  move(scalars_);
  for (Launch& launch : launches) {
    for (Argument& argument : launch.arguments) {
      if (View* view = std::get_if<View>(&argument)) move(*view);
    }
  }
  buffers.clear();
  buffers.push_back(std::move(whole));
  return true;
}

Launch Plan::sweep(uint64_t bytes) const {
  const auto count = static_cast<int64_t>(bytes / 2 / sizeof(float));
  const int64_t each = span(count);
  return {"add",
          {count_of(ceil_div(count, each)), 1, 1},
          {row_group(), 1, 1},
          {View{0, 0}, View{0, 0}, View{0, bytes / 2}, count, i32(each)}};
}

void Plan::multiply(const Product& p) {
  const bool codes = std::holds_alternative<View>(p.x_scale);
  std::string kernel = "gemm_" + suffix(p.w_dtype);
  std::array<size_t, 3> local{1, 1, 1};
  int64_t high = kCpuRows;
  int64_t wide = kCpuCols;
  if (device_.form == Form::kGpu) {
    const int64_t rows = p.experts > 0 ? ceil_div(p.m, p.experts) : p.m;  // of a product, on average
    const bool single = rows == 1 && !codes;
    const int64_t side = device_.tile_side;
    const bool tall = rows > side;
    const std::string of_side = side == Traits::kSmallTile ? "8_" : "_";
    kernel = (single ? "gemm_row_" : (tall ? "gemm_tall" : "gemm_low") + of_side) + suffix(p.w_dtype);
    high = single ? 1 : (tall ? kTileResults * side : side);
    wide = single ? kRowCols : kTileResults * side;
    local =
        single ? std::array<size_t, 3>{row_group(), 1, 1} : std::array<size_t, 3>{count_of(side), count_of(side), 1};
  }
  // Each expert's last tile may be a part of one.
  const int64_t tiles = ceil_div(p.m, high) + p.experts;
  launch(kernel, {count_of(ceil_div(p.n, wide)), count_of(tiles), count_of(p.batch)}, local,
         {p.x,      p.w,      p.scale,  p.bias,       p.x_scale, p.offsets,      scalars(),       p.y,
          i32(p.m), i32(p.n), i32(p.k), i32(p.block), i32(high), i32(p.experts), p.ldx,           p.x_at,
          p.x_step, p.w_step, p.ldy,    p.y_at,       p.y_step,  p.limit_slot,   i32(p.limit_add)});
}

void lower(Plan& plan, const sdk::Op& op) {
  using Lower = void (*)(Plan&, const sdk::Op&);
  static constexpr Lower kLower[] = {
      nullptr,           lower_matmul,       lower_attention,   lower_kv_append,
      lower_rms_norm,    lower_rope,         lower_gated_act,   lower_add,
      lower_embedding,   lower_argmax,       lower_quantize,    lower_grouped_matmul,
      lower_router_topk, lower_moe_dispatch, lower_moe_combine, lower_layer_norm_modulate,
      lower_activation,  lower_patchify3d,   lower_conv3d,      lower_group_norm,
      lower_head_matmul, lower_kv_expand,    lower_index_topk};
  plan.work_used_ = 0;
  kLower[op.kind](plan, op);
}

}  // namespace assay::spirv
