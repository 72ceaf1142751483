#include <algorithm>
#include <cstring>

#include "adapters/cpu/panels.h"
#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

struct Conv {
  Conv(const Plan& plan, const Op& op, Slot& out)
      : kernels(*plan.kernels),
        x(plan.slots[op.in[0]]),
        w(plan.slots[op.in[1]]),
        scale(w.dtype == ASSAY_I8 ? plan.slots[at(w.scale)].f32() : nullptr),
        bias(op.has_in(2) ? plan.slots[op.in[2]].f32() : nullptr),
        y(out),
        packed(reinterpret_cast<float*>(plan.packed.data())),
        channels(x.cols),
        outputs(y.cols) {
    for (uint32_t axis = 0; axis < 3; ++axis) {
      kernel[axis] = op.integer(ASSAY_CONV3D_KERNEL_T + axis);
      up[axis] = std::max<int64_t>(1, op.integer(ASSAY_CONV3D_UP_T + axis));
    }
  }
  [[nodiscard]] int64_t taps() const { return kernel[0] * kernel[1] * kernel[2]; }
  // The packed weights of output channels from `first` on (whole panels) at one tap.
  [[nodiscard]] float* panels(int64_t tap, int64_t first) const {
    return packed + (tap * whole_panels(outputs) + first) * channels;
  }

  const Kernels& kernels;
  const Slot &x, &w;
  const float *scale, *bias;  // nullptr: none
  Slot& y;
  float* packed;  // [taps][panels of output channels][channels]
  int64_t channels, outputs;
  int64_t kernel[3] = {}, up[3] = {};  // t, h, w
};

// Packs the weights tap by tap.
class ConvPackStage : public Stage {
 public:
  explicit ConvPackStage(const Conv& c) : c_(c) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>(whole_panels(c_.outputs) / kPanel);
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return c_.w.dtype == ASSAY_F32 ? 0 : at(kPanel * c_.w.cols) * sizeof(float);
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const int64_t first = task * kPanel;
    const int64_t n = std::min(kPanel, c_.outputs - first);
    const auto* w = reinterpret_cast<const float*>(c_.w.data + at(first * c_.w.cols) * element_bytes(c_.w.dtype));
    if (c_.w.dtype != ASSAY_F32) {
      widen(first, n, reinterpret_cast<float*>(scratch));
      w = reinterpret_cast<const float*>(scratch);
    }
    for (int64_t tap = 0; tap < c_.taps(); ++tap) {
      const char* rows[kPanel];
      for (int64_t o = 0; o < n; ++o) rows[o] = reinterpret_cast<const char*>(w + o * c_.w.cols + tap * c_.channels);
      c_.kernels.pack_rows({rows, ASSAY_F32, at(n), at(c_.channels), c_.panels(tap, first), at(c_.channels)});
      const int64_t filled = (n + panel_cols() - 1) / panel_cols() * panel_cols();
      std::fill(c_.panels(tap, first) + filled * c_.channels, c_.panels(tap, first) + kPanel * c_.channels, 0.0f);
    }
  }

 private:
  static constexpr int64_t kPanel = kMaxPanelCols;
  [[nodiscard]] int64_t panel_cols() const { return static_cast<int64_t>(c_.kernels.panel_cols); }
  void widen(int64_t first, int64_t n, float* to) const {
    const size_t k = at(c_.w.cols);
    c_.kernels.to_f32(c_.w.dtype, c_.w.data + at(first) * k * element_bytes(c_.w.dtype), to, at(n) * k);
    if (c_.scale == nullptr) return;
    const size_t block = at(c_.w.scale_block);
    const float* scale = c_.scale + at(first) * (k / block);
    for (size_t i = 0; i < at(n) * k; i += block) c_.kernels.scale(to + i, *scale++, to + i, block);
  }
  Conv c_;
};

// A task makes all channels of some rows of one frame. Of each input frame that it sees, the rows it needs are copied
// with zeros around them; there every tap is a matrix whose rows lie one place apart, so nothing is unfolded.
class ConvStage : public Stage {
 public:
  explicit ConvStage(const Conv& c) : c_(c) {
    const int64_t places = std::clamp<int64_t>(kInputElements / c.channels, 48, 256);
    cols_ = std::min(c.y.dims[2], places);
    rows_ = std::clamp<int64_t>(places / cols_, 1, c.y.dims[1]);
    col_tiles_ = (c.y.dims[2] + cols_ - 1) / cols_;
    row_tiles_ = (c.y.dims[1] + rows_ - 1) / rows_;
    ld_x_ = c.channels % 512 == 0 ? c.channels + 16 : c.channels;  // rows 2^n apart would share their cache sets
    ld_y_ = whole_panels(c.outputs);
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>(c_.y.dims[0] * row_tiles_ * col_tiles_);
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return at(padded_rows() * padded_cols() * ld_x_ + rows_ * cols_ * ld_y_) * sizeof(float);
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    Tile tile;
    tile.c = task % col_tiles_ * cols_;
    tile.b = task / col_tiles_ % row_tiles_ * rows_;
    tile.a = task / col_tiles_ / row_tiles_;
    tile.cols = std::min(cols_, c_.y.dims[2] - tile.c);
    tile.rows = std::min(rows_, c_.y.dims[1] - tile.b);
    tile.x = reinterpret_cast<float*>(scratch);
    tile.y = tile.x + padded_rows() * padded_cols() * ld_x_;
    bool add = false;
    for (int64_t i = 0; i < c_.kernel[0]; ++i) {
      const int64_t frame = tile.a + i - (c_.kernel[0] - 1);
      if (frame < 0) continue;
      copy_input(tile, frame);
      for (int64_t tap = 0; tap < c_.kernel[1] * c_.kernel[2]; ++tap) {
        multiply(tile, i * c_.kernel[1] * c_.kernel[2] + tap, tap / c_.kernel[2], tap % c_.kernel[2], add);
        add = true;
      }
    }
    put(tile);
  }

