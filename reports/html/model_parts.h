// The steps from records to a report's model, for report_model().
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "reports/html/report_model.h"

namespace assay {

// Gives each chip and case its index in the model, in order of first use.
class Register {
 public:
  explicit Register(ReportModel* model) : model_(model) {}
  void place(const Record& record, ReportRow* row);
  void place(const Headline& headline, ReportRow* row);
  // What only the record itself says of the row's chip and case.
  void complete(const Record& record, const ReportRow& row);

 private:
  size_t chip(const std::string& product, const std::string& adapter);
  size_t test_case(ReportCase c);
  ReportModel* model_;
  std::map<std::pair<std::string, std::string>, size_t> chips_, cases_;
  std::set<size_t> shapes_;  // cases whose shape was looked at
};

// chip and test_case are the caller's to set.
ReportRow row_of(const Record& record, const Metrics& metrics);
ReportRow row_of(const Headline& headline);
// Empty for a record without figures.
ReportCurve curve_of(const Record& record, const ReportRow& figures, size_t row);

// `pricing` null: without a cost.
std::vector<ReportClip> clips_of(const std::vector<Record>& records, const ReportPricing* pricing,
                                 const ReportModel& model);
// Of cases with at least kFewestOfTrend records, not all of one moment. `model`: its rows are the records'.
inline constexpr size_t kFewestOfTrend = 3;
std::vector<TrendPlot> trends_of(const std::vector<Record>& records, const ReportModel& model, size_t max);
// The chip of these records, of which several may share a product; where the model has none of them the first of that
// product.
size_t chip_of_records(const ReportModel& model, const std::vector<std::string>& ids, const std::string& product);

// Groups in order of chip, case, basis.
std::vector<ReportGroup> group_rows(const std::vector<ReportRow>& rows);
ReportAnswer answer_of(const ReportModel& model);
std::vector<Incomparable> incomparable_of(const ReportModel& model);

// One cost for each product, model, dtype and basis among the records; an unpriced one says what is missing. left_out:
// what has none, and why.
std::vector<ReportCost> costs_of(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                                 const ReportPricing& pricing, const ReportModel& model,
                                 std::vector<std::string>* left_out);
ReportCostAnswer cost_answer_of(const std::vector<ReportCost>& costs, const ReportModel& model);

// `chips`: of each record, its chip.
std::vector<EnvironmentLine> environment_of(const std::vector<Record>& records, const std::vector<size_t>& chips,
                                            size_t chip_count);

}  // namespace assay
