// Attention and what chooses its keys.
#include <algorithm>

#include "adapters/gpu/lower.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kGroupRows = 8;       // heads that attention_rows takes together
constexpr int64_t kMatrixTokens = 16;   // fewer leave matrix cores idle
constexpr int64_t kKeysPerSplit = 256;  // a split's least share
constexpr int64_t kFewKeys = 128;       // the same where every key is read once
constexpr int64_t kBlocksPerProcessor = 4, kBlocksOfFew = 24;
constexpr int64_t kMostSplits = 512;              // of a row of keys
constexpr int64_t kRunKeys = 16, kStepKeys = 64;  // of attention_few_matrix: that a warp, a block reads at once

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

bool Lower::attention_on_matrix_cores(const AttentionArgs& a) {
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
  if (plan_.sdpa == nullptr) plan_.note("attention of many tokens: own kernel on matrix cores");
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
  const size_t first = plan_.calls.size();
  if (!attention_on_matrix_cores(a) && !attention_of_few_on_matrix_cores(a) && !attention_of_few(a))
    attention_by_rows(a);
  if (plan_.sdpa != nullptr) attention_by_library(a, joined, first);
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

// Shares of the keys for the whole chip to work, none of them tiny.
int64_t Lower::shares_of_keys(int64_t wanted, int64_t blocks, int64_t most) {
  return std::clamp<int64_t>((wanted + blocks - 1) / blocks, 1, std::clamp<int64_t>(most, 1, kMostSplits));
}

void Lower::split(AttentionArgs* a, int64_t splits) {
  a->splits = splits;
  if (splits == 1) return;
  const auto parts = static_cast<uint64_t>(a->rows * a->heads * a->splits);
  a->part = reinterpret_cast<float*>(workspace(parts * static_cast<uint64_t>(a->dim_v) * 4));
  a->stats = reinterpret_cast<float*>(workspace(parts * 8));
}

// Shares of the keys such that the blocks fill whole rounds of what the chip holds at once, `resident` on each
// multiprocessor: the last round takes as long as any. To begin and end a block counts as one step of keys.
int64_t Lower::even_splits(int64_t blocks, int64_t resident, int64_t keys) const {
  const int64_t at_once = plan_.device->multiprocessors * resident;
  const int64_t most = std::min(kMostSplits, (keys + kStepKeys - 1) / kStepKeys);
  int64_t best = 1, least = 0;
  for (int64_t splits = 1; splits <= most; ++splits) {
    const int64_t rounds = (blocks * splits + at_once - 1) / at_once;
    const int64_t steps = ((keys + splits - 1) / splits + kStepKeys - 1) / kStepKeys;
    const int64_t cost = rounds * (steps + 1) + (splits > 1 ? 1 : 0);  // the parts' sum is a kernel of its own
    if (splits > 1 && cost >= least) continue;
    best = splits;
    least = cost;
  }
  return best;
}

// A step of decoding on matrix cores: the heads of a KV head and the tokens are their rows.
bool Lower::attention_of_few_on_matrix_cores(AttentionArgs a) {
  const Slot &q = in(0), &k = keys_, &v = in(2);
  const bool same = q.dtype != ASSAY_F32 && q.dtype == k.dtype && q.dtype == v.dtype && q.dtype == out(0).dtype;
  const bool eights = (q.cols | a.q_col | k.cols | a.col_k | v.cols | a.col_v) % 8 == 0;
  const bool runs = a.pages.table == nullptr || a.pages.tokens % kRunKeys == 0;
  if (!same || !eights || !runs || (a.dim_qk != 64 && a.dim_qk != 128) || a.dim_qk != a.dim_v || a.dim_rope > 0 ||
      op_.has_in(4) || a.tokens >= kMatrixTokens || a.rows / a.tokens > 65535 || a.heads > 65535) {
    return false;
  }
  const int64_t rows = a.heads / a.kv_heads * a.tokens, of_block = rows <= 8 ? 8 : 16;
  const std::string kernel = "attention_few_matrix_" + std::to_string(a.dim_qk) + "_" + std::to_string(of_block) +
                             (q.dtype == ASSAY_BF16 ? "_bf16" : "_f16");
  if (!plan_.device->has(kernel)) return false;
  const int64_t resident = (a.dim_qk == 64 ? 5 : 4) - of_block / 8;  // as the kernels' launch bounds say
  const int64_t heads = a.kv_heads * ((rows + of_block - 1) / of_block), sequences = a.rows / a.tokens;
  const int64_t keys = a.mask == ASSAY_MASK_WINDOW ? std::min(a.slots, a.window + a.tokens) : a.slots;
  split(&a, even_splits(heads * sequences, resident, keys));
  launch(kernel.c_str(), {heads, a.splits, sequences, 128, 0}, a);
  if (a.splits > 1) launch("attention_combine", {a.rows, a.heads, 1, 256, 0}, a);
  if (plan_.sdpa == nullptr) plan_.note("attention of few tokens: own kernel on matrix cores");
  return true;
}

// A step of decoding, in kernels made for it.
bool Lower::attention_of_few(AttentionArgs a) {
  const Slot &q = in(0), &k = keys_, &v = in(2);
  const bool same = k.dtype == v.dtype && a.dim_qk == a.dim_v;
  const bool eights = (q.cols | a.q_col | k.cols | a.col_k | v.cols | a.col_v) % 8 == 0;
  if (!same || !eights || (a.dim_qk != 64 && a.dim_qk != 128) || a.dim_rope > 0 || op_.has_in(4) ||
      a.tokens >= kMatrixTokens || a.rows > 65535) {
    return false;
  }
  const int64_t per_kv = a.heads / a.kv_heads, rows = per_kv <= 4 ? 4 : 8;
  const int64_t groups = a.kv_heads * ((per_kv + rows - 1) / rows);
  split(&a, shares_of_keys(plan_.device->multiprocessors * kBlocksOfFew, groups * a.rows, a.slots / kFewKeys));
  const std::string kernel = "attention_few_" + std::to_string(a.dim_qk) + "_" + std::to_string(rows) +
                             (k.dtype == ASSAY_F32    ? "_f32"
                              : k.dtype == ASSAY_BF16 ? "_bf16"
                                                      : "_f16");
  launch(kernel.c_str(), {a.splits, groups, a.rows, 128, 0}, a);
  if (a.splits > 1) launch("attention_combine", {a.rows, a.heads, 1, 256, 0}, a);
  if (plan_.sdpa == nullptr) plan_.note("attention: own kernel");
  return true;
}

void Lower::attention_by_rows(AttentionArgs a) {
  const int64_t per_kv = a.heads / a.kv_heads;
  const int64_t groups = a.kv_heads * ((per_kv + kGroupRows - 1) / kGroupRows);
  const int64_t keys = op_.has_in(4) ? in(4).cols : a.slots;
  const int64_t blocks = groups * a.rows;
  const int64_t wanted = plan_.device->multiprocessors * kBlocksPerProcessor;
  split(&a, shares_of_keys(wanted, blocks, keys / kKeysPerSplit));
  const uint64_t shared = static_cast<uint64_t>(kGroupRows * a.dim_qk) * 4;
  launch("attention_rows", {a.tokens, groups, a.rows / a.tokens * a.splits, 128, shared}, a);
  if (a.splits > 1) launch("attention_combine", {a.rows, a.heads, 1, 256, 0}, a);
  if (plan_.sdpa == nullptr) plan_.note("attention: own kernel");
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
