#include "results/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <limits>

#include "results/metrics/metrics.h"
#include "results/packed.h"
#include "results/record_id.h"
#include "suites/suite.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// Four steps of a decode at batch 2: 10, 10, 30 and 10 ms.
Record decode_record() {
  Record r;
  r.created = "2026-01-02T03:04:05Z";
  r.tool_version = "0.1.0";
  r.tool_commit = "abc";
  r.build_flags = "Release";
  r.basis = "measured";
  r.status = "ok";
  r.suite = "decode";
  r.suite_hash = r.case_hash = std::string(32, 'a');
  r.case_id = "decode/m/f32/b2/c128";
  r.case_json = "{\"batch\":2}";
  r.form = "quick";
  r.model = "m";
  r.dtype = "f32";
  r.step_kind = "decode";
  r.token_class = "output";
  r.batch = 2;
  r.tokens = 1;
  r.context = 128;
  r.tokens_per_step = 2;
  r.step_flops = 3e9;
  r.step_weight_bytes = 1e8;
  r.step_kv_bytes = 5e7;
  r.adapter = "cpu";
  r.adapter_build_json = "{}";
  r.device = "cpu:0";
  r.samples.start_ns = {0, 10'000'000, 20'000'000, 50'000'000};
  r.samples.host_ns = {10'000'000, 10'000'000, 30'000'000, 10'000'000};
  r.stop.reason = "time-limit";
  r.stop.warmup_end = "drift-ended";
  r.ceiling.flops_per_s = 4e11;
  r.ceiling.flops_dtype = "f32";
  r.ceiling.read_bytes_per_s = 2e10;
  r.noise.host_gap_start_ns = {25'000'000};
  r.noise.host_gap_ns = {5'000'000};
  r.energy.reason = "no source";
  return r;
}

TEST(RecordJson, RoundTripKeepsEveryField) {
  Record r = decode_record();
  r.numerics = {"pass", "", 7, {{"matmul", "matmul", "f32", 1e-7, 1e-5, 64, true, ""}}, std::nullopt};
  r.counters = {{"cycles", std::nullopt, "no PMU"}, {"task-clock", 5.5, ""}};
  r.extrapolation = Extrapolation{4, 32, 1e6, 5e5, 2, 8e6, "linear", "time"};
  r.environment = {{"os", "Debian"}};
  r.warnings = {"a \"quoted\" warning"};
  r.energy.joules = 12.5;
  r.planned_bytes = 1000;
  r.taken_bytes = 1200;
  r.adapter_options = {{"products", "own"}, {"search", "4"}};
  r.noise.throttle_start_ns = {5'000'000};
  r.noise.throttle_ns = {2'000'000};
  r.noise.throttle_reasons = {3};
  const std::string text = record_to_json(r);
  const Result<Record> back = record_from_json(text, "test");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(record_to_json(*back), text);
  EXPECT_EQ(back->samples.host_ns, r.samples.host_ns);
  EXPECT_EQ(back->counters[0].reason, "no PMU");
  EXPECT_EQ(back->extrapolation->projected_step_ns, 8e6);
  EXPECT_EQ(back->energy.joules, 12.5);
  EXPECT_EQ(back->planned_bytes, 1000U);
  EXPECT_EQ(back->taken_bytes, 1200U);
  EXPECT_EQ(back->adapter_options, r.adapter_options);
  EXPECT_EQ(back->noise.throttle_reasons, std::vector<uint64_t>{3});
  EXPECT_FALSE(back->numerics.whole);
}

// Nothing set and not known are two things.
TEST(RecordJson, OptionsOfTheAdapterAreSetUnsetOrUnknown) {
  Record r = decode_record();
  EXPECT_EQ(record_to_json(r).find("adapter_options"), std::string::npos) << "ids of older records stay what they are";
  r.adapter_options.emplace();
  r.id = record_id(record_to_json(r));
  const Result<Record> back = record_from_json(record_to_json(r), "test");
  ASSERT_TRUE(back.ok()) << back.error().message;
  ASSERT_TRUE(back->adapter_options);
  EXPECT_TRUE(back->adapter_options->empty());
}

