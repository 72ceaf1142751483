// How a case's KV cache lies in pages, in words.
#pragma once

#include <string>

#include "suites/suite.h"

namespace assay {

// "p16", "p16-seed2" in another order than that of seed 1: as the case's id ends. "": no pages.
inline std::string page_layout(const Case& c) {
  if (!c.paged()) return "";
  return "p" + std::to_string(c.page_tokens) + (c.page_seed == 1 ? "" : "-seed" + std::to_string(c.page_seed));
}

// "in pages of 16 tokens, in the order of seed 1"; "": no pages.
inline std::string pages_text(const Case& c) {
  if (!c.paged()) return "";
  return "in pages of " + std::to_string(c.page_tokens) + " tokens, in the order of seed " +
         std::to_string(c.page_seed);
}

}  // namespace assay
