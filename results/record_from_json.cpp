#include <nlohmann/json.hpp>

#include "results/packed.h"
#include "results/record.h"
#include "results/record_id.h"
#include "suites/base/hash.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

constexpr size_t kMaxText = 1 << 16;
constexpr size_t kMaxPackedText = size_t{256} << 20;
constexpr size_t kMaxItems = 1 << 16;
constexpr int64_t kMaxInt = INT64_MAX;

std::string text_at(const JsonNode& node, const char* name) { return node.at(name).text(kMaxText); }

// A field that must be there, and may be null.
std::optional<double> maybe_number(const JsonNode& node, const char* name) {
  if (!node.has(name)) return (void)node.at(name), std::nullopt;
  return node.at(name).number();
}

double amount(const JsonNode& node, const char* name) { return node.at(name).number(0, 1e300); }

uint64_t size_at(const JsonNode& node, const char* name) { return node.at(name).unsigned_integer(); }

// The JSON of a field as text; null is empty.
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
  node.fields({"disturbed", "causes", "values", "host_gap_start_ns", "host_gap_ns"});
  NoiseReport out;
  out.disturbed = node.at("disturbed").boolean();
  out.causes = texts(node.at("causes"));
  for (const auto& [name, value] : node.at("values").members()) out.values[name] = value.number();
  out.host_gap_start_ns = unpacked(node.at("host_gap_start_ns"));
  out.host_gap_ns = unpacked(node.at("host_gap_ns"));
  if (out.host_gap_ns.size() != out.host_gap_start_ns.size()) {
    node.at("host_gap_ns").fail("expected as many values as host_gap_start_ns");
  }
  return out;
}

Ceiling ceiling(const JsonNode& node) {
  node.fields({"flops_per_s", "flops_dtype", "read_bytes_per_s", "when", "reason"});
  return {maybe_number(node, "flops_per_s"), text_at(node, "flops_dtype"), maybe_number(node, "read_bytes_per_s"),
          text_at(node, "when"), text_at(node, "reason")};
}

