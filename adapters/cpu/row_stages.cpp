#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Work per row; a task takes rows enough to be worth a thread's while.
template <typename F>
class RowStage : public Stage {
 public:
  RowStage(int64_t rows, int64_t cols, F f) : rows_(rows), f_(std::move(f)) {
    constexpr int64_t kElementsPerTask = 16384;
    per_task_ = std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(cols, 1));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((rows_ + per_task_ - 1) / per_task_);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t end = std::min(rows_, (task + 1) * per_task_);
    for (int64_t row = task * per_task_; row < end; ++row) f_(step, at(row));
  }

 private:
  int64_t rows_, per_task_ = 1;
  F f_;
};

template <typename F>
void push_rows(Plan& plan, int64_t rows, int64_t cols, F f) {
  plan.stages.push_back(std::make_unique<RowStage<F>>(rows, cols, std::move(f)));
}

// cos and sin of every position of a step, made anew when the position moves.
class RopeTable : public Stage {
 public:
  RopeTable(const Op& op, int64_t tokens) : tokens_(tokens), slot_(op.scalar_slot) {
    const int64_t half = op.integer(ASSAY_ROPE_ROTARY_DIM) / 2;
    for (int64_t i = 0; i < half; ++i) {
      frequency_.push_back(
          scaled(op, std::pow(op.attr[ASSAY_ROPE_THETA], -static_cast<double>(i) / static_cast<double>(half))));
    }
    cos_.resize(at(tokens * half));
    sin_.resize(at(tokens * half));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((tokens_ + kTokens - 1) / kTokens);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t pos = step.pos(slot_);
    const int64_t end = std::min(tokens_, (task + 1) * kTokens);
    for (int64_t t = task * kTokens; t < end; ++t) {
      for (size_t i = 0; i < frequency_.size(); ++i) {
        const double angle = static_cast<double>(pos + t) * frequency_[i];
        cos_[at(t) * frequency_.size() + i] = static_cast<float>(std::cos(angle));
        sin_[at(t) * frequency_.size() + i] = static_cast<float>(std::sin(angle));
      }
    }
  }
  [[nodiscard]] const float* cos(size_t t) const { return cos_.data() + t * frequency_.size(); }
  [[nodiscard]] const float* sin(size_t t) const { return sin_.data() + t * frequency_.size(); }
  // Whether this table serves another op as well.
  [[nodiscard]] bool serves(const RopeTable& other) const {
    return tokens_ == other.tokens_ && slot_ == other.slot_ && frequency_ == other.frequency_;
  }

 private:
  // Llama 3.1's stretching of long wavelengths (op_spec.md).
  static double scaled(const Op& op, double f) {
    const double factor = op.attr[ASSAY_ROPE_SCALING_FACTOR];
    if (factor <= 0) return f;
    const double low = op.attr[ASSAY_ROPE_SCALING_LOW];
    const double high = op.attr[ASSAY_ROPE_SCALING_HIGH];
    const double turns = op.attr[ASSAY_ROPE_SCALING_ORIGINAL] * f / (2 * M_PI);
    if (turns < low) return f / factor;
    if (turns > high) return f;
    const double g = (turns - low) / (high - low);
    return (1 - g) * f / factor + g * f;
  }

  static constexpr int64_t kTokens = 32;
  int64_t tokens_;
  uint32_t slot_;
  std::vector<double> frequency_;
  mutable std::vector<float> cos_, sin_;  // written by run, each token by one task
};

// Rotates columns of every row from a table.
const RopeTable& table_for(Plan& plan, const Op& op, int64_t tokens) {
  auto table = std::make_unique<RopeTable>(op, tokens);
  for (const auto& stage : plan.stages) {
    const auto* known = dynamic_cast<const RopeTable*>(stage.get());
    if (known != nullptr && known->serves(*table)) return *known;
  }
  plan.stages.push_back(std::move(table));
  return static_cast<const RopeTable&>(*plan.stages.back());
}

// The largest of a row is found in chunks, then among the chunks.
class ArgmaxChunks : public Stage {
 public:
  ArgmaxChunks(const Kernels& kernels, const Slot& x) : kernels_(kernels), x_(x) {
    chunks_ = (at(x.cols) + kChunk - 1) / kChunk;
    best_.resize(chunks_ * at(x.rows));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(best_.size()); }
  void run(const Step&, uint32_t task, char*) const override {
    const size_t begin = task % chunks_ * kChunk;
    const float* row = x_.f32() + task / chunks_ * at(x_.cols);
    Best& best = best_[task];
    best.index = begin + kernels_.argmax(row + begin, std::min(kChunk, at(x_.cols) - begin), &best.value);
  }
  [[nodiscard]] int32_t winner(size_t row) const {
    const Best* best = &best_[row * chunks_];
    for (size_t c = 1; c < chunks_; ++c) {
      if (best_[row * chunks_ + c].value > best->value) best = &best_[row * chunks_ + c];
    }
    return static_cast<int32_t>(best->index);
  }

 private:
  struct Best {
    float value;
    size_t index;
  };
  static constexpr size_t kChunk = 1u << 18;
  const Kernels& kernels_;
  const Slot& x_;
  size_t chunks_;
  mutable std::vector<Best> best_;  // written by run, each by one task
};

}  // namespace

