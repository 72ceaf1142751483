// Products: plain, ragged, per head, of a latent cache, and convolutions as products of gathered rows.
#include <algorithm>

#include "adapters/spirv/plan.h"

namespace assay::spirv {

namespace {

// y = x w^T with whole rows on both sides.
Product product_of(const Plan& plan, uint32_t x, uint32_t w, uint32_t y) {
  const sdk::Slot& weights = plan.slot(w);
  Product p;
  p.x = plan.at(x);
  p.w = plan.at(w);
  p.scale = plan.scales_of(w);
  p.y = plan.at(y);
  p.w_dtype = weights.dtype;
  p.m = plan.slot(x).rows;
  p.n = plan.slot(y).cols;
  p.k = weights.cols;
  p.block = weights.scale_block > 0 ? weights.scale_block : 1;
  p.ldx = plan.slot(x).cols;
  p.ldy = plan.slot(y).cols;
  p.w_step = p.n * p.k;
  return p;
}

// `rows` rows of `cols` columns from `at` on, as f32 in work memory.
View widened(Plan& plan, uint32_t tensor, int64_t rows, int64_t at, int64_t cols) {
  const View wide = plan.work(static_cast<uint64_t>(rows) * static_cast<uint64_t>(cols) * sizeof(float));
  plan.launch("widen_rows_" + suffix(plan.slot(tensor).dtype), {count_of(rows), 1, 1},
              {plan.at(tensor), wide, i32(plan.slot(tensor).cols), i32(at), i32(cols)});
  return wide;
}

}  // namespace

void lower_matmul(Plan& plan, const sdk::Op& op) {
  Product p = product_of(plan, op.in[0], op.in[1], op.out[0]);
  p.bias = plan.input(op, 2);
  if (plan.slot(op.in[0]).dtype == ASSAY_I8) {
    p.x_scale = plan.scales_of(op.in[0]);
    p.x = widened(plan, op.in[0], p.m, 0, p.k);
    plan.note("products of int8 codes by exact f32 arithmetic");
  }
  plan.multiply(p);
}

bool is_gated_row(const Traits& device, const sdk::Model& model, size_t i) {
  if (device.form != Form::kCpu || i + 1 >= model.ops.size()) return false;
  const sdk::Op& matmul = model.ops[i];
  const sdk::Op& act = model.ops[i + 1];
  if (matmul.kind != ASSAY_OP_MATMUL || act.kind != ASSAY_OP_GATED_ACT || act.in[0] != matmul.out[0]) return false;
  const sdk::Slot& x = model.slots[matmul.in[0]];
  return !matmul.has_in(2) && x.rows == 1 && x.dtype != ASSAY_I8;
}

void lower_gated_row(Plan& plan, const sdk::Op& matmul, const sdk::Op& act) {
  constexpr int64_t kRows = 24;  // of the gate in a group: kernels/gemm_cpu.cl
  const Product p = product_of(plan, matmul.in[0], matmul.in[1], matmul.out[0]);
  const int64_t f = p.n / 2;
  plan.launch("gated_row_" + suffix(p.w_dtype), {count_of(ceil_div(f, kRows)), 1, 1},
              {p.x, p.w, p.scale, p.y, plan.at(act.out[0]), i32(f), i32(p.k), i32(p.block),
               i32(act.integer(ASSAY_GATED_ACT_FUNCTION))});
}

void lower_grouped_matmul(Plan& plan, const sdk::Op& op) {
  Product p = product_of(plan, op.in[0], op.in[1], op.out[0]);
  p.offsets = plan.at(op.in[2]);
  p.experts = plan.slot(op.in[1]).dims[0];
  plan.multiply(p);
}

void lower_head_matmul(Plan& plan, const sdk::Op& op) {
  const int64_t heads = op.integer(ASSAY_HEAD_MATMUL_HEADS);
  const int64_t pass = op.integer(ASSAY_HEAD_MATMUL_PASS);
  Product p = product_of(plan, op.in[0], op.in[1], op.out[0]);
  p.n = plan.slot(op.in[1]).dims[1];
  p.w_step = p.n * p.k;
  p.batch = heads;
  p.x_at = op.integer(ASSAY_HEAD_MATMUL_COL);
  p.x_step = op.integer(ASSAY_HEAD_MATMUL_STRIDE);
  p.y_step = p.n + pass;
  plan.multiply(p);
  if (pass > 0) {
    plan.launch("copy_columns", {count_of(p.m), 1, 1},
                {p.x, p.y, i32(heads), p.ldx, p.x_at + p.k, p.x_step, p.ldy, p.n, p.y_step, i32(pass)});
  }
}

void lower_kv_expand(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& latent = plan.slot(op.in[0]);
  const int64_t capacity = latent.dims[1];
  Product p = product_of(plan, op.in[0], op.in[1], op.out[0]);
  p.n = plan.slot(op.in[1]).rows;
  p.ldx = p.k;
  p.ldy = p.n;
  p.w_step = 0;
  p.batch = latent.dims[0];
  p.x_step = capacity * p.k;
  p.y_step = capacity * p.n;
  p.x = widened(plan, op.in[0], latent.rows, op.integer(ASSAY_KV_EXPAND_COL), p.k);
  p.limit_slot = op.scalar_slot;
  p.limit_add = op.integer(ASSAY_KV_EXPAND_TOKENS);
  p.m = op.scalar_slot == ASSAY_NO_SCALAR ? p.limit_add : capacity;
  plan.multiply(p);
}

void lower_conv3d(Plan& plan, const sdk::Op& op) {
  constexpr int64_t kGatheredBytes = 64 << 20;  // at a time
  const sdk::Slot& x = plan.slot(op.in[0]);
  const sdk::Slot& y = plan.slot(op.out[0]);
  Product p = product_of(plan, op.in[0], op.in[1], op.out[0]);
  p.bias = plan.input(op, 2);
  p.ldx = p.k;
  const auto up = [&](uint32_t axis) { return i32(std::max<int64_t>(1, op.integer(ASSAY_CONV3D_UP_T + axis))); };
  const int64_t row_bytes = p.k * static_cast<int64_t>(sizeof(float));
  const int64_t places = std::clamp<int64_t>(kGatheredBytes / row_bytes, 1, y.rows);
  const View gathered = plan.work(static_cast<uint64_t>(places * row_bytes));
  for (int64_t first = 0; first < y.rows; first += places) {
    p.m = std::min(places, y.rows - first);
    p.x = gathered;
    p.y_at = first * p.ldy;
    plan.launch("conv_rows", {count_of(p.m), 1, 1},
                {plan.at(op.in[0]), gathered, first, i32(x.dims[0]), i32(x.dims[1]), i32(x.dims[2]), i32(x.cols),
                 i32(op.integer(ASSAY_CONV3D_KERNEL_T)), i32(op.integer(ASSAY_CONV3D_KERNEL_H)),
                 i32(op.integer(ASSAY_CONV3D_KERNEL_W)), up(0), up(1), up(2)});
    plan.multiply(p);
  }
}

}  // namespace assay::spirv
