// What a stack lacks or loses is said in words.
#include <gmock/gmock.h>

#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

using testing::HasSubstr;

TEST(Faults, NoDriverIsSaid) {
  if (dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr) GTEST_SKIP() << "this machine has a driver";
  const std::string library = std::string(ASSAY_BINARY_DIR) + "/lib/assay/adapters/libassay_cuda.so";
  const Result<std::unique_ptr<Adapter>> adapter = Adapter::open(library, {{"libraries", "/nowhere"}});
  ASSERT_FALSE(adapter.ok());
  EXPECT_THAT(adapter.error().message, HasSubstr("no NVIDIA driver on this machine: libcuda.so.1 not found"));
}

TEST(Faults, NoDeviceAndAnOldDriver) {
  {
    const Setting none("devices", 0);
    const Result<std::unique_ptr<Adapter>> adapter = open("cuda");
    ASSERT_FALSE(adapter.ok());
    EXPECT_THAT(adapter.error().message, HasSubstr("no device"));
  }
  const Setting old("driver_version", 12080);
  const Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_FALSE(adapter.ok());
  EXPECT_THAT(adapter.error().message, HasSubstr("the driver is too old: it knows 12.8, the runtime is 13.0"));
}

TEST(Faults, WhatDoesNotFitSaysHowMuchWasPlanned) {
  const Setting small("memory_bytes", 3 << 20);
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(1024), 0);
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().kind, ErrorKind::kOutOfMemory);
  EXPECT_THAT(program.error().message, HasSubstr("planned 4 MiB in one piece; the device has 3 of 3 MiB free"));
  EXPECT_EQ(standin("cuda", "allocated"), 0) << "a failed program keeps memory";
}

TEST(Faults, ALostDeviceFailsTheStep) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
  ASSERT_TRUE(adapter.ok());
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  const assay_run_args args{sizeof(args), 1, nullptr};
  assay_run* run = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof(result);
  ASSERT_EQ((*program)->submit(&args, &run), ASSAY_OK);
  ASSERT_EQ((*program)->wait(run, &result), ASSAY_OK);
  EXPECT_EQ(result.device_clock, uint32_t{ASSAY_CLOCK_DEVICE_EVENT});
  EXPECT_GT(result.device_ns, 0U);
  const Setting lose("lose_after", 0);
  ASSERT_EQ((*program)->submit(&args, &run), ASSAY_OK);
  EXPECT_EQ((*program)->wait(run, &result), ASSAY_DEVICE_LOST);
  EXPECT_THAT((*program)->last_error("wait", ASSAY_DEVICE_LOST).message, HasSubstr("the device is lost"));
}

TEST(Cold, AFlushSweepsTheCacheOutsideTheStep) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
  ASSERT_TRUE(adapter.ok());
  ASSERT_TRUE(ASSAY_HAS((*adapter)->program_table(), assay_program_table, flush_caches));
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  const int64_t before = standin("cuda", "allocated"), written = standin("cuda", "set_bytes");
  ASSERT_EQ((*program)->flush_caches(), ASSAY_OK);
  ASSERT_EQ((*program)->flush_caches(), ASSAY_OK);
  EXPECT_EQ(standin("cuda", "allocated") - before, 4 << 20) << "four times the stand-in's L2 of 1 MiB, once";
  EXPECT_EQ(standin("cuda", "set_bytes") - written, 2 * (4 << 20)) << "done before the step begins";
}

TEST(Faults, NumbersOfAStandinAreSimulated) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  ASSERT_TRUE(adapter.ok());
  const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
  ASSERT_TRUE(devices.ok());
  ASSERT_EQ(devices->size(), 1U);
  EXPECT_EQ(devices->front().basis, "simulated");
  EXPECT_EQ(devices->front().support, "checked against the API");
  EXPECT_EQ(devices->front().arch, "9.0");
}

}  // namespace
}  // namespace assay::gpu_test
