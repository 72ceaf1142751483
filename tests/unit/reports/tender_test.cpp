#include "reports/tender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "suites/base/json_input.h"

namespace assay {
namespace {

using testing::HasSubstr;

constexpr const char* kGolden = ASSAY_SOURCE_DIR "/tests/golden/tender/";

std::string golden(const std::string& name) {
  const Result<std::string> text = read_text_file(kGolden + name);
  EXPECT_TRUE(text.ok());
  return text.ok() ? *text : "";
}

Record decode(uint64_t ms, size_t slow_every) {
  Record r;
  r.basis = "measured";
  r.status = "ok";
  r.step_kind = "decode";
  r.case_id = "decode/m/bf16/b4/c512";
  r.batch = r.tokens_per_step = 4;
  uint64_t at = 0;
  for (size_t i = 0; i < 1000; ++i) {
    const uint64_t ns = (slow_every > 0 && i % slow_every == slow_every - 1 ? 30 : ms) * 1'000'000;
    r.samples.start_ns.push_back(at);
    r.samples.host_ns.push_back(ns);
    at += ns;
  }
  return r;
}

// A: 1000 steps of 10 ms, ten of them of 30 ms. B: 1000 steps of 8 ms. Four tokens a step.
std::vector<Candidate> candidates() {
  Record a = decode(10, 100), b = decode(8, 0);
  a.device_product = "Chip A";
  b.device_product = "Chip B";
  return {{"a", {a}}, {"b", {b}}};
}

Tender tender() {
  Result<Tender> t = parse_tender(golden("tender.json"), "tender.json");
  EXPECT_TRUE(t.ok()) << (t.ok() ? "" : t.error().message);
  return t.ok() ? *t : Tender{};
}

// By hand. A's mean step is (990 x 10 + 10 x 30) / 1000 = 10.2 ms, so 4 / 0.0102 = 392.157 tokens/s.
//   G1 p90 <= 20 ms: 10 of 1000 over, 10 % allowed: PASS; floor for 10 over at p90 is 197 steps (published).
//   G2 p99 <= 20 ms: 10 of 1000 over, 1 % allowed: P(Bin(1000, 0.01) <= 10) = 0.58: INCONCLUSIVE; floor for 10 over at
//      p99 is 2010 (published).
//   S1 (392.157 - 300) / (500 - 300) x 60 = 27.647 points; S2 (10 - 20) / (5 - 20) x 40 = 26.667. Together 54.314.
// B: 500 tokens/s: 60 points; (8 - 20) / (5 - 20) x 40 = 32. Together 92. G1 and G2 with none over: floors 44 and 459.
TEST(Tender, SheetWorkedByHand) {
  const TenderResult r = judge(tender(), candidates());
  ASSERT_EQ(r.candidates.size(), 2U);
  EXPECT_DOUBLE_EQ(r.points_possible, 100);
  const CandidateResult &a = r.candidates[0], &b = r.candidates[1];
  EXPECT_EQ(a.gates[0].outcome, Accepted::kPass);
  EXPECT_EQ(a.gates[0].detail.counted->n_needed, 197U);
  EXPECT_EQ(a.gates[1].outcome, Accepted::kInconclusive);
  EXPECT_EQ(a.gates[1].detail.counted->n_needed, 2010U);
  EXPECT_NEAR(a.scores[0].points, 27.647, 5e-4);
  EXPECT_NEAR(a.scores[1].points, 26.667, 5e-4);
  EXPECT_FALSE(a.passed);
  EXPECT_EQ(a.rank, 0) << "out";
  EXPECT_EQ(b.gates[0].detail.counted->n_needed, 44U);
  EXPECT_EQ(b.gates[1].detail.counted->n_needed, 459U);
  EXPECT_NEAR(b.points, 92, 1e-9);
  EXPECT_TRUE(b.passed);
  EXPECT_EQ(b.rank, 1);
}

// The sheet that people sign: every figure of the calculation above stands in it. The bootstrap's interval of the rate
// is no matter of calculation by hand and left out.
TEST(Tender, GoldenSheet) {
  const std::string sheet = render_sheet(tender_sheet(judge(tender(), candidates())), TableFormat::kMarkdown, {});
  const std::regex interval(" \\([0-9.]+ tokens/s to [0-9.]+ tokens/s\\)");
  EXPECT_EQ(std::regex_replace(sheet, interval, ""), golden("sheet.md"));
}

// Of a plain and a paged case the slower decides, and the sheet says which it was and that there were both.
TEST(Tender, TheWorstOfSeveralRecordsIsNamedWithTheirVariants) {
  std::vector<Candidate> c{candidates()[1]};
  c[0].records.push_back(decode(25, 0));
  c[0].records[1].case_id = "decode/m/bf16/b4/c512/p16";
  const TenderResult r = judge(tender(), c);
  EXPECT_EQ(r.candidates[0].gates[0].case_id, "decode/m/bf16/b4/c512/p16");
  EXPECT_THAT(r.candidates[0].gates[0].detail.note, HasSubstr("the worst of 2 records (cases of plain, p16"));
  EXPECT_THAT(r.candidates[0].scores[0].value.note, HasSubstr("the worst of 2 records"));
  EXPECT_EQ(judge(tender(), candidates()).candidates[1].gates[0].detail.note.find("worst"), std::string::npos);
}

// Two that pass, and both with full points: p90 of 3 and 4 ms, at most 20, and p50 of as much, all points from 5. The
// slower is the worst, also where it comes second.
TEST(Tender, OfEqualOutcomesTheNearestToTheLimitIsTheWorst) {
  Candidate c = candidates()[1];
  c.records = {decode(3, 0), decode(4, 0)};
  c.records[1].case_id = "decode/m/bf16/b4/c512/p16";
  for (const bool turned : {false, true}) {
    if (turned) std::swap(c.records[0], c.records[1]);
    const CandidateResult r = judge(tender(), {c}).candidates[0];
    EXPECT_EQ(r.gates[0].outcome, Accepted::kPass);
    EXPECT_EQ(r.gates[0].case_id, "decode/m/bf16/b4/c512/p16");
    EXPECT_EQ(*r.gates[0].detail.found.value, 4e6);
    EXPECT_EQ(r.scores[1].points, 40);
    EXPECT_EQ(*r.scores[1].value.value, 4e6);
  }
}

TEST(Tender, NoRecordOrAnotherBasisFails) {
  std::vector<Candidate> c = candidates();
  c[0].records[0].basis = "simulated";
  c[1].records[0].case_id = "prefill/m";
  const TenderResult r = judge(tender(), c);
  EXPECT_EQ(r.candidates[0].gates[0].outcome, Accepted::kFail);
  EXPECT_THAT(r.candidates[0].gates[0].detail.note, HasSubstr("basis simulated"));
  EXPECT_THAT(r.candidates[1].gates[0].detail.note, HasSubstr("no record"));
  EXPECT_EQ(r.candidates[1].points, 0);
  EXPECT_FALSE(r.candidates[1].passed);
  const std::string sheet = render_sheet(tender_sheet(r), TableFormat::kMarkdown, {});
  EXPECT_THAT(sheet, HasSubstr("| b | G1 | p90(step) <= 20 ms @ 99 % | – | NO RECORD |"));
  EXPECT_THAT(sheet, testing::Not(HasSubstr("| FAIL |"))) << "nothing was tried";
}

// Two of 24 layers keep every limit that the whole breaks.
TEST(Tender, APartOfAModelProvesNothing) {
  std::vector<Candidate> c = candidates();
  c[1].records[0].extrapolation.emplace();
  c[1].records[0].extrapolation->layers_run = 2;
  c[1].records[0].extrapolation->layers_total = 24;
  const CandidateResult b = judge(tender(), c).candidates[1];
  EXPECT_EQ(b.gates[0].outcome, Accepted::kFail);
  EXPECT_THAT(b.gates[0].detail.note, HasSubstr("2/24 layers"));
  EXPECT_EQ(b.points, 0);
}

TEST(Tender, TheWorstMatchingRecordDecides) {
  std::vector<Candidate> c = candidates();
  c[1].records.push_back(c[0].records[0]);
  const TenderResult r = judge(tender(), c);
  EXPECT_EQ(r.candidates[1].gates[1].outcome, Accepted::kInconclusive);
  EXPECT_NEAR(r.candidates[1].points, 54.314, 5e-4);
}

TEST(Tender, AFailedRunFailsItsGates) {
  std::vector<Candidate> c = candidates();
  c[1].records[0].status = "failed";
  c[1].records[0].reason = "numerics: rope";
  const GateResult gate = judge(tender(), c).candidates[1].gates[0];
  EXPECT_EQ(gate.outcome, Accepted::kFail);
  EXPECT_THAT(gate.detail.note, HasSubstr("numerics: rope"));
}

void refused(const std::string& from, const std::string& to, const std::vector<std::string>& words) {
  std::string text = golden("tender.json");
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const Result<Tender> t = parse_tender(text, "tender.json");
  ASSERT_FALSE(t.ok()) << to;
  EXPECT_EQ(t.error().kind, ErrorKind::kBadInput);
  for (const std::string& word : words) EXPECT_THAT(t.error().message, HasSubstr(word));
}

TEST(Tender, BadRequirementsAreNamed) {
  refused("p99(step) <= 20 ms", "p99(step) <= 20 mb", {"gates[1].clause", "column 17", "'mb'"});
  refused("\"clause\": \"p90", "\"claus\": \"p90", {"gates[0]", "claus", "clause"});
  refused("\"weight\": 60", "\"weight\": -1", {"scores[0].weight"});
  refused("\"full\": \"500 tokens/s\"", "\"full\": \"300 tokens/s\"", {"scores[0].full", "another value"});
  refused("\"full\": \"500 tokens/s\"", "\"full\": \"500 ms\"", {"scores[0].full", "tokens/s"});
  refused("\"id\": \"G2\"", "\"id\": \"G1\"", {"G1", "twice"});
  refused("\"value\": \"rate\"", "\"value\": \"rat\"", {"scores[0].value", "rate"});
  refused("\"schema_version\": 1", "\"schema_version\": 2", {"schema_version"});
}

}  // namespace
}  // namespace assay
