// What a profile is held against: records of ceilings by hand, and datasheets as the price book has them.
#include "harness/cli/profile_peaks.h"

#include <gmock/gmock.h>

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

}  // namespace
}  // namespace assay