TEST(RecordJson, ReportedFiguresOnlyWhereTheBasisSaysSo) {
  Record r = decode_record();
  EXPECT_EQ(record_to_json(r).find("\"reported\""), std::string::npos) << "ids of older records stay what they are";
  r.reported.emplace();
  r.reported->figures = {{"ttft", "s", "p99", "ttft/send-interpolated", "p99_ttft_ms", 0.3, 0.2, 0.4, 100}};
  r.reported->stated = {{"hw", "chip"}};
  EXPECT_THAT(record_from_json(record_to_json(r), "r").error().message, HasSubstr("basis"));
  r.basis = "reported";
  const Result<Record> back = record_from_json(record_to_json(r), "r");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(record_to_json(*back), record_to_json(r));
  EXPECT_EQ(back->reported->figures[0].high, 0.4);
  r.reported->figures.clear();
  EXPECT_THAT(record_from_json(record_to_json(r), "r").error().message, HasSubstr("figures"));
  r.reported.reset();
  EXPECT_THAT(record_from_json(record_to_json(r), "r").error().message, HasSubstr("basis"));
}

class RecordFile : public testing::Test {
 protected:
  RecordFile() : dir_(fs::temp_directory_path() / ("assay-record-" + std::to_string(::getpid()))) {}
  ~RecordFile() override { fs::remove_all(dir_); }
  fs::path dir_;
};

TEST_F(RecordFile, IsReadBackAndATamperedOneIsNot) {
  Record r = decode_record();
  const Result<fs::path> path = write_record(r, dir_);
  ASSERT_TRUE(path.ok()) << path.error().message;
  EXPECT_EQ(path->filename().string(), "decode_m_f32_b2_c128-" + r.id.substr(0, 8) + ".record.json");
  ASSERT_TRUE(read_record(*path).ok());
  std::ifstream in(*path);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t at = text.find("\"cpu:0\"");
  ASSERT_NE(at, std::string::npos);
  std::ofstream(*path) << text.replace(at, 7, "\"cpu:1\"");
  const Result<Record> tampered = read_record(*path);
  ASSERT_FALSE(tampered.ok());
  EXPECT_THAT(tampered.error().message, HasSubstr("id"));
  EXPECT_EQ(tampered.error().kind, ErrorKind::kBadInput);
}

TEST_F(RecordFile, NotANumberIsNeverKept) {
  Record r = decode_record();
  r.step_flops = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(write_record(r, dir_).ok());
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(RecordFile, AWriteThatFailsLeavesNothing) {
  fs::create_directories(dir_ / "target");
  EXPECT_FALSE(write_file_atomic(dir_ / "target", "text").ok()) << "a folder can't be replaced by a file";
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()), 1);
}

TEST(RecordJson, UnknownFieldsAndCutSamplesAreNamed) {
  const std::string text = record_to_json(decode_record());
  std::string typo = text;
  typo.replace(typo.find("\"created\""), 9, "\"craeted\"");
  EXPECT_THAT(record_from_json(typo, "r.json").error().message,
              testing::AllOf(HasSubstr("r.json"), HasSubstr("craeted"), HasSubstr("created")));
  std::string cut = text;
  const size_t data = cut.find("\"data\":\"", cut.find("\"samples\"")) + 8;
  cut.erase(data, 4);
  EXPECT_THAT(record_from_json(cut, "r.json").error().message, HasSubstr("samples"));
  EXPECT_FALSE(record_from_json("{}", "r.json").ok());
  EXPECT_FALSE(record_from_json("", "r.json").ok());
}

// 300, 299: differences +300 and -1 are zigzag 600 and 1, in LEB128 d8 04 01.
TEST(Packed, RoundTripAndRefusals) {
  const std::vector<uint64_t> values{300, 299, UINT64_MAX, 0};
  const Packed packed = pack(values);
  EXPECT_EQ(*unpack(packed), values);
  Packed wrong = packed;
  wrong.count = 3;
  EXPECT_FALSE(unpack(wrong).ok());
  wrong = packed;
  wrong.xxh3[0] = wrong.xxh3[0] == '0' ? '1' : '0';
  EXPECT_FALSE(unpack(wrong).ok());
  EXPECT_EQ(base64_encode("Man"), "TWFu");
  EXPECT_EQ(base64_encode("Ma"), "TWE=");
  EXPECT_EQ(*base64_decode("TQ=="), "M");
  EXPECT_FALSE(base64_decode("TR==").ok()) << "stray bits";
}

