// Suites of the user's that inherit from others, and files with many faults.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class Extends : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / ("assay-extends-" + std::to_string(::getpid()));
    fs::create_directories(dir_);
  }
  void TearDown() override { fs::remove_all(dir_); }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(dir_ / name) << text;
    return (dir_ / name).string();
  }
  fs::path dir_;
  Catalogue catalogue_ = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
};

TEST_F(Extends, InheritsWhatItDoesNotSay) {
  const Suite base = *catalogue_.suite("decode");
  const Result<Suite> mine = catalogue_.suite(file("mine.json", R"({"name": "mine", "extends": "decode"})"));
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  EXPECT_EQ(mine->name, "mine");
  EXPECT_EQ(mine->question, base.question);
  EXPECT_NE(mine->hash, base.hash);
  EXPECT_EQ(mine->quick.time_limit_s, base.quick.time_limit_s);
  ASSERT_EQ(mine->full_cases.size(), base.full_cases.size());
  EXPECT_EQ(mine->full_cases[0].id().rfind("mine/decode/", 0), 0u) << mine->full_cases[0].id();
  EXPECT_EQ(mine->full_cases[0].suite_hash, mine->hash);
}

TEST_F(Extends, OverridesPolicyFieldsAndCases) {
  const Suite base = *catalogue_.suite("decode");
  const std::string block =
      R"({"kind": "decode", "models": ["smollm2-135m"], "dtypes": ["f32"], "batch": [3], "context": [7]})";
  const std::string text = R"({"name": "mine", "extends": "decode", "question": "Mine?",)"
                           R"( "quick": {"policy": {"time_limit_s": 1}, "cases": [)" +
                           block + R"(]}, "full": {"more_cases": [)" + block + "]}}";
  const Result<Suite> mine = catalogue_.suite(file("mine.json", text));
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  EXPECT_EQ(mine->question, "Mine?");
  EXPECT_EQ(mine->quick.time_limit_s, 1);
  EXPECT_EQ(mine->quick.max_step_s, base.quick.max_step_s) << "not said, so inherited";
  ASSERT_EQ(mine->quick_cases.size(), 1u);
  EXPECT_EQ(mine->quick_cases[0].id(), "mine/decode/smollm2-135m/f32/b3/c7");
  EXPECT_EQ(mine->full_cases.size(), base.full_cases.size() + 1);
}

TEST_F(Extends, AFileBesideIt) {
  file("base.json", R"({"name": "base", "extends": "prefill", "title": "Base"})");
  const Result<Suite> mine = catalogue_.suite(file("mine.json", R"({"name": "mine", "extends": "./base.json"})"));
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  EXPECT_EQ(mine->title, "Base");
  EXPECT_EQ(mine->full_cases.size(), catalogue_.suite("prefill")->full_cases.size());
}

TEST_F(Extends, BadBasesAreNamed) {
  const auto fault = [&](const std::string& text) { return catalogue_.suite(file("mine.json", text)).error().message; };
  EXPECT_NE(fault(R"({"name": "mine", "extends": "decod"})").find("did you mean 'decode'"), std::string::npos);
  EXPECT_EQ(fault(R"({"name": "mine", "extends": "./mine.json"})"),
            (dir_ / "mine.json").string() + ": extends: './mine.json' would extend itself");
  file("loop.json", "{\"name\": \"loop\",\n \"extends\": \"./mine.json\"}");
  EXPECT_EQ(fault(R"({"name": "mine", "extends": "./loop.json"})"),
            (dir_ / "mine.json").string() + ": extends: " + (dir_ / "loop.json").string() +
                ":2: extends: './mine.json' would extend itself");
  file("bad.json", "{\"name\": \"bad\",\n \"versoin\": 2, \"extends\": \"decode\",\n \"title\": 3}");
  const std::string bad = (dir_ / "bad.json").string();
  EXPECT_EQ(fault(R"({"name": "mine", "extends": "./bad.json"})"),
            (dir_ / "mine.json").string() + ": extends: " + bad +
                ":2: unknown field 'versoin'; did you mean 'version'? (and 1 more: assay validate " + bad + ")");
  EXPECT_NE(fault(R"({"name": "mine", "extends": "./absent.json"})").find("absent.json"), std::string::npos);
  EXPECT_NE(fault(R"({"name": "mine", "version": 1, "title": "", "question": "", "full": {"cases": []},)"
                  R"( "quick": {"more_cases": []}})")
                .find("unknown field 'more_cases'"),
            std::string::npos);
}

// The worked example as the README prints it.
TEST_F(Extends, TheReadmesExample) {
  std::ifstream readme(std::string(ASSAY_SOURCE_DIR) + "/README.md");
  const std::string text{std::istreambuf_iterator<char>(readme), {}};
  const size_t begin = text.find("{", text.find("suite-example:begin")), end = text.find("```\n<!-- suite-example:end");
  ASSERT_LT(begin, end);
  const Result<Suite> suite = catalogue_.suite(file("our-chat.json", text.substr(begin, end - begin)));
  ASSERT_TRUE(suite.ok()) << suite.error().message;
  EXPECT_EQ(suite->quick.time_limit_s, 10);
  EXPECT_EQ(suite->quick_cases.size(), 6u);  // 2 dtypes x 3 batch sizes
  EXPECT_EQ(suite->full_cases.size(), catalogue_.suite("decode")->full_cases.size() + 1);
}

