// What an adapter says in info.executed of tensors that it keeps wider than asked.
#pragma once

#include <string>

#include "adapters/sdk/graph/graph.h"

namespace assay::sdk {

namespace detail {

inline void add_dtype(std::string* list, uint32_t dtype) {
  const std::string name = dtype_text(dtype);
  if ((", " + *list + ",").find(", " + name + ",") == std::string::npos) *list += (list->empty() ? "" : ", ") + name;
}

}  // namespace detail

// "activations in f32 as asked"; of a graph in bf16 "bf16 activations kept in f32 between ops, KV cache in bf16 as
// asked": arithmetic is told op by op behind it. Slots as read_model gives them.
template <typename Slots>
std::string kept_text(const Slots& slots) {
  std::string narrow, caches;
  for (const auto& slot : slots) {
    if (slot.role == ASSAY_ROLE_STATE) detail::add_dtype(&caches, slot.dtype);
    const bool activation = slot.role != ASSAY_ROLE_STATE && slot.role != ASSAY_ROLE_WEIGHT;
    if (activation && is_float(slot.host_dtype) && slot.host_dtype != slot.dtype) {
      detail::add_dtype(&narrow, slot.host_dtype);
    }
  }
  const std::string cache = caches.empty() ? "" : ", KV cache in " + caches + " as asked";
  return (narrow.empty() ? "activations in f32 as asked" : narrow + " activations kept in f32 between ops") + cache;
}

}  // namespace assay::sdk
