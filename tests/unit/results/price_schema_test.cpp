// The shipped prices and claims, and a plan request, against their published schemas, by another library than the one
// that reads them.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "results/plan/plan.h"
#include "results/prices/claims.h"

namespace assay {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

json file(const std::string& path) {
  std::ifstream in(ASSAY_SOURCE_DIR "/results/" + path);
  return json::parse(in);
}

bool keeps(const std::string& schema_path, const json& document) {
  const json text = file(schema_path);
  valijson::Schema schema;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(NlohmannJsonAdapter(text), schema);
  valijson::Validator validator;
  return validator.validate(schema, NlohmannJsonAdapter(document), nullptr);
}

// What the schema refuses the reader refuses too, and what it lets pass is read.
TEST(PriceSchemas, ShippedBook) {
  json book = file("prices/shipped.json");
  EXPECT_TRUE(keeps("prices/price_book.schema.json", book));
  book["chips"][0]["prize"] = json::array();
  EXPECT_FALSE(keeps("prices/price_book.schema.json", book));
  EXPECT_FALSE(parse_price_book(book.dump(), "b").ok());
  book["chips"][0].erase("prize");
  book["chips"][0]["price"][0].erase("currency");
  EXPECT_FALSE(keeps("prices/price_book.schema.json", book));
  EXPECT_FALSE(parse_price_book(book.dump(), "b").ok());
}

TEST(PriceSchemas, ShippedClaims) {
  json claims = file("prices/claims.json");
  EXPECT_TRUE(keeps("prices/claims.schema.json", claims));
  json two = claims;
  two["claims"][0]["chip"] = "H200";
  EXPECT_FALSE(keeps("prices/claims.schema.json", two)) << "a chip beside a vendor";
  two["claims"][0].erase("vendor");
  EXPECT_TRUE(keeps("prices/claims.schema.json", two));
  two["claims"][0]["market"] = true;
  EXPECT_FALSE(keeps("prices/claims.schema.json", two)) << "a chip beside the market";
  claims["claims"][0].erase("price");
  EXPECT_FALSE(keeps("prices/claims.schema.json", claims));
  EXPECT_FALSE(parse_claims(claims.dump(), "c").ok());
}

TEST(PriceSchemas, PlanExample) {
  json plan = file("plan/example.json");
  EXPECT_TRUE(keeps("plan/plan.schema.json", plan));
  plan["units"][0]["cost_per_hour"] = {
      {"value", 2}, {"currency", "CNY"}, {"date", "2026"}, {"source", "s"}, {"grade", "V"}};
  EXPECT_FALSE(keeps("plan/plan.schema.json", plan));
  EXPECT_FALSE(parse_plan(plan.dump(), "p", {}).ok());
}

TEST(PriceSchemas, PlanRequest) {
  json plan = json::parse(R"({"schema_version": 1, "name": "x",
    "traffic": {"requests_per_s": 1, "prompt_tokens": 1000, "output_tokens": 100}, "limits": {"ttft_ms": 500},
    "units": [{"name": "A", "basis": "measured", "link_gb_s": 12.5, "kv_bytes_per_token": 70272,
      "cost_per_hour": {"value": 2, "currency": "CNY", "date": "2026-11", "source": "offer", "grade": "V"},
      "prefill": [{"prompt_tokens": 1000, "tokens_per_s": 5000}],
      "decode": [{"batch": 8, "context": 2000, "step_ms": 20}]}]})");
  EXPECT_TRUE(keeps("plan/plan.schema.json", plan));
  EXPECT_TRUE(parse_plan(plan.dump(), "p", PriceBook{}).ok());
  json no_basis = plan;
  no_basis["units"][0].erase("basis");
  EXPECT_FALSE(keeps("plan/plan.schema.json", no_basis));
  EXPECT_FALSE(parse_plan(no_basis.dump(), "p", PriceBook{}).ok());
  plan["units"][0]["cost_per_hour"].erase("currency");
  EXPECT_FALSE(keeps("plan/plan.schema.json", plan));
  EXPECT_FALSE(parse_plan(plan.dump(), "p", PriceBook{}).ok());
}

}  // namespace
}  // namespace assay
