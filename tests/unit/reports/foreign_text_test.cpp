// What an adapter, a record or an endpoint says can't act on a terminal, leave its cell or become markup in any form.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/csv.h"
#include "reports/html/report_forms.h"
#include "reports/sheet.h"
#include "reports/tables.h"
#include "reports/text.h"
#include "tests/unit/reports/report_records.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kEvil = "\x1b[2J<script>x</script>|`[a](http://b)\nnext";

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c < 0x20 && c != '\n') || c == 0x7f; });
}

std::vector<Record> evil_records() {
  Record right = decode_record(kEvil, 10, 50), failed = decode_record("other", 10, 50);
  right.device_driver = right.adapter_vendor = right.executed = right.energy.reason = kEvil;
  right.warnings = right.noise.causes = {kEvil};
  right.noise.disturbed = true;
  right.environment["os"] = kEvil;
  failed.status = "failed";
  failed.reason = kEvil;
  return {right, failed};
}

long lines_of(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

TEST(ForeignText, OnATerminalIsShownOnItsLine) {
  for (const int width : {0, 80}) {
    const std::string table = render_table(evil_records(), TableFormat::kText, {width, false});
    EXPECT_FALSE(has_control(table)) << table;
    EXPECT_THAT(table, HasSubstr("\\x1b[2J<script>x</script>|`"));
    EXPECT_THAT(table, Not(HasSubstr("\nnext")));
  }
  const std::string page = render_record_page(evil_records()[0], {});
  EXPECT_FALSE(has_control(page)) << page;
  EXPECT_THAT(page, Not(HasSubstr("\nnext")));
  EXPECT_THAT(page, HasSubstr("\\x1b[2J<script>x</script>|`"));
}

TEST(ForeignText, OfSheetsIsShownToo) {
  const Sheet sheet{{{"t", kEvil, {{"a", "name"}, {"b", "why"}}, {{kEvil, kEvil}}, {kEvil}}}, {kEvil}};
  const std::string text = render_sheet(sheet, TableFormat::kText, {});
  EXPECT_FALSE(has_control(text)) << text;
  EXPECT_THAT(text, Not(HasSubstr("\nnext")));
  const std::string markdown = render_sheet(sheet, TableFormat::kMarkdown, {});
  EXPECT_FALSE(has_control(markdown)) << markdown;
  EXPECT_THAT(markdown, Not(HasSubstr("\nnext")));
  EXPECT_THAT(markdown, HasSubstr("| \\\\x1b[2J\\<script>x\\</script>\\|\\`[a\\](http://b) next |"));
}

TEST(ForeignText, InMarkdownIsNoMarkup) {
  EXPECT_EQ(markdown_escaped("<b> & &lt; a<b 1 <= 2 <30 s <!-- </p>"),
            "\\<b> & \\&lt; a\\<b 1 <= 2 <30 s \\<!-- \\</p>");
  EXPECT_EQ(markdown_escaped("int8_w8a8 _a_ **b** ~~c~~ `d`"), "int8_w8a8 \\_a\\_ \\*\\*b\\*\\* \\~\\~c\\~\\~ \\`d\\`");
  EXPECT_EQ(markdown_escaped("[a](b) [a][b] [a]: b [measured]"), "[a\\](b) [a\\][b] [a\\]: b [measured]");
  EXPECT_EQ(markdown_item("# head"), "- \\# head\n");
  EXPECT_EQ(markdown_item("> quote"), "- \\> quote\n");
  EXPECT_EQ(markdown_item("5 > 3"), "- 5 > 3\n");
}

TEST(ForeignText, LeavesNoCellOfAMarkdownReport) {
  const std::string table = render_table(evil_records(), TableFormat::kMarkdown, {});
  EXPECT_FALSE(has_control(table)) << table;
  const std::string report = report_markdown(model_of(evil_records()));
  EXPECT_FALSE(has_control(report)) << report;
  for (const std::string& text : {table, report}) {
    EXPECT_THAT(text, HasSubstr("\\\\x1b[2J\\<script>x\\</script>\\|\\`[a\\](http://b) next"));
    EXPECT_THAT(text, Not(HasSubstr("\nnext")));
  }
}

TEST(ForeignText, LeavesNoRowOfCsvAndIsNoFormula) {
  EXPECT_EQ(csv_field("a\nb\x1b", false), "a b\\x1b");
  for (const char* formula : {"=1+1", "+1", "-1", "@A1", "\t=1", " =1", "\r=1", "＝1"}) {
    const std::string field = csv_field(formula, false);
    EXPECT_TRUE(field[0] == '\'' || field[0] == '\\') << field;
  }
  EXPECT_EQ(csv_field("-1.5", true), "-1.5") << "a number stays one";
  EXPECT_EQ(lines_of(render_table(evil_records(), TableFormat::kCsv, {})), 3) << "a heading and two records";
  EXPECT_EQ(lines_of(report_csv(model_of(evil_records()))), 3);
}

// Plots are SVG, in which a control character is no XML at all.
TEST(ForeignText, OfThePageAndItsPlotsIsShown) {
  const nlohmann::json model = nlohmann::json::parse(report_json(model_of(evil_records())));
  std::vector<std::string> products;
  for (const auto& chip : model.at("chips")) products.push_back(chip.at("product"));
  EXPECT_THAT(products, testing::Contains("\\x1b[2J<script>x</script>|`[a](http://b)\nnext"));
}

}  // namespace
}  // namespace assay