void add_rope(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const size_t tokens = at(x.rows / op.integer(ASSAY_ROPE_BATCH));
  const RopeTable& table = table_for(plan, op, static_cast<int64_t>(tokens));
  const Kernels& kernels = *plan.kernels;
  const size_t ld = at(x.cols);
  const size_t col = at(op.integer(ASSAY_ROPE_COL));
  const size_t cols = at(op.integer(ASSAY_ROPE_COLS));
  const size_t dim = at(op.integer(ASSAY_ROPE_HEAD_DIM));
  const size_t rotary = at(op.integer(ASSAY_ROPE_ROTARY_DIM));
  const bool interleaved = op.attr[ASSAY_ROPE_INTERLEAVED] != 0;
  push_rows(plan, x.rows, x.cols, [=, &table, &kernels, &x, &y](const Step&, size_t row) {
    const float* from = x.f32() + row * ld;
    float* to = y.f32() + row * ld;
    if (from != to) {
      std::memcpy(to, from, col * sizeof(float));
      std::memcpy(to + col + cols, from + col + cols, (ld - col - cols) * sizeof(float));
    }
    const size_t t = row % tokens;
    kernels.rope({from + col, to + col, table.cos(t), table.sin(t), cols / dim, dim, rotary, interleaved});
  });
}

void add_rms_norm(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  const float* gamma = plan.slots[op.in[1]].f32();
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const double eps = op.attr[ASSAY_RMS_NORM_EPS];
  const size_t ld = at(x.cols);
  const size_t group = at(op.integer(ASSAY_RMS_NORM_GROUP));
  const size_t col = at(op.integer(ASSAY_RMS_NORM_COL));
  const size_t cols = op.attr[ASSAY_RMS_NORM_COLS] == 0 ? ld : at(op.integer(ASSAY_RMS_NORM_COLS));
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &y](const Step&, size_t row) {
    const float* from = x.f32() + row * ld;
    float* to = y.f32() + row * ld;
    if (from != to) {
      std::memcpy(to, from, col * sizeof(float));
      std::memcpy(to + col + cols, from + col + cols, (ld - col - cols) * sizeof(float));
    }
    for (size_t g = col; g < col + cols; g += group) kernels.rms_norm(from + g, gamma, eps, to + g, group);
  });
}

void add_gated_act(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const int function = static_cast<int>(op.integer(ASSAY_GATED_ACT_FUNCTION));
  const size_t f = at(y.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &y](const Step&, size_t row) {
    const float* gate = x.f32() + row * 2 * f;
    kernels.gated_act(function, gate, gate + f, y.f32() + row * f, f);
  });
}

void add_add(Plan& plan, const Op& op) {
  const Slot& a = plan.slots[op.in[0]];
  const Slot& b = plan.slots[op.in[1]];
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const size_t n = at(a.cols);
  push_rows(plan, a.rows, a.cols, [=, &kernels, &a, &b, &y](const Step&, size_t row) {
    kernels.add(a.f32() + row * n, b.f32() + row * n, y.f32() + row * n, n);
  });
}

void add_embedding(Plan& plan, const Op& op) {
  const Slot& index = plan.slots[op.in[0]];
  const Slot& table = plan.slots[op.in[1]];
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const float* scale = table.dtype == ASSAY_I8 ? plan.slots[at(table.scale)].f32() : nullptr;
  const size_t n = at(table.cols);
  const size_t block = scale == nullptr ? n : at(table.scale_block);
  const uint32_t number = op.index;
  push_rows(plan, y.rows, y.cols, [=, &kernels, &index, &table, &y](const Step& step, size_t row) {
    int32_t i = reinterpret_cast<const int32_t*>(index.data)[row];
    if (i < 0 || i >= table.rows) {
      if (!step.bad_index->found.exchange(true)) {
        step.bad_index->index = i;
        step.bad_index->rows = table.rows;
        step.bad_index->op = number;
      }
      i = 0;
    }
    float* to = y.f32() + row * n;
    kernels.to_f32(table.dtype, table.data + at(i) * n * element_bytes(table.dtype), to, n);
    for (size_t k = 0; scale != nullptr && k < n; k += block) {
      kernels.scale(to + k, scale[(at(i) * n + k) / block], to + k, block);
    }
  });
}

void add_argmax(Plan& plan, const Op& op) {
  auto chunks = std::make_unique<ArgmaxChunks>(*plan.kernels, plan.slots[op.in[0]]);
  const ArgmaxChunks& found = *chunks;
  Slot& y = plan.slots[op.out[0]];
  plan.stages.push_back(std::move(chunks));
  push_rows(plan, plan.slots[op.in[0]].rows, 64,
            [&found, &y](const Step&, size_t row) { reinterpret_cast<int32_t*>(y.data)[row] = found.winner(row); });
}

void add_quantize(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& q = plan.slots[op.out[0]];
  Slot& scale = plan.slots[op.out[1]];
  const Kernels& kernels = *plan.kernels;
  const size_t n = at(x.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &q, &scale](const Step&, size_t row) {
    kernels.quantize(x.f32() + row * n, reinterpret_cast<int8_t*>(q.data) + row * n, scale.f32() + row, n);
  });
}

void add_kv_append(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  const size_t tokens = at(x.rows / op.integer(ASSAY_KV_APPEND_BATCH));
  const Kernels& kernels = *plan.kernels;
  const uint32_t slot = op.scalar_slot;
  for (const uint32_t part : {0u, 1u}) {
    const Slot& cache = plan.slots[op.in[1 + part]];
    const size_t col = at(op.integer(part == 0 ? ASSAY_KV_APPEND_K_COL : ASSAY_KV_APPEND_V_COL));
    const size_t n = at(cache.dims[2] * cache.dims[3]);
    const size_t length = at(cache.dims[1]);
    push_rows(plan, x.rows, static_cast<int64_t>(n), [=, &kernels, &x, &cache](const Step& step, size_t row) {
      const size_t to = row / tokens * length + at(step.pos(slot)) + row % tokens;
      kernels.from_f32(cache.dtype, x.f32() + row * at(x.cols) + col, cache.data + to * n * element_bytes(cache.dtype),
                       n);
    });
  }
}

}  // namespace assay::cpu
