// The money of a report: one hand-computed cost, and what must never be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"
#include "reports/html/model_parts.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_model.h"
#include "suites/suite.h"

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

TEST(ReportCost, AMissingPriceIsALineNotAnError) {
  ReportOptions options;
  options.pricing = ReportPricing{};
  const ReportModel m = report_model({output_record("x", 36667)}, options);
  ASSERT_EQ(m.costs.size(), 1U);
  EXPECT_THAT(m.costs[0].missing, HasSubstr("chip_price"));
  EXPECT_EQ(m.cost_answer.kind, "none");
}

Record sized_record(const std::string& product, const std::string& model, double tokens_per_s) {
  Record r = output_record(product, tokens_per_s);
  r.id = product + model;
  r.model = model;
  r.case_id = "decode/" + model + "/bf16/b64/c512";
  r.case_hash = model;
  return r;
}

std::vector<std::string> works(const ReportModel& m, const std::vector<size_t>& costs) {
  std::vector<std::string> out;
  for (const size_t i : costs) out.push_back(m.chips[m.costs[i].chip].product + ", " + m.costs[i].work());
  return out;
}

// A sixtieth of the size: what both chips ran is no headline, but is told beside it.
TEST(ReportCost, TheHeadlineIsOfNoModelMuchSmallerThanTheLargest) {
  const ReportModel m = report_model(
      {sized_record("one", "m-135m", 9000), sized_record("other", "m-135m", 20000), sized_record("one", "m-8b", 1000)},
      rent_of(13.2));
  EXPECT_EQ(m.cost_answer.kind, "one-chip");
  EXPECT_THAT(works(m, m.cost_answer.costs), testing::ElementsAre("one, m-8b bf16"));
  EXPECT_THAT(works(m, m.cost_answer.compared), testing::ElementsAre("other, m-135m bf16", "one, m-135m bf16"));
  EXPECT_EQ(m.cost_answer.works, 2U);
  const std::string text = report_markdown(m);
  EXPECT_THAT(text, HasSubstr("CNY per 100K output tokens, m-8b bf16 ("));
  EXPECT_THAT(text, HasSubstr("- cases decode/m-8b/bf16/b64/c512\n"));
  EXPECT_THAT(text, HasSubstr("- compared: other, 0.01833 CNY per 100K output tokens, m-135m bf16 ("));
  EXPECT_THAT(text, HasSubstr("at least a tenth of the parameters of the largest one measured whole"));
}

// 7 of 8 are not much smaller: there two chips compare. Where both sizes have as many chips, the larger is taken.
TEST(ReportCost, OfModelsOfSimilarSizeTheHeadlineIsOfTheOneThatMoreChipsRan) {
  std::vector<Record> records{sized_record("one", "m-7b", 9000), sized_record("other", "m-7b", 20000),
                              sized_record("one", "m-8b", 1000)};
  ReportModel m = report_model(records, rent_of(13.2));
  EXPECT_THAT(works(m, m.cost_answer.costs), testing::ElementsAre("other, m-7b bf16", "one, m-7b bf16"));
  EXPECT_TRUE(m.cost_answer.compared.empty());
  records.push_back(sized_record("other", "m-8b", 1100));
  m = report_model(records, rent_of(13.2));
  EXPECT_THAT(works(m, m.cost_answer.costs), testing::ElementsAre("other, m-8b bf16", "one, m-8b bf16"));
}

// Three stand-ins of a larger model say nothing of what was measured.
TEST(ReportCost, TheHeadlineIsOfWhatWasMeasured) {
  std::vector<Record> records{sized_record("real", "m-1b", 9000)};
  for (const char* chip : {"a", "b", "c"}) {
    records.push_back(sized_record(chip, "m-8b", 1000));
    records.back().basis = "simulated";
  }
  const ReportModel m = report_model(records, rent_of(13.2));
  EXPECT_THAT(works(m, m.cost_answer.costs), testing::ElementsAre("real, m-1b bf16"));
}

