// A checked graph becomes launches of the kernels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/sdk/graph/graph.h"
#include "adapters/spirv/runtime.h"

namespace assay::spirv {

// A product of rows with weight rows; see kernels/gemm.cl. Strides and offsets in elements.
struct Product {
  Argument x, w, scale, bias, x_scale, offsets, y;
  uint32_t w_dtype = ASSAY_F32;
  int64_t m = 0, n = 0, k = 0, block = 1;
  int64_t experts = 0;  // 0: not ragged
  int64_t batch = 1;
  int64_t ldx = 0, x_at = 0, x_step = 0, w_step = 0, ldy = 0, y_at = 0, y_step = 0;
  uint32_t limit_slot = ASSAY_NO_SCALAR;
  int64_t limit_add = 0;
};

class Plan {
 public:
  // Buffers 0 and 1 are the work of single ops and the scalars; scratch and the rest follow.
  static constexpr uint32_t kWork = 0, kScalars = 1;

  Plan(const Traits& device, const sdk::Model& model);

  [[nodiscard]] const Traits& device() const { return device_; }
  [[nodiscard]] const sdk::Slot& slot(uint32_t tensor) const { return model_.slots[tensor]; }
  [[nodiscard]] View at(uint32_t tensor) const { return views_[tensor]; }
  [[nodiscard]] Argument scales_of(uint32_t tensor) const;  // Absent where it has none
  [[nodiscard]] Argument input(const sdk::Op& op, size_t i) const {
    return op.has_in(i) ? Argument(at(op.in[i])) : Absent{};
  }
  [[nodiscard]] Argument scalars() const { return scalars_; }
  [[nodiscard]] View scalars_at() const { return scalars_; }

  // Work-items of a group that works on a row: 1 on a CPU.
  [[nodiscard]] size_t row_group() const;
  // Elements that a group takes of an element-wise op.
  [[nodiscard]] int64_t span(int64_t count) const;

  // Memory that lives as long as one op does.
  View work(uint64_t bytes);
  // Memory with these contents.
  View constant(const std::vector<uint64_t>& words);
  void launch(const std::string& kernel, std::array<size_t, 3> groups, std::vector<Argument> arguments);
  void launch(const std::string& kernel, std::array<size_t, 3> groups, std::array<size_t, 3> local,
              std::vector<Argument> arguments);
  void multiply(const Product& product);
  void note(const std::string& text);
  // Makes one buffer, kWork, of all; false, and nothing changed, where the device gives no piece of that size.
  bool gather();
  // Reads and writes the whole of buffer 0, of `bytes`.
  [[nodiscard]] Launch sweep(uint64_t bytes) const;

  struct Contents {
    uint64_t offset = 0;
    std::vector<uint64_t> words;
  };
  struct Buffer {
    uint64_t bytes = 0;
    std::vector<Contents> contents;
  };
  std::vector<Buffer> buffers;
  std::vector<Launch> launches;
  std::vector<std::string> notes;

 private:
  friend void lower(Plan&, const sdk::Op&);
  const Traits device_;
  const sdk::Model& model_;
  std::vector<View> views_;  // per tensor
  View scalars_{kScalars, 0};
  uint64_t work_used_ = 0;  // by the op in hand
};

// Adds the launches of one op. Throws sdk::Failure (UNSUPPORTED) for what the kernels can't do.
void lower(Plan& plan, const sdk::Op& op);

void lower_matmul(Plan& plan, const sdk::Op& op);
void lower_grouped_matmul(Plan& plan, const sdk::Op& op);
void lower_head_matmul(Plan& plan, const sdk::Op& op);
void lower_kv_expand(Plan& plan, const sdk::Op& op);
void lower_conv3d(Plan& plan, const sdk::Op& op);
void lower_attention(Plan& plan, const sdk::Op& op);
void lower_kv_append(Plan& plan, const sdk::Op& op);
void lower_rope(Plan& plan, const sdk::Op& op);
void lower_index_topk(Plan& plan, const sdk::Op& op);
void lower_rms_norm(Plan& plan, const sdk::Op& op);
void lower_layer_norm_modulate(Plan& plan, const sdk::Op& op);
void lower_group_norm(Plan& plan, const sdk::Op& op);
void lower_gated_act(Plan& plan, const sdk::Op& op);
void lower_activation(Plan& plan, const sdk::Op& op);
void lower_add(Plan& plan, const sdk::Op& op);
void lower_embedding(Plan& plan, const sdk::Op& op);
void lower_argmax(Plan& plan, const sdk::Op& op);
void lower_quantize(Plan& plan, const sdk::Op& op);
void lower_router_topk(Plan& plan, const sdk::Op& op);
void lower_moe_dispatch(Plan& plan, const sdk::Op& op);
void lower_moe_combine(Plan& plan, const sdk::Op& op);
void lower_patchify3d(Plan& plan, const sdk::Op& op);

// A row's sum and the norm of it in one launch; false, and nothing added, where they are no such pair.
bool lower_add_rms_norm(Plan& plan, const sdk::Op& add, const sdk::Op& norm);
// Whether op i and the next one are one row's product and its gate, which a CPU computes in one launch.
bool is_gated_row(const Traits& device, const sdk::Model& model, size_t i);
void lower_gated_row(Plan& plan, const sdk::Op& matmul, const sdk::Op& act);

// The kernel's suffix for a stored dtype: "f32", "f16", "bf16", "i8".
std::string suffix(uint32_t dtype);

inline int32_t i32(int64_t value) {
  if (value < INT32_MIN || value > INT32_MAX) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "a dimension of " + std::to_string(value) + " is beyond the kernels' 2^31");
  }
  return static_cast<int32_t>(value);
}
inline size_t count_of(int64_t value) { return static_cast<size_t>(value); }
inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace assay::spirv
