// A command's words become arguments, or one message that says what was expected and what was found.
#include "harness/cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/cli/common.h"

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

CommandSpec spec() {
  CommandSpec s;
  s.name = "weigh";
  s.operands = "COIN...";
  s.min_operands = 1;
  s.max_operands = 3;
  s.options = {{"batch", "N", "coins at once", Complete::kNothing, {}, false},
               {"metal", "NAME", "of the coin", Complete::kWords, {"gold", "silver"}, false},
               {"set", "KEY=VALUE", "a setting", Complete::kNothing, {}, true},
               {"dry", "", "weigh nothing", Complete::kNothing, {}, false}};
  return s;
}

Arguments parsed(const std::vector<std::string>& words) {
  Result<Arguments> arguments = Arguments::parse(spec(), words);
  EXPECT_TRUE(arguments.ok()) << arguments.error().message;
  return arguments.ok() ? std::move(arguments).value() : Arguments{};
}

std::string refusal(const std::vector<std::string>& words) {
  const Result<Arguments> arguments = Arguments::parse(spec(), words);
  EXPECT_FALSE(arguments.ok());
  if (arguments.ok()) return "";
  EXPECT_EQ(arguments.error().kind, ErrorKind::kBadInput);
  return arguments.error().message;
}

TEST(Arguments, OptionsAndOperandsInAnyOrder) {
  const Arguments a = parsed({"ducat", "--batch", "3", "florin", "--metal=gold", "--dry"});
  EXPECT_THAT(a.operands(), ElementsAre("ducat", "florin"));
  EXPECT_EQ(a.text("batch"), "3");
  EXPECT_EQ(a.text("metal"), "gold");
  EXPECT_TRUE(a.has("dry"));
  EXPECT_FALSE(a.has("set"));
  EXPECT_EQ(a.text("set"), "");
  EXPECT_THAT(a.texts("set"), IsEmpty());
  EXPECT_EQ(a.words().size(), 6u);
  EXPECT_FALSE(parsed({"ducat"}).has("dry"));
}

TEST(Arguments, ARepeatedOptionKeepsAllInOrder) {
  const Arguments a = parsed({"ducat", "--set", "a=1", "--set", "b=2", "--set=a=3"});
  EXPECT_THAT(a.texts("set"), ElementsAre("a=1", "b=2", "a=3"));
  EXPECT_EQ(a.text("set"), "a=3");
  EXPECT_THAT(refusal({"ducat", "--batch", "1", "--batch", "2"}), HasSubstr("--batch: given more than once"));
}

TEST(Arguments, ANegativeNumberIsAValue) {
  EXPECT_EQ(parsed({"ducat", "--batch", "-1"}).text("batch"), "-1");
  EXPECT_EQ(parsed({"ducat", "--batch=-1"}).text("batch"), "-1");
}

TEST(Arguments, UnknownOptionsSuggestTheNearest) {
  EXPECT_EQ(refusal({"ducat", "-q"}), "unknown option '-q'; of a file of that name say './-q'");
  EXPECT_EQ(refusal({"ducat", "--bacth", "3"}), "unknown option '--bacth'; did you mean '--batch'?");
  EXPECT_EQ(refusal({"ducat", "--bacth=3"}), "unknown option '--bacth'; did you mean '--batch'?");
  EXPECT_THAT(refusal({"ducat", "--bat", "3"}), HasSubstr("unknown option '--bat'")) << "no guessing of beginnings";
}

TEST(Arguments, MissingAndSuperfluousValues) {
  EXPECT_EQ(refusal({"ducat", "--batch"}), "--batch: expected N, found nothing");
  EXPECT_EQ(refusal({"ducat", "--batch="}), "--batch: expected N, found nothing");
  EXPECT_EQ(refusal({"ducat", "--dry=yes"}), "--dry: expected no value");
}

TEST(Arguments, WordsOutOfTheListSuggestTheNearest) {
  EXPECT_THAT(refusal({"ducat", "--metal", "sliver"}), HasSubstr("--metal: unknown 'sliver'; did you mean 'silver'"));
}

TEST(Arguments, OperandsAreCounted) {
  EXPECT_EQ(refusal({}), "expected COIN...; see 'assay weigh --help'");
  EXPECT_EQ(refusal({"a", "b", "c", "d"}), "unexpected 'd'; see 'assay weigh --help'");
  CommandSpec list = spec();
  list.complete = Complete::kWords;
  list.words = {"suites", "models"};
  EXPECT_THAT(Arguments::parse(list, {"modles"}).error().message, HasSubstr("unknown 'modles'; did you mean 'models'"));
}

TEST(Values, IntegersAreWholeAndInRange) {
  EXPECT_EQ(*integer_value("--batch", "17", 1, 100), 17);
  EXPECT_EQ(*integer_value("--seed", "-3", -3, 100), -3);
  for (const char* bad : {"0", "101", "1.5", "1e2", "", "x", "7x", " 7", "0x10", "99999999999999999999"}) {
    const Result<int64_t> value = integer_value("--batch", bad, 1, 100);
    ASSERT_FALSE(value.ok()) << bad;
    EXPECT_EQ(value.error().message,
              std::string("--batch: expected a positive integer up to 100, found \"") + bad + "\"");
  }
  EXPECT_THAT(integer_value("--seed", "x", 0, 9).error().message, HasSubstr("an integer from 0 to 9"));
}

TEST(Values, SecondsAreFiniteAndInRange) {
  EXPECT_EQ(*seconds_value("--time-limit", "2.5", 0.1, 86400), 2.5);
  for (const char* bad : {"0", "-1", "nan", "inf", "1e9", "soon", "", "5s"}) {
    const Result<double> value = seconds_value("--time-limit", bad, 0.1, 86400);
    ASSERT_FALSE(value.ok()) << bad;
    EXPECT_THAT(value.error().message, HasSubstr(std::string("found \"") + bad + "\""));
  }
}

TEST(Values, KeysAndValuesAreSplitAtTheFirstSign) {
  EXPECT_THAT(*key_value("--set", "a=b=c"), Pair("a", "b=c"));
  EXPECT_THAT(*key_value("--set", "a="), Pair("a", ""));
  for (const char* bad : {"", "a", "=b"}) EXPECT_FALSE(key_value("--set", bad).ok()) << bad;
}

Manifest manifest(const std::string& name, const std::string& problem = "") {
  Manifest m;
  m.name = name;
  m.problem = problem;
  return m;
}

TEST(ChooseDevice, ByAdapterAndNumber) {
  const std::vector<Manifest> adapters{manifest("cpu"), manifest("gpu", "libgpu.so.1 not found")};
  EXPECT_EQ(choose_device("cpu", adapters)->name, "cpu:0");
  EXPECT_EQ(choose_device("cpu:3", adapters)->index, 3u);
  EXPECT_EQ(choose_device("gpu:0", adapters).error().message, "--device: gpu:0 can't be used: libgpu.so.1 not found");
  EXPECT_THAT(choose_device("cpuu:0", adapters).error().message,
              HasSubstr("unknown device \"cpuu:0\"; did you mean 'cpu'"));
  for (const char* bad : {"cpu:", "cpu:x", "cpu:-1", "cpu:1:2", "cpu:5000000000"}) {
    EXPECT_THAT(choose_device(bad, adapters).error().message, HasSubstr("expected ADAPTER:NUMBER")) << bad;
  }
}

}  // namespace
}  // namespace assay
