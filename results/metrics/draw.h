// Random draws of uncertain inputs, the same on every host and compiler for a seed.
#pragma once

#include <cstdint>
#include <random>

#include "results/metrics/cost.h"

namespace assay {

class Draw {
 public:
  explicit Draw(uint64_t seed) : random_(seed) {}
  double uniform();                    // in (0, 1)
  double value_of(const Estimate& e);  // one draw
 private:
  std::mt19937_64 random_;  // its values are fixed by the standard, unlike the distributions'
};

// The value below which a share p in (0, 1) of the draws of e lies.
double estimate_quantile(const Estimate& e, double p);

}  // namespace assay
