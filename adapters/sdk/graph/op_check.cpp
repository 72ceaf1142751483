#include "adapters/sdk/graph/op_check.h"

namespace assay::sdk {

namespace {

constexpr int64_t kMaxMatrixDim = 0x7fffffff;  // what the products count with

}  // namespace

OpCheck::OpCheck(const Model& model, const Op& op)
    : model_(model), op_(op), where_("op " + std::to_string(op.index) + " (" + kind_text(op.kind) + "): ") {}

void OpCheck::run() const {
  using Check = void (OpCheck::*)() const;
  static constexpr Check kChecks[] = {nullptr,
                                      &OpCheck::matmul,
                                      &OpCheck::attention,
                                      &OpCheck::kv_append,
                                      &OpCheck::rms_norm,
                                      &OpCheck::rope,
                                      &OpCheck::gated_act,
                                      &OpCheck::add,
                                      &OpCheck::embedding,
                                      &OpCheck::argmax,
                                      &OpCheck::quantize,
                                      &OpCheck::grouped_matmul,
                                      &OpCheck::router_topk,
                                      &OpCheck::moe_dispatch,
                                      &OpCheck::moe_combine,
                                      &OpCheck::layer_norm_modulate,
                                      &OpCheck::activation_op,
                                      &OpCheck::patchify3d,
                                      &OpCheck::conv3d,
                                      &OpCheck::group_norm,
                                      &OpCheck::head_matmul,
                                      &OpCheck::kv_expand,
                                      &OpCheck::index_topk};
  (this->*kChecks[op_.kind])();
}

void OpCheck::need(bool holds, const char* what) const {
  if (!holds) throw Failure(ASSAY_INVALID_ARGUMENT, where_ + what);
}

void OpCheck::can(bool holds, const char* what) const {
  if (!holds) throw Failure(ASSAY_UNSUPPORTED, where_ + what);
}

void OpCheck::activation(const Slot& slot, const char* what) const {
  can(is_float(slot.host_dtype) && slot.dtype == ASSAY_F32, what);
}

void OpCheck::matrix(const Slot& w, const char* what) const {
  if (w.host_dtype == ASSAY_I8) need(w.scale >= 0, "i8 weights without scales");
  can(is_float(w.dtype) || w.dtype == ASSAY_I8, what);
  need(w.cols <= kMaxMatrixDim && w.rows <= kMaxMatrixDim, "a dimension is beyond 2^31");
}

void OpCheck::cache(const Slot& k, int64_t b, int64_t heads, int64_t col, int64_t dim) const {
  const int64_t blocks = op_.pages() == kAbsent ? b : in(1).dims[0];
  need(k.dims.size() == 4 && k.dims[0] == blocks && k.dims[2] == heads, "the KV cache does not fit");
  need(col >= 0 && dim >= 0 && dim <= k.dims[3] && col <= k.dims[3] - dim, "the KV cache is too narrow");
  can(is_float(k.dtype), "the KV cache must be f32, bf16 or f16");
}

void OpCheck::page_table(int64_t b) const {
  if (op_.pages() == kAbsent) return;
  const Slot& table = model_.slots[op_.pages()];
  need(table.dtype == ASSAY_I32 && table.role == ASSAY_ROLE_INPUT, "pages must be an INPUT of i32");
  need(table.dims.size() == 2 && table.rows == b, "pages is not [B,P]");
  need(static_cast<int64_t>(table.elements()) <= in(1).dims[0], "the table has more pages than the KV cache");
}

int64_t OpCheck::capacity() const {
  return op_.pages() == kAbsent ? in(1).dims[1] : model_.slots[op_.pages()].cols * in(1).dims[1];
}

void OpCheck::integers(const Slot& slot, int64_t n, const char* what) const {
  can(slot.dtype == ASSAY_I32, "an index must be i32");
  need(slot.elements() == static_cast<uint64_t>(n), what);
}

void OpCheck::slice(int64_t col, int64_t cols, int64_t of) const {
  need(col >= 0 && cols >= 0 && cols <= of && col <= of - cols, "the columns lie outside the tensor");
}

void OpCheck::batch(int64_t rows, int64_t n) const { need(n >= 1 && rows % n == 0, "batch does not divide the rows"); }

void OpCheck::same_shape() const {
  need(in(0).rows == out(0).rows && in(0).cols == out(0).cols, "x and y differ in shape");
  activation(in(0), "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::modulation(const Slot& mod, int64_t n, std::initializer_list<int64_t> cols) const {
  batch(in(0).rows, n);
  need(mod.rows == n, "mod is not [B,ld]");
  for (const int64_t col : cols) slice(col, in(0).cols, mod.cols);
  activation(mod, "mod must be f32, bf16 or f16");
}

void OpCheck::function(int64_t f) const { can(f >= ASSAY_ACT_SILU && f <= ASSAY_ACT_GELU_ERF, "unknown function"); }

void OpCheck::matmul() const {
  const Slot& x = in(0);
  const Slot& w = in(1);
  need(x.cols == w.cols, "x and w differ in K");
  need(out(0).rows == x.rows && out(0).cols == w.rows, "y is not [M,N]");
  need(x.rows <= kMaxMatrixDim, "a dimension is beyond 2^31");
  activation(out(0), "y must be f32, bf16 or f16");
  if (op_.in.size() == 3) {
    need(in(2).elements() == static_cast<uint64_t>(w.rows), "bias is not [N]");
    activation(in(2), "bias must be a vector of f32, bf16 or f16");
  }
  matrix(w, "weights must be f32, bf16, f16 or i8");
  if (x.host_dtype != ASSAY_I8) return activation(x, "x must be f32, bf16, f16 or i8");
  need(x.scale >= 0 && x.scale_block == x.cols, "i8 activations need one scale per row");
  can(w.dtype == ASSAY_I8 && w.scale_block == w.cols, "i8 activations need i8 weights with one scale per row");
  can(x.cols <= 1 << 17, "K beyond 131072 may overflow the int32 sum");
}

void OpCheck::rms_norm() const {
  const int64_t group = op_.integer(ASSAY_RMS_NORM_GROUP);
  const int64_t cols = op_.integer(ASSAY_RMS_NORM_COLS);
  same_shape();
  slice(op_.integer(ASSAY_RMS_NORM_COL), cols, in(0).cols);
  need(cols != 0 || op_.integer(ASSAY_RMS_NORM_COL) == 0, "cols 0 means all: col must be 0");
  need(group >= 1 && (cols == 0 ? in(0).cols : cols) % group == 0, "group does not divide the columns");
  need(in(1).elements() == static_cast<uint64_t>(group), "gamma is not [group]");
  need(op_.attr[ASSAY_RMS_NORM_EPS] >= 0, "eps must not be negative");
  activation(in(1), "gamma must be a vector of f32, bf16 or f16");
}

void OpCheck::embedding() const {
  can(in(0).dtype == ASSAY_I32, "the index must be i32");
  need(out(0).rows * out(0).cols == static_cast<int64_t>(in(0).elements()) * in(1).cols && out(0).cols == in(1).cols,
       "y is not [n,h]");
  can(is_float(in(1).dtype) || (in(1).dtype == ASSAY_I8 && in(1).scale >= 0),
      "the table must be f32, bf16, f16 or i8 with scales");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::argmax() const {
  activation(in(0), "x must be f32, bf16 or f16");
  can(out(0).dtype == ASSAY_I32, "y must be i32");
  need(out(0).elements() == static_cast<uint64_t>(in(0).rows), "y is not [M]");
  need(in(0).cols <= 0x7fffffff, "more columns than an i32 counts");
}

void OpCheck::quantize() const {
  activation(in(0), "x must be f32, bf16 or f16");
  can(out(0).host_dtype != ASSAY_F8E4M3, "this adapter quantises to i8, not to f8e4m3");
  need(out(0).host_dtype == ASSAY_I8 && out(0).rows == in(0).rows && out(0).cols == in(0).cols, "q is not I8 [M,K]");
  need(out(1).host_dtype == ASSAY_F32 && out(1).elements() == static_cast<uint64_t>(in(0).rows),
       "scale is not F32 [M,1]");
  need(out(0).scale == static_cast<int32_t>(op_.out[1]) && out(0).scale_block == out(0).cols,
       "q must name the scale output as its scale, one per row");
}

void OpCheck::gated_act() const {
  need(in(0).cols == 2 * out(0).cols && in(0).rows == out(0).rows, "x is not [M,2F] for y [M,F]");
  function(op_.integer(ASSAY_GATED_ACT_FUNCTION));
  activation(in(0), "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::add() const {
  same_shape();
  need(in(1).rows == in(0).rows && in(1).cols == in(0).cols, "a and b differ in shape");
  activation(in(1), "b must be f32, bf16 or f16");
  if (op_.has_in(2)) modulation(in(2), op_.integer(ASSAY_ADD_BATCH), {op_.integer(ASSAY_ADD_GATE_COL)});
}

void OpCheck::layer_norm_modulate() const {
  same_shape();
  if (op_.has_in(1)) {
    modulation(in(1), op_.integer(ASSAY_LAYER_NORM_MODULATE_BATCH),
               {op_.integer(ASSAY_LAYER_NORM_MODULATE_SHIFT_COL), op_.integer(ASSAY_LAYER_NORM_MODULATE_SCALE_COL)});
  }
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (!op_.has_in(i)) continue;
    need(in(i).elements() == static_cast<uint64_t>(in(0).cols), "gamma or beta is not [h]");
    activation(in(i), "gamma and beta must be vectors of f32, bf16 or f16");
  }
  need(op_.attr[ASSAY_LAYER_NORM_MODULATE_EPS] >= 0, "eps must not be negative");
}

void OpCheck::activation_op() const {
  same_shape();
  function(op_.integer(ASSAY_ACTIVATION_FUNCTION));
}

}  // namespace assay::sdk
