// The most that the arithmetic units can do: products of what registers hold, with nothing read from memory.
#pragma once

#include <immintrin.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/bench/bench_program.h"

namespace assay::bench {

// Twelve sums, so that no instruction waits for the one before it.
#define ASSAY_PEAK_LOOP(name, instruction)                                                                             \
  __attribute__((target("avx512f"))) inline void name(int64_t rounds) {                                                \
    __m512 a = _mm512_setzero_ps(), b = a, c = a, d = a, e = a, f = a, g = a, h = a, i = a, j = a, k = a, l = a;       \
    const __m512 x = a;                                                                                                \
    for (int64_t n = 0; n < rounds; ++n) {                                                                             \
      __asm__ volatile(                                                                                                \
          instruction " %12, %12, %0\n" instruction " %12, %12, %1\n" instruction " %12, %12, %2\n" instruction        \
                      " %12, %12, %3\n" instruction " %12, %12, %4\n" instruction " %12, %12, %5\n" instruction        \
                      " %12, %12, %6\n" instruction " %12, %12, %7\n" instruction " %12, %12, %8\n" instruction        \
                      " %12, %12, %9\n" instruction " %12, %12, %10\n" instruction " %12, %12, %11\n"                  \
          : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f), "+v"(g), "+v"(h), "+v"(i), "+v"(j), "+v"(k), "+v"(l) \
          : "v"(x));                                                                                                   \
    }                                                                                                                  \
  }
ASSAY_PEAK_LOOP(spin_f32, "vfmadd231ps")
ASSAY_PEAK_LOOP(spin_bf16, "vdpbf16ps")
ASSAY_PEAK_LOOP(spin_bytes, "vpdpbusd")
#undef ASSAY_PEAK_LOOP

// Operations a second of all threads, a product and its addition being two; 0: these units are not there.
inline double arithmetic_peak(const std::string& dtype, int threads) {
  __builtin_cpu_init();
  void (*spin)(int64_t) = nullptr;
  double per_instruction = 0;
  if (dtype == "f32" && __builtin_cpu_supports("avx512f")) spin = spin_f32, per_instruction = 32;
  if (dtype == "bf16" && __builtin_cpu_supports("avx512bf16")) spin = spin_bf16, per_instruction = 64;
  if (dtype == "int8" && __builtin_cpu_supports("avx512vnni")) spin = spin_bytes, per_instruction = 128;
  if (spin == nullptr) return 0;
  constexpr int64_t kRounds = 4'000'000;
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    std::vector<std::thread> pool;
    const double begin = now_s();
    for (int t = 0; t < threads; ++t) pool.emplace_back(spin, kRounds);
    for (auto& thread : pool) thread.join();
    best = std::max(best, 12.0 * kRounds * per_instruction * threads / (now_s() - begin));
  }
  return best;
}

}  // namespace assay::bench
