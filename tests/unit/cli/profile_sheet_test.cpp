// What a profile says of its pass, on its way from the worker too.
#include "harness/cli/profile_sheet.h"

#include <gmock/gmock.h>

#include "harness/run/case_run.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

Case product_of_64() {
  Case c;
  c.suite = "ceilings";
  c.kind = StepKind::kGemm;
  c.m = c.n = c.k = 64;
  return c;
}

ProfileSheet sheet_with(const NoiseReport& noise, const std::string& reason) {
  ProfileSheet s;
  s.work = product_of_64();
  s.device = "cpu:0";
  ProfileRun run;
  run.graph = lower(s.work, {}).value();
  run.scalars = scalars_of(s.work, run.graph);
  run.steps = 5;
  run.plain_step_s = run.traced_step_s = run.busy_s = 1e-3;
  run.op_seconds.assign(run.graph.ops.size(), 1e-3);
  run.op_calls.assign(run.graph.ops.size(), 1);
  run.op_gap_seconds.assign(run.graph.ops.size(), 0);
  run.last = {{0, "product", 0, 1000}};
  run.noise = noise;
  run.noise_reason = reason;
  Result<ProfileRun> back = profile_from_json(profile_to_json(run), s.work);
  EXPECT_TRUE(back.ok()) << back.error().message;
  if (!back.ok()) return s;
  s.run = std::move(back).value();
  s.rows = profile_rows(s.run);
  return s;
}

TEST(ProfileSheetOf, ADisturbedHostIsTold) {
  NoiseReport noise;
  noise.disturbed = true;
  noise.causes = {"steal 12.5 %", "gaps 11.0 %"};
  noise.values["steal_share"] = 0.125;
  const ProfileSheet s = sheet_with(noise, "");
  EXPECT_THAT(profile_table(s, false), HasSubstr(" on cpu:0 *\n"));
  EXPECT_THAT(profile_table(s, false), HasSubstr("\n* disturbed while the steps ran: steal 12.5 %, gaps 11.0 %\n"));
  EXPECT_THAT(profile_table(s, true), HasSubstr("\n- \\* disturbed while the steps ran: steal 12.5 %, gaps 11.0 %\n"));
  const std::string json = profile_json(s);
  EXPECT_THAT(json, HasSubstr("\"disturbed\": true"));
  EXPECT_THAT(json, HasSubstr("\"steal 12.5 %\""));
  EXPECT_THAT(json, HasSubstr("\"steal_share\": 0.125"));
}

TEST(ProfileSheetOf, AQuietHostIsToldAndOneThatNobodyWatchedToo) {
  const ProfileSheet quiet = sheet_with({}, "");
  EXPECT_THAT(profile_table(quiet, false), HasSubstr("\nhost: nothing disturbed it while the steps ran\n"));
  EXPECT_THAT(profile_table(quiet, false), HasSubstr(" on cpu:0\n"));
  EXPECT_THAT(profile_json(quiet), HasSubstr("\"disturbed\": false"));
  const ProfileSheet unwatched = sheet_with({}, "times are the adapter's own (clock/1)");
  EXPECT_THAT(profile_table(unwatched, false),
              HasSubstr("\nhost not watched: times are the adapter's own (clock/1)\n"));
  EXPECT_THAT(profile_json(unwatched), HasSubstr("\"disturbed\": null"));
  EXPECT_THAT(profile_table(unwatched, false), Not(HasSubstr("nothing disturbed")));
}

}  // namespace
}  // namespace assay
