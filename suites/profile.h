// What a step is made of: its ops in groups of equals, with their costs and where a roofline puts them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "suites/suite.h"

namespace assay {

// Equal ops of a graph: same kind, same place in their layers, same shapes and costs.
struct OpGroup {
  int64_t count = 1;
  std::string layer;  // "block0-29": the layers that hold them; "" outside the layers
  std::string name;   // without the layer's: "qkv_proj"
  std::string kind;   // "matmul"
  std::string shape;  // inputs -> outputs: "[512,896] [1152,896] bf16 -> [512,1152] bf16"
  OpCost each;        // bytes: the mean, where layers touch other experts
  [[nodiscard]] double bytes() const { return each.weight_bytes + each.kv_bytes + each.activation_bytes; }
  [[nodiscard]] double intensity() const { return bytes() > 0 ? each.flops / bytes() : 0; }  // FLOP per byte
};

// Of two groups of one op each: whether they are equals in different layers.
bool same_work(const OpGroup& a, const OpGroup& b);

// In the order in which they first run; with `all` every op by itself.
std::vector<OpGroup> op_groups(const Graph& graph, const std::vector<int64_t>& scalars, bool all);

// Peaks of a device, how they came to be, and for which dtype.
struct Peaks {
  double flops_per_s = 0, bytes_per_s = 0;
  std::string source;  // "measured on cpu:0 now", "record 1a2b3c4d of cpu:0"
};

struct Bound {
  double seconds = 0;    // the least one op of the group can take
  bool compute = false;  // by arithmetic; else by memory
};
// max(FLOPs / peak, bytes / bandwidth). An op without FLOPs is bound by memory.
Bound roofline(const OpGroup& group, const Peaks& peaks);

}  // namespace assay
