#include "adapters/cpu/attention.h"

#include <utility>

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Few queries per KV head: the cache is read once, as it lies, cut into stretches of keys of all heads.
class StreamStage : public Stage {
 public:
  StreamStage(const Attention& a, unsigned threads)
      : a_(a),
        partials_(a, most_splits(a, threads)),
        threads_(threads),
        ld_k_(at(a.k.dims[2] * a.k.cols)),
        ld_v_(at(a.v.dims[2] * a.v.cols)) {
    const size_t row = std::max(ld_k_ * element_bytes(a.k.dtype), ld_v_ * element_bytes(a.v.dtype));
    keys_ = static_cast<int64_t>(std::clamp<size_t>(kTileBytes / row / 4 * 4, 4, kMostKeys));
    ahead_ = std::max<int64_t>(kBlock, kAheadBytes / static_cast<int64_t>(ld_k_ * element_bytes(a.k.dtype)));
  }
  [[nodiscard]] int64_t splits(const Step& step) const {
    const int64_t pos = step.pos(a_.slot);
    return std::clamp<int64_t>((a_.last(pos, 0) - a_.first(pos, 0)) / kFewestKeys, 1, partials_.splits());
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    return static_cast<uint32_t>(a_.batch * splits(step) * cuts(step));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return at(a_.heads) * (at(keys_) * sizeof(float) + sizeof(Running));
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    const int64_t n = splits(step);
    const int64_t split = task % n;
    const int64_t of = cuts(step);
    const int64_t cut = task / n % of;
    const int64_t b = task / n / of;
    const int64_t pos = step.pos(a_.slot);
    const int64_t begin = a_.first(pos, 0);
    const int64_t keys = a_.last(pos, 0) - begin;
    auto* running = reinterpret_cast<Running*>(scratch);
    std::fill_n(running, a_.heads, Running{});
    const Heads heads{a_.kv_heads * cut / of, a_.kv_heads * (cut + 1) / of};
    stretch(b, heads, begin + keys * split / n, begin + keys * (split + 1) / n, split, running,
            reinterpret_cast<float*>(running + a_.heads));
  }
  [[nodiscard]] Partials& partials() const { return partials_; }

