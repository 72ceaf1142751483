#include "reports/sheet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"

namespace assay {
namespace {

Sheet sample() {
  Sheet sheet;
  sheet.tables.push_back({"first",
                          "",
                          {{"chip", "chip", false}, {"value", "CNY", true}, {"low", "", true}, {"why", "why", false}},
                          {{"A", {"1.5", 1.5}, {"", 1.25}, "because, \"so\""}, {"=B", {}, {"", NAN}, "x | y"}}});
  sheet.tables.push_back({"empty", "Nothing", {{"a", "a", false}}, {}});
  sheet.notes = {"a note of some words"};
  return sheet;
}

TEST(Sheet, TextIsAlignedAndLeavesEmptyTablesOut) {
  EXPECT_EQ(render_sheet(sample(), TableFormat::kText, {}),
            "chip  CNY  why\n"
            "A     1.5  because, \"so\"\n"
            "=B      –  x | y\n"
            "\n"
            "- a note of some words\n");
}

TEST(Sheet, TextWrapsTheLastColumn) {
  TableOptions narrow;
  narrow.width = 30;
  Sheet sheet = sample();
  sheet.tables[0].rows[0][3].text = "one two three four five six seven";
  const std::string text = render_sheet(sheet, TableFormat::kText, narrow);
  EXPECT_THAT(text, testing::HasSubstr("A     1.5  one two three four five\n           six seven\n"));
}

// An interval takes no width of its own: below its value on a terminal, beside what the last column wraps into; in
// brackets elsewhere, and for programs its bounds are columns.
TEST(Sheet, AnIntervalStandsBelowItsValue) {
  Sheet sheet = sample();
  sheet.tables[0].rows[0][1].below = "1.25–1.9";
  EXPECT_EQ(render_sheet(sheet, TableFormat::kText, {}),
            "chip       CNY  why\n"
            "A          1.5  because, \"so\"\n"
            "      1.25–1.9\n"
            "=B           –  x | y\n"
            "\n"
            "- a note of some words\n");
  sheet.tables[0].rows[0][3].text = "one two three four five six seven";
  TableOptions narrow;
  narrow.width = 30;
  EXPECT_THAT(render_sheet(sheet, TableFormat::kText, narrow),
              testing::HasSubstr("A          1.5  one two three four five\n      1.25–1.9  six seven\n=B"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kMarkdown, {}), testing::HasSubstr("| A | 1.5 (1.25–1.9) | one two"));
  EXPECT_THAT(render_sheet(sheet, TableFormat::kCsv, {}), testing::HasSubstr("A,1.5,1.25,"));
}

// "long name  metric  first  second  why", 4 + 24 wide at least: 9 + 2 + 6 + 2 + 5 + 2 + 6 + 2 + 24 = 58.
TEST(Sheet, NarrowTerminalsLoseColumnsByTheirRank) {
  Sheet sheet;
  const std::string why = "some words that are as long as that";
  sheet.tables.push_back(
      {"t",
       "",
       {{"a", "name"}, {"m", "metric"}, {"b", "first", true, 1}, {"c", "second", true, 3}, {"w", "why", false, 2}},
       {{"long name", "rate", "1", "2", why}, {"b", "p50", "3", "2", ""}}});
  const auto at = [&](int width) { return render_sheet(sheet, TableFormat::kText, {width, false}); };
  EXPECT_THAT(at(58), testing::StartsWith("name       metric  first  second  why\n"));
  EXPECT_THAT(at(57), testing::StartsWith("name       metric  first  why\n"));
  EXPECT_THAT(at(57), testing::HasSubstr("- left out, the terminal is narrow: second (2)\n"));
  EXPECT_EQ(at(45),
            "name       metric  first\n"
            "long name  rate        1\n"
            "b          p50         3\n"
            "- left out, the terminal is narrow: second\n"
            "  (2), why\n"
            "- long name, rate: some words that are as\n"
            "  long as that\n");
}

TEST(Sheet, MarkdownEscapes) {
  EXPECT_EQ(render_sheet(sample(), TableFormat::kMarkdown, {}),
            "| chip | CNY | why |\n"
            "|---|---:|---|\n"
            "| A | 1.5 | because, \"so\" |\n"
            "| =B | – | x \\| y |\n"
            "\n"
            "- a note of some words\n");
}

TEST(Sheet, CsvIsRawAndSafeInASpreadsheet) {
  EXPECT_EQ(render_sheet(sample(), TableFormat::kCsv, {}),
            "chip,value,low,why\r\n"
            "A,1.5,1.25,\"because, \"\"so\"\"\"\r\n"
            "'=B,,,x | y\r\n");
}

// Curves are such tables: people read each with its notes, programs read one list.
TEST(Sheet, TablesOfTheSameColumnsAreOneListForPrograms) {
  const std::vector<SheetColumn> columns{
      {"context", "context", true}, {"step_low_ns", "95 %", true}, {"step_high_ns", ""}};
  const std::vector<SheetTable> tables{
      {"", "one", columns, {{{"512", 512}, {"1 ns–3 ns", 1}, {"", 3}}}, {"first note"}},
      {"", "two", columns, {{{"1024", 1024}, {"2 ns–4 ns", 2}, {"", 4}}}, {"second note"}}};
  EXPECT_EQ(render_like_tables(tables, TableFormat::kText, {}),
            "one\ncontext       95 %\n    512  1 ns–3 ns\n- first note\n"
            "\ntwo\ncontext       95 %\n   1024  2 ns–4 ns\n- second note\n");
  EXPECT_EQ(render_like_tables(tables, TableFormat::kCsv, {}),
            "context,step_low_ns,step_high_ns\r\n512,1,3\r\n1024,2,4\r\n");
  const auto list = nlohmann::json::parse(render_like_tables(tables, TableFormat::kJson, {}));
  EXPECT_EQ(list, nlohmann::json::parse(R"([{"context": 512.0, "step_low_ns": 1.0, "step_high_ns": 3.0},
                                            {"context": 1024.0, "step_low_ns": 2.0, "step_high_ns": 4.0}])"));
  EXPECT_THAT(render_like_tables(tables, TableFormat::kMarkdown, {}),
              testing::HasSubstr("| 512 | 1 ns–3 ns |\n\n- first note\n\n**two**"));
}

TEST(Sheet, JsonIsRawWithNullForAbsent) {
  const auto out = nlohmann::json::parse(render_sheet(sample(), TableFormat::kJson, {}));
  EXPECT_EQ(out["first"][0]["value"], 1.5);
  EXPECT_EQ(out["first"][0]["low"], 1.25);
  EXPECT_TRUE(out["first"][1]["value"].is_null());
  EXPECT_TRUE(out["first"][1]["low"].is_null());
  EXPECT_TRUE(out["empty"].empty());
  EXPECT_EQ(out["notes"][0], "a note of some words");
}

TEST(Sheet, MoneyHasFourDigits) {
  EXPECT_EQ(money_text(0.080561), "0.08056");
  EXPECT_EQ(money_text(8.0561), "8.056");
  EXPECT_EQ(money_text(123456), "123456");
  EXPECT_EQ(money_text(0.01), "0.01");
  EXPECT_EQ(money_text(0), "0");
  EXPECT_EQ(money_text(1.2e-7), "0.00000012");
}

}  // namespace
}  // namespace assay
