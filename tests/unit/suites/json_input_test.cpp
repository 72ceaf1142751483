#include "suites/base/json_input.h"

#include <gtest/gtest.h>

#include "suites/base/hash.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

std::string fault_of(const std::string& text, void (*read)(const JsonNode&)) {
  JsonInput input(text, "f.json");
  read(input.root());
  return input.ok() ? "" : input.error().message;
}

TEST(JsonInput, NamesTheLineOfBrokenSyntax) {
  const std::string message = fault_of("{\n  \"a\": 1,\n  oops\n}", [](const JsonNode&) {});
  EXPECT_EQ(message.rfind("f.json: line 3, column 3: not valid JSON", 0), 0u) << message;
}

TEST(JsonInput, UnknownFieldSuggestsTheNearOne) {
  EXPECT_EQ(fault_of(R"({"q": {"bacth": 1}})",
                     [](const JsonNode& n) {
                       n.at("q").fields({"batch", "tokens"});
                     }),
            "f.json: q: unknown field 'bacth'; did you mean 'batch'?");
}

TEST(JsonInput, BoundsNameWhatWasFound) {
  EXPECT_EQ(fault_of(R"({"b": [1, -4]})",
                     [](const JsonNode& n) {
                       for (const JsonNode& i : n.at("b").items()) (void)i.integer(1, 8);
                     }),
            "f.json: b[1]: expected an integer from 1 to 8, found -4");
  EXPECT_EQ(fault_of(R"({"b": 1.5})", [](const JsonNode& n) { (void)n.at("b").integer(1, 8); }),
            "f.json: b: expected an integer from 1 to 8, found 1.5");
  EXPECT_EQ(fault_of("{}", [](const JsonNode& n) { (void)n.at("b").text(); }), "f.json: field 'b' is missing");
}

TEST(JsonInput, RefusesDuplicatesDepthAndSize) {
  EXPECT_EQ(fault_of(R"({"a": {"b": 1, "b": 2}})", [](const JsonNode&) {}), "f.json: a: duplicate field 'b'");
  EXPECT_NE(fault_of(std::string(100, '[') + std::string(100, ']'), [](const JsonNode&) {}), "");
  JsonInput large("[1, 2, 3]", "f.json", {.max_bytes = 4, .max_depth = 4});
  EXPECT_FALSE(large.ok());
}

TEST(JsonInput, TheFirstFaultStays) {
  EXPECT_EQ(fault_of(R"({"a": "x", "b": "y"})",
                     [](const JsonNode& n) {
                       (void)n.at("a").integer();
                       (void)n.at("b").boolean();
                     })
                .rfind("f.json: a: expected an integer", 0),
            0u);
}

TEST(Nearest, CountsSwapsAsOne) {
  EXPECT_EQ(nearest_name("bacth", {"batch", "both"}), "batch");
  EXPECT_EQ(nearest_name("zzzzzz", {"batch", "tokens"}), std::nullopt);
}

TEST(Hash, KnownValueOfTheEmptyText) {  // published with the xxHash library: XXH3_128bits of zero bytes, seed 0
  EXPECT_EQ(xxh3_128_hex(""), "99aa06d3014798d86001c324468d497f");
}

}  // namespace
}  // namespace assay
