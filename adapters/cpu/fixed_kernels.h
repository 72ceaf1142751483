// Products of int8 weights with rows in fixed point of two or three bytes, exact in integers. For kernel files only.
#pragma once

#include <limits>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

#if defined(__AVX512VNNI__)

constexpr float kFixedLargest[] = {127.0f * 256.0f, 127.0f * 65536.0f};  // of two, three bytes without a carry
constexpr float kFixedSmallest = 0x1p-126f;                              // whose inverse is finite
constexpr size_t kFixedStep = 64;
constexpr size_t kFixedCols = kWeightStreams;  // columns whose sums stay in registers, for six bytes of rows
constexpr size_t kFixedRows = 32;              // rows that stay in L2 while the weights pass

// sum += u s in groups of four bytes, u unsigned. By name: of its own function for it GCC 12 copies every sum to
// another register and back, at half the speed.
inline void take_bytes(__m512i& sum, __m512i u, __m512i s) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u), "v"(s));
}

inline __mmask16 first_lanes(size_t n) { return static_cast<__mmask16>(n >= 16 ? 0xffff : (1u << n) - 1); }

template <size_t kPlanes>
void to_fixed_planes(const float* x, size_t n, int8_t* bytes, size_t ld, float* scale, double* sum) {
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  __m512i top = _mm512_setzero_si512();  // as integers: what is not finite is largest
  for (size_t i = 0; i < n; i += 16) {
    const __m512 v = _mm512_maskz_loadu_ps(first_lanes(n - i), x + i);
    top = _mm512_max_epi32(top, _mm512_and_si512(_mm512_castps_si512(v), magnitude));
  }
  const float largest = _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_set1_epi32(_mm512_reduce_max_epi32(top))));
  *scale = largest / kFixedLargest[kPlanes - 2];
  if (*scale < kFixedSmallest) *scale = kFixedSmallest;
  if (!(largest <= std::numeric_limits<float>::max())) *scale = std::numeric_limits<float>::quiet_NaN();
  const __m512 inverse = _mm512_set1_ps(1 / *scale);
  __m512d total = _mm512_setzero_pd();
  for (size_t i = 0; i < ld; i += 16) {
    const __mmask16 lanes = first_lanes(i < n ? n - i : 0);
    __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(lanes, x + i), inverse));
    total = _mm512_add_pd(total, _mm512_cvtepi32_pd(_mm512_castsi512_si256(v)));
    total = _mm512_add_pd(total, _mm512_cvtepi32_pd(_mm512_extracti32x8_epi32(v, 1)));
    // Each byte is signed, so the ones above take what it is short of.
    int8_t* to = bytes + i / kFixedStep * kPlanes * kFixedStep + i % kFixedStep;
    for (size_t plane = kPlanes - 1; plane > 0; --plane) {
      const __m512i low = _mm512_srai_epi32(_mm512_slli_epi32(v, 24), 24);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + plane * kFixedStep), _mm512_cvtepi32_epi8(low));
      v = _mm512_srai_epi32(_mm512_sub_epi32(v, low), 8);
    }
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(v));
  }
  *sum = _mm512_reduce_add_pd(total);
}

void to_fixed(const float* x, size_t n, int8_t* bytes, size_t planes, size_t ld, float* scale, double* sum) {
  (planes == 2 ? to_fixed_planes<2> : to_fixed_planes<3>)(x, n, bytes, ld, scale, sum);
}

