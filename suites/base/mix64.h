// The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input moves about half of the output's.
#pragma once

#include <cstdint>

namespace assay {

inline uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace assay
