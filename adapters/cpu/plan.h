// What a prepared program is made of: tensors in memory, and stages that the threads run one after another.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/isa.h"
#include "adapters/cpu/memory.h"

namespace assay::cpu {

// A tensor as it is kept. Floating-point activations and vectors (biases, gammas) are kept in f32.
struct Slot {
  uint32_t host_dtype = 0, dtype = 0, role = 0;
  int64_t rows = 0, cols = 0;  // cols: the last axis
  std::vector<int64_t> dims;
  int32_t scale = -1;
  int64_t scale_block = 0;  // elements per scale along the last axis; 0 without scales
  char* data = nullptr;

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
};

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

// A piece of work cut into tasks that need nothing of each other. Stages follow each other in order.
class Stage {
 public:
  Stage() = default;
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  virtual ~Stage() = default;
  // 0: nothing to do in this step.
  [[nodiscard]] virtual uint32_t tasks(const Step& step) const = 0;
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
  Buffer narrow;                   // the rows of one product in bf16, where oneDNN multiplies those
  Buffer packed;                   // the weights of one convolution as its kernel reads them
  std::vector<std::string> notes;  // what ran other than asked, without repeats

  void note(const std::string& text);
};

// Whether a product runs in bf16 on oneDNN: many rows, and both sides asked for in bf16.
bool multiplies_bf16(const Plan& plan, const Op& op);
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

// The description as slots and ops, checked whole: shapes, dtypes, attributes, order.
// Throws Failure: INVALID_ARGUMENT for a malformed program, UNSUPPORTED for one that this adapter cannot run.
struct Model {
  std::vector<Slot> slots;
  std::vector<Op> ops;
  uint32_t n_scalars = 0;
};
Model read_model(const assay_program_desc& desc);

// Memory of the slots: scratch that is not alive at the same time shares it.
struct Layout {
  std::vector<uint64_t> scratch_offset;  // per slot, kOwn: a buffer of its own
  uint64_t scratch_bytes = 0, own_bytes = 0;
  static constexpr uint64_t kOwn = ~0ull;
};
Layout lay_out(const Model& model);

}  // namespace assay::cpu