// 4 steps x 2 tokens in 60 ms: 133.3 tokens/s. A step lasts 15 ms on average: 3e9 / 0.015 = 2e11 FLOP/s, half of 4e11;
// 1.5e8 / 0.015 = 1e10 bytes/s, half of 2e10. The step of 30 ms is over 2 x 10 ms, and the gap lies in it.
TEST(MetricsOfARecord, ByHand) {
  const Metrics m = metrics(decode_record());
  ASSERT_TRUE(m.rate && m.step);
  EXPECT_NEAR(m.rate->per_s, 8 / 0.06, 1e-9);
  EXPECT_EQ(m.unit, "tokens/s");
  EXPECT_NEAR(*m.mfu_attainable, 0.5, 1e-12);
  EXPECT_NEAR(*m.mbu_attainable, 0.5, 1e-12);
  EXPECT_DOUBLE_EQ(m.step->median, 10e6);
  EXPECT_EQ(m.stalls, 1U);
  EXPECT_EQ(m.stalls_from_host, 1U);
  EXPECT_FALSE(m.joules_per_token);
}

TEST(MetricsOfARecord, AFailedRunHasNoFigures) {
  Record r = decode_record();
  r.status = "failed";
  EXPECT_FALSE(metrics(r).rate);
  EXPECT_FALSE(metrics(r).mfu_attainable);
}

// The whole model is projected to 80 ms a step: 2 / 0.08 = 25 tokens/s. 12 J over 8 tokens is 1.5 J, of the whole model
// only where all its layers ran.
TEST(MetricsOfARecord, ProjectionAndEnergy) {
  Record r = decode_record();
  r.energy.joules = 12;
  EXPECT_DOUBLE_EQ(*metrics(r).joules_per_token, 1.5);
  r.extrapolation = Extrapolation{4, 32, 15e6, 7e6, 2, 80e6, "linear", "memory"};
  EXPECT_DOUBLE_EQ(*metrics(r).projected_rate, 25);
  EXPECT_FALSE(metrics(r).joules_per_token);
  EXPECT_EQ(metrics(r).energy_note, "measured over 4/32 layers: no energy of a token of the whole model");
}

// By the fields of the case: a suite may be called like a layout.
TEST(Record, PagesAreThoseOfTheCaseNotOfItsName) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  const Suite decode = catalogue.suite("decode").value();
  Record r;
  for (const Case& c : decode.full_cases) {
    if (c.model_name() != "smollm2-135m" || c.batch != 1 || !c.paged()) continue;
    Case odd = c;
    r.case_id = "p99/decode";
    odd.page_tokens = 0;
    r.case_json = odd.to_json();
    EXPECT_EQ(page_layout(r), "");
    odd.page_tokens = 64;
    r.case_json = odd.to_json();
    EXPECT_EQ(page_layout(r), "p64");
    odd.page_seed = 7;
    r.case_json = odd.to_json();
    EXPECT_EQ(page_layout(r), "p64-seed7");
    return;
  }
  FAIL() << "the decode suite has no small case in pages";
}

// A published record of int8 from before its activations were bf16 is another work; its file keeps its id.
TEST(Record, Int8WithF32ActivationsIsMarked) {
  std::ifstream file(ASSAY_SOURCE_DIR
                     "/results/published/2026-11-26-h200/decode_qwen2.5-0.5b_int8_b1_c512-3a6b8e76.record.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const Result<Record> r = record_from_json(text, "record");
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->dtype, "int8-f32");
  EXPECT_EQ(r->case_id, "decode/qwen2.5-0.5b/int8-f32/b1/c512");
  EXPECT_EQ(case_from_json(r->case_json, "case")->id(), r->case_id);
  EXPECT_EQ(record_id(record_to_json(*r)), r->id);
}

}  // namespace
}  // namespace assay
