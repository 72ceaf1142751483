// Records against their published schema, by another library than the one that reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "results/import/import.h"
#include "results/record.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

class RecordSchema : public testing::Test {
 protected:
  RecordSchema() {
    std::ifstream in(ASSAY_SOURCE_DIR "/results/schema/record.schema.json");
    const json document = json::parse(in);
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema_);
  }
  // "" or the first thing that the schema does not allow.
  std::string fault(const json& record) {
    valijson::Validator validator;
    valijson::ValidationResults results;
    if (validator.validate(schema_, valijson::adapters::NlohmannJsonAdapter(record), &results)) return "";
    valijson::ValidationResults::Error error;
    results.popError(error);
    std::string text = error.description;
    for (const std::string& part : error.context) text += " " + part;
    return text;
  }
  valijson::Schema schema_;
};

json published() {
  for (const auto& entry : fs::recursive_directory_iterator(ASSAY_SOURCE_DIR "/results/published")) {
    if (!entry.path().string().ends_with(".record.json")) continue;
    std::ifstream in(entry.path());
    return json::parse(in);
  }
  return nullptr;
}

TEST_F(RecordSchema, AReportedRecordKeepsIt) {
  const Result<std::vector<Record>> records = import_file(ASSAY_SOURCE_DIR "/tests/golden/import/vllm_serve.json", "");
  ASSERT_TRUE(records.ok()) << records.error().message;
  Record reported = records->at(0);
  reported.id = std::string(32, '0');  // written records carry one
  const json record = json::parse(record_to_json(reported));
  EXPECT_EQ(fault(record), "");
  json wrong = record;
  wrong["reported"]["figures"][0].erase("definition");
  EXPECT_THAT(fault(wrong), testing::HasSubstr("definition"));
}

TEST_F(RecordSchema, EveryPublishedRecordKeepsIt) {
  size_t n = 0;
  for (const auto& entry : fs::recursive_directory_iterator(ASSAY_SOURCE_DIR "/results/published")) {
    if (!entry.path().string().ends_with(".record.json")) continue;
    std::ifstream in(entry.path());
    EXPECT_EQ(fault(json::parse(in)), "") << entry.path();
    ++n;
  }
  EXPECT_GT(n, 0U);
}

TEST_F(RecordSchema, ARecordWithEveryPartSetKeepsIt) {
  Record r = *record_from_json(published().dump(), "published");
  r.numerics.whole = OpNumerics{"hidden", "whole", "f32", 1e-7, 1e-5, 64, true, ""};
  r.extrapolation = Extrapolation{4, 32, 1e6, 5e5, 2, 8e6, "linear", "time"};
  r.counters.push_back({"cycles", std::nullopt, "no PMU"});
  r.energy.joules = 12.5;
  r.adapter_options.emplace()["products"] = "own";
  json record = json::parse(record_to_json(r));
  EXPECT_EQ(fault(record), "");
}

TEST_F(RecordSchema, WhatTheReaderRefusesTheSchemaRefuses) {
  const json good = published();
  const auto refused = [&](const char* pointer, const json& value) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    EXPECT_NE(fault(bad), "") << pointer;
    EXPECT_FALSE(record_from_json(bad.dump(), "bad").ok()) << pointer;
  };
  refused("/basis", "guessed");
  refused("/status", 3);
  refused("/batch", -1);
  refused("/craeted", "");
  refused("/samples/host_ns/count", "four");
  refused("/numerics/verdict", "maybe");
  refused("/adapter_options", "products=own");
  refused("/energy/joules", "much");
  json missing = good;
  missing.erase("samples");
  EXPECT_NE(fault(missing), "");
}

}  // namespace
}  // namespace assay
