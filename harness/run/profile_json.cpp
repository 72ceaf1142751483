// A profiling pass between the worker that ran it and the command that shows
// it.
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "harness/run/profile_run.h"

namespace assay {
namespace {

using nlohmann::json;

json number_or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::optional<double> maybe(const json& value) {
  return value.is_null() ? std::nullopt : std::optional<double>(value.get<double>());
}

void read_spans(const json& j, ProfileRun* run) {
  const auto ops = j.at("span_op").get<std::vector<uint32_t>>();
  const auto begin = j.at("span_begin_ns").get<std::vector<uint64_t>>();
  const auto end = j.at("span_end_ns").get<std::vector<uint64_t>>();
  const auto names = j.at("span_name").get<std::vector<std::string>>();
  const auto kinds = j.at("span_kind").get<std::vector<uint32_t>>();
  const auto bytes = j.at("span_bytes").get<std::vector<uint64_t>>();
  const size_t n = run->graph.ops.size();
  bool fits = begin.size() == ops.size() && end.size() == ops.size() && names.size() == ops.size() &&
              kinds.size() == ops.size() && bytes.size() == ops.size() && run->op_seconds.size() == n &&
              run->op_calls.size() == n && run->op_gap_seconds.size() == n;
  for (size_t i = 0; fits && i < ops.size(); ++i) {
    fits = (ops[i] < n || ops[i] == kNoOp) && end[i] >= begin[i];
    run->last.push_back({ops[i], names[i], begin[i], end[i], kinds[i], bytes[i]});
  }
  for (const OpCounter& c : run->counters) fits = fits && (c.by_op.size() == n || !c.reason.empty());
  if (!fits) throw std::invalid_argument("its lists do not fit the case's graph");
}

ProfileRun profile_of(const json& j, const Case& c) {
  ProfileRun run;
  run.layers = j.at("layers").get<int64_t>();
  run.layers_total = j.at("layers_total").get<int64_t>();
  run.layers_reason = j.at("layers_reason").get<std::string>();
  run.experts = j.at("experts").get<int64_t>();
  LowerOptions options;
  options.layers = run.layers;
  options.experts = run.experts;
  Result<Graph> graph = lower(c, options);
  if (!graph.ok()) throw std::invalid_argument(graph.error().message);
  run.graph = std::move(graph).value();
  run.scalars = scalars_of(c, run.graph);
  run.basis = j.at("basis").get<std::string>();
  run.ceiling.flops_per_s = maybe(j.at("flops_per_s"));
  run.ceiling.flops_dtype = j.at("flops_dtype").get<std::string>();
  run.ceiling.read_bytes_per_s = maybe(j.at("read_bytes_per_s"));
  run.ceiling.reason = j.at("ceiling_reason").get<std::string>();
  run.steps = j.at("steps").get<uint64_t>();
  run.dropped = j.at("dropped").get<uint64_t>();
  run.plain_step_s = j.at("plain_step_s").get<double>();
  run.traced_step_s = j.at("traced_step_s").get<double>();
  run.busy_s = j.at("busy_s").get<double>();
  run.op_seconds = j.at("op_seconds").get<std::vector<double>>();
  run.op_calls = j.at("op_calls").get<std::vector<uint32_t>>();
  run.op_gap_seconds = j.at("op_gap_seconds").get<std::vector<double>>();
  for (const json& m : j.at("moved")) {
    run.moved.push_back({m.at("name").get<std::string>(), m.at("count").get<double>(), m.at("seconds").get<double>(),
                         m.at("bytes").get<double>()});
  }
  run.counters_reason = j.at("counters_reason").get<std::string>();
  for (const json& counter : j.at("counters")) {
    run.counters.push_back({counter.at("name").get<std::string>(), counter.at("reason").get<std::string>(),
                            counter.at("by_op").get<std::vector<double>>()});
  }
  run.device_counters_reason = j.at("device_counters_reason").get<std::string>();
  for (const json& counter : j.at("device_counters")) {
    run.device_counters.push_back({counter.at("name").get<std::string>(), counter.at("unit").get<std::string>(),
                                   counter.at("by_op").get<std::map<uint32_t, double>>()});
  }
  run.noise.disturbed = j.at("disturbed").get<bool>();
  run.noise.causes = j.at("noise_causes").get<std::vector<std::string>>();
  run.noise.values = j.at("noise_values").get<std::map<std::string, double>>();
  run.noise_reason = j.at("noise_reason").get<std::string>();
  read_spans(j, &run);
  return run;
}

}  // namespace

std::string profile_to_json(const ProfileRun& run) {
  json out = {{"layers", run.layers},
              {"layers_total", run.layers_total},
              {"layers_reason", run.layers_reason},
              {"experts", run.experts},
              {"basis", run.basis},
              {"flops_per_s", number_or_null(run.ceiling.flops_per_s)},
              {"flops_dtype", run.ceiling.flops_dtype},
              {"read_bytes_per_s", number_or_null(run.ceiling.read_bytes_per_s)},
              {"ceiling_reason", run.ceiling.reason},
              {"steps", run.steps},
              {"dropped", run.dropped},
              {"plain_step_s", run.plain_step_s},
              {"traced_step_s", run.traced_step_s},
              {"busy_s", run.busy_s},
              {"op_seconds", run.op_seconds},
              {"op_calls", run.op_calls},
              {"op_gap_seconds", run.op_gap_seconds},
              {"moved", json::array()},
              {"disturbed", run.noise.disturbed},
              {"noise_causes", run.noise.causes},
              {"noise_values", run.noise.values},
              {"noise_reason", run.noise_reason},
              {"counters_reason", run.counters_reason}};
  json counters = json::array();
  for (const OpCounter& c : run.counters) {
    counters.push_back({{"name", c.name}, {"reason", c.reason}, {"by_op", c.by_op}});
  }
  out["counters"] = std::move(counters);
  out["device_counters_reason"] = run.device_counters_reason;
  out["device_counters"] = json::array();
  for (const DeviceCounter& c : run.device_counters) {
    out["device_counters"].push_back({{"name", c.name}, {"unit", c.unit}, {"by_op", c.by_op}});
  }
  for (const Moved& m : run.moved) {
    out["moved"].push_back({{"name", m.name}, {"count", m.count}, {"seconds", m.seconds}, {"bytes", m.bytes}});
  }
  for (const ProfiledSpan& s : run.last) {
    out["span_op"].push_back(s.op);
    out["span_begin_ns"].push_back(s.begin_ns);
    out["span_end_ns"].push_back(s.end_ns);
    out["span_name"].push_back(s.name);
    out["span_kind"].push_back(s.kind);
    out["span_bytes"].push_back(s.bytes);
  }
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<ProfileRun> profile_from_json(const std::string& text, const Case& c) {
  try {
    return profile_of(json::parse(text), c);
  } catch (const std::exception& e) {
    return Error{ErrorKind::kInternal, std::string("the worker's profile: ") + e.what()};
  }
}

}  // namespace assay
