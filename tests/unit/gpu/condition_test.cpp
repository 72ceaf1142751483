// Whole runs on the stand-in of NVIDIA's stack: what the record says of the device's set-up, memory and condition, and
// how much of it is refused, marked or failed.
#include <gmock/gmock.h>

#include <fstream>

#include "harness/run/case_run.h"
#include "harness/run/fit.h"
#include "tests/unit/gpu/on_standin.h"
#include "tests/unit/gpu/small_models.h"

namespace assay::gpu_test {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Record run(const Case& c) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
  if (!adapter.ok()) {
    ADD_FAILURE() << adapter.error().message;
    return {};
  }
  const std::unique_ptr<Counters> counters = open_counters();
  const HostThreads threads{1};
  SharedPage page{};
  Pulse pulse(&page);
  Job job;
  job.device = "cuda:0";
  job.case_json = c.to_json();
  job.policy.time_limit_s = 0.2;
  job.policy.min_samples = 5;
  job.check_numerics = false;
  return run_case(job, {**adapter, *counters, threads, pulse});
}
Case small_decode() { return case_of(llama(), "bf16", StepKind::kDecode, 1, 1, 12); }

TEST(Condition, TheRecordHoldsTheDevicesSetUpAndItsMemory) {
  const Record r = run(small_decode());
  ASSERT_FALSE(r.samples.host_ns.empty()) << r.reason;
  EXPECT_EQ(r.device_driver, "580.00.00 (runtime 13.0, driver 13.0)");
  EXPECT_EQ(r.device_serial_hash.size(), 32U) << "of the card's identifier, which itself is not published";
  EXPECT_EQ(r.environment.at("device_firmware"), "96.00.00.00.01");
  EXPECT_EQ(r.environment.at("device_ecc"), "on");
  EXPECT_EQ(r.environment.at("device_ecc_uncorrected"), "2");
  EXPECT_EQ(r.environment.at("device_mig"), "off");
  EXPECT_EQ(r.environment.at("device_power_limit_w"), "600");
  EXPECT_EQ(r.environment.at("device_power_limit_default_w"), "700");
  EXPECT_EQ(r.environment.at("device_core_mhz_max"), "1985");
  EXPECT_EQ(r.environment.at("device_other_processes"), "none");
  EXPECT_EQ(r.noise.values.at("device_temp_c_max"), 40);
  EXPECT_EQ(r.noise.values.at("device_core_mhz_min"), 1980);
  EXPECT_TRUE(r.noise.throttle_ns.empty());
  EXPECT_GT(r.planned_bytes, 0U);
  EXPECT_GE(r.program_bytes, r.planned_bytes / 2) << "scratch shares memory, nothing else may";
  ASSERT_TRUE(r.taken_bytes.has_value());
  EXPECT_EQ(*r.taken_bytes, r.program_bytes) << "the device's own account of what was allocated";
  const Result<Record> back = record_from_json(record_to_json(r), "record");
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->planned_bytes, r.planned_bytes);
  EXPECT_EQ(back->taken_bytes, r.taken_bytes);
}

TEST(Condition, AnotherCardHasAnotherSerial) {
  const Record one = run(small_decode());
  const Setting exchanged("exchanged", 1);
  const Record other = run(small_decode());
  EXPECT_EQ(one.device_product, other.device_product);
  EXPECT_NE(one.device_serial_hash, other.device_serial_hash);
}

TEST(Condition, AnotherProcessIsNamed) {
  const Setting stranger("stranger", 1);
  for (const int64_t in_container : {0, 1}) {
    const Setting container("container", in_container);
    const Setting before("contexts", 0);
    const Record r = run(small_decode());
    ASSERT_FALSE(r.samples.host_ns.empty()) << r.reason;
    EXPECT_TRUE(r.noise.disturbed);
    EXPECT_THAT(r.noise.causes, Contains("others on the device: 4321 (stranger, 512 MiB)")) << in_container;
  }
}

// What the adapter tells of the processes on its device.
std::map<std::string, std::string> told(int64_t stranger_later) {
  const Setting before("contexts", 0);
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
  if (!adapter.ok()) {
    ADD_FAILURE() << adapter.error().message;
    return {};
  }
  const Setting stranger("stranger", stranger_later);
  const Result<DeviceInfo> device = (*adapter)->device(0);
  return device.ok() ? device->state : std::map<std::string, std::string>{};
}

TEST(Condition, WhoUsesTheDeviceIsToldOrUnknown) {
  EXPECT_EQ(told(0).at("other_processes"), "");
  EXPECT_EQ(told(0).at("own_process"), "by its number");
  EXPECT_EQ(told(1).at("other_processes"), "4321 (stranger, 512 MiB)");
  {
    const Setting container("container", 1);
    EXPECT_EQ(told(0).at("other_processes"), "");
    EXPECT_THAT(told(0).at("own_process"), HasSubstr("taken to be 777, the only one that came"));
    EXPECT_EQ(told(1).at("other_processes"),
              "4321 (stranger, 512 MiB); 777 (unknown, 0 MiB); one of them may be this process");
  }
  {
    const Setting untold("untold_stranger", 1);
    EXPECT_EQ(told(0).at("other_processes"), "4321 (stranger)") << "~0 bytes are none that were told";
  }
  {
    const Setting unlisted("unlisted", 1);
    EXPECT_THAT(told(0).at("other_processes"), HasSubstr("unknown, because the library lists no process, not even"));
  }
  const Setting refused("processes_refused", 1);
  EXPECT_EQ(told(0).at("other_processes"),
            "unknown, because the library refuses to tell the device's processes (status 3)");
  EXPECT_THAT(run(small_decode()).warnings, Contains(HasSubstr("whether others used the device is unknown, because")));
}

