#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <fstream>

#include "suites/base/json_input.h"
#include "suites/case.h"
#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
const fs::path kData = fs::path(ASSAY_SOURCE_DIR) / "suites";

nlohmann::json load(const fs::path& file) { return nlohmann::json::parse(std::ifstream(file)); }

std::string schema_fault(const std::string& schema_name, const nlohmann::json& document) {
  const nlohmann::json schema_json = load(kData / "schema" / schema_name);
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(valijson::adapters::NlohmannJsonAdapter(schema_json), schema);
  valijson::ValidationResults results;
  valijson::Validator validator;
  if (validator.validate(schema, valijson::adapters::NlohmannJsonAdapter(document), &results)) return "";
  valijson::ValidationResults::Error error;
  return results.popError(error) ? error.description : "invalid";
}

std::vector<ModelShape> models() {
  const Result<Catalogue> c = Catalogue::load(kData);
  EXPECT_TRUE(c.ok()) << c.error().message;
  return c.ok() ? c->models() : std::vector<ModelShape>{};
}

TEST(Catalogue, ShippedFilesKeepTheirSchemas) {
  int files = 0;
  for (const auto& [folder, schema] : {std::pair{"models", "model.schema.json"},
                                       {"models/video", "video.schema.json"},
                                       {"defs", "suite.schema.json"}}) {
    for (const auto& entry : fs::directory_iterator(kData / folder)) {
      if (!entry.is_regular_file()) continue;
      EXPECT_EQ(schema_fault(schema, load(entry.path())), "") << entry.path();
      ++files;
    }
  }
  EXPECT_GE(files, 19);
}

// Of each model: billions of parameters and of active ones as its card or the tabulated public configurations say, and
// KiB of KV cache per token with two-byte elements. Totals of the mixtures agree to 0.1 %; a total to four digits or
// more (671.03, 1026, 235.09, 116.8) is the published one. The indexer of DeepSeek-V3.2 adds, by hand,
// 61 (1536 x 64 x 128 + 7168 x 128 + 2 x 128 + 7168 x 64) = 0.852 B to DeepSeek-V3; that of GLM-5
// 78 (2048 x 32 x 128 + 6144 x 128 + 2 x 128 + 6144 x 32) = 0.731 B to its 743.2.
struct Published {
  double total, active, kv_kib, tolerance;
};
const std::map<std::string, Published>& published() {
  static const std::map<std::string, Published> kModels = {
      {"smollm2-135m", {0.135, 0.135, 22.5, 0.01}},
      {"qwen2.5-0.5b", {0.49, 0.49, 12, 0.01}},
      {"llama-3.1-8b", {8.03, 7.5, 128, 0.01}},
      {"llama-3.1-70b", {70.6, 69.5, 320, 0.01}},
      {"qwen3-32b", {32.8, 32.0, 256, 0.01}},
      {"qwen2.5-72b", {72.7, 71.5, 320, 0.01}},
      {"glm-4-9b", {9.4, 8.8, 40, 0.01}},
      {"glm-4-9b-1m", {9.48, 8.86, 80, 0.01}},
      {"baichuan2-13b", {13.9, 13.25, 800, 0.001}},
      {"deepseek-v3", {671.03, 36.6, 68.625, 0.001}},
      {"deepseek-v3.2", {671.03 + 0.852, 36.6 + 0.852, 68.625, 0.001}},
      {"kimi-k2", {1026, 31.7, 68.625, 0.001}},
      {"glm-5", {743.2 + 0.731, 40.1 + 0.731, 87.75, 0.001}},
      {"glm-4.5", {353, 32.9, 368, 0.001}},
      {"glm-4.6", {353, 32.9, 368, 0.001}},
      {"minimax-m2.5", {228.7, 10.4, 248, 0.001}},
      {"qwen3-235b-a22b", {235.09, 21.6, 188, 0.001}},
      {"qwen3-30b-a3b", {30.5, 3.0, 96, 0.0015}},
      {"gpt-oss-120b", {116.8, 5.1, 72, 0.001}},
      {"deepseek-v2-lite", {15.7, 2.4, 30.375, 0.001}},
  };
  return kModels;
}

TEST(Catalogue, ParametersAreThoseOfThePublishedModels) {
  size_t found = 0;
  for (const ModelShape& m : models()) {
    ASSERT_TRUE(published().contains(m.name)) << m.name;
    const Published& p = published().at(m.name);
    EXPECT_NEAR(m.params() / 1e9, p.total, p.total * p.tolerance) << m.name;
    EXPECT_NEAR(m.active_params() / 1e9, p.active, std::max(0.06, p.active * 0.01)) << m.name;
    EXPECT_EQ(m.published_params > 0 ? m.published_params : m.params(), m.params()) << m.name;
    ++found;
  }
  EXPECT_EQ(found, published().size());
}

