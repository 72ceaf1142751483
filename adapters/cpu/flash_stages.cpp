#include <cstring>

#include "adapters/cpu/attention.h"
#include "adapters/cpu/panels.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Many queries per KV head: blocks of queries against tiles of keys, packed once per block, so that no score outlives
// its tile. The heads of a group share the tile, and rows of a block are (token, head). With an index list a block is
// one token, and its tiles are gathered.
class FlashStage : public Stage {
 public:
  FlashStage(const Attention& a, unsigned threads) : a_(a), dv_(whole_panels(a.dv)) {
    keys_ = std::clamp<int64_t>(kPackedElements / (a.dk + dv_) / kPanel * kPanel, 2 * kPanel, 256);
    const int64_t rows = std::clamp<int64_t>(kBlockElements / (a.dk + dv_ + keys_), 48, 192);
    head_blocks_ = (a.group + rows - 1) / rows;
    heads_ = (a.group + head_blocks_ - 1) / head_blocks_;
    block_ = a.index != nullptr ? 1 : std::min(a.tokens, std::max<int64_t>(1, rows / heads_));
    blocks_ = (a.tokens + block_ - 1) / block_;
    const int64_t base = a.batch * a.kv_heads * head_blocks_ * blocks_;
    const int64_t splits = std::max<int64_t>(1, (int64_t{4} * threads + base - 1) / base);
    if (splits > 1) partials_ = std::make_unique<Partials>(a, splits);
  }
  // Stretches that the keys of a block are cut into, where there are too few blocks for the threads.
  [[nodiscard]] int64_t splits(const Step& step) const {
    if (partials_ == nullptr) return 1;
    const int64_t pos = step.pos(a_.slot);
    const int64_t keys = a_.index != nullptr ? a_.index->cols : a_.last(pos, a_.tokens - 1) - a_.first(pos, 0);
    return std::clamp<int64_t>(keys / keys_, 1, partials_->splits());
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    return static_cast<uint32_t>(a_.batch * a_.kv_heads * head_blocks_ * blocks_ * splits(step));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    const int64_t rows = block_ * heads_;
    const int64_t floats = rows * (a_.dk + keys_ + dv_ + 2) + keys_ * (a_.dk + dv_) + kPanel * a_.dk;
    const int64_t list = a_.index != nullptr ? a_.index->cols : 0;
    return at(floats) * sizeof(float) + at(keys_) * 3 * sizeof(char*) + at(list) * sizeof(int32_t) + 8 * kAlign;
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    Block block = place(step, task, scratch);
    std::fill_n(block.sums, block.rows * dv_, 0.0f);
    std::fill_n(block.running, block.rows, Running{});
    for (int64_t r = 0; r < block.rows; ++r) {
      std::memcpy(block.q + r * a_.dk, a_.query(block.row(a_, r), block.head(a_, r)), at(a_.dk) * sizeof(float));
    }
    for (int64_t j = block.begin; j < block.end; j += keys_) take_keys(block, j, std::min(keys_, block.end - j));
    for (int64_t r = 0; r < block.rows; ++r) finish(block, r);
  }
  [[nodiscard]] Partials* partials() const { return partials_.get(); }

 private:
  static constexpr int64_t kPanel = kMaxPanelCols;
  static constexpr size_t kAlign = 64;
  // Packed keys and values of a tile, and what a block of queries keeps, share the L2 cache of a core.
  static constexpr int64_t kPackedElements = 64 << 10;
  static constexpr int64_t kBlockElements = 100 << 10;

  struct Block {
    int64_t b = 0, g = 0, h = 0, heads = 0, t = 0, rows = 0, split = 0, pos = 0;
    int64_t begin = 0, end = 0;  // keys, or entries of `list`
    float *q = nullptr, *scores = nullptr, *sums = nullptr, *packed_k = nullptr, *packed_v = nullptr;
    Running* running = nullptr;
    const char** pointers = nullptr;
    int32_t* list = nullptr;

    [[nodiscard]] int64_t token(int64_t r) const { return t + r / heads; }
    [[nodiscard]] int64_t row(const Attention& a, int64_t r) const { return b * a.tokens + token(r); }
    [[nodiscard]] int64_t head(const Attention& a, int64_t r) const { return g * a.group + h + r % heads; }
  };

