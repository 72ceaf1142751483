#include <cstring>

#include "adapters/cpu/attention.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Many queries per KV head, all in bf16: blocks of rows (token, head of the group) against tiles of keys.
class FlashBf16Stage : public Stage {
 public:
  FlashBf16Stage(const Attention& a, unsigned threads)
      : a_(a),
        rows_(a.tokens * a.group),
        blocks_((rows_ + kBlock - 1) / kBlock),
        dv_((a.dv + kColumns - 1) / kColumns * kColumns) {
    const int64_t base = a.batch * a.kv_heads * blocks_;
    const int64_t splits = std::max<int64_t>(1, (int64_t{4} * threads + base - 1) / base);
    if (splits > 1) partials_ = std::make_unique<Partials>(a, splits);
  }
  // Stretches that the keys of a block are cut into, where there are too few blocks for the threads.
  [[nodiscard]] int64_t splits(const Step& step) const {
    if (partials_ == nullptr) return 1;
    const int64_t pos = step.pos(a_.slot);
    return std::clamp<int64_t>((a_.last(pos, a_.tokens - 1) - a_.first(pos, 0)) / kKeys, 1, partials_->splits());
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    return static_cast<uint32_t>(a_.batch * a_.kv_heads * blocks_ * splits(step));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    const size_t tile = a_.rows.paged() ? at(kKeys) * at(a_.dk + dv_) * sizeof(uint16_t) : 0;
    return (at(kBlock) * (at(a_.dk + dv_) + 4) + lane_attention_scratch(at(kBlock), at(a_.dv))) * sizeof(float) + tile;
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    Block block = place(step, task, scratch);
    gather(block);
    std::fill_n(block.args.top, block.lanes, -std::numeric_limits<float>::infinity());
    std::fill_n(block.args.total, block.lanes, 0.0f);
    std::fill_n(block.args.sums, block.lanes * dv_, 0.0f);
    for (int64_t j = block.begin; j < block.end; j += kKeys) take_keys(block, j, std::min(kKeys, block.end - j));
    for (int64_t r = 0; r < block.rows; ++r) finish(block, r);
  }
  [[nodiscard]] Partials* partials() const { return partials_.get(); }

 private:
  static constexpr int64_t kBlock = kLaneRows;
  static constexpr int64_t kColumns = kLaneCols;
  static constexpr int64_t kKeys = kLaneKeys;
  static constexpr int64_t kVector = 16;
  static constexpr float kLog2E = 1.44269504f, kLn2 = 0.69314718f;

  struct Block {
    int64_t b = 0, g = 0, row = 0, rows = 0, lanes = 0, split = 0, pos = 0;
    int64_t begin = 0, end = 0;  // keys
    float *q = nullptr, *panel = nullptr;
    uint16_t* tile = nullptr;  // of keys and values in pages: their rows behind one another
    int32_t *first = nullptr, *last = nullptr;
    LaneAttentionArgs args{};
  };

