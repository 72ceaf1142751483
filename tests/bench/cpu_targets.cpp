// The CPU adapter's speed as ratios of ceilings measured in the same run, taken in turn so that a change of
// the machine's speed hits both sides: prefill against a large GEMM, decode against a plain read of memory.
//
//   bench_cpu_targets [threads] [rounds] [prefill|decode]
#include "harness/loader/manifest.h"
#include "tests/bench/ceilings.h"

namespace assay::bench {
namespace {

Case model_case(const Catalogue& catalogue, StepKind kind, const std::string& dtype, int64_t tokens, int64_t context) {
  Case c;
  c.suite = "bench";
  c.kind = kind;
  c.model = take(catalogue.model("qwen2.5-0.5b"));
  c.dtype = dtype;
  c.tokens = tokens;
  c.context = context;
  return c;
}

struct Decode {
  const char* name;
  std::unique_ptr<BenchProgram> program;
  std::vector<double> bytes_per_s, ratio;
};

void bench_prefill(Adapter& adapter, const Catalogue& catalogue, int rounds) {
  constexpr int64_t kTokens = 512;
  BenchProgram gemm(adapter, ceiling_case(StepKind::kGemm, "f32"));
  BenchProgram f32(adapter, model_case(catalogue, StepKind::kPrefill, "f32", kTokens, 0));
  BenchProgram int8(adapter, model_case(catalogue, StepKind::kPrefill, "int8_w8a8", kTokens, 0));
  gemm.step();
  f32.step();
  int8.step();
  std::vector<double> gemm_rate, f32_rate, share, f32_tokens, int8_tokens, speedup;
  for (int i = 0; i < rounds; ++i) {
    const double before = gemm.median_step(3, 0.3);
    const double t_f32 = f32.step();
    const double after = gemm.median_step(3, 0.3);
    const double t_int8 = int8.median_step(2, 0);
    gemm_rate.push_back(gemm.cost().flops / ((before + after) / 2));
    f32_rate.push_back(f32.cost().flops / t_f32);
    share.push_back(f32_rate.back() / gemm_rate.back());
    f32_tokens.push_back(kTokens / t_f32);
    int8_tokens.push_back(kTokens / t_int8);
    speedup.push_back(t_f32 / t_int8);
  }
  std::printf("%-34s %10.1f GFLOP/s\n", "GEMM f32 2048^3", median(gemm_rate) / 1e9);
  std::printf("%-34s %10.1f GFLOP/s\n", "prefill f32, 512 tokens", median(f32_rate) / 1e9);
  print_row("prefill f32, 512 tokens", median(f32_tokens), "tokens/s", median(share), "GEMM rate", 0.85);
  print_row("prefill int8 w8a8, 512 tokens", median(int8_tokens), "tokens/s", median(speedup), "prefill f32 (times)",
            1.5);
}

void bench_decode(Adapter& adapter, const Catalogue& catalogue, int threads, int rounds) {
  PlainRead plain(threads);
  BenchProgram argmax(adapter, ceiling_case(StepKind::kRead, "f32"));
  std::vector<Decode> decodes(4);
  const char* names[] = {"f32", "bf16", "f16", "int8"};
  for (size_t i = 0; i < decodes.size(); ++i) {
    decodes[i].name = names[i];
    decodes[i].program =
        std::make_unique<BenchProgram>(adapter, model_case(catalogue, StepKind::kDecode, names[i], 1, 128));
    decodes[i].program->step();
  }
  const double argmax_bytes = argmax.cost().weight_bytes + argmax.cost().activation_bytes;
  std::vector<double> plain_rate, argmax_rate;
  for (int i = 0; i < rounds; ++i) {
    for (auto& decode : decodes) {
      std::vector<double> reads;
      for (int k = 0; k < 5; ++k) reads.push_back(plain.bytes_per_s());
      const double argmax_now = argmax_bytes / argmax.median_step(5, 0);
      argmax_rate.push_back(argmax_now);
      const double step = decode.program->median_step(5, 0.3);
      for (int k = 0; k < 5; ++k) reads.push_back(plain.bytes_per_s());
      plain_rate.push_back(median(reads));
      const GraphCost& cost = decode.program->cost();
      decode.bytes_per_s.push_back((cost.weight_bytes + cost.kv_bytes) / step);
      // The faster of two ways to read is the ceiling: a slow reader would flatter the decode.
      decode.ratio.push_back(decode.bytes_per_s.back() / std::max(plain_rate.back(), argmax_now));
    }
  }
  std::printf("%-34s %10.1f GB/s\n", "plain read, 512 MiB", median(plain_rate) / 1e9);
  std::printf("%-34s %10.1f GB/s\n", "argmax read ceiling, 512 MiB", median(argmax_rate) / 1e9);
  for (auto& decode : decodes) {
    const GraphCost& cost = decode.program->cost();
    const double rate = median(decode.bytes_per_s);
    char what[64];
    std::snprintf(what, sizeof what, "decode %s b1: %.1f tokens/s", decode.name,
                  rate / (cost.weight_bytes + cost.kv_bytes));
    print_row(what, rate / 1e9, "GB/s", median(decode.ratio), "read bandwidth", 0.85);
  }
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay;
  using namespace assay::bench;
  const int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  if (threads < 1 || rounds < 1) fail("expected positive threads and rounds");
  const auto catalogue = take(Catalogue::load(ASSAY_BINARY_DIR "/share/assay/suites"));
  auto adapter = take(
      Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_cpu.so", {{"threads", std::to_string(threads)}}));
  std::printf("CPU adapter, %d threads, medians of %d rounds taken in turn; Qwen2.5-0.5B shape\n", threads, rounds);
  const std::string part = argc > 3 ? argv[3] : "";
  if (!part.empty() && part != "prefill" && part != "decode") fail("expected prefill or decode, found '" + part + "'");
  if (part != "decode") bench_prefill(*adapter, catalogue, rounds);
  if (part != "prefill") bench_decode(*adapter, catalogue, threads, rounds);
  return 0;
}
