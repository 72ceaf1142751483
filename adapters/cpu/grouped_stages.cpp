#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cstring>

#include "adapters/cpu/groups_stage.h"
#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

size_t at(int64_t value) { return static_cast<size_t>(value); }

// Rows from which on oneDNN, which packs the weights first, is faster than dot products along the rows.
constexpr size_t kOnednnRows = 96;

// Rows of bf16 from which on lanes are faster than dot products; measured on 2 cores of a Zen 4.
constexpr size_t kFewestPairsInLanes = 30;

// Rows of weights as their kernels want them: with the scales of their first row, if any.
struct Weights {
  Weights(const Plan& plan, const Slot& slot)
      : w(slot),
        scale(slot.dtype == ASSAY_I8 ? plan.slots[at(slot.scale)].f32() : nullptr),
        blocks(slot.scale_block > 0 ? at(slot.cols / slot.scale_block) : 1) {}

  [[nodiscard]] const char* row(size_t j) const { return w.data + j * at(w.cols) * element_bytes(w.dtype); }
  [[nodiscard]] const float* row_scale(size_t j) const { return scale == nullptr ? nullptr : scale + j * blocks; }
  // Rows [j, j + n) in f32, in place where they are, else in `wide`.
  const float* as_f32(const Kernels& kernels, size_t j, size_t n, float* wide) const {
    if (w.dtype == ASSAY_F32) return reinterpret_cast<const float*>(row(j));
    const size_t k = at(w.cols);
    kernels.to_f32(w.dtype, row(j), wide, n * k);
    if (scale == nullptr) return wide;
    const size_t block = k / blocks;
    const float* s = row_scale(j);
    for (size_t i = 0; i < n * k; i += block) kernels.scale(wide + i, *s++, wide + i, block);
    return wide;
  }

  const Slot& w;
  const float* scale;
  size_t blocks;  // scales per row
};

struct Rows {
  const float* x;
  size_t ldx, m;
  float* y;
  size_t ldy;
};

// y = x w^T over rows [j, j + n) of w. `wide`: n * K elements of scratch.
void multiply(const Kernels& kernels, const Weights& weights, size_t j, size_t n, const Rows& rows, float* wide) {
  const Slot& w = weights.w;
  const size_t k = at(w.cols);
  if (rows.m >= kOnednnRows && n >= 64) {
    const float* from = weights.as_f32(kernels, j, n, wide);
    dnnl_sgemm('N', 'T', static_cast<int64_t>(rows.m), static_cast<int64_t>(n), w.cols, 1.0f, rows.x,
               static_cast<int64_t>(rows.ldx), from, w.cols, 0.0f, rows.y, static_cast<int64_t>(rows.ldy));
    return;
  }
  const bool few = rows.m <= kMaxSkinnyRows;
  (few ? kernels.matvec
       : kernels.dot_gemm)({weights.row(j), w.dtype, k, n, k, rows.x, rows.ldx, static_cast<int>(rows.m), rows.y,
                            rows.ldy, nullptr, weights.row_scale(j), weights.blocks, at(w.scale_block)});
}

// Puts each group's rows into lanes.
class LanesStage : public Stage {
 public:
  LanesStage(const Plan& plan, const Op& op, const GroupsStage& groups)
      : kernels_(*plan.kernels), groups_(groups), to_(lane_rows(plan, op)) {
    const Slot& x = plan.slots[op.in[0]];
    const bool pairs = row_form(plan, op) == RowForm::kBf16;
    from_ = pairs ? reinterpret_cast<const float*>(plan.narrow.data()) : x.f32();
    depth_ = at(x.cols) / (pairs ? 2 : 1);
    stride_ = pairs ? bf16_row_stride(at(x.cols)) / 2 : depth_;
    most_ = std::min(at(plan.slots[op.in[1]].dims[0]), at(x.rows));
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(most_); }
  void run(const Step&, uint32_t task, char*) const override {
    if (task >= groups_.groups().size()) return;
    const GroupsStage::Group& group = groups_.groups()[task];
    kernels_.pack_lanes(from_ + group.first * stride_, stride_, group.lanes, depth_, to_ + group.first_lane * depth_);
  }

 private:
  const Kernels& kernels_;
  const GroupsStage& groups_;
  const float* from_;
  float* to_;
  size_t depth_, stride_, most_;
};

