// A program as the adapter keeps it: tensors in device memory and the calls that a step is made of.
#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/gpu/kernels/args.h"
#include "adapters/gpu/products.h"
#include "adapters/gpu/runtime.h"
#include "adapters/gpu/sdpa.h"
#include "adapters/sdk/graph/graph.h"

namespace assay::gpu {

using assay_gpu::Data;
using assay_gpu::i64;

using sdk::is_float;
using sdk::kAbsent;
using sdk::kind_text;
using sdk::Op;

struct Slot {
  uint32_t dtype = 0, role = 0;
  std::vector<int64_t> dims;
  int64_t rows = 0, cols = 0;  // cols: the last axis
  int32_t scale = -1;          // the tensor of its scales
  int64_t block = 0;           // elements per scale along the last axis
  char* data = nullptr;

  [[nodiscard]] int64_t elements() const { return rows * cols; }
  [[nodiscard]] uint64_t bytes() const;
};

// The description, checked as far as any op: counts, shapes, order. Throws Failure.
struct Model {
  std::vector<Slot> slots;
  std::vector<Op> ops;
  uint32_t n_scalars = 0;
  bool tf32 = false;  // products may round their f32 operands to TF32
};
Model read_model(const assay_program_desc& desc, uint32_t n_devices);
uint32_t bits_of_element(uint32_t dtype);  // 0: unknown

// Offsets of scratch tensors in memory that those not alive at once share; ~0 for the others.
struct Layout {
  std::vector<uint64_t> offset;
  uint64_t bytes = 0;
};
Layout lay_out(const Model& model);

// What the device and the loaded kernels can do.
struct Device {
  int multiprocessors = 1;
  uint64_t shared_bytes = 48 << 10;  // of a block, at most
  uint64_t sweep_bytes = 0;          // to write so that nothing else stays in the caches
  std::map<std::string, void*> kernels;

  [[nodiscard]] bool has(const std::string& kernel) const { return kernels.count(kernel) != 0; }
};

struct Grid {
  int64_t x = 1, y = 1, z = 1;
  unsigned threads = 256;
  uint64_t shared = 0;
};

// One launch or library call of a step, in stream order.
struct Call {
  uint32_t op = 0;
  std::string name;
  std::function<void(void* stream)> run;
  Grid grid;                  // of an own kernel
  std::vector<char> args;     // its arguments; empty: the library's
  std::vector<Call> apart{};  // the product and the gate that it does both of
};
// The arguments of a launch of `kernel`; nothing for another call.
template <typename Args>
std::optional<Args> arguments(const Call& call, const std::string& kernel) {
  Args out;
  if (call.name != kernel || call.args.size() != sizeof(out)) return std::nullopt;
  std::memcpy(&out, call.args.data(), sizeof(out));
  return out;
}

// What timing decided for a shape, and how that is told.
struct AttentionChoice {
  std::string form, text;
};

// What lowering fills. First `dry`: nothing is allocated, shapes are checked and sizes found out.
struct Plan {
  const Runtime* runtime = nullptr;
  const Device* device = nullptr;
  Products* products = nullptr;  // nullptr: the vendor has no product library here
  Sdpa* sdpa = nullptr;          // nullptr: attention runs in own kernels
  std::map<std::string, AttentionChoice>* choices_of_attention = nullptr;  // by shape, of the device
  bool times_own = false;                               // own kernels for the same op against each other
  std::map<std::string, bool>* gelu_choices = nullptr;  // whether a product's library makes its GELU; nullptr: untimed
  std::vector<Slot> slots;
  std::vector<Call> calls;
  const std::vector<Op>* ops = nullptr;  // all of the step
  std::set<uint32_t> done_before;        // ops that the call of an earlier one does, too
  bool dry = true, tf32 = false, fuses = false;
  uint64_t workspace_bytes = 0;  // the largest need of an op
  char* workspace = nullptr;
  i64* scalars = nullptr;  // on the device
  i64* fault = nullptr;    // seen by both, see args.h
  // Lengths of sequences for the library's attention: where they lie by what they depend on, and which a call makes.
  std::map<std::string, uint64_t> lengths_at;
  std::set<std::string> lengths_made;
  uint64_t lengths_bytes = 0;
  char* lengths = nullptr;
  // Constants of ops, on the device once it has them; ops that are alike share theirs.
  std::map<std::vector<double>, uint64_t> table_at;
  std::vector<double> tables;
  const double* device_tables = nullptr;
  bool tried = false;              // something was timed on the program's memory
  ProductChoices choices;          // of the library's products
  std::vector<std::string> notes;  // how ops run, without repeats

  void note(const std::string& text);
  const double* table(const std::vector<double>& values);  // nullptr while dry
};

// Adds the calls of one op. Throws Failure: INVALID_ARGUMENT for an op that is malformed, UNSUPPORTED for one that
// can't run here.
void lower_op(Plan& plan, const Op& op);

// A launch of an own kernel, which the device has.
Call kernel_call(const Plan& plan, uint32_t op, const std::string& kernel, const Grid& grid, const void* args,
                 size_t bytes);
// Neighbouring kernels in one launch where the second works on what the first has just written: residual add and
// norm, the norms of queries and keys and RoPE, RoPE and KV append, a product of one row and its gate. The results are
// the same to the last bit.
void fuse(Plan& plan);
inline constexpr const char* kGateFused = "a row's product and its gate: one kernel";  // its note
// The last op that may come to run in one kernel with op i, itself where there is none: as long as that one runs, what
// op i reads is needed.
size_t last_fused(const Model& model, size_t i);

}  // namespace assay::gpu
