#include "results/metrics/student.h"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace assay {
namespace {

// In double throughout: long double costs several times as much and moves no digit that is shown.
using InDouble = boost::math::policies::policy<boost::math::policies::promote_double<false>>;

}  // namespace

double student_two_sided(double confidence, double dof) {
  return boost::math::quantile(boost::math::students_t_distribution<double, InDouble>(dof), (1 + confidence) / 2);
}

double normal_two_sided(double confidence) {
  return boost::math::quantile(boost::math::normal_distribution<double, InDouble>(), (1 + confidence) / 2);
}

}  // namespace assay
