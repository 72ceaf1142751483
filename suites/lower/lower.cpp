// A case becomes the graph of one step.
#include <algorithm>
#include <cmath>

#include "suites/case.h"
#include "suites/lower/builder.h"
#include "suites/lower/llm.h"
#include "suites/lower/video.h"
#include "suites/routing_trace.h"

namespace assay {
namespace {

Graph lower_gemm(const Case& c, const DtypePlan& plan) {
  GraphBuilder g(plan, false);
  const Fill normal{Fill::Kind::kNormal, 0, 1, 0};
  uint32_t x = 0;
  if (plan.quantize_activations) {  // quantised operands as they are: the quantising is not the GEMM's
    x = g.tensor("x", plan.weight, ASSAY_ROLE_INPUT, {c.m, c.k}, normal);
    const uint32_t s = g.tensor("x.scale", ASSAY_F32, ASSAY_ROLE_INPUT, {c.m, 1}, scale_fill(plan.weight, 1));
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

Error out_of_range(const Case& c, const char* what, int64_t low, int64_t high, int64_t found) {
  return {ErrorKind::kBadInput, "case " + c.id() + ": " + what + ": expected " + std::to_string(low) + " to " +
                                    std::to_string(high) + ", found " + std::to_string(found)};
}

Result<Graph> lower_model(const Case& c, const DtypePlan& plan, const LowerOptions& options) {
  const int64_t layers = options.layers == 0 ? c.model.layers : options.layers;
  if (layers < 1 || layers > c.model.layers) {
    return out_of_range(c, "layers", 1, c.model.layers, options.layers);
  }
  if (!c.model.has_moe()) return lower_llm(c, plan, layers, options.expose_intermediates);
  Case cut = c;
  if (const Status loaded = load_routing_trace(&cut.routing); !loaded) return loaded.error();
  if (const Status valid = check_case(cut); !valid) return valid.error();
  MoeShape& moe = cut.model.moe;
  if (options.experts != 0 && options.experts != moe.experts) {
    const int64_t least = min_experts(cut);
    if (options.experts < least || options.experts > moe.experts || options.experts % moe.groups != 0) {
      return out_of_range(c, "experts", least, moe.experts, options.experts);
    }
    if (cut.routing.kind == Routing::Kind::kTrace) {
      return bad_input("case " + c.id() + ": a routing trace needs all " + std::to_string(moe.experts) + " experts, " +
                       std::to_string(options.experts) + " are to run");
    }
    moe.experts = options.experts;
  }
  return lower_llm(cut, plan, layers, options.expose_intermediates);
}

Result<Graph> lower_video(const Case& c, const DtypePlan& plan, const LowerOptions& options) {
  const int64_t layers = options.layers == 0 ? c.layers() : options.layers;
  if (layers < 1 || layers > c.layers()) return out_of_range(c, "layers", 1, c.layers(), options.layers);
  if (c.kind == StepKind::kDit) return lower_dit(c, plan, layers, options.expose_intermediates);
  return lower_text_encoder(c, plan, layers, options.expose_intermediates);
}

Result<Graph> lower_step(const Case& c, const LowerOptions& options) {
  if (const Status valid = check_case(c); !valid) return valid.error();
  const Result<DtypePlan> plan = c.dtypes();
  if (!plan) return plan.error();
  switch (c.kind) {
    case StepKind::kGemm:
      return lower_gemm(c, *plan);
    case StepKind::kRead:
      return lower_read(c, *plan);
    case StepKind::kCopy:
      return lower_copy(c, *plan);
    case StepKind::kVaeTile:
      return lower_vae_tile(c, *plan, options.expose_intermediates);
    case StepKind::kPrefill:
    case StepKind::kDecode:
    case StepKind::kDit:
    case StepKind::kTextEncoder:
      break;
  }
  if (c.kind == StepKind::kDit || c.kind == StepKind::kTextEncoder) return lower_video(c, *plan, options);
  return lower_model(c, *plan, options);
}

}  // namespace

RouterChoice router_choice(const MoeShape& moe) { return {moe.experts, moe.top_k, moe.groups, moe.top_groups}; }

int64_t min_experts(const Case& c) {
  const MoeShape& moe = c.model.moe;
  const int64_t per_group = (moe.top_k + moe.top_groups - 1) / moe.top_groups;
  const int64_t hot = c.routing.kind == Routing::Kind::kKHot ? static_cast<int64_t>(c.routing.parameter) : 0;
  return std::max(per_group * moe.groups, hot);
}

Result<Graph> lower(const Case& c, const LowerOptions& options) {
  Result<Graph> graph = lower_step(c, options);
  if (!graph) return graph;
  if (const Status packed = check_packing(c, *graph); !packed) return packed.error();
  return graph;
}

}  // namespace assay
