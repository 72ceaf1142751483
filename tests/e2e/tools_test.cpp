// The commands around a run: what a case is made of, where its time goes, what is wrong with a file.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "results/record.h"
#include "results/record_id.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr const char* kNoSuchDevice = ": --device: cpu:7: adapter cpu has no such device; it has 1 (cpu:0)";

class Tools : public CommandLine {};

TEST_F(Tools, ExplainPrintsOpsCostsAndShare) {
  const Outcome out = assay("explain decode smollm2-135m/f32/b1/c512");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("layer0-29"));
  EXPECT_THAT(out.text, HasSubstr("[1,576] [3072,576] f32 -> [1,3072] f32"));
  EXPECT_THAT(out.text, HasSubstr("30 of 30 layers: 100.0 % of the FLOPs"));
  const Outcome part = assay("explain decode smollm2-135m/f32/b1/c512 --layers 3 --format json");
  EXPECT_EQ(part.code, 0) << part.text;
  EXPECT_THAT(part.text, HasSubstr("\"layers\": 3"));
  EXPECT_EQ(assay("explain decode smollm2").code, 2) << "more than one case";
  EXPECT_EQ(assay("explain decode no-such-case").code, 2);
}

TEST_F(Tools, CasesInPagesAreFoundAndSaidToBe) {
  const Outcome list = assay("list cases --full --suite decode --case '*/p16'");
  EXPECT_EQ(list.code, 0) << list.text;
  EXPECT_THAT(list.text, testing::ContainsRegex("\ndecode/smollm2-135m/bf16/b1/c512/p16 +1  pages of 16 "));
  EXPECT_THAT(list.text, testing::Not(HasSubstr("c512  ")));
  const Outcome explained = assay("explain decode smollm2-135m/bf16/b1/c512/p16");
  EXPECT_EQ(explained.code, 0) << explained.text;
  EXPECT_THAT(explained.text, HasSubstr("KV cache: in pages of 16 tokens, in the order of seed 1"));
  EXPECT_EQ(assay("list cases --case nosuchcase").code, 2);
}

TEST_F(Tools, ProfilePrintsWhereTheTimeGoesAndWritesATimeline) {
  const std::string trace = (dir_ / "step.json").string();
  const Outcome out = assay("profile decode smollm2-135m/f32/b1/c512 --chip h20 --counters all --trace " + trace);
  EXPECT_EQ(out.code, 0) << out.text;
  for (const char* word : {"down_proj", "attention", "without tracing", "att.: of the attainable",
                           "measured before this pass", "sheet: of 44", "reported, datasheet of H20",
                           "no counters of the device per op: the adapter has no", "measured on cpu:0"}) {
    EXPECT_THAT(out.text, HasSubstr(word));
  }
  std::istringstream lines(out.text.substr(out.text.find("\nop ")));
  for (std::string line; std::getline(lines, line) && line.rfind("step: ", 0) != 0;) {
    EXPECT_LE(line.size(), 100U) << line;
  }
  std::ifstream file(trace);
  // Of the host's state as it is: either word, and that it was looked at.
  EXPECT_THAT(out.text, HasSubstr("while the steps ran"));
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(text, HasSubstr("{\"displayTimeUnit\":\"ns\",\"traceEvents\":["));
  EXPECT_THAT(text, HasSubstr("\"ph\":\"X\""));
  EXPECT_EQ(assay("profile decode no-such-case").code, 2);
  (void)refuses("profile decode smollm2-135m/f32/b1/c512 --counters q_projj",
                {"--counters: ", "down_proj", "'q_projj'"});
  (void)refuses("profile decode smollm2-135m/f32/b1/c512 --roofline ops.gif",
                {"--roofline: ", ".svg or .png", "ops.gif"});
  (void)refuses("profile decode smollm2-135m/f32/b1/c512 --device cpu:7", {kNoSuchDevice});
}

