#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reports/trend.h"
#include "tests/unit/reports/compare_run.h"

namespace assay {
namespace {

using comparing::run;
using testing::ElementsAre;
using testing::HasSubstr;

Record on(int day, double ms, const std::string& chip = "Chip") {
  Record r = run(ms, static_cast<uint64_t>(day));
  r.created = "2026-11-" + std::string(day < 10 ? "0" : "") + std::to_string(day) + "T06:00:00Z";
  r.id = chip + r.created;
  r.device_product = chip;
  return r;
}

// 4 tokens in 10 ms and in 8 ms: 400 and 500 tokens/s; in order of date, however they come.
TEST(TrendSeries, ByDateAgainstTheFirstAndTheBestBefore) {
  const std::vector<Record> records{on(3, 10), on(1, 10), on(2, 8), on(1, 10)};
  const std::vector<TrendSeries> all = trends(records, {}, {});
  ASSERT_EQ(all.size(), 1U);
  const std::vector<TrendRow>& rows = all[0].rows;
  ASSERT_EQ(rows.size(), 3U) << "a record that lies in two places is one";
  EXPECT_NEAR(rows[0].point.rate.value, 400, 2);
  EXPECT_NEAR(rows[1].to_first.value, 1.25, 0.01);
  EXPECT_NEAR(rows[2].to_first.value, 1, 0.01);
  EXPECT_NEAR(rows[2].to_best.value, 0.8, 0.01);
  EXPECT_NEAR(rows[2].point.day - rows[0].point.day, 2, 1e-9);
}

// An interrupted record is its user's doing; a failed one is worse than a slow one.
TEST(TrendSeries, TheNewestThatFailedIsTold) {
  Record failed = on(3, 10), interrupted = on(4, 10);
  failed.status = "failed";
  failed.reason = "op matmul";
  interrupted.status = "interrupted";
  const std::vector<Record> ended{on(1, 10), on(2, 10), interrupted}, broken{on(1, 10), on(2, 10), failed, interrupted};
  EXPECT_EQ(trends(ended, {}, {})[0].newest_without, "");
  EXPECT_EQ(trends(ended, {}, {})[0].without_figures, 1U);
  EXPECT_EQ(trends(broken, {}, {})[0].newest_without, "2026-11-03T06:00:00Z: failed: op matmul");
}

// What compare keeps apart is a series of its own, as is another chip; another driver or card is a mark.
TEST(TrendSeries, OneCaseAndChipEach) {
  Record simulated = on(4, 10), options = on(5, 10), one = on(6, 10), two = on(7, 10), driver = on(8, 10);
  simulated.basis = "simulated";
  options.adapter_options.emplace()["attention"] = "own";
  one.adapter = two.adapter = "cpu";
  one.threads = 1;
  two.threads = 2;
  driver.device_driver = "581";
  driver.device_serial_hash = "c4";
  const std::vector<Record> records{on(1, 10), on(2, 10), on(3, 10, "Other"), simulated, options, one, two, driver};
  const std::vector<TrendSeries> all = trends(records, {}, {});
  std::vector<std::string> names;
  for (const TrendSeries& s : all) names.push_back(s.device + " " + s.basis + " " + s.setup);
  EXPECT_THAT(names, testing::UnorderedElementsAre("Chip measured ", "Other measured ", "Chip simulated ",
                                                   "Chip measured attention=own", "Chip measured threads=1",
                                                   "Chip measured threads=2"));
  for (const TrendSeries& s : all) {
    if (s.rows.size() == 1) continue;
    ASSERT_EQ(s.rows.size(), 3U);
    EXPECT_THAT(s.rows[1].changed, ElementsAre());
    EXPECT_THAT(s.rows[2].changed, ElementsAre("driver 581, before not known", "card c4, before not known"));
  }
  TrendOptions none;
  none.case_filter = "prefill/*";
  EXPECT_TRUE(trends(records, {}, none).empty());
  TrendOptions part, pattern;
  part.case_filter = "bf16/b4";
  pattern.case_filter = "decode/*/c512";
  EXPECT_EQ(trends(records, {}, part).size(), 6U);
  EXPECT_EQ(trends(records, {}, pattern).size(), 6U);
}

TEST(TrendSeries, ABaselineStandsForTheFirst) {
  std::vector<Record> records, baseline;
  for (int day = 1; day <= 6; ++day) records.push_back(on(day, 10));
  for (int day = 7; day <= 9; ++day) baseline.push_back(on(day, 8));
  EXPECT_EQ(trends(records, {}, {})[0].ends->verdict, Difference::kSame);
  const TrendSeries held = trends(records, baseline, {})[0];
  EXPECT_EQ(held.ends->verdict, Difference::kSlower);
  EXPECT_NEAR(held.ends->ratio.value, 0.8, 0.01);
  EXPECT_EQ(held.ends->records_after, 3U);
  EXPECT_FALSE(trends(records, {on(9, 8, "Other")}, {})[0].ends) << "the baseline has no such case";
}

TEST(TrendSeries, EveryFormTellsTheChange) {
  std::vector<Record> records;
  for (int day = 1; day <= 12; ++day) records.push_back(on(day, day < 7 ? 10 : 12.5));
  const std::vector<TrendSeries> all = trends(records, {}, {});
  ASSERT_EQ(all[0].changes.size(), 1U);
  EXPECT_EQ(all[0].changes[0].at, 6U);
  for (const TableFormat format : {TableFormat::kText, TableFormat::kMarkdown, TableFormat::kCsv, TableFormat::kJson}) {
    const std::string text = render_sheet(trend_sheet(all, {}, format), format, {});
    EXPECT_THAT(text, HasSubstr("SLOWER"));
    EXPECT_THAT(text, HasSubstr("0.8"));
    EXPECT_THAT(text, HasSubstr("decode/m/bf16/b4/c512"));
  }
  EXPECT_THAT(render_sheet(trend_sheet(all, {}, TableFormat::kText), TableFormat::kText, {}),
              HasSubstr("SLOWER from here: 0.8"));
  EXPECT_THAT(trend_plot_json(trend_plot(all[0])), HasSubstr("\"changes\":[{\"at\":6,"));
  EXPECT_THAT(trend_plot_json(trend_plot(all[0])), testing::Not(HasSubstr("\"disturbed\":true")));
  records[2].noise.disturbed = true;
  const TrendPlot plot = trend_plot(trends(records, {}, {})[0]);
  for (size_t i = 0; i < plot.points.size(); ++i) EXPECT_EQ(plot.points[i].disturbed, i == 2) << i;
  EXPECT_THAT(trend_plot_json(plot), HasSubstr("\"disturbed\":true"));
}

}  // namespace
}  // namespace assay
