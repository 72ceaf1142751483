#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "reports/compare.h"
#include "reports/partner.h"
#include "results/metrics/launches.h"
#include "results/metrics/metrics.h"
#include "results/part.h"

namespace assay {
namespace {

constexpr double kTooClose = 1e-6;  // loads nearer to one another than this, relative, are one

struct Curve {
  std::string device;
  std::string options, threads;  // of the adapter; of a CPU, where runs differ in them
  std::vector<LoadPoint> points;
};

struct CurveKey {
  std::string of_work;
  std::string options;  // setup_text()
  [[nodiscard]] const std::string& work() const { return of_work; }
  bool operator<(const CurveKey& other) const {
    return std::tie(of_work, options) < std::tie(other.of_work, other.options);
  }
};
using Curves = std::map<CurveKey, Curve>;

// ", adapter options products=own against none"; "" where neither side has any.
std::string told(const std::string& what, const std::string& a, const std::string& b) {
  if (a.empty() && b.empty()) return "";
  const auto named = [](const std::string& value) { return value.empty() ? "none" : value; };
  return ", " + what + " " + named(a) + (a == b ? "" : " against " + named(b));
}

// Decode runs of one model at one context by batch: the load axis of a chip.
Curves curves_of(const CompareSide& side, const Setups& setups, double confidence) {
  Curves curves;
  for (const Record& r : side.records) {
    if (r.step_kind != "decode" || r.status != "ok" || r.batch < 1 || r.samples.host_ns.empty() || cold_cache(r))
      continue;
    if (is_part(r)) continue;
    const Throughput rate = record_rate(r, static_cast<double>(r.tokens_per_step), confidence);
    const std::string variant = case_variant(r.case_id);
    Curve& curve = curves[{r.suite + " " + r.model + " " + r.dtype + " c" + std::to_string(r.context) +
                               (variant.empty() ? "" : " " + variant) + ", " + r.basis,
                           setup_text(r)}];
    curve.options = adapter_options_text(r);
    curve.threads = setups.threads(r);
    curve.device = r.device_product.empty() ? r.device : r.device_product;
    LoadPoint point{rate.per_s / static_cast<double>(r.batch), {rate.per_s, {}, {}}, r.case_id};
    if (rate.n > 1) {
      point.rate.low = rate.interval.low;
      point.rate.high = rate.interval.high;
    }
    curve.points.push_back(std::move(point));
  }
  return curves;
}

LoadComparison compare_curves(const std::string& work, const Curve& a, const Curve& b, const CompareOptions& options) {
  LoadComparison out;
  out.work = work;
  out.device_a = a.device;
  out.device_b = b.device;
  out.front_a = pareto_front(a.points);
  out.front_b = pareto_front(b.points);
  std::set<double> loads;
  for (const auto* front : {&out.front_a, &out.front_b}) {
    for (const LoadPoint& p : *front) loads.insert(p.per_user);
  }
  double before = -1;
  for (const double load : loads) {
    if (before > 0 && load / before - 1 < kTooClose) continue;
    const std::optional<RateAt> ra = rate_at(out.front_a, load), rb = rate_at(out.front_b, load);
    if (!ra || !rb) continue;
    before = load;
    EqualLoad equal{load, *ra, *rb, ratio_of(ra->rate, rb->rate), Difference::kAmbiguous};
    equal.verdict = decide(equal.ratio, options.margin);
    out.at.push_back(equal);
  }
  if (out.at.empty()) {
    out.note = "no load that both reach: the ranges of tokens/s per user do not meet";
  }
  return out;
}

std::ptrdiff_t cold_decode(const CompareSide& side) {
  return std::count_if(side.records.begin(), side.records.end(),
                       [](const Record& r) { return r.step_kind == "decode" && r.status == "ok" && cold_cache(r); });
}

}  // namespace

std::vector<LoadComparison> compare_loads(const CompareSide& a, const CompareSide& b, const CompareOptions& options) {
  std::vector<const Record*> all;
  for (const CompareSide* side : {&a, &b}) {
    for (const Record& r : side->records) all.push_back(&r);
  }
  const Setups setups(all);
  const Curves of_a = curves_of(a, setups, options.confidence), of_b = curves_of(b, setups, options.confidence);
  const std::ptrdiff_t cold = cold_decode(a) + cold_decode(b);
  std::vector<LoadComparison> out;
  for (const auto& [key, curve] : of_a) {
    const std::optional<CurveKey> partner = partner_of(key, of_a, of_b);
    if (!partner) continue;
    const Curve& other = of_b.at(*partner);
    // One load each is a pair of records, compared as such.
    if (curve.points.size() + other.points.size() < 3) continue;
    out.push_back(compare_curves(key.of_work + told("adapter options", curve.options, other.options) +
                                     told("threads", curve.threads, other.threads),
                                 curve, other, options));
    if (cold == 0) continue;
    std::string& note = out.back().note;
    note += (note.empty() ? "" : "; ") + std::to_string(cold) + " cold-cache records are left out of the curves";
  }
  return out;
}

}  // namespace assay
