#include "adapters/gpu/sdpa.h"

#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/gpu/dnn_numbers.h"

namespace assay::gpu {

namespace {

using namespace dnn;

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

// What the library refuses; the shape then runs in own kernels.
struct Refused {
  int status = 0;
};

void accept(int status) {
  if (status != 0) throw Refused{status};
}

// Ids of the tensors that are bound at each call; virtual ones count on from the last.
enum Id : int64_t { kQ = 1, kK, kV, kY, kScale, kStats, kQueries, kKeys, kNothing, kWindow, kFirstVirtual };

// A graph under construction: owns its descriptors.
class Builder {
 public:
  Builder(const Library9& library, void* handle) : library_(library), handle_(handle) {}

  void* made(int kind) {
    void* descriptor = nullptr;
    accept(library_.BackendCreateDescriptor(kind, &descriptor));
    owned_.emplace_back(descriptor, library_.BackendDestroyDescriptor);
    return descriptor;
  }
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
               bool by_value = false) {
    void* t = made(kTensor);
    choice(t, kTensorDataType, kDataTypeType, type);
    set(t, kTensorDims, kInt64Type, dims);
    set(t, kTensorStrides, kInt64Type, strides);
    number(t, kTensorId, id);
    number(t, kTensorAlignment, 16);
    if (by_value) flag(t, kTensorByValue);
    if (id >= kFirstVirtual) flag(t, kTensorVirtual);
    finish(t);
    return t;
  }
  // Of the scores' shape, or one per row of them.
  void* between(int type, bool rows = false) {
    std::vector<int64_t> dims = scores_;
    if (rows) dims[3] = 1;
    return tensor(next_++, type, dims, {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1});
  }
  void scores(const SdpaShape& s) { scores_ = {s.batch, s.heads, s.tokens, s.slots}; }

  // y = mode(x, b) in the precision of `type`; with t: y = t ? x : b.
  void* pointwise(int mode, int precision, void* x, void* b, void* y, void* t = nullptr, int64_t axis = -1) {
    void* d = made(kPointwise);
    choice(d, kPointwiseMode, kPointwiseModeType, mode);
    choice(d, kPointwisePrecision, kDataTypeType, precision);
    if (axis >= 0) number(d, kPointwiseAxis, axis);
    finish(d);
    void* op = made(kPointwiseOp);
    link(op, kPointwiseDesc, d);
    link(op, kPointwiseX, x);
    if (b != nullptr) link(op, kPointwiseB, b);
    if (t != nullptr) link(op, kPointwiseT, t);
    link(op, kPointwiseY, y);
    finish(op);
    ops_.push_back(op);
    return y;
  }
  void* reduction(int mode, void* x, void* y) {
    void* d = made(kReduction);
    choice(d, kReductionOperator, kReductionType, mode);
    choice(d, kReductionPrecision, kDataTypeType, kFloat);
    finish(d);
    void* op = made(kReductionOp);
    link(op, kReductionDesc, d);
    link(op, kReductionX, x);
    link(op, kReductionY, y);
    finish(op);
    ops_.push_back(op);
    return y;
  }
  // c = a b; how many rows of a, columns of b and inner elements count is told per batch.
  void* matmul(void* a, void* b, void* c, void* rows, void* cols, void* inner) {
    void* d = made(kMatmul);
    choice(d, kMatmulPrecision, kDataTypeType, kFloat);
    if (cols != nullptr) set<double>(d, kMatmulPadding, kDoubleType, {0});
    finish(d);
    void* op = made(kMatmulOp);
    link(op, kMatmulDesc, d);
    link(op, kMatmulA, a);
    link(op, kMatmulB, b);
    link(op, kMatmulC, c);
    if (rows != nullptr) link(op, kMatmulRows, rows);
    if (cols != nullptr) link(op, kMatmulCols, cols);
    if (inner != nullptr) link(op, kMatmulInner, inner);
    finish(op);
    ops_.push_back(op);
    return c;
  }
  void* graph() {
    void* g = made(kOperationGraph);
    if (handle_ != nullptr) set<void*>(g, kGraphHandle, kHandleType, {handle_});
    set(g, kGraphOps, kDescriptorType, ops_);
    finish(g);
    return g;
  }