class GroupedStage : public Stage {
 public:
  GroupedStage(const Plan& plan, const Op& op, Slot& y, GroupsStage& groups)
      : kernels_(*plan.kernels),
        x_(plan.slots[op.in[0]]),
        weights_(plan, plan.slots[op.in[1]]),
        y_(y),
        groups_(groups),
        form_(row_form(plan, op)),
        narrow_(plan.narrow.data()),
        lanes_(by_lanes(plan, op) ? lane_rows(plan, op) : nullptr) {
    const Slot& w = weights_.w;
    if (form_ == RowForm::kFixed) fixed_ = fixed_rows(plan, x_);
    const size_t experts = at(w.dims[0]);
    n_ = at(w.dims[1]);
    most_ = std::min(experts, at(x_.rows));
    const size_t row_bytes = at(w.cols) * element_bytes(w.dtype);
    const size_t rows = at(x_.rows) / most_;
    const bool by_rows = form_ == RowForm::kBf16 && rows < kFewestPairsInLanes;
    size_t task_bytes = lanes_ != nullptr ? kLaneTileBytes : kTileBytes;
    if (rows <= kMaxSkinnyRows) {
      task_bytes = kStreamBytes;
    } else if (by_rows) {
      task_bytes = std::clamp(most_ * n_ * row_bytes / (kTasksPerThread * plan.threads), kLaneTileBytes, kRowTileBytes);
    }
    tile_ = std::max<size_t>(task_bytes / row_bytes / 16 * 16, 16);
    if (!by_rows) tile_ = std::min(tile_, kWidestTile);
    tiles_ = (n_ + tile_ - 1) / tile_;
    threads_ = plan.threads;
    groups.cut(most_, tiles_);
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(most_ * tiles_); }
  [[nodiscard]] size_t scratch_bytes() const override {
    const bool widens = form_ == RowForm::kF32 && weights_.w.dtype != ASSAY_F32;
    return widens ? tile_ * at(weights_.w.cols) * sizeof(float) : 0;
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    if (task >= groups_.pieces().size()) return;
    const GroupsStage::Piece piece = groups_.pieces()[task];
    const GroupsStage::Group& group = groups_.groups()[piece.group];
    const size_t j = piece.tile * tile_;
    const size_t n = std::min(tile_, n_ - j);
    const Tile tile{group.expert * n_ + j, j, n, next_weights(task + threads_)};
    const size_t done = lanes_ != nullptr && n >= kLaneCols ? multiply_lanes(group, tile) : 0;
    if (done < group.rows) multiply_rows(group.first + done, group.rows - done, done > 0, tile, scratch);
  }

 private:
  static constexpr size_t kStreamBytes = 128u << 10;    // a task where weights are read for few rows each
  static constexpr size_t kTileBytes = 1u << 20;        // and where the products are what takes time
  static constexpr size_t kRowTileBytes = 2u << 20;     // and where the weights ahead are asked for
  static constexpr size_t kLaneTileBytes = 512u << 10;  // which a block of rows in lanes leaves room for in L2
  static constexpr size_t kWidestTile = 512;
  static constexpr size_t kTasksPerThread = 16;
  struct Tile {
    size_t row, j, n;  // rows [row, row + n) of the weights give columns [j, j + n) of y
    const char* next;  // weights of the task that this thread is likely to take next, or nullptr
  };

  [[nodiscard]] const char* next_weights(size_t task) const {
    if (task >= groups_.pieces().size()) return nullptr;
    const GroupsStage::Piece piece = groups_.pieces()[task];
    return weights_.row(groups_.groups()[piece.group].expert * n_ + piece.tile * tile_);
  }

