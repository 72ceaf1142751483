#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

struct Attention {
  Attention(Plan& plan, const Op& op)
      : kernels(*plan.kernels),
        q(plan.slots[op.in[0]]),
        k(plan.slots[op.in[1]]),
        v(plan.slots[op.in[2]]),
        y(plan.slots[op.out[0]]),
        batch(op.integer(ASSAY_ATTENTION_BATCH)),
        heads(op.integer(ASSAY_ATTENTION_HEADS)),
        kv_heads(op.integer(ASSAY_ATTENTION_KV_HEADS)),
        dk(op.integer(ASSAY_ATTENTION_DIM_QK)),
        dv(op.integer(ASSAY_ATTENTION_DIM_V)),
        mask(op.integer(ASSAY_ATTENTION_MASK)),
        window(op.integer(ASSAY_ATTENTION_WINDOW)),
        q_col(op.integer(ASSAY_ATTENTION_Q_COL)),
        tokens(plan.slots[op.in[0]].rows / op.integer(ASSAY_ATTENTION_BATCH)),
        slot(op.scalar_slot),
        scale(static_cast<float>(op.attr[ASSAY_ATTENTION_SCALE])) {}

  // Keys [first, last) that token t of the step sees.
  [[nodiscard]] int64_t first(int64_t pos, int64_t t) const {
    return mask == ASSAY_MASK_WINDOW ? std::max<int64_t>(0, pos + t - window + 1) : 0;
  }
  [[nodiscard]] int64_t last(int64_t pos, int64_t t) const {
    return mask == ASSAY_MASK_FULL ? pos + tokens : pos + t + 1;
  }
  [[nodiscard]] const char* key(int64_t b, int64_t j, int64_t g) const {
    return k.data + at(((b * k.dims[1] + j) * kv_heads + g) * dk) * element_bytes(k.dtype);
  }
  [[nodiscard]] const char* value(int64_t b, int64_t j, int64_t g) const {
    return v.data + at(((b * v.dims[1] + j) * kv_heads + g) * dv) * element_bytes(v.dtype);
  }
  [[nodiscard]] const float* query(int64_t row, int64_t h) const { return q.f32() + row * q.cols + q_col + h * dk; }

  const Kernels& kernels;
  const Slot &q, &k, &v;
  Slot& y;
  int64_t batch, heads, kv_heads, dk, dv, mask, window, q_col, tokens;
  uint32_t slot;
  float scale;
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

constexpr int64_t kKeys = 256;  // keys per tile

// One token per sequence: the cache is read once, cut over heads and stretches of keys.
class DecodeStage : public Stage {
 public:
  DecodeStage(const Attention& a, unsigned threads) : a_(a) {
    const auto lanes = std::max<int64_t>(1, a.batch * a.kv_heads);
    max_splits_ = std::max<int64_t>(1, (int64_t{4} * threads + lanes - 1) / lanes);
    partial_.resize(at(a.batch * a.heads * max_splits_ * (a.dv + 2)));
  }
  [[nodiscard]] int64_t splits(const Step& step) const {
    const int64_t pos = step.pos(a_.slot);
    const int64_t keys = a_.last(pos, 0) - a_.first(pos, 0);
    return std::clamp<int64_t>(keys / kKeys, 1, max_splits_);
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    return static_cast<uint32_t>(a_.batch * a_.kv_heads * splits(step));
  }
  [[nodiscard]] size_t scratch_bytes() const override { return kMaxSkinnyRows * at(kKeys) * sizeof(float); }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    const int64_t n = splits(step);
    const int64_t split = task % n;
    const int64_t g = task / n % a_.kv_heads;
    const int64_t b = task / n / a_.kv_heads;
    const int64_t pos = step.pos(a_.slot);
    const int64_t begin = a_.first(pos, 0);
    const int64_t keys = a_.last(pos, 0) - begin;
    const int64_t from = begin + keys * split / n;
    const int64_t to = begin + keys * (split + 1) / n;
    const int64_t group = a_.heads / a_.kv_heads;
    for (int64_t h = 0; h < group; h += kMaxSkinnyRows) {
      const int m = static_cast<int>(std::min<int64_t>(kMaxSkinnyRows, group - h));
      stretch(b, g, g * group + h, m, from, to, split, reinterpret_cast<float*>(scratch));
    }
  }
  // Joins the stretches of one head: y = sum of partial sums, each brought to the common top.
  void join(const Step& step, size_t row) const {
    const int64_t n = splits(step);
    const float* part = partial(static_cast<int64_t>(row), 0);
    const size_t dv = at(a_.dv);
    float top = part[dv];
    for (int64_t s = 1; s < n; ++s) top = std::max(top, part[at(s) * (dv + 2) + dv]);
    float total = 0;
    for (int64_t s = 0; s < n; ++s) {
      total += part[at(s) * (dv + 2) + dv + 1] * std::exp(part[at(s) * (dv + 2) + dv] - top);
    }
    float* y = a_.y.f32() + row * dv;
    for (size_t d = 0; d < dv; ++d) y[d] = 0;
    for (int64_t s = 0; s < n; ++s, part += dv + 2) {
      const float share = std::exp(part[dv] - top) / total;
      for (size_t d = 0; d < dv; ++d) y[d] += part[d] * share;
    }
  }

