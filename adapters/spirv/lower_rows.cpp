// Norms, element-wise ops, embeddings, quantisation and the ops around experts.
#include <algorithm>

#include "adapters/spirv/plan.h"

namespace assay::spirv {

namespace {

int32_t rows_per_sequence(const sdk::Slot& x, int64_t batch) { return i32(x.rows / std::max<int64_t>(1, batch)); }

// Work-items over `count`, in groups of `size`.
std::array<size_t, 3> groups_over(int64_t count, size_t size) {
  return {count_of(ceil_div(count, static_cast<int64_t>(size))), 1, 1};
}

}  // namespace

void lower_rms_norm(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const int64_t cols = op.integer(ASSAY_RMS_NORM_COLS);
  plan.launch("rms_norm", {count_of(x.rows), 1, 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.out[0]), i32(x.cols),
               static_cast<float>(op.attr[ASSAY_RMS_NORM_EPS]), i32(op.integer(ASSAY_RMS_NORM_GROUP)),
               i32(op.integer(ASSAY_RMS_NORM_COL)), i32(cols == 0 ? x.cols : cols)});
}

void lower_layer_norm_modulate(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const int64_t ld_mod = op.has_in(1) ? plan.slot(op.in[1]).cols : 0;
  plan.launch(
      "layer_norm_modulate", {count_of(x.rows), 1, 1},
      {plan.at(op.in[0]), plan.input(op, 1), plan.input(op, 2), plan.input(op, 3), plan.at(op.out[0]), i32(x.cols),
       static_cast<float>(op.attr[ASSAY_LAYER_NORM_MODULATE_EPS]),
       rows_per_sequence(x, op.integer(ASSAY_LAYER_NORM_MODULATE_BATCH)), i32(ld_mod),
       i32(op.integer(ASSAY_LAYER_NORM_MODULATE_SHIFT_COL)), i32(op.integer(ASSAY_LAYER_NORM_MODULATE_SCALE_COL))});
}

void lower_group_norm(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const int64_t groups = op.integer(ASSAY_GROUP_NORM_GROUPS);
  const int64_t parts = std::min<int64_t>(16, x.rows);
  const int32_t width = i32(x.cols / groups);
  const View sums = plan.work(static_cast<uint64_t>(groups * parts) * sizeof(float));
  const View squares = plan.work(static_cast<uint64_t>(groups * parts) * sizeof(float));
  const std::array<size_t, 3> slabs{count_of(parts), count_of(groups), 1};
  plan.launch("group_moments", slabs, {plan.at(op.in[0]), Absent{}, sums, i32(x.rows), i32(x.cols), width, i32(0)});
  plan.launch("group_moments", slabs, {plan.at(op.in[0]), sums, squares, i32(x.rows), i32(x.cols), width, i32(1)});
  plan.launch("group_norm", {count_of(x.rows), 1, 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.in[2]), sums, squares, plan.at(op.out[0]), i32(x.rows),
               i32(x.cols), width, i32(parts), static_cast<float>(op.attr[ASSAY_GROUP_NORM_EPS])});
}

void lower_gated_act(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& y = plan.slot(op.out[0]);
  const int64_t span = std::min<int64_t>(plan.span(static_cast<int64_t>(y.elements())), 4096);
  plan.launch(
      "gated_act", {count_of(ceil_div(y.cols, span)), count_of(y.rows), 1},
      {plan.at(op.in[0]), plan.at(op.out[0]), i32(y.cols), i32(op.integer(ASSAY_GATED_ACT_FUNCTION)), i32(span)});
}

void lower_activation(Plan& plan, const sdk::Op& op) {
  const auto count = static_cast<int64_t>(plan.slot(op.in[0]).elements());
  const int64_t span = plan.span(count);
  plan.launch("activation", {count_of(ceil_div(count, span)), 1, 1},
              {plan.at(op.in[0]), plan.at(op.out[0]), count, i32(op.integer(ASSAY_ACTIVATION_FUNCTION)), i32(span)});
}

void lower_add(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& a = plan.slot(op.in[0]);
  if (op.has_in(2)) {
    plan.launch("add_gated", {count_of(a.rows), 1, 1},
                {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.in[2]), plan.at(op.out[0]), i32(a.cols),
                 rows_per_sequence(a, op.integer(ASSAY_ADD_BATCH)), i32(plan.slot(op.in[2]).cols),
                 i32(op.integer(ASSAY_ADD_GATE_COL))});
    return;
  }
  const auto count = static_cast<int64_t>(a.elements());
  const int64_t span = plan.span(count);
  plan.launch("add", {count_of(ceil_div(count, span)), 1, 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.out[0]), count, i32(span)});
}

bool lower_add_rms_norm(Plan& plan, const sdk::Op& add, const sdk::Op& norm) {
  if (add.kind != ASSAY_OP_ADD || norm.kind != ASSAY_OP_RMS_NORM || add.has_in(2) || norm.in[0] != add.out[0]) {
    return false;
  }
  const sdk::Slot& x = plan.slot(norm.in[0]);
  if (x.rows != 1 || norm.integer(ASSAY_RMS_NORM_GROUP) != x.cols) return false;
  plan.launch("add_rms_norm", {1, 1, 1},
              {plan.at(add.in[0]), plan.at(add.in[1]), plan.at(norm.in[1]), plan.at(add.out[0]), plan.at(norm.out[0]),
               i32(x.cols), static_cast<float>(norm.attr[ASSAY_RMS_NORM_EPS])});
  return true;
}

