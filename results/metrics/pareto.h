// Throughput against interactivity: the points of a chip that no other point of it beats in both, and the line between
// them, so that two chips can be compared at equal tokens/s per user.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/metrics/two_sample.h"

namespace assay {

struct LoadPoint {
  double per_user = 0;  // tokens/s per user
  BoundedValue rate;    // tokens/s of all users together
  std::string label;    // case id
};

// Ascending in per_user, strictly descending in rate: what is neither slower per user nor in all. Of equal points one.
std::vector<LoadPoint> pareto_front(std::vector<LoadPoint> points);

// The rate at `per_user` on the front: a point of it as it is (`interpolated` false), between two by Steffen's
// monotone cubic (Astronomy and Astrophysics 239, 1990), which has no extremum that the points don't have. The bounds
// are interpolated as the values are. None outside the front's range.
struct RateAt {
  BoundedValue rate;
  bool interpolated = false;
};
std::optional<RateAt> rate_at(const std::vector<LoadPoint>& front, double per_user);

}  // namespace assay
