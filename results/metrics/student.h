// Student's t: how much wider an interval must be when its spread was estimated from few values.
#pragma once

namespace assay {

// t with P(|T| <= t) = confidence for `dof` degrees of freedom (> 0, may be fractional). Boost.Math.
double student_two_sided(double confidence, double dof);
// z with P(|Z| <= z) = confidence, standard normal.
double normal_two_sided(double confidence);

}  // namespace assay
