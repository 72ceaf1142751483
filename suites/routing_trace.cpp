#include "suites/routing_trace.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "suites/base/hash.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

constexpr int64_t kVersion = 1, kMaxTraceExperts = 1 << 16, kMaxTraceTopK = 1024;
constexpr size_t kMaxTraceLayers = 4096, kMaxRows = 1 << 20;

std::vector<int32_t> read_layer(const JsonNode& node, const RoutingTrace& trace) {
  std::vector<int32_t> out;
  const auto k = static_cast<size_t>(trace.top_k);
  for (const JsonNode& row : node.items(1, kMaxRows)) {
    const size_t begin = out.size();
    for (const JsonNode& expert : row.items(k, k)) {
      const size_t faults = expert.fault_count();
      const auto e = static_cast<int32_t>(expert.integer(0, trace.experts - 1));
      if (expert.fault_count() > faults) continue;
      if (std::find(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), e) != out.end()) {
        expert.fail_expected("an expert that the row has not named yet");
      }
      out.push_back(e);
    }
  }
  return out;
}

}  // namespace

Result<RoutingTrace> parse_routing_trace(const std::string& text, const std::string& where, std::string* hash) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"routing_trace_version", "model", "source", "experts", "top_k", "layers"});
  RoutingTrace trace;
  (void)root.at("routing_trace_version").integer(kVersion, kVersion);
  trace.model = root.at("model").text(64);
  trace.source = root.at("source").text();
  trace.experts = root.at("experts").integer(2, kMaxTraceExperts);
  trace.top_k = root.at("top_k").integer(1, kMaxTraceTopK);
  if (input.ok() && trace.top_k > trace.experts) root.at("top_k").fail_expected("at most experts");
  if (!input.ok()) return input.error();
  for (const JsonNode& layer : root.at("layers").items(1, kMaxTraceLayers))
    trace.layers.push_back(read_layer(layer, trace));
  if (!input.ok()) return input.error();
  *hash = xxh3_128_hex(root.canonical());
  return trace;
}

std::string routing_trace_to_json(const RoutingTrace& trace) {
  nlohmann::ordered_json j = {
      {"routing_trace_version", kVersion}, {"model", trace.model}, {"source", trace.source},
      {"experts", trace.experts},          {"top_k", trace.top_k}, {"layers", nlohmann::ordered_json::array()}};
  for (size_t l = 0; l < trace.layers.size(); ++l) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (auto at = trace.layers[l].begin(); at != trace.layers[l].end(); at += trace.top_k) {
      rows.push_back(std::vector<int32_t>(at, at + trace.top_k));
    }
    j["layers"].push_back(std::move(rows));
  }
  return j.dump() + "\n";
}

Status load_routing_trace(Routing* routing) {
  if (routing->kind != Routing::Kind::kTrace || routing->trace != nullptr) return ok_status();
  const Result<std::string> text = read_text_file(routing->file);
  if (!text) return text.error();
  std::string hash;
  Result<RoutingTrace> trace = parse_routing_trace(*text, routing->file, &hash);
  if (!trace) return trace.error();
  if (!routing->hash.empty() && routing->hash != hash) {
    return bad_input(routing->file + ": expected the routing trace " + routing->hash + ", found " + hash +
                     ": the file has changed since the case was made");
  }
  routing->hash = hash;
  routing->trace = std::make_shared<const RoutingTrace>(std::move(trace).value());
  return ok_status();
}

std::string trace_fault(const RoutingTrace& trace, const MoeShape& moe) {
  if (trace.experts != moe.experts || trace.top_k != moe.top_k) {
    return "expected a trace of " + std::to_string(moe.top_k) + " of " + std::to_string(moe.experts) +
           " experts, found one of " + std::to_string(trace.top_k) + " of " + std::to_string(trace.experts);
  }
  if (moe.top_groups >= moe.groups) return "";
  const auto k = static_cast<size_t>(std::max<int64_t>(moe.top_k, 1));
  std::set<int64_t> groups;
  for (size_t l = 0; l < trace.layers.size(); ++l) {
    for (size_t at = 0; at < trace.layers[l].size(); at += k) {
      groups.clear();
      for (size_t j = 0; j < k; ++j) groups.insert(trace.layers[l][at + j] / (moe.experts / moe.groups));
      if (static_cast<int64_t>(groups.size()) <= moe.top_groups) continue;
      return "layers[" + std::to_string(l) + "][" + std::to_string(at / k) + "]: expected experts of at most " +
             std::to_string(moe.top_groups) + " of " + std::to_string(moe.groups) + " groups, found " +
             std::to_string(groups.size());
    }
  }
  return "";
}

RoutingTrace draw_routing_trace(const ModelShape& model, const Routing& routing, int64_t layers, int64_t rows) {
  RoutingTrace out;
  out.model = model.name;
  out.source = "drawn: " + routing_text(routing) + ", seed " + std::to_string(routing.seed);
  out.experts = model.moe.experts;
  out.top_k = model.moe.top_k;
  std::vector<int32_t> chosen;
  for (int64_t l = 0; l < layers; ++l) {
    const RoutingPlan plan(routing, router_choice(model.moe), model.moe.dense_layers + l);
    std::vector<int32_t> flat;
    for (int64_t r = 0; r < rows; ++r) {
      plan.row(static_cast<uint64_t>(r), &chosen);
      std::sort(chosen.begin(), chosen.end());
      flat.insert(flat.end(), chosen.begin(), chosen.end());
    }
    out.layers.push_back(std::move(flat));
  }
  return out;
}

}  // namespace assay
