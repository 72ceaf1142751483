#include "results/metrics/student.h"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace assay {

double student_two_sided(double confidence, double dof) {
  return boost::math::quantile(boost::math::students_t(dof), (1 + confidence) / 2);
}

double normal_two_sided(double confidence) {
  return boost::math::quantile(boost::math::normal(), (1 + confidence) / 2);
}

}  // namespace assay
