#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

struct Product {
  const Kernels& kernels;
  const Slot &x, &w;
  Slot& y;
  const float* bias;     // nullptr: none
  const float* w_scale;  // nullptr: none
  const float* x_scale;  // nullptr: x is f32
};

// Weights that are read once, in streams that go on from one task to the next: a task takes rows [j, j + n) of each of
// kWeightStreams parts of them, the last one also the rows behind the last part.
class StreamStage : public Stage {
 public:
  explicit StreamStage(const Slot& w)
      : w_(w), rows_(at(w.rows)), row_bytes_(at(w.cols) * element_bytes(w.dtype)), part_(rows_ / kWeightStreams) {
    chunk_ = std::max<size_t>(2, kTaskBytes / std::max<size_t>(kWeightStreams * row_bytes_, 1));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>(std::max<size_t>(1, (part_ + chunk_ - 1) / chunk_));
  }
  [[nodiscard]] Streams streams(uint32_t task) const override {
    return {w_.data + task * chunk_ * row_bytes_, kWeightStreams, part_ * row_bytes_};
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const size_t j = task * chunk_;
    if (part_ > 0) multiply(j, std::min(chunk_, part_ - j), part_);
    if (task + 1 == tasks(step) && part_ * kWeightStreams < rows_) {
      multiply(part_ * kWeightStreams, rows_ - part_ * kWeightStreams, 0);
    }
  }

 protected:
  // By rows [j, j + n) of weights, and with `apart` those that far behind them.
  virtual void multiply(size_t j, size_t n, size_t apart) const = 0;

 private:
  static constexpr size_t kTaskBytes = 128u << 10;
  const Slot& w_;
  size_t rows_, row_bytes_, part_, chunk_;
};

// Few rows: our own kernels, at the speed of reading the weights.
class SkinnyStage : public StreamStage {
 public:
  explicit SkinnyStage(const Product& p) : StreamStage(p.w), p_(p) {}

 private:
  void multiply(size_t j, size_t n, size_t apart) const override {
    const size_t k = at(p_.w.cols);
    const char* w = p_.w.data + j * k * element_bytes(p_.w.dtype);
    const float* bias = p_.bias == nullptr ? nullptr : p_.bias + j;
    const size_t blocks = p_.w.scale_block > 0 ? k / at(p_.w.scale_block) : 1;
    const float* scale = p_.w_scale == nullptr ? nullptr : p_.w_scale + j * blocks;
    for (size_t row = 0; row < at(p_.x.rows); row += kMaxSkinnyRows) {
      const int m = static_cast<int>(std::min<size_t>(kMaxSkinnyRows, at(p_.x.rows) - row));
      float* y = p_.y.f32() + row * at(p_.y.cols) + j;
      if (p_.x_scale != nullptr) {
        const auto* x = reinterpret_cast<const int8_t*>(p_.x.data) + row * k;
        p_.kernels.int_matvec({reinterpret_cast<const int8_t*>(w), k, n, k, x, k, m, y, at(p_.y.cols), bias, scale,
                               p_.x_scale + row, apart});
      } else {
        p_.kernels.matvec({w, p_.w.dtype, k, n, k, p_.x.f32() + row * k, k, m, y, at(p_.y.cols), bias, scale, blocks,
                           at(p_.w.scale_block), apart});
      }
    }
  }

  Product p_;
};

// The same for int8 weights by rows in fixed point.
class FixedSkinnyStage : public StreamStage {
 public:
  FixedSkinnyStage(const Product& p, const FixedRows& rows) : StreamStage(p.w), p_(p), rows_(rows) {}

 private:
  void multiply(size_t j, size_t n, size_t apart) const override {
    const size_t k = at(p_.w.cols);
    p_.kernels.fixed_gemm({reinterpret_cast<const int8_t*>(p_.w.data) + j * k, k, n, k, rows_.bytes, rows_.planes,
                           rows_.ld, at(p_.x.rows), rows_.scale, rows_.sum, p_.y.f32() + j, at(p_.y.cols),
                           p_.bias == nullptr ? nullptr : p_.bias + j, p_.w_scale + j, apart});
  }

  Product p_;
  FixedRows rows_;
};

