// What an adapter needs to read the ops of a graph: an op with its attributes, shapes as op_spec.md counts them, and
// the checks of the nine ops of a dense model. Header-only, C++17.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "adapters/sdk/adapter.h"

namespace assay::sdk {

inline constexpr const char* kOpNames[] = {"",     "matmul",    "attention", "kv_append", "rms_norm",
                                           "rope", "gated_act", "add",       "embedding", "argmax"};

// One op of the graph as op_spec.md describes it; an attribute that is left out is 0.
struct Op {
  Op(const assay_program_desc& g, const assay_op& op)
      : kind(op.kind),
        slot(op.scalar_slot),
        in(op.in, op.in + op.n_in),
        out(op.out, op.out + op.n_out),
        attr(op.attr, op.attr + op.n_attr),
        n_attr(op.n_attr),
        tensors(g.tensors) {
    constexpr size_t kMostAttr = 32;
    attr.resize(std::max<size_t>(attr.size(), kMostAttr));
  }
  [[nodiscard]] int64_t whole(size_t i) const { return static_cast<int64_t>(attr[i]); }
  [[nodiscard]] const assay_tensor& x(size_t i) const { return tensors[in[i]]; }
  [[nodiscard]] const assay_tensor& y(size_t i) const { return tensors[out[i]]; }

  uint32_t kind, slot;
  std::vector<uint32_t> in, out;
  std::vector<double> attr;  // with zeros behind those that are given
  size_t n_attr;
  const assay_tensor* tensors;  // while the graph is read; a program keeps its own
};

inline int64_t cols(const assay_tensor& t) { return t.dim[t.rank - 1]; }
inline int64_t elements(const assay_tensor& t) {
  int64_t n = 1;
  for (uint32_t i = 0; i < t.rank; ++i) n *= t.dim[i];
  return n;
}
inline int64_t rows(const assay_tensor& t) { return elements(t) / cols(t); }
inline bool same(const assay_tensor& a, const assay_tensor& b) {
  return a.rank == b.rank && std::equal(a.dim, a.dim + a.rank, b.dim);
}

// What must hold of an op's tensors. need: a wrong graph (INVALID_ARGUMENT); can: a right one that this chip lacks.
class OpChecks {
 public:
  OpChecks(const Op& op, uint32_t activation)
      : op_(op), activation_(activation), where_(std::string(kOpNames[op.kind]) + ": ") {}
  void run() const {
    static constexpr size_t kIn[] = {0, 2, 3, 3, 2, 1, 1, 2, 2, 1}, kOut[] = {0, 1, 1, 2, 1, 1, 1, 1, 1, 1};
    static constexpr size_t kAttr[] = {0,
                                       0,
                                       ASSAY_ATTENTION_N_ATTR,
                                       ASSAY_KV_APPEND_N_ATTR,
                                       ASSAY_RMS_NORM_N_ATTR,
                                       ASSAY_ROPE_N_ATTR,
                                       ASSAY_GATED_ACT_N_ATTR,
                                       0,
                                       0,
                                       0};
    need(op_.in.size() >= kIn[op_.kind] && op_.out.size() == kOut[op_.kind] && op_.n_attr >= kAttr[op_.kind],
         "wrong number of inputs, outputs or attributes");
    const size_t pages = op_.kind == ASSAY_OP_ATTENTION ? ASSAY_ATTENTION_IN_PAGES : ASSAY_KV_APPEND_IN_PAGES;
    const bool caches = op_.kind == ASSAY_OP_ATTENTION || op_.kind == ASSAY_OP_KV_APPEND;
    can(!caches || op_.in.size() <= pages, "paged KV not supported");
    can(op_.in.size() <= kIn[op_.kind] + (op_.kind == ASSAY_OP_MATMUL ? 1 : 0), "optional inputs are not supported");
    for (size_t i = kAttr[op_.kind]; i < op_.n_attr; ++i)
      can(op_.attr[i] == 0, "attributes since 1.1 are not supported");
    constexpr uint32_t kIndex = ASSAY_I32;
    const bool index_in = op_.kind == ASSAY_OP_EMBEDDING, index_out = op_.kind == ASSAY_OP_ARGMAX;
    for (size_t i = 0; i < op_.in.size(); ++i) dtype(op_.in[i], i == 0 && index_in ? kIndex : activation_);
    for (const uint32_t t : op_.out) dtype(t, index_out ? kIndex : activation_);
    shapes();
  }

 private:
  void need(bool holds, const char* what) const {
    if (!holds) throw Failure(ASSAY_INVALID_ARGUMENT, where_ + what);
  }
  void can(bool holds, const char* what) const {
    if (!holds) throw Failure(ASSAY_UNSUPPORTED, where_ + what);
  }
  void dtype(uint32_t t, uint32_t wanted) const {
    need(t != 0xffffffffu, "an input is missing");
    can(op_.tensors[t].dtype == wanted && op_.tensors[t].scale < 0, "the dtype of a tensor is not supported");
  }
  void slice(int64_t col, int64_t n) const {
    need(col >= 0 && n >= 0 && col + n <= cols(op_.x(0)), "columns outside the tensor");
  }
  void cache(size_t i, int64_t batch, int64_t heads, int64_t dim) const {
    const assay_tensor& t = op_.x(i);
    need(t.rank == 4 && t.dim[0] == batch && t.dim[2] == heads && t.dim[3] >= dim && t.dim[1] == op_.x(1).dim[1],
         "the KV cache does not fit");
    can(t.dim[3] == dim, "columns of a wider cache are not supported");
  }
  void shapes() const;
  void attention() const;
  void kv_append() const;
  void rope() const;