TEST(Catalogue, KvBytesPerToken) {
  for (const ModelShape& m : models())
    EXPECT_EQ(m.kv_bytes_per_token(2) / 1024, published().at(m.name).kv_kib) << m.name;
  const Result<Catalogue> c = Catalogue::load(kData);
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(c->model("deepseek-v3")->kv_bytes_per_token(2), 70272);  // 61 (512 + 64) 2
  EXPECT_EQ(c->model("deepseek-v3.2")->index_bytes_per_token(2), 61 * 128 * 2);
  EXPECT_EQ(c->model("deepseek-v3")->index_bytes_per_token(2), 0);
}

TEST(Catalogue, EverySourceIsNamed) {
  for (const ModelShape& m : models()) EXPECT_NE(m.source.find("config"), std::string::npos) << m.name;
}

// Up to the model's limit: the last chunk of a prompt and the last token decoded fill the context, of every model.
TEST(Catalogue, LongContextGoesToEachModelsLimit) {
  const Result<Catalogue> c = Catalogue::load(kData);
  ASSERT_TRUE(c.ok());
  std::map<std::pair<std::string, StepKind>, int64_t> reach;
  const Suite suite = c->suite("long-context").value();
  for (const Case& work : suite.full_cases) {
    int64_t& most = reach[{work.model.name, work.kind}];
    most = std::max(most, work.context + work.tokens);
  }
  EXPECT_EQ(reach.size(), 24u);  // prefill and decode of twelve models
  for (const auto& [step, most] : reach) EXPECT_EQ(most, c->model(step.first)->max_context) << step.first;
}

TEST(Catalogue, UnknownNamesSuggestTheNearest) {
  const Result<Catalogue> c = Catalogue::load(kData);
  ASSERT_TRUE(c.ok());
  EXPECT_EQ(c->suite("prefil").error().message, "suite: unknown 'prefil'; did you mean 'prefill'?");
  EXPECT_EQ(c->model("qwen2.5-0.5").error().message, "model: unknown 'qwen2.5-0.5'; did you mean 'qwen2.5-0.5b'?");
  EXPECT_EQ(c->suite("none.json").error().kind, ErrorKind::kBadInput);
}

nlohmann::json good_suite() {
  return {{"name", "mine"},
          {"version", 1},
          {"title", "t"},
          {"question", "q"},
          {"quick",
           {{"cases",
             {{{"kind", "decode"},
               {"models", {"smollm2-135m"}},
               {"dtypes", {"f32"}},
               {"batch", {1, 2}},
               {"context", {16, 32}}}}}}},
          {"full", {{"cases", {{{"kind", "gemm"}, {"dtypes", {"f32", "bf16"}}, {"shapes", {{8, 9, 10}}}}}}}}};
}

TEST(ParseSuite, BlocksAreTheProductOfTheirAxes) {
  const Result<Suite> suite = parse_suite(good_suite().dump(), "s.json", models());
  ASSERT_TRUE(suite.ok()) << suite.error().message;
  std::vector<std::string> ids;
  for (const Case& c : suite->quick_cases) ids.push_back(c.id());
  EXPECT_EQ(ids,
            (std::vector<std::string>{"mine/decode/smollm2-135m/f32/b1/c16", "mine/decode/smollm2-135m/f32/b1/c32",
                                      "mine/decode/smollm2-135m/f32/b2/c16", "mine/decode/smollm2-135m/f32/b2/c32"}));
  ASSERT_EQ(suite->full_cases.size(), 2u);
  EXPECT_EQ(suite->full_cases[1].id(), "mine/gemm/bf16/m8n9k10");
}

struct Fault {
  const char* pointer;
  nlohmann::json value;
  const char* message;
};

TEST(ParseSuite, FaultsNameFieldExpectationAndFinding) {
  const std::vector<Fault> faults = {
      {"/quick/cases/0/bacth", {1}, "s.json: quick.cases[0]: unknown field 'bacth'; did you mean 'batch'?"},
      {"/quick/cases/0/batch",
       {-1},
       "s.json: quick.cases[0].batch[0]: expected an integer from 1 to 1048576, found -1"},
      {"/quick/cases/0/models",
       {"smollm2-135n"},
       "s.json: quick.cases[0].models[0]: unknown value 'smollm2-135n'; did you mean 'smollm2-135m'?"},
      {"/quick/cases/0/dtypes", {"f31"}, "s.json: quick.cases[0].dtypes[0]: unknown value 'f31'; did you mean 'f32'?"},
      {"/quick/cases/0/context",
       {9000},
       "s.json: quick.cases[0].context[0]: case mine/decode/smollm2-135m/f32/b1/c9000: tokens + context: expected at "
       "most the 8192 "
       "that model 'smollm2-135m' was made for, found 1 + 9000"},
      {"/quick/policy",
       {{"time_limit_s", -1}},
       "s.json: quick.policy.time_limit_s: expected a number from 0.01 to "
       "86400.0, found -1"},
      {"/name", "Bad Name", "s.json: name: expected lower-case letters, digits, - _ and ., found the text 'Bad Name'"},
  };
  for (const Fault& fault : faults) {
    nlohmann::json document = good_suite();
    document[nlohmann::json::json_pointer(fault.pointer)] = fault.value;
    const Result<Suite> suite = parse_suite(document.dump(), "s.json", models());
    ASSERT_FALSE(suite.ok()) << fault.pointer;
    EXPECT_EQ(suite.error().message, fault.message);
    EXPECT_EQ(suite.error().kind, ErrorKind::kBadInput);
  }
}