// Many rows: oneDNN on tiles of the weights, each thread for itself; narrow weights are widened tile by tile.
class GemmStage : public Stage {
 public:
  GemmStage(const Product& p, unsigned threads) : p_(p) {
    const size_t row_bytes = at(p.w.cols) * sizeof(float);
    tile_ = even_tile(at(p.w.rows), threads,
                      p.w.dtype == ASSAY_F32 ? kWidestTile : std::min(kWidestTile, kWidenedBytes / row_bytes));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((at(p_.w.rows) + tile_ - 1) / tile_);
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return p_.w.dtype == ASSAY_F32 ? 0 : tile_ * at(p_.w.cols) * sizeof(float);
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const size_t j = task * tile_;
    const size_t n = std::min(tile_, at(p_.w.rows) - j);
    const size_t k = at(p_.w.cols);
    const float* w = p_.w.f32() + j * k;
    if (p_.w.dtype != ASSAY_F32) {
      widen(j, n, reinterpret_cast<float*>(scratch));
      w = reinterpret_cast<const float*>(scratch);
    }
    const int64_t ldy = p_.y.cols;
    float* y = p_.y.f32() + j;
    const auto columns = static_cast<int64_t>(n);
    dnnl_sgemm('N', 'T', p_.x.rows, columns, p_.w.cols, 1.0f, p_.x.f32(), p_.w.cols, w, p_.w.cols, 0.0f, y, ldy);
    if (p_.bias == nullptr) return;
    for (int64_t row = 0; row < p_.x.rows; ++row) p_.kernels.add(y + row * ldy, p_.bias + j, y + row * ldy, n);
  }

 private:
  void widen(size_t j, size_t n, float* to) const {
    const size_t k = at(p_.w.cols);
    p_.kernels.to_f32(p_.w.dtype, p_.w.data + j * k * element_bytes(p_.w.dtype), to, n * k);
    if (p_.w_scale == nullptr) return;
    const size_t block = at(p_.w.scale_block);
    const float* scale = p_.w_scale + j * (k / block);
    for (size_t i = 0; i < n * k; i += block) p_.kernels.scale(to + i, *scale++, to + i, block);
  }

  static constexpr size_t kWidestTile = 2560;
  static constexpr size_t kWidenedBytes = 8u << 20;
  Product p_;
  size_t tile_;
};

// int8 weights by rows in fixed point: exact in integers, at the speed of bytes.
class FixedStage : public Stage {
 public:
  FixedStage(const Product& p, const FixedRows& rows, unsigned threads) : p_(p), rows_(rows) {
    tile_ = even_tile(at(p.w.rows), threads, kTileBytes / at(p.w.cols));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((at(p_.w.rows) + tile_ - 1) / tile_);
  }
  void run(const Step&, uint32_t task, char*) const override {
    const size_t j = task * tile_;
    const size_t k = at(p_.w.cols);
    p_.kernels.fixed_gemm({reinterpret_cast<const int8_t*>(p_.w.data) + j * k, k, std::min(tile_, at(p_.w.rows) - j), k,
                           rows_.bytes, rows_.planes, rows_.ld, at(p_.x.rows), rows_.scale, rows_.sum, p_.y.f32() + j,
                           at(p_.y.cols), p_.bias == nullptr ? nullptr : p_.bias + j, p_.w_scale + j});
  }

 private:
  static constexpr size_t kTileBytes = 512u << 10;
  Product p_;
  FixedRows rows_;
  size_t tile_;
};

// Integer products of many rows, exact in int32: by oneDNN where the CPU has VNNI, else by our own kernel, because
// oneDNN's older ones clip sums of two products to 16 bits.
class IntGemmStage : public Stage {
 public:
  IntGemmStage(const Product& p, unsigned threads, bool by_onednn) : p_(p), by_onednn_(by_onednn) {
    tile_ = even_tile(at(p.w.rows), threads, by_onednn ? kAccumulators / kRows : kIntTileCols);
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((at(p_.w.rows) + tile_ - 1) / tile_);
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return tile_ * kRows * sizeof(int32_t) + (by_onednn_ ? 0 : kIntGemmScratch * sizeof(int16_t));
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const size_t j = task * tile_;
    const size_t n = std::min(tile_, at(p_.w.rows) - j);
    auto* acc = reinterpret_cast<int32_t*>(scratch);
    for (size_t row = 0; row < at(p_.x.rows); row += kRows) {
      const size_t m = std::min(kRows, at(p_.x.rows) - row);
      multiply(row, m, j, n, acc);
      for (size_t r = 0; r < m; ++r) {
        p_.kernels.rescale_int(acc + r * tile_, p_.x_scale[row + r], p_.w_scale + j,
                               p_.bias == nullptr ? nullptr : p_.bias + j, p_.y.f32() + (row + r) * at(p_.y.cols) + j,
                               n);
      }
    }
  }

