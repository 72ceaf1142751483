// Peak memory of full attention against its number of tokens: it must grow with the tokens, not with their square. Each
// length runs in a process of its own, whose largest resident set is read.
//
//   bench_attention_memory [largest tokens, 65536]
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

constexpr int64_t kHeadDim = 128;

// One head of a video transformer's attention over `tokens` tokens.
Graph attention_over(int64_t tokens, uint32_t dtype) {
  Graph g;
  const Fill normal{Fill::Kind::kNormal, 0, 1, 0};
  g.tensors = {{"q", dtype, ASSAY_ROLE_INPUT, {tokens, kHeadDim}, -1, 0, normal},
               {"k", dtype, ASSAY_ROLE_STATE, {1, tokens, 1, kHeadDim}, -1, 0, normal},
               {"v", dtype, ASSAY_ROLE_STATE, {1, tokens, 1, kHeadDim}, -1, 0, normal},
               {"y", dtype, ASSAY_ROLE_OUTPUT, {tokens, kHeadDim}, -1, 0, {}}};
  Op op;
  op.kind = ASSAY_OP_ATTENTION;
  op.name = "attention";
  op.in = {0, 1, 2};
  op.out = {3};
  const auto dim = static_cast<double>(kHeadDim);
  op.attr = {1, 1, 1, dim, dim, 1 / std::sqrt(dim), ASSAY_MASK_FULL, 0, 0};
  g.ops = {op};
  return g;
}

struct Run {
  double peak_bytes = 0, seconds = 0;
};

Run run_alone(int64_t tokens, uint32_t dtype) {
  int ends[2];
  if (pipe(ends) != 0) fail("no pipe");
  const pid_t child = fork();
  if (child == 0) {
    auto adapter = take(Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_cpu.so", {}));
    BenchProgram program(*adapter, attention_over(tokens, dtype), {});
    Run run;
    run.seconds = program.step();
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    run.peak_bytes = static_cast<double>(usage.ru_maxrss) * 1024;
    _exit(write(ends[1], &run, sizeof(run)) == sizeof(run) ? 0 : 1);
  }
  close(ends[1]);
  Run run;
  const bool whole = child > 0 && read(ends[0], &run, sizeof(run)) == sizeof(run);
  close(ends[0]);
  if (child > 0) waitpid(child, nullptr, 0);
  if (!whole) fail("a run over " + std::to_string(tokens) + " tokens ended early");
  return run;
}

void measure(uint32_t dtype, int64_t largest) {
  double before = 0, grown_before = 0;
  for (int64_t tokens = largest / 8; tokens <= largest; tokens *= 2) {
    const Run run = run_alone(tokens, dtype);
    const double grown = run.peak_bytes - before,
                 scores = static_cast<double>(tokens) * static_cast<double>(tokens) * 4;
    std::printf("%-5s %7ld tokens %8.2f s  peak %7.1f MiB (all scores at once: %8.0f)", dtype_name(dtype), tokens,
                run.seconds, run.peak_bytes / (1 << 20), scores / (1 << 20));
    if (grown_before > 0) {
      const double ratio = grown / grown_before;
      std::printf("  grew %.2f x as much as by the doubling before: linear 2, square 4  target 2.2  %s", ratio,
                  ratio <= 2.2 ? "reached" : "MISSED");
    }
    std::printf("\n");
    std::fflush(stdout);
    grown_before = before > 0 ? grown : 0;
    before = run.peak_bytes;
  }
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay::bench;
  const int64_t largest = argc > 1 ? std::atoll(argv[1]) : 65536;
  if (largest < 1024) fail("expected 1024 tokens or more");
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16}) measure(dtype, largest);
  return 0;
}
