// The report as text, workbook, JSON and page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "reports/html/report_fields.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_page.h"
#include "reports/html/report_words.h"
#include "tests/unit/reports/report_records.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportForms, TablesSayWithWhichOptionsARunWas) {
  Record tuned = decode_record("x", 10, 50);
  tuned.adapter_options.emplace()["products"] = "own";
  const ReportModel m = model_of({tuned, decode_record("x", 20, 50, "2026-11-19")});
  EXPECT_THAT(report_markdown(m), HasSubstr("| decode/m/bf16/b1/c512 (products=own) |"));
  EXPECT_THAT(report_markdown(m), HasSubstr("| decode/m/bf16/b1/c512 |"));
  EXPECT_THAT(report_csv(m), HasSubstr(",products=own,"));
}

TEST(ReportJson, HoldsEveryFieldByNameAndNoMarkup) {
  Record r = decode_record("</script><b>", 10, 50);
  const std::string text = report_json(model_of({r}));
  EXPECT_THAT(text, Not(HasSubstr("<")));
  const nlohmann::json j = nlohmann::json::parse(text);
  EXPECT_EQ(j["chips"][0]["product"], "</script><b>");
  const auto& fields = j["row_fields"];
  ASSERT_EQ(fields.size(), j["rows"][0].size());
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i] == "rate") {
      EXPECT_NEAR(j["rows"][0][i].get<double>(), 100, 1e-6);
    }
    if (fields[i] == "steps") {
      EXPECT_EQ(j["rows"][0][i], 50);
    }
    if (fields[i] == "joules_per_token") {
      EXPECT_TRUE(j["rows"][0][i].is_null());
    }
  }
}