 private:
  // dv sums, top, total
  [[nodiscard]] float* partial(int64_t head, int64_t split) const {
    return partial_.data() + at((head * max_splits_ + split) * (a_.dv + 2));
  }
  void stretch(int64_t b, int64_t g, int64_t h, int m, int64_t from, int64_t to, int64_t split, float* scores) const {
    Running running[kMaxSkinnyRows];
    float keep[kMaxSkinnyRows] = {};
    float* sums = partial(b * a_.heads + h, split);
    const size_t ld = at(max_splits_ * (a_.dv + 2));
    for (int r = 0; r < m; ++r) std::fill_n(sums + at(r) * ld, a_.dv, 0.0f);
    for (int64_t j = from; j < to; j += kKeys) {
      const size_t n = at(std::min(kKeys, to - j));
      a_.kernels.matvec({a_.key(b, j, g), a_.k.dtype, at(a_.kv_heads * a_.dk), n, at(a_.dk), a_.query(b, h), at(a_.dk),
                         m, scores, at(kKeys), nullptr, nullptr, 0, 0});
      for (int r = 0; r < m; ++r) keep[r] = running[r].take(a_.kernels, scores + r * kKeys, a_.scale, n);
      a_.kernels.weighted_sum(
          {a_.value(b, j, g), a_.v.dtype, at(a_.kv_heads * a_.dv), n, at(a_.dv), scores, at(kKeys), m, keep, sums, ld});
    }
    for (int r = 0; r < m; ++r) {
      sums[at(r) * ld + at(a_.dv)] = running[r].top;
      sums[at(r) * ld + at(a_.dv) + 1] = running[r].total;
    }
  }

  Attention a_;
  int64_t max_splits_;
  mutable std::vector<float> partial_;  // written by run, each stretch by one task
};

class JoinStage : public Stage {
 public:
  JoinStage(const DecodeStage& decode, int64_t rows) : decode_(decode), rows_(rows) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((rows_ + kRows - 1) / kRows);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t end = std::min(rows_, (task + 1) * kRows);
    for (int64_t row = task * kRows; row < end; ++row) decode_.join(step, at(row));
  }

 private:
  static constexpr int64_t kRows = 64;
  const DecodeStage& decode_;
  int64_t rows_;
};

