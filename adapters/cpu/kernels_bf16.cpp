// Products of bf16 by bf16, summed in f32, with the instructions of AVX512_BF16.
#include <immintrin.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/lane_kernels.h"

namespace assay::cpu {
namespace {

constexpr size_t kStep = 32;  // elements of a vector
constexpr size_t kCols = 4;
constexpr size_t kTileRows = 6;
constexpr size_t kBlockRows = 48;  // rows that stay in L2 while the weights pass

// The sums of four vectors.
inline __m128 sums_of(const __m512 (&v)[kCols]) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
  const __m512 s = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

inline void take_pairs(__m512& sum, __m512i x, __m512i w) { TakePairs::take(sum, (__m512)x, (__m512)w); }

// R rows of x by `cols` rows of weights. Loops over R are unrolled by word of command: else the sums go to memory and
// back at each step.
template <size_t R>
inline void tile(const Bf16Args& a, size_t r, size_t j, size_t cols) {
  const uint16_t* x = a.x + r * a.ldx;
  const uint16_t* w[kCols];
  for (size_t c = 0; c < kCols; ++c) w[c] = a.w + (j + (c < cols ? c : 0)) * a.ldw;
  __m512 acc[R][kCols];
#pragma GCC unroll 8
  for (size_t i = 0; i < R; ++i) {
    for (size_t c = 0; c < kCols; ++c) acc[i][c] = _mm512_setzero_ps();
  }
  size_t k = 0;
  for (; k + kStep <= a.k; k += kStep) {
    __m512i b[kCols];
    for (size_t c = 0; c < kCols; ++c) {
      __builtin_prefetch(w[c] + k + kCols * a.ldw, 0, 1);
      b[c] = _mm512_loadu_si512(w[c] + k);
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < R; ++i) {
      const __m512i v = _mm512_loadu_si512(x + i * a.ldx + k);
      for (size_t c = 0; c < kCols; ++c) take_pairs(acc[i][c], v, b[c]);
    }
  }
  if (k < a.k) {
    const __mmask32 rest = (__mmask32{1} << (a.k - k)) - 1;
#pragma GCC unroll 8
    for (size_t i = 0; i < R; ++i) {
      const __m512i v = _mm512_maskz_loadu_epi16(rest, x + i * a.ldx + k);
      for (size_t c = 0; c < kCols; ++c) take_pairs(acc[i][c], v, _mm512_maskz_loadu_epi16(rest, w[c] + k));
    }
  }
  const auto lanes = static_cast<__mmask8>((1u << cols) - 1);
#pragma GCC unroll 8
  for (size_t i = 0; i < R; ++i) _mm_mask_storeu_ps(a.y + (r + i) * a.ldy + j, lanes, sums_of(acc[i]));
}

template <size_t R>
inline void rest(const Bf16Args& a, size_t rows, size_t r, size_t j, size_t cols) {
  if constexpr (R > 0) {
    if (rows == R) return tile<R>(a, r, j, cols);
    rest<R - 1>(a, rows, r, j, cols);
  }
}

}  // namespace

void bf16_gemm(const Bf16Args& a) {
  for (size_t r0 = 0; r0 < a.m; r0 += kBlockRows) {
    const size_t r1 = r0 + kBlockRows < a.m ? r0 + kBlockRows : a.m;
    for (size_t j = 0; j < a.n; j += kCols) {
      const size_t cols = a.n - j < kCols ? a.n - j : kCols;
      size_t r = r0;
      for (; r + kTileRows <= r1; r += kTileRows) tile<kTileRows>(a, r, j, cols);
      if (r < r1) rest<kTileRows - 1>(a, r1 - r, r, j, cols);
    }
  }
}

void bf16_lane_gemm(const LaneArgs& a) { lane_product<TakePairs>(a); }

}  // namespace assay::cpu