 private:
  static constexpr size_t kTileBytes = 128u << 10;  // of keys, and of values, and of the keys asked for: within L2
  static constexpr size_t kMostKeys = 256;          // of a tile
  static constexpr int64_t kFewestKeys = 64;        // of a stretch
  static constexpr int64_t kBlock = 4;              // keys multiplied, and asked for, at a time: more at once get lost
  static constexpr int64_t kAheadBytes = 8 << 10;
  struct Heads {
    int64_t first, end;  // of the KV heads
  };
  static int64_t most_splits(const Attention& a, unsigned threads) {
    const int64_t wanted = (int64_t{4} * threads + a.batch - 1) / a.batch;
    return std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, a.rows.capacity() / kFewestKeys));
  }
  // Parts that the KV heads are cut into, where the stretches are fewer than the threads.
  [[nodiscard]] int64_t cuts(const Step& step) const {
    const int64_t stretches = a_.batch * splits(step);
    return std::clamp<int64_t>((threads_ + stretches - 1) / stretches, 1, a_.kv_heads);
  }
  // Keys [from, to) of these heads of sequence b. `scores`: keys_ for each head.
  void stretch(int64_t b, Heads heads, int64_t from, int64_t to, int64_t split, Running* running, float* scores) const {
    const int64_t first = heads.first * a_.group;
    const int64_t end = heads.end * a_.group;
    for (int64_t h = first; h < end; ++h) std::fill_n(partials_.at(b * a_.heads + h, split), a_.dv, 0.0f);
    for (int64_t j = from; j < to; j += keys_) {
      const int64_t n = std::min(keys_, to - j);
      int64_t block = 0;
      for (int64_t i = j; i < j + n; i += block) {
        block = a_.rows.run(i, std::min(kBlock, j + n - i));
        const int64_t at_row = a_.rows.at(b, i);
        const int64_t next = std::min(i + ahead_, to - 1);
        const int64_t asked = a_.rows.run(next, std::min(kBlock, to - i - ahead_));
        const int64_t next_row = a_.rows.at(b, next);
        for_rows(heads, [&](int64_t g, int64_t h, int m) {
          ask_for(a_.value(at_row, g), a_.v, a_.dv, block);
          ask_for(a_.key(next_row, g), a_.k, a_.dk, asked);
          multiply(b, at_row, block, g, h, m, scores + h * keys_ + (i - j));
        });
      }
      for_rows(heads, [&](int64_t g, int64_t h, int m) {
        float keep[kMaxSkinnyRows] = {};
        float* weights = scores + h * keys_;
        for (int r = 0; r < m; ++r) {
          keep[r] = running[h + r].take(a_.kernels, weights + r * keys_, a_.scale, at(n));
        }
        add_values(b, j, n, g, m, weights, keep, partials_.at(b * a_.heads + h, split));
      });
    }
    for (int64_t h = first; h < end; ++h) {
      float* sums = partials_.at(b * a_.heads + h, split);
      sums[a_.dv] = running[h].top;
      sums[a_.dv + 1] = running[h].total;
    }
  }
  // Calls f(KV head, first head, heads) for rows of queries that a kernel takes at once.
  template <typename F>
  void for_rows(Heads heads, F f) const {
    for (int64_t g = heads.first; g < heads.end; ++g) {
      for (int64_t h = 0; h < a_.group; h += kMaxSkinnyRows) {
        f(g, g * a_.group + h, static_cast<int>(std::min<int64_t>(kMaxSkinnyRows, a_.group - h)));
      }
    }
  }
  // sums = sums * keep + the weighted values of keys [j, j + n), page by page where they lie in pages.
  void add_values(int64_t b, int64_t j, int64_t n, int64_t g, int m, const float* weights, const float* keep,
                  float* sums) const {
    static constexpr float kOnes[kMaxSkinnyRows] = {1, 1, 1, 1, 1, 1, 1, 1};
    int64_t run = 0;
    for (int64_t i = 0; i < n; i += run) {
      run = a_.rows.run(j + i, n - i);
      a_.kernels.weighted_sum({a_.value(a_.rows.at(b, j + i), g), a_.v.dtype, ld_v_, at(run), at(a_.dv), weights + i,
                               at(keys_), m, i == 0 ? keep : kOnes, sums, partials_.ld()});
    }
  }
  // `n` keys from row `at_row` of the cache on.
  void multiply(int64_t b, int64_t at_row, int64_t n, int64_t g, int64_t h, int m, float* scores) const {
    // From this many queries on the sums over a key's few elements cost more than its products, one row at a time.
    constexpr int kDotRows = 3;
    (m < kDotRows ? a_.kernels.matvec
                  : a_.kernels.dot_gemm)({a_.key(at_row, g), a_.k.dtype, ld_k_, at(n), at(a_.dk), a_.query(b, h),
                                          at(a_.dk), m, scores, at(keys_), nullptr, nullptr, 0, 0});
  }
  // `n` rows of `elements` of a cache from `row` on; none for n <= 0.
  static void ask_for(const char* row, const Slot& cache, int64_t elements, int64_t n) {
    constexpr size_t kLine = 64;
    const size_t size = element_bytes(cache.dtype);
    const size_t stride = at(cache.dims[2] * cache.cols) * size;
    for (int64_t i = 0; i < n; ++i, row += stride) {
      for (size_t line = 0; line < at(elements) * size; line += kLine) __builtin_prefetch(row + line, 0, 2);
    }
  }

  Attention a_;
  mutable Partials partials_;  // written by run, each stretch by one task
  int64_t threads_;
  size_t ld_k_, ld_v_;
  int64_t keys_, ahead_;
};

class JoinStage : public Stage {
 public:
  JoinStage(Partials& partials, Slot& y, std::function<int64_t(const Step&)> splits)
      : partials_(partials),
        y_(y),
        splits_(std::move(splits)),
        rows_(std::clamp<int64_t>(kElements / static_cast<int64_t>(partials.ld()), 1, kMostRows)) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((partials_.rows() + rows_ - 1) / rows_);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t n = splits_(step);
    const int64_t dv = static_cast<int64_t>(y_.elements()) / partials_.rows();
    const int64_t end = std::min(partials_.rows(), (task + 1) * rows_);
    for (int64_t row = task * rows_; row < end; ++row) partials_.join(row, n, y_.f32() + row * dv);
  }

 private:
  static constexpr int64_t kElements = 1 << 14;  // of a task, all its stretches
  static constexpr int64_t kMostRows = 64;
  Partials& partials_;
  Slot& y_;
  std::function<int64_t(const Step&)> splits_;
  int64_t rows_;
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
  plan.partial_bytes += partials.bytes();
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
