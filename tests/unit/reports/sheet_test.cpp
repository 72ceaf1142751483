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