  // The rows of the group that stand in lanes; returns their number.
  size_t multiply_lanes(const GroupsStage::Group& group, const Tile& tile) const {
    if (group.lanes == 0) return 0;
    const size_t k = at(x_.cols) / (form_ == RowForm::kBf16 ? 2 : 1);
    const auto* w = reinterpret_cast<const float*>(weights_.row(tile.row));
    (form_ == RowForm::kBf16 ? bf16_lane_gemm : kernels_.lane_gemm)(
        {w, k, tile.n, k, lanes_ + group.first_lane * k, group.lanes, y_.f32() + group.first * n_ + tile.j, n_});
    return group.lanes;
  }
  // Rows [first, first + m) of x; `near`: the weights were read just before.
  void multiply_rows(size_t first, size_t m, bool near, const Tile& tile, char* scratch) const {
    const size_t k = at(x_.cols);
    const char* w = weights_.row(tile.row);
    const Rows rows{x_.f32() + first * k, k, m, y_.f32() + first * n_ + tile.j, n_};
    if (form_ == RowForm::kBf16) {
      const size_t stride = bf16_row_stride(k);
      const auto* x = reinterpret_cast<const uint16_t*>(narrow_) + first * stride;
      bf16_gemm({reinterpret_cast<const uint16_t*>(w), k, tile.n, k, x, stride, m, rows.y, n_,
                 reinterpret_cast<const uint16_t*>(tile.next)});
    } else if (form_ == RowForm::kFixed) {
      kernels_.fixed_gemm({reinterpret_cast<const int8_t*>(w), k, tile.n, k, fixed_.row(first), fixed_.planes,
                           fixed_.ld, m, fixed_.scale + first, fixed_.sum + first, rows.y, n_, nullptr,
                           weights_.row_scale(tile.row), 0, reinterpret_cast<const int8_t*>(tile.next)});
    } else if (near) {
      kernels_.dot_gemm(
          {w, weights_.w.dtype, k, tile.n, k, rows.x, k, static_cast<int>(m), rows.y, n_, nullptr, nullptr, 1, 0});
    } else {
      multiply(kernels_, weights_, tile.row, tile.n, rows, reinterpret_cast<float*>(scratch));
    }
  }

  const Kernels& kernels_;
  const Slot& x_;
  Weights weights_;
  Slot& y_;
  const GroupsStage& groups_;
  RowForm form_;
  const char* narrow_;
  const float* lanes_;  // nullptr: rows are not read from lanes
  FixedRows fixed_;
  size_t n_ = 0, most_ = 0, tile_ = 0, tiles_ = 0, threads_ = 1;
};

class HeadStage : public Stage {
 public:
  HeadStage(const Plan& plan, const Op& op, Slot& y)
      : kernels_(*plan.kernels),
        x_(plan.slots[op.in[0]]),
        weights_(plan, plan.slots[op.in[1]]),
        y_(y),
        heads_(op.integer(ASSAY_HEAD_MATMUL_HEADS)),
        col_(op.integer(ASSAY_HEAD_MATMUL_COL)),
        stride_(op.integer(ASSAY_HEAD_MATMUL_STRIDE)),
        pass_(at(op.integer(ASSAY_HEAD_MATMUL_PASS))),
        n_(at(weights_.w.dims[1])) {}
  [[nodiscard]] uint32_t tasks(const Step&) const override {
    return static_cast<uint32_t>(heads_ * ((x_.rows + kRows - 1) / kRows));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    return weights_.w.dtype == ASSAY_F32 ? 0 : n_ * at(weights_.w.cols) * sizeof(float);
  }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const int64_t h = task % heads_;
    const int64_t row = task / heads_ * kRows;
    const size_t m = at(std::min(kRows, x_.rows - row));
    const float* x = x_.f32() + row * x_.cols + col_ + h * stride_;
    float* y = y_.f32() + row * y_.cols + h * static_cast<int64_t>(n_ + pass_);
    multiply(kernels_, weights_, at(h) * n_, n_, {x, at(x_.cols), m, y, at(y_.cols)},
             reinterpret_cast<float*>(scratch));
    for (size_t r = 0; r < m && pass_ > 0; ++r) {
      std::memcpy(y + r * at(y_.cols) + n_, x + r * at(x_.cols) + weights_.w.cols, pass_ * sizeof(float));
    }
  }

 private:
  static constexpr int64_t kRows = 256;
  const Kernels& kernels_;
  const Slot& x_;
  Weights weights_;
  Slot& y_;
  int64_t heads_, col_, stride_;
  size_t pass_, n_;
};

