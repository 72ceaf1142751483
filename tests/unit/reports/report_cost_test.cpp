// The money of a report: one hand-computed cost, and what must never be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_model.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// 36,667 output tokens/s: at 13.2 CNY/h that is 0.01 CNY per 100K tokens (facts C4).
Record output_record(const std::string& product, double tokens_per_s) {
  Record r;
  r.id = "0123456789abcdef" + product;
  r.created = "2026-11-20T00:00:00Z";
  r.status = "ok";
  r.basis = "measured";
  r.device_product = product;
  r.case_id = "decode/m/bf16/b64/c512";
  r.case_hash = "h";
  r.model = "m";
  r.dtype = "bf16";
  r.step_kind = "decode";
  r.token_class = "output";
  r.tokens_per_step = 100000;
  for (int i = 0; i < 40; ++i) {
    const auto ns = static_cast<uint64_t>(1e9 * 100000 / tokens_per_s * (i % 2 == 0 ? 0.999 : 1.001));
    r.samples.start_ns.push_back(static_cast<uint64_t>(i) * ns);
    r.samples.host_ns.push_back(ns);
  }
  return r;
}

ReportOptions rent_of(double cny_per_hour) {
  ReportPricing pricing;
  pricing.choices.overrides[CostInput::kRent] = exact_estimate(cny_per_hour, "reported", "an offer");
  pricing.targets = {{"0.01 CNY/100K tokens", 1e-7}};
  ReportOptions options;
  options.pricing = std::move(pricing);
  return options;
}

TEST(ReportCost, GoldenRentAndRateGiveTheTarget) {
  const ReportModel m = report_model({output_record("x", 36667)}, rent_of(13.2));
  ASSERT_EQ(m.costs.size(), 1U);
  ASSERT_EQ(m.costs[0].missing, "");
  const Amount& amount = m.costs[0].cost.of(m.costs[0].cost.headline);
  EXPECT_NEAR(*amount.value * 1e5, 0.01, 1e-6);
  EXPECT_EQ(m.cost_answer.kind, "one-chip");
  ASSERT_EQ(m.costs[0].rows.size(), 1U);
}

// Of two runs with different options the one that was counted is named.
TEST(ReportCost, TheRowIsOfTheRunThatCounts) {
  Record slow = output_record("x", 20000), fast = output_record("x", 36667);
  slow.id = "slow";
  fast.adapter_options.emplace()["attention"] = "own";
  const ReportModel m = report_model({slow, fast}, rent_of(13.2));
  ASSERT_EQ(m.costs.size(), 1U);
  ASSERT_EQ(m.costs[0].rows.size(), 1U);
  EXPECT_EQ(m.rows[m.costs[0].rows[0]].id, fast.id);
}

TEST(ReportCost, CheapestIsNamedWhereIntervalsAreApart) {
  const ReportModel m = report_model({output_record("slow", 10000), output_record("fast", 36667)}, rent_of(13.2));
  EXPECT_EQ(m.cost_answer.kind, "cheapest");
  ASSERT_EQ(m.cost_answer.costs.size(), 2U);
  EXPECT_EQ(m.chips[m.costs[m.cost_answer.costs[0]].chip].product, "fast");
}

// 6.6 CNY/h over 36,667 tokens/s: 0.005 CNY per 100K, half of the target. At 3 CNY/h 10,000 tokens/s cost 0.008333.
TEST(ReportCost, TheMailSaysWhatThePageDoes) {
  ReportOptions options = rent_of(6.6);
  options.pricing->choices.chip = "h200";
  options.pricing->book.chips.emplace_back().id = "h200";
  const std::string one = report_markdown(report_model({output_record("x", 36667)}, options));
  EXPECT_THAT(one, HasSubstr("**x: 0.005"));
  EXPECT_THAT(one, HasSubstr(" CNY per 100K output tokens, m bf16 ("));
  EXPECT_THAT(one, HasSubstr("- rates of x at the prices of h200, as --chip says\n"));
  EXPECT_THAT(one, HasSubstr("- target 0.01 CNY/100K tokens: reached (95 %)\n"));
  EXPECT_THAT(one, HasSubstr("- one chip only: x, 36"));
  EXPECT_THAT(one, HasSubstr(" tokens/s [measured], case decode/m/bf16/b64/c512\n"));
  const std::string two =
      report_markdown(report_model({output_record("slow", 10000), output_record("fast", 36667)}, rent_of(3)));
  EXPECT_THAT(two, HasSubstr("**fast is the cheapest: 0.00227"));
  EXPECT_THAT(two, HasSubstr("; the second, slow: 0.0083"));
}

