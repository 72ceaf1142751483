#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include <fstream>

#include "suites/base/json_input.h"
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
  for (const auto& [folder, schema] : {std::pair{"models", "model.schema.json"}, {"defs", "suite.schema.json"}}) {
    for (const auto& entry : fs::directory_iterator(kData / folder)) {
      EXPECT_EQ(schema_fault(schema, load(entry.path())), "") << entry.path();
      ++files;
    }
  }
  EXPECT_GE(files, 9);
}

// Totals as published: facts of the model cards, in billions; and the exact counts of the published weight files.
TEST(Catalogue, ParametersAreThoseOfThePublishedModels) {
  const std::map<std::string, double> kCards = {{"smollm2-135m", 0.135}, {"qwen2.5-0.5b", 0.49}, {"llama-3.1-8b", 8.03},
                                                {"llama-3.1-70b", 70.6}, {"qwen3-32b", 32.8},    {"qwen2.5-72b", 72.7},
                                                {"glm-4-9b", 9.4}};
  size_t found = 0;
  for (const ModelShape& m : models()) {
    ASSERT_TRUE(kCards.contains(m.name)) << m.name;
    EXPECT_NEAR(m.params() / 1e9, kCards.at(m.name), kCards.at(m.name) * 0.01) << m.name;
    EXPECT_EQ(m.params(), m.published_params) << m.name;
    ++found;
  }
  EXPECT_EQ(found, kCards.size());
}

// KiB per token with two-byte elements, as tabulated from the public configurations.
TEST(Catalogue, KvBytesPerToken) {
  const std::map<std::string, double> kKib = {{"smollm2-135m", 22.5}, {"qwen2.5-0.5b", 12}, {"llama-3.1-8b", 128},
                                              {"llama-3.1-70b", 320}, {"qwen3-32b", 256},   {"qwen2.5-72b", 320},
                                              {"glm-4-9b", 40}};
  for (const ModelShape& m : models()) EXPECT_EQ(m.kv_bytes_per_token(2) / 1024, kKib.at(m.name)) << m.name;
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
       "s.json: quick.cases[0]: case mine/decode/smollm2-135m/f32/b1/c9000: tokens + context: expected at most the "
       "8192 "
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

}  // namespace
}  // namespace assay