// Of the shape where the record holds it (Llama 3.1 8B: 8.03e9 by its publisher, whatever the name), else of the name.
TEST(ReportCost, TheSizeOfAModelIsOfItsShapeOrItsName) {
  const Result<Catalogue> catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites");
  ASSERT_TRUE(catalogue.ok());
  Case work;
  work.suite = "decode";
  work.kind = StepKind::kDecode;
  work.model = *catalogue->model("llama-3.1-8b");
  work.dtype = "bf16";
  work.context = 512;
  Record shaped = sized_record("x", "renamed-70b", 1000);
  shaped.case_json = work.to_json();
  std::map<std::string, double> sizes;
  std::vector<Record> records{shaped};
  for (const char* name :
       {"llama2-70b-99", "mixtral-8x7b", "Qwen2.5-0.5B-Instruct", "qwen3-30b-a3b", "smollm2-135m", "r1"})
    records.push_back(sized_record("x", name, 1000));
  const ReportModel m = report_model(records, rent_of(13.2));
  for (const ReportCase& c : m.cases) sizes[c.model] = c.parameters;
  EXPECT_NEAR(sizes["renamed-70b"], 8.03e9, 0.01e9);
  EXPECT_DOUBLE_EQ(sizes["llama2-70b-99"], 70e9);
  EXPECT_DOUBLE_EQ(sizes["mixtral-8x7b"], 56e9);
  EXPECT_DOUBLE_EQ(sizes["Qwen2.5-0.5B-Instruct"], 0.5e9);
  EXPECT_DOUBLE_EQ(sizes["qwen3-30b-a3b"], 30e9);
  EXPECT_DOUBLE_EQ(sizes["smollm2-135m"], 135e6);
  EXPECT_EQ(sizes["r1"], 0);
}

// A chunk of 512 tokens behind 4096: its step is no prompt's.
Record chunk_record(const std::string& product) {
  Record r = output_record(product, 20000);
  r.case_id = "long-context/prefill/m/bf16/b1/t512/c4096";
  r.case_hash = "chunk";
  r.step_kind = "prefill";
  r.token_class = "input";
  r.batch = 1;
  r.tokens = 512;
  r.context = 4096;
  return r;
}

TEST(ReportCost, ChunksAloneAreNamedAndSaidToHaveNoCost) {
  const ReportModel m = report_model({chunk_record("x")}, rent_of(13.2));
  EXPECT_TRUE(m.costs.empty());
  EXPECT_THAT(m.cost_left_out, testing::ElementsAre("long-context/prefill/m/bf16/b1/t512/c4096: a chunk behind a "
                                                    "context is no prompt and not priced"));
  EXPECT_TRUE(std::any_of(m.incomparable.begin(), m.incomparable.end(),
                          [](const Incomparable& i) { return i.kind == "chunk" && i.count == 1; }));
  EXPECT_EQ(nlohmann::json::parse(report_json(m))["cases"][0]["piece"], "chunk of 512 tokens of a prompt, behind 4096");
  const std::string text = report_markdown(m);
  EXPECT_THAT(text,
              HasSubstr("; a chunk of 512 tokens of a prompt, behind 4096, measured apart: no figure of a whole"));
  EXPECT_THAT(text, HasSubstr("- no cost: long-context/prefill/m/bf16/b1/t512/c4096: a chunk behind a context"));
  EXPECT_THAT(text, HasSubstr("t512/c4096 (chunk of 512 tokens of a prompt, behind 4096) |"));
}

// A prompt of the same length at half the rate stands before the chunk.
TEST(ReportCost, AWholePromptAnswersBeforeAChunk) {
  Record prompt = chunk_record("x");
  prompt.id = "prompt";
  prompt.case_id = "prefill/m/bf16/b1/t512";
  prompt.case_hash = "prompt";
  prompt.context = 0;
  for (uint64_t& ns : prompt.samples.host_ns) ns *= 2;
  const ReportModel m = report_model({chunk_record("x"), prompt}, rent_of(13.2));
  ASSERT_TRUE(m.answer.test_case);
  EXPECT_EQ(m.cases[*m.answer.test_case].id, "prefill/m/bf16/b1/t512");
  EXPECT_TRUE(m.cost_left_out.empty()) << "a note of the prompt's cost says it";
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
  EXPECT_EQ(table->rows[0][3].text, "fast, m bf16");
  EXPECT_EQ(table->rows[0][7].text, "29200");
  EXPECT_EQ(table->rows[1][7].text, "175200");
  EXPECT_EQ(subject_text(rows[2].priced), "slow, m bf16, projected");
}