TEST(ParseSuite, SchemaRefusesWhatTheParserRefuses) {
  EXPECT_EQ(schema_fault("suite.schema.json", good_suite()), "");
  nlohmann::json document = good_suite();
  document["quick"]["cases"][0]["bacth"] = 1;
  EXPECT_NE(schema_fault("suite.schema.json", document), "");
  document = good_suite();
  document["quick"]["cases"][0]["batch"] = {-1};
  EXPECT_NE(schema_fault("suite.schema.json", document), "");
}

TEST(ParseModel, HeadsMustShareKvHeadsEvenly) {
  nlohmann::json model = load(kData / "models" / "smollm2-135m.json");
  model["kv_heads"] = 4;
  const Result<ModelShape> m = parse_model(model.dump(), "m.json");
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.error().message, "m.json: heads: expected a multiple of kv_heads (4), found 9");
}

// Whatever else is wrong: numbers are held against each other, but none against a wrong one.
TEST(ParseModel, AllFaultsOfAShapeAtOnce) {
  nlohmann::json model = load(kData / "models" / "qwen3-30b-a3b.json");
  model["layers"] = 0;
  model["kv_heads"] = 5;
  model["head_dim"] = 127;
  model["moe"]["top_k"] = 129;
  model["moe"]["router"] = "softmx";
  model["moe"]["dense_layers"] = 3;
  const Result<ModelShape> m = parse_model(model.dump(), "m.json");
  ASSERT_FALSE(m.ok());
  std::set<std::string> found;
  for (const auto& f : m.error().faults) found.insert(f.message);
  EXPECT_EQ(found, (std::set<std::string>{
                       "layers: expected an integer from 1 to 4096, found 0",
                       "field 'ffn' is missing",
                       "heads: expected a multiple of kv_heads (5), found 32",
                       "head_dim: expected an even number, found 127",
                       "moe.top_k: expected at most the 128 experts to choose from, found 129",
                       "moe.router: unknown value 'softmx'; did you mean 'softmax'?",
                   }));
}

struct ShapeFault {
  const char* model;
  const char* pointer;
  nlohmann::json value;
  const char* message;
};

TEST(ParseModel, FaultsOfExpertsLatentAndIndex) {
  const std::vector<ShapeFault> faults = {
      {"deepseek-v3", "/moe/groups", 7, "moe.groups: expected a divisor of experts, found 7"},
      {"deepseek-v3", "/moe/top_groups", 9, "moe.top_groups: expected at most groups, found 9"},
      {"qwen3-30b-a3b", "/moe/top_k", 129, "moe.top_k: expected at most the 128 experts to choose from, found 129"},
      {"kimi-k2", "/moe/dense_layers", 61, "moe.dense_layers: expected fewer than layers, found 61"},
      {"kimi-k2", "/mla/rope_dim", 63, "mla.rope_dim: expected an even number, found 63"},
      {"kimi-k2", "/head_dim", 128, "head_dim: does not go with mla"},
      {"glm-5", "/indexer/dim", 32, "indexer.dim: expected at least mla.rope_dim, found 32"},
      {"glm-5", "/mla/q_rank", nullptr, "indexer: an indexer takes its queries from mla.q_rank, which is missing"},
      {"gpt-oss-120b", "/window/period", 1, "window.period: expected an integer from 2 to 4097, found 1"},
  };
  for (const ShapeFault& fault : faults) {
    nlohmann::json document = load(kData / "models" / (std::string(fault.model) + ".json"));
    document[nlohmann::json::json_pointer(fault.pointer)] = fault.value;
    const Result<ModelShape> m = parse_model(document.dump(), "m.json");
    ASSERT_FALSE(m.ok()) << fault.pointer;
    EXPECT_NE(m.error().message.find(fault.message), std::string::npos) << m.error().message;
  }
}

TEST(ParseModel, JsonOfAShapeIsTheShape) {
  for (const ModelShape& m : models()) {
    const std::string text = model_to_json(m);
    const Result<ModelShape> again = parse_model(text, "m.json");
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(model_to_json(*again), text);
    EXPECT_EQ(again->params(), m.params());
  }
}

}  // namespace
}  // namespace assay