void lower_embedding(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& table = plan.slot(op.in[1]);
  const bool scaled = table.dtype == ASSAY_I8;
  plan.launch("embedding_" + suffix(table.dtype),
              {count_of(static_cast<int64_t>(plan.slot(op.in[0]).elements())), 1, 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), scaled ? plan.scales_of(op.in[1]) : Argument(Absent{}),
               plan.at(op.out[0]), i32(table.rows), i32(table.cols), i32(scaled ? table.scale_block : 1)});
}

void lower_argmax(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const int64_t groups = std::max<int64_t>(1, int64_t{8} * plan.device().units / x.rows);
  const int64_t span = std::max<int64_t>(8192, ceil_div(ceil_div(x.cols, groups), 64) * 64);
  const int64_t parts = ceil_div(x.cols, span);
  const View values = plan.work(static_cast<uint64_t>(x.rows * parts) * sizeof(float));
  const View found =
      parts == 1 ? plan.at(op.out[0]) : plan.work(static_cast<uint64_t>(x.rows * parts) * sizeof(int32_t));
  plan.launch("argmax_parts", {count_of(parts), count_of(x.rows), 1},
              {plan.at(op.in[0]), values, found, i32(x.cols), i32(span)});
  if (parts > 1) {
    plan.launch("argmax_join", {count_of(x.rows), 1, 1}, {1, 1, 1}, {values, found, plan.at(op.out[0]), i32(parts)});
  }
}

void lower_quantize(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  plan.launch("quantize_" + suffix(x.host_dtype), {count_of(x.rows), 1, 1},
              {plan.at(op.in[0]), plan.at(op.out[0]), plan.at(op.out[1]), i32(x.cols)});
}

void lower_router_topk(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& logits = plan.slot(op.in[0]);
  const int64_t groups = std::max<int64_t>(1, op.integer(ASSAY_ROUTER_TOPK_GROUPS));
  const uint64_t bytes = logits.elements() * sizeof(float);
  const View value = plan.work(bytes);
  const View choice = plan.work(bytes);
  const View group_value = plan.work(static_cast<uint64_t>(logits.rows * groups) * sizeof(float));
  const size_t group = std::min<size_t>(plan.row_group(), 16);
  plan.launch("router_topk", groups_over(logits.rows, group), {group, 1, 1},
              {plan.at(op.in[0]), plan.input(op, 1), plan.at(op.out[0]), plan.at(op.out[1]), value, choice, group_value,
               i32(logits.rows), i32(logits.cols), i32(op.integer(ASSAY_ROUTER_TOPK_K)),
               i32(op.integer(ASSAY_ROUTER_TOPK_FUNCTION)), i32(op.integer(ASSAY_ROUTER_TOPK_NORMALISE)),
               static_cast<float>(op.attr[ASSAY_ROUTER_TOPK_FACTOR]), i32(groups),
               i32(op.integer(ASSAY_ROUTER_TOPK_TOP_GROUPS))});
}

void lower_moe_dispatch(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& index = plan.slot(op.in[1]);
  const int64_t experts = op.integer(ASSAY_MOE_DISPATCH_EXPERTS);
  const auto pairs = static_cast<int64_t>(index.elements());
  const size_t group = std::min<size_t>(plan.row_group(), 16);
  plan.launch("dispatch_order", groups_over(experts + 1, group), {group, 1, 1},
              {plan.at(op.in[1]), plan.at(op.out[1]), plan.at(op.out[2]), i32(pairs), i32(experts)});
  plan.launch(
      "dispatch_rows", {count_of(pairs), 1, 1},
      {plan.at(op.in[0]), plan.at(op.out[2]), plan.at(op.out[0]), i32(index.cols), i32(plan.slot(op.in[0]).cols)});
}

void lower_moe_combine(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& y = plan.slot(op.out[0]);
  plan.launch("moe_combine", {count_of(y.rows), 1, 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.in[2]), plan.at(op.out[0]),
               i32(plan.slot(op.in[1]).cols), i32(y.cols), i32(plan.slot(op.in[0]).rows)});
}

void lower_patchify3d(Plan& plan, const sdk::Op& op) {
  const bool inverse = op.attr[ASSAY_PATCHIFY3D_INVERSE] != 0;
  const sdk::Slot& image = plan.slot(inverse ? op.out[0] : op.in[0]);
  const auto count = static_cast<int64_t>(image.elements());
  const int64_t span = plan.span(count);
  plan.launch("patchify", {count_of(ceil_div(count, span)), 1, 1},
              {plan.at(op.in[0]), plan.at(op.out[0]), count, i32(image.dims[1]), i32(image.dims[2]), i32(image.dims[3]),
               i32(image.dims[4]), i32(op.integer(ASSAY_PATCHIFY3D_T)), i32(op.integer(ASSAY_PATCHIFY3D_H)),
               i32(op.integer(ASSAY_PATCHIFY3D_W)), i32(inverse ? 1 : 0), i32(span)});
}

}  // namespace assay::spirv
