// Import, comparison and tender as scripts meet them: exit codes, messages, and what is left on disk.
#include <filesystem>

#include "results/record.h"
#include "suites/base/json_input.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kSamples = ASSAY_SOURCE_DIR "/tests/golden/import/";

class CliDecide : public CommandLine {
 protected:
  // A record of 600 steps of about `ms` in the folder.
  void record(const std::string& folder, uint64_t ms, const std::string& failed_because = "",
              const std::string& case_id = "decode/m/bf16/b1/c512", const std::string& failed_as = "failed") const {
    Record r;
    r.basis = "measured";
    r.status = failed_because.empty() ? "ok" : failed_as;
    r.reason = failed_because;
    r.suite = "decode";
    r.form = "quick";
    r.step_kind = "decode";
    r.dtype = "bf16";
    r.case_id = case_id;
    r.case_hash = "hash of " + case_id;
    r.batch = r.tokens_per_step = 1;
    for (uint64_t i = 0; i < 600; ++i) {
      r.samples.start_ns.push_back(i * ms * 1'010'000);
      r.samples.host_ns.push_back(ms * 1'000'000 + i * 7919 % 100'000);
    }
    ASSERT_TRUE(write_record(r, dir_ / folder).ok());
  }
};

TEST_F(CliDecide, ImportMarksWhatItBringsIn) {
  const Outcome out =
      assay("import " + std::string(kSamples) + "vllm_serve.json " + kSamples + "llama_bench.sql --out in");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("3 reported records in in"));
  const Result<std::vector<Record>> records = read_records(dir_ / "in");
  ASSERT_TRUE(records.ok()) << records.error().message;
  EXPECT_EQ(records->size(), 3U);
  EXPECT_THAT(assay("show in").text, HasSubstr("506.88 tokens/s †"));
}

// A name with a control sequence of the terminal, a newline and markup comes in as it is and goes out shown; the record
// still holds its bytes, so that its id is what it was.
TEST_F(CliDecide, ForeignTextCanNotActOnATerminal) {
  std::string text = read_text_file(std::string(kSamples) + "vllm_serve.json").value();
  const std::string name = "\"model_id\": \"";
  ASSERT_NE(text.find(name), std::string::npos);
  file("evil.json", text.insert(text.find(name) + name.size(), "\\u001b[2J<b>\\nnext|"));
  const Outcome in = assay("import evil.json --out in");
  EXPECT_EQ(in.code, 0) << in.text;
  for (const std::string command : {"show in", "show in/*.json", "show in --format md", "show in --format csv",
                                    "validate in/*.json", "validate evil$(printf '\\033[2J').json"}) {
    const Outcome out = assay(command);
    EXPECT_THAT(out.text, HasSubstr("\\x1b[2J")) << command;
    EXPECT_THAT(out.text, testing::Not(HasSubstr("\x1b"))) << command;
    EXPECT_THAT(out.text, testing::Not(HasSubstr("\nnext"))) << command;
  }
  EXPECT_THAT(assay("show in --format md").text, HasSubstr("\\<b> next\\|"));
  EXPECT_THAT(read_records(dir_ / "in")->at(0).model, testing::StartsWith("\x1b[2J<b>\nnext|"));
}

TEST_F(CliDecide, ABadFileAmongGoodOnesLeavesNothing) {
  file("bad.json", "{\"model_id\": 7}");
  const Outcome out = assay("import " + std::string(kSamples) + "vllm_serve.json bad.json --out in");
  EXPECT_EQ(out.code, 2) << out.text;
  EXPECT_THAT(out.text, HasSubstr("bad.json"));
  EXPECT_FALSE(fs::exists(dir_ / "in"));
  EXPECT_THAT(assay("import bad.json --format vllm-serv").text, HasSubstr("vllm-serve"));
}

