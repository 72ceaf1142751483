// One attention op as its stages see it. Shared by the stages of few and of many rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

struct Attention {
  Attention(Plan& plan, const Op& op)
      : kernels(*plan.kernels),
        q(plan.slots[op.in[0]]),
        k(plan.slots[op.in[1]]),
        v(plan.slots[op.in[2]]),
        k_rope(op.has_in(3) ? &plan.slots[op.in[3]] : nullptr),
        index(op.has_in(4) ? &plan.slots[op.in[4]] : nullptr),
        y(plan.slots[op.out[0]]),
        rows(plan.slots, op),
        batch(op.integer(ASSAY_ATTENTION_BATCH)),
        heads(op.integer(ASSAY_ATTENTION_HEADS)),
        kv_heads(op.integer(ASSAY_ATTENTION_KV_HEADS)),
        dk(op.integer(ASSAY_ATTENTION_DIM_QK)),
        dv(op.integer(ASSAY_ATTENTION_DIM_V)),
        rope(op.integer(ASSAY_ATTENTION_DIM_ROPE)),
        mask(op.integer(ASSAY_ATTENTION_MASK)),
        window(op.integer(ASSAY_ATTENTION_WINDOW)),
        q_col(op.integer(ASSAY_ATTENTION_Q_COL)),
        k_col(op.integer(ASSAY_ATTENTION_KV_COL_K)),
        v_col(op.integer(ASSAY_ATTENTION_KV_COL_V)),
        tokens(plan.slots[op.in[0]].rows / op.integer(ASSAY_ATTENTION_BATCH)),
        group(heads / kv_heads),
        slot(op.scalar_slot),
        scale(static_cast<float>(op.attr[ASSAY_ATTENTION_SCALE])) {}

  // Keys [first, last) that token t of the step sees.
  [[nodiscard]] int64_t first(int64_t pos, int64_t t) const {
    return mask == ASSAY_MASK_WINDOW ? std::max<int64_t>(0, pos + t - window + 1) : 0;
  }
  [[nodiscard]] int64_t last(int64_t pos, int64_t t) const {
    if (mask == ASSAY_MASK_CROSS) return k.dims[1];
    return mask == ASSAY_MASK_FULL ? pos + tokens : pos + t + 1;
  }
  // Of row `at` of the caches.
  [[nodiscard]] const char* key(int64_t at, int64_t g) const { return element(k, at, g, k_col); }
  [[nodiscard]] const char* value(int64_t at, int64_t g) const { return element(v, at, g, v_col); }
  [[nodiscard]] const char* key_rope(int64_t at) const { return element(*k_rope, at, 0, 0); }
  [[nodiscard]] const float* query(int64_t row, int64_t h) const { return q.f32() + row * q.cols + q_col + h * dk; }

  const Kernels& kernels;
  const Slot &q, &k, &v;
  const Slot *k_rope, *index;  // nullptr: none
  Slot& y;
  CacheRows rows;
  int64_t batch, heads, kv_heads, dk, dv, rope, mask, window, q_col, k_col, v_col, tokens, group;
  uint32_t slot;
  float scale;

 private:
  static const char* element(const Slot& cache, int64_t at, int64_t g, int64_t d) {
    const int64_t first = (at * cache.dims[2] + g) * cache.cols + d;
    return cache.data + static_cast<size_t>(first) * element_bytes(cache.dtype);
  }
};

// The running softmax of one query over tiles of keys: largest scaled score, sum of exponentials.
struct Running {
  float top = -std::numeric_limits<float>::infinity(), total = 0;

  // Turns scores [0, n) into weights; returns what earlier sums are to be multiplied by.
  float take(const Kernels& kernels, float* scores, float scale, size_t n) {
    const float next = std::max(top, kernels.row_max(scores, n) * scale);
    const float keep = total > 0 ? std::exp(top - next) : 0.0f;
    total = total * keep + kernels.exp_sum(scores, scale, next, n);
    top = next;
    return keep;
  }
};

// Sums of stretches of keys, taken by different tasks, and their joining. Rows are [batch * tokens, heads].
class Partials {
 public:
  Partials(const Attention& a, int64_t splits) : rows_(a.batch * a.tokens * a.heads), splits_(splits), dv_(a.dv) {
    values_.resize(static_cast<size_t>(rows_ * splits_ * (dv_ + 2)));
  }
  [[nodiscard]] int64_t rows() const { return rows_; }
  [[nodiscard]] int64_t splits() const { return splits_; }
  [[nodiscard]] size_t bytes() const { return values_.size() * sizeof(float); }
  // Elements between two rows of one split.
  [[nodiscard]] size_t ld() const { return static_cast<size_t>(splits_ * (dv_ + 2)); }
  // dv sums, then top and total, of one stretch of a row's keys.
  [[nodiscard]] float* at(int64_t row, int64_t split) {
    return values_.data() + static_cast<size_t>((row * splits_ + split) * (dv_ + 2));
  }
  // y = the sum of a row's first n stretches, each brought to the common top; 0 where no key was seen.
  void join(int64_t row, int64_t n, float* y);

 private:
  int64_t rows_, splits_, dv_;
  std::vector<float> values_;
};

// Joins what a stage has put into its partials. `splits`: how many stretches that was in this step.
void add_join(Plan& plan, Partials& partials, Slot& y, std::function<int64_t(const Step&)> splits);

// Up to this many rows of queries per KV head and sequence the cache is read as it lies.
inline constexpr int64_t kStreamedRows = 16;

void add_flash_attention(Plan& plan, const Attention& a);
// Whether queries and cache were asked for in bf16 and stand so that the CPU can multiply them in it.
bool attends_in_bf16(const Plan& plan, const Attention& a);
void add_flash_bf16_attention(Plan& plan, const Attention& a);

}  // namespace assay::cpu
