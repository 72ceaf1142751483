// No allocation inside the timed loop: every one that this process makes is counted, the C library's too.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "harness/run/timed_loop.h"
#include "suites/suite.h"

namespace {

std::atomic<uint64_t> g_allocations{0};

void* counted(size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return counted(bytes); }
void* operator new[](size_t bytes) { return counted(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

// A sanitizer has its own malloc; there only the operators above are counted.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* malloc(size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, bytes);
}
}
constexpr bool kCountsMalloc = true;
#else
constexpr bool kCountsMalloc = false;
#endif

namespace assay {
namespace {

// A program whose first submit begins the count and whose every wait ends it: what lies between is the loop.
class Counting : public Program {
 public:
  explicit Counting(Program& program) : program_(program) {}
  Status write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override {
    return program_.write(tensor, offset, src, bytes);
  }
  Status read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override {
    return program_.read(tensor, offset, dst, bytes);
  }
  assay_status submit(const assay_run_args* args, assay_run** run) override {
    if (!begun_) first_ = g_allocations.load();
    begun_ = true;
    if (leak_every_step != nullptr) *leak_every_step = std::make_unique<int>(1);
    return program_.submit(args, run);
  }
  assay_status wait(assay_run* run, assay_run_result* result) override {
    const assay_status status = program_.wait(run, result);
    last_ = g_allocations.load();
    return status;
  }
  [[nodiscard]] Error last_error(const char* call, assay_status status) const override {
    return program_.last_error(call, status);
  }
  [[nodiscard]] assay_program_info info() const override { return program_.info(); }
  [[nodiscard]] uint64_t inside() const { return last_ - first_; }

  std::unique_ptr<int>* leak_every_step = nullptr;

 private:
  Program& program_;
  bool begun_ = false;
  uint64_t first_ = 0, last_ = 0;
};

class Allocation : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_null.so", {});
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    adapter_ = std::move(opened).value();
    Case c;
    c.kind = StepKind::kGemm;
    c.m = c.n = c.k = 64;
    auto prepared = adapter_->prepare(*lower(c, LowerOptions{}), 0);
    ASSERT_TRUE(prepared.ok());
    program_ = std::move(prepared).value();
  }
  // Allocations of 20000 steps, the stop rule asked at each of its points.
  uint64_t allocations(std::unique_ptr<int>* leak = nullptr) {
    constexpr uint64_t kSteps = 20000;
    RunPolicy policy;
    policy.target_half_width = 0;
    policy.percentiles = {0.5, 0.99};
    policy.time_limit_s = 1000;
    StepBuffers buffers(kSteps);
    StopRule rule(policy, kSteps);
    SharedPage page{};
    Pulse pulse(&page);
    Counting counting(*program_);
    counting.leak_every_step = leak;
    const std::vector<int64_t> scalars{0};
    const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
    const LoopResult loop = run_timed(counting, args, policy, rule, pulse, buffers);
    EXPECT_EQ(loop.n, kSteps) << loop.reason;
    return counting.inside();
  }

  std::unique_ptr<Adapter> adapter_;
  std::unique_ptr<Program> program_;
};

TEST_F(Allocation, TheTimedLoopMakesNone) { EXPECT_EQ(allocations(), 0u); }

TEST_F(Allocation, OneAStepWouldBeSeen) {
  std::unique_ptr<int> leak;
  EXPECT_GE(allocations(&leak), 20000u);
  if (!kCountsMalloc) return;
  const uint64_t before = g_allocations.load();
  void* volatile memory = std::malloc(10);
  std::free(memory);
  EXPECT_EQ(g_allocations.load(), before + 1);
}

}  // namespace
}  // namespace assay
