#include <algorithm>
#include <cmath>

#include "reports/html/model_parts.h"

namespace assay {
namespace {

constexpr size_t kTimelinePoints = 240;
constexpr size_t kMaxGaps = 120;
constexpr double kBoundConfidence = 0.98;  // each bound then holds at 99 % (metrics.md)

// Every 2.5 % to 90 %, then the tail in steps of its own nines; none that n steps can't show.
std::vector<double> probabilities(size_t n) {
  std::vector<double> out;
  for (int i = 1; i <= 36; ++i) out.push_back(i / 40.0);
  for (const double rest :
       {0.08, 0.06, 0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001}) {
    out.push_back(1 - rest);
  }
  const auto beyond = [n](double p) { return (1 - p) * static_cast<double>(n) < 1 - 1e-9; };
  out.erase(std::remove_if(out.begin(), out.end(), beyond), out.end());
  return out;
}

void add_distribution(const std::vector<uint64_t>& steps, ReportCurve* curve) {
  std::vector<uint64_t> sorted = steps;
  std::sort(sorted.begin(), sorted.end());
  const size_t n = sorted.size();
  for (const double p : probabilities(n)) {
    const auto rank = static_cast<size_t>(std::max(1.0, std::ceil(p * static_cast<double>(n) - 1e-9)));
    const RankBounds bounds = quantile_rank_bounds(n, p, kBoundConfidence);
    const auto at = [&](const std::optional<uint64_t>& r) {
      return r ? std::optional<double>(static_cast<double>(sorted[*r - 1])) : std::nullopt;
    };
    curve->p.push_back(p);
    curve->quantile_ns.push_back(static_cast<double>(sorted[rank - 1]));
    curve->low.push_back(at(bounds.lower));
    curve->high.push_back(at(bounds.upper));
  }
}

bool overlaps_gap(const NoiseReport& noise, uint64_t begin, uint64_t end) {
  const size_t n = std::min(noise.host_gap_start_ns.size(), noise.host_gap_ns.size());
  for (size_t g = 0; g < n; ++g) {
    if (noise.host_gap_start_ns[g] < end && noise.host_gap_start_ns[g] + noise.host_gap_ns[g] > begin) return true;
  }
  return false;
}

// The longest step of each stretch: a stall stays visible whatever n is.
void add_course(const Record& r, double median_ns, ReportCurve* curve) {
  const std::vector<uint64_t>& x = r.samples.host_ns;
  const size_t points = std::min(kTimelinePoints, x.size());
  for (size_t i = 0; i < points; ++i) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(i * x.size() / points);
    const auto end = x.begin() + static_cast<std::ptrdiff_t>((i + 1) * x.size() / points);
    const auto at = static_cast<size_t>(std::max_element(begin, end) - x.begin());
    const uint64_t start = r.samples.start_ns[at];
    curve->start_s.push_back(static_cast<double>(start) / 1e9);
    curve->step_ns.push_back(static_cast<double>(x[at]));
    StepMark mark = StepMark::kNone;
    if (static_cast<double>(x[at]) > 2 * median_ns) {
      mark = overlaps_gap(r.noise, start, start + x[at]) ? StepMark::kHostStall : StepMark::kStall;
    }
    curve->mark.push_back(mark);
  }
}

// The longest of the host's gaps, in order of time.
void add_gaps(const NoiseReport& noise, ReportCurve* curve) {
  const size_t n = std::min(noise.host_gap_start_ns.size(), noise.host_gap_ns.size());
  std::vector<size_t> order(n);
  for (size_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return noise.host_gap_ns[a] > noise.host_gap_ns[b]; });
  if (order.size() > kMaxGaps) order.resize(kMaxGaps);
  std::sort(order.begin(), order.end());
  for (const size_t i : order) {
    curve->gap_start_s.push_back(static_cast<double>(noise.host_gap_start_ns[i]) / 1e9);
    curve->gap_ns.push_back(static_cast<double>(noise.host_gap_ns[i]));
  }
}

// A launch is a process of its own: between two of them time passes in which no step ran.
void add_launches(const Record& r, ReportCurve* curve) {
  if (!r.run_launches) return;
  size_t first = 0;
  for (const RunLaunch& launch : r.run_launches->each) {
    if (first > 0 && first < r.samples.start_ns.size())
      curve->launch_s.push_back(static_cast<double>(r.samples.start_ns[first]) / 1e9);
    first += launch.steps;
  }
}

}  // namespace

ReportCurve curve_of(const Record& record, const ReportRow& figures, size_t row) {
  ReportCurve curve;
  curve.row = row;
  if (!figures.median) return curve;
  add_distribution(record.samples.host_ns, &curve);
  add_course(record, *figures.median, &curve);
  add_gaps(record.noise, &curve);
  add_launches(record, &curve);
  return curve;
}

}  // namespace assay