// Many tokens per sequence: tiles of queries of one head against tiles of keys, products by oneDNN.
class PrefillStage : public Stage {
 public:
  explicit PrefillStage(const Attention& a) : a_(a) { tiles_ = (a.tokens + kQueries - 1) / kQueries; }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>(a_.batch * a_.heads * tiles_);
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return at(kQueries * (kKeys + a_.dv) + kKeys * (a_.dk + a_.dv)) * sizeof(float);
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    Tile tile;
    tile.h = task % a_.heads;
    tile.b = task / a_.heads % a_.batch;
    tile.t = (tiles_ - 1 - task / a_.heads / a_.batch) * kQueries;  // the longest first
    tile.n = std::min(kQueries, a_.tokens - tile.t);
    tile.pos = step.pos(a_.slot);
    tile.scores = reinterpret_cast<float*>(scratch);
    tile.sums = tile.scores + kQueries * kKeys;
    tile.wide_k = tile.sums + kQueries * a_.dv;
    tile.wide_v = tile.wide_k + kKeys * a_.dk;
    std::fill_n(tile.sums, tile.n * a_.dv, 0.0f);
    const int64_t end = a_.last(tile.pos, tile.t + tile.n - 1);
    for (int64_t j = a_.first(tile.pos, tile.t) / kKeys * kKeys; j < end; j += kKeys) {
      take_keys(tile, j, std::min(kKeys, end - j));
    }
    for (int64_t r = 0; r < tile.n; ++r) {
      float* y = a_.y.f32() + (tile.b * a_.tokens + tile.t + r) * a_.y.cols + tile.h * a_.dv;
      a_.kernels.scale(tile.sums + r * a_.dv, 1.0f / tile.running[r].total, y, at(a_.dv));
    }
  }

 private:
  static constexpr int64_t kQueries = 64;
  struct Tile {
    int64_t b = 0, h = 0, t = 0, n = 0, pos = 0;
    float *scores = nullptr, *sums = nullptr, *wide_k = nullptr, *wide_v = nullptr;
    Running running[kQueries];
  };

  // The tile's keys or values in f32: in place where they are, else widened; sets their leading dimension.
  const float* as_f32(const Slot& cache, const char* from, int64_t dim, int64_t n, float* wide, int64_t* ld) const {
    if (cache.dtype == ASSAY_F32) {
      *ld = a_.kv_heads * dim;
      return reinterpret_cast<const float*>(from);
    }
    const size_t stride = at(a_.kv_heads * dim) * element_bytes(cache.dtype);
    for (int64_t j = 0; j < n; ++j) a_.kernels.to_f32(cache.dtype, from + at(j) * stride, wide + j * dim, at(dim));
    *ld = dim;
    return wide;
  }

  void take_keys(Tile& tile, int64_t j, int64_t n) const {
    const int64_t g = tile.h / (a_.heads / a_.kv_heads);
    int64_t ld_k = 0;
    int64_t ld_v = 0;
    const float* k = as_f32(a_.k, a_.key(tile.b, j, g), a_.dk, n, tile.wide_k, &ld_k);
    const float* v = as_f32(a_.v, a_.value(tile.b, j, g), a_.dv, n, tile.wide_v, &ld_v);
    const float* q = a_.query(tile.b * a_.tokens + tile.t, tile.h);
    dnnl_sgemm('N', 'T', tile.n, n, a_.dk, 1.0f, q, a_.q.cols, k, ld_k, 0.0f, tile.scores, kKeys);
    for (int64_t r = 0; r < tile.n; ++r) weigh(tile, r, j, n);
    dnnl_sgemm('N', 'N', tile.n, a_.dv, n, 1.0f, tile.scores, kKeys, v, ld_v, 1.0f, tile.sums, a_.dv);
  }

  // Softmax over the keys of [j, j + n) that query r sees; zero for the others.
  void weigh(Tile& tile, int64_t r, int64_t j, int64_t n) const {
    float* scores = tile.scores + r * kKeys;
    const int64_t from = std::clamp<int64_t>(a_.first(tile.pos, tile.t + r) - j, 0, n);
    const int64_t to = std::clamp<int64_t>(a_.last(tile.pos, tile.t + r) - j, from, n);
    std::fill(scores, scores + from, 0.0f);
    std::fill(scores + to, scores + n, 0.0f);
    if (from == to) return;
    const float keep = tile.running[r].take(a_.kernels, scores + from, a_.scale, at(to - from));
    float* sums = tile.sums + r * a_.dv;
    if (keep != 1.0f) a_.kernels.scale(sums, keep, sums, at(a_.dv));
  }

  Attention a_;
  int64_t tiles_;
};

}  // namespace

void add_attention(Plan& plan, const Op& op) {
  const Attention a(plan, op);
  if (a.k.dtype != ASSAY_F32) plan.note(std::string("attention in f32 over a KV cache in ") + dtype_text(a.k.dtype));
  if (a.tokens > 1) {
    plan.stages.push_back(std::make_unique<PrefillStage>(a));
    plan.note("attention of many tokens: products by " + onednn_text() + ", own softmax");
    return;
  }
  auto decode = std::make_unique<DecodeStage>(a, plan.threads);
  auto join = std::make_unique<JoinStage>(*decode, a.batch * a.heads);
  plan.stages.push_back(std::move(decode));
  plan.stages.push_back(std::move(join));
}

}  // namespace assay::cpu
