// Checks of one op against its tensors, before anything is made of it.
#pragma once

#include <initializer_list>
#include <string>

#include "adapters/sdk/graph/graph.h"

namespace assay::sdk {

class OpCheck {
 public:
  OpCheck(const Model& model, const Op& op);
  // Throws Failure: INVALID_ARGUMENT for what op_spec.md forbids, UNSUPPORTED for what this adapter cannot do.
  void run() const;

 private:
  [[nodiscard]] const Slot& in(size_t i) const { return model_.slots[op_.in[i]]; }
  [[nodiscard]] const Slot& out(size_t i) const { return model_.slots[op_.out[i]]; }
  void need(bool holds, const char* what) const;  // else INVALID_ARGUMENT
  void can(bool holds, const char* what) const;   // else UNSUPPORTED
  void activation(const Slot& slot, const char* what) const;
  void matrix(const Slot& w, const char* what) const;  // of weights: f32, bf16, f16, or i8 with scales
  void cache(const Slot& k, int64_t b, int64_t heads, int64_t col, int64_t dim) const;
  void page_table(int64_t b) const;  // of an op that has one, beside its first cache
  // Tokens of a sequence that the op's first cache holds.
  [[nodiscard]] int64_t capacity() const;
  void integers(const Slot& slot, int64_t n, const char* what) const;
  void slice(int64_t col, int64_t cols, int64_t of) const;
  void batch(int64_t rows, int64_t n) const;
  void same_shape() const;
  void modulation(const Slot& mod, int64_t n, std::initializer_list<int64_t> cols) const;
  void function(int64_t f) const;

  void matmul() const;
  void attention() const;
  void attention_extras() const;
  void kv_append() const;
  void rms_norm() const;
  void rope() const;
  void rope_grid() const;
  void gated_act() const;
  void add() const;
  void embedding() const;
  void argmax() const;
  void quantize() const;
  void grouped_matmul() const;
  void router_topk() const;
  void moe_dispatch() const;
  void moe_combine() const;
  void layer_norm_modulate() const;
  void activation_op() const;
  void patchify3d() const;
  void conv3d() const;
  void group_norm() const;
  void head_matmul() const;
  void kv_expand() const;
  void index_topk() const;

  const Model& model_;
  const Op& op_;
  std::string where_;
};

}  // namespace assay::sdk
