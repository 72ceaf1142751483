// Graph: the ops of one step of a workload, as plain data. Mirrors program/1 of the adapter ABI.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"

namespace assay {

// An optional input that is absent before a present one (op_spec.md).
inline constexpr uint32_t kNoTensor = 0xffffffff;

class RoutingPlan;

// How the harness fills a tensor before a run. All values are a pure function of (seed, tensor
// index, element index), so any slice can be made again without keeping the whole (suites/base/rng.h).
struct Fill {
  enum class Kind {
    kNone,        // written by ops only
    kNormal,      // mean + stddev * n(seed, i), n of unit variance; codes of quantised dtypes: suites/base/rng.h
    kUniformInt,  // integers in [0, bound)
    kConstant,    // mean
    kLastRow,     // I32 [B]: b*T + T-1, with bound = T
    kRouting,     // [M, experts]: mean where `routing` sends row m, 0 elsewhere; the seed is the routing's own
    kPages        // I32 [B, P]: the pages 0..bound-1 in the order of `page_seed`, whatever the run's seed
  };
  Kind kind = Kind::kNone;
  double mean = 0;
  double stddev = 1;
  int64_t bound = 0;
  std::shared_ptr<const RoutingPlan> routing = nullptr;
  uint64_t page_seed = 0;
};

struct Tensor {
  std::string name;  // "layer3.qkv", unique in the graph
  uint32_t dtype = ASSAY_F32;
  uint32_t role = ASSAY_ROLE_SCRATCH;
  std::vector<int64_t> dims;
  int32_t scale = -1;
  int32_t scale_block = 0;
  Fill fill;
};

struct Op {
  uint32_t kind = 0;
  std::string name;               // "layer3.qkv_proj": what an error message names
  int32_t layer = -1;             // -1: outside the repeated layers
  std::vector<uint32_t> in, out;  // kNoTensor in `in`: left out
  std::vector<double> attr;
  uint32_t scalar_slot = ASSAY_NO_SCALAR;
  // GROUPED_MATMUL: which experts get a row of routed_tokens. Absent: counted as min(E, rows).
  std::shared_ptr<const RoutingPlan> routing = nullptr;
  int64_t routed_tokens = 0;
};

struct Graph {
  std::vector<Tensor> tensors;
  std::vector<Op> ops;
  std::vector<std::string> scalars;  // names; slot i is scalars[i]: "pos" and what suite.h names
  bool tf32 = false;                 // products may round their f32 operands to TF32

  [[nodiscard]] int64_t elements(uint32_t tensor) const;
  // Bytes of the dense image the host writes or reads.
  [[nodiscard]] uint64_t bytes(uint32_t tensor) const;
};

// The page table among an op's inputs (op_spec.md, Pages); kNoTensor: its caches are one block a sequence.
uint32_t page_table_of(const Op& op);

uint32_t dtype_bits(uint32_t dtype);  // of one element; 4 for I4 and F4E2M1; 0 if unknown
// Bytes that `count` elements take, the last one padded; saturates.
uint64_t packed_bytes(uint32_t dtype, uint64_t count);
const char* dtype_name(uint32_t dtype);   // "f32", "bf16", ... ; "?" if unknown
const char* op_kind_name(uint32_t kind);  // "matmul", ...

// FLOPs and bytes that an op must at least cost, counted from shapes (metrics.md, facts C5).
struct OpCost {
  double flops = 0;         // multiply-add = 2; softmax, norms, activations and weighted sums of a row are not counted
  double weight_bytes = 0;  // weights and their scales that the op touches once; of experts, those that get a row
  double kv_bytes = 0;      // STATE read (attention, index_topk, kv_expand) or written (kv_append)
  double activation_bytes = 0;
};
// `scalars`: values of the graph's scalars (pos). Attention counts only the keys that are seen; with an index list of n
// keys a query, the different keys that T independent lists are expected to hold, N (1 - (1 - n/N)^T). A convolution
// counts every tap of its kernel, those on the zero padding too, as is the custom.
OpCost op_cost(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars);

struct GraphCost {
  double flops = 0, weight_bytes = 0, kv_bytes = 0, activation_bytes = 0;
};
GraphCost graph_cost(const Graph& graph, const std::vector<int64_t>& scalars);

// Device bytes the tensors take: weights, state, inputs, outputs, and scratch when all of it lives at once.
struct GraphMemory {
  uint64_t weight_bytes = 0, state_bytes = 0, io_bytes = 0, scratch_peak_bytes = 0;
  [[nodiscard]] uint64_t total() const { return weight_bytes + state_bytes + io_bytes + scratch_peak_bytes; }
};
// scratch_peak_bytes: the largest sum of SCRATCH tensors alive at one op (liveness, in graph order).
GraphMemory graph_memory(const Graph& graph);

// The graph as program/1 sees it. Holds the arrays that desc() points into; keep it alive while in use.
class ProgramView {
 public:
  ProgramView(const Graph& graph, uint32_t device);
  ProgramView(const ProgramView&) = delete;
  ProgramView& operator=(const ProgramView&) = delete;
  [[nodiscard]] const assay_program_desc* desc() const { return &desc_; }

 private:
  std::vector<assay_tensor> tensors_;
  std::vector<assay_op> ops_;
  assay_program_desc desc_{};
};

}  // namespace assay
