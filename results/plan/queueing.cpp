#include "results/plan/queueing.h"

#include <boost/math/distributions/normal.hpp>
#include <cmath>

namespace assay {

double mg1_mean_wait(double load, double service, double cv) {
  return load * service * (1 + cv * cv) / (2 * (1 - load));
}

double mg1_wait_quantile(double load, double service, double cv, double p) {
  if (load <= 1 - p) return 0;
  return mg1_mean_wait(load, service, cv) / load * std::log(load / (1 - p));
}

double slots_for_poisson(double mean, double p) {
  if (mean <= 0) return 0;
  return mean + boost::math::quantile(boost::math::normal(), p) * std::sqrt(mean) + 0.5;
}

}  // namespace assay