  Block place(const Step& step, uint32_t task, char* scratch) const {
    const int64_t n = splits(step);
    Block block;
    int64_t rest = task;
    block.split = rest % n;
    rest /= n;
    block.h = rest % head_blocks_ * heads_;
    rest /= head_blocks_;
    block.g = rest % a_.kv_heads;
    rest /= a_.kv_heads;
    block.b = rest % a_.batch;
    block.t = (blocks_ - 1 - rest / a_.batch) * block_;  // those that see the most keys first
    block.heads = std::min(heads_, a_.group - block.h);
    block.rows = std::min(block_, a_.tokens - block.t) * block.heads;
    block.pos = step.pos(a_.slot);
    carve(block, scratch);
    int64_t first = a_.first(block.pos, block.t);
    int64_t last = a_.last(block.pos, block.token(block.rows - 1));
    if (a_.index != nullptr) {
      last = read_list(block, first, last);
      first = 0;
    }
    block.begin = first + (last - first) * block.split / n;
    block.end = first + (last - first) * (block.split + 1) / n;
    return block;
  }
  template <typename T>
  static T* carved(char*& scratch, int64_t n) {
    T* part = reinterpret_cast<T*>(scratch);
    scratch += (at(n) * sizeof(T) + kAlign - 1) / kAlign * kAlign;
    return part;
  }
  void carve(Block& block, char* scratch) const {
    const int64_t rows = block_ * heads_;
    block.q = carved<float>(scratch, rows * a_.dk);
    block.scores = carved<float>(scratch, rows * keys_);
    block.sums = carved<float>(scratch, rows * dv_);
    block.packed_k = carved<float>(scratch, keys_ * a_.dk);
    block.packed_v = carved<float>(scratch, keys_ * dv_);
    block.running = carved<Running>(scratch, rows);
    block.pointers = carved<const char*>(scratch, keys_);
    if (a_.index != nullptr) block.list = carved<int32_t>(scratch, a_.index->cols);
  }
  // The entries of the token's list that its mask allows; returns their number.
  int64_t read_list(Block& block, int64_t first, int64_t last) const {
    const auto* from = reinterpret_cast<const int32_t*>(a_.index->data) + block.row(a_, 0) * a_.index->cols;
    int64_t n = 0;
    for (int64_t i = 0; i < a_.index->cols; ++i) {
      if (from[i] >= first && from[i] < last) block.list[n++] = from[i];
    }
    return n;
  }

  void take_keys(Block& block, int64_t j, int64_t n) const {
    const auto key = [&](int64_t i) { return block.list == nullptr ? j + i : int64_t{block.list[j + i]}; };
    const size_t depth = at(a_.dk);
    const size_t plain = at(a_.dk - a_.rope);
    for (int64_t i = 0; i < n; ++i) block.pointers[i] = a_.key(a_.rows.at(block.b, key(i)), block.g);
    if (plain > 0) a_.kernels.pack_rows({block.pointers, a_.k.dtype, at(n), plain, block.packed_k, depth});
    if (a_.rope > 0) {
      for (int64_t i = 0; i < n; ++i) block.pointers[i] = a_.key_rope(a_.rows.at(block.b, key(i)));
      a_.kernels.pack_rows({block.pointers, a_.k_rope->dtype, at(n), at(a_.rope),
                            block.packed_k + plain * a_.kernels.panel_cols, depth});
    }
    a_.kernels.panel_gemm(
        {block.q, depth, at(block.rows), block.packed_k, depth, at(n), depth, block.scores, at(keys_), false});
    for (int64_t r = 0; r < block.rows; ++r) weigh(block, r, j, n);
    for (int64_t i = 0; i < n; ++i) block.pointers[i] = a_.value(a_.rows.at(block.b, key(i)), block.g);
    a_.kernels.pack_columns({block.pointers, a_.v.dtype, at(a_.dv), at(n), block.packed_v, at(n)});
    a_.kernels.panel_gemm(
        {block.scores, at(keys_), at(block.rows), block.packed_v, at(n), at(a_.dv), at(n), block.sums, at(dv_), true});
  }

  // Softmax over the keys of the tile that query r sees; zero for the others.
  void weigh(Block& block, int64_t r, int64_t j, int64_t n) const {
    float* scores = block.scores + r * keys_;
    int64_t from = 0;
    int64_t to = n;
    if (block.list == nullptr) {
      from = std::clamp<int64_t>(a_.first(block.pos, block.token(r)) - j, 0, n);
      to = std::clamp<int64_t>(a_.last(block.pos, block.token(r)) - j, from, n);
    }
    std::fill(scores, scores + from, 0.0f);
    std::fill(scores + to, scores + n, 0.0f);
    if (from == to) return;
    const float keep = block.running[r].take(a_.kernels, scores + from, a_.scale, at(to - from));
    float* sums = block.sums + r * dv_;
    if (keep != 1.0f) a_.kernels.scale(sums, keep, sums, at(a_.dv));
  }

  void finish(const Block& block, int64_t r) const {
    const Running& running = block.running[r];
    const float* sums = block.sums + r * dv_;
    const int64_t row = block.row(a_, r) * a_.heads + block.head(a_, r);
    if (partials_ != nullptr) {
      float* to = partials_->at(row, block.split);
      std::memcpy(to, sums, at(a_.dv) * sizeof(float));
      to[a_.dv] = running.top;
      to[a_.dv + 1] = running.total;
      return;
    }
    const float factor = running.total > 0 ? 1.0f / running.total : 0.0f;
    a_.kernels.scale(sums, factor, a_.y.f32() + row * a_.dv, at(a_.dv));
  }

  Attention a_;
  int64_t dv_;  // rounded up to whole panels
  int64_t keys_ = 0, heads_ = 0, head_blocks_ = 0, block_ = 0, blocks_ = 0;
  std::unique_ptr<Partials> partials_;  // written by run, each stretch by one task
};

}  // namespace

void add_flash_attention(Plan& plan, const Attention& a) {
  auto flash = std::make_unique<FlashStage>(a, plan.threads);
  const FlashStage& stage = *flash;
  plan.stages.push_back(std::move(flash));
  if (stage.partials() != nullptr) {
    add_join(plan, *stage.partials(), a.y, [&stage](const Step& step) { return stage.splits(step); });
  }
  plan.note("attention of many queries: own tiled kernel in f32");
}

}  // namespace assay::cpu
