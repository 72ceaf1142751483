// Cases that were measured again and again, and launches of one record, as a report draws them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/trend.h"
#include "tests/unit/reports/report_records.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string on_day(int day) { return "2026-11-1" + std::to_string(day) + "T06:00:00Z"; }

// Chip B is slower on the last days: 10 ms, then 12.5 ms. Of two records there is no trend, nor of one moment.
TEST(ReportTrends, RepeatsOverTimeAreTrendsAndWhatBecameSlowerComesFirst) {
  std::vector<Record> records;
  for (int day = 0; day < 6; ++day) {
    records.push_back(decode_record("A", 10, 400, on_day(day)));
    records.push_back(decode_record("B", day < 3 ? 10 : 12.5, 400, on_day(day)));
  }
  for (int day = 0; day < 2; ++day) records.push_back(decode_record("Two", 10, 400, on_day(day)));
  for (int i = 0; i < 3; ++i) {
    records.push_back(decode_record("Same moment", 10, 400, on_day(1)));
    records.back().id += std::to_string(i);
  }
  const ReportModel model = model_of(records);
  ASSERT_EQ(model.trends.size(), 2U);
  const TrendPlot &b = model.trends[0], &a = model.trends[1];
  EXPECT_EQ(b.device, "B");
  EXPECT_EQ(a.device, "A");
  ASSERT_EQ(b.points.size(), 6U);
  for (const TrendPlot::Point& p : b.points) {
    ASSERT_TRUE(p.row);
    EXPECT_EQ(model.rows[*p.row].id, p.id);
  }
  ASSERT_EQ(b.changes.size(), 1U);
  EXPECT_EQ(b.changes[0].at, 3U);
  EXPECT_NEAR(b.changes[0].ratio, 0.8, 1e-3);
  EXPECT_TRUE(a.changes.empty());
  EXPECT_THAT(report_json(model), HasSubstr("\"trends\":[{\"basis\":\"measured\",\"changes\":[{\"at\":3,"));
}

TEST(ReportTrends, AnAggregatedReportPointsAtNoRecordThatItLacks) {
  std::vector<Record> records;
  for (int day = 0; day < 4; ++day) records.push_back(decode_record("A", 10, 400, on_day(day)));
  ReportOptions options;
  options.max_rows = 2;
  const ReportModel model = report_model(records, options);
  ASSERT_EQ(model.trends.size(), 1U);
  size_t shown = 0;
  for (const TrendPlot::Point& p : model.trends[0].points) {
    shown += p.row ? 1 : 0;
    if (p.row) {
      EXPECT_EQ(model.rows[*p.row].id, p.id);
    }
  }
  EXPECT_EQ(shown, 1U) << "the one that stands for the group";
}

// Steps of 10 ms; launches of 3 and 2: the second begins with the fourth step, at 30 ms.
TEST(ReportTrends, ACurveSaysWhereEachLaunchBegins) {
  Record r = decode_record("A", 10, 5);
  EXPECT_TRUE(model_of({r}).curves.at(0).launch_s.empty());
  r.run_launches.emplace();
  for (const uint64_t steps : {3U, 2U}) r.run_launches->each.push_back({steps, 0, 1e7, std::nullopt, 0});
  EXPECT_THAT(model_of({r}).curves.at(0).launch_s, ElementsAre(testing::DoubleNear(0.03, 1e-9)));
}

TEST(ReportTrends, DatesAreToTheSecondWhereRunsLieWithinAMinute) {
  std::vector<Record> records;
  for (const char* second : {"05", "25", "45"})
    records.push_back(decode_record("A", 10, 400, std::string("2026-11-11T06:00:") + second + "Z"));
  const std::string text =
      render_sheet(trend_sheet(trends(records, {}, {}), {}, TableFormat::kMarkdown), TableFormat::kMarkdown, {});
  for (const char* date : {"| 2026-11-11 06:00:05 |", "| 2026-11-11 06:00:25 |", "| 2026-11-11 06:00:45 |"})
    EXPECT_THAT(text, HasSubstr(date));
}

}  // namespace
}  // namespace assay