 private:
  const Library9& library_;
  void* handle_;
  std::vector<Handle> owned_;
  std::vector<void*> ops_;
  std::vector<int64_t> scores_;
  int64_t next_ = kFirstVirtual;
};

// Only the last keys before each query, as the library writes that.
void* inside_window(Builder& g, void* x, void* nothing, void* queries, void* keys) {
  void* window = g.tensor(kWindow, kInt32, {1, 1, 1, 1}, {1, 1, 1, 1}, true);
  void* row = g.pointwise(kGenerateIndex, kInt32, x, nullptr, g.between(kInt32), nullptr, 2);
  void* col = g.pointwise(kGenerateIndex, kInt32, x, nullptr, g.between(kInt32), nullptr, 3);
  col = g.pointwise(kAdd, kInt32, col, window, g.between(kInt32), nullptr, 3);
  col = g.pointwise(kSub, kInt32, col, keys, g.between(kInt32), nullptr, 3);
  col = g.pointwise(kAdd, kInt32, col, queries, g.between(kInt32), nullptr, 3);
  void* holds = g.pointwise(kGreater, kBoolean, col, row, g.between(kBoolean));
  return g.pointwise(kSelect, kFloat, x, nothing, g.between(kFloat), holds);
}

// The graph that the library knows as attention: its kernels are found by this pattern, so the order of the ops and
// what they read is the library's own.
void* attention_graph(Builder& g, const SdpaShape& s) {
  const int type = s.dtype == ASSAY_BF16 ? kBfloat16 : kHalf;
  const int64_t k_place = s.kv_heads * s.k_row, v_place = s.kv_heads * s.v_row, y_row = s.heads * s.dim_v;
  g.scores(s);
  void* q = g.tensor(kQ, type, {s.batch, s.heads, s.tokens, s.dim_qk}, {s.tokens * s.q_row, s.dim_qk, s.q_row, 1});
  void* k = g.tensor(kK, type, {s.batch, s.kv_heads, s.dim_qk, s.slots}, {s.slots * k_place, s.k_row, 1, k_place});
  void* v = g.tensor(kV, type, {s.batch, s.kv_heads, s.slots, s.dim_v}, {s.slots * v_place, s.v_row, v_place, 1});
  void* y = g.tensor(kY, type, {s.batch, s.heads, s.tokens, s.dim_v}, {s.tokens * y_row, s.dim_v, y_row, 1});
  const std::vector<int64_t> one{1, 1, 1, 1}, each{s.batch, 1, 1, 1};
  void* queries = s.causal ? g.tensor(kQueries, kInt32, each, one) : nullptr;
  void* keys = s.causal ? g.tensor(kKeys, kInt32, each, one) : nullptr;
  void* scale = g.tensor(kScale, kFloat, one, one, true);
  const auto index = [&](void* x, int64_t axis) {
    return g.pointwise(kGenerateIndex, kInt32, x, nullptr, g.between(kInt32), nullptr, axis);
  };
  const auto compare = [&](int mode, void* a, void* b) {
    return g.pointwise(mode, kBoolean, a, b, g.between(kBoolean));
  };

  void* x = g.matmul(q, k, g.between(kFloat), queries, keys, nullptr);
  x = g.pointwise(kMul, kFloat, x, scale, g.between(kFloat));
  if (s.causal) {
    void* nothing = g.tensor(kNothing, kFloat, one, one, true);
    void* row_holds = compare(kLess, index(x, 2), queries);
    void* col_holds = compare(kLess, index(x, 3), keys);
    x = g.pointwise(kSelect, kFloat, x, nothing, g.between(kFloat), compare(kAnd, row_holds, col_holds));
    void* row = index(x, 2);  // aligned at the last query and the last key
    void* col = index(x, 3);
    row = g.pointwise(kAdd, kInt32, row, keys, g.between(kInt32), nullptr, 3);
    row = g.pointwise(kSub, kInt32, row, queries, g.between(kInt32), nullptr, 3);
    x = g.pointwise(kSelect, kFloat, x, nothing, g.between(kFloat), compare(kGreaterEqual, row, col));
    if (s.window > 0) x = inside_window(g, x, nothing, queries, keys);
  }
  void* most = g.reduction(kReduceMax, x, g.between(kFloat, true));
  x = g.pointwise(kSub, kFloat, x, most, g.between(kFloat));
  x = g.pointwise(kExp, kFloat, x, nullptr, g.between(kFloat));
  void* sum = g.reduction(kReduceAdd, x, g.between(kFloat, true));
  // Read by nobody, but 9.19's kernels write it: where it is not in the graph, to an address that nobody gave.
  void* stats = g.tensor(kStats, kFloat, {s.batch, s.heads, s.tokens, 1}, {s.heads * s.tokens, s.tokens, 1, 1});
  g.pointwise(kAdd, kFloat, most, g.pointwise(kLog, kFloat, sum, nullptr, g.between(kFloat, true)), stats);
  x = g.pointwise(kDiv, kFloat, x, sum, g.between(type));
  g.matmul(x, v, y, queries, nullptr, keys);
  return g.graph();
}

struct Compiled {
  std::unique_ptr<Builder> builder;  // owns everything below
  void* plan = nullptr;              // nullptr: the library has none
  int64_t workspace = 0;
};

class CudnnSdpa final : public Sdpa {
 public:
  explicit CudnnSdpa(const Library& library) {
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr) throw Failure(ASSAY_UNSUPPORTED, library.name() + " lacks " + name);
    };
#define ASSAY_GPU_LOAD(name, result, parameters) load(library_.name, GPU_TEXT(gpudnn##name));
    ASSAY_GPU_DNN(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
    void* made = nullptr;
    if (const int status = library_.Create(&made); status != 0) {
      throw Failure(ASSAY_UNSUPPORTED, library.name() + ": create failed with status " + std::to_string(status));
    }
    handle_ = Handle(made, library_.Destroy);
    const size_t version = library_.GetVersion();  // 91900: 9.19.0
    name_ = library.name() + " " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
            std::to_string(version % 100);
    nothing_ = version < 91000 ? std::numeric_limits<float>::lowest() : -std::numeric_limits<float>::infinity();
  }