TEST_F(CliDecide, CompareGatesANightlyRun) {
  record("a", 10);
  record("b", 12);
  EXPECT_EQ(assay("compare a b").code, 0);
  const Outcome out = assay("compare a b --fail-on slower");
  EXPECT_EQ(out.code, 1) << out.text;
  EXPECT_THAT(out.text, HasSubstr("SLOWER"));
  EXPECT_EQ(assay("compare b a --fail-on slower").code, 0);
  EXPECT_EQ(assay("compare a b --fail-on slower --margin 30").code, 0) << "20 % is within 30 %";
  EXPECT_EQ(assay("compare a").code, 2);
  EXPECT_EQ(assay("compare a nothing-here").code, 2);
  EXPECT_EQ(assay("compare a b --margin wide").code, 2);
}

// A gate that compared nothing has not been passed: the wrong folder, or another option of the adapter.
TEST_F(CliDecide, AGateNeedsSomethingToCompare) {
  record("a", 10);
  record("other", 10, "", "decode/other/bf16/b1/c512");
  for (const char* condition : {"slower", "ambiguous", "unmatched"}) {
    const Outcome out = assay(std::string("compare a other --fail-on ") + condition + " > /dev/null");
    EXPECT_EQ(out.code, 1) << condition;
    EXPECT_EQ(out.text,
              "assay compare: --fail-on: expected cases that both a and other have figures of, found none; a: "
              "decode/m/bf16/b1/c512: the other side has no such case\n");
  }
  EXPECT_EQ(assay("compare a other").code, 0) << "no gate was asked for";
}

TEST_F(CliDecide, WhatNeitherSideCanRunIsMatched) {
  for (const char* folder : {"a", "b"}) {
    record(folder, 10);
    record(folder, 10, "no fp4 here", "decode/m/fp4/b1/c512", "unsupported");
  }
  const Outcome out = assay("compare a b --fail-on unmatched");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, testing::ContainsRegex("both +decode/m/fp4/b1/c512 +unsupported: no fp4 here"));
  record("b", 10, "op matmul: wrong numbers", "decode/m/f16/b1/c512");
  EXPECT_EQ(assay("compare a b --fail-on unmatched").code, 1);
}

// A case that failed tonight is no faster, slower or equal case: it is listed with its reason, and a gate sees it.
TEST_F(CliDecide, CompareListsAFailedCaseWithItsReason) {
  record("a", 10);
  for (const char* folder : {"a", "b"}) record(folder, 10, "", "decode/m/bf16/b2/c512");
  record("b", 8, "op matmul of layer 0: wrong numbers, error 0.3");
  const Outcome out = assay("compare a b");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("wrong numbers, error 0.3"));
  EXPECT_THAT(out.text, testing::Not(HasSubstr("FASTER:")));
  EXPECT_THAT(out.text, HasSubstr("1 cases compared"));
  EXPECT_THAT(out.text, HasSubstr("the other side's run of it gives no figures"));
  EXPECT_EQ(assay("compare a b --fail-on ambiguous").code, 0);
  EXPECT_EQ(assay("compare b a --fail-on slower").code, 0) << "what failed on A is no loss of B";
  const Outcome gate = assay("compare a b --fail-on slower");
  EXPECT_EQ(gate.code, 1) << "a case that fails is worse than one that got slower";
  EXPECT_THAT(gate.text, HasSubstr("1 of A's cases gave no figures on B"));
  EXPECT_EQ(assay("compare a b --fail-on unmatched").code, 1);
  record("b", 12);
  const Outcome both = assay("compare a b --fail-on slower");
  EXPECT_EQ(both.code, 1) << "a run of the same case that ended well is compared";
  EXPECT_THAT(both.text, HasSubstr("wrong numbers, error 0.3"));
}

// What the book doesn't know leaves no report of empty costs, as with assay cost; a price below 0 is told as what it
// is.
TEST_F(CliDecide, AReportOfUnknownPricesIsRefused) {
  record("a", 10);
  (void)refuses("report a --chip nosuch -o r.md", {"--chip", "unknown chip \"nosuch\""});
  (void)refuses("compare a a --chip nosuch", {"--chip", "unknown chip \"nosuch\""});
  (void)refuses("report a --tariff mars -o r.md", {"--tariff", "mars"});
  (void)refuses("report a --target '-0.01 CNY/100k tokens' -o r.md", {"the amount -0.01", "over 0"});
  EXPECT_FALSE(fs::exists(dir_ / "r.md"));
}