TEST_F(Tools, TwoProfilesAreComparedOpByOp) {
  ASSERT_EQ(assay("profile decode smollm2-135m/f32/b1/c512 --json > a.json").code, 0);
  const Outcome same = assay("compare a.json a.json --format md");
  EXPECT_EQ(same.code, 0) << same.text;
  EXPECT_THAT(same.text, testing::ContainsRegex("\n\\| down_proj \\| .* \\| 1 \\| 0 \\|"));
  EXPECT_THAT(same.text, HasSubstr("no difference in step time to explain"));
  EXPECT_THAT(assay("validate a.json").text, HasSubstr("a.json: valid: profile: decode/smollm2-135m/f32/b1/c512 on "));
  file("other.json", "{\"schema_version\": 1}");
  (void)refuses("compare a.json other.json", {"other.json: expected a profile, as a.json is"});
  (void)refuses("compare a.json a.json a.json", {"expected two profiles to compare, found 3"});
  (void)refuses("compare a.json a.json --fail-on slower", {"--fail-on: expected records, found profiles"});
}

// Where a file can't be put is told before anything is measured, with the cause: the device is not even asked for.
TEST_F(Tools, ProfileAsksWhereItsFilesGoBeforeItMeasures) {
  const std::string profile = "profile decode smollm2-135m/f32/b1/c512 --device cpu:7 ";
  file("plain", "");
  (void)refuses(profile + "--trace nodir/t.json", {"--trace: nodir/t.json: can't be written: No such file"});
  (void)refuses(profile + "--trace plain/t.json", {"--trace: plain/t.json: can't be written: Not a directory"});
  (void)refuses(profile + "--trace .", {"--trace: .: expected a file, or nothing there yet, found a folder"});
  (void)refuses(profile + "--trace /dev/null", {"--trace: /dev/null: expected a file", "found no regular file"});
  (void)refuses(profile + "--roofline nodir/r.svg", {"--roofline: nodir/r.svg: can't be written: No such file"});
}

// 8 KiB hold no timeline; the table is not lost with it, and nothing half written stays.
TEST_F(Tools, ProfileKeepsItsTableWhereTheDiskIsFull) {
  const Outcome out = shell("trap '' XFSZ; ulimit -f 16; " ASSAY_BINARY_DIR
                            "/bin/assay profile decode smollm2-135m/f32/b1/c512 --trace t.json");
  EXPECT_EQ(out.code, 1) << out.text;
  EXPECT_THAT(out.text, HasSubstr("down_proj"));
  EXPECT_THAT(out.text, HasSubstr("assay profile: --trace: t.json: can't write: File too large"));
  EXPECT_TRUE(std::filesystem::is_empty(dir_));
}

TEST_F(Tools, FitFindsTheLargestContextByAllocating) {
  const Outcome out = assay("fit decode smollm2-135m/f32/b1/c512 --device null:0");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("allocated: a context of 8191 tokens"));
  EXPECT_THAT(out.text, HasSubstr("8191 tokens is the model's own limit"));
  EXPECT_THAT(out.text, HasSubstr("basis: simulated"));
  EXPECT_EQ(assay("fit prefill smollm2-135m/f32/b1/t128 --device null:0").code, 2) << "no context that could grow";
}

TEST_F(Tools, ExplainSaysWhatBoundsEachOpOnADevice) {
  const Outcome out = assay("explain prefill smollm2-135m/f32/b1/t512 --device cpu:0 --format md");
  EXPECT_EQ(out.code, 0) << out.text;
  for (const char* word : {"| compute |", "| memory |", "measured on cpu:0 now", "least time of the step"}) {
    EXPECT_THAT(out.text, HasSubstr(word));
  }
  (void)refuses("explain prefill smollm2-135m/f32/b1/t512 --device cpu:7", {kNoSuchDevice});
}

// H20, datasheet: 148 TFLOP/s dense in bf16 and 4 TB/s, so a ridge of 37 FLOP/B.
TEST_F(Tools, ExplainTakesPeaksFromADatasheet) {
  const Outcome out = assay("explain decode decode/qwen3-32b/bf16/b1/c4096 --chip h20 --format json");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("\"bytes_per_s\": 4000000000000.0"));
  EXPECT_THAT(out.text, HasSubstr("\"flops_per_s\": 148000000000000.0"));
  EXPECT_THAT(out.text, HasSubstr("reported, datasheet of H20: dense bf16"));
  const Outcome whole = assay("explain decode decode/qwen2.5-72b/bf16/b1/c512 --chip h20");  // 145.4 GB for 96
  EXPECT_THAT(whole.text, HasSubstr("at least 2 of them"));
  const Outcome unknown = assay("explain decode decode/qwen3-32b/bf16/b1/c4096 --chip h2o");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.text, HasSubstr("did you mean"));
}

