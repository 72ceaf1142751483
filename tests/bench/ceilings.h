// The ceilings that speeds are set against, measured in the same run, and how a ratio is printed.
#pragma once

#include <immintrin.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/bench/bench_program.h"

namespace assay::bench {

// Our own read of memory, beside the adapter's ARGMAX: eight independent 256-bit sums, so that the loop is
// bound by memory and not by one chain of additions.
__attribute__((target("avx2"))) inline float read_sum(const float* data, size_t count) {
  __m256 sum[8];
  for (auto& s : sum) s = _mm256_setzero_ps();
  for (size_t i = 0; i + 64 <= count; i += 64) {
    for (size_t k = 0; k < 8; ++k) sum[k] = _mm256_add_ps(sum[k], _mm256_loadu_ps(data + i + 8 * k));
  }
  for (size_t k = 1; k < 8; ++k) sum[0] = _mm256_add_ps(sum[0], sum[k]);
  float lanes[8];
  _mm256_storeu_ps(lanes, sum[0]);
  float total = 0;
  for (const float lane : lanes) total += lane;
  return total;
}

class PlainRead {
 public:
  explicit PlainRead(int threads) : threads_(threads), data_(kFloats, 1.0f) {}

  [[nodiscard]] int threads() const { return threads_; }
  double bytes_per_s() {
    std::vector<float> sums(static_cast<size_t>(threads_));
    std::vector<std::thread> pool;
    const size_t share = kFloats / static_cast<size_t>(threads_);
    const double begin = now_s();
    for (size_t t = 0; t < sums.size(); ++t) {
      pool.emplace_back([&, t] { sums[t] = read_sum(data_.data() + t * share, share); });
    }
    for (auto& thread : pool) thread.join();
    const double seconds = now_s() - begin;
    float total = 0;
    for (const float sum : sums) total += sum;
    if (total <= 0) fail("the read was optimised away");
    return static_cast<double>(share * sums.size() * sizeof(float)) / seconds;
  }

 private:
  static constexpr size_t kFloats = 128u << 20;
  int threads_;
  std::vector<float> data_;
};

inline Case ceiling_case(StepKind kind, const std::string& dtype) {
  Case c;
  c.suite = "bench";
  c.kind = kind;
  c.dtype = dtype;
  c.m = c.n = c.k = 2048;
  c.buffer_bytes = 512ll << 20;
  return c;
}

inline void print_row(const char* what, double value, const char* unit, double ratio, const char* of, double target) {
  std::printf("%-34s %10.1f %-9s %6.3f of %-28s target %.2f  %s\n", what, value, unit, ratio, of, target,
              ratio >= target ? "reached" : "MISSED");
}

}  // namespace assay::bench
