// Products of bf16 by bf16, summed in f32, with the instructions of AVX512_BF16.
#include <immintrin.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/lane_kernels.h"

namespace assay::cpu {
namespace {

constexpr size_t kStep = 32;  // elements of a vector
constexpr size_t kCols = 4;
constexpr size_t kTileRows = 6;
constexpr size_t kDepth = 1024;             // elements of a tile's rows and columns that stay in L1 together
constexpr size_t kBlockBytes = 128u << 10;  // weights that stay in L2 while the rows pass, beside those wanted next
constexpr size_t kLine = 64;                // bytes

// The sums of four vectors.
inline __m128 sums_of(const __m512 (&v)[kCols]) {
  const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(v[0], v[1]), _mm512_unpackhi_ps(v[0], v[1]));
  const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(v[2], v[3]), _mm512_unpackhi_ps(v[2], v[3]));
  const __m512 s = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
  return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

inline void take_pairs(__m512& sum, __m512i x, __m512i w) { TakePairs::take(sum, (__m512)x, (__m512)w); }

// Columns [begin, end), and where the weights lie that are wanted after them.
struct Block {
  size_t begin, end;
  const char* ahead;
};

// R rows of x by kCols columns, or one, over `depth` elements; `add`: to what y holds. Asks for `Lines` lines of the
// weights ahead with each vector. Loops over R are unrolled by word of command: else the sums go to memory and back at
// each step.
template <size_t R, size_t Lines>
inline const char* tile(const uint16_t* x, size_t ldx, const uint16_t* w, size_t ldw, size_t depth, float* y,
                        size_t ldy, __mmask8 cols, bool add, const char* ahead) {
  __m512 acc[R][kCols];
#pragma GCC unroll 8
  for (size_t i = 0; i < R; ++i) {
    for (size_t c = 0; c < kCols; ++c) acc[i][c] = _mm512_setzero_ps();
  }
  size_t k = 0;
  for (; k + kStep <= depth; k += kStep) {
#pragma GCC unroll 4
    for (size_t i = 0; i < Lines; ++i) __builtin_prefetch(ahead + i * kLine, 0, 2);
    ahead += Lines * kLine;
    __m512i b[kCols];
    for (size_t c = 0; c < kCols; ++c) b[c] = _mm512_loadu_si512(w + c * ldw + k);
#pragma GCC unroll 8
    for (size_t i = 0; i < R; ++i) {
      const __m512i v = _mm512_loadu_si512(x + i * ldx + k);
      for (size_t c = 0; c < kCols; ++c) take_pairs(acc[i][c], v, b[c]);
    }
  }
  if (k < depth) {
    const __mmask32 rest = (__mmask32{1} << (depth - k)) - 1;
#pragma GCC unroll 8
    for (size_t i = 0; i < R; ++i) {
      const __m512i v = _mm512_maskz_loadu_epi16(rest, x + i * ldx + k);
      for (size_t c = 0; c < kCols; ++c) take_pairs(acc[i][c], v, _mm512_maskz_loadu_epi16(rest, w + c * ldw + k));
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < R; ++i) {
    __m128 sums = sums_of(acc[i]);
    if (add) sums = _mm_add_ps(sums, _mm_maskz_loadu_ps(cols, y + i * ldy));
    _mm_mask_storeu_ps(y + i * ldy, cols, sums);
  }
  return ahead;
}

template <size_t R, size_t Lines>
void pass_of(const Bf16Args& a, size_t r, Block& block) {
  const char* ahead = block.ahead;
  for (size_t k = 0; k < a.k; k += kDepth) {
    const size_t depth = a.k - k < kDepth ? a.k - k : kDepth;
    const uint16_t* x = a.x + r * a.ldx + k;
    float* y = a.y + r * a.ldy;
    size_t j = block.begin;
    for (; j + kCols <= block.end; j += kCols) {
      ahead = tile<R, Lines>(x, a.ldx, a.w + j * a.ldw + k, a.ldw, depth, y + j, a.ldy, 15, k > 0, ahead);
    }
    for (; j < block.end; ++j) {
      ahead = tile<R, Lines>(x, a.ldx, a.w + j * a.ldw + k, 0, depth, y + j, a.ldy, 1, k > 0, ahead);
    }
  }
  block.ahead = ahead;
}

template <size_t R>
inline void pass(const Bf16Args& a, size_t rows, size_t lines, size_t r, Block& block) {
  if constexpr (R > 0) {
    if (rows < R) return pass<R - 1>(a, rows, lines, r, block);
    if (lines == 4) return pass_of<R, 4>(a, r, block);
    if (lines == 2) return pass_of<R, 2>(a, r, block);
    if (lines == 1) return pass_of<R, 1>(a, r, block);
    pass_of<R, 0>(a, r, block);
  }
}

// Lines to ask for with each vector in pass p of n, so that all passes together ask for the columns' number.
inline size_t lines_ahead(size_t p, size_t n) {
  if (n <= 2) return kCols / n;
  if (n == 3) return p == 0 ? 2 : 1;
  return p < kCols ? 1 : 0;
}

}  // namespace

size_t bf16_row_stride(size_t k) {
  const size_t whole = (k + kStep - 1) / kStep * kStep;
  return whole % (2 * kDepth) == 0 ? whole + kDepth : whole;
}

// Few columns at a time, by all rows: the weights come from memory once, while those before them are multiplied.
void bf16_gemm(const Bf16Args& a) {
  const size_t fit = kBlockBytes / (a.k * sizeof(uint16_t)) / kCols * kCols;
  const size_t width = fit > 0 ? fit : kCols;
  const size_t passes = (a.m + kTileRows - 1) / kTileRows;
  for (size_t j = 0; j < a.n; j += width) {
    const bool last = j + width >= a.n;
    Block block{j, last ? a.n : j + width, reinterpret_cast<const char*>(last ? a.next : a.w + (j + width) * a.ldw)};
    size_t r = 0;
    for (size_t p = 0; p < passes; ++p) {
      const size_t rows = (a.m - r + passes - p - 1) / (passes - p);
      pass<kTileRows>(a, rows, block.ahead == nullptr ? 0 : lines_ahead(p, passes), r, block);
      r += rows;
    }
  }
}

void bf16_lane_gemm(const LaneArgs& a) { lane_product<TakePairs>(a); }

}  // namespace assay::cpu
