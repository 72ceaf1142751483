#include <cmath>
#include <cstring>

#include "adapters/cpu/row_stage.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Llama 3.1's stretching of long wavelengths (op_spec.md).
double scaled(const Op& op, double f) {
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

// The elements of a head that turn by one coordinate of a token's position.
struct Axis {
  int64_t begin = 0, dim = 0;        // within the rotated elements
  int64_t divisor = 1, modulus = 0;  // coordinate = u / divisor % modulus; modulus 0: not reduced
  std::vector<double> frequency;

  bool operator==(const Axis& o) const {
    return begin == o.begin && dim == o.dim && divisor == o.divisor && modulus == o.modulus && frequency == o.frequency;
  }
};

// How an op turns: its axes, and whether the positions are those of a grid.
struct Turning {
  explicit Turning(const Op& op)
      : interleaved(op.attr[ASSAY_ROPE_INTERLEAVED] != 0), grid(op.attr[ASSAY_ROPE_GRID_W] > 0) {
    const int64_t rotary = op.integer(ASSAY_ROPE_ROTARY_DIM);
    if (!grid) {
      slot = op.scalar_slot;
      push(op, {0, rotary, 1, 0, {}});
      return;
    }
    text_rows = op.integer(ASSAY_ROPE_TEXT_ROWS);
    const int64_t h = op.integer(ASSAY_ROPE_GRID_H);
    const int64_t w = op.integer(ASSAY_ROPE_GRID_W);
    const int64_t dim_t = op.integer(ASSAY_ROPE_GRID_DIM_T);
    const int64_t dim_h = op.integer(ASSAY_ROPE_GRID_DIM_H);
    push(op, {0, dim_t, h * w, 0, {}});
    push(op, {dim_t, dim_h, w, h, {}});
    push(op, {dim_t + dim_h, rotary - dim_t - dim_h, 1, w, {}});
  }
  bool operator==(const Turning& o) const {
    return interleaved == o.interleaved && grid == o.grid && slot == o.slot && text_rows == o.text_rows &&
           axes == o.axes;
  }

  bool interleaved, grid;
  uint32_t slot = ASSAY_NO_SCALAR;
  int64_t text_rows = 0;
  std::vector<Axis> axes;

 private:
  void push(const Op& op, Axis axis) {
    if (axis.dim == 0) return;
    for (int64_t i = 0; i < axis.dim; i += 2) {
      const double exponent = -static_cast<double>(i) / static_cast<double>(axis.dim);
      axis.frequency.push_back(scaled(op, std::pow(op.attr[ASSAY_ROPE_THETA], exponent)));
    }
    axes.push_back(std::move(axis));
  }
};

// cos and sin of every position of a step, as the kernel wants them. Those of a grid never change.
class RopeTable : public Stage {
 public:
  RopeTable(Turning turning, int64_t tokens) : turning_(std::move(turning)), tokens_(tokens) {
    for (const Axis& axis : turning_.axes) ld_ += at(turning_.interleaved ? axis.dim : axis.dim / 2);
    cos_.resize(at(tokens) * ld_);
    sin_.resize(at(tokens) * ld_);
    for (int64_t t = 0; turning_.grid && t < tokens; ++t) fill(t, 0);
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return turning_.grid ? 0 : static_cast<uint32_t>((tokens_ + kTokens - 1) / kTokens);
  }
  void run(const Step& step, uint32_t task, char*) const override {
    const int64_t end = std::min(tokens_, (task + 1) * kTokens);
    for (int64_t t = task * kTokens; t < end; ++t) fill(t, step.pos(turning_.slot));
  }
  [[nodiscard]] const std::vector<Axis>& axes() const { return turning_.axes; }
  [[nodiscard]] bool interleaved() const { return turning_.interleaved; }
  [[nodiscard]] const float* cos(size_t t) const { return cos_.data() + t * ld_; }
  [[nodiscard]] const float* sin(size_t t) const { return sin_.data() + t * ld_; }
  // Whether this table serves another op as well.
  [[nodiscard]] bool serves(const Turning& other, int64_t tokens) const {
    return tokens_ == tokens && turning_ == other;
  }

 private:
  void fill(int64_t t, int64_t pos) const {
    float* cosine = cos_.data() + at(t) * ld_;
    float* sine = sin_.data() + at(t) * ld_;
    const int64_t u = turning_.grid ? t - turning_.text_rows : pos + t;
    for (const Axis& axis : turning_.axes) {
      const int64_t place = axis.modulus > 0 ? u / axis.divisor % axis.modulus : u / axis.divisor;
      for (const double frequency : axis.frequency) {
        const double angle = u < 0 ? 0.0 : static_cast<double>(place) * frequency;
        const auto c = static_cast<float>(std::cos(angle));
        const auto s = static_cast<float>(std::sin(angle));
        if (turning_.interleaved) {
          *cosine++ = c;
          *sine++ = -s;
        }
        *cosine++ = c;
        *sine++ = s;
      }
    }
  }

  static constexpr int64_t kTokens = 32;
  Turning turning_;
  int64_t tokens_;
  size_t ld_ = 0;
  mutable std::vector<float> cos_, sin_;  // written by run, each token by one task
};

const RopeTable& table_for(Plan& plan, const Op& op, int64_t tokens) {
  Turning turning(op);
  for (const auto& stage : plan.stages) {
    const auto* known = dynamic_cast<const RopeTable*>(stage.get());
    if (known != nullptr && known->serves(turning, tokens)) return *known;
  }
  plan.stages.push_back(std::make_unique<RopeTable>(std::move(turning), tokens));
  return static_cast<const RopeTable&>(*plan.stages.back());
}

}  // namespace

void add_rope(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  Slot& y = plan.slots[op.out[0]];
  const size_t tokens = at(x.rows / op.integer(ASSAY_ROPE_BATCH));
  const RopeTable& table = table_for(plan, op, static_cast<int64_t>(tokens));
  const Kernels& kernels = *plan.kernels;
  const size_t ld = at(x.cols);
  const size_t begin = at(op.integer(ASSAY_ROPE_COL) + op.integer(ASSAY_ROPE_ROTARY_COL));
  const size_t dim = at(op.integer(ASSAY_ROPE_HEAD_DIM));
  const size_t heads = at(op.integer(ASSAY_ROPE_COLS)) / dim;
  push_rows(plan, x.rows, x.cols, [=, &table, &kernels, &x, &y](const Step&, size_t row) {
    float* to = y.f32() + row * ld;
    if (x.data != y.data) std::memcpy(to, x.f32() + row * ld, ld * sizeof(float));
    const float* cos = table.cos(row % tokens);
    const float* sin = table.sin(row % tokens);
    for (const Axis& axis : table.axes()) {
      kernels.rope({to + begin + axis.begin, cos, sin, heads, dim, at(axis.dim), table.interleaved()});
      cos += table.interleaved() ? axis.dim : axis.dim / 2;
      sin += table.interleaved() ? axis.dim : axis.dim / 2;
    }
  });
}

}  // namespace assay::cpu
