// Words put together to one text.
#pragma once

#include <string>

namespace assay {

// "a, b, c" of any range of strings.
template <typename Range>
std::string joined(const Range& words, const std::string& separator) {
  std::string out;
  bool first = true;
  for (const std::string& word : words) {
    if (!first) out += separator;
    out += word;
    first = false;
  }
  return out;
}

}  // namespace assay
