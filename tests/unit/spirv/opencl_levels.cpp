// Both forms of the kernels, on whatever OpenCL device stands first: PoCL where nothing else is installed. And what the
// adapter makes of the driver's objects, it releases.
#include <array>

#include "adapters/spirv/chain.h"
#include "adapters/spirv/opencl_api.h"
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {

std::vector<Level> levels() {
  return {{"for_cpus", {{"kernels", "cpu"}}, false}, {"for_gpus", {{"kernels", "gpu"}}, false}};
}

namespace {

enum Kind { kContexts, kQueues, kMemory, kPrograms, kKernels, kEvents, kKinds };
std::array<int64_t, kKinds> alive{};  // made and not yet released
spirv::OpenCl driver;                 // the calls that the counting ones stand before

template <typename T>
T made(Kind kind, T object) {
  if (object != nullptr) ++alive[kind];
  return object;
}
cl_int released(Kind kind, cl_int code) {
  if (code == CL_SUCCESS) --alive[kind];
  return code;
}

// The adapter calls the loader through one table, which counts while this lives.
class Counting {
 public:
  Counting() {
    driver = table();
    spirv::OpenCl& t = table();
    t.clCreateContext = [](auto... a) { return made(kContexts, driver.clCreateContext(a...)); };
    t.clCreateCommandQueue = [](auto... a) { return made(kQueues, driver.clCreateCommandQueue(a...)); };
    t.clCreateBuffer = [](auto... a) { return made(kMemory, driver.clCreateBuffer(a...)); };
    t.clCreateSubBuffer = [](auto... a) { return made(kMemory, driver.clCreateSubBuffer(a...)); };
    t.clCreateProgramWithSource = [](auto... a) { return made(kPrograms, driver.clCreateProgramWithSource(a...)); };
    t.clCreateKernel = [](auto... a) { return made(kKernels, driver.clCreateKernel(a...)); };
    t.clEnqueueNDRangeKernel = [](cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t* offset,
                                  const size_t* global, const size_t* local, cl_uint n, const cl_event* before,
                                  cl_event* event) {
      const cl_int code = driver.clEnqueueNDRangeKernel(queue, kernel, dims, offset, global, local, n, before, event);
      if (code == CL_SUCCESS && event != nullptr) ++alive[kEvents];
      return code;
    };
    t.clReleaseContext = [](cl_context o) { return released(kContexts, driver.clReleaseContext(o)); };
    t.clReleaseCommandQueue = [](cl_command_queue o) { return released(kQueues, driver.clReleaseCommandQueue(o)); };
    t.clReleaseMemObject = [](cl_mem o) { return released(kMemory, driver.clReleaseMemObject(o)); };
    t.clReleaseProgram = [](cl_program o) { return released(kPrograms, driver.clReleaseProgram(o)); };
    t.clReleaseKernel = [](cl_kernel o) { return released(kKernels, driver.clReleaseKernel(o)); };
    t.clReleaseEvent = [](cl_event o) { return released(kEvents, driver.clReleaseEvent(o)); };
  }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { table() = driver; }

 private:
  static spirv::OpenCl& table() { return const_cast<spirv::OpenCl&>(spirv::opencl()); }
};

// Nine groups for two cores: a quarter of what is left, at least one. A launch without groups has no task; one waits
// for the tasks of all before it.
TEST(OpenCl, TasksShrinkTowardsALaunchsEnd) {
  const std::vector<std::array<int32_t, 4>> expected = {{0, 0, 2, 0}, {0, 2, 3, 0}, {0, 3, 4, 0},
                                                        {0, 4, 5, 0}, {0, 5, 6, 0}, {0, 6, 7, 0},
                                                        {0, 7, 8, 0}, {0, 8, 9, 0}, {2, 0, 1, 8}};
  std::vector<std::array<int32_t, 4>> got;
  for (const spirv::Task& t : spirv::tasks_of({9, 0, 1}, 2)) got.push_back({t.launch, t.from, t.to, t.before});
  EXPECT_EQ(got, expected);
}

uint32_t launches_of(const Adapter& adapter, assay_program* program) {
  assay_program_info info{};
  info.struct_size = sizeof(info);
  EXPECT_EQ(adapter.program().info(program, &info), ASSAY_OK) << Adapter::error();
  return info.n_launches;
}

// Whether the device is a CPU, on which one row's products and what stands between them are one launch.
bool on_a_cpu() {
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  cl_device_type type = 0;
  return spirv::opencl().clGetPlatformIDs(1, &platform, nullptr) == CL_SUCCESS &&
         spirv::opencl().clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) == CL_SUCCESS &&
         spirv::opencl().clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, nullptr) == CL_SUCCESS &&
         (type & CL_DEVICE_TYPE_CPU) != 0;
}

