// The published schema of suites against the reader: what the one refuses the other does, too.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "suites/case.h"
#include "suites/suite.h"

namespace assay {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

std::string text_of(const std::string& file) {
  std::ifstream in(std::string(ASSAY_SOURCE_DIR) + "/" + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

class SuiteSchema : public testing::Test {
 protected:
  SuiteSchema() : schema_json_(json::parse(text_of("suites/schema/suite.schema.json"))) {
    valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(NlohmannJsonAdapter(schema_json_), schema_);
  }
  bool keeps(const json& document) {
    valijson::Validator validator;
    return validator.validate(schema_, NlohmannJsonAdapter(document), nullptr);
  }
  // What the reader says is wrong; "" where it reads the suite.
  std::string fault(const json& document) const {
    const Result<Suite> read = parse_suite(document.dump(), "s.json", catalogue_.models(), catalogue_.videos(),
                                           [this](const std::string& name) { return catalogue_.suite(name); });
    return read.ok() ? "" : read.error().message;
  }
  void agree(const json& document, bool good) {
    EXPECT_EQ(keeps(document), good) << document;
    EXPECT_EQ(fault(document).empty(), good) << document << "\n" << fault(document);
  }

  json schema_json_;
  valijson::Schema schema_;
  Catalogue catalogue_ = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
};

json block() {
  return json::parse(
      R"({"kind": "decode", "models": ["smollm2-135m"], "dtypes": ["f32"], "batch": [1], "context": [16]})");
}

json suite() {
  json out = json::parse(R"({"name": "mine", "version": 1, "title": "t", "question": "q"})");
  for (const char* form : {"quick", "full"}) out[form]["cases"] = json::array({block()});
  return out;
}

TEST_F(SuiteSchema, TheExampleOfTheReadme) {
  const std::string readme = text_of("README.md");
  const size_t begin = readme.find("```json\n", readme.find("<!-- suite-example:begin -->"));
  ASSERT_NE(begin, std::string::npos);
  agree(json::parse(readme.substr(begin + 8, readme.find("```", begin + 8) - begin - 8)), true);
}

TEST_F(SuiteSchema, WhatASuiteMustSayAndOneThatExtendsMayLeaveOut) {
  agree(suite(), true);
  agree(json::parse(R"({"name": "mine", "extends": "decode"})"), true);
  agree(json::parse(R"({"name": "mine"})"), false);
  json half = json::parse(R"({"name": "mine", "extends": "decode", "quick": {"policy": {"time_limit_s": 10}}})");
  agree(half, true);
  half["full"]["more_cases"] = json::array({block()});
  agree(half, true);
  half["full"]["cases"] = json::array({block()});
  agree(half, true);
  half["full"]["most_cases"] = json::array({block()});
  agree(half, false);
  for (const char* name : {"version", "title", "question", "quick", "full"}) {
    json document = suite();
    document.erase(name);
    agree(document, false);
  }
  json more = suite();
  more["full"]["more_cases"] = json::array({block()});
  agree(more, false);
  json caseless = suite();
  caseless["full"] = json::parse(R"({"policy": {"launches": 2}})");
  agree(caseless, false);
}

TEST_F(SuiteSchema, EveryKindTakesTheDtypesThatTheReaderDoes) {
  std::map<std::string, json> blocks;
  for (const Suite& s : catalogue_.suites()) {
    const json defs = json::parse(text_of("suites/defs/" + s.name + ".json"));
    for (const char* form : {"quick", "full"}) {
      for (const json& b : defs[form]["cases"]) blocks.emplace(b["kind"].get<std::string>(), b);
    }
  }
  for (const std::string& kind : step_kind_names()) EXPECT_EQ(blocks.count(kind), 1U) << kind;
  for (auto& [kind, b] : blocks) {
    for (const std::string& dtype : dtype_plan_names()) {
      b["dtypes"] = json::array({dtype});
      json document = suite();
      document["full"]["cases"] = json::array({b});
      EXPECT_EQ(keeps(document), fault(document).empty()) << kind << " " << dtype << "\n" << fault(document);
    }
    b["dtypes"] = json::array({"f31"});
    json document = suite();
    document["full"]["cases"] = json::array({b});
    agree(document, false);
  }
}

TEST_F(SuiteSchema, FieldsThatNeedAnother) {
  const auto with = [](const char* text) {
    json document = suite();
    document["quick"]["cases"][0].update(json::parse(text));
    return document;
  };
  agree(with(R"({"kv_layout": "paged", "page_tokens": [16], "page_seed": 2})"), true);
  agree(with(R"({"kv_layout": "contiguous", "page_tokens": [16]})"), false);
  agree(with(R"({"page_seed": 2})"), false);
  agree(with(R"({"routing_seed": 2})"), false);
  agree(with(R"({"tokens": [1]})"), false);
}

}  // namespace
}  // namespace assay