std::optional<Extrapolation> extrapolation(const JsonNode& node) {
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

// A record of before the samples were kept has none of the later fields.
Energy energy(const JsonNode& node) {
  node.fields({"joules", "idle_watts", "watts_mean", "uncertainty_j", "source", "code", "reason", "averaging_ns",
               "window_start_ns", "window_end_ns", "samples"});
  Energy out;
  out.joules = maybe_number(node, "joules");
  out.idle_watts = maybe_number(node, "idle_watts");
  out.watts_mean = maybe_number(node, "watts_mean");
  out.source = text_at(node, "source");
  out.reason = text_at(node, "reason");
  if (node.has("uncertainty_j")) out.uncertainty_j = amount(node, "uncertainty_j");
  if (node.has("code")) {
    out.code = node.at("code").text_of({"trusted", "no-source", "empty-window", "too-few", "edge", "gap", "stuck",
                                        "averaging", "went-back", "disagrees"});
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

void made_by(const JsonNode& root, Record* r) {
  r->schema_version = static_cast<int>(root.at("schema_version").integer(kRecordSchemaVersion, kRecordSchemaVersion));
  r->id = text_at(root, "id");
  r->created = text_at(root, "created");
  r->tool_version = text_at(root, "tool_version");
  r->tool_commit = text_at(root, "tool_commit");
  r->build_flags = text_at(root, "build_flags");
  r->tier = text_at(root, "tier");
  r->basis = root.at("basis").text_of({"measured", "simulated", "projected", "reported"});
  r->status = root.at("status").text_of({"ok", "failed", "unsupported", "interrupted"});
  r->reason = text_at(root, "reason");
}

void work(const JsonNode& root, Record* r) {
  r->suite = text_at(root, "suite");
  r->suite_hash = text_at(root, "suite_hash");
  r->case_id = text_at(root, "case_id");
  r->case_hash = text_at(root, "case_hash");
  r->case_json = embedded(root, "case");
  r->form = text_at(root, "form");
  r->model = text_at(root, "model");
  r->dtype = text_at(root, "dtype");
  r->step_kind = text_at(root, "step_kind");
  r->token_class = text_at(root, "token_class");
  r->executed = text_at(root, "executed");
  r->batch = root.at("batch").integer(0, kMaxInt);
  r->tokens = root.at("tokens").integer(0, kMaxInt);
  r->context = root.at("context").integer(0, kMaxInt);
  r->tokens_per_step = root.at("tokens_per_step").integer(0, kMaxInt);
  r->step_flops = amount(root, "step_flops");
  r->step_weight_bytes = amount(root, "step_weight_bytes");
  r->step_kv_bytes = amount(root, "step_kv_bytes");
  r->step_activation_bytes = amount(root, "step_activation_bytes");
  r->seed = size_at(root, "seed");
}

void place(const JsonNode& root, Record* r) {
  r->adapter = text_at(root, "adapter");
  r->adapter_version = text_at(root, "adapter_version");
  r->adapter_vendor = text_at(root, "adapter_vendor");
  r->adapter_build_json = embedded(root, "adapter_build");
  r->adapter_abi = text_at(root, "adapter_abi");
  r->device = text_at(root, "device");
  r->device_product = text_at(root, "device_product");
  r->device_arch = text_at(root, "device_arch");
  r->device_driver = text_at(root, "device_driver");
  r->device_serial_hash = text_at(root, "device_serial_hash");
  r->device_memory_bytes = size_at(root, "device_memory_bytes");
  r->support = text_at(root, "support");
  r->threads = static_cast<int>(root.at("threads").integer(0, 1 << 20));
  r->environment = text_map(root.at("environment"));
  r->warnings = texts(root.at("warnings"));
}

void found(const JsonNode& root, Record* r) {
  r->prepare_s = amount(root, "prepare_s");
  r->load_s = amount(root, "load_s");
  r->lowering = text_at(root, "lowering");
  r->launches = static_cast<uint32_t>(root.at("launches").unsigned_integer(UINT32_MAX));
  r->program_bytes = size_at(root, "program_bytes");
  r->samples = samples(root.at("samples"));
  r->stop = stop(root.at("stop"));
  r->numerics = numerics(root.at("numerics"));
  r->counters = counters(root.at("counters"));
  r->noise = noise(root.at("noise"));
  r->ceiling = ceiling(root.at("ceiling"));
  if (root.has("extrapolation")) {
    r->extrapolation = extrapolation(root.at("extrapolation"));
  } else {
    (void)root.at("extrapolation");
  }
  if (root.has("routing")) r->routing = routing(root.at("routing"));
  r->energy = energy(root.at("energy"));
  r->timing_truth = text_map(root.at("timing_truth"));
  if (root.has("reported")) r->reported = reported(root.at("reported"));
  if ((r->basis == "reported") != r->reported.has_value() && root.present()) {
    root.at("basis").fail("expected the basis \"reported\" exactly where there is a field \"reported\"");
  }
  if (r->reported && r->reported->figures.empty() && r->status == "ok") {
    root.at("reported").at("figures").fail("expected at least one figure of a record that is ok, found none");
  }
}

const std::vector<std::string>& root_fields() {
  static const std::vector<std::string> kFields{"schema_version",
                                                "id",
                                                "created",
                                                "tool_version",
                                                "tool_commit",
                                                "build_flags",
                                                "tier",
                                                "basis",
                                                "status",
                                                "reason",
                                                "suite",
                                                "suite_hash",
                                                "case_id",
                                                "case_hash",
                                                "case",
                                                "form",
                                                "model",
                                                "dtype",
                                                "step_kind",
                                                "token_class",
                                                "executed",
                                                "batch",
                                                "tokens",
                                                "context",
                                                "tokens_per_step",
                                                "step_flops",
                                                "step_weight_bytes",
                                                "step_kv_bytes",
                                                "step_activation_bytes",
                                                "seed",
                                                "adapter",
                                                "adapter_version",
                                                "adapter_vendor",
                                                "adapter_build",
                                                "adapter_abi",
                                                "device",
                                                "device_product",
                                                "device_arch",
                                                "device_driver",
                                                "device_serial_hash",
                                                "device_memory_bytes",
                                                "support",
                                                "threads",
                                                "environment",
                                                "warnings",
                                                "prepare_s",
                                                "load_s",
                                                "lowering",
                                                "launches",
                                                "program_bytes",
                                                "samples",
                                                "stop",
                                                "numerics",
                                                "counters",
                                                "noise",
                                                "ceiling",
                                                "extrapolation",
                                                "routing",
                                                "energy",
                                                "timing_truth",
                                                "reported"};
  return kFields;
}

}  // namespace

std::string record_id(const std::string& record_json) {
  nlohmann::json body = nlohmann::json::parse(record_json, nullptr, false);
  if (body.is_object()) body.erase("id");
  return xxh3_128_hex(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Record> record_from_json(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields(root_fields());
  Record record;
  made_by(root, &record);
  work(root, &record);
  place(root, &record);
  found(root, &record);
  if (!input.ok()) return input.error();
  // As record_id(), but without reading the text a second time.
  const std::string expected = record.id.empty() ? "" : xxh3_128_hex(root.canonical_without("id"));
  if (record.id != expected) {
    root.at("id").fail("expected " + expected + ", the hash of the content, found " + record.id +
                       ": the record was changed after it was written");
    return input.error();
  }
  return record;
}

}  // namespace assay