// What a device can't do as the user asked it says before anything is prepared, and prepare does nothing else instead.
TEST(OpenCl, SpirvThatTheDeviceDoesNotTakeIsUnsupported) {
  const std::map<std::string, std::string> asked{{"program", "spirv"}};
  Adapter adapter(asked);
  ASSERT_EQ(adapter.status, ASSAY_OK) << Adapter::error();
  Program p;
  const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, 8}), y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 8});
  p.op(ASSAY_OP_ADD, {x, x}, {y});
  std::array<char, 256> why{};
  const assay_status said = adapter.program().supports(adapter.ctx(), p.desc(), why.data(), why.size());
  if (said == ASSAY_OK) GTEST_SKIP() << "the device takes SPIR-V";
  EXPECT_EQ(said, ASSAY_UNSUPPORTED);
  EXPECT_STREQ(why.data(), "option program=spirv: this device or this build has no SPIR-V");
  assay_program* program = nullptr;
  EXPECT_EQ(adapter.program().prepare(adapter.ctx(), p.desc(), &program), ASSAY_UNSUPPORTED);
}

// Groups, quarters and vectors don't divide these shapes.
TEST(OpenCl, AGateInOneLaunchWithItsProductGivesBoth) {
  const std::map<std::string, std::string> for_cpus{{"kernels", "cpu"}};
  Adapter adapter(for_cpus);
  ASSERT_EQ(adapter.status, ASSAY_OK) << Adapter::error();
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_I8}) {
    for (const int64_t f : {29, 2100}) {  // 4200 rows of weights are not few
      constexpr int64_t kCols = 108;
      Program p;
      const uint32_t raw = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, kCols});
      const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {1, kCols});
      const bool scaled = dtype == ASSAY_I8;
      const uint32_t scales = scaled ? p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {2 * f, 3}) : 0;
      const uint32_t w = p.tensor(dtype, ASSAY_ROLE_WEIGHT, {2 * f, kCols}, scaled ? static_cast<int32_t>(scales) : -1,
                                  scaled ? kCols / 3 : 0);
      const uint32_t product = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {1, 2 * f});
      const uint32_t gated = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {1, f});
      const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, f});
      p.op(ASSAY_OP_ADD, {raw, raw}, {x});
      p.op(ASSAY_OP_MATMUL, {x, w}, {product});
      p.op(ASSAY_OP_GATED_ACT, {product}, {gated}, {0});
      p.op(ASSAY_OP_ADD, {gated, gated}, {y});
      p.prepare(adapter);
      const Doubles in = p.write_normal(raw, 1);
      const Doubles weights = scaled ? p.write_codes(w, 2, -127, 127) : p.write_normal(w, 2);
      const Doubles factors = scaled ? p.write_normal(scales, 3, 0.01) : Doubles{};
      ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
      const auto row = [&](int64_t r) {
        double sum = 0;
        for (int64_t k = 0; k < kCols; ++k) {
          const double factor = scaled ? factors[static_cast<size_t>(3 * r + k / (kCols / 3))] : 1;
          sum += 2 * in[static_cast<size_t>(k)] * weights[static_cast<size_t>(r * kCols + k)] * factor;
        }
        return sum;
      };
      const Doubles got = p.read(y);
      for (int64_t i = 0; i < f; ++i) {
        const double gate = row(i);
        const double expected = 2 * gate / (1 + std::exp(-gate)) * row(f + i);
        ASSERT_NEAR(got[static_cast<size_t>(i)], expected, 2e-3 + 1e-4 * std::abs(expected)) << i << " of " << f;
      }
    }
  }
}

