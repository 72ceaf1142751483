// The variance between launches, and the interval that contains it.
//
// Steps of one launch tell how that launch went; a machine in another pace a minute later, or memory laid out
// otherwise, they cannot tell. So a case is launched k times, spread over the campaign, and the interval of its rate
// rests on what the launches differ by (nested variance: Kalibera and Jones, ISMM 2013; Hoefler and Belli, SC 2015).
//
// "launches/1". With m_ij the mean step of launch j of k_i of case i, z_ij = ln m_ij, and w_i the mean over j of w_ij,
// the relative variance of m_ij by the launch's own correlated steps (s^2 tau / n / m^2):
//   S_i   = sum_j (z_ij - mean_j z_ij)^2                      analysis of variance, k_i - 1 degrees of freedom
//   s_b^2 : sum_i S_i / (s_b^2 + w_i) = sum_i (k_i - 1), or 0 where no s_b^2 > 0 solves it    (Paule and Mandel 1982)
// the variance between launches beyond their own steps, over all cases of one campaign on one device that were launched
// twice or more: what changes between launches (pace, neighbours, memory) is the machine's, so the cases share it; what
// steps of a launch differ by is the case's own. Its standard error is sqrt(2 D) / sum_i (k_i - 1) / (s_b^2 + w_i),
// D = sum_i (k_i - 1). With equal w_i this is the textbook's s_b^2 = sum S_i / D - w.
// The mean step of all launches, each with the share p_j of the timed part, has the relative variance
//   u^2   = s_b^2 sum_j p_j^2 + sum_j p_j^2 w_ij
// with degrees of freedom by Welch and Satterthwaite (GUM, G.4.1), and the rate the interval
//   rate exp(-t u) .. rate exp(+t u),  t of Student.
// A launch of one step has no w_ij: then it is the mean of the case's others, or, where there is none, 0, and s_b^2
// contains it.
//
// It does not contain what stays through a whole campaign and changes after it (another host, another firmware).
#pragma once

#include <optional>
#include <vector>

#include "results/metrics/throughput.h"
#include "results/record.h"

namespace assay {

inline constexpr const char* kLaunchFormula = "launches/1";

// A launch's figures from its step times in order, ns; one at least. start_ns is left to the caller.
RunLaunch launch_of(const std::vector<double>& step_ns);

// Pooled over cases, each with its launches; none where no case has two.
std::optional<BetweenLaunches> between_launches(const std::vector<std::vector<RunLaunch>>& cases);

// Relative standard uncertainty of the mean step of all launches together.
struct LaunchUncertainty {
  double relative = 0, dof = 0;
};
LaunchUncertainty launch_uncertainty(const std::vector<RunLaunch>& launches, const BetweenLaunches& between);

// units_per_step / mean step of the record's samples; the interval contains what launches differ by where the record
// knows it, else it is of the steps alone (throughput()).
Throughput record_rate(const Record& record, double units_per_step, double confidence);

// The same of several records of one case together: all their launches, what they differ by pooled over the records.
Throughput rate_of_repeats(const std::vector<const Record*>& records, double units_per_step, double confidence);

}  // namespace assay