  bool takes(const SdpaShape& shape, uint64_t* workspace) override {
    const Compiled& compiled = this->compiled(shape);
    *workspace = static_cast<uint64_t>(compiled.workspace);
    return compiled.plan != nullptr;
  }

  std::function<void(void*)> bind(const SdpaShape& shape, const SdpaOperands& o) override {
    struct Kept {
      Handle pack;
      float scale = 1, nothing = 0;  // the library reads these at each call
      int32_t window = 0;
    };
    const Compiled& compiled = this->compiled(shape);
    auto bound = std::make_shared<Kept>();
    bound->scale = shape.scale;
    bound->nothing = nothing_;
    bound->window = static_cast<int32_t>(shape.window);
    void* pack = nullptr;
    check(library_.BackendCreateDescriptor(kVariantPack, &pack), "variant pack");
    bound->pack = Handle(pack, library_.BackendDestroyDescriptor);
    std::vector<int64_t> ids{kQ, kK, kV, kY, kScale, kStats};
    std::vector<void*> pointers{o.q, o.k, o.v, o.y, &bound->scale, o.stats};
    const auto add = [&](int64_t id, void* pointer) {
      ids.push_back(id);
      pointers.push_back(pointer);
    };
    if (shape.causal) {
      add(kQueries, o.queries);
      add(kKeys, o.keys);
      add(kNothing, &bound->nothing);
      if (shape.window > 0) add(kWindow, &bound->window);
    }
    const auto n = static_cast<int64_t>(ids.size());
    check(library_.BackendSetAttribute(pack, kPackIds, kInt64Type, n, ids.data()), "ids");
    check(library_.BackendSetAttribute(pack, kPackPointers, kPointerType, n, pointers.data()), "pointers");
    check(library_.BackendSetAttribute(pack, kPackWorkspace, kPointerType, 1, &o.workspace), "workspace");
    check(library_.BackendFinalize(pack), "variant pack");
    return [this, bound, plan = compiled.plan](void* stream) {
      check(library_.SetStream(handle_.get(), stream), "stream");
      check(library_.BackendExecute(handle_.get(), plan, bound->pack.get()), "attention");
    };
  }