// Four faults of four kinds, each with its line, and none that follows from another.
TEST_F(Extends, AllFaultsOfASuiteAtOnce) {
  const std::string path = file("bad.json",
                                "{\n"
                                "  \"name\": \"Bad Name\",\n"
                                "  \"extends\": \"decode\",\n"
                                "  \"quick\": {\n"
                                "    \"policy\": {\"time_limit\": 5},\n"
                                "    \"cases\": [\n"
                                "      {\"kind\": \"dekode\", \"dtypes\": [\"f32\"]},\n"
                                "      {\"kind\": \"decode\", \"models\": [\"smollm2-135m\"], \"dtypes\": [\"f32\"],\n"
                                "       \"batch\": [0], \"context\": [16]}\n"
                                "    ]\n"
                                "  }\n"
                                "}\n");
  const Result<Suite> bad = catalogue_.suite(path);
  ASSERT_FALSE(bad.ok());
  std::vector<std::string> found;
  for (const Fault& f : bad.error().faults) found.push_back(std::to_string(f.line) + ": " + f.message);
  ASSERT_EQ(found.size(), 4u) << testing::PrintToString(found);
  EXPECT_EQ(found[0].rfind("2: name: expected lower-case letters", 0), 0u) << found[0];
  EXPECT_EQ(found[1], "5: quick.policy: unknown field 'time_limit'; did you mean 'time_limit_s'?");
  EXPECT_EQ(found[2].rfind("7: quick.cases[0].kind: unknown value 'dekode'; did you mean 'decode'?", 0), 0u)
      << found[2];
  EXPECT_EQ(found[3], "9: quick.cases[1].batch[0]: expected an integer from 1 to 1048576, found 0");
}

// Faults of values beside one another: each is told, once, at its axis, whatever else its block has wrong.
TEST_F(Extends, AFaultOfABlockHidesNoOther) {
  const std::string path = file(
      "bad.json",
      "{\"name\": \"bad\", \"extends\": \"decode\", \"quick\": {\"cases\": [\n"
      "{\"kind\": \"dit\", \"video_models\": [\"wan2.1-1.3b\"], \"dtypes\": [\"bf16\", \"f32\"],\n"
      " \"clips\": [[80, 480, 832],\n"
      "  [81, 481, 832],\n"
      "  \"refrence\"]},\n"
      "{\"kind\": \"prefill\", \"models\": [\"quen\", \"qwen2.5-0.5b\"], \"dtypes\": [\"f32\"], \"batch\": [1, 2],\n"
      " \"tokens\": [512,\n"
      "  40000]},\n"
      "{\"kind\": \"decode\", \"models\": [\"qwen2.5-0.5b\"], \"dtypes\": [\"bf17\"], \"batch\": [1],\n"
      " \"routing\": [\"zipf:x\"],\n"
      " \"context\": [\n"
      "  99999]},\n"
      "{\"kind\": \"decode\", \"models\": [\"qwen3-30b-a3b\"], \"dtypes\": [\"bf16\"], \"batch\": [1],\n"
      " \"context\": [40960],\n"
      " \"routing\": [\"k-hot:4\"]},\n"
      "{\"kind\": \"decode\", \"models\": [\"qwen3-30b-a3b\"], \"dtypes\": [\"bf16\"], \"batch\": [1],\n"
      " \"context\": [9], \"routing_seed\": 4}\n"
      "]}}\n");
  const Result<Suite> bad = catalogue_.suite(path);
  ASSERT_FALSE(bad.ok());
  std::vector<std::string> found;
  for (const Fault& f : bad.error().faults) found.push_back(std::to_string(f.line) + ": " + f.message);
  ASSERT_EQ(found.size(), 12u) << testing::PrintToString(found);
  EXPECT_EQ(found[0],
            "3: quick.cases[0].clips[0]: case bad/dit/wan2.1-1.3b/bf16/b1/80f480x832: frames: expected 1 more than a "
            "multiple of 4, found 80");
  EXPECT_EQ(found[1].rfind("4: quick.cases[0].clips[1]: case", 0), 0u) << found[1];
  EXPECT_EQ(found[2], "5: quick.cases[0].clips[2]: unknown value 'refrence'; did you mean 'reference'?");
  EXPECT_EQ(found[3].rfind("6: quick.cases[1].models[0]: unknown value 'quen'", 0), 0u) << found[3];
  EXPECT_EQ(found[4],
            "8: quick.cases[1].tokens[1]: case bad/prefill/qwen2.5-0.5b/f32/b1/t40000: tokens + context: expected at "
            "most the 32768 that model 'qwen2.5-0.5b' was made for, found 40000 + 0");
  EXPECT_EQ(found[5].rfind("9: quick.cases[2].dtypes[0]: unknown value 'bf17'", 0), 0u) << found[5];
  EXPECT_EQ(found[6], "9: quick.cases[2].models[0]: model 'qwen2.5-0.5b' has no experts to route to");
  EXPECT_EQ(found[7].rfind("10: quick.cases[2].routing[0]: expected uniform, zipf:ALPHA", 0), 0u) << found[7];
  EXPECT_EQ(found[8].rfind("12: quick.cases[2].context[0]: case bad/decode/qwen2.5-0.5b/f32/b1/c99999: tokens +", 0),
            0u)
      << found[8];
  EXPECT_NE(found[9].find("14: quick.cases[3].context[0]: case"), std::string::npos) << found[9];
  EXPECT_NE(found[10].find("15: quick.cases[3].routing: case"), std::string::npos) << found[10];
  EXPECT_EQ(found[11], "17: quick.cases[4].routing_seed: no axis 'routing' beside it that it could draw");
}

}  // namespace
}  // namespace assay
