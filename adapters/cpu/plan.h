// What a prepared program is made of: tensors in memory, and stages that the threads run one after another.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/isa.h"
#include "adapters/cpu/memory.h"
#include "adapters/sdk/graph/graph.h"

namespace assay::cpu {

using sdk::dtype_text;
using sdk::element_bytes;
using sdk::is_float;
using sdk::kAbsent;
using sdk::kind_text;
using sdk::Op;
using sdk::Slot;

// The first index that pointed outside what it counts during a run.
struct BadIndex {
  std::atomic<bool> found{false};
  int64_t index = 0, rows = 0;
  uint32_t op = 0;

  // Notes an index outside [0, rows) of op number `where`; 0 in its place, else the index.
  size_t checked(int64_t value, int64_t bound, uint32_t where);
};

struct Step {
  const int64_t* scalars = nullptr;
  BadIndex* bad_index = nullptr;
  [[nodiscard]] int64_t pos(uint32_t slot) const { return slot == ASSAY_NO_SCALAR ? 0 : scalars[slot]; }
};

// Where the tokens of the caches of an op lie: rows of [kv_heads, dim], one block a sequence or in pages.
class CacheRows {
 public:
  CacheRows(const std::vector<Slot>& slots, const Op& op)
      : table_(op.pages() == kAbsent ? nullptr : &slots[op.pages()]), length_(slots[op.in[1]].dims[1]) {
    while (int64_t{1} << shift_ < length_) ++shift_;
    if (int64_t{1} << shift_ != length_) shift_ = -1;
  }
  // Tokens that a sequence may have.
  [[nodiscard]] int64_t capacity() const { return table_ == nullptr ? length_ : table_->cols * length_; }
  [[nodiscard]] int64_t at(int64_t b, int64_t j) const {
    if (table_ == nullptr) return b * length_ + j;
    const int64_t page = page_of(j);
    const int64_t found = reinterpret_cast<const int32_t*>(table_->data)[b * table_->cols + page];
    return found * length_ + j - page * length_;
  }
  // How many of the tokens [j, j + n) lie behind one another from j on.
  [[nodiscard]] int64_t run(int64_t j, int64_t n) const {
    return table_ == nullptr ? n : std::min(n, (page_of(j) + 1) * length_ - j);
  }
  [[nodiscard]] bool paged() const { return table_ != nullptr; }

 private:
  // A division costs as much as reading some keys.
  [[nodiscard]] int64_t page_of(int64_t j) const { return shift_ >= 0 ? j >> shift_ : j / length_; }

  const Slot* table_;  // nullptr: none
  int64_t length_;     // of a block or page, in tokens
  int shift_ = 0;      // its logarithm; -1 where it is no power of two
};

// A piece of work cut into tasks that need nothing of each other. Stages follow each other in order.
class Stage {
 public:
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;
  // 0: nothing to do in this step.
  [[nodiscard]] virtual uint32_t tasks(const Step& step) const = 0;
  // Where a task's weights begin in memory, in several streams that go on from task to task. count = 0: tasks are not
  // in such an order; else they are as many in every step, so that tasks() does not look at it.
  struct Streams {
    const char* data = nullptr;
    size_t count = 0, apart = 0;  // bytes between two streams
  };
  [[nodiscard]] virtual Streams streams(uint32_t) const { return {}; }
  // `scratch`: scratch_bytes() of memory that is this thread's alone, aligned to 64 bytes.
  virtual void run(const Step& step, uint32_t task, char* scratch) const = 0;
  [[nodiscard]] virtual size_t scratch_bytes() const { return 0; }
};

// Rows of weights that a task of a product takes, at most `widest`: a multiple of 16 that gives every thread the same
// number of tasks.
size_t even_tile(size_t rows, unsigned threads, size_t widest);

// What the makers of stages may use. Pointers into slots are final: memory is laid out before.
struct Plan {
  const Kernels* kernels = nullptr;
  Isa isa = Isa::kGeneric;
  unsigned threads = 1;
  std::vector<Slot> slots;
  std::vector<std::unique_ptr<Stage>> stages;
  Buffer narrow;                   // the rows of one product, where its kernel does not read them in f32
  Buffer packed;                   // the weights of one convolution as its kernel reads them
  size_t partial_bytes = 0;        // of sums that attention keeps between its stages
  std::vector<std::string> notes;  // what ran other than asked, without repeats

  void note(const std::string& text);
};

// How the rows of a product stand when its kernel reads them. kBf16: both sides were asked for in bf16. kFixed: fixed
// point (FixedArgs) beside int8 weights with a scale per row: of three bytes, as exact as f32 is, or of two where the
// rows were asked for in bf16.
enum class RowForm { kF32, kBf16, kFixed };
RowForm row_form(const Plan& plan, const Op& op);     // kF32 for what is no product
size_t narrow_bytes(const Plan& plan, const Op& op);  // of Plan::narrow that the op needs
void add_narrow_rows(Plan& plan, const Op& op);       // the stage that makes them; not for kF32

// Where they stand in Plan::narrow, for the rows of `x`.
struct FixedRows {
  double* sum = nullptr;
  float* scale = nullptr;
  int8_t* bytes = nullptr;
  size_t planes = 3, ld = 0;
  [[nodiscard]] int8_t* row(size_t r) const { return bytes + r * planes * ld; }
};
FixedRows fixed_rows(const Plan& plan, const Slot& x);
std::string fixed_text(const Slot& x);  // "i8 weights by rows in 24-bit fixed point, exact in integers"

// Grouped products whose rows are read from lanes (LaneArgs), beside the form that row_form says.
bool by_lanes(const Plan& plan, const Op& op);
float* lane_rows(const Plan& plan, const Op& op);  // where they stand in Plan::narrow, groups one after another

void add_bf16_matmul(Plan& plan, const Op& op);
void add_matmul(Plan& plan, const Op& op);
void add_attention(Plan& plan, const Op& op);
void add_kv_append(Plan& plan, const Op& op);
void add_rms_norm(Plan& plan, const Op& op);
void add_rope(Plan& plan, const Op& op);
void add_gated_act(Plan& plan, const Op& op);
void add_add(Plan& plan, const Op& op);
void add_embedding(Plan& plan, const Op& op);
void add_argmax(Plan& plan, const Op& op);
void add_quantize(Plan& plan, const Op& op);
void add_grouped_matmul(Plan& plan, const Op& op);
void add_router_topk(Plan& plan, const Op& op);
void add_moe_dispatch(Plan& plan, const Op& op);
void add_moe_combine(Plan& plan, const Op& op);
void add_layer_norm_modulate(Plan& plan, const Op& op);
void add_activation(Plan& plan, const Op& op);
void add_patchify3d(Plan& plan, const Op& op);
size_t conv_packed_bytes(const Plan& plan, const Op& op);  // of Plan::packed that the op needs
void add_conv3d(Plan& plan, const Op& op);
void add_group_norm(Plan& plan, const Op& op);
void add_head_matmul(Plan& plan, const Op& op);
void add_kv_expand(Plan& plan, const Op& op);
void add_index_topk(Plan& plan, const Op& op);

}  // namespace assay::cpu
