// Integer products: exact in int32, whatever the codes. For kernel files only.
#pragma once

#include <string.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/matvec_kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

#if defined(__AVX512VNNI__)
constexpr size_t kIntStep = 64;
// Adds w[0..64) * x[0..64), with w taken as w + 128 because the instruction wants one side unsigned.
struct IntSum {
  __m512i acc = _mm512_setzero_si512();
  inline void take(const int8_t* w, const int8_t* x) {
    const __m512i shifted = _mm512_xor_si512(_mm512_loadu_si512(w), _mm512_set1_epi8(static_cast<char>(0x80)));
    acc = _mm512_dpbusd_epi32(acc, shifted, _mm512_loadu_si512(x));
  }
  [[nodiscard]] inline int32_t sum() const { return _mm512_reduce_add_epi32(acc); }
};
constexpr int32_t kShift = 128;
#elif defined(__AVX2__)
constexpr size_t kIntStep = 32;
inline __m256i widen16(const int8_t* p) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
// In 16 bits: the unsigned-by-signed byte product of AVX2 clips its sums of two.
struct IntSum {
  __m256i acc = _mm256_setzero_si256();
  inline void take(const int8_t* w, const int8_t* x) {
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(widen16(w), widen16(x)));
    acc = _mm256_add_epi32(acc, _mm256_madd_epi16(widen16(w + 16), widen16(x + 16)));
  }
  [[nodiscard]] inline int32_t sum() const {
    int32_t lanes[8];
    memcpy(lanes, &acc, sizeof(lanes));
    int32_t total = 0;
    for (const int32_t lane : lanes) total += lane;
    return total;
  }
};
constexpr int32_t kShift = 0;
#else
constexpr size_t kIntStep = 16;
struct IntSum {
  int32_t acc = 0;
  inline void take(const int8_t* w, const int8_t* x) {
    for (size_t i = 0; i < kIntStep; ++i) acc += static_cast<int32_t>(w[i]) * x[i];
  }
  [[nodiscard]] inline int32_t sum() const { return acc; }
};
constexpr int32_t kShift = 0;
#endif

// Rows j, j + apart, ... of the weights, R of them, by M rows of x whose codes' sums times kShift are `shift`.
template <int M, int R>
inline void int_rows(const IntMatvecArgs& a, size_t j, size_t apart, const int32_t (&shift)[M]) {
  const size_t whole = a.k / kIntStep * kIntStep;
  const int8_t* w = a.w + j * a.ldw;
  const size_t stride = apart * a.ldw;
  IntSum acc[R][M];
  for (size_t k = 0; k < whole; k += kIntStep) {
    if (k % kStreamStep == 0) {
#pragma GCC unroll 8
      for (int s = 0; s < R; ++s) prefetch_step(w + static_cast<size_t>(s) * stride + k, false);
    }
#pragma GCC unroll 8
    for (int s = 0; s < R; ++s) {
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        acc[s][m].take(w + static_cast<size_t>(s) * stride + k, a.x + static_cast<size_t>(m) * a.ldx + k);
      }
    }
  }
#pragma GCC unroll 8
  for (int s = 0; s < R; ++s) {
    const size_t row = j + static_cast<size_t>(s) * apart;
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      const int8_t* x = a.x + static_cast<size_t>(m) * a.ldx;
      int32_t total = acc[s][m].sum() - shift[m];
      for (size_t k = whole; k < a.k; ++k) total += static_cast<int32_t>(a.w[row * a.ldw + k]) * x[k];
      a.y[static_cast<size_t>(m) * a.ldy + row] =
          static_cast<float>(total) * a.x_scale[m] * a.w_scale[row] + (a.bias != nullptr ? a.bias[row] : 0.0f);
    }
  }
}

template <int M>
void int_matvec_m(const IntMatvecArgs& a) {
  int32_t shift[M] = {};
  for (int m = 0; m < M; ++m) {
    for (size_t k = 0; k < a.k / kIntStep * kIntStep; ++k) shift[m] += a.x[static_cast<size_t>(m) * a.ldx + k];
    shift[m] *= kShift;
  }
  constexpr int kAtOnce = streams_of<M>();
  const size_t apart = a.apart > 0 ? a.apart : a.n / kAtOnce;
  const size_t n = a.apart > 0 ? a.n : apart;
  const size_t sets = a.apart > 0 ? kWeightStreams / kAtOnce : 1;
  for (size_t set = 0; set < sets; ++set) {
    for (size_t j = 0; j < n; ++j) int_rows<M, kAtOnce>(a, set * kAtOnce * apart + j, apart, shift);
  }
  for (size_t j = a.apart > 0 ? a.n : kAtOnce * apart; j < a.n; ++j) int_rows<M, 1>(a, j, 0, shift);
}

