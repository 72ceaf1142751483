// Readers of the parts of a record's JSON. A missing or wrong field is a fault of the document.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "results/record.h"
#include "suites/base/json_input.h"

namespace assay::record_parts {

inline constexpr int64_t kMaxInt = INT64_MAX;

std::string text_at(const JsonNode& node, const char* name);
double amount(const JsonNode& node, const char* name);  // 0 or more
uint64_t size_at(const JsonNode& node, const char* name);
std::string embedded(const JsonNode& node, const char* name);  // the JSON of a field as text; null is empty
std::vector<std::string> texts(const JsonNode& node);
std::map<std::string, std::string> text_map(const JsonNode& node);

Samples samples(const JsonNode& node);
Numerics numerics(const JsonNode& node);
std::vector<Counter> counters(const JsonNode& node);
NoiseReport noise(const JsonNode& node);
Ceiling ceiling(const JsonNode& node);
Extrapolation extrapolation(const JsonNode& node);
RoutingReport routing(const JsonNode& node);
Energy energy(const JsonNode& node);
StopReport stop(const JsonNode& node);
RunLaunches run_launches(const JsonNode& node, size_t samples);
Reported reported(const JsonNode& node);

}  // namespace assay::record_parts
