#include "harness/conformance/op_cases.h"

#include <cmath>

namespace assay::conformance {
namespace {

std::string shape(const Dims& dims) {
  std::string text = "[";
  for (const int64_t d : dims) text += (text.size() > 1 ? "," : "") + std::to_string(d);
  return text + "]";
}

void matmul_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out) {
  struct Shape {
    int64_t m, n, k;
    bool bias;
  };
  std::vector<Shape> shapes{{1, 1, 2, false}, {1, 37, 130, true}, {3, 129, 66, false}, {17, 33, 258, true}};
  if (!quick) shapes.insert(shapes.end(), {{65, 3, 510, false}, {130, 259, 34, true}, {2, 1031, 1026, false}});
  for (const Shape& s : shapes) {
    Maker m(plan);
    const uint32_t x = m.input({s.m, s.k});
    const uint32_t w = m.weight({s.n, s.k});
    m.b.project(x, w, "p", s.bias ? static_cast<int64_t>(m.vector(s.n)) : -1);
    out->push_back(m.take(shape({s.m, s.k}) + "x" + shape({s.n, s.k}) + (s.bias ? "+bias" : "")));
  }
}

void rms_norm_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    int64_t rows, width, group, col, cols;
  };
  for (const Shape& s :
       {Shape{1, 1, 1, 0, 0}, Shape{1, 67, 67, 0, 0}, Shape{7, 130, 130, 0, 0}, Shape{3, 71, 16, 5, 48}}) {
    Maker m(plan);
    const uint32_t x = m.input({s.rows, s.width}, 2, 0.5);
    const uint32_t gamma = m.vector(s.group, 1, 0.2);
    m.op(ASSAY_OP_RMS_NORM, {x, gamma}, {m.out({s.rows, s.width})}, {1e-6, real(s.group), real(s.col), real(s.cols)});
    out->push_back(m.take(shape({s.rows, s.width}) + " groups of " + std::to_string(s.group)));
  }
}

void gated_act_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const double function : {ASSAY_ACT_SILU, ASSAY_ACT_GELU_TANH, ASSAY_ACT_GELU_ERF}) {
    for (const Dims& y : {Dims{1, 1}, Dims{5, 77}}) {
      Maker m(plan);
      m.op(ASSAY_OP_GATED_ACT, {m.input({y[0], 2 * y[1]}, 2)}, {m.out(y)}, {function});
      out->push_back(m.take(shape(y) + " function " + std::to_string(static_cast<int>(function))));
    }
  }
}

void add_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const Dims& y : {Dims{1, 1}, Dims{33, 65}}) {
    Maker m(plan);
    const uint32_t a = m.input(y);
    const uint32_t b = m.input(y);
    m.op(ASSAY_OP_ADD, {a, b}, {m.out(y)});
    out->push_back(m.take(shape(y)));
  }
  Maker m(plan);
  const uint32_t a = m.input({6, 21});
  const uint32_t b = m.input({6, 21});
  const uint32_t mod = m.input({3, 50});
  m.op(ASSAY_OP_ADD, {a, b, mod}, {m.out({6, 21})}, {3, 29});
  out->push_back(m.take("[6,21] gated, 3 sequences"));
}

void embedding_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const int64_t rows : {1, 7}) {
    Maker m(plan);
    Values index;
    for (int64_t i = 0; i < rows; ++i) index.push_back(i == 0 ? 102 : real(i * 37 % 103));
    const uint32_t i = m.integers({rows}, index);
    m.op(ASSAY_OP_EMBEDDING, {i, m.weight({103, 66})}, {m.out({rows, 66})});
    out->push_back(m.take(std::to_string(rows) + " rows of a table " + shape({103, 66})));
  }
}

void argmax_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const Dims& x : {Dims{1, 1}, Dims{5, 1009}, Dims{1, 33}}) {
    Maker m(plan);
    m.op(ASSAY_OP_ARGMAX, {m.input(x)}, {m.made(ASSAY_I32, {x[0]})});
    out->push_back(m.take(shape(x)));
  }
  Maker m(plan);  // all equal: the lowest index
  m.op(ASSAY_OP_ARGMAX, {m.input({3, 19}, 0, -1)}, {m.made(ASSAY_I32, {3})});
  out->push_back(m.take("[3,19] all equal"));
}

