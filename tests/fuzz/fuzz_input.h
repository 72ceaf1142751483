// What the fuzz targets share: the input as text, and a check that ends the program so that the fuzzer keeps the input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "suites/base/result.h"

namespace assay::fuzz {

inline std::string text_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Every refusal is of the user's input and says something.
inline void must_explain(const Error& error) { must(!error.message.empty(), "a refusal has a message"); }

}  // namespace assay::fuzz
