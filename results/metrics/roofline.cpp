#include "results/metrics/roofline.h"

#include <algorithm>
#include <numeric>

namespace assay {

double Roofline::ridge() const { return flops_per_s / bytes_per_s; }

double Roofline::attainable(double intensity) const { return std::min(flops_per_s, intensity * bytes_per_s); }

double Roofline::least_seconds(double flops, double bytes) const {
  return std::max(flops / flops_per_s, bytes / bytes_per_s);
}

RooflinePoint roofline_point(const Roofline& roofline, const std::string& name, double flops, double bytes,
                             std::optional<double> seconds) {
  RooflinePoint out;
  out.name = name;
  out.flops = flops;
  out.bytes = bytes;
  if (bytes > 0) out.intensity = flops / bytes;
  out.memory_bound = bytes / roofline.bytes_per_s > flops / roofline.flops_per_s;
  out.least_s = roofline.least_seconds(flops, bytes);
  out.seconds = seconds;
  if (seconds && *seconds > 0) out.roof_share = out.least_s / *seconds;
  return out;
}

std::optional<Roofline> record_roofline(const Record& record) {
  const Ceiling& c = record.ceiling;
  if (!c.flops_per_s || !c.read_bytes_per_s || !(*c.flops_per_s > 0) || !(*c.read_bytes_per_s > 0)) return std::nullopt;
  return Roofline{*c.flops_per_s, *c.read_bytes_per_s,
                  "attainable: GEMM (" + c.flops_dtype + ") and read measured on the same device, " + c.when};
}

std::optional<RooflinePoint> step_roofline(const Record& record) {
  const std::optional<Roofline> roofline = record_roofline(record);
  const std::vector<uint64_t>& steps = record.samples.host_ns;
  if (!roofline || steps.empty() || record.status == "failed" || record.status == "unsupported") return std::nullopt;
  const double total_ns = std::accumulate(steps.begin(), steps.end(), 0.0);
  return roofline_point(*roofline, record.case_id, record.step_flops, record.step_weight_bytes + record.step_kv_bytes,
                        total_ns / static_cast<double>(steps.size()) / 1e9);
}

std::vector<RooflinePoint> op_rooflines(const Graph& graph, const std::vector<int64_t>& scalars,
                                        const Roofline& roofline) {
  std::vector<RooflinePoint> out;
  for (const Op& op : graph.ops) {
    const OpCost cost = op_cost(graph, op, scalars);
    out.push_back(roofline_point(roofline, op.name, cost.flops,
                                 cost.weight_bytes + cost.kv_bytes + cost.activation_bytes, std::nullopt));
  }
  return out;
}

}  // namespace assay
