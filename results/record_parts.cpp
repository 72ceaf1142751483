#include "results/record_parts.h"

#include "results/packed.h"

namespace assay::record_parts {
namespace {

constexpr size_t kMaxText = 1 << 16;
constexpr size_t kMaxPackedText = size_t{256} << 20;
constexpr size_t kMaxItems = 1 << 16;
constexpr int64_t kMaxLaunches = 1000;

// A field that must be there, and may be null.
std::optional<double> maybe_number(const JsonNode& node, const char* name) {
  if (!node.has(name)) return (void)node.at(name), std::nullopt;
  return node.at(name).number();
}

std::vector<uint64_t> unpacked(const JsonNode& node) {
  node.fields({"count", "data", "xxh3"});
  Packed packed;
  packed.count = node.at("count").unsigned_integer(kMaxPackedCount);
  packed.xxh3 = node.at("xxh3").text();
  packed.data = node.at("data").text(kMaxPackedText);
  if (!node.present() || packed.data.empty()) {
    node.at("data").fail("expected base64, found nothing");
    return {};
  }
  Result<std::vector<uint64_t>> values = unpack(packed);
  if (values.ok()) return std::move(values).value();
  node.fail(values.error().message);
  return {};
}

// As many as `n` values, or (where allowed) none.
void check_length(const JsonNode& node, const char* name, size_t found, size_t n, bool may_be_empty) {
  if (found == n || (may_be_empty && found == 0)) return;
  node.at(name).fail("expected " + std::to_string(n) + " values, as many as start_ns, found " + std::to_string(found));
}

OpNumerics op_numerics(const JsonNode& node) {
  node.fields({"op", "kind", "dtype", "error", "limit", "elements", "pass", "detail"});
  OpNumerics out;
  out.op = text_at(node, "op");
  out.kind = text_at(node, "kind");
  out.dtype = text_at(node, "dtype");
  out.error = amount(node, "error");
  out.limit = amount(node, "limit");
  out.elements = size_at(node, "elements");
  out.pass = node.at("pass").boolean();
  out.detail = text_at(node, "detail");
  return out;
}

// One series of readings into the samples, by time; readings of one time are one sample.
void power_series(const JsonNode& node, const char* times, const char* values, double unit,
                  std::optional<double> PowerSample::*field, std::map<uint64_t, PowerSample>* samples) {
  const std::vector<uint64_t> t = unpacked(node.at(times)), v = unpacked(node.at(values));
  if (t.size() != v.size()) {
    node.at(values).fail(std::string("expected as many values as ") + times);
    return;
  }
  for (size_t i = 0; i < t.size(); ++i) {
    PowerSample& sample = (*samples)[t[i]];
    sample.t_ns = t[i];
    sample.*field = static_cast<double>(v[i]) * unit;
  }
}

ReportedFigure figure(const JsonNode& node) {
  node.fields({"name", "unit", "statistic", "definition", "source_field", "value", "low", "high", "n"});
  ReportedFigure out;
  out.name = text_at(node, "name");
  out.unit = text_at(node, "unit");
  out.statistic = text_at(node, "statistic");
  out.definition = text_at(node, "definition");
  out.source_field = text_at(node, "source_field");
  out.value = node.at("value").number();
  out.low = maybe_number(node, "low");
  out.high = maybe_number(node, "high");
  if (node.has("n")) {
    out.n = node.at("n").unsigned_integer();
  } else {
    (void)node.at("n");
  }
  return out;
}

}  // namespace

std::string text_at(const JsonNode& node, const char* name) { return node.at(name).text(kMaxText); }

double amount(const JsonNode& node, const char* name) { return node.at(name).number(0, 1e300); }

uint64_t size_at(const JsonNode& node, const char* name) { return node.at(name).unsigned_integer(); }

std::string embedded(const JsonNode& node, const char* name) {
  if (!node.has(name)) return (void)node.at(name), "";
  return node.at(name).canonical();
}

std::vector<std::string> texts(const JsonNode& node) {
  std::vector<std::string> out;
  for (const JsonNode& item : node.items(0, kMaxItems)) out.push_back(item.text(kMaxText));
  return out;
}

std::map<std::string, std::string> text_map(const JsonNode& node) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : node.members()) out[name] = value.text(kMaxText);
  return out;
}

