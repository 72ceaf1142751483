// Which model and case the cost of a report's headline is of.
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
  EXPECT_DOUBLE_EQ(sizes["mixtral-8x7b"], 0) << "not known: the experts share parts";
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

}  // namespace
}  // namespace assay
