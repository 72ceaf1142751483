// The rows of a product as its kernel reads them, made by a stage before it.
#include <algorithm>

#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

constexpr size_t kLine = 64;
size_t lines(size_t bytes) { return (bytes + kLine - 1) / kLine * kLine; }

class Bf16RowsStage : public Stage {
 public:
  Bf16RowsStage(const Plan& plan, const Slot& x, size_t stride)
      : kernels_(*plan.kernels), x_(x), to_(plan.narrow.data()), stride_(stride) {
    rows_ = std::max<size_t>(1, kElements / at(x.cols));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((at(x_.rows) + rows_ - 1) / rows_);
  }
  void run(const Step&, uint32_t task, char*) const override {
    const size_t cols = at(x_.cols);
    const size_t end = std::min(at(x_.rows), (task + 1) * rows_);
    for (size_t r = task * rows_; r < end; ++r) {
      kernels_.from_f32(ASSAY_BF16, x_.f32() + r * cols, to_ + r * stride_ * 2, cols);
    }
  }

 private:
  static constexpr size_t kElements = 1u << 16;
  const Kernels& kernels_;
  const Slot& x_;
  char* to_;
  size_t stride_, rows_;
};

class FixedRowsStage : public Stage {
 public:
  FixedRowsStage(const Plan& plan, const Slot& x) : kernels_(*plan.kernels), x_(x), to_(fixed_rows(plan, x)) {
    rows_ = std::max<size_t>(1, kElements / at(x.cols));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>((at(x_.rows) + rows_ - 1) / rows_);
  }
  void run(const Step&, uint32_t task, char*) const override {
    const size_t end = std::min(at(x_.rows), (task + 1) * rows_);
    for (size_t r = task * rows_; r < end; ++r) {
      kernels_.to_fixed(x_.f32() + r * at(x_.cols), at(x_.cols), to_.row(r), to_.planes, to_.ld, to_.scale + r,
                        to_.sum + r);
    }
  }

 private:
  static constexpr size_t kElements = 1u << 15;
  const Kernels& kernels_;
  const Slot& x_;
  FixedRows to_;
  size_t rows_;
};

}  // namespace

RowForm row_form(const Plan& plan, const Op& op) {
  if (op.kind != ASSAY_OP_MATMUL && op.kind != ASSAY_OP_GROUPED_MATMUL) return RowForm::kF32;
  const Slot& x = plan.slots[op.in[0]];
  const Slot& w = plan.slots[op.in[1]];
  if (x.host_dtype == ASSAY_BF16 && w.dtype == ASSAY_BF16 && plan.isa == Isa::kAvx512) {
    // Few rows of a plain product are read at memory's speed as they are.
    const bool many = op.kind == ASSAY_OP_MATMUL && x.rows > kMaxSkinnyRows && onednn_has_bf16();
    const bool grouped = op.kind == ASSAY_OP_GROUPED_MATMUL && cpu_has_bf16();
    return many || grouped ? RowForm::kBf16 : RowForm::kF32;
  }
  // At every number of rows, because three products of bytes, 64 each, take less time than four of f32, 16 each.
  // Measured on 2 cores of a Zen 4: 250 GFLOP/s at 16 rows and 260 at 128, against 210 to 220 of a large product of
  // oneDNN in f32, which has no weights to widen first.
  const bool whole_row_scales = w.dtype == ASSAY_I8 && x.dtype == ASSAY_F32 && w.scale_block == w.cols;
  const bool fixed = whole_row_scales && plan.kernels->fixed_gemm != nullptr && at(w.cols) <= kMaxFixedDepth;
  return fixed ? RowForm::kFixed : RowForm::kF32;
}

namespace {

// By norm, a step of 2^-15 of a row's largest is finer than bf16's of each element, whatever the row, up to this many.
size_t fixed_planes(const Slot& x) {
  constexpr int64_t kMostElements = 16384;
  return x.host_dtype == ASSAY_BF16 && x.cols <= kMostElements ? 2 : 3;
}

constexpr size_t kMostPadding = 7;  // lanes without a row, of one group

// Elements from one row of bf16 to the next: oneDNN wants a plain product's rows one after another.
size_t bf16_stride(const Op& op, const Slot& x) {
  return op.kind == ASSAY_OP_GROUPED_MATMUL ? bf16_row_stride(at(x.cols)) : at(x.cols);
}

// Of the rows in the form that row_form says.
size_t row_bytes(const Plan& plan, const Op& op) {
  const RowForm form = row_form(plan, op);
  if (form == RowForm::kF32) return 0;
  const Slot& x = plan.slots[op.in[0]];
  if (form == RowForm::kBf16) return lines(at(x.rows) * bf16_stride(op, x) * 2);
  const size_t bytes = at(x.rows) * fixed_planes(x) * lines(at(x.cols));
  return lines(at(x.rows) * sizeof(double)) + lines(at(x.rows) * sizeof(float)) + bytes;
}

}  // namespace

bool by_lanes(const Plan& plan, const Op& op) {
  if (op.kind != ASSAY_OP_GROUPED_MATMUL || plan.kernels->lane_gemm == nullptr) return false;
  const Slot& w = plan.slots[op.in[1]];
  if (at(w.dims[1]) < kLaneCols) return false;
  return row_form(plan, op) == RowForm::kBf16 ? w.cols % 2 == 0 : w.dtype == ASSAY_F32;
}

float* lane_rows(const Plan& plan, const Op& op) {
  return reinterpret_cast<float*>(plan.narrow.data() + row_bytes(plan, op));
}

size_t narrow_bytes(const Plan& plan, const Op& op) {
  if (!by_lanes(plan, op)) return row_bytes(plan, op);
  const Slot& x = plan.slots[op.in[0]];
  const size_t groups = std::min(at(plan.slots[op.in[1]].dims[0]), at(x.rows));
  const size_t element = row_form(plan, op) == RowForm::kBf16 ? 2 : sizeof(float);
  return row_bytes(plan, op) + (at(x.rows) + groups * kMostPadding) * at(x.cols) * element;
}

FixedRows fixed_rows(const Plan& plan, const Slot& x) {
  char* from = plan.narrow.data();
  FixedRows rows;
  rows.sum = reinterpret_cast<double*>(from);
  from += lines(at(x.rows) * sizeof(double));
  rows.scale = reinterpret_cast<float*>(from);
  from += lines(at(x.rows) * sizeof(float));
  rows.bytes = reinterpret_cast<int8_t*>(from);
  rows.planes = fixed_planes(x);
  rows.ld = lines(at(x.cols));
  return rows;
}

std::string fixed_text(const Slot& x) {
  return "i8 weights by rows in " + std::to_string(8 * fixed_planes(x)) + "-bit fixed point, exact in integers";
}

void add_narrow_rows(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  if (row_form(plan, op) == RowForm::kBf16) {
    plan.stages.push_back(std::make_unique<Bf16RowsStage>(plan, x, bf16_stride(op, x)));
  } else {
    plan.stages.push_back(std::make_unique<FixedRowsStage>(plan, x));
  }
}

}  // namespace assay::cpu
