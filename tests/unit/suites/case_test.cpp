#include <gtest/gtest.h>

#include <set>

#include "suites/suite.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

TEST(Case, JsonRoundTripKeepsIdAndHash) {
  for (const Suite& suite : catalogue().suites()) {
    for (const Case& c : suite.full_cases) {
      const Result<Case> back = case_from_json(c.to_json(), "job");
      ASSERT_TRUE(back.ok()) << back.error().message;
      EXPECT_EQ(back->to_json(), c.to_json());
      EXPECT_EQ(back->hash(), c.hash());
    }
  }
}

TEST(Case, NamesAndHashesAreUnique) {
  for (const Suite& suite : catalogue().suites()) {
    std::set<std::string> ids, hashes;
    for (const Case& c : suite.full_cases) {
      EXPECT_TRUE(ids.insert(c.id()).second) << c.id();
      EXPECT_TRUE(hashes.insert(c.hash()).second) << c.id();
    }
  }
}

TEST(Case, HashFollowsTheWorkNotTheFile) {
  Case c = catalogue().suites().front().quick_cases.front();
  const std::string before = c.hash();
  c.suite_hash = "other";
  EXPECT_EQ(c.hash(), before);
  c.dtype = c.dtype == "f32" ? "bf16" : "f32";
  EXPECT_NE(c.hash(), before);
}

TEST(Case, ColdIsOtherWork) {
  for (Case c : catalogue().suites().front().quick_cases) {
    const std::string id = c.id(), before = c.hash();
    c.cold = true;
    EXPECT_EQ(c.id(), id + "/cold");
    EXPECT_NE(c.hash(), before);
    const Result<Case> back = case_from_json(c.to_json(), "job");
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(back->cold);
  }
  const char* text =
      R"({"name": "x", "version": 1, "title": "t", "question": "q", "full": {"cases": []}, "quick": {"cases":
    [{"kind": "read", "dtypes": ["f32"], "cache": "cold", "buffer_bytes": [1048576]},
     {"kind": "vae-tile", "dtypes": ["f32"], "cache": "hot", "video_models": ["x"], "tiles": [[1, 8, 8]]}]}})";
  const Result<Suite> suite = parse_suite(text, "x.json", {});
  ASSERT_FALSE(suite.ok());
  EXPECT_NE(suite.error().message.find("hot"), std::string::npos) << suite.error().message;
}

TEST(Case, FaultyJsonIsRefused) {
  Case c;
  c.suite = "decode";
  c.kind = StepKind::kDecode;
  c.model = *catalogue().model("smollm2-135m");
  c.context = 16;
  c.batch = -3;
  const Result<Case> back = case_from_json(c.to_json(), "job");
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().message, "job: case decode/smollm2-135m/f32/b-3/c16: batch: expected 1 to 1048576, found -3");
  EXPECT_FALSE(case_from_json("{}", "job").ok());
  EXPECT_FALSE(case_from_json("", "job").ok());
}

}  // namespace
}  // namespace assay