void quantize_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  const auto add = [&](uint32_t dtype, const Dims& dims, double stddev) {
    Maker m(plan);
    const uint32_t x = m.input(dims, stddev);
    const uint32_t codes = m.made(dtype, dims);
    const uint32_t scale = m.made(ASSAY_F32, {dims[0], 1});
    m.b.set_scale(codes, scale, static_cast<int32_t>(dims[1]));
    m.op(ASSAY_OP_QUANTIZE, {x}, {codes, scale});
    out->push_back(m.take(shape(dims) + (stddev == 0 ? " all zero" : "") + (dtype == ASSAY_I8 ? "" : " to f8e4m3")));
  };
  add(ASSAY_I8, {1, 2}, 1);
  add(ASSAY_I8, {9, 67}, 3);
  add(ASSAY_I8, {2, 5}, 0);
  add(ASSAY_F8E4M3, {9, 67}, 3);
}

void activation_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const double function : {ASSAY_ACT_SILU, ASSAY_ACT_GELU_TANH, ASSAY_ACT_GELU_ERF}) {
    Maker m(plan);
    m.op(ASSAY_OP_ACTIVATION, {m.input({3, 77}, 3)}, {m.out({3, 77})}, {function});
    out->push_back(m.take("[3,77] function " + std::to_string(static_cast<int>(function))));
  }
}

void head_matmul_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    int64_t rows, heads, n, k, col, pass;
  };
  for (const Shape& s : {Shape{1, 1, 3, 4, 0, 0}, Shape{5, 3, 17, 22, 3, 0}, Shape{2, 7, 9, 16, 0, 5}}) {
    Maker m(plan);
    const int64_t stride = s.k + s.pass;
    const uint32_t x = m.input({s.rows, s.col + s.heads * stride});
    const uint32_t w = m.weight({s.heads, s.n, s.k});
    m.op(ASSAY_OP_HEAD_MATMUL, {x, w}, {m.out({s.rows, s.heads * (s.n + s.pass)})},
         {real(s.heads), real(s.col), real(stride), real(s.pass)});
    out->push_back(m.take(std::to_string(s.rows) + " rows, " + std::to_string(s.heads) + " heads of " +
                          shape({s.n, s.k}) + ", pass " + std::to_string(s.pass)));
  }
}

struct KindCases {
  AddCases add;
  bool weights;  // of a product: quantised plans apply
};

KindCases cases_of(uint32_t kind) {
  switch (kind) {
    case ASSAY_OP_MATMUL:
      return {matmul_cases, true};
    case ASSAY_OP_ATTENTION:
      return {attention_cases, false};
    case ASSAY_OP_KV_APPEND:
      return {kv_append_cases, false};
    case ASSAY_OP_RMS_NORM:
      return {rms_norm_cases, false};
    case ASSAY_OP_ROPE:
      return {rope_cases, false};
    case ASSAY_OP_GATED_ACT:
      return {gated_act_cases, false};
    case ASSAY_OP_ADD:
      return {add_cases, false};
    case ASSAY_OP_EMBEDDING:
      return {embedding_cases, true};
    case ASSAY_OP_ARGMAX:
      return {argmax_cases, false};
    case ASSAY_OP_QUANTIZE:
      return {quantize_cases, false};
    case ASSAY_OP_GROUPED_MATMUL:
      return {grouped_matmul_cases, true};
    case ASSAY_OP_ROUTER_TOPK:
      return {router_topk_cases, false};
    case ASSAY_OP_MOE_DISPATCH:
      return {moe_dispatch_cases, false};
    case ASSAY_OP_MOE_COMBINE:
      return {moe_combine_cases, false};
    case ASSAY_OP_LAYER_NORM_MODULATE:
      return {layer_norm_modulate_cases, false};
    case ASSAY_OP_ACTIVATION:
      return {activation_cases, false};
    case ASSAY_OP_PATCHIFY3D:
      return {patchify3d_cases, false};
    case ASSAY_OP_CONV3D:
      return {conv3d_cases, true};
    case ASSAY_OP_GROUP_NORM:
      return {group_norm_cases, false};
    case ASSAY_OP_HEAD_MATMUL:
      return {head_matmul_cases, true};
    case ASSAY_OP_KV_EXPAND:
      return {kv_expand_cases, true};
    default:
      return {index_topk_cases, false};
  }
}

