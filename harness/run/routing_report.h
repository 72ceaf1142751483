// What the routing of a program's experts is, for its record.
#pragma once

#include <optional>

#include "results/record.h"
#include "suites/suite.h"

namespace assay {

// Rows of each expert in each layer of the graph that routes; nullopt where none does.
std::optional<RoutingReport> routing_report(const Graph& graph, const Case& c);

}  // namespace assay
