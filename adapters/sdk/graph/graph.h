// The description of a program as checked slots and ops: what every adapter that runs the graph op by op needs before
// it makes anything of it. For adapters that keep floating-point activations in f32 and weights and caches as given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/sdk/adapter.h"

namespace assay::sdk {

// A tensor as it is kept. Floating-point activations and vectors (biases, gammas) are kept in f32.
struct Slot {
  uint32_t host_dtype = 0, dtype = 0, role = 0;
  int64_t rows = 0, cols = 0;  // cols: the last axis
  std::vector<int64_t> dims;
  int32_t scale = -1;
  int64_t scale_block = 0;  // elements per scale along the last axis; 0 without scales
  char* data = nullptr;     // where an adapter that works in host memory keeps it

  [[nodiscard]] uint64_t elements() const { return static_cast<uint64_t>(rows) * static_cast<uint64_t>(cols); }
  [[nodiscard]] uint64_t bytes() const;
  float* f32() { return reinterpret_cast<float*>(data); }
  [[nodiscard]] const float* f32() const { return reinterpret_cast<const float*>(data); }
};

uint64_t element_bytes(uint32_t dtype);  // 0: a dtype that this adapter does not know
const char* dtype_text(uint32_t dtype);
bool is_float(uint32_t dtype);         // f32, f16, bf16
const char* kind_text(uint32_t kind);  // "matmul", ...

// Stands in Op::in where an optional input before a present one is absent.
inline constexpr uint32_t kAbsent = 0xffffffffu;

// An op of the graph, owning what the description only lends.
struct Op {
  uint32_t kind = 0, index = 0;
  std::vector<uint32_t> in, out;
  std::vector<double> attr;  // optional ones that the program leaves out are 0
  uint32_t scalar_slot = ASSAY_NO_SCALAR;

  [[nodiscard]] bool has_in(size_t i) const { return i < in.size() && in[i] != kAbsent; }
  [[nodiscard]] int64_t integer(uint32_t i) const { return static_cast<int64_t>(attr[i]); }
  // The page table among the inputs; kAbsent: the op's caches are one block a sequence.
  [[nodiscard]] uint32_t pages() const {
    const size_t i = kind == ASSAY_OP_ATTENTION ? ASSAY_ATTENTION_IN_PAGES : ASSAY_KV_APPEND_IN_PAGES;
    return (kind == ASSAY_OP_ATTENTION || kind == ASSAY_OP_KV_APPEND) && has_in(i) ? in[i] : kAbsent;
  }
};

// The description as slots and ops, checked whole: shapes, dtypes, attributes, order.
// Throws Failure: INVALID_ARGUMENT for a malformed program, UNSUPPORTED for one that this adapter cannot run.
struct Model {
  std::vector<Slot> slots;
  std::vector<Op> ops;
  uint32_t n_scalars = 0;
};
Model read_model(const assay_program_desc& desc);

// Refuse what lies outside; throw Failure (INVALID_ARGUMENT). `verb` stands in the message.
const Slot& check_range(const std::vector<Slot>& slots, uint32_t tensor, uint64_t offset, uint64_t bytes,
                        const char* verb);
// Whether every op's pos lies in its KV cache.
void check_scalars(const std::vector<Slot>& slots, const std::vector<Op>& ops, uint32_t n_scalars,
                   const int64_t* scalars);

// The page tables of a program as the host writes them, so that a wrong one is refused before a step reads it.
class PageTables {
 public:
  PageTables() = default;
  // `slots`: of any adapter's kind, with dims.
  template <typename Slots>
  PageTables(const Slots& slots, const std::vector<Op>& ops) {
    for (const Op& op : ops) {
      if (op.pages() != kAbsent) add(op.pages(), slots[op.pages()].dims, slots[op.in[1]].dims[0]);
    }
  }
  // What was written to a tensor; of no table: nothing happens.
  void note(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes);
  // Throws Failure (INVALID_ARGUMENT) for a table with a page outside its cache or one twice. Looks only at tables
  // written since.
  void check();

 private:
  void add(uint32_t tensor, const std::vector<int64_t>& dims, int64_t pages);
  struct Table {
    uint32_t tensor = 0;
    int64_t pages = 0;  // of the smallest cache that it leads into
    std::vector<int32_t> entries;
    bool checked = false;
  };
  std::vector<Table> tables_;
};

// Memory of the slots: scratch that is not alive at the same time shares it.
struct Layout {
  std::vector<uint64_t> scratch_offset;  // per slot, kOwn: a buffer of its own
  uint64_t scratch_bytes = 0, own_bytes = 0;
  static constexpr uint64_t kOwn = ~0ull;
};
// `in_place`: ops whose elements depend on their own row alone may write where they read.
Layout lay_out(const Model& model, bool in_place);

// The same by parts, for adapters that keep tensors in their own way. All throw Failure.
struct Shape {
  std::vector<int64_t> dims;
  int64_t rows = 0, cols = 0;  // cols: the last axis
};
Shape read_shape(const assay_tensor& tensor, uint32_t index);
Op read_op(const assay_op& raw, uint32_t index, size_t n_tensors, uint32_t n_scalars);
// Every activation is written before it is read, and once. `roles`: of each tensor.
void check_order(const std::vector<uint32_t>& roles, const std::vector<Op>& ops);

// When a tensor is needed and where it lies.
struct Life {
  size_t first = ~size_t{0}, last = 0;  // ops
  uint64_t bytes = 0, offset = 0;
  size_t root = 0;  // the tensor whose memory it takes over; itself at first
};
// `scales`: of each tensor, the one that holds its scales, or -1. bytes are left 0.
std::vector<Life> lives_of(const std::vector<int32_t>& scales, const std::vector<Op>& ops);
// Row by row ops whose input nobody needs afterwards write where they read: their output's root becomes the input's.
// `scratch_bytes`: of each tensor, 0 where it is not SCRATCH.
void share_in_place(const std::vector<uint64_t>& scratch_bytes, const std::vector<Op>& ops, std::vector<Life>& lives);
// Offsets of `tensors` such that those needed at once do not overlap; returns the bytes that all take together.
uint64_t place(std::vector<size_t> tensors, std::vector<Life>& lives);

}  // namespace assay::sdk