// The sums of four vectors.
static_assert(kFixedCols == 4);
inline __m128i int_sums(const __m512i* v) {
  const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(v[0], v[1]), _mm512_unpackhi_epi32(v[0], v[1]));
  const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(v[2], v[3]), _mm512_unpackhi_epi32(v[2], v[3]));
  const __m512i s = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(s), _mm512_extracti32x8_epi32(s, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

// Weights that are wanted after these, asked for line by line while the units are busy, by the hint that was fastest on
// Zen 4: nearer ones take room from what is read now.
struct Later {
  const int8_t* row;
  size_t apart, length;                    // bytes from row to row and of each
  size_t lines = 0, each = 0, offset = 0;  // still to be asked for, and of them at each step
  inline void ask() {
    for (size_t i = 0; i < each && lines > 0; ++i, --lines) {
      __builtin_prefetch(row + offset, 0, 1);
      offset += kLineBytes;
      if (offset < length) continue;
      offset = 0;
      row += apart;
    }
  }
};

// R rows by kCols rows of weights that lie `apart`, or by one row: apart = 0. Meanwhile it asks for `later`,
// or for what lies kStreamAhead. Loops are unrolled by word of command: else the sums go to memory and back at each
// step.
template <size_t kPlanes, size_t R, size_t kCols, bool kLater>
inline void fixed_tile(const FixedArgs& a, size_t r, size_t j, size_t apart, Later& later) {
  constexpr size_t kBytes = kPlanes * R;  // vectors of x
  const int8_t* x = a.x + r * kPlanes * a.ld;
  const int8_t* w = a.w + j * a.ldw;
  const size_t ldw = apart * a.ldw;
  const __m512i flip = _mm512_set1_epi8(static_cast<char>(0x80));
  __m512i sums[kBytes][kCols];
#pragma GCC unroll 8
  for (size_t i = 0; i < kBytes; ++i) {
    for (size_t c = 0; c < kCols; ++c) sums[i][c] = _mm512_setzero_si512();
  }
  // Weights are taken as w + 128, because the instruction wants one side unsigned.
  size_t k = 0;
  for (; k + kStreamStep <= a.k; k += kStreamStep) {
    if constexpr (kLater) {
      later.ask();
    } else {
      for (size_t c = 0; c < kCols; ++c) __builtin_prefetch(w + c * ldw + k + kStreamAhead, 0, 2);
    }
#pragma GCC unroll 2
    for (size_t half = k; half < k + kStreamStep; half += kFixedStep) {
      if constexpr (R == 1) {
        __m512i rows[kBytes];
        for (size_t i = 0; i < kBytes; ++i) rows[i] = _mm512_loadu_si512(x + kPlanes * half + i * kFixedStep);
#pragma GCC unroll 12
        for (size_t c = 0; c < kCols; ++c) {
          const __m512i v = _mm512_xor_si512(flip, _mm512_loadu_si512(w + c * ldw + half));
          for (size_t i = 0; i < kBytes; ++i) take_bytes(sums[i][c], v, rows[i]);
        }
      } else {
        __m512i v[kCols];
        for (size_t c = 0; c < kCols; ++c) v[c] = _mm512_xor_si512(flip, _mm512_loadu_si512(w + c * ldw + half));
#pragma GCC unroll 8
        for (size_t i = 0; i < kBytes; ++i) {
          const __m512i rows =
              _mm512_loadu_si512(x + i / kPlanes * kPlanes * a.ld + kPlanes * half + i % kPlanes * kFixedStep);
          for (size_t c = 0; c < kCols; ++c) take_bytes(sums[i][c], v[c], rows);
        }
      }
    }
  }
  for (; k < a.k; k += kFixedStep) {
    const size_t n = a.k - k;
    const __mmask64 bytes = n >= kFixedStep ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
#pragma GCC unroll 8
    for (size_t i = 0; i < kBytes; ++i) {
      const __m512i rows =
          _mm512_loadu_si512(x + i / kPlanes * kPlanes * a.ld + kPlanes * k + i % kPlanes * kFixedStep);
      for (size_t c = 0; c < kCols; ++c) {
        take_bytes(sums[i][c], _mm512_xor_si512(flip, _mm512_maskz_loadu_epi8(bytes, w + c * ldw + k)), rows);
      }
    }
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < R; ++i) {
#pragma GCC unroll 3
    for (size_t c0 = 0; c0 < kCols; c0 += kFixedCols) {
      __m256d total = _mm256_set1_pd(-128 * a.x_sum[r + i]);
      double unit = kPlanes == 3 ? 65536 : 256;  // of the byte that is added
#pragma GCC unroll 3
      for (size_t plane = 0; plane < kPlanes; ++plane, unit /= 256) {
        const __m256d sum = _mm256_cvtepi32_pd(int_sums(sums[kPlanes * i + plane] + c0));
        total = _mm256_fmadd_pd(sum, _mm256_set1_pd(unit), total);
      }
      float y[kFixedCols];
      _mm_storeu_ps(y, _mm256_cvtpd_ps(total));
      for (size_t c = 0; c < (apart > 0 ? kFixedCols : 1); ++c) {
        const size_t col = j + (c0 + c) * apart;
        a.y[(r + i) * a.ldy + col] =
            y[c] * (a.x_scale[r + i] * a.w_scale[col]) + (a.bias != nullptr ? a.bias[col] : 0.0f);
      }
    }
  }
}

// The rows [r0, r1), no more than kMost.
template <size_t kPlanes, size_t kMost>
inline void fixed_few(const FixedArgs& a, size_t r0, size_t r1, size_t j, size_t apart) {
  if constexpr (kMost > 1) {
    if (r1 - r0 < kMost) return fixed_few<kPlanes, kMost - 1>(a, r0, r1, j, apart);
  }
  Later none{};
  fixed_tile<kPlanes, kMost, kFixedCols, false>(a, r0, j, apart, none);
}

// More rows, one by one; each asks for its share of the rows of weights that are wanted next, from `next` on, so that
// memory is as busy as the units are.
template <size_t kPlanes, size_t kCols>
inline void fixed_many(const FixedArgs& a, size_t r0, size_t r1, size_t j, size_t apart, const int8_t* next) {
  Later later{next, apart * a.ldw, a.k};
  const size_t rows = r1 - r0, lines = kCols * ((a.k + kLineBytes - 1) / kLineBytes);
  later.each = (kCols * kStreamStep / kLineBytes + rows - 1) / rows;
  for (size_t r = 0; r < rows; ++r) {
    later.lines += lines * (r + 1) / rows - lines * r / rows;
    fixed_tile<kPlanes, 1, kCols, true>(a, r0 + r, j, apart, later);
  }
}

// Columns j, j + 1 ... of each of kFixedCols parts, which lie `apart`.
template <size_t kPlanes>
inline void fixed_parts(const FixedArgs& a, size_t r0, size_t r1, size_t first, size_t apart, size_t columns) {
  constexpr size_t kFewRows = 6 / kPlanes;
  for (size_t j = first; j < first + columns; ++j) {
    if (r1 - r0 <= kFewRows) {
      fixed_few<kPlanes, kFewRows>(a, r0, r1, j, apart);
    } else {
      const bool last = j + 1 == first + columns && a.next != nullptr;
      fixed_many<kPlanes, kFixedCols>(a, r0, r1, j, apart, last ? a.next : a.w + (j + 1) * a.ldw);
    }
  }
}

template <size_t kPlanes>
void fixed_gemm_planes(const FixedArgs& a) {
  constexpr size_t kFewRows = 6 / kPlanes, kManyCols = 24 / kPlanes;  // of which all sums stay in registers
  for (size_t r0 = 0; r0 < a.m; r0 += kFixedRows) {
    const size_t r1 = r0 + kFixedRows < a.m ? r0 + kFixedRows : a.m;
    if (a.apart > 0) {
      fixed_parts<kPlanes>(a, r0, r1, 0, a.apart, a.n);
      continue;
    }
    size_t done = 0;
    // Weights beside each other: those that lie apart by a power of two would drive each other out of L1.
    for (; r1 - r0 > kFewRows && done + kManyCols <= a.n; done += kManyCols) {
      const bool last = done + kManyCols == a.n && a.next != nullptr;
      fixed_many<kPlanes, kManyCols>(a, r0, r1, done, 1, last ? a.next : a.w + (done + kManyCols) * a.ldw);
    }
    const size_t apart = (a.n - done) / kFixedCols;
    fixed_parts<kPlanes>(a, r0, r1, done, apart, apart);
    for (done += kFixedCols * apart; done < a.n; ++done) {
      for (size_t r = r0; r < r1; r += kFewRows) fixed_few<kPlanes, kFewRows>(a, r, r1, done, 0);
    }
  }
}

void fixed_gemm(const FixedArgs& a) { (a.planes == 2 ? fixed_gemm_planes<2> : fixed_gemm_planes<3>)(a); }

constexpr auto* kToFixed = to_fixed;
constexpr auto* kFixedGemm = fixed_gemm;
#else
constexpr void (*kToFixed)(const float*, size_t, int8_t*, size_t, size_t, float*, double*) = nullptr;
constexpr void (*kFixedGemm)(const FixedArgs&) = nullptr;
#endif

}  // namespace
}  // namespace assay::cpu
