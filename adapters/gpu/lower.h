// What lowering one op works with: the checks of its shapes and the launching of kernels.
#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

// A way to run an attention: what it is called, what the program tells where there is no choice, its calls.
struct AttentionForm {
  std::string name, note;
  std::vector<Call> calls;
};

// What the library's form of an attention needs besides.
struct LibraryForm {
  SdpaShape shape;
  SdpaOperands operands;
  std::vector<Call> lengths;
};

class Lower {
 public:
  Lower(Plan& plan, const Op& op)
      : plan_(plan), op_(op), where_("op " + std::to_string(op.index) + " (" + kind_text(op.kind) + "): ") {}
  void run();

 private:
  using Member = void (Lower::*)();
  void matmul();
  void attention();
  void kv_append();
  void rms_norm();
  void rope();
  void gated_act();
  void add();
  void embedding();
  void argmax();
  void quantize();
  void grouped_matmul();
  void router_topk();
  void moe_dispatch();
  void moe_combine();
  void layer_norm_modulate();
  void activation();
  void patchify3d();
  void conv3d();
  void group_norm();
  void head_matmul();
  void kv_expand();
  void index_topk();

  // INVALID_ARGUMENT and UNSUPPORTED, with the op's name before `what`.
  void need(bool holds, const char* what) const {
    if (!holds) throw Failure(ASSAY_INVALID_ARGUMENT, where_ + what);
  }
  void can(bool holds, const char* what) const {
    if (!holds) throw Failure(ASSAY_UNSUPPORTED, where_ + what);
  }
  void floats(std::initializer_list<const Slot*> slots) const;
  void readable(const Slot& w) const;  // floats, or codes with scales
  void same_shape() const;
  void slice(int64_t col, int64_t cols, int64_t of) const;
  void batch(int64_t rows, int64_t n) const;
  void cache(const Slot& k, int64_t b, int64_t heads, int64_t col, int64_t dim) const;
  void page_table(int64_t b) const;  // of an op that has one, beside its first cache
  // Tokens of a sequence that the op's first cache holds.
  [[nodiscard]] int64_t capacity() const;
  [[nodiscard]] assay_gpu::Pages pages() const;
  void integers(const Slot& slot, int64_t n) const;
  void modulation(const Slot& mod, int64_t n, std::initializer_list<int64_t> cols) const;
  void product_shapes(const Slot& x, const Slot& w, const Slot& y) const;
  void attention_shapes() const;

  [[nodiscard]] const Slot& in(size_t i) const { return plan_.slots[op_.in[i]]; }
  [[nodiscard]] const Slot& out(size_t i) const { return plan_.slots[op_.out[i]]; }
  [[nodiscard]] Data data(const Slot& slot) const;
  [[nodiscard]] Data in_data(size_t i) const { return op_.has_in(i) ? data(in(i)) : Data{}; }
  [[nodiscard]] const i64* pos() const {
    return op_.scalar_slot == ASSAY_NO_SCALAR ? nullptr : plan_.scalars + op_.scalar_slot;
  }
  // Memory that lasts through this op alone; nullptr while dry.
  char* workspace(uint64_t bytes);
  void call(const std::string& name, std::function<void(void*)> run);
  [[nodiscard]] int64_t shares(int64_t blocks, int64_t most) const;  // of each block, so that the whole chip works
  void raw_launch(const char* kernel, const Grid& grid, const void* args, size_t bytes);
  template <typename Args>
  void launch(const char* kernel, const Grid& grid, const Args& args) {
    raw_launch(kernel, grid, &args, sizeof(args));
  }
  // One thread per `each` of n elements.
  [[nodiscard]] static Grid flat(int64_t n, int64_t each) {
    return {(n + each * 256 - 1) / (each * 256), 1, 1, 256, 0};
  }

  [[nodiscard]] bool constant(const Slot& w) const;
  void matvec(assay_gpu::ProductArgs args, const Slot& w);
  bool product_in_tiles(assay_gpu::ProductArgs args, int64_t z, const Slot& x, const Slot& w);
  void note_product(int64_t mode, const std::string& how);
  void product(assay_gpu::ProductArgs args, int64_t z, const Slot& x, const Slot& w);
  bool by_library(const Slot& x, const Slot& w, const Slot& y);
  [[nodiscard]] const Op* gelu_behind(const Slot& y) const;
  bool with_gelu(ProductShape shape, ProductOperands operands, const Slot& y);
  bool gelu_pays(const ProductShape& shape, std::vector<Call> apart, const Op& gelu, const Call& fused);
  bool by_codes(const Slot& x, const Slot& w);
  void widened_product(const Slot& x, const Slot& w);
  void join_keys(assay_gpu::AttentionArgs* args);
  bool attention_on_matrix_cores(assay_gpu::AttentionArgs args);
  bool attention_of_few_on_matrix_cores(assay_gpu::AttentionArgs args);
  bool attention_of_latent(assay_gpu::AttentionArgs args);
  bool attention_of_few(assay_gpu::AttentionArgs args);
  bool attention_by_rows(assay_gpu::AttentionArgs args);
  std::vector<AttentionForm> attention_forms(const assay_gpu::AttentionArgs& args);
  [[nodiscard]] static int64_t shares_of_keys(int64_t wanted, int64_t blocks, int64_t most);
  [[nodiscard]] int64_t even_splits(int64_t blocks, int64_t resident, int64_t keys) const;
  void split(assay_gpu::AttentionArgs* args, int64_t splits);
  const double* frequencies();
  // What of it the vendor's library is not asked about; nullptr: it is asked for this shape.
  const char* sdpa_shape(const assay_gpu::AttentionArgs& args, SdpaShape* shape) const;
  void choose_attention(const assay_gpu::AttentionArgs& args, size_t joined, std::vector<AttentionForm> forms);
  std::string add_library(const assay_gpu::AttentionArgs& args, std::vector<AttentionForm>* forms,
                          LibraryForm* library);
  SdpaOperands sequence_lengths(const assay_gpu::AttentionArgs& args, std::vector<Call>* calls);
  void fill_operands(const assay_gpu::AttentionArgs& args, void* stream);
  AttentionChoice try_forms(const assay_gpu::AttentionArgs& args, const std::vector<Call>& before,
                            std::vector<AttentionForm> forms, size_t own, std::string remarks);

  Plan& plan_;
  const Op& op_;
  std::string where_;
  uint64_t used_ = 0;
  Slot keys_;  // of an attention: as its kernels read them
};

}  // namespace assay::gpu
