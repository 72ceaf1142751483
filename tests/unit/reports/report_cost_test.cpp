// The money of a report: one hand-computed cost, and what must never be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"
#include "reports/html/model_parts.h"
#include "reports/html/report_forms.h"
#include "suites/suite.h"
#include "tests/unit/reports/cost_records.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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
  EXPECT_THAT(two, HasSubstr("; its closest rival, slow: 0.0083"));
  EXPECT_THAT(two, HasSubstr("; P(fast cheaper) 100.0 % [measured]**"));
}

// At a rent over the use u a token costs rent / u / rate. Where both share u (0.3 to 0.8, mostly 0.6), 10 % more tokens
// are 1/1.1 of the cost at each u, and never more: P = 1. Each interval alone reaches over a factor of two (the
// triangle's quantiles of u: 0.3 + sqrt(0.025 x 0.5 x 0.3) = 0.361 to 0.8 - sqrt(0.025 x 0.5 x 0.2) = 0.75), so that
// they overlap.
TEST(ReportCost, IntervalsThatOverlapByASharedInputDecide) {
  ReportOptions options = rent_of(13.2);
  Estimate use = exact_estimate(0.6, "assumed", "given");
  use.low = 0.3;
  use.high = 0.8;
  options.pricing->choices.overrides[CostInput::kUtilisation] = use;
  const ReportModel m = report_model(
      {output_record("slow", 30000), output_record("fast", 33000), output_record("slower", 20000)}, options);
  ASSERT_EQ(m.cost_answer.costs.size(), 3U);
  const auto of = [&](size_t i) { return m.costs[m.cost_answer.costs[i]].cost.of(TokenClass::kOutput).interval; };
  EXPECT_GT(of(0).high, of(1).low);
  EXPECT_EQ(m.cost_answer.kind, "cheapest");
  EXPECT_EQ(m.cost_answer.rival, 1U);
  ASSERT_EQ(m.cost_answer.probabilities.size(), 2U);
  EXPECT_EQ(m.cost_answer.probabilities[0]->low, 1.0);
  const std::string text = report_markdown(m);
  EXPECT_THAT(text, HasSubstr("**fast is the cheapest: "));
  EXPECT_THAT(text, HasSubstr("- P(fast cheaper): 100.0 % against slow, 100.0 % against slower; both drawn together"));
  const auto answer = nlohmann::json::parse(report_json(m))["cost_answer"];
  EXPECT_EQ(answer["probabilities"][1], (nlohmann::json{{"low", 1.0}, {"high", 1.0}}));
  EXPECT_EQ(answer["rival"], 1);
}

// Two of one rate at one rent: nothing but the scatter of the rates says which is the cheaper.
TEST(ReportCost, WhatIsAsLikelyAsNotIsUndecidedAndSaysHowLikely) {
  const ReportModel m = report_model({output_record("a", 30000), output_record("b", 30000)}, rent_of(13.2));
  EXPECT_EQ(m.cost_answer.kind, "undecided");
  ASSERT_TRUE(m.cost_answer.probabilities.at(0));
  EXPECT_NEAR(m.cost_answer.probabilities[0]->low, 0.5, 0.03);
  EXPECT_THAT(report_markdown(m), HasSubstr("**cost doesn't decide between a and b, P(a cheaper) "));
}

// From `low` CNY an hour, typically that, to `high`.
ReportCost rented_cost(double low, double high) {
  ReportCost c;
  c.model = "m";
  c.basis = "measured";
  c.inputs.rented = true;
  Estimate rent = exact_estimate(low, "assumed", "an offer of " + std::to_string(high));
  rent.high = high;
  c.inputs.at(CostInput::kRent) = rent;
  c.inputs.at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "test");
  c.inputs.at(CostInput::kOutputRate) = exact_estimate(1000, "measured", "test");
  c.cost = cost(c.inputs);
  return c;
}

