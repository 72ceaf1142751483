// The OpenCL adapter on a CPU driver (PoCL), as ratios taken in turn within one run: prefill against CLBlast's sgemm on
// the same driver and against the CPU adapter, decode against the CPU adapter.
//
//   bench_spirv [rounds] [model] [prefill|decode] [dtype of decode]
#include "harness/loader/manifest.h"
#include "tests/bench/ceilings.h"

#if ASSAY_HAS_CLBLAST
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <clblast_c.h>
#endif

namespace assay::bench {
namespace {

// FLOP/s of CLBlast's sgemm at the shape of a large product of a prefill: 512 rows, 896 in, 4864 out.
double clblast_flops() {
#if ASSAY_HAS_CLBLAST
  constexpr size_t kM = 512, kN = 4864, kK = 896;
  cl_platform_id platform = nullptr;
  cl_device_id device = nullptr;
  cl_int code = CL_SUCCESS;
  if (clGetPlatformIDs(1, &platform, nullptr) != CL_SUCCESS) fail("no OpenCL platform");
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, nullptr) != CL_SUCCESS) fail("no OpenCL device");
  cl_context context = clCreateContext(nullptr, 1, &device, nullptr, nullptr, &code);
  cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  const auto filled = [&](size_t count) {
    const std::vector<float> ones(count, 1.0f);
    return clCreateBuffer(context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, count * sizeof(float),
                          const_cast<float*>(ones.data()), &code);
  };
  cl_mem x = filled(kM * kK);
  cl_mem w = filled(kN * kK);
  cl_mem y = filled(kM * kN);
  if (code != CL_SUCCESS) fail("CLBlast's buffers");
  std::vector<double> times;
  for (int i = 0; i < 4; ++i) {
    const double begin = now_s();
    if (CLBlastSgemm(CLBlastLayoutRowMajor, CLBlastTransposeNo, CLBlastTransposeYes, kM, kN, kK, 1, x, 0, kK, w, 0, kK,
                     0, y, 0, kN, &queue, nullptr) != CLBlastSuccess) {
      fail("CLBlast's sgemm");
    }
    clFinish(queue);
    if (i > 0) times.push_back(now_s() - begin);  // the first compiles
  }
  for (cl_mem memory : {x, w, y}) clReleaseMemObject(memory);
  clReleaseCommandQueue(queue);
  clReleaseContext(context);
  return 2.0 * static_cast<double>(kM * kN * kK) / median(std::move(times));
#else
  return 0;
#endif
}

Case model_case(const ModelShape& model, StepKind kind, const std::string& dtype, int64_t tokens, int64_t context) {
  Case c;
  c.suite = "bench";
  c.kind = kind;
  c.model = model;
  c.dtype = dtype;
  c.tokens = tokens;
  c.context = context;
  return c;
}

void bench_prefill(Adapter& opencl, Adapter& cpu, const ModelShape& model, int rounds) {
  const Case c = model_case(model, StepKind::kPrefill, "f32", 512, 0);
  BenchProgram ours(opencl, c);
  BenchProgram theirs(cpu, c);
  ours.step();
  theirs.step();
  std::vector<double> rate, of_blas, of_cpu;
  for (int i = 0; i < rounds; ++i) {
    const double blas = clblast_flops();
    rate.push_back(ours.cost().flops / ours.step());
    of_cpu.push_back(rate.back() * theirs.step() / theirs.cost().flops);
    if (blas > 0) of_blas.push_back(rate.back() / blas);
  }
  if (of_blas.empty()) {
    std::printf("CLBlast: not there when this was built\n");
  } else {
    print_row("prefill f32, 512 tokens", median(rate) / 1e9, "GFLOP/s", median(of_blas), "CLBlast's sgemm (times)", 3);
  }
  print_row("prefill f32, 512 tokens", median(rate) / 1e9, "GFLOP/s", median(of_cpu), "CPU adapter", 0.5);
}

// Memory's pace of the moment stands beside each ratio: some machines change it from one minute to the next.
void bench_decode(Adapter& opencl, Adapter& cpu, const ModelShape& model, const std::string& dtype, int rounds) {
  PlainRead read(static_cast<int>(std::thread::hardware_concurrency()));
  const Case c = model_case(model, StepKind::kDecode, dtype, 1, 512);
  BenchProgram ours(opencl, c);
  BenchProgram theirs(cpu, c);
  ours.step();
  theirs.step();
  std::vector<double> rate, share, pace;
  for (int i = 0; i < rounds; ++i) {
    pace.push_back(read.bytes_per_s());
    const double other = theirs.median_step(5, 0.3);
    const double own = ours.median_step(5, 0.3);
    rate.push_back(1 / own);
    share.push_back(other / own);
  }
  const std::string what = "decode " + dtype + " b1, context 512";
  print_row(what.c_str(), median(rate), "tokens/s", median(share), "CPU adapter", 0.7);
  std::printf("%-34s %10.1f GB/s\n", "  a read of memory meanwhile", median(pace) / 1e9);
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay;
  using namespace assay::bench;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 5;
  if (rounds < 1) fail("expected positive rounds");
  const auto catalogue = take(Catalogue::load(ASSAY_BINARY_DIR "/share/assay/suites"));
  const ModelShape model = take(catalogue.model(argc > 2 ? argv[2] : "smollm2-135m"));
  auto opencl = take(Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_opencl.so", {}));
  auto cpu = take(Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_cpu.so", {}));
  std::printf("OpenCL adapter, medians of %d rounds taken in turn; %s\n", rounds, model.name.c_str());
  const std::string part = argc > 3 ? argv[3] : "";
  if (!part.empty() && part != "prefill" && part != "decode") fail("expected prefill or decode, found '" + part + "'");
  if (part != "decode") bench_prefill(*opencl, *cpu, model, rounds);
  if (part == "prefill") return 0;
  for (const std::string dtype : {"f32", "bf16", "int8"}) {
    if (argc <= 4 || dtype == argv[4]) bench_decode(*opencl, *cpu, model, dtype, rounds);
  }
  return 0;
}
