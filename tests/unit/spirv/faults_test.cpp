// What a Level Zero driver may do wrong, and what the adapter makes of it: on the stand-in driver, which breaks on
// purpose.
#include <dlfcn.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "adapters/spirv/adapter.h"
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

class Faults : public testing::Test {
 protected:
  void TearDown() override { unsetenv("ASSAY_STANDIN_FAULTS"); }
  static void inject(const char* faults) { setenv("ASSAY_STANDIN_FAULTS", faults, 1); }

  // y = x w^T of a size that takes a while, prepared and filled.
  struct Product {
    explicit Product(Adapter& adapter, int64_t n = 256) {
      x = program.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {64, n});
      const uint32_t w = program.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {n, n});
      const uint32_t y = program.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {64, n});
      program.op(ASSAY_OP_MATMUL, {x, w}, {y});
      program.prepare(adapter);
      program.write_normal(x, 1);
      program.write_normal(w, 2);
    }
    Program program;
    uint32_t x = 0;
  };
  static assay_status run(Adapter& adapter, Program& program, assay_run_result& result, double& host_ns) {
    const assay_run_args args{sizeof(args), 1, nullptr};
    int64_t pos = 0;
    assay_run_args with = args;
    with.scalars = &pos;
    assay_run* run = nullptr;
    const auto begin = std::chrono::steady_clock::now();
    assay_status status = adapter.program().submit(program.handle(), &with, &run);
    result = {};
    result.struct_size = sizeof(result);
    if (status == ASSAY_OK) status = adapter.program().wait(run, &result);
    host_ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
    return status;
  }
  static assay_telemetry read(Adapter& adapter) {
    const auto* table = static_cast<const assay_telemetry_table*>(Adapter::entry().table(adapter.ctx(), "telemetry/1"));
    assay_telemetry reading{};
    reading.struct_size = sizeof(reading);
    EXPECT_EQ(table->read(adapter.ctx(), 0, &reading), ASSAY_OK) << Adapter::error();
    return reading;
  }
  static uint32_t devices(Adapter& adapter) {
    uint32_t n = 0;
    EXPECT_EQ(Adapter::entry().device_count(adapter.ctx(), &n), ASSAY_OK);
    return n;
  }
  const std::map<std::string, std::string> none_{};
};

TEST_F(Faults, AHealthyDeviceIsSimulatedAndItsTimeIsTheHosts) {
  Adapter adapter(none_);
  ASSERT_EQ(adapter.status, ASSAY_OK) << Adapter::error();
  assay_device_info info{};
  info.struct_size = sizeof(info);
  ASSERT_EQ(Adapter::entry().device_info(adapter.ctx(), 0, &info), ASSAY_OK);
  EXPECT_EQ(info.basis, static_cast<uint32_t>(ASSAY_BASIS_SIMULATED));
  EXPECT_EQ(info.support, static_cast<uint32_t>(ASSAY_SUPPORT_CHECKED_AGAINST_API));
  Product product(adapter);
  assay_run_result result{};
  double host_ns = 0;
  for (int i = 0; i < 3; ++i) ASSERT_EQ(run(adapter, product.program, result, host_ns), ASSAY_OK) << Adapter::error();
  EXPECT_EQ(result.device_clock, static_cast<uint32_t>(ASSAY_CLOCK_DEVICE_TIMESTAMP));
  EXPECT_EQ(result.device_clock_step_ns, 40u);  // 25 MHz
  // The work runs while the list is submitted, so that the host waits for all of it.
  EXPECT_LE(static_cast<double>(result.device_ns), host_ns + 80);
  EXPECT_GE(static_cast<double>(result.device_ns), 0.2 * host_ns);
}

TEST_F(Faults, ACounterThatWrapsWithinAStepGivesTheStepsTime) {
  Adapter adapter(none_);
  Product product(adapter);
  assay_run_result result{};
  double host_ns = 0;
  inject("wrap");
  ASSERT_EQ(run(adapter, product.program, result, host_ns), ASSAY_OK);
  ASSERT_GT(host_ns, 40'000) << "the step must outlast what is left of the counter";
  EXPECT_LE(static_cast<double>(result.device_ns), host_ns + 80);
  EXPECT_GE(static_cast<double>(result.device_ns), 0.2 * host_ns);
}

TEST_F(Faults, WithoutResolutionOrTimestampsThereIsNoDeviceTime) {
  for (const char* fault : {"tick0", "no_timestamp"}) {
    inject(fault);
    Adapter adapter(none_);
    Product product(adapter, 16);
    assay_run_result result{};
    double host_ns = 0;
    ASSERT_EQ(run(adapter, product.program, result, host_ns), ASSAY_OK) << fault;
    EXPECT_EQ(result.device_clock, static_cast<uint32_t>(ASSAY_CLOCK_NONE)) << fault;
  }
}

TEST_F(Faults, ALostDeviceAndAFullOneSayWhichTheyAre) {
  Adapter adapter(none_);
  Product product(adapter, 16);
  assay_run_result result{};
  double host_ns = 0;
  inject("lost");
  EXPECT_EQ(run(adapter, product.program, result, host_ns), ASSAY_DEVICE_LOST);
  EXPECT_NE(Adapter::error().find("device lost"), std::string::npos) << Adapter::error();

  inject("alloc");
  Program large;
  const uint32_t x = large.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1 << 20, 1});
  large.op(ASSAY_OP_ACTIVATION, {x}, {large.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1 << 20, 1})}, {0});
  assay_program* made = nullptr;
  EXPECT_EQ(adapter.program().prepare(adapter.ctx(), large.desc(), &made), ASSAY_OUT_OF_MEMORY);
  EXPECT_NE(Adapter::error().find("4194304 bytes"), std::string::npos) << Adapter::error();
}

