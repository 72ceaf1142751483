// A case becomes the graph of one step.
#include <cmath>

#include "suites/case.h"
#include "suites/lower/builder.h"
#include "suites/lower/llm.h"

namespace assay {
namespace {

Graph lower_gemm(const Case& c, const DtypePlan& plan) {
  GraphBuilder g(plan, false);
  const Fill normal{Fill::Kind::kNormal, 0, 1, 0};
  uint32_t x = 0;
  if (plan.quantize_activations) {  // integer operands as they are: the quantising is not the GEMM's
    x = g.tensor("x", ASSAY_I8, ASSAY_ROLE_INPUT, {c.m, c.k}, normal);
    const uint32_t s = g.tensor("x.scale", ASSAY_F32, ASSAY_ROLE_INPUT, {c.m, 1}, scale_fill(ASSAY_I8, 1));
    g.set_scale(x, s, static_cast<int32_t>(c.k));
  } else {
    x = g.tensor("x", plan.activation, ASSAY_ROLE_INPUT, {c.m, c.k}, normal);
  }
  const uint32_t w = g.weight("w", c.n, c.k, 1 / std::sqrt(static_cast<double>(c.k)));
  const uint32_t y = g.tensor("y", plan.activation, ASSAY_ROLE_OUTPUT, {c.m, c.n});
  g.op(ASSAY_OP_MATMUL, "gemm", {x, w}, {y});
  return g.take();
}

// Reads every element once and writes next to nothing.
Graph lower_read(const Case& c, const DtypePlan& plan) {
  GraphBuilder g(plan, false);
  const auto n = c.buffer_bytes * 8 / dtype_bits(plan.activation);
  const uint32_t x = g.tensor("x", plan.activation, ASSAY_ROLE_WEIGHT, {1, n}, {Fill::Kind::kNormal, 0, 1, 0});
  const uint32_t y = g.tensor("y", ASSAY_I32, ASSAY_ROLE_OUTPUT, {1});
  g.op(ASSAY_OP_ARGMAX, "read", {x}, {y});
  return g.take();
}

// Two streams read, one written; buffer_bytes is what all three move.
Graph lower_copy(const Case& c, const DtypePlan& plan) {
  GraphBuilder g(plan, false);
  const auto n = c.buffer_bytes / 3 * 8 / dtype_bits(plan.activation);
  const Fill normal{Fill::Kind::kNormal, 0, 1, 0};
  const uint32_t a = g.tensor("a", plan.activation, ASSAY_ROLE_WEIGHT, {1, n}, normal);
  const uint32_t b = g.tensor("b", plan.activation, ASSAY_ROLE_WEIGHT, {1, n}, normal);
  const uint32_t y = g.tensor("y", plan.activation, ASSAY_ROLE_OUTPUT, {1, n});
  g.op(ASSAY_OP_ADD, "copy", {a, b}, {y});
  return g.take();
}

// Two elements share a byte only within a row.
Status check_packing(const Case& c, const Graph& graph) {
  for (const Tensor& t : graph.tensors) {
    if (dtype_bits(t.dtype) >= 8 || t.dims.back() % 2 == 0) continue;
    return bad_input("case " + c.id() + ": dtype " + c.dtype + ": expected an even last axis of '" + t.name +
                     "', found " + std::to_string(t.dims.back()));
  }
  return ok_status();
}

Result<Graph> lower_step(const Case& c, const LowerOptions& options) {
  if (const Status valid = check_case(c); !valid) return valid.error();
  const Result<DtypePlan> plan = dtype_plan(c.dtype);
  if (!plan) return plan.error();
  switch (c.kind) {
    case StepKind::kGemm:
      return lower_gemm(c, *plan);
    case StepKind::kRead:
      return lower_read(c, *plan);
    case StepKind::kCopy:
      return lower_copy(c, *plan);
    case StepKind::kPrefill:
    case StepKind::kDecode:
      break;
  }
  const int64_t layers = options.layers == 0 ? c.model.layers : options.layers;
  if (layers < 1 || layers > c.model.layers) {
    return bad_input("case " + c.id() + ": layers: expected 1 to " + std::to_string(c.model.layers) + ", found " +
                     std::to_string(options.layers));
  }
  return lower_llm(c, *plan, layers, options.expose_intermediates);
}

}  // namespace

Result<Graph> lower(const Case& c, const LowerOptions& options) {
  Result<Graph> graph = lower_step(c, options);
  if (!graph) return graph;
  if (const Status packed = check_packing(c, *graph); !packed) return packed.error();
  return graph;
}

}  // namespace assay