 private:
  void multiply(size_t row, size_t m, size_t j, size_t n, int32_t* acc) const {
    const size_t k = at(p_.w.cols);
    const auto* x = reinterpret_cast<const int8_t*>(p_.x.data) + row * k;
    const auto* w = reinterpret_cast<const int8_t*>(p_.w.data) + j * k;
    if (!by_onednn_) {
      auto* packed = reinterpret_cast<int16_t*>(acc + tile_ * kRows);
      return p_.kernels.int_gemm({x, k, m, w, k, n, k, acc, tile_, packed});
    }
    const int32_t offset = 0;
    const auto depth = static_cast<int64_t>(k);
    dnnl_gemm_s8s8s32('N', 'T', 'F', static_cast<int64_t>(m), static_cast<int64_t>(n), depth, 1.0f, x, depth, 0, w,
                      depth, 0, 0.0f, acc, static_cast<int64_t>(tile_), &offset);
  }

  static constexpr size_t kRows = 512;
  static constexpr size_t kAccumulators = 1u << 20;
  Product p_;
  bool by_onednn_;
  size_t tile_;
};

}  // namespace

size_t even_tile(size_t rows, unsigned threads, size_t widest) {
  constexpr size_t kStep = 16;
  const size_t limit = std::max(kStep, widest / kStep * kStep);
  const size_t rounds = std::max<size_t>(1, (rows + limit * threads - 1) / (limit * threads));
  const size_t tasks = rounds * threads;
  const size_t share = (rows + tasks - 1) / tasks;
  return std::min(limit, (share + kStep - 1) / kStep * kStep);
}

void add_matmul(Plan& plan, const Op& op) {
  const RowForm form = row_form(plan, op);
  if (form == RowForm::kBf16) return add_bf16_matmul(plan, op);
  Slot& x = plan.slots[op.in[0]];
  Slot& w = plan.slots[op.in[1]];
  const float* bias = op.in.size() == 3 ? plan.slots[op.in[2]].f32() : nullptr;
  const float* w_scale = w.dtype == ASSAY_I8 ? plan.slots[at(w.scale)].f32() : nullptr;
  const float* x_scale = x.dtype == ASSAY_I8 ? plan.slots[at(x.scale)].f32() : nullptr;
  const Product p{*plan.kernels, x, w, plan.slots[op.out[0]], bias, w_scale, x_scale};
  if (form == RowForm::kFixed) {
    add_narrow_rows(plan, op);
    if (x.rows <= kMaxSkinnyRows) {
      plan.stages.push_back(std::make_unique<FixedSkinnyStage>(p, fixed_rows(plan, x)));
    } else {
      plan.stages.push_back(std::make_unique<FixedStage>(p, fixed_rows(plan, x), plan.threads));
    }
    plan.note("matmul: own kernel, " + fixed_text(x));
  } else if (x.rows <= kMaxSkinnyRows) {
    plan.stages.push_back(std::make_unique<SkinnyStage>(p));
    const bool converted = w.dtype != ASSAY_F32 && x_scale == nullptr;
    plan.note(std::string("matmul up to 8 rows: own kernels, ") + dtype_text(w.dtype) + " weights" +
              (converted ? " converted to f32 in registers" : ""));
  } else if (x_scale != nullptr) {
    const bool by_onednn = plan.isa == Isa::kAvx512 && onednn_has_vnni();
    plan.stages.push_back(std::make_unique<IntGemmStage>(p, plan.threads, by_onednn));
    plan.note("matmul i8: " + (by_onednn ? onednn_text() : std::string("own kernel")) + ", int8 to int32");
  } else {
    plan.stages.push_back(std::make_unique<GemmStage>(p, plan.threads));
    plan.note("matmul: " + onednn_text() + " in f32" +
              (w.dtype == ASSAY_F32 ? "" : std::string(", ") + dtype_text(w.dtype) + " weights widened tile by tile"));
  }
}

}  // namespace assay::cpu