TEST_F(CliDecide, AReportsFileIsNamedByOut) {
  record("a", 10);
  (void)refuses("report a --html r.html", {"r.html", "-o r.html writes it"});
  EXPECT_FALSE(fs::exists(dir_ / "r.html"));
  fs::rename(dir_ / "a", dir_ / "a.md");
  EXPECT_EQ(assay("report a.md -o r.md").code, 0);
}

TEST_F(CliDecide, TenderSaysPassOutOrBadInput) {
  record("a", 10);
  const std::string head = "{\"schema_version\":1,\"title\":\"t\",\"gates\":[{\"id\":\"G\",\"clause\":\"";
  file("met.json", head + "p99(step) <= 11 ms @ 99 %\"}]}");
  file("missed.json", head + "p99(step) <= 9 ms @ 99 %\"}]}");
  file("bad.json", head + "p99(step) <= 9 mb\"}]}");
  const Outcome met = assay("compare --tender met.json a");
  EXPECT_EQ(met.code, 0) << met.text;
  EXPECT_THAT(met.text, HasSubstr("PASS"));
  const Outcome missed = assay("compare --tender missed.json a");
  EXPECT_EQ(missed.code, 1) << missed.text;
  EXPECT_THAT(missed.text, HasSubstr("OUT"));
  const Outcome bad = assay("compare --tender bad.json a");
  EXPECT_EQ(bad.code, 2);
  EXPECT_THAT(bad.text, HasSubstr("column 16"));
  const std::string gate =
      "{\"schema_version\":1,\"title\":\"t\",\"gates\":[{\"id\":\"G\",\"clause\":\"p99(step) <= 11 ms\",";
  file("wide.json", gate + "\"case\":\"dec*/[bf]*/b?/*\"}]}");
  file("typo.json", gate + "\"case\":\"decod/*\"}]}");
  EXPECT_EQ(assay("compare --tender wide.json a").code, 0);
  const Outcome typo = assay("compare --tender typo.json a");
  EXPECT_EQ(typo.code, 2);
  EXPECT_THAT(
      typo.text,
      HasSubstr("typo.json: G: case: expected a pattern that some candidate's case matches, found \"decod/*\""));
}

// `flock` holds the store for the first second: whoever writes meanwhile waits, and nobody's records are lost.
TEST_F(CliDecide, WritersOfAStoreFollowEachOther) {
  record("a", 10);
  record("b", 12);
  const std::string binary = ASSAY_BINARY_DIR "/bin/assay";
  const Outcome out = shell("flock s.db.lock sleep 1 & sleep 0.3; " + binary + " store s.db a & one=$!; " + binary +
                            " store s.db b & two=$!; sleep 0.3; test ! -e s.db && wait $one && wait $two");
  EXPECT_EQ(out.code, 0) << out.text;
  const Result<std::vector<Record>> both = read_records(dir_ / "s.db");
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_EQ(both->size(), 2U);
  const Outcome stopped =
      shell("flock s.db.lock sleep 3 >/dev/null 2>&1 & held=$!; sleep 0.3; timeout --preserve-status -s INT 1 " +
            binary + " store s.db a --anew; code=$?; kill $held; exit $code");
  EXPECT_EQ(stopped.code, 130) << stopped.text;
  EXPECT_THAT(stopped.text, HasSubstr("s.db is as it was"));
  EXPECT_EQ(read_records(dir_ / "s.db")->size(), 2U);
}