TEST(ReportForms, CsvKeepsCellsApartAndFormulasText) {
  const std::string csv = report_csv(model_of({decode_record("=cmd|, \"x\"", 10, 50)}));
  EXPECT_THAT(csv, HasSubstr("\"'=cmd|, \"\"x\"\"\",decode/m/bf16/b1/c512,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
}

TEST(ReportForms, MarkdownNamesTheBasisOfItsAnswer) {
  const std::string text = report_markdown(model_of({decode_record("slow", 20, 50), decode_record("fast", 10, 50)}));
  EXPECT_THAT(text, HasSubstr("fast is the fastest: 100.000 tokens/s [measured]"));
  EXPECT_THAT(text, HasSubstr("- case decode/m/bf16/b1/c512\n"));
}

// 50 steps of 10 ms of 2 of 24 layers; the whole projected at 80 ms a step: 12.5 tokens/s.
Record part_record() {
  Record part = decode_record("x", 10, 50);
  part.extrapolation = Extrapolation{2, 24, 10e6, 5e6, 1, 80e6, "linear", "memory"};
  return part;
}

TEST(ReportForms, APartsRateGoesWithItsWordsAndTheWholeModels) {
  const ReportModel m = model_of({part_record()});
  const std::string text = report_markdown(m);
  EXPECT_THAT(text, HasSubstr("| 100.000 tokens/s (2/24 layers; the whole projected: 12.50 tokens/s) |"));
  EXPECT_THAT(text, HasSubstr("| measured, 2/24 layers |"));
  EXPECT_THAT(text, HasSubstr("- x · decode/m/bf16/b1/c512: only a part of the model ran (2/24 layers); not compared "
                              "with runs of the whole\n"));
  EXPECT_THAT(text, Not(HasSubstr("100.000 tokens/s |"))) << "nowhere without";
  EXPECT_THAT(text, Not(HasSubstr("100.000 tokens/s ["))) << "nowhere without";
  const ReportTable table = summary_table(m);
  const auto at = [&](const std::string& title) {
    const auto found = std::find(table.titles.begin(), table.titles.end(), title);
    EXPECT_NE(found, table.titles.end()) << title;
    return table.rows.at(0).at(static_cast<size_t>(found - table.titles.begin()));
  };
  EXPECT_EQ(at("basis"), FieldValue("measured, 2/24 layers"));
  EXPECT_EQ(at("part of the model"), FieldValue("2/24 layers"));
  EXPECT_NEAR(std::get<double>(at("whole model's rate, projected")), 12.5, 1e-9);
  EXPECT_NEAR(std::get<double>(at("rate")), 100, 1e-6);
}

// 24000 tokens/s of 8 accelerators and 2500 of one: two systems of one case, 3000 and 2500 of one accelerator each.
TEST(ReportForms, EachImportedResultHasItsLine) {
  std::vector<Record> records;
  for (const auto& [count, rate] : {std::pair("8", 24000.0), {"1", 2500.0}, {"", 900.0}}) {
    Record r = decode_record("MI300X", 1, 0);
    r.id = std::string("id-of-") + count;
    r.basis = "reported";
    r.adapter = "";
    r.reported.emplace();
    r.reported->figures = {
        {"output_tokens_per_s", "tokens/s", "total", "output-tokens-per-s/wall", "result", rate, {}, {}, {}}};
    if (*count != '\0') r.reported->stated = {{"a#", count}, {"Nodes", "1"}};
    records.push_back(std::move(r));
  }
  const ReportModel m = model_of(records);
  const std::string text = report_markdown(m);
  EXPECT_THAT(text, HasSubstr("| 3000 tokens/s | – | – | – | – | reported, 8 accelerators | id-of-8 |"));
  EXPECT_THAT(text, HasSubstr("| 2500 tokens/s | – | – | – | – | reported, 1 accelerator | id-of-1 |"));
  EXPECT_THAT(text, HasSubstr("| – | – | – | – | – | reported | id-of- |"));
  EXPECT_THAT(text, Not(HasSubstr("| ok |"))) << "no status is a rate";
  EXPECT_THAT(text, HasSubstr("a reported rate is of one accelerator of the number beside its basis"));
  EXPECT_EQ(summary_table(m).rows.size(), 3U);
}

// In the words of the page (apart_* of web/src/text.ts).
TEST(ReportForms, WhatCannotBeComparedIsSaidInWords) {
  Record unnamed = decode_record("", 1, 0);
  unnamed.basis = "reported";
  unnamed.device = unnamed.adapter = "";
  unnamed.tier = "request";
  unnamed.case_id = "inferencex/m/conc4";
  unnamed.reported.emplace();
  unnamed.reported->figures = {
      {"output_tokens_per_s", "tokens/s", "total", "output-tokens-per-s/wall", "result", 900, {}, {}, {}}};
  Record failed = decode_record("x", 10, 50);
  failed.status = "failed";
  failed.reason = "numerics: op rope";
  Record twice = decode_record("x", 10, 50);
  twice.case_id = "decode/m/bf16/b2/c512";
  twice.noise = {};
  twice.noise.disturbed = true;
  twice.noise.causes = {"steal 4.1 %"};
  const std::string text = report_markdown(model_of({unnamed, failed, twice}));
  EXPECT_THAT(text, HasSubstr("- (chip not named) · inferencex/m/conc4: no rate of one chip (the source doesn't say of "
                              "how many accelerators its rate is)\n"));
  EXPECT_THAT(text, HasSubstr("- x · decode/m/bf16/b1/c512: failed: numerics: op rope\n"));
  EXPECT_THAT(text, HasSubstr("- x · decode/m/bf16/b2/c512: disturbed (steal 4.1 %)\n"));
  EXPECT_THAT(text, HasSubstr("- x: cases that no other chip has run: 1\n"));
  for (const char* code : {"no-rate", "one-chip", ", , inferencex", "| ok |"}) EXPECT_THAT(text, Not(HasSubstr(code)));
  EXPECT_THAT(text, HasSubstr("| x | decode/m/bf16/b1/c512 | failed |"));
}

TEST(ReportForms, MarkdownDatesWhatStandsForSeveral) {
  const Record first = decode_record("x", 10, 50, "2026-11-23T03:12:59Z"),
               last = decode_record("x", 10, 50, "2026-11-24T03:13:00Z");
  EXPECT_THAT(report_markdown(model_of({first, last})),
              HasSubstr("| x | decode/m/bf16/b1/c512 | 2026-11-24 03:13 | 100"));
  EXPECT_THAT(report_markdown(model_of({first})), Not(HasSubstr("2026-11-23 03:12")));
}

TEST(ReportForms, WorkbookIsAZipOfSheets) {
  const Result<std::string> book = report_xlsx(model_of({decode_record("x", 10, 50)}));
  ASSERT_TRUE(book.ok()) << book.error().message;
  EXPECT_EQ(book->substr(0, 4), "PK\x03\x04");
  EXPECT_THAT(*book, HasSubstr("xl/worksheets/sheet2.xml"));
}

TEST(ReportPage, PutsLanguageAndModelInTheirPlaces) {
  const Result<std::string> page = report_page("<a lang='{{lang}}'>{{model}}</a>", R"({"t":"{{lang}}"})", "zh");
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(*page, R"(<a lang='zh'>{"t":"{{lang}}"}</a>)");
  EXPECT_FALSE(report_page("no place", "{}", "").ok());
}

}  // namespace
}  // namespace assay
