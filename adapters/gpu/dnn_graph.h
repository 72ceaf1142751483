// Graphs of ops in cuDNN's backend interface: descriptors under construction, and attention in the two forms that the
// library knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "adapters/gpu/dnn_numbers.h"
#include "adapters/gpu/sdpa.h"

namespace assay::gpu::dnn {

#define ASSAY_GPU_DNN(X)                                                                      \
  X(Create, int, (void**))                                                                    \
  X(Destroy, int, (void*))                                                                    \
  X(SetStream, int, (void*, void* stream))                                                    \
  X(GetVersion, size_t, ())                                                                   \
  X(BackendCreateDescriptor, int, (int kind, void**))                                         \
  X(BackendDestroyDescriptor, int, (void*))                                                   \
  X(BackendSetAttribute, int, (void*, int name, int type, int64_t n, const void*))            \
  X(BackendGetAttribute, int, (void*, int name, int type, int64_t wanted, int64_t* n, void*)) \
  X(BackendFinalize, int, (void*))                                                            \
  X(BackendExecute, int, (void* handle, void* plan, void* pack))

struct Library9 {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_DNN(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER
};

// What the library refuses.
struct Refused {
  int status = 0;
};

inline void accept(int status) {
  if (status != 0) throw Refused{status};
}

// Ids of the tensors that are bound at each call; virtual ones count on from the last.
enum Id : int64_t { kQ = 1, kK, kV, kY, kScale, kStats, kQueries, kKeys, kNothing, kWindow, kPages, kFirstVirtual };

// A graph under construction: owns its descriptors. What the library refuses is thrown as Refused.
class Builder {
 public:
  Builder(const Library9& library, void* handle) : library_(library), handle_(handle) {}

  void* made(int kind);
  template <typename T>
  void set(void* d, int name, int type, const std::vector<T>& values) const {
    accept(library_.BackendSetAttribute(d, name, type, static_cast<int64_t>(values.size()), values.data()));
  }
  void number(void* d, int name, int64_t value) const { set<int64_t>(d, name, kInt64Type, {value}); }
  void flag(void* d, int name) const {
    const bool yes = true;
    accept(library_.BackendSetAttribute(d, name, kBoolType, 1, &yes));
  }
  void choice(void* d, int name, int type, int value) const { set<int>(d, name, type, {value}); }
  void link(void* d, int name, void* other) const { set<void*>(d, name, kDescriptorType, {other}); }
  void finish(void* d) const { accept(library_.BackendFinalize(d)); }

  void* tensor(int64_t id, int type, const std::vector<int64_t>& dims, const std::vector<int64_t>& strides,
               bool by_value = false);
  void* one_value(int64_t id, int type) { return tensor(id, type, {1, 1, 1, 1}, {1, 1, 1, 1}, true); }
  // Virtual, of the scores' shape, or one per row of them; `id`: its own.
  void* between(int type, bool rows = false, int64_t* id = nullptr);
  void scores(const SdpaShape& s) { scores_ = {s.batch, s.heads, s.tokens, s.slots}; }

  // y = mode(x, b) in the precision of `type`; with t: y = t ? x : b.
  void* pointwise(int mode, int precision, void* x, void* b, void* y, void* t = nullptr, int64_t axis = -1);
  void* reduction(int mode, void* x, void* y);
  // c = a b; how many rows of a, columns of b and inner elements count is told per batch.
  void* matmul(void* a, void* b, void* c, void* rows, void* cols, void* inner);
  // Virtual, of these dimensions: what `table` finds in the pages of `container`, as far as `keys` says.
  void* load(void* container, void* keys, void* table, int type, const std::vector<int64_t>& dims,
             const std::vector<int64_t>& strides);
  // y = x where the mask's comparison holds, else `nothing`: of row + keys - queries with the column, or with a window,
  // of the column + window - keys + queries with the row.
  void* band(int mode, void* x, void* nothing, void* queries, void* keys, void* window, void* y);
  void op(void* descriptor) { ops_.push_back(descriptor); }
  // Of the ops since the last one; a part of another op has no handle.
  void* graph(bool part = false);

 private:
  const Library9& library_;
  void* handle_;
  std::vector<Handle> owned_;
  std::vector<void*> ops_;
  std::vector<int64_t> scores_;
  int64_t next_ = kFirstVirtual;
};

// Both forms read and write, by Id: q, k, v, y, the scale, with `causal` queries, keys and what a masked score is, with
// a window its width, with pages their table.
// Products, masks and a softmax; writes kStats too.
void* attention_graph(Builder& g, const SdpaShape& s);
// One op, whose masks are a graph of their own. From 9.21 on, whose successors drop the other form.
void* attention_node(Builder& g, const SdpaShape& s);

}  // namespace assay::gpu::dnn