Samples samples(const JsonNode& node) {
  node.fields({"encoding", "start_ns", "host_ns", "device_ns", "device_clock", "device_clock_step_ns"});
  (void)node.at("encoding").text_of({"delta-zigzag-varint-zstd-base64"});
  Samples out;
  out.start_ns = unpacked(node.at("start_ns"));
  out.host_ns = unpacked(node.at("host_ns"));
  out.device_ns = unpacked(node.at("device_ns"));
  check_length(node, "host_ns", out.host_ns.size(), out.start_ns.size(), false);
  check_length(node, "device_ns", out.device_ns.size(), out.start_ns.size(), true);
  out.device_clock = node.at("device_clock").text_of({"none", "event", "timestamp"});
  out.device_clock_step_ns = size_at(node, "device_clock_step_ns");
  return out;
}

Numerics numerics(const JsonNode& node) {
  node.fields({"verdict", "reason", "seed", "ops", "whole"});
  Numerics out;
  out.verdict = node.at("verdict").text_of({"pass", "fail", "not-run"});
  out.reason = text_at(node, "reason");
  out.seed = size_at(node, "seed");
  for (const JsonNode& op : node.at("ops").items(0, kMaxItems)) out.ops.push_back(op_numerics(op));
  if (node.has("whole")) {
    out.whole = op_numerics(node.at("whole"));
  } else {
    (void)node.at("whole");
  }
  return out;
}

std::vector<Counter> counters(const JsonNode& node) {
  std::vector<Counter> out;
  for (const JsonNode& item : node.items(0, kMaxItems)) {
    item.fields({"name", "value", "reason"});
    out.push_back({text_at(item, "name"), maybe_number(item, "value"), text_at(item, "reason")});
  }
  return out;
}

NoiseReport noise(const JsonNode& node) {
  node.fields({"disturbed", "causes", "values", "host_gap_start_ns", "host_gap_ns", "throttle_start_ns", "throttle_ns",
               "throttle_reasons"});
  NoiseReport out;
  out.disturbed = node.at("disturbed").boolean();
  out.causes = texts(node.at("causes"));
  for (const auto& [name, value] : node.at("values").members()) out.values[name] = value.number();
  out.host_gap_start_ns = unpacked(node.at("host_gap_start_ns"));
  out.host_gap_ns = unpacked(node.at("host_gap_ns"));
  if (out.host_gap_ns.size() != out.host_gap_start_ns.size()) {
    node.at("host_gap_ns").fail("expected as many values as host_gap_start_ns");
  }
  if (!node.has("throttle_start_ns")) return out;
  out.throttle_start_ns = unpacked(node.at("throttle_start_ns"));
  out.throttle_ns = unpacked(node.at("throttle_ns"));
  out.throttle_reasons = unpacked(node.at("throttle_reasons"));
  if (out.throttle_ns.size() != out.throttle_start_ns.size() || out.throttle_reasons.size() != out.throttle_ns.size()) {
    node.at("throttle_ns").fail("expected as many values as throttle_start_ns and throttle_reasons");
  }
  return out;
}

