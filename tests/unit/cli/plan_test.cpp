// From suites and the user's choice to the cases of a run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "harness/plan/glob.h"
#include "harness/plan/memory.h"
#include "harness/plan/selection.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Glob, MatchesAsShellsDo) {
  const std::tuple<const char*, const char*, bool> cases[] = {{"", "", true},
                                                              {"", "a", false},
                                                              {"*", "", true},
                                                              {"*", "a/b", true},
                                                              {"a*c", "abc", true},
                                                              {"a*c", "ac", true},
                                                              {"a*c", "abd", false},
                                                              {"a?c", "abc", true},
                                                              {"a?c", "ac", false},
                                                              {"[a-c]x", "bx", true},
                                                              {"[a-c]x", "dx", false},
                                                              {"[!a-c]x", "dx", true},
                                                              {"[^a]x", "ax", false},
                                                              {"[]x]", "]", true},
                                                              {"[a-]", "-", true},
                                                              {"[", "[", true},
                                                              {"[a", "[a", true},
                                                              {"**a", "bba", true},
                                                              {"*a*b*c*", "xaxbxcx", true},
                                                              {"*ab", "aab", true},
                                                              {"a", "ab", false},
                                                              {"f32/*/c512", "f32/b1/c512", true}};
  for (const auto& [pattern, text, expected] : cases)
    EXPECT_EQ(glob_match(pattern, text), expected) << pattern << " " << text;
}

// A pattern of many stars against a long text that does not match must end: no backtracking over all of them.
TEST(Glob, IsNotExponential) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
}

TEST(Glob, IsOneWhereItHasASign) {
  EXPECT_TRUE(is_glob("b*"));
  EXPECT_TRUE(is_glob("b?"));
  EXPECT_TRUE(is_glob("[ab]"));
  EXPECT_FALSE(is_glob("f32/b1"));
}

TEST(Elements, AreWhole) {
  EXPECT_TRUE(has_elements("decode/m/f32/b1/c512", "b1"));
  EXPECT_TRUE(has_elements("decode/m/f32/b1/c512", "f32/b1"));
  EXPECT_TRUE(has_elements("decode/m/f32/b1/c512", "decode"));
  EXPECT_TRUE(has_elements("decode/m/f32/b1/c512", "c512"));
  EXPECT_FALSE(has_elements("decode/m/f32/b16/c512", "b1"));
  EXPECT_FALSE(has_elements("decode/m/bf16/b1", "f16"));
  EXPECT_TRUE(has_elements("xb1/b1", "b1")) << "a later one";
  EXPECT_FALSE(has_elements("a", ""));
}

class Plan : public testing::Test {
 protected:
  Plan() : catalogue_(Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value()) {}
  std::vector<std::string> ids(const std::vector<std::string>& suites, const Selection& selection,
                               const std::string& form = "quick") const {
    const Result<std::vector<PlannedCase>> cases = plan(suites, selection, form);
    EXPECT_TRUE(cases.ok()) << cases.error().message;
    std::vector<std::string> out;
    if (!cases.ok()) return out;
    out.reserve(cases->size());
    for (const PlannedCase& c : *cases) out.push_back(c.work.id());
    return out;
  }
  Result<std::vector<PlannedCase>> plan(const std::vector<std::string>& names, const Selection& selection,
                                        const std::string& form = "quick") const {
    std::vector<Suite> suites;
    for (const std::string& name : names) suites.push_back(*catalogue_.suite(name));
    return plan_suites(suites, form, selection);
  }
  static Selection filtered(const std::string& filter) {
    Selection s;
    s.filter = filter;
    return s;
  }
  Catalogue catalogue_;
};

TEST_F(Plan, AllCasesOfTheFormWithItsPolicy) {
  const Suite decode = *catalogue_.suite("decode");
  const auto quick = plan({"decode"}, {});
  ASSERT_EQ(quick->size(), decode.quick_cases.size());
  EXPECT_EQ(quick->front().policy.time_limit_s, decode.quick.time_limit_s);
  EXPECT_FALSE(quick->front().chosen_by_value);
  const auto full = plan({"decode"}, {}, "full");
  ASSERT_EQ(full->size(), decode.full_cases.size());
  EXPECT_EQ(full->front().policy.time_limit_s, decode.full.time_limit_s);
}

TEST_F(Plan, ACaseOfTwoSuitesIsRunOnce) {
  EXPECT_EQ(plan({"decode", "decode"}, {})->size(), plan({"decode"}, {})->size());
  EXPECT_EQ(plan({"decode", "prefill"}, {})->size(), plan({"decode"}, {})->size() + plan({"prefill"}, {})->size());
}

TEST_F(Plan, RoutingChoosesOrMakesCases) {
  Selection s;
  s.routing = parse_routing("zipf:1.2").value();
  EXPECT_THAT(ids({"moe-routing"}, s),
              testing::AllOf(testing::SizeIs(testing::Ge(2)), testing::Each(HasSubstr("zipf-1.2"))));
  s.routing = parse_routing("zipf:0.77").value();  // of no case: each of the suite's is made with it, once
  const std::vector<std::string> made = ids({"moe-routing"}, s);
  EXPECT_THAT(made, testing::Each(HasSubstr("zipf-0.77")));
  EXPECT_EQ(std::set<std::string>(made.begin(), made.end()).size(), made.size());
  const auto none = plan({"prefill"}, s);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message, "--routing: no case of suite 'prefill' has such an axis");
}