  [[nodiscard]] std::string name() const override { return name_; }

 private:
  void check(int status, const char* what) const {
    if (status == 0) return;
    throw Failure(ASSAY_INTERNAL, name_ + ": " + what + " failed with status " + std::to_string(status));
  }

  const Compiled& compiled(const SdpaShape& shape) {
    Compiled& out = compiled_[sdpa_key(shape)];
    if (out.builder != nullptr) return out;
    out.builder = std::make_unique<Builder>(library_, handle_.get());
    try {
      compile(shape, &out);
    } catch (const Refused&) {
      out.plan = nullptr;
    }
    return out;
  }

  // The first of the library's proposals that compiles.
  void compile(const SdpaShape& shape, Compiled* out) {
    Builder& b = *out->builder;
    void* graph = attention_graph(b, shape);
    void* heuristics = b.made(kEngineHeuristics);
    b.link(heuristics, kHeuristicsGraph, graph);
    b.choice(heuristics, kHeuristicsMode, kHeuristicsModeType, kHeuristicsA);
    b.finish(heuristics);
    constexpr int64_t kMost = 8;
    std::vector<void*> configs;
    for (int64_t i = 0; i < kMost; ++i) configs.push_back(b.made(kEngineConfig));
    int64_t n = 0;
    accept(library_.BackendGetAttribute(heuristics, kHeuristicsResults, kDescriptorType, kMost, &n, configs.data()));
    for (int64_t i = 0; i < n && i < kMost && out->plan == nullptr; ++i) {
      void* plan = b.made(kExecutionPlan);
      b.set<void*>(plan, kPlanHandle, kHandleType, {handle_.get()});
      b.link(plan, kPlanConfig, configs[static_cast<size_t>(i)]);
      if (library_.BackendFinalize(plan) != 0) continue;
      int64_t got = 0;
      accept(library_.BackendGetAttribute(plan, kPlanWorkspace, kInt64Type, 1, &got, &out->workspace));
      out->plan = plan;
    }
  }

  Library9 library_;
  Handle handle_;
  std::string name_;
  float nothing_ = 0;
  std::map<std::string, Compiled> compiled_;
};

}  // namespace

std::string sdpa_key(const SdpaShape& s) {
  std::string out;
  for (const int64_t part : {int64_t{s.dtype}, s.batch, s.heads, s.kv_heads, s.tokens, s.slots, s.dim_qk, s.dim_v,
                             s.q_row, s.k_row, s.v_row, int64_t{s.causal}, s.window}) {
    out += std::to_string(part) + " ";
  }
  return out;
}

std::unique_ptr<Sdpa> Sdpa::load(const Runtime& runtime, std::string* why) {
  if (std::string(std::vector<const char*>{GPU_DNN_LIBRARIES}.front()).empty()) return nullptr;  // the vendor has none
  const Library library({GPU_DNN_LIBRARIES}, runtime.folder());
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  try {
    return std::make_unique<CudnnSdpa>(library);
  } catch (const Failure& failure) {
    *why = failure.what();
    return nullptr;
  }
}

}  // namespace assay::gpu
