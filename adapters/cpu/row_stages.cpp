#include <algorithm>
#include <cstring>
#include <utility>

#include "adapters/cpu/row_stage.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

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

// Values as a narrower dtype has them.
void round_row(const Kernels& kernels, uint32_t dtype, float* x, size_t n) {
  constexpr size_t kStep = 256;
  uint16_t codes[kStep];
  for (size_t i = 0; i < n; i += kStep) {
    const size_t count = std::min(kStep, n - i);
    kernels.from_f32(dtype, x + i, codes, count);
    kernels.to_f32(dtype, codes, x + i, count);
  }
}

}  // namespace

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
  if (!op.has_in(2)) {
    push_rows(plan, a.rows, a.cols, [=, &kernels, &a, &b, &y](const Step&, size_t row) {
      kernels.add(a.f32() + row * n, b.f32() + row * n, y.f32() + row * n, n);
    });
    return;
  }
  const Slot& mod = plan.slots[op.in[2]];
  const size_t rows = at(a.rows / op.integer(ASSAY_ADD_BATCH));
  const size_t gate_col = at(op.integer(ASSAY_ADD_GATE_COL));
  push_rows(plan, a.rows, a.cols, [=, &kernels, &a, &b, &mod, &y](const Step&, size_t row) {
    const float* gate = mod.f32() + row / rows * at(mod.cols) + gate_col;
    kernels.multiply_add(a.f32() + row * n, gate, b.f32() + row * n, y.f32() + row * n, n);
  });
}

void add_layer_norm_modulate(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const auto vector = [&](size_t i) { return op.has_in(i) ? plan.slots[op.in[i]].f32() : nullptr; };
  const float* mod = vector(1);
  const float* gamma = vector(2);
  const float* beta = vector(3);
  const size_t ld = mod == nullptr ? 0 : at(plan.slots[op.in[1]].cols);
  const size_t rows = mod == nullptr ? 1 : at(x.rows / op.integer(ASSAY_LAYER_NORM_MODULATE_BATCH));
  const size_t shift_col = at(op.integer(ASSAY_LAYER_NORM_MODULATE_SHIFT_COL));
  const size_t scale_col = at(op.integer(ASSAY_LAYER_NORM_MODULATE_SCALE_COL));
  const Kernels& kernels = *plan.kernels;
  const double eps = op.attr[ASSAY_LAYER_NORM_MODULATE_EPS];
  const size_t n = at(x.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &y](const Step&, size_t row) {
    const float* m = mod == nullptr ? nullptr : mod + row / rows * ld;
    kernels.layer_norm({x.f32() + row * n, gamma, beta, m == nullptr ? nullptr : m + scale_col,
                        m == nullptr ? nullptr : m + shift_col, eps, y.f32() + row * n, n});
  });
}

void add_activation(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const Kernels& kernels = *plan.kernels;
  const int function = static_cast<int>(op.integer(ASSAY_ACTIVATION_FUNCTION));
  const size_t n = at(x.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &y](const Step&, size_t row) {
    kernels.activation(function, x.f32() + row * n, y.f32() + row * n, n);
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
    const size_t i = step.bad_index->checked(reinterpret_cast<const int32_t*>(index.data)[row], table.rows, number);
    float* to = y.f32() + row * n;
    kernels.to_f32(table.dtype, table.data + i * n * element_bytes(table.dtype), to, n);
    for (size_t k = 0; scale != nullptr && k < n; k += block) {
      kernels.scale(to + k, scale[(i * n + k) / block], to + k, block);
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
  Slot& x = plan.slots[op.in[0]];
  Slot& q = plan.slots[op.out[0]];
  Slot& scale = plan.slots[op.out[1]];
  const Kernels& kernels = *plan.kernels;
  const size_t n = at(x.cols);
  push_rows(plan, x.rows, x.cols, [=, &kernels, &x, &q, &scale](const Step&, size_t row) {
    // Else codes would differ from those of what a reader of x sees.
    if (x.host_dtype != ASSAY_F32) round_row(kernels, x.host_dtype, x.f32() + row * n, n);
    kernels.quantize(x.f32() + row * n, reinterpret_cast<int8_t*>(q.data) + row * n, scale.f32() + row, n);
  });
}

void add_kv_append(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  const size_t tokens = at(x.rows / op.integer(ASSAY_KV_APPEND_BATCH));
  const Kernels& kernels = *plan.kernels;
  const uint32_t slot = op.scalar_slot;
  const uint32_t parts = op.integer(ASSAY_KV_APPEND_DIM_V) > 0 ? 2 : 1;
  for (uint32_t part = 0; part < parts; ++part) {
    const Slot& cache = plan.slots[op.in[1 + part]];
    const size_t col = at(op.integer(part == 0 ? ASSAY_KV_APPEND_K_COL : ASSAY_KV_APPEND_V_COL));
    const size_t n = at(cache.dims[2] * cache.dims[3]);
    const CacheRows rows(plan.slots, op);
    push_rows(plan, x.rows, static_cast<int64_t>(n), [=, &kernels, &x, &cache](const Step& step, size_t row) {
      const size_t to =
          at(rows.at(static_cast<int64_t>(row / tokens), step.pos(slot) + static_cast<int64_t>(row % tokens)));
      kernels.from_f32(cache.dtype, x.f32() + row * at(x.cols) + col, cache.data + to * n * element_bytes(cache.dtype),
                       n);
    });
  }
}

}  // namespace assay::cpu
