// The known name that a mistyped one most likely meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// The candidate nearest to `name` (case aside; one insertion, deletion, replacement or swap of neighbours each count
// 1), or a candidate that `name` begins; none if nothing is near enough to be meant.
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates);

// "; did you mean 'batch'?", or "; known: a, b, c" where nothing is near and there are at most 24, or "".
std::string suggestion(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace assay