// The rent of `a` is 1 to 10 yuan, typically 1 (mean 4), that of b 2: a's typical cost is the lower, yet b is cheaper
// wherever a's rent is over 2, (10 - 2)^2 / (9 x 9) = 79.0 % of the triangle. Of a rent from 1.95 on b is so in 1 -
// (8 / 8.05)^2 = 1.2 % less than all: b goes before a.
TEST(ReportCost, TheTypicalValueAloneRanksNothing) {
  const ReportModel none;
  const ReportCostAnswer open = cost_answer_of({rented_cost(1, 10), rented_cost(2, 2)}, none);
  EXPECT_EQ(open.costs, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(open.kind, "undecided");
  EXPECT_NEAR(open.probabilities.at(0)->low, 0.21, 0.02);
  const ReportCostAnswer sure = cost_answer_of({rented_cost(1.95, 10), rented_cost(2, 2)}, none);
  EXPECT_EQ(sure.costs, (std::vector<size_t>{1, 0}));
  EXPECT_EQ(sure.kind, "cheapest");
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
  EXPECT_THAT(text, HasSubstr("| NVIDIA H200 (cuda) | m bf16, output | rented | 100.0 % | 0.01 |"));
  EXPECT_THAT(text, HasSubstr("| NVIDIA H200 (imported) | m, output | rented | 100.0 % | 0.07333 |"))
      << "13.2 / 3600 / 5000 x 1e5";
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

// A book with a price in dollars and a rent in yuan, at 7.18.
ReportOptions two_currencies() {
  ReportOptions options = rent_of(0);
  const std::string cell = R"("date": "2026-11", "source": "a list", "grade": "C"})";
  options.pricing->book = *parse_price_book(
      R"({"schema_version": 1, "name": "mine", "date": "2026-11", "fx": [{"currency": "USD", "cny": {"value": 7.18, )" +
          cell + R"(}], "chips": [{"id": "one", "price": [{"value": 25000, "currency": "USD", )" + cell +
          R"(], "rent_per_hour": [{"value": 9, "currency": "CNY", )" + cell + "]}]}",
      "mine.json");
  options.pricing->choices.chip = "one";
  return options;
}

// 13.2 CNY are 13.2 at any rate of exchange, whatever the book's price is in; 2 USD x 7.18 = 14.36 CNY.
TEST(ReportCost, TheCurrencyIsThatOfTheAmountThatCounts) {
  ReportOptions options = two_currencies();
  std::map<CostInput, Estimate>& given = options.pricing->choices.overrides;
  const auto cost_at = [&](const char* rent) {
    given[CostInput::kRent] = *parse_money(rent, "/h", options.pricing->book, "--rent");
    return report_model({output_record("x", 36667)}, options).costs.at(0);
  };
  const ReportCost yuan = cost_at("13.2 CNY/h"), dollars = cost_at("2 USD/h");
  EXPECT_EQ(yuan.price_currency, "CNY");
  EXPECT_EQ(yuan.price_fx, 1);
  EXPECT_EQ(dollars.price_currency, "USD");
  EXPECT_EQ(dollars.price_fx, 7.18);
  EXPECT_NEAR(dollars.inputs.at(CostInput::kRent)->typical, 14.36, 1e-12);
  given.clear();
  options.pricing->choices.rented = true;
  EXPECT_EQ(report_model({output_record("x", 36667)}, options).costs.at(0).price_currency, "CNY") << "the book's rent";
}

// Of no chip that a book knows: 220,000 CNY in 5 years of 8,760 h, half of them used, are 10.0457 CNY an hour, and 1 kW
// x 1.2 x 0.5 CNY/kWh are 0.6 more.
TEST(ReportCost, WhatIsGivenBothWaysCanBePaidBothWays) {
  ReportOptions options = rent_of(13.2);
  std::map<CostInput, Estimate>& given = options.pricing->choices.overrides;
  for (const auto& [input, value] : std::map<CostInput, double>{{CostInput::kServerFactor, 1},
                                                                {CostInput::kLifeYears, 5},
                                                                {CostInput::kDiscountRate, 0},
                                                                {CostInput::kSalvageShare, 0},
                                                                {CostInput::kOpexShare, 0},
                                                                {CostInput::kUtilisation, 0.5},
                                                                {CostInput::kWallKw, 1},
                                                                {CostInput::kIdlePowerShare, 0},
                                                                {CostInput::kPue, 1.2},
                                                                {CostInput::kTariff, 0.5}})
    given[input] = exact_estimate(value, "assumed", "given");
  EXPECT_FALSE(report_model({output_record("x", 36667)}, options).costs.at(0).other_way) << "no price is known";
  given[CostInput::kChipPrice] = exact_estimate(220000, "reported", "an offer");
  const ReportCost both = report_model({output_record("x", 36667)}, options).costs.at(0);
  EXPECT_TRUE(both.inputs.rented);
  ASSERT_TRUE(both.other_way);
  EXPECT_FALSE(both.other_way->inputs.rented);
  EXPECT_NEAR(*cost(both.other_way->inputs).per_hour.value, 10.0457 + 0.6, 1e-4);
}

// A rent in a confidential step from 9 to 11 beside one of 10: which is the cheaper only the exact figure says. Beside
// one of 12 it is the first whatever it is, and beside one of 8 the other.
TEST(ReportCost, WithinAConfidentialStepNothingIsRanked) {
  ReportCost step = rented_cost(9, 11);
  step.inputs.at(CostInput::kRent)->confidential = true;
  step.inputs.at(CostInput::kRent)->typical = 9.9;
  step.cost = cost(step.inputs);
  ReportModel m;
  m.chips.resize(2);
  m.chips[0].product = "a";
  m.chips[1].product = "b";
  m.costs = {step, rented_cost(10, 10)};
  m.costs[1].chip = 1;
  m.cost_answer = cost_answer_of(m.costs, m);
  EXPECT_EQ(m.cost_answer.kind, "rounding");
  EXPECT_THAT(report_markdown(m),
              HasSubstr("**can't tell within the rounding of a confidential price whether a or b is "
                        "the cheaper, P(a cheaper) 0.0–100.0 %, by the exact figure: "));
  EXPECT_EQ(nlohmann::json::parse(report_json(m))["cost_answer"]["probabilities"][0],
            (nlohmann::json{{"low", 0.0}, {"high", 1.0}}));
  const ReportCostAnswer first = cost_answer_of({step, rented_cost(12, 12)}, m);
  EXPECT_EQ(first.kind, "cheapest");
  EXPECT_EQ(first.costs[0], 0U);
  const ReportCostAnswer second = cost_answer_of({step, rented_cost(8, 8)}, m);
  EXPECT_EQ(second.kind, "cheapest");
  EXPECT_EQ(second.costs[0], 1U);
}

// An hour of `hired` is its rent of 10 CNY, electricity in it; one of `bought`, at 87,600 CNY over ten years without
// interest, 1 CNY an hour over a use of 0.5 = 2, and 1 kW x 1 CNY = 3 CNY. At 36,667 tokens/s that is 3 / 3600 / 36667
// x 1e5 = 0.002273 CNY per 100K, of which power a third.
TEST(ReportCost, ARentBesideACostOfOwningIsSaid) {
  const auto cell = [](double value, const std::string& more = "") {
    return R"([{"value": )" + std::to_string(value) + more + R"(, "date": "2026", "source": "s", "grade": "A"}])";
  };
  const std::string cny = R"(, "currency": "CNY")";
  const auto text_with = [&](const std::string& bought) {
    ReportOptions options;
    options.pricing = ReportPricing{};
    const Result<PriceBook> book = parse_price_book(
        R"({"schema_version": 1, "name": "mine", "date": "2026-11", "economics": {"server_factor": )" + cell(1) +
            R"(, "life": )" + cell(10) + R"(, "discount_rate": )" + cell(0) + R"(, "salvage_share": )" + cell(0) +
            R"(, "opex_share": )" + cell(0) + R"(, "utilisation": )" + cell(0.5) + R"(, "pue": )" + cell(1) +
            R"(}, "tariffs": [{"id": "t", "bands": [{"name": "all", "hours": [[0, 24]], "price": )" + cell(1, cny) +
            R"(}]}], "chips": [{"id": "hired", "rent_per_hour": )" + cell(10, cny) + R"(, "wall_kw": )" + cell(1) +
            R"(}, {"id": "bought", "wall_kw": )" + cell(1) + R"(, "price": )" + cell(87600, cny) + bought + "}]}",
        "mine.json");
    EXPECT_TRUE(book.ok()) << book.error().message;
    options.pricing->book = *book;
    options.pricing->choices.tariff = "t";
    return report_markdown(report_model({output_record("hired", 36667), output_record("bought", 36667)}, options));
  };
  const std::string neither = text_with("");
  EXPECT_THAT(neither, HasSubstr("| hired | m bf16, output | rented | 100.0 % | 0.007576 |"));
  EXPECT_THAT(neither, HasSubstr(" | in the rent | measured, prices assumed |"));
  EXPECT_THAT(neither, HasSubstr("| bought | m bf16, output | owned | 50.0 % | 0.002273 |"));
  EXPECT_THAT(neither, HasSubstr(" | 0.0007576 | measured, prices assumed |"));
  EXPECT_THAT(neither, HasSubstr("- rents stand beside costs of owning: a rent holds the provider's margin and "
                                 "discounts; a price, or a rent, of each in a price book"));
  EXPECT_THAT(text_with(R"(, "rent_per_hour": )" + cell(9, cny)),
              HasSubstr("margin and discounts; --rented takes them alike"));
}

}  // namespace
}  // namespace assay
