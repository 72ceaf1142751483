#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "reports/compare.h"
#include "reports/text.h"
#include "tests/unit/reports/compare_run.h"

namespace assay {
namespace {

using comparing::run;
using testing::HasSubstr;
using testing::Not;

// 80 columns keep what was compared, the ratio with its interval and the verdict; the rest is named, notes stand below.
TEST(Compare, FitsANarrowTerminal) {
  Record shaken = run(8, 2);
  shaken.noise.disturbed = true;
  shaken.noise.causes = {"steal 4.1 %"};
  const Comparison c = compare({"a", {run(10, 1)}}, {"b", {shaken}}, {});
  const std::string wide = render_sheet(comparison_sheet({c}), TableFormat::kText, {200, false});
  EXPECT_THAT(wide, Not(HasSubstr("the terminal is narrow")));
  const std::string text = render_sheet(comparison_sheet({c}), TableFormat::kText, {80, false});
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80U) << line;
  EXPECT_THAT(text, testing::ContainsRegex("case +metric +B/A +verdict"));
  EXPECT_THAT(text, HasSubstr("the terminal is narrow: A12 of steps, basis (measured), note, A, B"));
  EXPECT_THAT(text, HasSubstr("- decode/m/bf16/b4/c512 *, rate: "));
  EXPECT_THAT(text, HasSubstr("* disturbed B: steal 4.1 %"));
}

TEST(Compare, EveryFormatCarriesTheSameVerdict) {
  Record shaken = run(8, 2);
  shaken.noise.disturbed = true;
  shaken.noise.causes = {"steal 4.1 %"};
  const Sheet sheet = comparison_sheet({compare({"a", {run(10, 1)}}, {"b", {shaken}}, {})});
  for (const TableFormat format : {TableFormat::kText, TableFormat::kMarkdown, TableFormat::kCsv, TableFormat::kJson}) {
    const std::string text = render_sheet(sheet, format, {});
    EXPECT_THAT(text, HasSubstr("FASTER"));
    EXPECT_THAT(text, HasSubstr("steal 4.1 %"));
    EXPECT_THAT(text, HasSubstr("decode/m/bf16/b4/c512"));
  }
  EXPECT_THAT(render_sheet(sheet, TableFormat::kJson, {}), HasSubstr("\"ratio_low\": 1.2"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kText, {}), HasSubstr("- A12 of steps: the share of pairs of one step"));
}

// What was not compared is a row of the CSV, too, in columns behind those of what was.
TEST(CompareSheet, CsvSaysWhatWasNotCompared) {
  Record refused = run(10, 1, 400, 8);
  refused.status = "unsupported";
  refused.reason = "no fp4 here";
  const Comparison c = compare({"a", {run(10, 1), refused}}, {"b", {run(8, 2), refused, run(8, 3, 400, 16)}}, {});
  const std::string csv = render_sheet(comparison_sheet({c}), TableFormat::kCsv, {});
  EXPECT_THAT(csv, HasSubstr(",runs_a,runs_b,part,piece,not_compared_of,not_compared\r\n"));
  EXPECT_THAT(csv, testing::ContainsRegex("\ndecode/m/bf16/b16/c512,b,,[^\n]*,b,the other side has no such case\r\n"));
  EXPECT_THAT(csv, testing::ContainsRegex("\ndecode/m/bf16/b8/c512,b,,[^\n]*,both,unsupported: no fp4 here\r\n"));
  EXPECT_THAT(csv, testing::ContainsRegex("\ndecode/m/bf16/b4/c512,b,rate,[^\n]*,1,1,,,,\r\n"));
}

// Of a front's own point the interval of its rate, for people and for programs.
TEST(Compare, EqualLoadsHaveIntervalsOfEachSide) {
  const Comparison c = compare({"a", {run(10, 1), run(20, 2, 400, 16)}}, {"b", {run(12.5, 3, 400, 8)}}, {});
  const BoundedValue& of_b = c.loads.at(0).at.at(0).b.rate;
  ASSERT_TRUE(of_b.low && of_b.high);
  const Sheet sheet = comparison_sheet({c});
  const auto table = std::find_if(sheet.tables.begin(), sheet.tables.end(),
                                  [](const SheetTable& t) { return t.name == "equal_interactivity"; });
  const auto column = [&](const std::string& name) {
    return static_cast<size_t>(std::find_if(table->columns.begin(), table->columns.end(),
                                            [&](const SheetColumn& of) { return of.name == name; }) -
                               table->columns.begin());
  };
  EXPECT_EQ(table->rows.at(0).at(column("b_low")).number, of_b.low);
  EXPECT_EQ(table->rows.at(0).at(column("b_high")).number, of_b.high);
  EXPECT_THAT(table->rows.at(0).at(column("b")).below, testing::MatchesRegex("6[0-9.]+–6[0-9.]+"));
}

}  // namespace
}  // namespace assay
