#include "harness/run/routing_report.h"

namespace assay {
namespace {

// Of one expert's matrix with its scales.
double expert_bytes(const Graph& graph, uint32_t w) {
  const Tensor& t = graph.tensors[w];
  const double scales = t.scale >= 0 ? static_cast<double>(graph.bytes(static_cast<uint32_t>(t.scale))) : 0;
  return (static_cast<double>(graph.bytes(w)) + scales) / static_cast<double>(t.dims[0]);
}

}  // namespace

std::optional<RoutingReport> routing_report(const Graph& graph, const Case& c) {
  const bool trace = c.routing.kind == Routing::Kind::kTrace;
  RoutingReport out;
  int32_t first_layer = -1, last_layer = -1;
  double expected = 0;
  for (const Op& op : graph.ops) {
    if (op.kind != ASSAY_OP_GROUPED_MATMUL || op.routing == nullptr) continue;
    if (first_layer < 0) first_layer = op.layer;
    if (op.layer == first_layer) out.expert_bytes += expert_bytes(graph, op.in[1]);
    if (op.layer == last_layer) continue;
    last_layer = op.layer;
    const RouterChoice& choice = op.routing->choice();
    out.experts = choice.experts;
    out.top_k = choice.top_k;
    out.tokens = op.routed_tokens;
    for (const int64_t rows : op.routing->loads(op.routed_tokens))
      out.expert_rows.push_back(static_cast<uint64_t>(rows));
    if (!trace)
      expected += expected_active(inclusion_probabilities(*op.routing), static_cast<double>(op.routed_tokens));
  }
  if (out.experts == 0) return std::nullopt;
  out.distribution = trace ? "trace:" + c.routing.hash : routing_text(c.routing);
  out.seed = c.routing.seed;
  const auto layers = static_cast<double>(out.expert_rows.size()) / static_cast<double>(out.experts);
  if (!trace) out.expected_active = expected / layers;
  return out;
}

}  // namespace assay
