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

// A field that stands twice is told with the line of the second, and hides nothing else; what stands first is read.
TEST(JsonInput, ReadsOnBehindADuplicate) {
  JsonInput input("{\n\"a\": [{\"b\": 1,\n \"b\": {\"c\": [2]}}],\n\"n\": -1,\n\"a\": [3]}", "f.json");
  const JsonNode root = input.root();
  EXPECT_EQ(root.at("a").items(1, 1).at(0).at("b").integer(), 1);
  (void)root.at("n").integer(0, 5);
  std::vector<std::string> found;
  for (const Fault& f : input.error().faults) found.push_back(std::to_string(f.line) + ": " + f.message);
  EXPECT_EQ(found,
            (std::vector<std::string>{"3: a[0]: duplicate field 'b'", "4: n: expected an integer from 0 to 5, found -1",
                                      "5: duplicate field 'a'"}));
  JsonInput broken("{\"a\": 1,\n\"a\": 2,\n}", "f.json");
  EXPECT_FALSE(broken.root().present());
  ASSERT_EQ(broken.error().faults.size(), 2u);
  EXPECT_EQ(broken.error().faults[0].line, 2);
  EXPECT_EQ(broken.error().faults[1].line, 3);
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

// Every fault of one reading, each with the line on which the value begins, in the order of the lines.
TEST(JsonInput, ListsEveryFaultWithItsLine) {
  const std::string text =
      "{\n"
      "  \"name\": 7,\n"
      "  \"bacth\": [1],\n"
      "  \"list\": [\n"
      "    {\"k\": \"a, } b\"},\n"
      "    {\"k\": true}, 3\n"
      "  ],\n"
      "  \"last\": -1\n"
      "}\n";
  JsonInput input(text, "f.json");
  const JsonNode root = input.root();
  (void)root.at("last").integer(0, 5);
  root.fields({"name", "batch", "list", "last"});
  (void)root.at("name").text();
  for (const JsonNode& item : root.at("list").items()) (void)item.at("k").text();
  (void)root.at("batch").items();
  std::vector<std::string> found;
  for (const Fault& f : input.error().faults) found.push_back(std::to_string(f.line) + ": " + f.message);
  EXPECT_EQ(found,
            (std::vector<std::string>{
                "1: field 'batch' is missing", "2: name: expected a text, found 7",
                "3: unknown field 'bacth'; did you mean 'batch'?", "6: list[1].k: expected a text, found true",
                "6: list[2]: expected an object, found 3", "8: last: expected an integer from 0 to 5, found -1"}));
  EXPECT_EQ(input.error().message, "f.json: last: expected an integer from 0 to 5, found -1");
}

TEST(JsonInput, BrokenSyntaxIsOneFaultWithItsLine) {
  JsonInput input("{\n  \"a\": 1,\n  oops\n}", "f.json");
  (void)input.root().at("b").text();
  ASSERT_EQ(input.error().faults.size(), 1u);
  EXPECT_EQ(input.error().faults[0].line, 3);
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
