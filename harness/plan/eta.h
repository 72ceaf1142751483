// When a run will end, from the time limits of its cases and what the finished ones took.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace assay {

class Eta {
 public:
  // `limits_s`: the time limit of each case's timed part, in the order of the run.
  explicit Eta(std::vector<double> limits_s) : limits_s_(std::move(limits_s)) {}

  // Case `index` took so long, everything included.
  void finished(size_t index, double seconds);

  // Seconds that case `index` is expected to take.
  [[nodiscard]] double expected_s(size_t index) const;

  // The same of a case whose step is expected to take step_s (0: not known): a long one is run some times beside the
  // timed part, to check, to warm up and to project.
  [[nodiscard]] double expected_s(size_t index, double step_s) const;

  // Seconds until the last case ends, `elapsed_s` into case `current`, whose step takes step_s (0: not known).
  [[nodiscard]] double remaining_s(size_t current, double elapsed_s, double step_s = 0) const;

 private:
  // Before any case has ended: the timed part, and half of it again for loading, checking and warming up.
  static constexpr double kFirstShare = 1.5;
  std::vector<double> limits_s_;
  double limits_seen_s_ = 0, seconds_seen_s_ = 0;
};

// "45 s", "3 min 05 s", "2 h 05 min"
std::string duration_text(double seconds);

}  // namespace assay