// A rate that llama-bench states of one of the same product: a chip of its own in the report, and a cost of its own.
Record imported_record(const std::string& product) {
  Record r;
  r.id = "fedcba9876543210" + product;
  r.status = "ok";
  r.basis = "reported";
  r.device_product = product;
  r.case_id = "llama-bench/m/tg128";
  r.case_hash = "i";
  r.model = "m";
  r.tier = "request";
  r.reported.emplace();
  r.reported->figures = {
      {"output_tokens_per_s", "tokens/s", "mean", "tokens-per-s/mean-of-rates", "avg_ts", 5000, 4900, 5100, 5}};
  r.reported->stated = {{"gpu_info", "x"}};
  return r;
}

TEST(ReportCost, EachCostIsOfTheChipOfItsRecords) {
  Record measured = output_record("NVIDIA H200", 36667);
  measured.adapter = "cuda";
  const ReportModel m = report_model({imported_record("NVIDIA H200"), measured}, rent_of(13.2));
  ASSERT_EQ(m.chips.size(), 2U);
  ASSERT_EQ(m.costs.size(), 2U);
  for (const ReportCost& c : m.costs) {
    ASSERT_EQ(c.rows.size(), 1U);
    EXPECT_EQ(c.chip, m.rows[c.rows[0]].chip) << c.basis;
  }
  EXPECT_EQ(chip_name(m, m.rows[0].chip), "NVIDIA H200 (imported)");
  EXPECT_EQ(chip_name(m, m.rows[1].chip), "NVIDIA H200 (cuda)");
  const std::string text = report_markdown(m);
  EXPECT_THAT(text, HasSubstr("| NVIDIA H200 (cuda) | m bf16, output | 0.01 |"));
  EXPECT_THAT(text, HasSubstr("| NVIDIA H200 (imported) | m, output | 0.07333 |")) << "13.2 / 3600 / 5000 x 1e5";
}

// What a source doesn't name is what --chip says; of what it names another the rates are another's.
TEST(ReportCost, AChipThatItsSourceDoesNotNameIsTheGivenOne) {
  ReportOptions options = rent_of(13.2);
  ReportPricing& pricing = *options.pricing;
  pricing.book.chips.emplace_back().id = "h200";
  pricing.choices.chip = "h200";
  const auto text = [&](const std::string& product) {
    const std::vector<CostSubject> subjects = cost_subjects({imported_record(product)}, {}, pricing.book);
    return subject_text(*price_subject(subjects.front(), pricing.choices, pricing.book));
  };
  EXPECT_EQ(text(""), "h200, m, reported, request");
  EXPECT_EQ(text("MI300X"), "h200 (rates of MI300X), m, reported, request");
  const ReportModel m = report_model({imported_record("")}, options);
  EXPECT_THAT(m.costs[0].notes, ::testing::Contains("the source names no chip: h200, as --chip says"));
  EXPECT_EQ(chip_name(m, 0), "(chip not named)");
}

TEST(ReportCost, AMissingPriceIsALineNotAnError) {
  ReportOptions options;
  options.pricing = ReportPricing{};
  const ReportModel m = report_model({output_record("x", 36667)}, options);
  ASSERT_EQ(m.costs.size(), 1U);
  EXPECT_THAT(m.costs[0].missing, HasSubstr("chip_price"));
  EXPECT_EQ(m.cost_answer.kind, "none");
}

