// Roofline: what a device could do at most with work of this intensity (facts C5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/record.h"
#include "suites/graph.h"

namespace assay {

struct Roofline {
  double flops_per_s = 0, bytes_per_s = 0;
  std::string source;                                       // the peaks' denominator, named
  [[nodiscard]] double ridge() const;                       // FLOP per byte at which both limits meet
  [[nodiscard]] double attainable(double intensity) const;  // FLOP/s
  [[nodiscard]] double least_seconds(double flops, double bytes) const;
};

struct RooflinePoint {
  std::string name;
  double flops = 0, bytes = 0;
  std::optional<double> intensity;  // FLOP per byte; none without bytes
  bool memory_bound = false;
  double least_s = 0;                // at the roof
  std::optional<double> seconds;     // measured, where known
  std::optional<double> roof_share;  // least_s / seconds: how near the roof
};
RooflinePoint roofline_point(const Roofline& roofline, const std::string& name, double flops, double bytes,
                             std::optional<double> seconds);

// What a record's steps are held against: of each launch what was measured beside it, weighed by the launch's time;
// of a rate that one of them lacks, what was measured before the first counts for all.
struct Attainable {
  std::optional<double> flops_per_s, bytes_per_s;
  bool of_each_launch = false;  // false, too, where there is but one launch
};
Attainable attainable(const Record& record);
// The peaks that were measured beside the record; none where they are missing.
std::optional<Roofline> record_roofline(const Record& record);
// The whole step: its FLOPs, its bytes of weights and KV cache, its mean time.
std::optional<RooflinePoint> step_roofline(const Record& record);
// Each op of the step's graph with its activations' bytes; times of single ops are not measured.
std::vector<RooflinePoint> op_rooflines(const Graph& graph, const std::vector<int64_t>& scalars,
                                        const Roofline& roofline);

}  // namespace assay
