// The folder of a run: what a run that goes on adds to it, and what reads it makes of that.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "results/record.h"
#include "tests/support/command_line.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CliRuns : public CommandLine {
 protected:
  // Two cases that end as the fault makes them.
  Outcome run(const std::string& options) const {
    return assay(
        "run decode --case f32/b1 --time-limit 0.2 --no-check --out made "
        "--adapter " ASSAY_BINARY_DIR "/tests/adapters/faulty.adapter.json --device faulty:0 " +
        options);
  }
  [[nodiscard]] size_t records() const { return read_records(dir_ / "made")->size(); }
};

TEST_F(CliRuns, WhatIsNotSupportedIsNotAskedAgain) {
  const std::string fault = "--adapter-option fault=unsupported";
  EXPECT_EQ(run(fault).code, 1);
  ASSERT_EQ(records(), 2U);
  const Outcome again = run(fault + " --resume");
  EXPECT_EQ(again.code, 1) << again.text;
  EXPECT_EQ(records(), 2U) << again.text;
}

// A dead worker can't say any more what it ran on; the run knows. A later attempt stands for the case.
TEST_F(CliRuns, AFailedRecordNamesTheChipAndGivesWayToTheNextAttempt) {
  const std::string fault = "--adapter-option fault=crash_in_wait";
  EXPECT_EQ(run(fault).code, 1);
  ASSERT_EQ(records(), 2U);
  const Result<std::vector<Record>> failed = read_records(dir_ / "made");
  for (const Record& r : *failed) {
    EXPECT_EQ(r.status, "failed");
    EXPECT_EQ(r.device_product, "faulty");
  }
  EXPECT_EQ(run(fault + " --resume").code, 1);
  EXPECT_EQ(records(), 4U);
  const Outcome csv = shell(ASSAY_BINARY_DIR "/bin/assay show made --format csv 2>/dev/null");
  EXPECT_EQ(std::count(csv.text.begin(), csv.text.end(), '\n'), 3) << "a heading and two cases\n" << csv.text;
  const Outcome report = assay("report made -o r.csv");
  EXPECT_EQ(report.code, 0) << report.text;
  EXPECT_THAT(report.text, HasSubstr("2 records left out: of their cases others of the same run stand"));
}

// A second run in a folder where one is at work is told whose it is, measures nothing and leaves the first alone.
TEST_F(CliRuns, AFolderIsOfOneRunAtATime) {
  const std::string run = ASSAY_BINARY_DIR
      "/bin/assay run decode --case smollm2-135m/f32/b1 --time-limit 60 --launches 1 --no-check "
      "--out made --adapter " ASSAY_BINARY_DIR "/tests/adapters/faulty.adapter.json";
  const Outcome out = shell(
      run +
      " >first.log 2>&1 & first=$!; echo first $first; while [ ! -e made/campaign.json ]; do kill -0 $first || exit; "
      "sleep 0.05; done; " +
      run + " --resume; echo code $?; " + run + "; echo code $?; kill -INT $first; wait $first; echo code $?");
  const std::string first = out.text.substr(6, out.text.find('\n') - 6);
  EXPECT_THAT(out.text, HasSubstr("assay run: --resume: --out made: expected no other run there now, found process " +
                                  first + " at one\ncode 2\n"));
  EXPECT_THAT(out.text, HasSubstr("assay run: --out: made: expected no other run there now, found process " + first +
                                  " at one\ncode 2\n"));
  EXPECT_THAT(out.text, HasSubstr("code 130\n"));
  EXPECT_LE(records(), 1U);
  EXPECT_FALSE(fs::exists(dir_ / "made/campaign.lock"));
}

// A list reads neither the records' texts nor all pages; a damaged store is no good one all the same.
TEST_F(CliRuns, ADamagedStoreIsToldAndNotListed) {
  ASSERT_EQ(assay("store whole.db " ASSAY_SOURCE_DIR "/results/published/2026-11-26-epyc-2cpu").code, 0);
  EXPECT_EQ(assay("store whole.db").code, 0);
  std::ifstream in(dir_ / "whole.db", std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(in), {}};
  std::string body = whole;
  const size_t frame = body.find("\x28\xB5\x2F\xFD");  // of the first record's text
  ASSERT_NE(frame, std::string::npos);
  for (size_t i = 100; i < 140; ++i) body[frame + i] = static_cast<char>(~body[frame + i]);
  file("body.db", body);
  for (const char* list : {"store body.db", "store body.db --json", "store body.db --suite prefill"})
    (void)refuses(list,
                  {"assay store: body.db: record ", ": the store is damaged; build it anew", "store body.db --anew"});
  file("cut.db", whole.substr(0, whole.size() / 2));
  (void)refuses("store cut.db", {"assay store: cut.db: ", "malformed"});
}

}  // namespace
}  // namespace assay