Ceiling ceiling(const JsonNode& node) {
  node.fields({"flops_per_s", "flops_dtype", "read_bytes_per_s", "when", "reason", "gemm_size", "read_bytes",
               "read_dtype", "measured", "of_launches"});
  Ceiling out;
  out.flops_per_s = maybe_number(node, "flops_per_s");
  out.flops_dtype = text_at(node, "flops_dtype");
  out.read_bytes_per_s = maybe_number(node, "read_bytes_per_s");
  out.when = text_at(node, "when");
  out.reason = text_at(node, "reason");
  if (node.has("gemm_size")) out.gemm_size = node.at("gemm_size").integer(1, kMaxInt);
  if (node.has("read_bytes")) out.read_bytes = size_at(node, "read_bytes");
  if (node.has("read_dtype")) out.read_dtype = text_at(node, "read_dtype");
  if (node.has("measured")) out.measured = text_at(node, "measured");
  if (!node.has("of_launches")) return out;
  for (const JsonNode& item : node.at("of_launches").items(1, kMaxItems)) {
    item.fields({"flops_per_s", "read_bytes_per_s", "measured"});
    out.of_launches.push_back(
        {maybe_number(item, "flops_per_s"), maybe_number(item, "read_bytes_per_s"), text_at(item, "measured")});
  }
  return out;
}

Extrapolation extrapolation(const JsonNode& node) {
  node.fields({"layers_run", "layers_total", "fewer_layers", "step_ns_run_layers", "step_ns_fewer_layers",
               "projected_step_ns", "method", "reason", "experts_run", "experts_total"});
  Extrapolation out;
  out.layers_run = node.at("layers_run").integer(0, kMaxInt);
  out.layers_total = node.at("layers_total").integer(0, kMaxInt);
  out.fewer_layers = node.at("fewer_layers").integer(0, kMaxInt);
  out.step_ns_run_layers = maybe_number(node, "step_ns_run_layers");
  out.step_ns_fewer_layers = maybe_number(node, "step_ns_fewer_layers");
  out.projected_step_ns = maybe_number(node, "projected_step_ns");
  out.method = text_at(node, "method");
  out.reason = text_at(node, "reason");
  if (node.has("experts_total")) {
    out.experts_total = node.at("experts_total").integer(1, kMaxInt);
    out.experts_run = node.at("experts_run").integer(1, out.experts_total);
  }
  return out;
}

RoutingReport routing(const JsonNode& node) {
  node.fields({"distribution", "seed", "experts", "top_k", "tokens", "expert_bytes", "expected_active", "expert_rows"});
  RoutingReport out;
  out.distribution = text_at(node, "distribution");
  out.seed = size_at(node, "seed");
  out.experts = node.at("experts").integer(1, 1 << 16);
  out.top_k = node.at("top_k").integer(1, out.experts);
  out.tokens = node.at("tokens").integer(1, kMaxInt);
  out.expert_bytes = amount(node, "expert_bytes");
  out.expected_active = maybe_number(node, "expected_active");
  out.expert_rows = unpacked(node.at("expert_rows"));
  if (out.expert_rows.size() % static_cast<size_t>(out.experts) != 0) {
    node.at("expert_rows")
        .fail("expected a multiple of " + std::to_string(out.experts) + " values, found " +
              std::to_string(out.expert_rows.size()));
  }
  return out;
}

// A record of before the samples were kept has none of the later fields.
Energy energy(const JsonNode& node) {
  node.fields({"joules", "idle_watts", "watts_mean", "uncertainty_j", "source", "code", "reason", "power_limit_w",
               "averaging_ns", "window_start_ns", "window_end_ns", "pause_start_ns", "pause_ns", "samples"});
  Energy out;
  out.joules = maybe_number(node, "joules");
  out.idle_watts = maybe_number(node, "idle_watts");
  out.watts_mean = maybe_number(node, "watts_mean");
  out.source = text_at(node, "source");
  out.reason = text_at(node, "reason");
  if (node.has("power_limit_w")) out.power_limit_w = amount(node, "power_limit_w");
  if (node.has("uncertainty_j")) out.uncertainty_j = amount(node, "uncertainty_j");
  if (node.has("code")) {
    out.code = node.at("code").text_of({"trusted", "no-source", "empty-window", "too-few", "edge", "gap", "stuck",
                                        "averaging", "went-back", "impossible", "jump", "disagrees"});
  }
  if (!node.has("samples")) return out;
  out.averaging_ns = size_at(node, "averaging_ns");
  out.window_start_ns = size_at(node, "window_start_ns");
  out.window_end_ns = size_at(node, "window_end_ns");
  const JsonNode samples = node.at("samples");
  samples.fields({"power_t_ns", "power_mw", "energy_t_ns", "energy_uj"});
  std::map<uint64_t, PowerSample> by_time;
  power_series(samples, "power_t_ns", "power_mw", 1e-3, &PowerSample::power_w, &by_time);
  power_series(samples, "energy_t_ns", "energy_uj", 1e-6, &PowerSample::energy_j, &by_time);
  for (const auto& [time, sample] : by_time) out.samples.push_back(sample);
  if (!node.has("pause_ns")) return out;
  out.pause_start_ns = unpacked(node.at("pause_start_ns"));
  out.pause_ns = unpacked(node.at("pause_ns"));
  if (out.pause_ns.size() != out.pause_start_ns.size()) {
    node.at("pause_ns").fail("expected as many values as pause_start_ns");
  }
  return out;
}

