// The money of a report: one hand-computed cost, and what must never be written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"
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
  EXPECT_THAT(two, HasSubstr("; the second, slow: 0.0083"));
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