bool plain(const DtypePlan& plan) { return plan.weight == plan.activation; }

// What TF32 may round; the other ops are the same as in f32.
bool multiplies(uint32_t kind) {
  return kind == ASSAY_OP_MATMUL || kind == ASSAY_OP_GROUPED_MATMUL || kind == ASSAY_OP_HEAD_MATMUL ||
         kind == ASSAY_OP_KV_EXPAND || kind == ASSAY_OP_CONV3D || kind == ASSAY_OP_ATTENTION;
}

}  // namespace

std::vector<OpCase> op_cases(uint32_t kind, bool quick) {
  std::vector<OpCase> cases;
  const KindCases kind_cases = cases_of(kind);
  for (const std::string& name : dtype_plan_names()) {
    const Result<DtypePlan> plan = dtype_plan(name);
    if (!plan.ok() || (!plain(*plan) && !kind_cases.weights)) continue;
    if (plan->tf32 && !multiplies(kind)) continue;
    // Rows are quantised before a plain product only.
    if (plan->quantize_activations && kind != ASSAY_OP_MATMUL && kind != ASSAY_OP_GROUPED_MATMUL) continue;
    kind_cases.add(*plan, quick, &cases);
  }
  return cases;
}

OpCase matmul_case(int64_t m, int64_t n, int64_t k) {
  Maker maker(DtypePlan{"f32"});
  const uint32_t x = maker.input({m, k});
  maker.b.project(x, maker.weight({n, k}), "p");
  return maker.take(shape({m, k}) + "x" + shape({n, k}));
}

OpCase add_case(int64_t rows, int64_t cols) {
  Maker m(DtypePlan{"f32"});
  const uint32_t a = m.input({rows, cols});
  const uint32_t b = m.input({rows, cols});
  m.op(ASSAY_OP_ADD, {a, b}, {m.out({rows, cols})});
  return m.take(shape({rows, cols}));
}

std::optional<OpCase> plain_case(Bench& bench, Adapter& adapter, int64_t rows, int64_t cols) {
  const auto supported = [&](const OpCase& c) {
    InAdapter inside(bench.pulse(), "program.supports");
    return adapter.supports(c.graph, bench.device()).ok();
  };
  OpCase add = add_case(rows, cols);
  if (supported(add)) return add;
  for (uint32_t kind = ASSAY_OP_MATMUL; kind <= ASSAY_OP_INDEX_TOPK; ++kind) {
    for (OpCase& c : op_cases(kind, true)) {
      if (supported(c)) return std::move(c);
    }
  }
  return std::nullopt;
}

void check_op_kind(Bench& bench, uint32_t kind) {
  std::unique_ptr<Adapter> adapter;
  for (const OpCase& c : op_cases(kind, bench.quick())) {
    if (!bench.begin(c.name, c.dtype)) continue;
    if (adapter == nullptr) adapter = bench.open();
    if (adapter == nullptr) return;
    SmallProgram program(bench, c);
    Status done = program.prepare(*adapter);
    if (done.ok()) done = program.write(bench.seed());
    if (done.ok()) done = program.run();
    if (!done.ok()) {
      bench.fail(done.error());
      continue;
    }
    Result<std::vector<OpCheck>> checks = program.check();
    const Status right = program.verify();
    double worst = 0;
    for (const OpCheck& check : checks.ok() ? *checks : std::vector<OpCheck>{}) worst = std::max(worst, check.error);
    right.ok() ? bench.pass(number("relative error %.2g", worst)) : bench.fail(right.error().message);
  }
  if (adapter != nullptr) bench.close(std::move(adapter));
}

}  // namespace assay::conformance