TEST(ReportCost, AConfidentialPriceIsUsedAndNotWritten) {
  ReportOptions options = rent_of(0);
  ReportPricing& pricing = *options.pricing;
  pricing.book = *parse_price_book(R"({"schema_version": 1, "name": "mine", "date": "2026-11", "confidential": true,
    "fx": [{"currency": "USD", "cny": {"value": 6.60993, "date": "2026-11", "source": "an offer", "grade": "V"}}]})",
                                   "mine.json");
  pricing.choices.overrides[CostInput::kRent] = *parse_money("2 USD/h", "/h", pricing.book, "--rent");
  const ReportModel m = report_model({output_record("x", 36667)}, options);
  const std::string text = report_json(m);
  EXPECT_THAT(text, Not(HasSubstr("an offer")));
  const nlohmann::json cost = nlohmann::json::parse(text)["costs"][0];
  for (const auto& input : cost["inputs"]) {
    if (input["name"] == "rent") {
      EXPECT_TRUE(input["value"].is_null() && input["confidential"].get<bool>());
    }
  }
  for (const auto& verdict : cost["verdicts"]) {
    for (const auto& lever : verdict["levers"]) EXPECT_NE(lever["input"], "rent");
  }
  // Of the step 10^(10/12) = 6.8129 that holds the rate: nobody reckons 6.60993 back.
  EXPECT_NEAR(cost["per_token"][2]["value"].get<double>() * 1e5, 0.01 * 2 * 6.8129 / 13.2, 1e-6);
  EXPECT_TRUE(cost["per_hour"]["value"].is_null()) << "it is the rent";
  for (const auto& verdict : cost["verdicts"]) EXPECT_TRUE(verdict["waterfall"].empty()) << "a factor is the rent";
}

CostRow owned_row(const std::string& product, const std::string& dtype, const std::string& basis, double rate) {
  CostRow row;
  row.priced.subject.product = product;
  row.priced.subject.model = "m";
  row.priced.subject.dtype = dtype;
  row.priced.subject.tier = "program";
  row.priced.subject.basis = basis;
  CostInputs& in = row.priced.inputs;
  for (const auto& [input, value] : std::vector<std::pair<CostInput, double>>{{CostInput::kChipPrice, 87600},
                                                                              {CostInput::kServerFactor, 1},
                                                                              {CostInput::kLifeYears, 10},
                                                                              {CostInput::kDiscountRate, 0},
                                                                              {CostInput::kSalvageShare, 0},
                                                                              {CostInput::kOpexShare, 0},
                                                                              {CostInput::kUtilisation, 1},
                                                                              {CostInput::kWallKw, 1},
                                                                              {CostInput::kPue, 1},
                                                                              {CostInput::kTariff, 1}})
    in.at(input) = exact_estimate(value, "assumed", "test");
  in.at(CostInput::kOutputRate) = exact_estimate(rate, basis, "test");
  row.cost = cost(in);
  return row;
}

// An hour is 87600 / (10 x 8760) + 1 = 2 yuan. The slow chip, at 1000 tokens/s against 1500, must cost 2 x 2/3 = 1.3333
// an hour to tie, of which 1 is power: a third of its price; the fast one 2 x 1.5 = 3: twice its price.
TEST(CostSheet, BreakEvenIsOfTwoChipsAtTheSameWork) {
  const std::vector<CostRow> rows{
      owned_row("slow", "bf16", "measured", 1000), owned_row("slow", "f32", "measured", 900),
      owned_row("slow", "bf16", "projected", 1000), owned_row("fast", "bf16", "measured", 1500)};
  const Sheet sheet = cost_sheet(rows);
  const auto table = std::find_if(sheet.tables.begin(), sheet.tables.end(),
                                  [](const SheetTable& t) { return t.name == "break_even"; });
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_EQ(table->rows[0][0].text, "slow, m bf16");
  EXPECT_EQ(table->rows[0][1].text, "fast, m bf16");
  EXPECT_EQ(table->rows[0][3].text, "29200");
  EXPECT_EQ(table->rows[1][3].text, "175200");
  EXPECT_EQ(subject_text(rows[2].priced), "slow, m bf16, projected");
}

}  // namespace
}  // namespace assay