 private:
  static constexpr int64_t kInputElements = 64 << 10;
  struct Tile {
    int64_t a = 0, b = 0, c = 0, rows = 0, cols = 0;  // first place and extent of the output
    float *x = nullptr, *y = nullptr;
  };
  [[nodiscard]] int64_t padded_rows() const { return rows_ + c_.kernel[1] - 1; }
  [[nodiscard]] int64_t padded_cols() const { return cols_ + c_.kernel[2] - 1; }

  void copy_input(const Tile& tile, int64_t frame) const {
    const int64_t from_frame = frame == 0 ? 0 : (frame - 1) / c_.up[0] + 1;
    const size_t bytes = at(c_.channels) * sizeof(float);
    for (int64_t r = 0; r < tile.rows + c_.kernel[1] - 1; ++r) {
      const int64_t row = tile.b + r - (c_.kernel[1] - 1) / 2;
      float* to = tile.x + r * padded_cols() * ld_x_;
      for (int64_t l = 0; l < tile.cols + c_.kernel[2] - 1; ++l, to += ld_x_) {
        const int64_t col = tile.c + l - (c_.kernel[2] - 1) / 2;
        if (row < 0 || row >= c_.y.dims[1] || col < 0 || col >= c_.y.dims[2]) {
          std::memset(to, 0, bytes);
          continue;
        }
        const int64_t place = (from_frame * c_.x.dims[1] + row / c_.up[1]) * c_.x.dims[2] + col / c_.up[2];
        std::memcpy(to, c_.x.f32() + place * c_.channels, bytes);
      }
    }
  }
  void multiply(const Tile& tile, int64_t tap, int64_t j, int64_t l, bool add) const {
    const size_t k = at(c_.channels);
    for (int64_t o = 0; o < ld_y_; o += kMaxPanelCols) {
      for (int64_t r = 0; r < tile.rows; ++r) {
        const float* x = tile.x + ((r + j) * padded_cols() + l) * ld_x_;
        c_.kernels.panel_gemm({x, at(ld_x_), at(tile.cols), c_.panels(tap, o), k, kMaxPanelCols, k,
                               tile.y + r * cols_ * ld_y_ + o, at(ld_y_), add});
      }
    }
  }
  void put(const Tile& tile) const {
    const size_t n = at(c_.outputs);
    for (int64_t r = 0; r < tile.rows; ++r) {
      for (int64_t l = 0; l < tile.cols; ++l) {
        const float* from = tile.y + (r * cols_ + l) * ld_y_;
        float* to = c_.y.f32() + ((tile.a * c_.y.dims[1] + tile.b + r) * c_.y.dims[2] + tile.c + l) * c_.outputs;
        if (c_.bias != nullptr) {
          c_.kernels.add(from, c_.bias, to, n);
        } else {
          std::memcpy(to, from, n * sizeof(float));
        }
      }
    }
  }

  Conv c_;
  int64_t cols_ = 0, rows_ = 0, col_tiles_ = 0, row_tiles_ = 0, ld_x_ = 0, ld_y_ = 0;
};

}  // namespace

size_t conv_packed_bytes(const Plan& plan, const Op& op) {
  if (op.kind != ASSAY_OP_CONV3D) return 0;
  const Slot& w = plan.slots[op.in[1]];
  return at(whole_panels(w.rows) * w.cols) * sizeof(float);
}

void add_conv3d(Plan& plan, const Op& op) {
  const Conv conv(plan, op, plan.slots[op.out[0]]);
  plan.stages.push_back(std::make_unique<ConvPackStage>(conv));
  plan.stages.push_back(std::make_unique<ConvStage>(conv));
  plan.note(std::string("conv3d: own kernel in f32, nothing unfolded") +
            (conv.w.dtype == ASSAY_F32 ? "" : std::string("; ") + dtype_text(conv.w.dtype) + " weights widened"));
}

}  // namespace assay::cpu
