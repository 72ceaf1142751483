// What the harness costs per recorded step beyond the adapter's own work: the timed loop of the engine against the
// bare submit and wait of the null adapter, in CPU time, taken in turn. Target: under 1000 ns.
//
//   bench_overhead [steps] [rounds]
#include <ctime>

#include "harness/run/pulse.h"
#include "harness/run/stop_rule.h"
#include "harness/run/timed_loop.h"
#include "tests/bench/bench_program.h"

namespace assay::bench {
namespace {

double thread_cpu_s() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// CPU seconds of `steps` bare submits and waits.
double bare_loop(Program& program, const assay_run_args& args, uint64_t steps) {
  const double begin = thread_cpu_s();
  for (uint64_t i = 0; i < steps; ++i) {
    assay_run* run = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof result;
    if (program.submit(&args, &run) != ASSAY_OK || program.wait(run, &result) != ASSAY_OK)
      fail("the null adapter failed");
  }
  return thread_cpu_s() - begin;
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay;
  using namespace assay::bench;
  const auto steps = static_cast<uint64_t>(argc > 1 ? std::atoll(argv[1]) : 1'000'000);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  if (steps < 1 || steps > kMaxSamples || rounds < 1) fail("expected 1 to 4194304 steps and at least one round");
  auto adapter = take(Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_null.so", {}));
  Case c;
  c.kind = StepKind::kGemm;
  c.m = c.n = c.k = 64;
  const Graph graph = take(lower(c, LowerOptions{}));
  auto program = take(adapter->prepare(graph, 0));
  const std::vector<int64_t> scalars(graph.scalars.size(), 0);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  RunPolicy policy;
  policy.target_half_width = 0;  // never precise: the stop rule is asked and answers, the buffers end the loop
  policy.time_limit_s = 1e6;
  policy.percentiles = {};
  SharedPage page{};
  Pulse pulse(&page);
  std::vector<double> overhead, bare_ns;
  for (int i = 0; i < rounds; ++i) {
    StepBuffers buffers(steps);
    StopRule rule(policy, steps);
    const double bare = bare_loop(*program, args, steps);
    const double begin = thread_cpu_s();
    const LoopResult loop = run_timed(*program, args, policy, rule, pulse, buffers);
    const double timed = thread_cpu_s() - begin;
    if (loop.n != steps) fail(std::string("the loop ended early: ") + loop.reason);
    bare_ns.push_back(bare / static_cast<double>(steps) * 1e9);
    overhead.push_back((timed - bare) / static_cast<double>(steps) * 1e9);
  }
  std::printf("null adapter, bare submit and wait:  %7.1f ns of CPU per step\n", median(bare_ns));
  std::printf(
      "harness beyond it:                   %7.1f ns of CPU per recorded step, stop rule included (target < 1000)\n",
      median(overhead));
  return 0;
}
