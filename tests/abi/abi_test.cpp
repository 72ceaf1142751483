// Across minors: an adapter whose structs are shorter than the host's, and a host whose structs are shorter than the
// adapter's. Neither side may touch a byte beyond what the other one has.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "adapters/abi/assay_adapter.h"
#include "harness/loader/adapter.h"
#include "suites/suite.h"

namespace assay {
namespace {

using testing::Each;
using testing::HasSubstr;

constexpr const char* kOld = ASSAY_BINARY_DIR "/tests/adapters/libassay_old.so";
constexpr const char* kNull = ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_null.so";

// y = a + b over 1024 elements.
Graph adding() {
  Case c;
  c.kind = StepKind::kCopy;
  c.buffer_bytes = 3 * 4096;
  return *lower(c, LowerOptions{});
}

TEST(OldAdapter, LoadsAndSaysWhatItKnows) {
  const auto adapter = Adapter::open(kOld, {});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  EXPECT_EQ((*adapter)->core()->abi_minor, 0);
  const auto devices = (*adapter)->devices();
  ASSERT_TRUE(devices.ok()) << devices.error().message;
  ASSERT_EQ(devices->size(), 1u);
  const DeviceInfo& device = devices->front();
  EXPECT_EQ(device.product, "adder");
  EXPECT_EQ(device.basis, "simulated");
  EXPECT_EQ(device.memory_bytes, uint64_t{1} << 30);
  // Fields that it does not know stay unknown.
  EXPECT_EQ(device.memory_free_bytes, 0u);
  EXPECT_EQ(device.cache_bytes, 0u);
  EXPECT_EQ((*adapter)->telemetry_table(), nullptr);
}

TEST(OldAdapter, RunsAProgram) {
  const auto adapter = Adapter::open(kOld, {});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const Graph graph = adding();
  ASSERT_TRUE((*adapter)->supports(graph, 0).ok());
  auto program = (*adapter)->prepare(graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  std::array<float, 1024> a{}, b{}, y{};
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i);
    b[i] = 0.5f;
  }
  ASSERT_TRUE((*program)->write(0, 0, a.data(), sizeof a).ok());
  ASSERT_TRUE((*program)->write(1, 0, b.data(), sizeof b).ok());
  const assay_run_args args{sizeof args, 1, nullptr};
  assay_run* run = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof result;
  ASSERT_EQ((*program)->submit(&args, &run), ASSAY_OK);
  ASSERT_EQ((*program)->wait(run, &result), ASSAY_OK);
  EXPECT_EQ(result.device_clock, static_cast<uint32_t>(ASSAY_CLOCK_NONE));
  ASSERT_TRUE((*program)->read(2, 0, y.data(), sizeof y).ok());
  EXPECT_EQ(y[0], 0.5f);
  EXPECT_EQ(y[1023], 1023.5f);
  // Its table ends before `info`: nothing is known, and nothing beyond the table is called.
  const assay_program_info info = (*program)->info();
  EXPECT_EQ(info.n_launches, 0u);
  EXPECT_EQ(info.lowering, nullptr);
}

TEST(OldAdapter, AFailureWithoutLastErrorStillNamesCallAndStatus) {
  const auto adapter = Adapter::open(kOld, {});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  auto program = (*adapter)->prepare(adding(), 0);
  ASSERT_TRUE(program.ok());
  const Status status = (*program)->write(99, 0, "", 1);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "program.write: INVALID_ARGUMENT (1)");
  Case gemm;
  gemm.kind = StepKind::kGemm;
  gemm.m = gemm.n = gemm.k = 8;
  const Status refused = (*adapter)->supports(*lower(gemm, LowerOptions{}), 0);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("only one ADD"));
}

// The SDK's side, as an older host calls it.
class OldHost : public testing::Test {
 protected:
  void SetUp() override {
    library_ = dlopen(kNull, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library_, nullptr) << dlerror();
    const auto entry = reinterpret_cast<const assay_adapter* (*)(uint32_t)>(dlsym(library_, "assay_adapter_entry"));
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry(2), nullptr) << "a major that the adapter can't serve";
    core_ = entry(1);
    ASSERT_NE(core_, nullptr);
    // A host of a time when nothing could be asked of it.
    host_.struct_size = offsetof(assay_host, log);
    ASSERT_EQ(core_->open(&host_, &ctx_), ASSAY_OK);
  }
  void TearDown() override {
    if (ctx_ != nullptr) core_->close(ctx_);
    if (library_ != nullptr) dlclose(library_);
  }
  void* library_ = nullptr;
  const assay_adapter* core_ = nullptr;
  assay_host host_{};
  assay_ctx* ctx_ = nullptr;
};

// Calls `f` with a struct of which only the first `size` bytes are the caller's; gives whether it was filled and kept
// to them.
template <typename T, typename F>
void keeps_within(size_t size, F f) {
  std::array<unsigned char, sizeof(T)> bytes;
  bytes.fill(0xa5);
  const auto declared = static_cast<uint32_t>(size);
  std::memcpy(bytes.data(), &declared, sizeof declared);
  ASSERT_EQ(f(reinterpret_cast<T*>(bytes.data())), ASSAY_OK);
  uint32_t left = 0;
  std::memcpy(&left, bytes.data(), sizeof left);
  EXPECT_EQ(left, declared) << "struct_size is the caller's";
  const std::vector<unsigned char> inside(bytes.begin() + 4, bytes.begin() + static_cast<std::ptrdiff_t>(size));
  const std::vector<unsigned char> beyond(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end());
  EXPECT_THAT(inside, testing::Not(Each(0xa5)));
  EXPECT_THAT(beyond, Each(0xa5));
}

TEST_F(OldHost, DeviceInfoIsFilledAsFarAsItGoes) {
  keeps_within<assay_device_info>(offsetof(assay_device_info, memory_free_bytes),
                                  [&](assay_device_info* out) { return core_->device_info(ctx_, 0, out); });
}

TEST_F(OldHost, RunResultAndProgramInfoAreFilledAsFarAsTheyGo) {
  const auto* table = static_cast<const assay_program_table*>(core_->table(ctx_, "program/1"));
  ASSERT_NE(table, nullptr);
  const Graph graph = adding();
  const ProgramView view(graph, 0);
  assay_program* program = nullptr;
  ASSERT_EQ(table->prepare(ctx_, view.desc(), &program), ASSAY_OK);
  const assay_run_args args{sizeof args, 1, nullptr};
  assay_run* run = nullptr;
  ASSERT_EQ(table->submit(program, &args, &run), ASSAY_OK);
  keeps_within<assay_run_result>(offsetof(assay_run_result, device_clock_step_ns),
                                 [&](assay_run_result* out) { return table->wait(run, out); });
  keeps_within<assay_program_info>(offsetof(assay_program_info, lowering),
                                   [&](assay_program_info* out) { return table->info(program, out); });
  table->destroy(program);
}

}  // namespace
}  // namespace assay
