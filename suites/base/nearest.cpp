#include "suites/base/nearest.h"

#include <algorithm>
#include <cctype>

namespace assay {
namespace {

constexpr size_t kLongestCompared = 64;
constexpr size_t kMostListed = 24;

std::string lower_case(std::string_view text) {
  std::string out(text.substr(0, kLongestCompared));
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Optimal string alignment distance.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before, previous(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({previous[j] + 1, row[j - 1] + 1, replace});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before = previous;
    previous = row;
  }
  return previous[b.size()];
}

}  // namespace

std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string wanted = lower_case(name);
  // A third of the letters may be wrong; one always.
  size_t best = std::max<size_t>(1, wanted.size() / 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    const std::string known = lower_case(candidate);
    const size_t d = distance(wanted, known);
    if (d < best) {
      best = d;
      found = candidate;
    }
  }
  if (found || wanted.size() < 3) return found;
  for (const std::string& candidate : candidates) {
    if (lower_case(candidate).rfind(wanted, 0) == 0) return candidate;
  }
  return std::nullopt;
}

std::string suggestion(std::string_view name, const std::vector<std::string>& candidates) {
  if (const auto near = nearest_name(name, candidates)) return "; did you mean '" + *near + "'?";
  if (candidates.empty() || candidates.size() > kMostListed) return "";
  std::string text = "; known: ";
  for (const std::string& candidate : candidates) text += (&candidate == candidates.data() ? "" : ", ") + candidate;
  return text;
}

}  // namespace assay
