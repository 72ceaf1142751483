// Attention of few tokens: which kernels there are for a shape, and among how many blocks the keys are shared.
#include <algorithm>

#include "adapters/gpu/lower.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kFewTokens = 16;      // fewer than that
constexpr int64_t kGroupRows = 8;       // heads that attention_rows takes together
constexpr int64_t kKeysPerSplit = 256;  // a split's least share
constexpr int64_t kFewKeys = 128;       // the same where every key is read once
constexpr int64_t kBlocksPerProcessor = 4, kBlocksOfFew = 24;
constexpr int64_t kMostSplits = 512;              // of a row of keys
constexpr int64_t kRunKeys = 16, kStepKeys = 64;  // of attention_few_matrix: that a warp, a block reads at once

}  // namespace

// The own kernels for a shape, each with what it needs of the op's workspace: one of them runs. First those on matrix
// cores, last the one that rounds least.
std::vector<AttentionForm> Lower::attention_forms(const AttentionArgs& a) {
  std::vector<AttentionForm> forms;
  const uint64_t before = used_;
  uint64_t most = used_;
  const auto add = [&](const char* name, const char* note, bool (Lower::*launches)(AttentionArgs)) {
    const auto at = static_cast<std::ptrdiff_t>(plan_.calls.size());
    used_ = before;
    if (!(this->*launches)(a)) return;
    forms.push_back({name, note, {plan_.calls.begin() + at, plan_.calls.end()}});
    plan_.calls.erase(plan_.calls.begin() + at, plan_.calls.end());
    most = std::max(most, used_);
  };
  const char* on_matrix_cores = "own kernel on matrix cores";
  add("own kernel", "attention of many tokens: own kernel on matrix cores", &Lower::attention_on_matrix_cores);
  if (!forms.empty()) return forms;
  add(on_matrix_cores, "attention of few tokens: own kernel on matrix cores", &Lower::attention_of_few_on_matrix_cores);
  add(on_matrix_cores, "attention of few tokens: own kernel on matrix cores", &Lower::attention_of_latent);
  const size_t n = forms.size();
  add("own kernel", "attention: own kernel", &Lower::attention_of_few);
  if (forms.size() == n) add("own kernel", "attention: own kernel", &Lower::attention_by_rows);
  used_ = most;
  return forms;
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
      op_.has_in(4) || a.tokens >= kFewTokens || a.rows / a.tokens > 65535 || a.heads > 65535) {
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
  return true;
}

// The same in the latent space, where a head's value is the first part of the one key of all heads.
bool Lower::attention_of_latent(AttentionArgs a) {
  const Slot &q = in(0), &k = keys_;
  const bool same = q.dtype != ASSAY_F32 && q.dtype == k.dtype && q.dtype == out(0).dtype && op_.in[1] == op_.in[2];
  const bool eights = (q.cols | a.q_col | k.cols | a.col_k) % 8 == 0;
  if (!same || !eights || a.col_k != a.col_v || a.dim_qk != 576 || a.dim_v != 512 || a.dim_rope > 0 ||
      a.tokens >= kFewTokens || a.rows > 65535 || a.heads > 65535) {
    return false;
  }
  const int64_t per_kv = a.heads / a.kv_heads, of_block = per_kv <= 16 ? 16 : 32;
  const std::string kernel =
      "attention_latent_" + std::to_string(of_block) + (q.dtype == ASSAY_BF16 ? "_bf16" : "_f16");
  if (!plan_.device->has(kernel)) return false;
  const int64_t groups = a.kv_heads * ((per_kv + of_block - 1) / of_block);
  split(&a, even_splits(groups * a.rows, 2, op_.has_in(4) ? in(4).cols : a.slots));
  launch(kernel.c_str(), {groups, a.splits, a.rows, 128, 0}, a);
  if (a.splits > 1) launch("attention_combine", {a.rows, a.heads, 1, 256, 0}, a);
  return true;
}

// A step of decoding without matrix cores.
bool Lower::attention_of_few(AttentionArgs a) {
  const Slot &q = in(0), &k = keys_, &v = in(2);
  const bool same = k.dtype == v.dtype && a.dim_qk == a.dim_v;
  const bool eights = (q.cols | a.q_col | k.cols | a.col_k | v.cols | a.col_v) % 8 == 0;
  if (!same || !eights || (a.dim_qk != 64 && a.dim_qk != 128) || a.dim_rope > 0 || op_.has_in(4) ||
      a.tokens >= kFewTokens || a.rows > 65535) {
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
  return true;
}

bool Lower::attention_by_rows(AttentionArgs a) {
  const int64_t per_kv = a.heads / a.kv_heads;
  const int64_t groups = a.kv_heads * ((per_kv + kGroupRows - 1) / kGroupRows);
  const int64_t keys = op_.has_in(4) ? in(4).cols : a.slots;
  const int64_t blocks = groups * a.rows;
  const int64_t wanted = plan_.device->multiprocessors * kBlocksPerProcessor;
  split(&a, shares_of_keys(wanted, blocks, keys / kKeysPerSplit));
  const uint64_t shared = static_cast<uint64_t>(kGroupRows * a.dim_qk) * 4;
  launch("attention_rows", {a.tokens, groups, a.rows / a.tokens * a.splits, 128, shared}, a);
  if (a.splits > 1) launch("attention_combine", {a.rows, a.heads, 1, 256, 0}, a);
  return true;
}

}  // namespace assay::gpu
