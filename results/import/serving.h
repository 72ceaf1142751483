// Statistics that serving clients of one family write: "median_ttft_ms", "p99_tpot", "mean_itl_ms", ...
#pragma once

#include <string>
#include <vector>

#include "results/import/source.h"

namespace assay::import {

// Adds every latency figure found among the members of `object`, in s (interactivity in tokens/s). `n`: requests
// behind it. Refuses a negative or absurd value and percentiles out of order. A 0 is left out with a warning, because
// these tools write 0 where they had no values. Gives the names of the members used.
std::vector<std::string> add_latency_figures(const JsonNode& object, std::optional<uint64_t> n, Record* record);

// Keeps the scalar members that `used` does not name, as the source states them.
void state_the_rest(const JsonNode& object, const std::vector<std::string>& used, Record* record);

// rate x seconds must give count within 1 % (and one): a file whose figures contradict each other is broken.
void check_rate(const JsonNode& object, const char* rate, const char* count, double seconds);

}  // namespace assay::import
