// The adapter of every vendor on a stand-in that exports that vendor's names: its call sequence and its numbers.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/scratch.h"
#include "tests/unit/gpu/on_standin.h"
#include "tests/unit/gpu/small_models.h"

namespace assay::gpu_test {
namespace {

class EveryVendor : public Scratch, public testing::WithParamInterface<std::string> {
 protected:
  // Vendors without a compiler at run time take an image that was compiled elsewhere.
  Adapter::Options options(const std::string& vendor) const {
    if (vendor != "corex" && vendor != "supa" && vendor != "tang") return {};
    return {{"kernels", file("image", "STANDIN-IMAGE")}};
  }
  void passes(const Case& c) {
    Result<std::unique_ptr<Adapter>> adapter = open(GetParam(), options(GetParam()));
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    const HostThreads threads{1};
    SharedPage page{};
    Pulse pulse(&page);
    const Result<TraceRun> run = run_trace({**adapter, 0, threads, pulse, 7}, c, true);
    ASSERT_TRUE(run.ok()) << c.id() << ": " << run.error().message;
    EXPECT_EQ(run->numerics.verdict, "pass") << c.id() << ": " << run->numerics.reason;
    EXPECT_GT(run->numerics.ops.size(), 10U);
    EXPECT_EQ(standin(GetParam(), "overrun"), 0) << c.id() << " wrote outside its memory";
  }
};

TEST_P(EveryVendor, ComputesASmallModel) {
  passes(case_of(with_experts(), "bf16", StepKind::kPrefill, 1, 20, 3));
  passes(case_of(llama(), "int8_w8a8", StepKind::kDecode, 2, 1, 5));
}

TEST_P(EveryVendor, SaysThatItIsSimulated) {
  Result<std::unique_ptr<Adapter>> adapter = open(GetParam(), options(GetParam()));
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
  ASSERT_TRUE(devices.ok()) << devices.error().message;
  ASSERT_EQ(devices->size(), 1U);
  EXPECT_EQ(devices->front().basis, "simulated");
  EXPECT_EQ(devices->front().support, "checked against the API");
  EXPECT_THAT(devices->front().product, testing::HasSubstr("stand-in of "));
}

// What each vendor's library tells; the others' figures are marked as not valid: by the vendors' published headers only
// NVML and rocm_smi count energy, and Sunrise's gives no power.
TEST_P(EveryVendor, Telemetry) {
  const uint32_t most =
      ASSAY_T_POWER | ASSAY_T_TEMP | ASSAY_T_CORE_MHZ | ASSAY_T_MEM_MHZ | ASSAY_T_MEM_USED | ASSAY_T_UTIL;
  const uint32_t rocm = ASSAY_T_POWER | ASSAY_T_ENERGY | ASSAY_T_TEMP | ASSAY_T_MEM_USED | ASSAY_T_UTIL;
  const std::map<std::string, uint32_t> valid{{"cuda", most | ASSAY_T_ENERGY | ASSAY_T_THROTTLE},
                                              {"hip", rocm},
                                              {"dtk", rocm},
                                              {"musa", most},
                                              {"maca", most},
                                              {"corex", most | ASSAY_T_THROTTLE},
                                              {"supa", most},
                                              {"tang", ASSAY_T_TEMP | ASSAY_T_MEM_USED}};
  Result<std::unique_ptr<Adapter>> adapter = open(GetParam(), options(GetParam()));
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const assay_telemetry_table* table = (*adapter)->telemetry_table();
  ASSERT_NE(table, nullptr);
  assay_telemetry t{};
  t.struct_size = sizeof(t);
  ASSERT_EQ(table->read((*adapter)->ctx(), 0, &t), ASSAY_OK);
  EXPECT_EQ(t.valid, valid.at(GetParam()));
  EXPECT_DOUBLE_EQ(t.temp_c, 40);
  EXPECT_DOUBLE_EQ(t.mem_used_bytes, 0x1p30);
  if ((t.valid & ASSAY_T_POWER) != 0) {
    EXPECT_DOUBLE_EQ(t.power_w, 250);
  }
  if ((t.valid & ASSAY_T_UTIL) != 0) {
    EXPECT_DOUBLE_EQ(t.util, 0.97);
  }
  if ((t.valid & ASSAY_T_CORE_MHZ) != 0) {
    EXPECT_DOUBLE_EQ(t.core_mhz, 1980);
  }
  if ((t.valid & ASSAY_T_MEM_MHZ) != 0) {
    EXPECT_DOUBLE_EQ(t.mem_mhz, 2619);
  }
}

// With the machine's first card hidden the runtime's device 0 is the second, which is a degree warmer. Sunrise's
// library tells no address, so that of two cards nobody knows which it is.
TEST_P(EveryVendor, TelemetryIsOfTheCardThatIsVisible) {
  const int64_t was = standin(GetParam(), "first_visible", 1);
  Result<std::unique_ptr<Adapter>> adapter = open(GetParam(), options(GetParam()));
  standin(GetParam(), "first_visible", was);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const assay_telemetry_table* table = (*adapter)->telemetry_table();
  if (GetParam() == "tang") {
    EXPECT_EQ(table, nullptr);
    return;
  }
  ASSERT_NE(table, nullptr);
  assay_telemetry t{};
  t.struct_size = sizeof(t);
  ASSERT_EQ(table->read((*adapter)->ctx(), 0, &t), ASSAY_OK);
  EXPECT_DOUBLE_EQ(t.temp_c, 41);
}

// What tells this card from all others, as the stand-in of each library that has such a call numbers its second card.
TEST_P(EveryVendor, TheCardIsNamedByItsSerial) {
  const std::string uuid = "GPU-00000000-0000-0000-0000-000000000001";
  const std::map<std::string, std::string> serials{{"cuda", uuid},   {"corex", uuid},   {"hip", "65262"},
                                                   {"dtk", "65262"}, {"musa", "mtt-1"}, {"maca", "mx-1"},
                                                   {"supa", ""},     {"tang", ""}};
  const int64_t was = standin(GetParam(), "first_visible", 1);
  Result<std::unique_ptr<Adapter>> adapter = open(GetParam(), options(GetParam()));
  standin(GetParam(), "first_visible", was);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
  ASSERT_TRUE(devices.ok()) << devices.error().message;
  ASSERT_FALSE(devices->empty());
  EXPECT_EQ(devices->front().serial, serials.at(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Gpu, EveryVendor,
                         testing::Values("cuda", "hip", "musa", "maca", "corex", "dtk", "supa", "tang"),
                         [](const auto& test) { return test.param; });

// Moore Threads and MetaX publish one call for each product, with numbers of their own; what it refuses our kernels
// run.
TEST(Products, ByOneCallEach) {
  for (const std::string vendor : {"musa", "maca"}) {
    for (const bool refused : {false, true}) {
      if (refused && vendor == "maca") continue;
      standin(vendor, "gemmex_refuse", refused ? 1 : 0);
      standin(vendor, "gemmex_products", 0);
      Result<std::unique_ptr<Adapter>> adapter = open(vendor);
      ASSERT_TRUE(adapter.ok()) << adapter.error().message;
      const HostThreads threads{1};
      SharedPage page{};
      Pulse pulse(&page);
      std::vector<Case> cases{case_of(with_latent(), "bf16", StepKind::kDecode, 3, 1, 4)};  // products by head
      for (const char* dtype : {"tf32", "bf16", "int8_w8a8"}) {
        cases.push_back(case_of(llama(), dtype, StepKind::kPrefill, 1, 5, 3));
      }
      for (const Case& c : cases) {
        const Result<TraceRun> run = run_trace({**adapter, 0, threads, pulse, 7}, c, true);
        ASSERT_TRUE(run.ok()) << c.id() << ": " << run.error().message;
        EXPECT_EQ(run->numerics.verdict, "pass") << vendor << " " << c.id() << ": " << run->numerics.reason;
      }
      Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
      ASSERT_TRUE(program.ok()) << program.error().message;
      const std::string executed = (*program)->info().executed;
      EXPECT_EQ(executed.find("by the library's own choice") != std::string::npos, !refused) << executed;
      EXPECT_EQ(standin(vendor, "gemmex_products") >= 3 * 2 * 4, !refused);
      standin(vendor, "gemmex_refuse", 0);
    }
  }
}

TEST(Kernels, WhatIsCompiledAtRunTimeIsKeptForTheNextProcess) {
  const std::filesystem::path cache =
      std::filesystem::temp_directory_path() / ("assay-kernels-" + std::to_string(::getpid()));
  const auto compilations = [&] {
    standin("cuda", "compilations", 0);
    Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"cache_dir", cache.string()}});
    EXPECT_TRUE(adapter.ok()) << adapter.error().message;
    if (!adapter.ok()) return int64_t{-1};
    const bool built_in = std::string((*adapter)->core()->build_json).find("run-time compiler") == std::string::npos;
    standin("cuda", "refuse_images", built_in ? 1 : 0);
    const Status supported = (*adapter)->supports(product_graph(64), 0);
    EXPECT_TRUE(supported.ok()) << supported.error().message;
    return standin("cuda", "compilations");
  };
  EXPECT_EQ(compilations(), 1);
  EXPECT_EQ(compilations(), 0);
  for (const auto& entry : std::filesystem::directory_iterator(cache)) {
    if (entry.path().filename().string().find("kernels") != std::string::npos) {
      std::filesystem::resize_file(entry.path(), std::filesystem::file_size(entry.path()) - 1);
    }
  }
  EXPECT_EQ(compilations(), 1) << "half an image is none";
  std::filesystem::remove_all(cache);
}

TEST(Kernels, AnImageForOtherChipsGivesWayToTheCompilerAtRunTime) {
  for (const std::string vendor : {"hip", "cuda"}) {
    standin(vendor, "refuse_images", 1);
    Result<std::unique_ptr<Adapter>> adapter = open(vendor);
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    const Status supported = (*adapter)->supports(product_graph(64), 0);
    EXPECT_EQ(standin(vendor, "refuse_images", 0), 0) << vendor << " loaded no image";
    // Without an image of its own the adapter compiles first, and the stand-in refuses that one.
    if (std::string((*adapter)->core()->build_json).find("run-time compiler") != std::string::npos) {
      ASSERT_FALSE(supported.ok());
      EXPECT_THAT(supported.error().message, testing::HasSubstr("load the kernels"));
    } else {
      EXPECT_TRUE(supported.ok()) << supported.error().message;
    }
  }
}

TEST(Kernels, WithoutACompilerTheWayOutIsSaid) {
  Result<std::unique_ptr<Adapter>> adapter = open("supa");
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const Status supported = (*adapter)->supports(product_graph(64), 0);
  ASSERT_FALSE(supported.ok());
  EXPECT_THAT(supported.error().message, testing::HasSubstr("option kernels=FILE takes an image compiled elsewhere"));
}

}  // namespace
}  // namespace assay::gpu_test
