#include <cmath>
#include <cstring>
#include <limits>

#include "adapters/cpu/row_stage.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

struct Candidate {
  float score;
  int32_t key;
  // Higher scores first, ties to the lower key.
  bool operator<(const Candidate& other) const { return score != other.score ? score > other.score : key < other.key; }
};

// The best n of a stream of candidates that comes in ascending order of their keys, in memory of 2n.
class Best {
 public:
  Best(Candidate* memory, size_t n) : kept_(memory), n_(n) {}

  void take(const float* scores, size_t n, int64_t first_key) {
    for (size_t j = 0; j < n; ++j) {
      const float score = std::isnan(scores[j]) ? -std::numeric_limits<float>::infinity() : scores[j];
      if (pruned_ && score <= worst_) continue;
      if (count_ == 2 * n_) {
        prune();
        if (score <= worst_) continue;
      }
      kept_[count_++] = {score, static_cast<int32_t>(first_key + static_cast<int64_t>(j))};
    }
  }
  // Sorts what is left, at most n; returns its number.
  size_t finish() {
    const size_t n = std::min(count_, n_);
    std::partial_sort(kept_, kept_ + n, kept_ + count_);
    return n;
  }

 private:
  void prune() {
    std::nth_element(kept_, kept_ + n_ - 1, kept_ + count_);
    worst_ = kept_[n_ - 1].score;
    pruned_ = true;
    count_ = n_;
  }
  Candidate* kept_;
  size_t n_, count_ = 0;
  float worst_ = 0;
  bool pruned_ = false;
};

// Scores of blocks of tokens against tiles of keys; only the best of each row outlive a tile.
class IndexStage : public Stage {
 public:
  IndexStage(const Plan& plan, const Op& op, Slot& index)
      : kernels_(*plan.kernels),
        q_(plan.slots[op.in[0]]),
        k_(plan.slots[op.in[1]]),
        weight_(plan.slots[op.in[2]]),
        index_(index),
        batch_(op.integer(ASSAY_INDEX_TOPK_BATCH)),
        heads_(op.integer(ASSAY_INDEX_TOPK_HEADS)),
        dim_(op.integer(ASSAY_INDEX_TOPK_DIM)),
        q_col_(op.integer(ASSAY_INDEX_TOPK_Q_COL)),
        tokens_(q_.rows / batch_),
        slot_(op.scalar_slot),
        scale_(static_cast<float>(op.attr[ASSAY_INDEX_TOPK_SCALE])),
        best_(at(std::min(index.cols, k_.dims[1]))) {
    block_ = std::min(tokens_, std::max<int64_t>(1, kRows / heads_));
    blocks_ = (tokens_ + block_ - 1) / block_;
    const int64_t base = batch_ * blocks_;
    splits_ = std::max<int64_t>(1, (int64_t{4} * plan.threads + base - 1) / base);
    if (splits_ == 1) return;
    lists_.resize(at(q_.rows * splits_) * best_);
    counts_.resize(at(q_.rows * splits_));
  }
  [[nodiscard]] int64_t splits(const Step& step) const {
    return std::clamp<int64_t>((step.pos(slot_) + tokens_) / kKeys, 1, splits_);
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    return static_cast<uint32_t>(batch_ * blocks_ * splits(step));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    const int64_t rows = block_ * heads_;
    return at(rows * (dim_ + kKeys) + kKeys * dim_ + kKeys) * sizeof(float) + at(kKeys) * sizeof(char*) +
           at(block_) * (2 * best_ * sizeof(Candidate) + sizeof(Best));
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    const int64_t n = splits(step);
    Block block;
    block.split = task % n;
    block.b = task / n % batch_;
    block.t = (blocks_ - 1 - task / n / batch_) * block_;
    block.tokens = std::min(block_, tokens_ - block.t);
    block.pos = step.pos(slot_);
    carve(block, scratch);
    const int64_t keys = block.pos + block.t + block.tokens;
    const int64_t end = keys * (block.split + 1) / n;
    for (int64_t j = keys * block.split / n; j < end; j += kKeys) take_keys(block, j, std::min(kKeys, end - j));
    for (int64_t t = 0; t < block.tokens; ++t) finish(block, t);
  }
  [[nodiscard]] bool split() const { return splits_ > 1; }
  // Joins the lists of one row.
  void join(const Step& step, size_t row, char* scratch) const {
    auto* all = reinterpret_cast<Candidate*>(scratch);
    size_t count = 0;
    for (int64_t s = 0; s < splits(step); ++s) {
      const size_t list = row * at(splits_) + at(s);
      std::copy_n(lists_.data() + list * best_, counts_[list], all + count);
      count += counts_[list];
    }
    const size_t n = std::min(count, best_);
    std::partial_sort(all, all + n, all + count);
    put(row, all, n);
  }
  [[nodiscard]] size_t join_bytes() const { return at(splits_) * best_ * sizeof(Candidate); }
  [[nodiscard]] int64_t rows() const { return q_.rows; }

