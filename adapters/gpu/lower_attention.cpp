// Attention and what chooses its keys.
#include "adapters/gpu/lower.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kMatrixTokens = 16;  // fewer leave attention_matrix's tiles idle

}  // namespace

void Lower::attention_shapes() const {
  const int64_t b = op_.integer(ASSAY_ATTENTION_BATCH), h = op_.integer(ASSAY_ATTENTION_HEADS);
  const int64_t kh = op_.integer(ASSAY_ATTENTION_KV_HEADS), dk = op_.integer(ASSAY_ATTENTION_DIM_QK);
  const int64_t dv = op_.integer(ASSAY_ATTENTION_DIM_V), mask = op_.integer(ASSAY_ATTENTION_MASK);
  const int64_t rope = op_.integer(ASSAY_ATTENTION_DIM_ROPE);
  batch(in(0).rows, b);
  need(kh >= 1 && h >= 1 && h % kh == 0, "kv_heads does not divide heads");
  can(dk >= 1 && dv >= 1 && dk <= 1024 && dv <= 512, "dim_qk must be 1 to 1024, dim_v 1 to 512");
  need(rope >= 0 && rope <= dk, "dim_rope must be 0 to dim_qk");
  slice(op_.integer(ASSAY_ATTENTION_Q_COL), h * dk, in(0).cols);
  cache(in(1), b, kh, op_.integer(ASSAY_ATTENTION_KV_COL_K), dk - rope);
  cache(in(2), b, kh, op_.integer(ASSAY_ATTENTION_KV_COL_V), dv);
  need(in(1).dims[1] == in(2).dims[1], "k and v differ in length");
  need(in(1).dims[1] <= 0x7fffffff, "more keys than an i32 counts");
  page_table(b);
  need(out(0).rows == in(0).rows && out(0).cols == h * dv, "y is not [M,H*DV]");
  need(mask >= ASSAY_MASK_FULL && mask <= ASSAY_MASK_CROSS, "unknown mask");
  need(mask == ASSAY_MASK_CROSS || capacity() >= in(0).rows / b, "the KV cache is shorter than the step");
  need(mask != ASSAY_MASK_CROSS || op_.pages() == kAbsent, "pages do not go with mask CROSS");
  need(mask != ASSAY_MASK_WINDOW || op_.integer(ASSAY_ATTENTION_WINDOW) >= 1, "the window must be at least 1");
  need(op_.attr[ASSAY_ATTENTION_SCALE] > 0, "scale must be above 0");
  need(op_.has_in(3) == (rope > 0), "k_rope must be given where dim_rope is above 0, and only there");
  floats({&in(0), &out(0)});
  if (rope > 0) {
    cache(in(3), b, 1, 0, rope);
    need(in(3).dims[1] == in(1).dims[1], "k and k_rope differ in length");
  }
  if (op_.has_in(4)) integers(in(4), in(0).rows * in(4).cols);
}

bool Lower::attention_on_matrix_cores(AttentionArgs a) {
  const Slot& q = in(0);
  const bool same = q.dtype != ASSAY_F32 && q.dtype == keys_.dtype && q.dtype == in(2).dtype;
  const bool eights = (q.cols | a.q_col | keys_.cols | in(2).cols | a.col_k | a.col_v) % 8 == 0;
  if (!same || !eights || a.dim_rope > 0 || op_.has_in(4) || a.tokens < kMatrixTokens || a.dim_qk % 16 != 0 ||
      a.dim_v % 16 != 0 || a.dim_v > 128 || a.dim_qk > 256 || !plan_.device->has("attention_matrix")) {
    return false;
  }
  const auto pitch = static_cast<uint64_t>(a.dim_qk / 2 + 4);
  const uint64_t shared = pitch * 2 * 64 * 4 + static_cast<uint64_t>(a.dim_v) * 72 * 2;
  if (shared > plan_.device->shared_bytes) return false;
  launch("attention_matrix", {(a.tokens + 63) / 64, a.heads, a.rows / a.tokens, 128, shared}, a);
  return true;
}