class ExpandStage : public Stage {
 public:
  ExpandStage(const Plan& plan, const Op& op, Slot& y)
      : kernels_(*plan.kernels),
        latent_(plan.slots[op.in[0]]),
        weights_(plan, plan.slots[op.in[1]]),
        y_(y),
        slot_(op.scalar_slot),
        tokens_(op.integer(ASSAY_KV_EXPAND_TOKENS)),
        col_(op.integer(ASSAY_KV_EXPAND_COL)) {
    n_ = at(weights_.w.rows);
    tile_ = std::min<size_t>(n_, kTile);
    tiles_ = (n_ + tile_ - 1) / tile_;
  }
  [[nodiscard]] uint32_t tasks(const Step& step) const override {
    const int64_t blocks = (rows(step) + kRows - 1) / kRows;
    return static_cast<uint32_t>(latent_.dims[0] * blocks * static_cast<int64_t>(tiles_));
  }
  [[nodiscard]] size_t scratch_bytes() const override {
    const size_t k = at(weights_.w.cols);
    return (at(kRows) * k + tile_ * k) * sizeof(float);
  }
  void run(const Step& step, uint32_t task, char* scratch) const override {
    const int64_t blocks = (rows(step) + kRows - 1) / kRows;
    const size_t j = task % tiles_ * tile_;
    const int64_t row = task / static_cast<int64_t>(tiles_) % blocks * kRows;
    const int64_t b = task / static_cast<int64_t>(tiles_) / blocks;
    const size_t m = at(std::min(kRows, rows(step) - row));
    const size_t k = at(weights_.w.cols);
    auto* wide = reinterpret_cast<float*>(scratch);
    const size_t first = at(b * latent_.dims[1] + row);
    const char* from = latent_.data + (first * at(latent_.cols) + at(col_)) * element_bytes(latent_.dtype);
    Rows r{reinterpret_cast<const float*>(from), at(latent_.cols), m, y_.f32() + first * n_ + j, n_};
    if (latent_.dtype != ASSAY_F32) {
      const size_t stride = at(latent_.cols) * element_bytes(latent_.dtype);
      for (size_t i = 0; i < m; ++i) kernels_.to_f32(latent_.dtype, from + i * stride, wide + i * k, k);
      r.x = wide;
      r.ldx = k;
    }
    multiply(kernels_, weights_, j, std::min(tile_, n_ - j), r, wide + at(kRows) * k);
  }

 private:
  static constexpr int64_t kRows = 256;
  static constexpr size_t kTile = 512;
  [[nodiscard]] int64_t rows(const Step& step) const { return step.pos(slot_) + tokens_; }
  const Kernels& kernels_;
  const Slot& latent_;
  Weights weights_;
  Slot& y_;
  uint32_t slot_;
  int64_t tokens_, col_;
  size_t n_ = 0, tile_ = 0, tiles_ = 0;
};

void note_products(Plan& plan, const Op& op, const Slot& w) {
  plan.note(std::string(kind_text(op.kind)) + ": own kernels in f32, many rows by " + onednn_text() +
            (w.dtype == ASSAY_F32 ? "" : std::string(", ") + dtype_text(w.dtype) + " weights widened on the way"));
}

}  // namespace

void add_grouped_matmul(Plan& plan, const Op& op) {
  const RowForm form = row_form(plan, op);
  auto groups = std::make_unique<GroupsStage>(op, plan.slots[op.in[2]], plan.slots[op.in[0]].rows,
                                              form == RowForm::kBf16 ? kFewestPairsInLanes : 0);
  GroupsStage& found = *groups;
  plan.stages.push_back(std::move(groups));
  if (form != RowForm::kF32) add_narrow_rows(plan, op);
  if (by_lanes(plan, op)) plan.stages.push_back(std::make_unique<LanesStage>(plan, op, found));
  plan.stages.push_back(std::make_unique<GroupedStage>(plan, op, plan.slots[op.out[0]], found));
  if (form == RowForm::kBf16) {
    plan.note("grouped_matmul: own kernel in bf16 summed in f32");
  } else if (form == RowForm::kFixed) {
    plan.note("grouped_matmul: own kernel, " + fixed_text(plan.slots[op.in[0]]));
  } else if (by_lanes(plan, op)) {
    plan.note("grouped_matmul: own kernels in f32");
  } else {
    note_products(plan, op, plan.slots[op.in[1]]);
  }
}

void add_head_matmul(Plan& plan, const Op& op) {
  plan.stages.push_back(std::make_unique<HeadStage>(plan, op, plan.slots[op.out[0]]));
  note_products(plan, op, plan.slots[op.in[1]]);
}

void add_kv_expand(Plan& plan, const Op& op) {
  plan.stages.push_back(std::make_unique<ExpandStage>(plan, op, plan.slots[op.out[0]]));
  note_products(plan, op, plan.slots[op.in[1]]);
}

}  // namespace assay::cpu
