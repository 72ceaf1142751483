#include "adapters/sdk/graph/op_check.h"

namespace assay::sdk {

void OpCheck::attention() const {
  const int64_t b = op_.integer(ASSAY_ATTENTION_BATCH);
  const int64_t h = op_.integer(ASSAY_ATTENTION_HEADS);
  const int64_t kh = op_.integer(ASSAY_ATTENTION_KV_HEADS);
  const int64_t dk = op_.integer(ASSAY_ATTENTION_DIM_QK);
  const int64_t dv = op_.integer(ASSAY_ATTENTION_DIM_V);
  const int64_t mask = op_.integer(ASSAY_ATTENTION_MASK);
  const int64_t rope = op_.integer(ASSAY_ATTENTION_DIM_ROPE);
  batch(in(0).rows, b);
  need(kh >= 1 && h >= 1 && h % kh == 0, "kv_heads does not divide heads");
  need(dk >= 1 && dv >= 1 && dk <= 4096 && dv <= 4096, "head dimensions must be 1 to 4096");
  need(rope >= 0 && rope <= dk, "dim_rope must be 0 to dim_qk");
  slice(op_.integer(ASSAY_ATTENTION_Q_COL), h * dk, in(0).cols);
  cache(in(1), b, kh, op_.integer(ASSAY_ATTENTION_KV_COL_K), dk - rope);
  cache(in(2), b, kh, op_.integer(ASSAY_ATTENTION_KV_COL_V), dv);
  need(in(1).dims[1] == in(2).dims[1], "k and v differ in length");
  page_table(b);
  need(out(0).rows == in(0).rows && out(0).cols == h * dv, "y is not [M,H*DV]");
  need(mask >= ASSAY_MASK_FULL && mask <= ASSAY_MASK_CROSS, "unknown mask");
  need(mask == ASSAY_MASK_CROSS || capacity() >= in(0).rows / b, "the KV cache is shorter than the step");
  need(mask != ASSAY_MASK_CROSS || op_.pages() == kAbsent, "pages do not go with mask CROSS");
  need(mask != ASSAY_MASK_WINDOW || op_.integer(ASSAY_ATTENTION_WINDOW) >= 1, "the window must be at least 1");
  need(op_.attr[ASSAY_ATTENTION_SCALE] > 0, "scale must be above 0");
  activation(in(0), "q must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
  need(op_.has_in(3) == (rope > 0), "k_rope must be given where dim_rope is above 0, and only there");
  if (rope > 0) {
    cache(in(3), b, 1, 0, rope);
    need(in(3).dims[1] == in(1).dims[1], "k and k_rope differ in length");
  }
  if (op_.has_in(4)) {
    can(in(4).dtype == ASSAY_I32, "an index must be i32");
    need(in(4).rows == in(0).rows, "index is not [M,n]");
  }
}

void OpCheck::kv_append() const {
  const int64_t b = op_.integer(ASSAY_KV_APPEND_BATCH);
  const int64_t kh = op_.integer(ASSAY_KV_APPEND_KV_HEADS);
  const int64_t dk = op_.integer(ASSAY_KV_APPEND_DIM_K);
  const int64_t dv = op_.integer(ASSAY_KV_APPEND_DIM_V);
  batch(in(0).rows, b);
  need(kh >= 1 && dk >= 1 && dv >= 0, "kv_heads and dim_k must be at least 1, dim_v not negative");
  slice(op_.integer(ASSAY_KV_APPEND_K_COL), kh * dk, in(0).cols);
  slice(op_.integer(ASSAY_KV_APPEND_V_COL), kh * dv, in(0).cols);
  cache(in(1), b, kh, 0, dk);
  cache(in(2), b, kh, 0, dv == 0 ? dk : dv);
  page_table(b);
  need(in(1).dims[3] == dk && in(2).dims[3] == (dv == 0 ? dk : dv), "the KV cache does not fit");
  need(dv > 0 || op_.in[1] == op_.in[2], "with dim_v 0, v must be the same tensor as k");
  need(in(1).dims[1] == in(2).dims[1], "k and v differ in length");
  need(op_.out[0] == op_.in[1] && op_.out[1] == op_.in[2], "the outputs must be the KV cache itself");
  need(capacity() >= in(0).rows / b, "the KV cache is shorter than the step");
  need(in(1).role == ASSAY_ROLE_STATE && in(2).role == ASSAY_ROLE_STATE, "the KV cache must be STATE");
  activation(in(0), "x must be f32, bf16 or f16");
}

void OpCheck::rope() const {
  const int64_t dim = op_.integer(ASSAY_ROPE_HEAD_DIM);
  const int64_t rotary = op_.integer(ASSAY_ROPE_ROTARY_DIM);
  const int64_t cols = op_.integer(ASSAY_ROPE_COLS);
  same_shape();
  batch(in(0).rows, op_.integer(ASSAY_ROPE_BATCH));
  slice(op_.integer(ASSAY_ROPE_COL), cols, in(0).cols);
  need(dim >= 2 && cols % dim == 0, "head_dim does not divide the columns");
  const int64_t from = op_.integer(ASSAY_ROPE_ROTARY_COL);
  need(rotary >= 2 && rotary % 2 == 0 && rotary <= dim, "rotary_dim must be even and at most head_dim");
  need(from >= 0 && from <= dim - rotary, "the rotated elements lie outside the head");
  need(op_.attr[ASSAY_ROPE_THETA] > 0, "theta must be above 0");
  if (op_.attr[ASSAY_ROPE_SCALING_FACTOR] > 0) {
    need(op_.attr[ASSAY_ROPE_SCALING_LOW] > 0 && op_.attr[ASSAY_ROPE_SCALING_ORIGINAL] > 0 &&
             op_.attr[ASSAY_ROPE_SCALING_HIGH] > op_.attr[ASSAY_ROPE_SCALING_LOW],
         "scaling needs 0 < low < high and original > 0");
  }
  if (op_.attr[ASSAY_ROPE_GRID_W] > 0) rope_grid();
}

void OpCheck::rope_grid() const {
  const int64_t rotary = op_.integer(ASSAY_ROPE_ROTARY_DIM);
  const int64_t t = op_.integer(ASSAY_ROPE_GRID_DIM_T);
  const int64_t h = op_.integer(ASSAY_ROPE_GRID_DIM_H);
  need(op_.integer(ASSAY_ROPE_GRID_H) >= 1, "grid_h must be at least 1");
  need(t >= 0 && h >= 0 && t % 2 == 0 && h % 2 == 0 && t <= rotary && h <= rotary - t,
       "grid_dim_t and grid_dim_h must be even and fit rotary_dim");
  need(op_.integer(ASSAY_ROPE_TEXT_ROWS) >= 0, "text_rows must not be negative");
}

void OpCheck::head_matmul() const {
  const int64_t heads = op_.integer(ASSAY_HEAD_MATMUL_HEADS);
  const int64_t col = op_.integer(ASSAY_HEAD_MATMUL_COL);
  const int64_t stride = op_.integer(ASSAY_HEAD_MATMUL_STRIDE);
  const int64_t pass = op_.integer(ASSAY_HEAD_MATMUL_PASS);
  const Slot& w = in(1);
  need(w.dims.size() == 3 && w.dims[0] == heads, "w is not [H,N,K]");
  need(stride >= 0 && pass >= 0 && pass <= in(0).cols, "stride and pass must not be negative");
  need(col >= 0 && col <= in(0).cols && stride <= in(0).cols, "the columns lie outside the tensor");
  slice(col + (heads - 1) * stride, w.cols + pass, in(0).cols);
  need(out(0).rows == in(0).rows && out(0).cols == heads * (w.dims[1] + pass), "y is not [M,H*(N+pass)]");
  matrix(w, "weights must be f32, bf16, f16 or i8");
  activation(in(0), "x must be f32, bf16 or f16");
  activation(out(0), "y must be f32, bf16 or f16");
}

void OpCheck::kv_expand() const {
  const Slot& latent = in(0);
  const Slot& y = out(0);
  const int64_t tokens = op_.integer(ASSAY_KV_EXPAND_TOKENS);
  const int64_t heads = op_.integer(ASSAY_KV_EXPAND_HEADS);
  need(latent.dims.size() == 4 && latent.dims[2] == 1, "latent is not [B,S,1,L]");
  slice(op_.integer(ASSAY_KV_EXPAND_COL), in(1).cols, latent.cols);
  need(tokens >= 1 && tokens <= latent.dims[1], "tokens must be 1 to S");
  need(heads >= 1 && y.dims.size() == 4 && y.dims[0] == latent.dims[0] && y.dims[1] == latent.dims[1] &&
           y.dims[2] == heads && y.dims[3] * heads == in(1).rows,
       "y is not [B,S,H,D]");
  can(is_float(latent.dtype), "latent must be f32, bf16 or f16");
  matrix(in(1), "weights must be f32, bf16, f16 or i8");
  activation(y, "y must be f32, bf16 or f16");
}

void OpCheck::index_topk() const {
  const int64_t b = op_.integer(ASSAY_INDEX_TOPK_BATCH);
  const int64_t heads = op_.integer(ASSAY_INDEX_TOPK_HEADS);
  const int64_t dim = op_.integer(ASSAY_INDEX_TOPK_DIM);
  batch(in(0).rows, b);
  need(heads >= 1 && dim >= 1 && heads <= 4096 && dim <= 4096, "heads and dim must be 1 to 4096");
  slice(op_.integer(ASSAY_INDEX_TOPK_Q_COL), heads * dim, in(0).cols);
  cache(in(1), b, 1, 0, dim);
  need(in(1).dims[3] == dim, "k is not [B,S,1,D]");
  need(in(1).dims[1] >= in(0).rows / b, "the keys are fewer than the step's tokens");
  need(in(2).rows == in(0).rows && in(2).cols == heads, "weight is not [M,H]");
  need(out(0).rows == in(0).rows, "index is not [M,n]");
  integers(out(0), out(0).rows * out(0).cols, "index is not [M,n]");
  need(op_.attr[ASSAY_INDEX_TOPK_SCALE] > 0, "scale must be above 0");
  activation(in(0), "q must be f32, bf16 or f16");
  activation(in(2), "weight must be f32, bf16 or f16");
}

}  // namespace assay::sdk
