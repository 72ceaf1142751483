// Cases that were measured again and again, as series over time.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "reports/html/model_parts.h"

namespace assay {
namespace {

// What a reader should see first: what is slower now than it was, then the largest change, then the longest series.
auto urgency(const TrendSeries& s) {
  const bool slower = s.ends && s.ends->verdict == Difference::kSlower;
  const double change = s.ends && s.ends->ratio.value > 0 ? std::abs(std::log(s.ends->ratio.value)) : 0;
  return std::tuple(slower, !s.changes.empty(), change, s.rows.size());
}

}  // namespace

std::vector<TrendPlot> trends_of(const std::vector<Record>& records, const ReportModel& model, size_t max) {
  std::vector<TrendSeries> series = trends(records, {}, {});
  const auto too_short = [](const TrendSeries& s) {
    return s.rows.size() < kFewestOfTrend || !(s.rows.back().point.day > s.rows.front().point.day);
  };
  series.erase(std::remove_if(series.begin(), series.end(), too_short), series.end());
  std::stable_sort(series.begin(), series.end(),
                   [](const TrendSeries& a, const TrendSeries& b) { return urgency(a) > urgency(b); });
  if (series.size() > max) series.resize(max);
  std::map<std::string, size_t> row_of_id;
  for (size_t i = 0; i < model.rows.size(); ++i) row_of_id.emplace(model.rows[i].id, i);
  std::vector<TrendPlot> out;
  for (const TrendSeries& s : series) {
    TrendPlot plot = trend_plot(s);
    for (TrendPlot::Point& p : plot.points) {
      if (const auto found = row_of_id.find(p.id); found != row_of_id.end()) p.row = found->second;
    }
    out.push_back(std::move(plot));
  }
  return out;
}

}  // namespace assay