// H20 by the shipped book: 96 GB at 4 TB/s.
TEST_F(Tools, ListsTheChipsOfThePriceBook) {
  const Outcome table = assay("list chips");
  EXPECT_EQ(table.code, 0) << table.text;
  EXPECT_THAT(table.text, testing::ContainsRegex("\nh20 +H20 +NVIDIA .* 96, [VMCRA?] +4, [VMCRA?]"));
  EXPECT_THAT(assay("list chips --names").text, HasSubstr("\nh20\n"));
  EXPECT_THAT(assay("list chips --json").text, HasSubstr("\"bandwidth_tb_s\""));
}

TEST_F(Tools, ATableOfNothingIsRefused) {
  ASSERT_EQ(assay("run decode --case smollm2-135m/f32/b1/c512 --device null:0 --no-check --launches 1 --out one").code,
            0);
  (void)refuses("show one --table skew",
                {"--table skew: expected records that differ in the routing of experts alone"});
  (void)refuses("show one --table context", {"--table context: expected records that differ in the context alone"});
  (void)refuses("show one --table clips", {"--table clips: expected denoising passes"});
  (void)refuses("show one --table skw", {"skew"});
  ASSERT_EQ(assay("store one.db one").code, 0);
  (void)refuses("store one.db --suite decod", {"--suite: unknown suite 'decod'; did you mean 'decode'?"});
  (void)refuses("store one.db --model smollm2-135n", {"--model: unknown model ", "did you mean 'smollm2-135m'?"});
  EXPECT_EQ(assay("store one.db --suite prefill").code, 0) << "known, and the store has none of it";
  EXPECT_EQ(assay("store one.db --model smollm2-135m").code, 0);
}

TEST_F(Tools, ValidateNamesEveryFaultWithItsLine) {
  file("good.json", "{\"name\": \"good\", \"extends\": \"decode\"}");
  file("bad.json", "{\n  \"name\": \"bad\",\n  \"extends\": \"decod\",\n  \"quik\": 1\n}");
  const Outcome good = assay("validate good.json");
  EXPECT_EQ(good.code, 0) << good.text;
  EXPECT_THAT(good.text, HasSubstr("good.json: valid: suite 'good'"));
  const Outcome bad = assay("validate good.json bad.json");
  EXPECT_EQ(bad.code, 2) << bad.text;
  EXPECT_THAT(bad.text, HasSubstr("bad.json:3: extends: suite: unknown 'decod'; did you mean 'decode'?"));
  EXPECT_THAT(bad.text, HasSubstr("bad.json:4: unknown field 'quik'; did you mean 'quick'?"));
  EXPECT_THAT(bad.text, HasSubstr("good.json: valid"));
}

// More work than the case has: refused by the id that it had, which tells no other, and by its figures with an id that
// fits.
TEST_F(Tools, ValidateHoldsARecordAgainstItsSamplesAndItsCase) {
  const std::string published = ASSAY_SOURCE_DIR "/results/published/2026-11-26-epyc-2cpu/";
  const std::string name = published + "decode_smollm2-135m_f32_b1_c512-0f626ec6.record.json";
  Record r = read_record(name).value();
  const Outcome good = assay("validate " + name);
  EXPECT_EQ(good.code, 0) << good.text;
  r.step_flops *= 2;
  const std::string fitting = record_id(record_to_json(r));
  file("changed.json", record_to_json(r));
  const Outcome changed = refuses("validate changed.json", {"id: expected the hash of the content, found " + r.id});
  EXPECT_THAT(changed.text, testing::Not(HasSubstr(fitting)));
  r.id.clear();
  file("emptied.json", record_to_json(r));
  (void)refuses("validate emptied.json", {"emptied.json: id: expected the record's hash, found ''"});
  r.id = fitting;
  file("forged.json", record_to_json(r));
  (void)refuses("validate forged.json", {"forged.json: step_flops: expected ", "which its case comes to, found "});
}

}  // namespace
}  // namespace assay
