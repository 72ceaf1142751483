// A real Google Benchmark program, run by the import test: its output is the sample of that format.
#include <benchmark/benchmark.h>

#include <numeric>
#include <vector>

namespace {

void sum(benchmark::State& state) {
  const std::vector<int> values(static_cast<size_t>(state.range(0)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(std::accumulate(values.begin(), values.end(), 0));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(sum)->Arg(64)->Arg(256);

void broken(benchmark::State& state) { state.SkipWithError("made to fail"); }
BENCHMARK(broken);

}  // namespace

BENCHMARK_MAIN();
