// A case over many nights, as a gate and its users meet it: what no two neighbouring nights show.
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "results/record.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

using testing::HasSubstr;

class CliTrend : public CommandLine {
 protected:
  // A run of the replay adapter: steps of 9.95 to 10.05 ms.
  Record replayed() const {
    std::string times = "{\"host_ns\":[10000000";
    for (int i = 1; i < 100; ++i) times += "," + std::to_string(9'950'000 + i * 1'000);
    file("times.json", times + "]}");
    const Outcome run = assay(
        "run decode --case smollm2-135m/f32/b1/c512 --launches 2 --no-check --device replay "
        "--adapter-option samples=times.json --out once");
    EXPECT_EQ(run.code, 0) << run.text;
    const Result<std::vector<Record>> records = read_records(dir_ / "once");
    EXPECT_TRUE(records.ok() && records->size() == 1U);
    return records->front();
  }
  // The same a night later each, its steps `factor` as long.
  void night(Record r, int day, double factor, const std::string& driver = "580") const {
    char created[32];
    std::snprintf(created, sizeof created, "2026-11-%02dT03:12:00Z", day);
    r.created = created;
    r.device_driver = driver;
    for (uint64_t& ns : r.samples.host_ns) ns = static_cast<uint64_t>(std::llround(static_cast<double>(ns) * factor));
    for (RunLaunch& l : r.run_launches->each) l.mean_step_ns *= factor;
    uint64_t at = 0;
    for (size_t i = 0; i < r.samples.host_ns.size(); ++i) {
      r.samples.start_ns[i] = at;
      at += r.samples.host_ns[i];
    }
    ASSERT_TRUE(write_record(r, dir_ / ("night-" + std::to_string(day))).ok());
  }
};

// 13 nights of which each is 0.7 % slower: no two neighbours differ by the margin, the last three are 0.993^10 = 0.932
// of the first three.
TEST_F(CliTrend, TheGateSeesWhatCreeps) {
  const Record once = replayed();
  for (int day = 1; day <= 13; ++day) night(once, day, std::pow(1 / 0.993, day - 1), day < 9 ? "580" : "581");
  EXPECT_EQ(assay("compare night-12 night-13 --fail-on slower").code, 0) << "each night is as the one before";
  EXPECT_EQ(assay("compare night-1 night-2 --fail-on slower --fail-on ambiguous > /dev/null").code, 0);
  const Outcome gate = assay("trend night-* --fail-on slower --format md");
  EXPECT_EQ(gate.code, 1) << gate.text;
  EXPECT_THAT(gate.text, HasSubstr("| 0.9322 |"));
  EXPECT_THAT(gate.text, HasSubstr("| SLOWER |"));
  EXPECT_THAT(gate.text, HasSubstr("| 2026-11-09 03:12 |"));
  EXPECT_THAT(gate.text, HasSubstr("driver 581, before 580"));
  EXPECT_THAT(gate.text,
              HasSubstr("drift (Theil and Sen): -0.70 % a day (95 %: -0.70 % to -0.70 %), -8.08 % over 12 days"));
  EXPECT_EQ(assay("trend night-* --fail-on slower --margin 10").code, 0);
  EXPECT_EQ(assay("trend night-1 night-2 night-3 --fail-on slower").code, 0) << "1.4 % within 2 %";
  EXPECT_EQ(assay("trend night-13 night-12 --baseline night-1 --baseline night-2 --fail-on slower").code, 1);
  EXPECT_EQ(assay("trend night-3 night-4 --baseline night-3 --fail-on slower").code, 0);
  EXPECT_THAT(assay("trend night-* --json").text, HasSubstr("\"growth_per_day\": -0.00"));
  const std::string csv = assay("trend night-* --format csv").text;
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\r'), 14) << "a head and a line a record";
}

TEST_F(CliTrend, AGateNeedsSomethingToCompare) {
  const Record once = replayed();
  night(once, 1, 1);
  const Outcome one = assay("trend night-1 --fail-on slower > /dev/null");
  EXPECT_EQ(one.code, 1);
  EXPECT_THAT(one.text, HasSubstr("expected a case with records to hold against each other, found none"));
  EXPECT_EQ(assay("trend night-1").code, 0);
  night(once, 2, 1);
  EXPECT_EQ(assay("trend night-* --fail-on slower").code, 0);
  Record failed = once;
  failed.status = "failed";
  failed.reason = "op matmul: wrong numbers";
  failed.created = "2026-11-03T03:12:00Z";
  ASSERT_TRUE(write_record(failed, dir_ / "night-3").ok());
  const Outcome out = assay("trend night-* --fail-on slower");
  EXPECT_EQ(out.code, 1) << "the newest failed";
  EXPECT_THAT(out.text, HasSubstr("op matmul: wrong numbers"));
}

TEST_F(CliTrend, BadInputIsNamed) {
  night(replayed(), 1, 1);
  (void)refuses("trend night-1 --case 'prefill/*'", {"--case: ", "'prefill/*'"});
  (void)refuses("trend night-1 --plot trend.gif", {"--plot: ", ".svg or .png", "trend.gif"});
  (void)refuses("trend night-1 --edge 0", {"--edge: "});
  (void)refuses("trend night-1 --margin wide", {"--margin: "});
}

}  // namespace
}  // namespace assay
