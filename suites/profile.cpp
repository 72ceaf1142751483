#include "suites/profile.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace assay {
namespace {

std::string dims_text(const Tensor& t) {
  std::string out = "[";
  for (const int64_t d : t.dims) out += (out.size() > 1 ? "," : "") + std::to_string(d);
  return out + "]";
}

// A dtype stands behind the last of those neighbours that have it.
std::string list_text(const Graph& graph, const std::vector<uint32_t>& tensors) {
  std::string out;
  const Tensor* before = nullptr;
  for (const uint32_t index : tensors) {
    const Tensor* t = index < graph.tensors.size() ? &graph.tensors[index] : nullptr;
    if (t != nullptr && before != nullptr && before->dtype != t->dtype)
      out += std::string(dtype_name(before->dtype)) + " ";
    out += (t == nullptr ? "-" : dims_text(*t)) + " ";
    if (t != nullptr) before = t;
  }
  return out + (before == nullptr ? "" : dtype_name(before->dtype));
}

std::string shape_text(const Graph& graph, const Op& op) {
  return list_text(graph, op.in) + " -> " + list_text(graph, op.out);
}

// "block3.qkv_proj" -> "block", "qkv_proj"
std::pair<std::string, std::string> split_name(const Op& op) {
  const size_t dot = op.name.find('.');
  if (op.layer < 0 || dot == std::string::npos) return {"", op.name};
  const size_t digit = op.name.find_first_of("0123456789");
  return {op.name.substr(0, std::min(digit, dot)), op.name.substr(dot + 1)};
}

// Layers 0, 1, 2, 5 -> "0-2,5".
std::string ranges(std::vector<int32_t> layers) {
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  std::string out;
  for (size_t i = 0; i < layers.size(); ++i) {
    size_t end = i;
    while (end + 1 < layers.size() && layers[end + 1] == layers[end] + 1) ++end;
    out += (out.empty() ? "" : ",") + std::to_string(layers[i]);
    if (end > i) out += "-" + std::to_string(layers[end]);
    i = end;
  }
  return out;
}

}  // namespace

std::vector<OpGroup> op_groups(const Graph& graph, const std::vector<int64_t>& scalars, bool all) {
  using Key = std::tuple<std::string, std::string, uint32_t, std::string, double>;
  std::map<Key, size_t> known;
  std::vector<OpGroup> groups;
  std::vector<std::vector<int32_t>> layers;
  std::vector<std::string> prefixes;
  for (const Op& op : graph.ops) {
    const auto [prefix, name] = split_name(op);
    OpGroup g;
    g.name = name;
    g.kind = op_kind_name(op.kind);
    g.shape = shape_text(graph, op);
    g.each = op_cost(graph, op, scalars);
    const Key key{prefix, name, op.kind, g.shape, g.each.flops};
    const auto found = all ? known.end() : known.find(key);
    if (found != known.end()) {
      OpGroup& same = groups[found->second];
      ++same.count;
      same.each.weight_bytes += g.each.weight_bytes;
      same.each.kv_bytes += g.each.kv_bytes;
      same.each.activation_bytes += g.each.activation_bytes;
      layers[found->second].push_back(op.layer);
      continue;
    }
    known.emplace(key, groups.size());
    groups.push_back(std::move(g));
    layers.push_back({op.layer});
    prefixes.push_back(prefix);
  }
  for (size_t i = 0; i < groups.size(); ++i) {
    // Of experts each layer touches other ones: the mean, of which `count` are the sum.
    const auto count = static_cast<double>(groups[i].count);
    groups[i].each.weight_bytes /= count;
    groups[i].each.kv_bytes /= count;
    groups[i].each.activation_bytes /= count;
    if (layers[i].front() >= 0) groups[i].layer = prefixes[i] + ranges(layers[i]);
  }
  return groups;
}

bool same_work(const OpGroup& a, const OpGroup& b) {
  return a.name == b.name && a.kind == b.kind && a.shape == b.shape && a.each.flops == b.each.flops;
}

Bound roofline(const OpGroup& group, const Peaks& peaks) {
  const double compute = group.each.flops / peaks.flops_per_s, memory = group.bytes() / peaks.bytes_per_s;
  return {std::max(compute, memory), compute > memory};
}

}  // namespace assay