void int_matvec(const IntMatvecArgs& a) {
  switch (a.m) {
    case 1:
      return int_matvec_m<1>(a);
    case 2:
      return int_matvec_m<2>(a);
    case 3:
      return int_matvec_m<3>(a);
    case 4:
      return int_matvec_m<4>(a);
    case 5:
      return int_matvec_m<5>(a);
    case 6:
      return int_matvec_m<6>(a);
    case 7:
      return int_matvec_m<7>(a);
    default:
      return int_matvec_m<8>(a);
  }
}

constexpr size_t kIntRows = 6;   // rows of x by
constexpr size_t kIntCols = 16;  // columns of one product held in registers
constexpr size_t kIntDepth = 512;

// Pairs of neighbouring codes widened to 16 bits, as rows of `lanes` pairs: to[k/2][lane][2]; zeros where there is
// none.
inline void pack_pairs(const int8_t* from, size_t ld, size_t lines, size_t lanes, size_t depth, int16_t* to) {
  const size_t pairs = (depth + 1) / 2;
  for (size_t lane = 0; lane < lanes; ++lane) {
    const int8_t* line = from + lane * ld;
    for (size_t i = 0; i < pairs; ++i) {
      const bool second = 2 * i + 1 < depth;
      to[(i * lanes + lane) * 2] = lane < lines ? line[2 * i] : int16_t{0};
      to[(i * lanes + lane) * 2 + 1] = lane < lines && second ? line[2 * i + 1] : int16_t{0};
    }
  }
}

// acc[r][c] += sum over pairs, for kIntRows rows by kIntCols columns.
#if defined(__AVX2__)
inline void int_tile(const int16_t* x, const int16_t* w, size_t pairs, int32_t* acc, size_t ld, size_t rows) {
  __m256i sum[kIntRows][2];
  for (auto& s : sum) s[0] = s[1] = _mm256_setzero_si256();
  for (size_t i = 0; i < pairs; ++i, w += 2 * kIntCols, x += 2 * kIntRows) {
    const __m256i w0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
    const __m256i w1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + kIntCols));
    for (size_t r = 0; r < kIntRows; ++r) {
      int32_t pair = 0;
      memcpy(&pair, x + 2 * r, sizeof(pair));
      const __m256i both = _mm256_set1_epi32(pair);
      sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(both, w0));
      sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(both, w1));
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    for (size_t half = 0; half < 2; ++half) {
      auto* to = reinterpret_cast<__m256i*>(acc + r * ld + half * kIntCols / 2);
      _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), sum[r][half]));
    }
  }
}
#else
inline void int_tile(const int16_t* x, const int16_t* w, size_t pairs, int32_t* acc, size_t ld, size_t rows) {
  for (size_t r = 0; r < rows; ++r) {
    int32_t sum[kIntCols] = {};
    for (size_t i = 0; i < pairs; ++i) {
      const int16_t* xp = x + (i * kIntRows + r) * 2;
      const int16_t* wp = w + i * kIntCols * 2;
      for (size_t c = 0; c < kIntCols; ++c) sum[c] += xp[0] * wp[2 * c] + xp[1] * wp[2 * c + 1];
    }
    for (size_t c = 0; c < kIntCols; ++c) acc[r * ld + c] += sum[c];
  }
}
#endif

void int_gemm(const IntGemmArgs& a) {
  memset(a.acc, 0, a.m * a.ld_acc * sizeof(int32_t));
  int16_t* w = a.scratch;
  int16_t* x = a.scratch + kIntTileCols * kIntDepth;
  for (size_t k = 0; k < a.k; k += kIntDepth) {
    const size_t depth = a.k - k < kIntDepth ? a.k - k : kIntDepth;
    const size_t pairs = (depth + 1) / 2;
    for (size_t j = 0; j < a.n; j += kIntCols) {
      const size_t lines = a.n - j < kIntCols ? a.n - j : kIntCols;
      pack_pairs(a.w + j * a.ldw + k, a.ldw, lines, kIntCols, depth, w + j * 2 * pairs);
    }
    for (size_t i = 0; i < a.m; i += kIntRows) {
      const size_t rows = a.m - i < kIntRows ? a.m - i : kIntRows;
      pack_pairs(a.x + i * a.ldx + k, a.ldx, rows, kIntRows, depth, x);
      for (size_t j = 0; j < a.n; j += kIntCols) {
        int_tile(x, w + j * 2 * pairs, pairs, a.acc + i * a.ld_acc + j, a.ld_acc, rows);
      }
    }
  }
}

}  // namespace
}  // namespace assay::cpu