RunLaunches run_launches(const JsonNode& node, size_t samples) {
  node.fields({"planned", "each", "between"});
  RunLaunches out;
  out.planned = node.at("planned").integer(1, kMaxLaunches);
  uint64_t steps = 0;
  for (const JsonNode& item : node.at("each").items(1, kMaxLaunches)) {
    item.fields({"steps", "start_ns", "mean_step_ns", "relative_error", "error_dof"});
    RunLaunch launch;
    launch.steps = item.at("steps").unsigned_integer(kMaxPackedCount);
    launch.start_ns = size_at(item, "start_ns");
    launch.mean_step_ns = amount(item, "mean_step_ns");
    launch.relative_error = maybe_number(item, "relative_error");
    launch.error_dof = amount(item, "error_dof");
    steps += launch.steps;
    out.each.push_back(launch);
  }
  if (node.present() && steps != samples) {
    node.at("each").fail("expected steps of " + std::to_string(samples) + " in all, as many as samples, found " +
                         std::to_string(steps));
  }
  const JsonNode between = node.at("between");
  if (!node.has("between")) return out;
  between.fields({"formula", "relative_sd", "variance_error", "dof", "cases"});
  BetweenLaunches b;
  b.formula = text_at(between, "formula");
  b.relative_sd = amount(between, "relative_sd");
  b.variance_error = amount(between, "variance_error");
  b.dof = between.at("dof").number(1, 1e9);
  b.cases = between.at("cases").integer(1, kMaxInt);
  out.between = std::move(b);
  return out;
}

StopReport stop(const JsonNode& node) {
  node.fields(
      {"reason", "target_half_width", "achieved_half_width", "warmup_steps", "warmup_s", "timed_s", "warmup_end"});
  StopReport out;
  out.reason = text_at(node, "reason");
  out.target_half_width = amount(node, "target_half_width");
  out.achieved_half_width = maybe_number(node, "achieved_half_width");
  out.warmup_steps = size_at(node, "warmup_steps");
  out.warmup_s = amount(node, "warmup_s");
  out.timed_s = amount(node, "timed_s");
  out.warmup_end = text_at(node, "warmup_end");
  return out;
}

Reported reported(const JsonNode& node) {
  node.fields({"format", "producer", "producer_version", "source_file", "source_xxh3", "source_place", "source_date",
               "figures", "stated"});
  Reported out;
  out.format = text_at(node, "format");
  out.producer = text_at(node, "producer");
  out.producer_version = text_at(node, "producer_version");
  out.source_file = text_at(node, "source_file");
  out.source_xxh3 = text_at(node, "source_xxh3");
  out.source_place = text_at(node, "source_place");
  out.source_date = text_at(node, "source_date");
  for (const JsonNode& item : node.at("figures").items(0, kMaxItems)) out.figures.push_back(figure(item));
  out.stated = text_map(node.at("stated"));
  return out;
}

}  // namespace assay::record_parts