 private:
  static constexpr int64_t kRows = 192;
  static constexpr int64_t kKeys = 256;
  struct Block {
    int64_t b = 0, t = 0, tokens = 0, split = 0, pos = 0;
    float *q = nullptr, *packed = nullptr, *scores = nullptr, *sums = nullptr;
    const char** pointers = nullptr;
    Candidate* kept = nullptr;
    Best* best = nullptr;
  };

  void carve(Block& block, char* scratch) const {
    const int64_t rows = block.tokens * heads_;
    auto* floats = reinterpret_cast<float*>(scratch);
    block.packed = floats;
    block.scores = block.packed + kKeys * dim_;
    block.q = block.scores + rows * kKeys;
    block.sums = block.q + rows * dim_;
    block.pointers = reinterpret_cast<const char**>(block.sums + kKeys + rows * dim_ % 2);
    block.kept = reinterpret_cast<Candidate*>(block.pointers + kKeys);
    block.best = reinterpret_cast<Best*>(block.kept + at(block.tokens) * 2 * best_);
    for (int64_t t = 0; t < block.tokens; ++t) {
      const float* from = q_.f32() + (block.b * tokens_ + block.t + t) * q_.cols + q_col_;
      std::memcpy(block.q + t * heads_ * dim_, from, at(heads_ * dim_) * sizeof(float));
      block.best[t] = Best(block.kept + at(t) * 2 * best_, best_);
    }
  }
  void take_keys(Block& block, int64_t j, int64_t n) const {
    const char* from = k_.data + at((block.b * k_.dims[1] + j) * dim_) * element_bytes(k_.dtype);
    for (int64_t i = 0; i < n; ++i) block.pointers[i] = from + at(i * dim_) * element_bytes(k_.dtype);
    const size_t depth = at(dim_);
    kernels_.pack_rows({block.pointers, k_.dtype, at(n), depth, block.packed, depth});
    kernels_.panel_gemm(
        {block.q, depth, at(block.tokens * heads_), block.packed, depth, at(n), depth, block.scores, at(kKeys), false});
    for (int64_t t = 0; t < block.tokens; ++t) {
      const int64_t seen = std::clamp<int64_t>(block.pos + block.t + t + 1 - j, 0, n);
      if (seen == 0) continue;
      const float* weight = weight_.f32() + (block.b * tokens_ + block.t + t) * heads_;
      std::fill_n(block.sums, seen, 0.0f);
      for (int64_t h = 0; h < heads_; ++h) {
        kernels_.relu_axpy(weight[h] * scale_, block.scores + (t * heads_ + h) * kKeys, block.sums, at(seen));
      }
      block.best[t].take(block.sums, at(seen), j);
    }
  }
  void finish(Block& block, int64_t t) const {
    const size_t n = block.best[t].finish();
    const size_t row = at(block.b * tokens_ + block.t + t);
    const Candidate* kept = block.kept + at(t) * 2 * best_;
    if (splits_ == 1) return put(row, kept, n);
    const size_t list = row * at(splits_) + at(block.split);
    std::copy_n(kept, n, lists_.data() + list * best_);
    counts_[list] = n;
  }
  void put(size_t row, const Candidate* sorted, size_t n) const {
    auto* to = reinterpret_cast<int32_t*>(index_.data) + row * at(index_.cols);
    std::fill_n(to, index_.cols, -1);
    for (size_t i = 0; i < n; ++i) to[i] = sorted[i].key;
  }

  const Kernels& kernels_;
  const Slot &q_, &k_, &weight_;
  Slot& index_;
  int64_t batch_, heads_, dim_, q_col_, tokens_;
  uint32_t slot_;
  float scale_;
  size_t best_;  // entries of a row that can be found at all
  int64_t block_ = 0, blocks_ = 0, splits_ = 0;
  mutable std::vector<Candidate> lists_;  // written by run, each list by one task
  mutable std::vector<size_t> counts_;
};

class IndexJoinStage : public Stage {
 public:
  explicit IndexJoinStage(const IndexStage& parts) : parts_(parts) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(parts_.rows()); }
  [[nodiscard]] size_t scratch_bytes() const override { return parts_.join_bytes(); }
  void run(const Step& step, uint32_t task, char* scratch) const override { parts_.join(step, task, scratch); }

 private:
  const IndexStage& parts_;
};

}  // namespace

void add_index_topk(Plan& plan, const Op& op) {
  auto parts = std::make_unique<IndexStage>(plan, op, plan.slots[op.out[0]]);
  const IndexStage& stage = *parts;
  plan.stages.push_back(std::move(parts));
  if (stage.split()) plan.stages.push_back(std::make_unique<IndexJoinStage>(stage));
}

}  // namespace assay::cpu
