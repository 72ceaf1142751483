// A graph's host tensors as the harness would fill them.
#pragma once

#include <algorithm>
#include <vector>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"

namespace assay {

inline Values host_values(const Graph& g, uint32_t t) {
  const auto raw_of = [&](uint32_t tensor) {
    std::vector<uint8_t> raw(g.bytes(tensor));
    fill_elements(g.tensors[tensor], tensor, 5, 0, static_cast<uint64_t>(g.elements(tensor)), raw.data());
    return raw;
  };
  const std::vector<uint8_t> raw = raw_of(t);
  if (g.tensors[t].scale < 0) return dequantise(g.tensors[t], raw.data(), nullptr);
  const std::vector<uint8_t> scales = raw_of(static_cast<uint32_t>(g.tensors[t].scale));
  return dequantise(g.tensors[t], raw.data(), reinterpret_cast<const float*>(scales.data()));
}

// Values of every tensor that the host fills, by index.
inline std::vector<Values> filled(const Graph& g) {
  std::vector<Values> values(g.tensors.size());
  for (uint32_t t = 0; t < values.size(); ++t) {
    if (g.tensors[t].fill.kind != Fill::Kind::kNone) values[t] = host_values(g, t);
  }
  return values;
}

// `values` must outlive it.
inline Source source_of(const std::vector<Values>& values) {
  return [&values](uint32_t t, uint64_t first, uint64_t count, double* out) {
    std::copy_n(values[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
  };
}

}  // namespace assay