TEST_F(CliDecide, AStoreReplacesNothingButAStore) {
  record("a", 10);
  file("notes.txt", "what we agreed on\n");
  fs::create_directories(dir_ / "folder");
  fs::path kept;
  for (const auto& entry : fs::directory_iterator(dir_ / "a")) kept = entry.path();
  const auto size = fs::file_size(kept);
  for (const char* anew : {"", " --anew"}) {
    (void)refuses("store notes.txt a" + std::string(anew), {"notes.txt: expected a store", "found another file"});
    (void)refuses("store folder a" + std::string(anew), {"folder: expected a store", "found a folder"});
    (void)refuses("store '" + kept.string() + "' a" + anew, {"found another file"});
  }
  EXPECT_EQ(shell("cat notes.txt").text, "what we agreed on\n");
  EXPECT_TRUE(fs::is_directory(dir_ / "folder"));
  EXPECT_EQ(fs::file_size(kept), size);
  // A link is followed, also where nothing is there yet; an empty file holds nothing that could be lost.
  fs::create_directories(dir_ / "disk");
  fs::create_symlink("disk/s.db", dir_ / "link.db");
  fs::create_symlink("notes.txt", dir_ / "link.txt");
  file("empty.db", "");
  for (const char* command : {"store link.db a", "store link.db a --anew", "store empty.db a --anew"}) {
    const Outcome out = assay(command);
    EXPECT_EQ(out.code, 0) << command << out.text;
    EXPECT_THAT(out.text, HasSubstr("1 records added"));
  }
  EXPECT_TRUE(fs::is_symlink(dir_ / "link.db"));
  EXPECT_EQ(read_records(dir_ / "disk/s.db")->size(), 1U);
  (void)refuses("store link.txt a --anew", {"notes.txt: expected a store"});
}

// One run, copied about, is one run: it gives no repeats, no interval between them, and nothing to tell a change by.
TEST_F(CliDecide, CopiesOfARecordAreNoRepeats) {
  record("a", 10);
  record("b", 12);
  const std::string alone = assay("compare a b --json").text;
  EXPECT_EQ(
      shell("mkdir -p copied/deep && cp b/* copied && for i in 1 2 3; do cp b/*.json copied/deep/$i.record.json; done")
          .code,
      0);
  const std::string copied = assay("compare a copied --json").text;
  EXPECT_THAT(copied, HasSubstr("\"runs_b\": 1"));
  EXPECT_THAT(copied, HasSubstr("copied: 3 records left out: copies of others here (equal id)"));
  const auto figures = [](const std::string& text) { return text.substr(0, text.find("\"notes\"")); };
  const auto renamed = [](std::string text) {
    for (size_t at = 0; (at = text.find("copied")) != std::string::npos;) text.replace(at, 6, "b");
    return text;
  };
  EXPECT_EQ(renamed(figures(copied)), figures(alone));
  for (const char* command : {"show copied", "show b copied/deep", "report copied b -o r.md"}) {
    const Outcome out = assay(command);
    EXPECT_EQ(out.code, 0) << out.text;
    EXPECT_THAT(out.text, HasSubstr("left out: copies of others here")) << command;
  }
  EXPECT_THAT(assay("show b copied/deep --format csv").text, HasSubstr("3 records left out"));
  EXPECT_THAT(assay("show copied a").text, HasSubstr("3 records left out"));
}

TEST_F(CliDecide, CompareSaysWhereARecordIsHeldAgainstItself) {
  record("a", 10);
  record("b", 12);
  EXPECT_THAT(assay("compare a b").text, testing::Not(HasSubstr("against itself")));
  const Outcome out = assay("compare a a b");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("1 of 1 records of a are the same in a (decode/m/bf16/b1/c512, record "));
  EXPECT_THAT(out.text, HasSubstr("shows no difference"));
}

// A run that was cut off and then finished has one record of the case that counts: nothing is unmatched or failed.
TEST_F(CliDecide, WhatAnInterruptLeftIsNoPartOfAComparison) {
  record("a", 10);
  record("b", 10, "interrupted by the user");
  record("b", 10);
  file("b/campaign.json",
       R"({"campaign_version": 1, "tool_version": "0.1.0", "tool_commit": "", "created": "", "arguments": [],
           "device": "", "form": "quick", "seed": 0, "threads": 0, "time_limit_s": 0, "options": [],
           "cases": [{"id": "decode/m/bf16/b1/c512", "hash": "hash of decode/m/bf16/b1/c512", "suite_hash": ""}]})");
  const Outcome out = assay("compare a b --fail-on unmatched");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, testing::Not(HasSubstr("interrupted")));
  EXPECT_THAT(out.text, HasSubstr("b: 1 record left out: of their cases others of the same run stand"));
}

}  // namespace
}  // namespace assay
