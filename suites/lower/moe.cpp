// Dense and mixture-of-experts MLP of a decoder's layer.
#include "suites/lower/llm_parts.h"

namespace assay {
namespace {

double router_function(const std::string& name) {
  if (name == "sigmoid") return ASSAY_ROUTER_SIGMOID;
  return name == "softmax" ? ASSAY_ROUTER_SOFTMAX : ASSAY_ROUTER_SOFTMAX_OF_TOPK;
}

struct Routed {
  uint32_t x = 0, offsets = 0, place = 0, weight = 0;
};

// A trace counts the layers with experts alone; what is drawn differs by the model's layer.
std::shared_ptr<const RoutingPlan> plan_of(const LlmContext& x, int64_t layer) {
  const bool trace = x.c.routing.kind == Routing::Kind::kTrace;
  return routing_plan(x.c.routing, router_choice(x.m.moe), trace ? layer - x.m.moe.dense_layers : layer);
}

Routed route(const LlmContext& x, int64_t layer, uint32_t in, const std::string& p) {
  const MoeShape& e = x.m.moe;
  const uint32_t router = x.g.matrix(p + "router.weight", {e.experts, x.m.hidden}, plain_stddev(x.m.hidden));
  const uint32_t logits = x.g.matmul(in, router, p + "router");
  Fill planned{Fill::Kind::kRouting, e.router == "softmax_of_topk" ? kPlannedLogit : kPlannedScore, 0, 0};
  planned.routing = plan_of(x, layer);
  const uint32_t plan = x.g.tensor(p + "routing_plan", ASSAY_F32, ASSAY_ROLE_INPUT, {x.rows, e.experts}, planned);
  const uint32_t index = x.g.made(p + "expert_index", ASSAY_I32, {x.rows, e.top_k});
  Routed out;
  out.weight = x.g.made(p + "expert_weight", ASSAY_F32, {x.rows, e.top_k});
  x.g.op(ASSAY_OP_ROUTER_TOPK, p + "router_topk", {logits, plan}, {index, out.weight},
         {static_cast<double>(e.top_k), router_function(e.router), e.normalise ? 1.0 : 0.0, e.factor,
          static_cast<double>(e.groups), static_cast<double>(e.top_groups)});
  out.x = x.g.activation(p + "dispatched", {x.rows * e.top_k, x.m.hidden});
  out.offsets = x.g.made(p + "expert_offsets", ASSAY_I32, {e.experts + 1});
  out.place = x.g.made(p + "expert_place", ASSAY_I32, {x.rows, e.top_k});
  x.g.op(ASSAY_OP_MOE_DISPATCH, p + "dispatch", {in, index}, {out.x, out.offsets, out.place},
         {static_cast<double>(e.experts)});
  return out;
}

}  // namespace

uint32_t mlp(const LlmContext& x, uint32_t in, const std::string& p, int64_t ffn) {
  const int64_t h = x.m.hidden;
  const uint32_t gate_up_weight = x.g.weight(p + "gate_up.weight", 2 * ffn, h, plain_stddev(h));
  const uint32_t gate_up = x.g.project(in, gate_up_weight, p + "gate_up");
  const uint32_t gated = x.g.activation(p + "gated", {x.rows, ffn});
  x.g.op(ASSAY_OP_GATED_ACT, p + "gated_act", {gate_up}, {gated}, {ASSAY_ACT_SILU});
  const uint32_t down_weight = x.g.weight(p + "down.weight", h, ffn, residual_stddev(x.m, ffn));
  return x.g.project(gated, down_weight, p + "down");
}

uint32_t moe_mlp(const LlmContext& x, int64_t layer, uint32_t in, const std::string& p) {
  const MoeShape& e = x.m.moe;
  const int64_t h = x.m.hidden, pairs = x.rows * e.top_k;
  const Routed routed = route(x, layer, in, p);
  const std::shared_ptr<const RoutingPlan> plan = plan_of(x, layer);
  const uint32_t gate_up_weight = x.g.weight(p + "expert_gate_up.weight", {e.experts, 2 * e.ffn, h}, plain_stddev(h));
  const uint32_t gate_up =
      x.g.project_grouped(routed.x, gate_up_weight, routed.offsets, p + "expert_gate_up", plan, x.rows);
  const uint32_t gated = x.g.activation(p + "expert_gated", {pairs, e.ffn});
  x.g.op(ASSAY_OP_GATED_ACT, p + "expert_gated_act", {gate_up}, {gated}, {ASSAY_ACT_SILU});
  const uint32_t down_weight = x.g.weight(p + "expert_down.weight", {e.experts, h, e.ffn}, residual_stddev(x.m, e.ffn));
  const uint32_t down = x.g.project_grouped(gated, down_weight, routed.offsets, p + "expert_down", plan, x.rows);
  const uint32_t combined = x.g.activation(p + "combined", {x.rows, h});
  x.g.op(ASSAY_OP_MOE_COMBINE, p + "combine", {down, routed.place, routed.weight}, {combined});
  if (e.shared_experts == 0) return combined;
  return add(x, combined, mlp(x, in, p + "shared_", e.shared_experts * e.ffn), p + "shared_add");
}

}  // namespace assay
