// What a profile is held against: records of ceilings by hand, and datasheets as the price book has them.
#include "harness/cli/profile_peaks.h"

#include <gmock/gmock.h>

#include "harness/cli/command.h"
#include "harness/cli/find_case.h"
#include "tests/support/scratch.h"
#include "tests/support/simulated_records.h"

namespace assay {
namespace {

using testing::HasSubstr;

class ProfilePeaksOf : public Scratch {
 protected:
  // Steps that all last overhead + FLOPs / (0.55 x its peak): 1 ms + 0.002 PFLOP / 1 PFLOP/s = 3 ms for the GEMM below.
  void write(const std::string& product, const std::string& dtype, StepKind kind) {
    Case c;
    c.suite = "ceilings";
    c.kind = kind;
    c.dtype = dtype;
    c.m = c.n = c.k = kind == StepKind::kGemm ? 10000 : 0;
    c.buffer_bytes = kind == StepKind::kRead ? 3'000'000'000 : 0;
    Record record = simulated::record({product, 1e15 / 0.55, 1e30, 0, 1e-3, 0, 0}, c, 20, 1);
    const Result<std::filesystem::path> file = write_record(record, dir_ / product);
    ASSERT_TRUE(file.ok()) << file.error().message;
  }
  Result<ProfilePeaks> peaks(std::vector<std::string> words, const std::string& product) {
    words.insert(words.begin(), {"decode", "case"});
    const Result<Arguments> arguments = Arguments::parse(profile_command(), words);
    if (!arguments.ok()) return arguments.error();
    Case work;
    work.dtype = "bf16";
    DeviceInfo device;
    device.product = product;
    device.basis = "simulated";
    return profile_peaks(*arguments, work, device);
  }
};

TEST_F(ProfilePeaksOf, CeilingsOfTheSameDeviceAndDtype) {
  write("A", "bf16", StepKind::kGemm);
  write("A", "f32", StepKind::kRead);
  write("B", "bf16", StepKind::kGemm);
  const Result<ProfilePeaks> found = peaks({"--ceilings", (dir_ / "A").string()}, "A");
  ASSERT_TRUE(found.ok()) << found.error().message;
  EXPECT_NEAR(*found->flops_per_s, 2e12 / 3e-3, 1e9);
  EXPECT_NEAR(*found->bytes_per_s, 3e9 / 1e-3, 1e7);
  EXPECT_THAT(found->attainable, HasSubstr("gemm/bf16/m10000n10000k10000 (record "));
  EXPECT_THAT(found->no_datasheet, HasSubstr("no chip 'A'; --chip names one"));

  const Result<ProfilePeaks> other = peaks({"--ceilings", (dir_ / "B").string()}, "A");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(other.error().message, HasSubstr("of A, simulated; found gemms in none and no read; of other devices B"));
  EXPECT_FALSE(peaks({"--ceilings", (dir_ / "none").string()}, "A").ok());
}

// 989 TFLOP/s dense and 3.35 TB/s: NVIDIA's datasheet of the H100 SXM. H20: 148 and 4.0.
TEST_F(ProfilePeaksOf, DatasheetByProductOrByName) {
  const Result<ProfilePeaks> by_product = peaks({}, "NVIDIA H100 80GB HBM3");
  ASSERT_TRUE(by_product.ok()) << by_product.error().message;
  ASSERT_TRUE(by_product->datasheet.has_value());
  EXPECT_EQ(by_product->datasheet->flops_per_s, 989e12);
  EXPECT_EQ(by_product->datasheet->bytes_per_s, 3.35e12);
  EXPECT_FALSE(by_product->flops_per_s.has_value());
  const Result<ProfilePeaks> named = peaks({"--chip", "h20"}, "NVIDIA H100 80GB HBM3");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->datasheet->flops_per_s, 148e12);
  EXPECT_EQ(peaks({"--chip", "h2o"}, "").error().kind, ErrorKind::kBadInput);
}

// Memory gives 50 GB/s beside the first launch, 25 beside the second; ten steps each of 0.4 GB and 1 GFLOP take 10 ms
// and 20 ms: 8 GB in 0.3 s, 26.67 GB/s, of (0.1 x 50 + 0.2 x 25) / 0.3 = 33.33 GB/s is 80 %. 66.67 GFLOP/s of 1
// TFLOP/s is 6.67 %. Against the first's ceiling alone it would be 53 %.
TEST_F(ProfilePeaksOf, ExplainHoldsEachLaunchAgainstTheCeilingBesideIt) {
  const Catalogue catalogue = *Catalogue::load(ASSAY_SOURCE_DIR "/suites");
  const std::string id = "smollm2-135m/f32/b1/c512";
  const Result<Case> work = find_case(*catalogue.suite("decode"), id);
  ASSERT_TRUE(work.ok()) << work.error().message;
  Record r = simulated::record({"A", 1e15, 1e15, 0, 1e-3, 0, 0}, *work, 20, 1);
  r.samples.start_ns.clear();
  r.samples.host_ns.clear();
  r.step_flops = 1e9;
  r.step_weight_bytes = 4e8;
  r.step_kv_bytes = 0;
  r.run_launches.emplace().planned = 2;
  for (const uint64_t ns : {10'000'000, 20'000'000}) {
    for (int i = 0; i < 10; ++i) {
      r.samples.start_ns.push_back(r.samples.start_ns.size() * 20'000'000);
      r.samples.host_ns.push_back(ns);
    }
    r.run_launches->each.push_back({10, 0, static_cast<double>(ns), 0.0, 9});
  }
  r.ceiling = {1e12, "f32", 50e9, "before this case, same worker", "", 2048, 1 << 28, "f32", "t", {}};
  r.ceiling.of_launches = {{1e12, 50e9, "t"}, {1e12, 25e9, "u"}};
  const Result<std::filesystem::path> record = write_record(r, dir_);
  ASSERT_TRUE(record.ok()) << record.error().message;
  const auto explained = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"decode", id, "--record", record->string()});
    const Result<Arguments> arguments = Arguments::parse(explain_command(), more);
    testing::internal::CaptureStdout();
    EXPECT_TRUE(arguments.ok() && explain_command().run(*arguments).ok());
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_THAT(explained({}), HasSubstr("peaks: 1 TFLOP/s and 33.3 GB/s"));
  EXPECT_THAT(explained({"--chip", "h20"}), HasSubstr("of the attainable peaks MFU 6.7 %, MBU 80.0 %"));
}

}  // namespace
}  // namespace assay