TEST_F(Plan, FilterByElementPartOrPattern) {
  EXPECT_THAT(ids({"decode"}, filtered("b1")), testing::Each(HasSubstr("/b1/")));
  EXPECT_THAT(ids({"decode"}, filtered("smollm2-135m/f32/b8")), ElementsAre("decode/smollm2-135m/f32/b8/c512"));
  EXPECT_THAT(ids({"decode"}, filtered("*/bf16/*")), ElementsAre("decode/qwen2.5-0.5b/bf16/b1/c512"));
  EXPECT_THAT(ids({"decode"}, filtered("smol")), testing::Each(HasSubstr("smollm2"))) << "no element, so any part";
}

TEST_F(Plan, AFilterThatNothingHasIsRefused) {
  const auto none = plan({"decode"}, filtered("decode/smollm2-135m/f32/b1/c521"));
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(none.error().message, HasSubstr("--case: expected part of a case's id"));
  EXPECT_THAT(none.error().message, HasSubstr("did you mean 'decode/smollm2-135m/f32/b1/c512'"));
  const auto of_many = plan({"decode"}, filtered("nothing-like-it"), "full");
  ASSERT_FALSE(of_many.ok());
  EXPECT_THAT(of_many.error().message, HasSubstr("'assay list cases' names them"));
}

TEST_F(Plan, AValueOfTheSuiteChoosesItsCases) {
  Selection s;
  s.batch = 8;
  const auto cases = plan({"decode"}, s);
  ASSERT_TRUE(cases.ok());
  for (const PlannedCase& c : *cases) {
    EXPECT_EQ(c.work.batch, 8);
    EXPECT_FALSE(c.chosen_by_value);
  }
}

// The suite has no batch of 3: its cases are made with it, and those that then are equal are one.
TEST_F(Plan, AnotherValueMakesNewCases) {
  Selection s;
  s.batch = 3;
  EXPECT_THAT(ids({"decode"}, s), ElementsAre("decode/smollm2-135m/f32/b3/c512", "decode/qwen2.5-0.5b/f32/b3/c512",
                                              "decode/qwen2.5-0.5b/bf16/b3/c512", "decode/qwen2.5-0.5b/int8/b3/c512"));
  EXPECT_TRUE(plan({"decode"}, s)->front().chosen_by_value);
}

TEST_F(Plan, AModelOfTheUsersChoice) {
  Selection s;
  s.model = *catalogue_.model("llama-3.1-8b");
  s.dtype = "bf16";
  EXPECT_THAT(ids({"decode"}, s), ElementsAre("decode/llama-3.1-8b/bf16/b1/c512"));
}

// Of the full suite its cases are chosen; of the quick one they are made: Wan's text encoder reads 512 tokens.
TEST_F(Plan, AVideoModelOfTheUsersChoice) {
  Selection s;
  s.video = std::get<VideoShape>(*catalogue_.any_model("wan2.1-1.3b"));
  EXPECT_THAT(ids({"video-diffusion"}, s), ElementsAre("video-diffusion/dit/wan2.1-1.3b/f32/b1/9f128x256",
                                                       "video-diffusion/text-encoder/wan2.1-1.3b/bf16/b1/t512",
                                                       "video-diffusion/vae-tile/wan2.1-1.3b/f32/b1/5f32x32"));
  EXPECT_THAT(ids({"video-diffusion"}, s, "full"), testing::Each(HasSubstr("/wan2.1-1.3b/")));
  EXPECT_TRUE(std::holds_alternative<ModelShape>(*catalogue_.any_model("qwen3-32b")));
  EXPECT_THAT(catalogue_.any_model("wan2.1-13b").error().message, HasSubstr("did you mean 'wan2.1-1"));
}

// 3 hot experts for 8 choices would be silently more, and the case's name untrue.
TEST_F(Plan, KHotNeedsAsManyExpertsAsATokenTakes) {
  Selection s;
  s.routing = parse_routing("k-hot:3").value();
  EXPECT_THAT(plan({"moe-routing"}, s).error().message,
              HasSubstr("routing: expected k-hot of 8 (a token's choices) to 128 experts, found 3"));
  s.routing = parse_routing("k-hot:16").value();
  EXPECT_TRUE(plan({"moe-routing"}, s).ok());
}

TEST_F(Plan, AnAxisThatASuiteHasNotIsRefused) {
  Selection s;
  s.batch = 2;
  EXPECT_EQ(plan({"ceilings"}, s).error().message, "--batch: no case of suite 'ceilings' has such an axis");
  Selection tokens;
  tokens.tokens = 7;
  EXPECT_EQ(plan({"decode"}, tokens).error().message, "--tokens: no case of suite 'decode' has such an axis");
}

TEST_F(Plan, AValueOutOfRangeNamesTheField) {
  Selection s;
  s.context = int64_t{1} << 40;
  const auto refused = plan({"decode"}, s);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(refused.error().message, HasSubstr("context"));
}

TEST_F(Plan, WhatCannotFitIsRefusedBeforeAnythingRuns) {
  DeviceInfo device;
  device.product = "small";
  device.memory_free_bytes = uint64_t{1} << 30;
  Selection s;
  EXPECT_TRUE(check_memory(*plan({"decode"}, s), device).ok()) << "a suite's own case that does not fit stays in";
  s.batch = 1 << 20;
  const Status refused = check_memory(*plan({"decode"}, s), device);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(refused.error().message, HasSubstr(" needs "));
  EXPECT_THAT(refused.error().message, testing::AllOf(HasSubstr("1.0 GiB free"), HasSubstr("(device small)")));
  device.memory_free_bytes = uint64_t{80} << 20;
  EXPECT_FALSE(check_memory(*plan({"decode"}, {}), device).ok()) << "none of them fits";
  EXPECT_TRUE(check_memory({}, device).ok());
}

}  // namespace
}  // namespace assay
