#include "adapters/cpu/attention.h"

#include <utility>

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

constexpr int64_t kKeys = 256;  // keys per tile

// Few queries per KV head: the cache is read once, cut over heads and stretches of keys.
class StreamStage : public Stage {
 public:
  StreamStage(const Attention& a, unsigned threads)
      : a_(a),
        partials_(a, most_splits(a, threads)),
        ld_k_(at(a.k.dims[2] * a.k.cols)),
        ld_v_(at(a.v.dims[2] * a.v.cols)) {}
  [[nodiscard]] int64_t splits(const Step& step) const {
    const int64_t pos = step.pos(a_.slot);
    return std::clamp<int64_t>((a_.last(pos, 0) - a_.first(pos, 0)) / kKeys, 1, partials_.splits());
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
    for (int64_t h = 0; h < a_.group; h += kMaxSkinnyRows) {
      const int m = static_cast<int>(std::min<int64_t>(kMaxSkinnyRows, a_.group - h));
      stretch(b, g, g * a_.group + h, m, from, to, split, reinterpret_cast<float*>(scratch));
    }
  }
  [[nodiscard]] Partials& partials() const { return partials_; }

 private:
  static int64_t most_splits(const Attention& a, unsigned threads) {
    const auto lanes = std::max<int64_t>(1, a.batch * a.kv_heads);
    return std::max<int64_t>(1, (int64_t{4} * threads + lanes - 1) / lanes);
  }
  // From this many queries on the sums over a key's few elements cost more than its products, one row at a time.
  static constexpr int kDotRows = 3;
  // Keys that are asked for at a time: a head's few elements of each lie apart, so that the hardware does not fetch
  // ahead.
  static constexpr int64_t kAsked = 64;
  // `n` rows of `elements` of a cache from `row` on; none for n <= 0.
  static void ask_for(const char* row, const Slot& cache, int64_t elements, int64_t n) {
    constexpr size_t kLine = 64;
    const size_t size = element_bytes(cache.dtype);
    const size_t stride = at(cache.dims[2] * cache.cols) * size;
    for (int64_t i = 0; i < n; ++i, row += stride) {
      for (size_t line = 0; line < at(elements) * size; line += kLine) __builtin_prefetch(row + line, 0, 2);
    }
  }
  void stretch(int64_t b, int64_t g, int64_t h, int m, int64_t from, int64_t to, int64_t split, float* scores) const {
    Running running[kMaxSkinnyRows];
    float keep[kMaxSkinnyRows] = {};
    float* sums = partials_.at(b * a_.heads + h, split);
    const size_t ld = partials_.ld();
    for (int r = 0; r < m; ++r) std::fill_n(sums + at(r) * ld, a_.dv, 0.0f);
    ask_for(a_.key(b, from, g), a_.k, a_.dk, std::min(kAsked, to - from));
    for (int64_t j = from; j < to; j += kKeys) {
      const size_t n = at(std::min(kKeys, to - j));
      for (int64_t i = j; i < j + static_cast<int64_t>(n); i += kAsked) {
        const int64_t block = std::min(kAsked, j + static_cast<int64_t>(n) - i);
        ask_for(a_.value(b, i, g), a_.v, a_.dv, block);
        ask_for(a_.key(b, i + kAsked, g), a_.k, a_.dk, std::min(kAsked, to - i - kAsked));
        (m < kDotRows ? a_.kernels.matvec
                      : a_.kernels.dot_gemm)({a_.key(b, i, g), a_.k.dtype, ld_k_, at(block), at(a_.dk), a_.query(b, h),
                                              at(a_.dk), m, scores + (i - j), at(kKeys), nullptr, nullptr, 0, 0});
      }
      for (int r = 0; r < m; ++r) keep[r] = running[r].take(a_.kernels, scores + r * kKeys, a_.scale, n);
      a_.kernels.weighted_sum(
          {a_.value(b, j, g), a_.v.dtype, ld_v_, n, at(a_.dv), scores, at(kKeys), m, keep, sums, ld});
    }
    for (int r = 0; r < m; ++r) {
      sums[at(r) * ld + at(a_.dv)] = running[r].top;
      sums[at(r) * ld + at(a_.dv) + 1] = running[r].total;
    }
  }

  Attention a_;
  mutable Partials partials_;  // written by run, each stretch by one task
  size_t ld_k_, ld_v_;
};

class JoinStage : public Stage {
 public:
  JoinStage(Partials& partials, Slot& y, std::function<int64_t(const Step&)> splits)
      : partials_(partials), y_(y), splits_(std::move(splits)) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((partials_.rows() + kRows - 1) / kRows);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t n = splits_(step);
    const int64_t dv = static_cast<int64_t>(y_.elements()) / partials_.rows();
    const int64_t end = std::min(partials_.rows(), (task + 1) * kRows);
    for (int64_t row = task * kRows; row < end; ++row) partials_.join(row, n, y_.f32() + row * dv);
  }

 private:
  static constexpr int64_t kRows = 64;
  Partials& partials_;
  Slot& y_;
  std::function<int64_t(const Step&)> splits_;
};

}  // namespace

void Partials::join(int64_t row, int64_t n, float* y) {
  const float* part = at(row, 0);
  const size_t dv = static_cast<size_t>(dv_);
  float top = -std::numeric_limits<float>::infinity();
  for (int64_t s = 0; s < n; ++s) top = std::max(top, at(row, s)[dv]);
  std::fill_n(y, dv, 0.0f);
  float total = 0;
  for (int64_t s = 0; s < n; ++s) {
    if (at(row, s)[dv + 1] > 0) total += at(row, s)[dv + 1] * std::exp(at(row, s)[dv] - top);
  }
  for (int64_t s = 0; s < n; ++s, part += dv + 2) {
    if (part[dv + 1] <= 0) continue;
    const float share = std::exp(part[dv] - top) / total;
    for (size_t d = 0; d < dv; ++d) y[d] += part[d] * share;
  }
}

void add_join(Plan& plan, Partials& partials, Slot& y, std::function<int64_t(const Step&)> splits) {
  plan.stages.push_back(std::make_unique<JoinStage>(partials, y, std::move(splits)));
}

void add_attention(Plan& plan, const Op& op) {
  const Attention a(plan, op);
  const bool many = a.tokens > 1 || a.group > kStreamedRows || a.rope > 0 || a.index != nullptr;
  if (many && attends_in_bf16(plan, a)) return add_flash_bf16_attention(plan, a);
  if (a.k.dtype != ASSAY_F32) plan.note(std::string("attention in f32 over a KV cache in ") + dtype_text(a.k.dtype));
  if (many) return add_flash_attention(plan, a);
  auto stream = std::make_unique<StreamStage>(a, plan.threads);
  const StreamStage& stage = *stream;
  plan.stages.push_back(std::move(stream));
  add_join(plan, stage.partials(), a.y, [&stage](const Step& step) { return stage.splits(step); });
}

}  // namespace assay::cpu
