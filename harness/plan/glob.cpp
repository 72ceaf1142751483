#include "harness/plan/glob.h"

namespace assay {
namespace {

// Length of the set that begins at pattern[0] == '[', 0 where it does not close; sets `matches` for c.
size_t match_set(std::string_view pattern, char c, bool* matches) {
  size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  const size_t first = i;
  bool found = false;
  for (; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      found = found || (pattern[i] <= c && c <= pattern[i + 2]);
      i += 2;
    } else {
      found = found || pattern[i] == c;
    }
  }
  if (i >= pattern.size()) return 0;
  *matches = found != negated;
  return i + 1;
}

// Length of the pattern's first element if it matches c, 0 if not.
size_t match_one(std::string_view pattern, char c) {
  if (pattern.empty()) return 0;
  if (pattern[0] == '?') return 1;
  if (pattern[0] == '[') {
    bool matches = false;
    const size_t length = match_set(pattern, c, &matches);
    if (length > 0) return matches ? length : 0;
  }
  return pattern[0] == c ? 1 : 0;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;  // the last '*' and the text it is tried against: enough to backtrack to
  size_t star_text = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (const size_t length = match_one(pattern.substr(p), text[t]); length > 0) {
      p += length;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_glob(std::string_view filter) { return filter.find_first_of("*?[") != std::string_view::npos; }

bool has_elements(std::string_view id, std::string_view elements) {
  for (size_t at = id.find(elements); at != std::string_view::npos && !elements.empty();
       at = id.find(elements, at + 1)) {
    const size_t end = at + elements.size();
    if ((at == 0 || id[at - 1] == '/') && (end == id.size() || id[end] == '/')) return true;
  }
  return false;
}

}  // namespace assay
