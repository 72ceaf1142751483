// Products whose rows stand side by side in the lanes of vectors, while the weights are read where they lie, each
// element broadcast to all lanes: no sum across lanes, no packing of weights, and of the caches little but the weights.
// For kernel files only.
#pragma once

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

#if defined(__AVX512F__)

// How one element of weights joins the sums of its column: in all lanes of a register, or in memory where one vector of
// rows alone wants it.
struct TakeF32 {
  static inline void take(__m512& sum, __m512 x, __m512 w) { sum = _mm512_fmadd_ps(x, w, sum); }
  static inline void take(__m256& sum, __m256 x, __m256 w) { sum = _mm256_fmadd_ps(x, w, sum); }
  static inline void take(__m512& sum, __m512 x, const float& w) { take(sum, x, _mm512_set1_ps(w)); }
  static inline void take(__m256& sum, __m256 x, const float& w) { take(sum, x, _mm256_set1_ps(w)); }
};

#if defined(__AVX512BF16__)
// The same of two neighbouring bf16. By name: of its own function for it GCC 12 copies every sum to another register
// and back.
struct TakePairs {
  static inline void take(__m512& sum, __m512 x, __m512 w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }
  static inline void take(__m256& sum, __m256 x, __m256 w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
  }
  static inline void take(__m512& sum, __m512 x, const float& w) {
    __asm__("vdpbf16ps %2%{1to16%}, %1, %0" : "+v"(sum) : "v"(x), "m"(w));
  }
  static inline void take(__m256& sum, __m256 x, const float& w) {
    __asm__("vdpbf16ps %2%{1to8%}, %1, %0" : "+v"(sum) : "v"(x), "m"(w));
  }
};
#endif

constexpr size_t kLaneUnroll = 16;  // elements of one line of weights
static_assert(kLaneUnroll % kLaneCols == 0, "a line of each column ahead is asked for in as many steps");

// Sums of C columns of weights by L * 8 rows. `ahead`: where the weights lie that are wanted next.
template <typename Take, size_t L, size_t C>
struct LaneTile {
  static constexpr size_t kWhole = L / 2;
  static constexpr bool kHalf = L % 2 == 1;

  inline void clear() {
#pragma GCC unroll 8
    for (size_t c = 0; c < C; ++c) {
      half[c] = _mm256_setzero_ps();
#pragma GCC unroll 4
      for (size_t z = 0; z < kWhole; ++z) sum[c][z] = _mm512_setzero_ps();
    }
  }
  inline void step(const float* x, const float* w, size_t ldw) {
    __m512 whole[kWhole + 1];
#pragma GCC unroll 4
    for (size_t z = 0; z < kWhole; ++z) whole[z] = _mm512_loadu_ps(x + z * 16);
    const __m256 rest = kHalf ? _mm256_loadu_ps(x + kWhole * 16) : _mm256_setzero_ps();
#pragma GCC unroll 8
    for (size_t c = 0; c < C; ++c) {
      if constexpr (L == 1) {
        Take::take(half[c], rest, w[c * ldw]);
        continue;
      } else if constexpr (L == 2) {
        Take::take(sum[c][0], whole[0], w[c * ldw]);
        continue;
      }
      const __m512 v = _mm512_set1_ps(w[c * ldw]);
#pragma GCC unroll 4
      for (size_t z = 0; z < kWhole; ++z) Take::take(sum[c][z], whole[z], v);
      if constexpr (kHalf) Take::take(half[c], rest, _mm512_castps512_ps256(v));
    }
  }
  inline void add(const float* x, const float* w, size_t ldw, size_t depth, const float* ahead) {
    size_t k = 0;
    for (; k + kLaneUnroll <= depth; k += kLaneUnroll) {
#pragma GCC unroll 16
      for (size_t i = 0; i < kLaneUnroll; ++i) {
        constexpr size_t kEvery = kLaneUnroll / kLaneCols;
        if (C == kLaneCols && i % kEvery == 0) __builtin_prefetch(ahead + i / kEvery * ldw + k, 0, 2);
        step(x + (k + i) * L * 8, w + k + i, ldw);
      }
    }
    for (; k < depth; ++k) step(x + k * L * 8, w + k, ldw);
  }
  inline void store(float* y, size_t ldy, size_t rows) const {
    float lanes[C][L * 8];
#pragma GCC unroll 8
    for (size_t c = 0; c < C; ++c) {
#pragma GCC unroll 4
      for (size_t z = 0; z < kWhole; ++z) _mm512_storeu_ps(lanes[c] + z * 16, sum[c][z]);
      if constexpr (kHalf) _mm256_storeu_ps(lanes[c] + kWhole * 16, half[c]);
    }
    for (size_t r = 0; r < rows; ++r) {
      for (size_t c = 0; c < C; ++c) y[r * ldy + c] = lanes[c][r];
    }
  }

  __m512 sum[C][kWhole + 1];
  __m256 half[C];
};

template <typename Take, size_t L>
void lane_block(const LaneArgs& a, const float* x, size_t rows, float* y) {
  LaneTile<Take, L, kLaneCols> tile;
  for (size_t begin = 0; begin < a.n; begin += kLaneCols) {
    // The last columns may be summed twice: as whole a tile as the others.
    const size_t j = begin + kLaneCols <= a.n ? begin : a.n - kLaneCols;
    const float* w = a.w + j * a.ldw;
    tile.clear();
    tile.add(x, w, a.ldw, a.k, w + kLaneCols * a.ldw);
    tile.store(y + j, a.ldy, rows);
  }
}

template <typename Take, size_t L>
inline void lane_rest(const LaneArgs& a, const float* x, size_t rows, float* y) {
  if constexpr (L > 0) {
    if ((rows + 7) / 8 == L) return lane_block<Take, L>(a, x, rows, y);
    lane_rest<Take, L - 1>(a, x, rows, y);
  }
}

template <typename Take>
void lane_product(const LaneArgs& a) {
  for (size_t r = 0; r < a.m; r += kLaneRows) {
    const size_t rows = a.m - r < kLaneRows ? a.m - r : kLaneRows;
    lane_rest<Take, kLaneRows / 8>(a, a.x + r * a.k, rows, a.y + r * a.ldy);
  }
}

#endif

}  // namespace
}  // namespace assay::cpu
