// What records state follows from their samples and their cases; what was changed in one of them is named.
#include "harness/run/recheck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assay {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kPublished = ASSAY_SOURCE_DIR "/results/published/";

// The published record of the case on a device.
Record published(const std::string& folder, const std::string& case_id) {
  const Result<std::vector<Record>> all = read_records(kPublished + folder);
  EXPECT_TRUE(all.ok()) << all.error().message;
  for (const Record& r : *all) {
    if (r.case_id == case_id) return r;
  }
  ADD_FAILURE() << "no record of " << case_id;
  return {};
}

Record decode() { return published("2026-11-26-epyc-2cpu", "decode/smollm2-135m/f32/b1/c512"); }

// Of both machines, several versions, one launch and several, whole models and parts, with energy and without.
TEST(Recheck, PublishedRecordsFollowFromTheirSamplesAndCases) {
  const Result<std::vector<Record>> all = read_records(kPublished);
  ASSERT_TRUE(all.ok()) << all.error().message;
  ASSERT_GT(all->size(), 30U);
  for (const Record& r : *all) EXPECT_THAT(record_disagreements(r), IsEmpty()) << r.case_id << " " << r.created;
}

// 2 m n k = 2 * 8192^3 = 1099511627776 operations, of which a forger makes twice as many.
TEST(Recheck, WorkFollowsFromTheCase) {
  Record r = published("2026-11-26-h200", "ceilings/gemm/bf16/m8192n8192k8192");
  r.step_flops = 2199023255552;
  EXPECT_THAT(record_disagreements(r), ElementsAre("step_flops: expected 1099511627776, which its case comes to, found "
                                                   "2199023255552"));
  r = decode();
  r.tokens_per_step = 2;  // a batch of 1 decodes one
  EXPECT_THAT(record_disagreements(r), ElementsAre("tokens_per_step: expected 1, which its case comes to, found 2"));
  r = decode();
  r.dtype = "bf16";
  r.step_weight_bytes /= 2;
  EXPECT_THAT(record_disagreements(r),
              ElementsAre(HasSubstr("dtype: expected \"f32\""), HasSubstr("step_weight_bytes: expected ")));
  r = decode();
  r.case_id = "decode/smollm2-135m/f32/b1/c4096";
  r.context = 4096;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("case_id: expected \"decode/smollm2-135m/f32/b1/c512\""),
                                                   "context: expected 512, which its case comes to, found 4096"));
}

TEST(Recheck, LaunchesFollowFromTheSamples) {
  Record r = decode();
  ASSERT_GT(r.run_launches->each.size(), 1U);
  r.run_launches->each[1].mean_step_ns *= 0.9;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("run_launches.each[1].mean_step_ns: expected ")));
  r = decode();
  r.run_launches->each[0].relative_error = 0.001;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("run_launches.each[0].relative_error: expected ")));
  r = decode();
  r.stop.timed_s *= 2;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("stop.timed_s: expected ")));
}

// Each step made shorter: the launches' means and the timed part stay behind.
TEST(Recheck, FasterSamplesContradictTheRest) {
  Record r = decode();
  for (uint64_t& ns : r.samples.host_ns) ns /= 2;
  EXPECT_THAT(record_disagreements(r), testing::Contains(HasSubstr("mean_step_ns")));
  r = decode();
  r.samples.host_ns[0] *= 3;
  EXPECT_THAT(record_disagreements(r), testing::Contains(HasSubstr("samples: expected step 1 to begin when")));
}

TEST(Recheck, EnergyFollowsFromItsReadings) {
  Record r = published("2026-11-26-h200", "decode/llama-3.1-8b/bf16/b1/c4096");
  ASSERT_TRUE(r.energy.joules);
  *r.energy.joules /= 2;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("energy.joules: expected ")));
}

// Two readings are too few for an energy: what states one is told why there is none.
TEST(Recheck, AnEnergyThatItsReadingsDoNotGiveIsToldWhy) {
  Record r = published("2026-11-26-h200", "decode/llama-3.1-8b/bf16/b1/c4096");
  r.energy.pause_start_ns.clear();
  r.energy.pause_ns.clear();
  r.energy.samples.resize(2);
  EXPECT_THAT(record_disagreements(r),
              ElementsAre(AllOf(HasSubstr("energy.joules: expected none ("), HasSubstr(" 5 are needed")),
                          AllOf(HasSubstr("energy.watts_mean: expected none ("), HasSubstr(" 5 are needed"))));
}

// 2 and 1 of 24 layers: t(2) + 22 (t(2) - t(1)), with t(2) the median of the samples.
TEST(Recheck, AProjectionFollowsFromWhatRan) {
  const Record good = published("2026-11-26-h200", "long-context/decode/qwen2.5-0.5b/f32/b1/c4096");
  ASSERT_TRUE(good.extrapolation && good.extrapolation->projected_step_ns);
  const double two = *good.extrapolation->step_ns_run_layers, one = *good.extrapolation->step_ns_fewer_layers;
  EXPECT_DOUBLE_EQ(*good.extrapolation->projected_step_ns, two + 22 * (two - one));
  Record r = good;
  *r.extrapolation->projected_step_ns /= 2;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("extrapolation.projected_step_ns: expected ")));
  r = good;
  *r.extrapolation->step_ns_run_layers /= 2;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("extrapolation.step_ns_run_layers: expected ")));
}

TEST(Recheck, AVerdictFollowsFromItsOps) {
  Record r = decode();
  ASSERT_FALSE(r.numerics.ops.empty());
  r.numerics.ops[0].error = 2 * r.numerics.ops[0].limit;
  EXPECT_THAT(record_disagreements(r), ElementsAre(HasSubstr("numerics: expected each op to pass")));
}

}  // namespace
}  // namespace assay
