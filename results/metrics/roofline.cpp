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

Attainable attainable(const Record& record) {
  const Ceiling& c = record.ceiling;
  const auto positive = [](const std::optional<double>& v) { return v && *v > 0 ? v : std::nullopt; };
  Attainable out{positive(c.flops_per_s), positive(c.read_bytes_per_s)};
  if (!record.run_launches || c.of_launches.size() != record.run_launches->each.size()) return out;
  double seconds = 0, flops = 0, bytes = 0;
  bool all_flops = true, all_bytes = true;
  for (size_t i = 0; i < c.of_launches.size(); ++i) {
    const RunLaunch& launch = record.run_launches->each[i];
    const double s = static_cast<double>(launch.steps) * launch.mean_step_ns;
    const LaunchCeiling& beside = c.of_launches[i];
    all_flops = all_flops && positive(beside.flops_per_s);
    all_bytes = all_bytes && positive(beside.read_bytes_per_s);
    seconds += s;
    flops += s * beside.flops_per_s.value_or(0);
    bytes += s * beside.read_bytes_per_s.value_or(0);
  }
  if (!(seconds > 0)) return out;
  if (all_flops) out.flops_per_s = flops / seconds;
  if (all_bytes) out.bytes_per_s = bytes / seconds;
  out.of_each_launch = c.of_launches.size() > 1 && (all_bytes || !out.bytes_per_s) && (all_flops || !out.flops_per_s);
  return out;
}

std::optional<Roofline> record_roofline(const Record& record) {
  const Ceiling& c = record.ceiling;
  const Attainable peaks = attainable(record);
  if (!peaks.flops_per_s || !peaks.bytes_per_s) return std::nullopt;
  return Roofline{*peaks.flops_per_s, *peaks.bytes_per_s,
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
