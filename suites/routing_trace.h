// Routing traces as files: one JSON object, checked; its hash names it in cases.
//
//   {"routing_trace_version": 1, "model": "qwen3-30b-a3b", "source": "where the choices come from",
//    "experts": 128, "top_k": 8, "layers": [[[3, 17, ...], ...], ...]}
//
// layers: 1 to 4096 lists; each 1 to 1048576 rows (tokens); each row top_k different experts, 0 to experts - 1. A case
// takes its i-th layer with experts (from 0) from layers[i mod count] and its row m from row m mod count.
#pragma once

#include <filesystem>
#include <string>

#include "suites/base/result.h"
#include "suites/base/routing.h"
#include "suites/suite.h"

namespace assay {

// kBadInput that names file, place, what was expected and what was found. `hash`: xxh3-128 of the canonical JSON.
Result<RoutingTrace> parse_routing_trace(const std::string& text, const std::string& where, std::string* hash);
std::string routing_trace_to_json(const RoutingTrace& trace);

// Reads the trace of `routing` where it is one and not there yet; a hash that is given must be the file's.
Status load_routing_trace(Routing* routing);

// "" or why a model can't route so: other experts or choices than the model's, or the first row whose experts lie in
// more groups than its router takes, "layers[0][3]: expected experts of at most 4 of 8 groups, found 5".
std::string trace_fault(const RoutingTrace& trace, const MoeShape& moe);

// A trace of what `routing` draws for a model's first layers with experts.
RoutingTrace draw_routing_trace(const ModelShape& model, const Routing& routing, int64_t layers, int64_t rows);

}  // namespace assay