// Twice, as the launch counts its tasks.
TEST(OpenCl, ASumAndItsNormInOneLaunchWithTheProductGiveAll) {
  const std::map<std::string, std::string> for_cpus{{"kernels", "cpu"}};
  Adapter adapter(for_cpus);
  ASSERT_EQ(adapter.status, ASSAY_OK) << Adapter::error();
  for (const int64_t n : {35, 4210}) {
    constexpr int64_t kCols = 72;
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, kCols});
    const uint32_t w = p.tensor(ASSAY_BF16, ASSAY_ROLE_WEIGHT, {n, kCols});
    const uint32_t row = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {1, n});
    const uint32_t gamma = p.tensor(ASSAY_F32, ASSAY_ROLE_WEIGHT, {n});
    const uint32_t product = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {1, n});
    const uint32_t sum = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, n});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, n});
    p.op(ASSAY_OP_MATMUL, {x, w}, {product});
    p.op(ASSAY_OP_ADD, {row, product}, {sum});
    p.op(ASSAY_OP_RMS_NORM, {sum, gamma}, {y}, {1e-6, static_cast<double>(n), 0, 0});
    p.prepare(adapter);
    const Doubles weights = p.write_normal(w, 2);
    const Doubles factors = p.write_normal(gamma, 3);
    if (on_a_cpu()) {
      EXPECT_EQ(launches_of(adapter, p.handle()), 1);
    }
    for (const uint32_t seed : {4u, 5u}) {
      const Doubles in = p.write_normal(x, seed);
      const Doubles other = p.write_normal(row, seed + 2);
      ASSERT_EQ(p.step(), ASSAY_OK) << Adapter::error();
      Doubles sums = other;
      double squares = 0;
      for (size_t r = 0; r < sums.size(); ++r) {
        for (size_t k = 0; k < in.size(); ++k) sums[r] += in[k] * weights[r * in.size() + k];
        squares += sums[r] * sums[r];
      }
      const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-6);
      const Doubles got_sum = p.read(sum);
      const Doubles got = p.read(y);
      for (size_t r = 0; r < sums.size(); ++r) {
        ASSERT_NEAR(got_sum[r], sums[r], 1e-4) << r << " of " << n;
        ASSERT_NEAR(got[r], sums[r] * factor * factors[r], 1e-4) << r << " of " << n;
      }
    }
  }
}

TEST(OpenCl, ReleasesWhatItMade) {
  alive = {};
  const Counting counting;
  constexpr std::array<int64_t, kKinds> kNone{};
  const std::map<std::string, std::string> as_source{{"program", "source"}};
  Adapter adapter(as_source);
  ASSERT_EQ(adapter.status, ASSAY_OK) << Adapter::error();
  EXPECT_EQ(alive, kNone) << "listing devices starts nothing";
  assay_program* left = nullptr;
  {
    // Scratch is two parts of one buffer.
    Program p;
    const uint32_t x = p.tensor(ASSAY_F32, ASSAY_ROLE_INPUT, {4, 64});
    const uint32_t a = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {4, 64});
    const uint32_t b = p.tensor(ASSAY_F32, ASSAY_ROLE_SCRATCH, {4, 64});
    p.op(ASSAY_OP_ACTIVATION, {x}, {a}, {0});
    p.op(ASSAY_OP_ADD, {x, a}, {b});
    p.op(ASSAY_OP_ADD, {a, b}, {p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {4, 64})});
    p.prepare(adapter);
    p.write_normal(x, 1);
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    EXPECT_EQ(adapter.program().flush_caches(p.handle()), ASSAY_OK) << Adapter::error();
    EXPECT_EQ(p.step(0, 3), ASSAY_OK) << Adapter::error();
    EXPECT_EQ(alive[kContexts], 1);
    EXPECT_EQ(alive[kQueues], 1);
    EXPECT_EQ(alive[kPrograms], 1);
    EXPECT_EQ(alive[kKernels], 4);  // three launches and the sweep of a flush
    EXPECT_GE(alive[kMemory], 5);   // x, result, scalars, scratch and the swept buffer; parts of the last two
    EXPECT_EQ(alive[kEvents], 0);
    ASSERT_EQ(adapter.program().prepare(adapter.ctx(), p.desc(), &left), ASSAY_OK) << Adapter::error();
  }
  EXPECT_EQ(alive[kKernels], 3) << "as if the adapter had forgotten the second program";
  EXPECT_GE(alive[kMemory], 4);
  adapter.program().destroy(left);
  EXPECT_EQ(alive[kKernels], 0);
  EXPECT_EQ(alive[kMemory], 0);
  adapter.close();
  EXPECT_EQ(alive, kNone);
}

}  // namespace
}  // namespace assay::cpu_test
