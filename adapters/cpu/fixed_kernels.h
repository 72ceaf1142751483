// Products of int8 weights with rows in fixed point of three bytes, exact in integers. For kernel files only.
#pragma once

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

#if defined(__AVX512VNNI__)

constexpr float kFixedLargest = 127.0f * 65536.0f;  // whose three signed bytes do not carry into a fourth
constexpr float kFixedSmallest = 0x1p-126f;         // whose inverse is finite
constexpr size_t kFixedStep = 64;
constexpr size_t kFixedCols = 4;   // columns whose sums stay in registers, for the three bytes of one row
constexpr size_t kFixedRows = 32;  // rows that stay in L2 while the weights pass

// sum += u s in groups of four bytes, u unsigned. By name: of its own function for it GCC 12 copies every sum to
// another register and back, at half the speed.
inline void take_bytes(__m512i& sum, __m512i u, __m512i s) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s));
}

inline __mmask16 first_lanes(size_t n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1); }

void to_fixed(const float* x, size_t n, int8_t* bytes, size_t ld, float* scale, double* sum) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i top = _mm512_setzero_si512();  // as integers: what is not finite is largest
  for (size_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
    top = _mm512_max_epi32(top, _mm512_and_si512(_mm512_castps_si512(v), magnitude));
  }
  const float largest = _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32(_mm512_reduce_max_epi32(top))));
  *scale = largest / kFixedLargest;
  if (*scale < kFixedSmallest) *scale = kFixedSmallest;
  const __m512 inverse = _mm512_set1_ps(1 / *scale);
  __m512d total = _mm512_setzero_pd();
  for (size_t i = 0; i < ld; i += 16) {
    const __mmask16 lanes = first_lanes(i < n ? n - i : 0);
    const __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), inverse));
    total = _mm512_add_pd(total, _mm512_cvtepi32_pd(_mm512_castsi512_si256(v)));
    total = _mm512_add_pd(total, _mm512_cvtepi32_pd(_mm512_extracti32x8_epi32(v, 1)));
    // Each byte is signed, so the ones above take what it is short of.
    const __m512i low = _mm512_srai_epi32(_mm512_slli_epi32(v, 24), 24);
    const __m512i rest = _mm512_srai_epi32(_mm512_sub_epi32(v, low), 8);
    const __m512i middle = _mm512_srai_epi32(_mm512_slli_epi32(rest, 24), 24);
    const __m512i high = _mm512_srai_epi32(_mm512_sub_epi32(rest, middle), 8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + i), _mm512_cvtepi32_epi8(high));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + ld + i), _mm512_cvtepi32_epi8(middle));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes + 2 * ld + i), _mm512_cvtepi32_epi8(low));
  }
  *sum = _mm512_reduce_add_pd(total);
}

// The sums of four vectors.
inline __m128i int_sums(const __m512i (&v)[kFixedCols]) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  const __m512i s = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti32x8_epi32(s, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// R rows by kFixedCols rows of weights, or by one. Loops are unrolled by word of command: else the sums go to memory
// and back at each step.
template <size_t R>
inline void fixed_tile(const FixedArgs& a, size_t r, size_t j, size_t cols) {
  constexpr size_t kBytes = 3 * R;  // vectors of x: three bytes of each row
  const int8_t* x = a.x + r * 3 * a.ld;
  const int8_t* w = a.w + j * a.ldw;
  const size_t ldw = cols == kFixedCols ? a.ldw : 0;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sums[kBytes][kFixedCols];
#pragma GCC unroll 8
  for (size_t i = 0; i < kBytes; ++i) {
    for (size_t c = 0; c < kFixedCols; ++c) sums[i][c] = _mm512_setzero_si512();
  }
  // Weights are taken as w + 128, because the instruction wants one side unsigned.
  size_t k = 0;
  for (; k + kFixedStep <= a.k; k += kFixedStep) {
    __m512i v[kFixedCols];
    for (size_t c = 0; c < kFixedCols; ++c) {
      prefetch_line(w + c * ldw + k);
      v[c] = _mm512_xor_si512(flip, _mm512_loadu_si512(w + c * ldw + k));
    }
#pragma GCC unroll 8
    for (size_t i = 0; i < kBytes; ++i) {
      const __m512i rows = _mm512_loadu_si512(x + i * a.ld + k);
      for (size_t c = 0; c < kFixedCols; ++c) take_bytes(sums[i][c], v[c], rows);
    }
  }
  if (k < a.k) {
    const __mmask64 bytes = (__mmask64{1} << (a.k - k)) - 1;
#pragma GCC unroll 8
    for (size_t i = 0; i < kBytes; ++i) {
      const __m512i rows = _mm512_loadu_si512(x + i * a.ld + k);
      for (size_t c = 0; c < kFixedCols; ++c) {
        take_bytes(sums[i][c], _mm512_xor_si512(flip, _mm512_maskz_loadu_epi8(bytes, w + c * ldw + k)), rows);
      }
    }
  }
  const auto lanes = static_cast<__mmask8>((1u << cols) - 1);
  const __m128 w_scale = _mm_maskz_loadu_ps(lanes, a.w_scale + j);
#pragma GCC unroll 4
  for (size_t i = 0; i < R; ++i) {
    __m256d total = _mm256_set1_pd(-128 * a.x_sum[r + i]);
    total = _mm256_fmadd_pd(_mm256_cvtepi32_pd(int_sums(sums[3 * i])), _mm256_set1_pd(65536), total);
    total = _mm256_fmadd_pd(_mm256_cvtepi32_pd(int_sums(sums[3 * i + 1])), _mm256_set1_pd(256), total);
    total = _mm256_add_pd(_mm256_cvtepi32_pd(int_sums(sums[3 * i + 2])), total);
    __m128 y = _mm_mul_ps(_mm256_cvtpd_ps(total), _mm_mul_ps(_mm_set1_ps(a.x_scale[r + i]), w_scale));
    if (a.bias != nullptr) y = _mm_add_ps(y, _mm_maskz_loadu_ps(lanes, a.bias + j));
    _mm_mask_storeu_ps(a.y + (r + i) * a.ldy + j, lanes, y);
  }
}

void fixed_gemm(const FixedArgs& a) {
  for (size_t r0 = 0; r0 < a.m; r0 += kFixedRows) {
    const size_t r1 = r0 + kFixedRows < a.m ? r0 + kFixedRows : a.m;
    for (size_t j = 0, cols = kFixedCols; j < a.n; j += cols) {
      if (a.n - j < kFixedCols) cols = 1;
      size_t r = r0;
      for (; r + 2 <= r1; r += 2) fixed_tile<2>(a, r, j, cols);
      if (r < r1) fixed_tile<1>(a, r, j, cols);
    }
  }
}

constexpr auto* kToFixed = to_fixed;
constexpr auto* kFixedGemm = fixed_gemm;
#else
constexpr void (*kToFixed)(const float*, size_t, int8_t*, size_t, float*, double*) = nullptr;
constexpr void (*kFixedGemm)(const FixedArgs&) = nullptr;
#endif

}  // namespace
}  // namespace assay::cpu
