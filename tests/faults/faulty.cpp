// An adapter that does what adapters must not. The option "fault" chooses; without one it computes nothing, in 1 ms.
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "adapters/sdk/adapter.h"

namespace {

using assay::sdk::Failure;

constexpr uint64_t kStepNs = 1'000'000;

// As a crash outside any sanitizer: their handlers would turn the signal into an exit.
void crash() {
  std::signal(SIGSEGV, SIG_DFL);
  std::raise(SIGSEGV);
}

class FaultyProgram : public assay::sdk::Program {
 public:
  FaultyProgram(assay::sdk::Host host, std::string fault) : host_(host), fault_(std::move(fault)) {}

  void write(uint32_t, uint64_t, const void*, uint64_t) override {}
  void read(uint32_t, uint64_t, void* dst, uint64_t bytes) override {
    std::memset(dst, fault_ == "nan_numbers" ? 0xff : 0, bytes);
  }
  void submit(const assay_run_args& args) override {
    if (fault_ == "abort_in_submit") std::abort();
    if (fault_ == "exit_in_submit") std::_Exit(0);
    repeat_ = args.repeat;
    begin_ns_ = host_.now_ns();
  }
  void wait(assay_run_result& result) override {
    if (fault_ == "crash_in_wait") crash();
    while (fault_ == "hang_in_wait") ::pause();
    if (fault_ == "device_lost") throw Failure(ASSAY_DEVICE_LOST, "the device fell off the bus");
    if (fault_ == "throw_in_wait") throw std::runtime_error("something odd");
    while (host_.now_ns() < begin_ns_ + kStepNs * repeat_) {
    }
    if (fault_ != "lie_time") return;
    result.device_clock = ASSAY_CLOCK_DEVICE_TIMESTAMP;
    result.device_clock_step_ns = 1;
    result.device_ns = 10 * kStepNs;
  }

 private:
  assay::sdk::Host host_;
  std::string fault_;
  uint64_t begin_ns_ = 0, repeat_ = 1;
};

class FaultyAdapter : public assay::sdk::Adapter {
 public:
  explicit FaultyAdapter(const assay::sdk::Host& host) : host_(host), fault_(host.option("fault")) {
    if (fault_ == "fail_in_open") throw Failure(ASSAY_INTERNAL, "no licence found");
  }
  std::vector<assay::sdk::Device> devices() override {
    assay::sdk::Device device;
    device.product = "faulty";
    device.dtypes = ~uint64_t{0};
    device.basis = ASSAY_BASIS_SIMULATED;
    device.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
    return {device};
  }
  std::string unsupported(const assay_program_desc&) override {
    return fault_ == "unsupported" ? "no such op here" : "";
  }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc&) override {
    if (fault_ == "oom_in_prepare") throw std::bad_alloc();
    if (fault_ == "crash_in_prepare") crash();
    return std::make_unique<FaultyProgram>(host_, fault_);
  }

 private:
  assay::sdk::Host host_;
  std::string fault_;
};

}  // namespace

ASSAY_SDK_ADAPTER(FaultyAdapter, "faulty", "Assay tests", "0.1.0", "{}")