  [[nodiscard]] int64_t token(const Block& block, int64_t r) const {
    return (block.row + std::min(r, block.rows - 1)) / a_.group;
  }
  [[nodiscard]] int64_t head(const Block& block, int64_t r) const {
    return block.g * a_.group + (block.row + r) % a_.group;
  }
  Block place(const Step& step, uint32_t task, char* scratch) const {
    const int64_t n = splits(step);
    Block block;
    int64_t rest = task;
    block.split = rest % n;
    rest /= n;
    block.g = rest % a_.kv_heads;
    rest /= a_.kv_heads;
    block.b = rest % a_.batch;
    block.row = (blocks_ - 1 - rest / a_.batch) * kBlock;  // those that see the most keys first
    block.rows = std::min(kBlock, rows_ - block.row);
    block.lanes = (block.rows + kVector - 1) / kVector * kVector;
    block.pos = step.pos(a_.slot);
    const int64_t first = a_.first(block.pos, token(block, 0));
    const int64_t last = a_.last(block.pos, token(block, block.rows - 1));
    block.begin = first + (last - first) * block.split / n;
    block.end = first + (last - first) * (block.split + 1) / n;
    auto* floats = reinterpret_cast<float*>(scratch);
    const auto carve = [&floats](int64_t count) {
      float* part = floats;
      floats += count;
      return part;
    };
    block.q = carve(kBlock * a_.dk / 2);
    block.panel = carve(kBlock * a_.dk / 2);
    block.args.sums = carve(kBlock * dv_);
    block.args.top = carve(kBlock);
    block.args.total = carve(kBlock);
    block.first = reinterpret_cast<int32_t*>(carve(kBlock));
    block.last = reinterpret_cast<int32_t*>(carve(kBlock));
    block.args.scratch = floats;
    block.tile = reinterpret_cast<uint16_t*>(floats + lane_attention_scratch(at(kBlock), at(a_.dv)));
    block.args.q = block.panel;
    set_shape(block);
    return block;
  }
  void set_shape(Block& block) const {
    LaneAttentionArgs& args = block.args;
    args.lanes = at(block.lanes);
    const bool paged = a_.rows.paged();
    args.ldk = paged ? at(a_.dk - a_.rope) : at(a_.k.dims[2] * a_.k.cols);
    args.ld_rope = paged ? at(a_.rope) : a_.rope > 0 ? at(a_.k_rope->dims[2] * a_.k_rope->cols) : 0;
    args.ldv = paged ? at(dv_) : at(a_.v.dims[2] * a_.v.cols);
    args.dk = at(a_.dk - a_.rope);
    args.rope = at(a_.rope);
    args.dv = at(a_.dv);
    args.scale = a_.scale * kLog2E;
  }
  // The block's queries in bf16, in lanes; zeros where there is none.
  void gather(Block& block) const {
    auto* rows = reinterpret_cast<uint16_t*>(block.q);
    for (int64_t r = 0; r < block.lanes; ++r) {
      uint16_t* to = rows + r * a_.dk;
      if (r < block.rows) {
        const int64_t row = block.b * a_.tokens + token(block, r);
        a_.kernels.from_f32(ASSAY_BF16, a_.query(row, head(block, r)), to, at(a_.dk));
      } else {
        std::fill_n(to, a_.dk, uint16_t{0});
      }
    }
    a_.kernels.pack_lanes(block.q, at(a_.dk / 2), at(block.lanes), at(a_.dk / 2), block.panel);
  }
  void collect(Block& block, int64_t j, int64_t n) const {
    LaneAttentionArgs& args = block.args;
    uint16_t* k = block.tile;
    uint16_t* k_rope = k + at(kKeys) * args.ldk;
    uint16_t* v = k_rope + at(kKeys) * args.ld_rope;
    args.k = k;
    args.k_rope = k_rope;
    args.v = v;
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = a_.rows.at(block.b, j + i);
      std::memcpy(k + at(i) * args.ldk, a_.key(row, block.g), args.dk * sizeof(uint16_t));
      if (args.rope > 0) {
        std::memcpy(k_rope + at(i) * args.ld_rope, a_.key_rope(row), args.rope * sizeof(uint16_t));
      }
      std::memcpy(v + at(i) * args.ldv, a_.value(row, block.g), args.dv * sizeof(uint16_t));
    }
  }
  void take_keys(Block& block, int64_t j, int64_t n) const {
    LaneAttentionArgs& args = block.args;
    args.n = at(n);
    if (a_.rows.paged()) {
      collect(block, j, n);
    } else {
      const int64_t row = a_.rows.at(block.b, j);
      args.k = reinterpret_cast<const uint16_t*>(a_.key(row, block.g));
      args.v = reinterpret_cast<const uint16_t*>(a_.value(row, block.g));
      if (a_.rope > 0) args.k_rope = reinterpret_cast<const uint16_t*>(a_.key_rope(row));
    }
    // Tokens see stretches of keys that begin and end no earlier than those of the tokens before.
    const bool all =
        a_.first(block.pos, token(block, block.rows - 1)) <= j && a_.last(block.pos, token(block, 0)) >= j + n;
    args.first = all ? nullptr : block.first;
    args.last = all ? nullptr : block.last;
    for (int64_t r = 0; r < block.lanes && !all; ++r) {
      const int64_t t = token(block, r);
      block.first[r] = static_cast<int32_t>(std::clamp<int64_t>(a_.first(block.pos, t) - j, 0, n));
      block.last[r] = static_cast<int32_t>(std::clamp<int64_t>(a_.last(block.pos, t) - j, 0, n));
    }
    bf16_attention(args);
  }
  void finish(const Block& block, int64_t r) const {
    const float total = block.args.total[r] < 0.5f ? 0.0f : block.args.total[r];  // the largest weight is 1
    const int64_t row = (block.b * a_.tokens + token(block, r)) * a_.heads + head(block, r);
    const float* sums = block.args.sums + r;
    float* to = partials_ != nullptr ? partials_->at(row, block.split) : a_.y.f32() + row * a_.dv;
    const float factor = partials_ != nullptr ? 1.0f : (total > 0 ? 1.0f / total : 0.0f);
    for (int64_t d = 0; d < a_.dv; ++d) to[d] = sums[d * block.lanes] * factor;
    if (partials_ == nullptr) return;
    to[a_.dv] = block.args.top[r] * kLn2;
    to[a_.dv + 1] = total;
  }

  Attention a_;
  int64_t rows_, blocks_;
  int64_t dv_;                          // rounded up to whole columns
  std::unique_ptr<Partials> partials_;  // written by run, each stretch by one task
};

bool in_pairs(const Slot& slot, int64_t first, int64_t n) {
  return slot.dtype == ASSAY_BF16 && slot.cols % 2 == 0 && first % 2 == 0 && n % 2 == 0;
}

}  // namespace

bool attends_in_bf16(const Plan& plan, const Attention& a) {
  if (plan.isa != Isa::kAvx512 || !cpu_has_bf16() || a.index != nullptr || a.q.host_dtype != ASSAY_BF16) return false;
  if (a.rope > 0 && !in_pairs(*a.k_rope, 0, a.rope)) return false;
  return in_pairs(a.k, a.k_col, a.dk - a.rope) && a.v.dtype == ASSAY_BF16;
}

void add_flash_bf16_attention(Plan& plan, const Attention& a) {
  auto flash = std::make_unique<FlashBf16Stage>(a, plan.threads);
  const FlashBf16Stage& stage = *flash;
  plan.stages.push_back(std::move(flash));
  if (stage.partials() != nullptr) {
    add_join(plan, *stage.partials(), a.y, [&stage](const Step& step) { return stage.splits(step); });
  }
  plan.note("attention of many queries: own tiled kernel, products in bf16 summed in f32, softmax in f32");
}

}  // namespace assay::cpu
