// What the benchmarks share: an adapter's program for a case, loaded with random data and run step by step.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "harness/loader/adapter.h"
#include "suites/base/rng.h"
#include "suites/suite.h"

namespace assay::bench {

// A benchmark has no caller to hand an error to: it says what failed and ends.
[[noreturn]] inline void fail(const std::string& message) {
  std::fprintf(stderr, "bench: %s\n", message.c_str());
  std::exit(1);
}

template <typename T>
T take(Result<T> result) {
  if (!result.ok()) fail(result.error().message);
  return std::move(result).value();
}

inline double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  if (values.empty()) fail("no samples");
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

// A prepared and loaded program of one case.
class BenchProgram {
 public:
  BenchProgram(Adapter& adapter, const Case& c) : BenchProgram(adapter, c, take(lower(c, LowerOptions{}))) {}
  // Any graph and the values of its scalars.
  BenchProgram(Adapter& adapter, Graph graph, std::vector<int64_t> scalars)
      : graph_(std::move(graph)), scalars_(std::move(scalars)) {
    program_ = take(adapter.prepare(graph_, 0));
    for (uint32_t t = 0; t < graph_.tensors.size(); ++t) load(t);
    cost_ = graph_cost(graph_, scalars_);
  }

  // Seconds of one step on the host clock.
  double step() {
    assay_run_args args{sizeof(assay_run_args), 1, scalars_.data()};
    assay_run_result result{};
    result.struct_size = sizeof(result);
    assay_run* run = nullptr;
    const double begin = now_s();
    assay_status status = program_->submit(&args, &run);
    if (status == ASSAY_OK) status = program_->wait(run, &result);
    const double end = now_s();
    if (status != ASSAY_OK) fail(program_->last_error("step", status).message);
    return end - begin;
  }

  // Median step of at least `count` steps and `min_s` seconds.
  double median_step(int count, double min_s) {
    std::vector<double> times;
    double total = 0;
    while (static_cast<int>(times.size()) < count || total < min_s) {
      times.push_back(step());
      total += times.back();
    }
    return median(std::move(times));
  }

  [[nodiscard]] const GraphCost& cost() const { return cost_; }
  [[nodiscard]] const Case& work() const { return case_; }
  [[nodiscard]] const Graph& graph() const { return graph_; }

 private:
  BenchProgram(Adapter& adapter, const Case& c, const Graph& graph)
      : BenchProgram(adapter, graph, step_scalars(c, graph)) {
    case_ = c;
  }
  void load(uint32_t t) {
    const Tensor& tensor = graph_.tensors[t];
    if (tensor.fill.kind == Fill::Kind::kNone) return;
    const auto count = static_cast<uint64_t>(graph_.elements(t));
    constexpr uint64_t kChunk = 2u << 20;
    std::vector<char> buffer(packed_bytes(tensor.dtype, std::min(count, kChunk)));
    for (uint64_t first = 0; first < count; first += kChunk) {
      const uint64_t n = std::min(kChunk, count - first);
      fill_elements(tensor, t, 1, first, n, buffer.data());
      if (auto status =
              program_->write(t, packed_bytes(tensor.dtype, first), buffer.data(), packed_bytes(tensor.dtype, n));
          !status.ok()) {
        fail(status.error().message);
      }
    }
  }

  Case case_;
  Graph graph_;
  std::vector<int64_t> scalars_;
  std::unique_ptr<Program> program_;
  GraphCost cost_;
};

}  // namespace assay::bench