  const Op& op_;
  uint32_t activation_;
  std::string where_;
};

inline void OpChecks::shapes() const {
  const assay_tensor &x = op_.x(0), &y = op_.y(0);
  switch (op_.kind) {
    case ASSAY_OP_MATMUL:
      need(x.rank == 2 && op_.x(1).rank == 2 && cols(x) == cols(op_.x(1)), "x and w differ in K");
      need(rows(y) == rows(x) && cols(y) == rows(op_.x(1)), "y is not [M,N]");
      return need(op_.in.size() < 3 || elements(op_.x(2)) == cols(y), "bias is not [N]");
    case ASSAY_OP_ATTENTION:
      return attention();
    case ASSAY_OP_KV_APPEND:
      return kv_append();
    case ASSAY_OP_RMS_NORM: {
      const int64_t group = op_.whole(ASSAY_RMS_NORM_GROUP), n = op_.whole(ASSAY_RMS_NORM_COLS);
      slice(op_.whole(ASSAY_RMS_NORM_COL), n);
      need(same(x, y) && group >= 1 && (n == 0 ? cols(x) : n) % group == 0 && elements(op_.x(1)) == group,
           "the groups do not fit");
      return need(n != 0 || op_.whole(ASSAY_RMS_NORM_COL) == 0, "cols 0 means all columns");
    }
    case ASSAY_OP_ROPE:
      return rope();
    case ASSAY_OP_GATED_ACT:
      need(rows(x) == rows(y) && cols(x) == 2 * cols(y), "x is not [M,2F]");
      return can(op_.whole(0) >= ASSAY_ACT_SILU && op_.whole(0) <= ASSAY_ACT_GELU_ERF, "unknown function");
    case ASSAY_OP_ADD:
      return need(same(x, op_.x(1)) && same(x, y), "a, b and y differ in shape");
    case ASSAY_OP_EMBEDDING:
      return need(op_.x(1).rank == 2 && cols(y) == cols(op_.x(1)) && rows(y) == elements(x), "y is not [n,h]");
    default:
      return need(elements(y) == rows(x), "y is not [M]");
  }
}

inline void OpChecks::attention() const {
  const int64_t b = op_.whole(ASSAY_ATTENTION_BATCH), h = op_.whole(ASSAY_ATTENTION_HEADS),
                kh = op_.whole(ASSAY_ATTENTION_KV_HEADS);
  const int64_t dk = op_.whole(ASSAY_ATTENTION_DIM_QK), dv = op_.whole(ASSAY_ATTENTION_DIM_V),
                mask = op_.whole(ASSAY_ATTENTION_MASK);
  need(b >= 1 && rows(op_.x(0)) % b == 0, "batch does not divide the rows");
  need(kh >= 1 && h >= 1 && h % kh == 0 && dk >= 1 && dv >= 1 && h <= 65536 && dk <= 65536,
       "KV heads do not divide the heads");
  slice(op_.whole(ASSAY_ATTENTION_Q_COL), h * dk);
  cache(1, b, kh, dk);
  cache(2, b, kh, dv);
  need(rows(op_.y(0)) == rows(op_.x(0)) && cols(op_.y(0)) == h * dv, "y is not [M,H*DV]");
  need(mask >= ASSAY_MASK_FULL && mask <= ASSAY_MASK_CROSS, "unknown mask");
}

inline void OpChecks::kv_append() const {
  const int64_t b = op_.whole(ASSAY_KV_APPEND_BATCH), heads = op_.whole(ASSAY_KV_APPEND_KV_HEADS);
  const int64_t dk = op_.whole(ASSAY_KV_APPEND_DIM_K), dv = op_.whole(ASSAY_KV_APPEND_DIM_V);
  can(dv > 0, "keys alone are not supported");
  need(b >= 1 && rows(op_.x(0)) % b == 0 && heads >= 1 && heads <= 65536 && dk >= 1, "batch does not divide the rows");
  slice(op_.whole(ASSAY_KV_APPEND_K_COL), heads * dk);
  slice(op_.whole(ASSAY_KV_APPEND_V_COL), heads * dv);
  cache(1, b, heads, dk);
  cache(2, b, heads, dv);
  need(op_.out[0] == op_.in[1] && op_.out[1] == op_.in[2], "the outputs must be the caches themselves");
}

inline void OpChecks::rope() const {
  const int64_t b = op_.whole(ASSAY_ROPE_BATCH), dim = op_.whole(ASSAY_ROPE_HEAD_DIM),
                rotary = op_.whole(ASSAY_ROPE_ROTARY_DIM);
  can(op_.attr[ASSAY_ROPE_SCALING_FACTOR] == 0, "scaled frequencies are not supported");
  slice(op_.whole(ASSAY_ROPE_COL), op_.whole(ASSAY_ROPE_COLS));
  need(same(op_.x(0), op_.y(0)) && b >= 1 && rows(op_.x(0)) % b == 0, "batch does not divide the rows");
  need(dim >= 2 && op_.whole(ASSAY_ROPE_COLS) % dim == 0 && rotary >= 2 && rotary % 2 == 0 && rotary <= dim,
       "the heads do not fit");
}

// Throws Failure: INVALID_ARGUMENT for an op (MATMUL to ARGMAX) that no chip could run, UNSUPPORTED for what goes
// beyond the plain form: other dtypes than `activation` (and I32 for indices), quantised tensors, optional inputs but a
// bias, attributes since 1.1, scaled rotary frequencies. After it the shapes can be relied on; positions are checked at
// submit.
inline void check_op(const Op& op, uint32_t activation) { OpChecks(op, activation).run(); }

}  // namespace assay::sdk
