// Two profiles op by op, their numbers by hand.
#include "reports/profile_pair.h"

#include <gmock/gmock.h>

#include "reports/text.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

struct HandMade {
  std::string case_id = "decode/m/f32/b1/c512", product = "Chip", noise = "\"disturbed\": false, \"causes\": []";
  double step = 9.3e-3, traced = 9.5e-3, x = 4e-3, y = 3e-3;
  int layers = 2, y_calls = 1;

  [[nodiscard]] std::string text() const {
    const auto op = [](const char* name, double seconds, int calls) {
      return std::string("{\"op\": \"") + name + "\", \"kind\": \"matmul\", \"shape\": \"[1]\", \"count\": 2, " +
             "\"calls\": " + std::to_string(calls) +
             ", \"flops_each\": 8, \"bytes_each\": 4, \"seconds\": " + std::to_string(seconds) + "}";
    };
    return "{\"profile_version\": 1, \"case\": \"" + case_id + "\", \"case_hash\": \"h\", \"device\": \"x:0\", " +
           "\"device_product\": \"" + product + "\", \"device_driver\": \"1\", \"adapter\": \"a 1\", " +
           "\"adapter_options\": \"\", \"assay\": \"0\", \"threads\": \"2\", \"basis\": \"measured\", \"layers\": " +
           std::to_string(layers) + ", \"experts\": 0, \"step_s\": " + std::to_string(step) +
           ", \"step_traced_s\": " + std::to_string(traced) + ", \"gap_s\": 0.001, \"steps\": 7, \"noise\": {" + noise +
           "}, \"ops\": [" + op("x", x, 2) + ", " + op("y", y, y_calls) +
           "], \"copies\": [{\"name\": \"fill\", \"count\": 1, \"seconds\": 0.001, \"bytes\": 8}]}";
  }
  [[nodiscard]] SavedProfile profile(const std::string& name) const {
    const Result<SavedProfile> read = read_profile(text(), name);
    EXPECT_TRUE(read.ok()) << read.error().message;
    return read.ok() ? *read : SavedProfile{};
  }
};

std::string compared(const HandMade& a, const HandMade& b, TableFormat format = TableFormat::kText) {
  return render_sheet(profile_pair_sheet(a.profile("A.json"), b.profile("B.json"), 0.02), format, {});
}

// A: 4 + 3 + 1 (copies) + 1 (gaps) of 9.5 ms leave 0.5 ms before and after. B: x 6, y 2.5, 11 ms in all. Of the 1.5 ms
// x made 2 / 1.5 = 133.3 % and y -0.5 / 1.5 = -33.3 %.
TEST(ProfilePair, TheOpsThatMadeTheDifference) {
  HandMade b;
  b.x = 6e-3;
  b.y = 2.5e-3;
  b.traced = 11e-3;
  b.step = 10.8e-3;
  const std::string text = compared({}, b);
  EXPECT_THAT(text, testing::ContainsRegex("\nx +4.000 ms +6.000 ms +1.5 +.2.000 ms +133.3 %\ny +3.000 ms +2.500 ms "
                                           "+0.8333 +-500.0 µs +-33.3 %\n"));
  EXPECT_THAT(text, testing::ContainsRegex("\nrest: outside of ops, medians less means +500.0 µs +500.0 µs +1 +0 "));
  EXPECT_THAT(text, testing::ContainsRegex("\nstep, traced +9.500 ms +11.00 ms +1.158 +.1.500 ms +100.0 %"));
  EXPECT_THAT(text,
              HasSubstr("the traced step's +1.500 ms lies in x +2.000 ms (133.3 %); the other way went y -500.0 µs "
                        "(-33.3 %)"));
  EXPECT_THAT(compared({}, b, TableFormat::kJson), HasSubstr("\"ratio\": 1.5,"));
}

// y loses 1 us of the 20 ms: -0.005 %, which is 0.0 %. From B to A, what did not change at all is 0 over a negative
// difference.
TEST(ProfilePair, WhatRoundsToNothingHasNoSign) {
  HandMade b;
  b.x = 24e-3;
  b.y = 2.999e-3;
  b.traced = 29.5e-3;
  for (const std::string& text : {compared({}, b), compared(b, {})}) {
    EXPECT_THAT(text, HasSubstr(" 0.0 %"));
    EXPECT_THAT(text, Not(HasSubstr("-0.0 %")));
  }
}

TEST(ProfilePair, WithinTheMarginThereIsNothingToExplain) {
  HandMade b;
  b.x = 4.1e-3;
  b.traced = 9.6e-3;
  const std::string text = compared({}, b);
  EXPECT_THAT(text, HasSubstr("within the margin (2.0 %): there is no difference in step time to explain"));
  EXPECT_THAT(text, Not(HasSubstr("lies in")));
}

// What makes the numbers doubtful stands beside them.
TEST(ProfilePair, SaysWhatTheNumbersDoNotTell) {
  HandMade b;
  b.noise = "\"disturbed\": true, \"causes\": [\"steal 9.0 %\"]";
  b.x = 6e-3;
  b.y = 0;
  b.y_calls = 0;
  b.traced = 12e-3;
  b.step = 9e-3;
  const std::string text = compared({}, b);
  EXPECT_THAT(text, HasSubstr("B: B.json, 7 steps traced; * disturbed: steal 9.0 %"));
  EXPECT_THAT(text, HasSubstr("y runs in a kernel of the op before it in B alone"));
  EXPECT_THAT(text, HasSubstr("without tracing the step went the other way"));
}

TEST(ProfilePair, UnlikeProfilesAreRefused) {
  HandMade other_case, other_chip, fewer;
  other_case.case_id = "prefill/m/f32/b1/t128";
  other_chip.product = "Another";
  fewer.layers = 1;
  for (const auto& [b, words] :
       {std::pair{other_case, "case: expected decode/m/f32/b1/c512, as in A.json, found prefill"},
        {other_chip, "chip: expected Chip, as in A.json, found Another"},
        {fewer, "layers: expected 2, as in A.json, found 1"}}) {
    const Status status = comparable(HandMade().profile("A.json"), b.profile("B.json"));
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(status.error().message, HasSubstr(std::string("B.json: ") + words));
  }
  EXPECT_TRUE(comparable(HandMade().profile("A.json"), HandMade().profile("B.json")).ok());
}

TEST(ProfilePair, WhatIsNoProfileIsNamed) {
  EXPECT_FALSE(is_profile("{\"schema_version\": 1}"));
  EXPECT_FALSE(is_profile("no JSON"));
  const std::string old = "{\"case\": \"c\", \"step_traced_s\": 1}";
  EXPECT_TRUE(is_profile(old));
  EXPECT_THAT(read_profile(old, "old.json").error().message, HasSubstr("old.json: profile_version: expected it"));
  HandMade stopped;
  stopped.traced = 0;
  EXPECT_FALSE(read_profile(stopped.text(), "A.json").ok());
}

}  // namespace
}  // namespace assay
