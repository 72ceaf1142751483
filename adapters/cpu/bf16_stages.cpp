#include <algorithm>

#include "adapters/cpu/onednn.h"
#include "adapters/cpu/plan.h"

namespace assay::cpu {

namespace {

using dnnl::memory;

size_t at(int64_t value) { return static_cast<size_t>(value); }

// y = x w^T by oneDNN, bf16 by bf16 summed in f32; one tile of the weights' rows per task.
class Bf16GemmStage : public Stage {
 public:
  Bf16GemmStage(const Plan& plan, const Slot& x, const Slot& w, Slot& y, const float* bias)
      : kernels_(*plan.kernels), y_(y), bias_(bias), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    tile_ = even_tile(at(w.rows), plan.threads, kWidestTile);
    const int64_t k = w.cols;
    for (size_t j = 0; j < at(w.rows); j += tile_) {
      const auto n = static_cast<int64_t>(std::min(tile_, at(w.rows) - j));
      const memory::desc src({x.rows, k}, memory::data_type::bf16, memory::dims{k, 1});
      const memory::desc weights({k, n}, memory::data_type::bf16, memory::dims{1, k});
      const memory::desc dst({x.rows, n}, memory::data_type::f32, memory::dims{y.cols, 1});
      dnnl::primitive_attr attr;
      attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      const dnnl::matmul::primitive_desc desc = matmul_on(engine_, src, weights, dst, attr);
      tiles_.push_back({dnnl::matmul(desc), memory(src, engine_, plan.narrow.data()),
                        memory(weights, engine_, w.data + j * at(k) * 2), memory(dst, engine_, y.f32() + j),
                        memory(desc.scratchpad_desc(), engine_, nullptr), j, at(n)});
      scratch_bytes_ = std::max(scratch_bytes_, desc.scratchpad_desc().get_size());
    }
  }
  [[nodiscard]] uint32_t tasks(const Step&) const override { return static_cast<uint32_t>(tiles_.size()); }
  [[nodiscard]] size_t scratch_bytes() const override { return scratch_bytes_; }
  void run(const Step&, uint32_t task, char* scratch) const override {
    const Tile& tile = tiles_[task];
    point_to(tile.scratchpad, scratch, stream_);
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, tile.x.get()},
                                    {DNNL_ARG_WEIGHTS, tile.w.get()},
                                    {DNNL_ARG_DST, tile.y.get()},
                                    {DNNL_ARG_SCRATCHPAD, tile.scratchpad.get()}};
    dnnl_primitive_execute(tile.product.get(), stream_.get(), static_cast<int>(std::size(args)), args);
    if (bias_ == nullptr) return;
    for (size_t row = 0; row < at(y_.rows); ++row) {
      float* y = y_.f32() + row * at(y_.cols) + tile.first;
      kernels_.add(y, bias_ + tile.first, y, tile.n);
    }
  }

 private:
  static constexpr size_t kWidestTile = 2560;
  struct Tile {
    dnnl::matmul product;
    memory x, w, y, scratchpad;
    size_t first, n;
  };
  const Kernels& kernels_;
  Slot& y_;
  const float* bias_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  size_t tile_ = 0, scratch_bytes_ = 0;
  std::vector<Tile> tiles_;
};

}  // namespace

void add_bf16_matmul(Plan& plan, const Op& op) {
  const Slot& x = plan.slots[op.in[0]];
  const float* bias = op.in.size() == 3 ? plan.slots[op.in[2]].f32() : nullptr;
  add_narrow_rows(plan, op);
  plan.stages.push_back(std::make_unique<Bf16GemmStage>(plan, x, plan.slots[op.in[1]], plan.slots[op.out[0]], bias));
  plan.note("matmul: " + onednn_text() + " in bf16 summed in f32");
}

}  // namespace assay::cpu
