// Queueing of a planner (facts C6): closed forms and the approximations that are exact for M/M/1.
#pragma once

namespace assay {

// Mean wait of M/G/1 by Pollaczek and Khinchine: rho s (1 + cv^2) / (2 (1 - rho)). M/D/1: cv = 0; M/M/1: cv = 1.
// service: seconds; load rho in [0, 1).
double mg1_mean_wait(double load, double service, double cv);
// The wait that a share p of arrivals stay below, from an exponential tail with the right mean: exact for M/M/1.
// 0 where more than p don't wait at all.
double mg1_wait_quantile(double load, double service, double cv, double p);
// Slots that hold a Poisson number of requests of this mean with probability p (normal approximation with continuity
// correction; infinite servers, so the mean is arrivals x stay whatever the distribution of the stay).
double slots_for_poisson(double mean, double p);

}  // namespace assay