void Lower::attention() {
  attention_shapes();
  AttentionArgs a{};
  a.q = in_data(0);
  a.k = in_data(1);
  a.v = in_data(2);
  a.rope = in_data(3);
  a.index = in_data(4);
  a.y = data(out(0));
  a.pos = pos();
  a.rows = in(0).rows;
  const int64_t b = op_.integer(ASSAY_ATTENTION_BATCH);
  a.tokens = a.rows / b;
  a.heads = op_.integer(ASSAY_ATTENTION_HEADS);
  a.kv_heads = op_.integer(ASSAY_ATTENTION_KV_HEADS);
  a.dim_qk = op_.integer(ASSAY_ATTENTION_DIM_QK);
  a.dim_v = op_.integer(ASSAY_ATTENTION_DIM_V);
  a.dim_rope = op_.integer(ASSAY_ATTENTION_DIM_ROPE);
  a.mask = op_.integer(ASSAY_ATTENTION_MASK);
  a.window = op_.integer(ASSAY_ATTENTION_WINDOW);
  a.q_col = op_.integer(ASSAY_ATTENTION_Q_COL);
  a.col_k = op_.integer(ASSAY_ATTENTION_KV_COL_K);
  a.col_v = op_.integer(ASSAY_ATTENTION_KV_COL_V);
  a.slots = capacity();
  a.scale = op_.attr[ASSAY_ATTENTION_SCALE];
  a.pages = pages();
  keys_ = in(1);
  const size_t joined = plan_.calls.size();
  join_keys(&a);
  choose_attention(a, joined, attention_forms(a));
}

// Many queries of keys in two parts: whole keys are made first, which matrix cores and the library can read.
void Lower::join_keys(AttentionArgs* a) {
  const bool same = in(0).dtype != ASSAY_F32 && in(0).dtype == in(1).dtype && in(0).dtype == in(2).dtype;
  if (a->dim_rope == 0 || op_.has_in(4) || op_.pages() != kAbsent || !same || in(3).dtype != in(0).dtype ||
      a->tokens < kMatrixTokens || (a->dim_qk | a->dim_v) % 16 != 0 || (a->dim_rope | in(1).cols | a->col_k) % 8 != 0 ||
      a->dim_qk > 256 || a->dim_v > 128 || in(3).cols != a->dim_rope || in(1).rows > 0x7fffffff) {
    return;
  }
  keys_.cols = a->dim_qk;
  keys_.dims = {in(1).dims[0], a->slots, a->kv_heads, a->dim_qk};
  keys_.data = workspace(keys_.bytes());
  const bool all = a->mask == ASSAY_MASK_CROSS;
  launch("join_keys", {keys_.dims[0] * a->slots, 1, 1, 128, 0},
         JoinArgs{a->k, a->rope, data(keys_), a->pos, all ? a->slots : a->tokens, a->slots, a->kv_heads, a->col_k});
  a->k = data(keys_);
  a->rope = {};
  a->dim_rope = a->col_k = 0;
}

void Lower::index_topk() {
  const int64_t b = op_.integer(ASSAY_INDEX_TOPK_BATCH), heads = op_.integer(ASSAY_INDEX_TOPK_HEADS);
  const int64_t dim = op_.integer(ASSAY_INDEX_TOPK_DIM), rows = in(0).rows;
  batch(rows, b);
  need(heads >= 1 && dim >= 1 && heads <= 4096 && dim <= 4096, "heads and dim must be 1 to 4096");
  slice(op_.integer(ASSAY_INDEX_TOPK_Q_COL), heads * dim, in(0).cols);
  cache(in(1), b, 1, 0, dim);
  need(in(1).dims[3] == dim, "k is not [B,S,1,D]");
  need(in(2).rows == rows && in(2).cols == heads, "weight is not [M,H]");
  need(in(1).dims[1] >= rows / b && in(1).dims[1] <= 0x7fffffff, "the cache is shorter than the step");
  integers(out(0), rows * out(0).cols);
  floats({&in(0), &in(2)});
  const int64_t slots = in(1).dims[1];
  auto* scores = reinterpret_cast<float*>(workspace(static_cast<uint64_t>(rows * slots) * 4));
  launch("index_topk", {rows},
         IndexArgs{in_data(0), in_data(1), in_data(2), data(out(0)), pos(), scores, rows / b, heads, dim,
                   op_.integer(ASSAY_INDEX_TOPK_Q_COL), slots, out(0).cols, op_.attr[ASSAY_INDEX_TOPK_SCALE]});
}

}  // namespace assay::gpu