TEST_F(Faults, NoDeviceSaysWhyAndTilesAreDevices) {
  inject("none");
  Adapter nothing(none_);
  EXPECT_EQ(nothing.status, ASSAY_UNSUPPORTED);
  EXPECT_EQ(Adapter::error(), "no Level Zero device that runs kernels: 1 driver(s), 0 device(s) of other kinds");
  inject("tiles");
  Adapter adapter(none_);
  EXPECT_EQ(devices(adapter), 3u);
  assay_device_info info{};
  info.struct_size = sizeof(info);
  ASSERT_EQ(Adapter::entry().device_info(adapter.ctx(), 2, &info), ASSAY_OK);
  EXPECT_STREQ(info.product, "Assay stand-in GPU, tile 2 of 2");
}

// Contexts, queues, lists, memory, pools, events, modules and kernels that the driver made and has not destroyed.
std::vector<int64_t> alive() {
  using Count = uint32_t (*)(int64_t*);
  void* driver = dlopen(std::getenv("ZE_ENABLE_ALT_DRIVERS"), RTLD_NOW | RTLD_NOLOAD);
  void* count = driver == nullptr ? nullptr : dlsym(driver, "assay_standin_alive");
  if (count == nullptr) return {};
  std::array<int64_t, 16> counts{};
  const uint32_t kinds = reinterpret_cast<Count>(count)(counts.data());
  dlclose(driver);
  return {counts.begin(), counts.begin() + kinds};
}

TEST_F(Faults, WhatAnAdapterMakesIsDestroyedWhenItCloses) {
  const std::vector<int64_t> none(8, 0);
  for (const char* fault : {"", "no_timestamp", "lost"}) {
    Adapter adapter(none_);
    assay_program* left = nullptr;
    {
      Product product(adapter, 16);
      ASSERT_EQ(adapter.program().flush_caches(product.program.handle()), ASSAY_OK) << Adapter::error();
      assay_run_result result{};
      double host_ns = 0;
      inject(fault);
      run(adapter, product.program, result, host_ns);
      const std::vector<int64_t> during = alive();
      ASSERT_EQ(during.size(), none.size());
      for (size_t kind = 0; kind < during.size(); ++kind) EXPECT_GT(during[kind], 0) << "of kind " << kind;
      inject("");
      Program& program = product.program;
      ASSERT_EQ(adapter.program().prepare(adapter.ctx(), program.desc(), &left), ASSAY_OK) << Adapter::error();
    }
    const std::vector<int64_t> leaked = alive();  // as if the adapter had forgotten the second program
    for (const size_t kind : {2, 3, 4, 5, 7}) EXPECT_GT(leaked[kind], 0) << "of kind " << kind;
    adapter.program().destroy(left);
    EXPECT_LT(alive()[3], leaked[3]);
    adapter.close();
    EXPECT_EQ(alive(), none) << fault;
  }
}

// The stand-in draws 40 W idle and 160 W while a list runs.
TEST_F(Faults, SensorsAreReadAndAStuckCounterShowsNoPower) {
  using namespace std::chrono_literals;
  Adapter adapter(none_);
  assay_telemetry first = read(adapter);
  std::this_thread::sleep_for(20ms);
  assay_telemetry second = read(adapter);
  const uint32_t all =
      ASSAY_T_POWER | ASSAY_T_ENERGY | ASSAY_T_TEMP | ASSAY_T_CORE_MHZ | ASSAY_T_MEM_USED | ASSAY_T_THROTTLE;
  EXPECT_EQ(first.valid, all & ~static_cast<uint32_t>(ASSAY_T_POWER));  // power needs two readings
  EXPECT_EQ(second.valid, all);
  EXPECT_NEAR(second.power_w, 40, 0.5);
  EXPECT_NEAR((second.energy_j - first.energy_j) / (static_cast<double>(second.window_ns) * 1e-9), 40, 0.5);
  EXPECT_EQ(second.temp_c, 54);
  EXPECT_EQ(second.core_mhz, 1550);
  EXPECT_EQ(second.throttle, 0u);

  inject("hot");
  const assay_telemetry hot = read(adapter);
  EXPECT_EQ(hot.temp_c, 101);
  EXPECT_EQ(hot.throttle, uint64_t{ASSAY_THROTTLE_THERMAL});

  inject("stuck");
  Adapter other(none_);
  first = read(other);
  std::this_thread::sleep_for(5ms);
  second = read(other);
  EXPECT_EQ(second.energy_j, first.energy_j);
  EXPECT_EQ(second.power_w, 0);  // what the counter says: the harness holds it against the load

  inject("no_sensors");
  Adapter bare(none_);
  EXPECT_EQ(read(bare).valid, 0u);
}

TEST(Shapes, SuitTheDevicesGroupsAndSubGroups) {
  using spirv::Form;
  using spirv::Traits;
  const auto chosen = [](uint32_t max_group, uint32_t sub_group, bool cpu = false) {
    Traits t;
    t.max_group = max_group;
    spirv::choose_kernels({}, cpu, sub_group, &t);
    return t;
  };
  EXPECT_EQ(chosen(1024, 32).tile_side, 16);  // 16 x 16 work-items
  EXPECT_EQ(chosen(256, 0).tile_side, 16);
  EXPECT_EQ(chosen(255, 32).tile_side, 8) << "groups too small";
  EXPECT_EQ(chosen(1024, 8).tile_side, 8) << "rows of one sub-group";
  EXPECT_EQ(chosen(64, 8).form, Form::kGpu);
  EXPECT_EQ(chosen(63, 8).form, Form::kCpu) << "no tile fits: one work-item a group";
  EXPECT_EQ(chosen(1024, 0, true).form, Form::kCpu);
}

}  // namespace
}  // namespace assay::cpu_test
