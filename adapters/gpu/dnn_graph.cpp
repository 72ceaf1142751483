#include "adapters/gpu/dnn_graph.h"

namespace assay::gpu::dnn {

void* Builder::made(int kind) {
  void* descriptor = nullptr;
  accept(library_.BackendCreateDescriptor(kind, &descriptor));
  owned_.emplace_back(descriptor, library_.BackendDestroyDescriptor);
  return descriptor;
}

void* Builder::tensor(int64_t id, int type, const std::vector<int64_t>& dims, const std::vector<int64_t>& strides,
                      bool by_value) {
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

void* Builder::between(int type, bool rows, int64_t* id) {
  std::vector<int64_t> dims = scores_;
  if (rows) dims[3] = 1;
  if (id != nullptr) *id = next_;
  return tensor(next_++, type, dims, {dims[1] * dims[2] * dims[3], dims[2] * dims[3], dims[3], 1});
}

void* Builder::pointwise(int mode, int precision, void* x, void* b, void* y, void* t, int64_t axis) {
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

void* Builder::reduction(int mode, void* x, void* y) {
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

void* Builder::matmul(void* a, void* b, void* c, void* rows, void* cols, void* inner) {
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

void* Builder::load(void* container, void* keys, void* table, int type, const std::vector<int64_t>& dims,
                    const std::vector<int64_t>& strides) {
  void* y = tensor(next_++, type, dims, strides);
  void* op = made(kPagedLoadOp);
  link(op, kLoadFrom, container);
  link(op, kLoadKeys, keys);
  link(op, kLoadPages, table);
  link(op, kLoadTo, y);
  finish(op);
  ops_.push_back(op);
  return y;
}

void* Builder::band(int mode, void* x, void* nothing, void* queries, void* keys, void* window, void* y) {
  void* op = made(kBandOp);
  link(op, kBandX, x);
  link(op, kBandNothing, nothing);
  link(op, kBandQueries, queries);
  link(op, kBandKeys, keys);
  if (window != nullptr) link(op, kBandLeft, window);
  link(op, kBandY, y);
  choice(op, kBandComparison, kPointwiseModeType, mode);
  finish(op);
  ops_.push_back(op);
  return y;
}

void* Builder::graph(bool part) {
  void* g = made(kOperationGraph);
  if (handle_ != nullptr && !part) set<void*>(g, kGraphHandle, kHandleType, {handle_});
  set(g, kGraphOps, kDescriptorType, ops_);
  finish(g);
  ops_.clear();
  return g;
}

namespace {

// What a call reads and writes. Keys and values as they lie: a block for each sequence, or pages, of which `transposed`
// (keys as the second product's right side) is what is loaded from them.
struct Tensors {
  Tensors(Builder& g, const SdpaShape& s, bool transposed) : type(s.dtype == ASSAY_BF16 ? kBfloat16 : kHalf) {
    const bool paged = s.page > 0;
    const int64_t blocks = paged ? s.pages : s.batch, length = paged ? s.page : s.slots;
    const int64_t k_place = s.kv_heads * s.k_row, v_place = s.kv_heads * s.v_row, y_row = s.heads * s.dim_v;
    q = g.tensor(kQ, type, {s.batch, s.heads, s.tokens, s.dim_qk}, {s.tokens * s.q_row, s.dim_qk, s.q_row, 1});
    k = transposed && !paged
            ? g.tensor(kK, type, {blocks, s.kv_heads, s.dim_qk, length}, {length * k_place, s.k_row, 1, k_place})
            : g.tensor(kK, type, {blocks, s.kv_heads, length, s.dim_qk}, {length * k_place, s.k_row, k_place, 1});
    v = g.tensor(kV, type, {blocks, s.kv_heads, length, s.dim_v}, {length * v_place, s.v_row, v_place, 1});
    y = g.tensor(kY, type, {s.batch, s.heads, s.tokens, s.dim_v}, {s.tokens * y_row, s.dim_v, y_row, 1});
    const std::vector<int64_t> one{1, 1, 1, 1}, each{s.batch, 1, 1, 1};
    scale = g.one_value(kScale, kFloat);
    if (!s.causal) return;
    queries = g.tensor(kQueries, kInt32, each, one);
    keys = g.tensor(kKeys, kInt32, each, one);
    nothing = g.one_value(kNothing, kFloat);
    if (s.window > 0) window = g.one_value(kWindow, kInt32);
    const int64_t n = paged ? s.slots / s.page : 0;
    if (paged) pages = g.tensor(kPages, kInt32, {s.batch, 1, n, 1}, {n, n, 1, 1});
  }

  // As the products read them.
  [[nodiscard]] void* whole_keys(Builder& g, const SdpaShape& s) const {
    const int64_t n = s.slots, d = s.dim_qk;
    return pages == nullptr
               ? k
               : g.load(k, keys, pages, type, {s.batch, s.kv_heads, d, n}, {s.kv_heads * n * d, n * d, 1, d});
  }
  [[nodiscard]] void* whole_values(Builder& g, const SdpaShape& s) const {
    const int64_t n = s.slots, d = s.dim_v;
    return pages == nullptr
               ? v
               : g.load(v, keys, pages, type, {s.batch, s.kv_heads, n, d}, {s.kv_heads * n * d, n * d, d, 1});
  }

  int type;
  void *q = nullptr, *k = nullptr, *v = nullptr, *y = nullptr, *scale = nullptr;
  void *queries = nullptr, *keys = nullptr, *nothing = nullptr, *window = nullptr, *pages = nullptr;
};

void* index(Builder& g, void* x, int64_t axis) {
  return g.pointwise(kGenerateIndex, kInt32, x, nullptr, g.between(kInt32), nullptr, axis);
}

// No key behind a query's place, counted from the last query at the last key. One query sees all keys that there are;
// the library shares those among blocks only where this mask is left out.
void* up_to_diagonal(Builder& g, void* x, const Tensors& t) {
  void* row = index(g, x, 2);
  void* col = index(g, x, 3);
  row = g.pointwise(kAdd, kInt32, row, t.keys, g.between(kInt32), nullptr, 3);
  row = g.pointwise(kSub, kInt32, row, t.queries, g.between(kInt32), nullptr, 3);
  void* holds = g.pointwise(kGreaterEqual, kBoolean, row, col, g.between(kBoolean));
  return g.pointwise(kSelect, kFloat, x, t.nothing, g.between(kFloat), holds);
}

// Only the last keys before each query, as the library writes that.
void* inside_window(Builder& g, void* x, const Tensors& t) {
  void* row = index(g, x, 2);
  void* col = index(g, x, 3);
  col = g.pointwise(kAdd, kInt32, col, t.window, g.between(kInt32), nullptr, 3);
  col = g.pointwise(kSub, kInt32, col, t.keys, g.between(kInt32), nullptr, 3);
  col = g.pointwise(kAdd, kInt32, col, t.queries, g.between(kInt32), nullptr, 3);
  void* holds = g.pointwise(kGreater, kBoolean, col, row, g.between(kBoolean));
  return g.pointwise(kSelect, kFloat, x, t.nothing, g.between(kFloat), holds);
}

}  // namespace

// The library finds its kernels by this pattern, so the order of the ops and what they read is its own.
void* attention_graph(Builder& g, const SdpaShape& s) {
  g.scores(s);
  const Tensors t(g, s, true);
  const auto compare = [&](int mode, void* a, void* b) {
    return g.pointwise(mode, kBoolean, a, b, g.between(kBoolean));
  };
  void* x = g.matmul(t.q, t.whole_keys(g, s), g.between(kFloat), t.queries, t.keys, nullptr);
  x = g.pointwise(kMul, kFloat, x, t.scale, g.between(kFloat));
  if (s.causal) {
    void* row_holds = compare(kLess, index(g, x, 2), t.queries);
    void* col_holds = compare(kLess, index(g, x, 3), t.keys);
    x = g.pointwise(kSelect, kFloat, x, t.nothing, g.between(kFloat), compare(kAnd, row_holds, col_holds));
    if (s.tokens > 1) x = up_to_diagonal(g, x, t);
    if (s.window > 0) x = inside_window(g, x, t);
  }
  void* most = g.reduction(kReduceMax, x, g.between(kFloat, true));
  x = g.pointwise(kSub, kFloat, x, most, g.between(kFloat));
  x = g.pointwise(kExp, kFloat, x, nullptr, g.between(kFloat));
  void* sum = g.reduction(kReduceAdd, x, g.between(kFloat, true));
  // Read by nobody, but 9.19's kernels write it: where it is not in the graph, to an address that nobody gave.
  void* stats = g.tensor(kStats, kFloat, {s.batch, s.heads, s.tokens, 1}, {s.heads * s.tokens, s.tokens, 1, 1});
  g.pointwise(kAdd, kFloat, most, g.pointwise(kLog, kFloat, sum, nullptr, g.between(kFloat, true)), stats);
  x = g.pointwise(kDiv, kFloat, x, sum, g.between(t.type));
  g.matmul(x, t.whole_values(g, s), t.y, t.queries, nullptr, t.keys);
  return g.graph();
}

void* attention_node(Builder& g, const SdpaShape& s) {
  g.scores(s);
  const Tensors t(g, s, false);
  void* op = g.made(kSdpaOp);
  g.link(op, kSdpaQ, t.q);
  g.link(op, kSdpaK, t.k);
  g.link(op, kSdpaV, t.v);
  g.link(op, kSdpaY, t.y);
  g.link(op, kSdpaScale, t.scale);
  if (s.causal) {
    g.link(op, kSdpaQueries, t.queries);  // with both given, what lies beyond them is masked
    g.link(op, kSdpaKeys, t.keys);
    if (t.pages != nullptr) {
      g.link(op, kSdpaPagesK, t.pages);
      g.link(op, kSdpaPagesV, t.pages);
    }
  }
  if (s.causal && (s.tokens > 1 || s.window > 0)) {
    int64_t from = 0, to = 0;
    void* x = g.between(kFloat, false, &from);
    if (s.tokens > 1) {
      x = g.band(kGreaterEqual, x, t.nothing, t.queries, t.keys, nullptr, g.between(kFloat, false, &to));
    }
    if (s.window > 0) g.band(kGreater, x, t.nothing, t.queries, t.keys, t.window, g.between(kFloat, false, &to));
    g.link(op, kSdpaMasks, g.graph(true));
    g.number(op, kSdpaMasksFrom, from);
    g.number(op, kSdpaMasksTo, to);
  }
  g.finish(op);
  g.op(op);
  return g.graph();
}

}  // namespace assay::gpu::dnn