TEST(Condition, ThrottledSamplesAreMarked) {
  {
    const Setting heat("throttle", 0x40);
    const Record r = run(small_decode());
    ASSERT_FALSE(r.samples.host_ns.empty()) << r.reason;
    EXPECT_THAT(r.noise.causes, Contains(HasSubstr("clocks held down by heat ")));
    EXPECT_EQ(r.noise.values.at("throttled_steps"), static_cast<double>(r.samples.host_ns.size()));
    const Result<Record> back = record_from_json(record_to_json(r), "record");
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back->noise.throttle_ns, r.noise.throttle_ns);
    EXPECT_EQ(back->noise.throttle_reasons, r.noise.throttle_reasons);
  }
  const Setting cap("throttle", 0x4);
  const Record r = run(small_decode());
  EXPECT_THAT(r.warnings, Contains(HasSubstr("clocks held down by power cap ")));
  EXPECT_THAT(r.noise.causes, Not(Contains(HasSubstr("clocks held down"))));
}

TEST(Condition, AnEccErrorFailsTheRun) {
  const Setting later("ecc_after", standin("cuda", "launches") + 20);
  const Record r = run(small_decode());
  EXPECT_EQ(r.status, "failed");
  EXPECT_THAT(r.reason, HasSubstr("uncorrected ECC errors during the run: 2 before, 3 after"));
}

TEST(Condition, AMigSliceIsSaid) {
  const Setting mig("mig", 1);
  const Record r = run(small_decode());
  EXPECT_EQ(r.environment.at("device_mig"), "on");
  EXPECT_THAT(r.warnings, Contains(HasSubstr("MIG slice")));
}

TEST(Condition, ALostDeviceFailsTheRun) {
  const Setting lose("lose_after", standin("cuda", "launches") + 60);
  const Record r = run(small_decode());
  EXPECT_EQ(r.status, "failed");
  EXPECT_THAT(r.reason, HasSubstr("the device is lost"));
}

TEST(Condition, OutOfMemorySaysWhatWasPlanned) {
  const Setting scattered("scattered_bytes", (int64_t{2} << 30) - (64 << 10));
  const Record r = run(small_decode());
  EXPECT_THAT(r.status, AnyOf("failed", "unsupported"));
  EXPECT_THAT(r.reason, HasSubstr("in one piece"));
}

TEST(Fit, TheLargestContextIsFoundByAllocating) {
  const auto fit_with = [](int64_t memory_bytes) {
    const Setting memory("memory_bytes", memory_bytes);
    Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"products", "own"}});
    const HostThreads threads{1};
    SharedPage page{};
    Pulse pulse(&page);
    const Result<std::vector<DeviceInfo>> devices = (*adapter)->devices();
    const Result<Fit> fit = largest_context({**adapter, 0, threads, pulse, 1}, small_decode(), devices->front());
    EXPECT_TRUE(fit.ok()) << fit.error().message;
    EXPECT_EQ(standin("cuda", "allocated"), 0) << "every program is gone again";
    return fit.ok() ? *fit : Fit{};
  };
  const Fit whole = fit_with(int64_t{2} << 30);
  EXPECT_EQ(whole.context, 4095) << "the model's 4096 with the step's one token";
  EXPECT_EQ(whole.context, whole.limit);
  EXPECT_EQ(whole.refused_context, 0);
  EXPECT_EQ(whole.tries, 1);
  // A token's keys and values take 2 x 2 layers x 2 heads x 16 x 2 bytes = 256 bytes: 256 KiB less is 1024 tokens less.
  const Fit less = fit_with(static_cast<int64_t>(whole.allocated_bytes) - (256 << 10) + 4096);
  EXPECT_NEAR(static_cast<double>(less.context), 4095 - 1024, 40);
  EXPECT_GT(less.refused_context, less.context);
  EXPECT_LE(less.refused_context - less.context, 16);
  EXPECT_THAT(less.refusal, HasSubstr("in one piece"));
  const Result<Fit> back = fit_from_json(fit_to_json(less));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->context, less.context);
}

// The most memory that this process had at once since it was last reset, in bytes.
uint64_t peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stoull(line.substr(6)) << 10;
  }
  return 0;
}

// Linux promises more memory than there is: only what was written is known to be there.
TEST(Fit, OnTheCpuItsPagesAreTouched) {
  const std::string library = std::string(ASSAY_BINARY_DIR) + "/lib/assay/adapters/libassay_cpu.so";
  if (!std::ifstream(library)) GTEST_SKIP() << "no CPU adapter here";
  Result<std::unique_ptr<Adapter>> adapter = Adapter::open(library, {{"threads", "1"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  Case long_talk = small_decode();
  long_talk.model.max_context = 400'000;  // 256 bytes a token: 100 MB
  const HostThreads threads{1};
  SharedPage page{};
  Pulse pulse(&page);
  const Result<DeviceInfo> device = (*adapter)->device(0);
  ASSERT_TRUE(device.ok());
  std::ofstream("/proc/self/clear_refs") << "5";
  const uint64_t before = peak_bytes();
  const Result<Fit> fit = largest_context({**adapter, 0, threads, pulse, 1}, long_talk, *device);
  ASSERT_TRUE(fit.ok()) << fit.error().message;
  EXPECT_EQ(fit->context, 399'999);
  EXPECT_GE(fit->written_bytes, 256U * 399'999U);
  EXPECT_GE(peak_bytes() - before, 256U * 399'999U) << "promised, not there";
  EXPECT_GE(page.planned.load(), fit->written_bytes);
}

}  // namespace
}  // namespace assay::gpu_test