// The rival's price is known to lie from 78,840 to 96,360: its hour costs 1.9 to 2.1. At two thirds of its rate the
// slow chip must cost 1.2667 to 1.4 an hour, of which 1 is power: a price from 23,360 to 35,040.
TEST(CostSheet, WhatTiesAConfidentialPriceIsARange) {
  CostRow rival = owned_row("fast", "bf16", "measured", 1500);
  Estimate& price = *rival.priced.inputs.at(CostInput::kChipPrice);
  price.low = 78840;
  price.high = 96360;
  price.confidential = true;
  rival.cost = cost(rival.priced.inputs);
  const nlohmann::json sheet = nlohmann::json::parse(render_sheet(
      cost_sheet({owned_row("slow", "bf16", "measured", 1000), rival}), TableFormat::kJson, TableOptions{}));
  const nlohmann::json& row = sheet["break_even"].at(0);
  EXPECT_EQ(row["chip"], "slow, m bf16");
  EXPECT_TRUE(row["break_even_price_cny"].is_null());
  EXPECT_NEAR(row["break_even_low_cny"].get<double>(), 23360, 1e-6);
  EXPECT_NEAR(row["break_even_high_cny"].get<double>(), 35040, 1e-6);
  EXPECT_EQ(sheet["break_even"].at(1)["now_cny"], "withheld");
  const std::string text = render_sheet(cost_sheet({owned_row("slow", "bf16", "measured", 1490), rival}),
                                        TableFormat::kText, TableOptions{});
  EXPECT_THAT(text, HasSubstr("0.0–100.0 %"));
  EXPECT_THAT(text, HasSubstr("P as a range: the exact figure within the step"));
}

// The same work of an owned and of a rented chip: each table of two says which way is whose, and the notes once what
// takes them alike.
TEST(CostSheet, TheWayOfPayingStandsBesideEachCost) {
  CostRow rented = owned_row("hired", "bf16", "measured", 1500);
  rented.priced.inputs.rented = true;
  rented.priced.inputs.at(CostInput::kRent) = exact_estimate(10, "assumed", "test");
  rented.cost = cost(rented.priced.inputs);
  CostRow owned = owned_row("bought", "bf16", "measured", 1000);
  owned.priced.inputs.at(CostInput::kUtilisation) = exact_estimate(0.5, "assumed", "test");
  owned.cost = cost(owned.priced.inputs);
  const nlohmann::json sheet =
      nlohmann::json::parse(render_sheet(cost_sheet({owned, rented}), TableFormat::kJson, TableOptions{}));
  for (const char* table : {"probability_cheaper", "break_even"}) {
    const nlohmann::json& row = sheet[table].at(0);
    EXPECT_EQ(row["way"], "owned") << table;
    EXPECT_EQ(row["utilisation"], 0.5) << table;
    EXPECT_EQ(row["rival_way"], "rented") << table;
    EXPECT_EQ(row["rival_utilisation"], 1.0) << table;
  }
  EXPECT_EQ(sheet["cost"].back()["way"], "rented");
  const std::string note =
      "bought is owned (used 50.0 %), hired rented (used 100.0 %; electricity and the provider's margin are in the "
      "rent): a price, or a rent, of each in a price book (--prices) with --owned, or --rented, takes them alike";
  EXPECT_EQ(std::count(sheet["notes"].begin(), sheet["notes"].end(), note), 1);
  const SheetTable cheaper = cheaper_table({owned}, {rented});
  const nlohmann::json row =
      nlohmann::json::parse(render_sheet({{cheaper}, {}}, TableFormat::kJson, TableOptions{}))["cheaper"].at(0);
  EXPECT_EQ(row["a_way"], "owned");
  EXPECT_EQ(row["b_way"], "rented");
  EXPECT_EQ(row["b_utilisation"], 1.0);
  EXPECT_EQ(way_notes({owned}, {rented}), std::vector<std::string>{note});
  PricedChip chip;
  chip.id = "bought";
  chip.rent_per_hour.emplace_back();
  owned.priced.chip = chip;
  EXPECT_THAT(way_notes({rented}, {owned}).at(0), HasSubstr("in the rent): --rented takes them alike"));
  EXPECT_TRUE(way_notes({owned}, {owned}).empty());
}

}  // namespace
}  // namespace assay
