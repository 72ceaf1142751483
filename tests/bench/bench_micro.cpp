// Micro-benchmarks of our own hot code, by Google Benchmark: statistics of a record's steps, records and JSON written
// and read, graphs lowered, routing drawn.
//
//   bench_micro [--benchmark_filter=REGEX]    medians of repetitions: --benchmark_repetitions=9
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>

#include "results/metrics/latency.h"
#include "results/metrics/metrics.h"
#include "results/metrics/throughput.h"
#include "results/record.h"
#include "suites/base/json_input.h"
#include "suites/base/routing.h"
#include "suites/suite.h"
#include "tests/support/simulated_records.h"

namespace assay {
namespace {

constexpr double kConfidence = 0.95;

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = [] {
    Result<Catalogue> loaded = Catalogue::load(ASSAY_SOURCE_DIR "/suites");
    if (!loaded.ok()) std::abort();
    return std::move(loaded).value();
  }();
  return kCatalogue;
}

// A record of this many steps with a tail, of a chip that was never measured.
Record record_of(size_t steps) {
  const ModelShape model = catalogue().model("qwen2.5-0.5b").value();
  return simulated::record(simulated::chips().front(), simulated::cases(model).front(), steps, 1);
}

std::vector<double> step_times(size_t n) {
  std::mt19937_64 engine(1);
  std::lognormal_distribution<double> draw(16, 0.1);
  std::vector<double> out(n);
  for (double& x : out) x = draw(engine);
  return out;
}

void steps(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * state.range(0)); }

void latency_of_steps(benchmark::State& state) {
  const std::vector<double> x = step_times(static_cast<size_t>(state.range(0)));
  std::vector<double> start(x.size());
  for (size_t i = 1; i < x.size(); ++i) start[i] = start[i - 1] + x[i - 1];
  for (auto _ : state) benchmark::DoNotOptimize(latency(x, start, kLatencyConfidence));
  steps(state);
}
BENCHMARK(latency_of_steps)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void throughput_of_steps(benchmark::State& state) {
  const std::vector<double> x = step_times(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(throughput(x, 1, kConfidence, 1));
  steps(state);
}
BENCHMARK(throughput_of_steps)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void metrics_of_a_record(benchmark::State& state) {
  const Record record = record_of(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(metrics(record));
  steps(state);
}
BENCHMARK(metrics_of_a_record)->Arg(1000)->Unit(benchmark::kMicrosecond);

void record_written(benchmark::State& state) {
  const Record record = record_of(static_cast<size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(record_to_json(record));
  steps(state);
}
BENCHMARK(record_written)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

void record_read(benchmark::State& state) {
  const std::string text = record_to_json(record_of(static_cast<size_t>(state.range(0))));
  if (!record_from_json(text, "bench").ok()) state.SkipWithError("the record can't be read");
  for (auto _ : state) benchmark::DoNotOptimize(record_from_json(text, "bench"));
  steps(state);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}
BENCHMARK(record_read)->Arg(1000)->Arg(100'000)->Unit(benchmark::kMicrosecond);

// The shipped price book, 80 KB of small objects: strict reading without what is made of it.
void json_read(benchmark::State& state) {
  const Result<std::string> text = read_text_file(ASSAY_SOURCE_DIR "/results/prices/shipped.json");
  if (!text.ok()) return state.SkipWithError("the price book can't be read");
  for (auto _ : state) benchmark::DoNotOptimize(JsonInput(*text, "bench").ok());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text->size()));
}
BENCHMARK(json_read)->Unit(benchmark::kMicrosecond);

void lowered(benchmark::State& state, const char* name) {
  Case c;
  c.suite = "decode";
  c.kind = StepKind::kDecode;
  c.model = catalogue().model(name).value();
  c.batch = 8;
  c.context = 4096;
  c.dtype = "bf16";
  size_t ops = 0;
  for (auto _ : state) {
    const Result<Graph> graph = lower(c, LowerOptions{});
    if (!graph.ok()) return state.SkipWithError(graph.error().message.c_str());
    ops = graph->ops.size();
    benchmark::DoNotOptimize(graph_cost(*graph, std::vector<int64_t>(graph->scalars.size(), c.context)));
  }
  state.counters["ops"] = static_cast<double>(ops);
}
BENCHMARK_CAPTURE(lowered, qwen2_5_72b, "qwen2.5-72b")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(lowered, deepseek_v3, "deepseek-v3")->Unit(benchmark::kMicrosecond);

void routing_drawn(benchmark::State& state, Routing::Kind kind, double parameter) {
  const RoutingPlan plan({kind, parameter, 1, "", "", nullptr}, {256, 8, 8, 4}, 0);
  std::vector<int32_t> chosen;
  uint64_t row = 0;
  for (auto _ : state) {
    plan.row(row++, &chosen);
    benchmark::DoNotOptimize(chosen.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(routing_drawn, uniform, Routing::Kind::kUniform, 0);
BENCHMARK_CAPTURE(routing_drawn, zipf, Routing::Kind::kZipf, 1.0);

}  // namespace
}  // namespace assay

BENCHMARK_MAIN();
