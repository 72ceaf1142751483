// Records of one case and chip as a series over time (the method stands in results/metrics/trend.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/sheet.h"
#include "results/metrics/trend.h"
#include "results/record.h"

namespace assay {

struct TrendOptions {
  double margin = kDefaultMargin;
  double confidence = 0.95;
  size_t edge = 3;          // records at each end that are held against each other
  std::string case_filter;  // a part of case ids, or a pattern (* ? []); "": all
};

struct TrendRow {
  const Record* record = nullptr;
  TrendPoint point;
  Ratio to_first, to_best;           // the best of all before; none (value 0) of the first
  std::vector<std::string> changed;  // since the record before: "driver 580.1, before 570.2"
};

struct TrendSeries {
  std::string case_id, dtype, tier, basis, device, setup, unit;
  std::vector<TrendRow> rows;  // by date
  std::vector<ChangePoint> changes;
  std::optional<TrendSlope> slope;
  std::optional<LevelDifference> ends;  // of the last records against the first, or against the baseline
  bool against_baseline = false;
  size_t without_figures = 0;  // records that failed or were interrupted
  std::string newest_without;  // what became of the newest record, where it has no figures
};

// By case, then chip. Records are told apart as compare() does, and by their chip. They outlive the series; of the
// reported ones, which have no samples, there is none. `baseline` empty: the first records are.
std::vector<TrendSeries> trends(const std::vector<Record>& records, const std::vector<Record>& baseline,
                                const TrendOptions& options);

// Text and Markdown: the summary, then a table for each series. CSV: a line a record. JSON: all of it.
Sheet trend_sheet(const std::vector<TrendSeries>& series, const TrendOptions& options, TableFormat format);

// A series as it is drawn, without its records.
struct TrendPlot {
  struct Point {
    std::string id;  // the record's
    TrendPoint at;
    std::vector<std::string> changed;
    bool disturbed = false;
    std::optional<size_t> row;  // of the record in a report's model
  };
  struct Change {
    size_t at = 0;
    double ratio = 0;
    Difference verdict = Difference::kAmbiguous;
  };
  std::string name, device, basis, unit;
  std::vector<Point> points;
  std::vector<Change> changes;
};
TrendPlot trend_plot(const TrendSeries& series);
// As the plots' bundle and the report's page read it.
std::string trend_plot_json(const TrendPlot& plot);

}  // namespace assay
