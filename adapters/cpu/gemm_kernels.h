// Products of many rows: panels of packed columns, and dot products along rows that both lie in order.
// For kernel files only.
#pragma once

#include <string.h>
#include <xmmintrin.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/lane_kernels.h"
#include "adapters/cpu/row_kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

constexpr size_t kPanelCols = 2 * kWidth;
static_assert(kMaxPanelCols % kPanelCols == 0, "callers pad to kMaxPanelCols");

// ---- packing -------------------------------------------------------------------------------------------------------

// to[i*ld_to + j] = from[j][i] for i < k, j < 4.
inline void transpose4(const float* const (&from)[4], float* to, size_t ld_to, size_t k) {
  size_t i = 0;
  for (; i + 4 <= k; i += 4) {
    __m128 r0 = _mm_loadu_ps(from[0] + i);
    __m128 r1 = _mm_loadu_ps(from[1] + i);
    __m128 r2 = _mm_loadu_ps(from[2] + i);
    __m128 r3 = _mm_loadu_ps(from[3] + i);
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps(to + i * ld_to, r0);
    _mm_storeu_ps(to + (i + 1) * ld_to, r1);
    _mm_storeu_ps(to + (i + 2) * ld_to, r2);
    _mm_storeu_ps(to + (i + 3) * ld_to, r3);
  }
  for (; i < k; ++i) {
    for (size_t j = 0; j < 4; ++j) to[i * ld_to + j] = from[j][i];
  }
}

constexpr size_t kPackPart = 512;  // elements of a row that are widened at a time

void pack_rows(const PackArgs& a) {
  float wide[4][kPackPart];
  const float zeros[kPackPart] = {};
  const size_t size = a.dtype == ASSAY_F32 ? 4 : 2;
  const size_t padded = (a.n + kPanelCols - 1) / kPanelCols * kPanelCols;
  for (size_t j = 0; j < padded; j += 4) {
    float* to = a.to + j / kPanelCols * kPanelCols * a.ld_panel + j % kPanelCols;
    for (size_t i = 0; i < a.k; i += kPackPart) {
      const size_t part = a.k - i < kPackPart ? a.k - i : kPackPart;
      const float* from[4];
      for (size_t r = 0; r < 4; ++r) {
        if (j + r >= a.n) {
          from[r] = zeros;
        } else if (a.dtype == ASSAY_F32) {
          from[r] = reinterpret_cast<const float*>(a.rows[j + r]) + i;
        } else {
          to_f32(a.dtype, a.rows[j + r] + i * size, wide[r], part);
          from[r] = wide[r];
        }
      }
      transpose4(from, to + i * kPanelCols, kPanelCols, part);
    }
  }
}

void pack_columns(const PackArgs& a) {
  const size_t size = a.dtype == ASSAY_F32 ? 4 : 2;
  const size_t whole = a.n / kPanelCols * kPanelCols;
  const size_t rest = a.n - whole;
  for (size_t i = 0; i < a.k; ++i) {
    float* to = a.to + i * kPanelCols;
    for (size_t j = 0; j < whole; j += kPanelCols, to += kPanelCols * a.ld_panel) {
      to_f32(a.dtype, a.rows[i] + j * size, to, kPanelCols);
    }
    if (rest == 0) continue;
    to_f32(a.dtype, a.rows[i] + whole * size, to, rest);
    memset(to + rest, 0, (kPanelCols - rest) * sizeof(float));
  }
}

#if defined(__AVX512F__)
void pack_lanes(const float* rows, size_t ld, size_t m, size_t k, float* to) {
  const float zeros[kPackPart] = {};
  for (size_t first = 0; first < m; first += kLaneRows) {
    const size_t lanes = m - first < kLaneRows ? (m - first + 7) / 8 * 8 : kLaneRows;
    float* block = to + first * k;
    for (size_t i = 0; i < k; i += kPackPart) {
      const size_t part = k - i < kPackPart ? k - i : kPackPart;
      for (size_t lane = 0; lane < lanes; lane += 4) {
        const float* from[4];
        for (size_t r = 0; r < 4; ++r) {
          const size_t row = first + lane + r;
          from[r] = row < m ? rows + row * ld + i : zeros;
        }
        transpose4(from, block + i * lanes + lane, lanes, part);
      }
    }
  }
}

void lane_gemm(const LaneArgs& a) { lane_product<TakeF32>(a); }

constexpr auto* kPackLanes = pack_lanes;
constexpr auto* kLaneGemm = lane_gemm;
#else
constexpr void (*kPackLanes)(const float*, size_t, size_t, size_t, float*) = nullptr;
constexpr void (*kLaneGemm)(const LaneArgs&) = nullptr;
#endif

// ---- panels --------------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int kPanelRows = 12;
#else
constexpr int kPanelRows = 6;
#endif

template <int M>
inline void panel_block(const PanelArgs& a, const float* x, const float* panel, float* y) {
  Vf acc[M][2] = {};
  for (size_t k = 0; k < a.k; ++k, panel += kPanelCols) {
    const Vf b0 = load(panel);
    const Vf b1 = load(panel + kWidth);
    for (int m = 0; m < M; ++m) {
      const Vf v = splat(x[static_cast<size_t>(m) * a.ldx + k]);
      acc[m][0] += v * b0;
      acc[m][1] += v * b1;
    }
  }
  for (int m = 0; m < M; ++m) {
    float* to = y + static_cast<size_t>(m) * a.ldy;
    if (a.add) {
      acc[m][0] += load(to);
      acc[m][1] += load(to + kWidth);
    }
    store(to, acc[m][0]);
    store(to + kWidth, acc[m][1]);
  }
}

template <int M>
inline void panel_rest(const PanelArgs& a, size_t rows, const float* x, const float* panel, float* y) {
  if constexpr (M > 0) {
    if (rows == M) return panel_block<M>(a, x, panel, y);
    panel_rest<M - 1>(a, rows, x, panel, y);
  }
}

void panel_gemm(const PanelArgs& a) {
  for (size_t j = 0; j < a.n; j += kPanelCols) {
    const float* panel = a.panels + j * a.ld_panel;
    size_t r = 0;
    for (; r + kPanelRows <= a.m; r += kPanelRows) {
      panel_block<kPanelRows>(a, a.x + r * a.ldx, panel, a.y + r * a.ldy + j);
    }
    if (r < a.m) panel_rest<kPanelRows - 1>(a, a.m - r, a.x + r * a.ldx, panel, a.y + r * a.ldy + j);
  }
}

// ---- dot products --------------------------------------------------------------------------------------------------

#if defined(__AVX512F__)
constexpr int kDotRows = 6;
constexpr int kDotCols = 4;
#else
constexpr int kDotRows = 4;
constexpr int kDotCols = 3;
#endif
constexpr size_t kDotDepth = 1024;  // kDotCols rows of this many elements stay in L1

// The sums of C vectors.
template <int C>
inline void sums_of(const Vf (&v)[C], float* to) {
#if defined(__AVX512F__)
  if constexpr (C == 4) {
    const auto a = (__m512)v[0];
    const auto b = (__m512)v[1];
    const auto c = (__m512)v[2];
    const auto d = (__m512)v[3];
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    const __m512 s = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
    const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(s), _mm512_extractf32x8_ps(s, 1));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
    return;
  }
#endif
  for (int c = 0; c < C; ++c) to[c] = sum(v[c]);
}

// R rows of x by C rows of w over `depth` elements; `add`: to what y holds.
template <int R, int C>
inline void dot_tile(const float* x, size_t ldx, const float* w, size_t ldw, size_t depth, float* y, size_t ldy,
                     bool add) {
  Vf acc[R][C] = {};
  size_t k = 0;
  for (; k + kWidth <= depth; k += kWidth) {
    Vf b[C];
    for (int c = 0; c < C; ++c) b[c] = load(w + static_cast<size_t>(c) * ldw + k);
    for (int r = 0; r < R; ++r) {
      const Vf v = load(x + static_cast<size_t>(r) * ldx + k);
      for (int c = 0; c < C; ++c) acc[r][c] += v * b[c];
    }
  }
  if (k < depth) {
    Vf b[C];
    for (int c = 0; c < C; ++c) b[c] = load_part(w + static_cast<size_t>(c) * ldw + k, depth - k);
    for (int r = 0; r < R; ++r) {
      const Vf v = load_part(x + static_cast<size_t>(r) * ldx + k, depth - k);
      for (int c = 0; c < C; ++c) acc[r][c] += v * b[c];
    }
  }
  for (int r = 0; r < R; ++r) {
    float total[C];
    float* to = y + static_cast<size_t>(r) * ldy;
    sums_of<C>(acc[r], total);
    for (int c = 0; c < C; ++c) to[c] = add ? to[c] + total[c] : total[c];
  }
}

template <int R, int C>
inline void dot_rest(size_t rows, const float* x, size_t ldx, const float* w, size_t ldw, size_t depth, float* y,
                     size_t ldy, bool add) {
  if constexpr (R > 0) {
    if (rows == R) return dot_tile<R, C>(x, ldx, w, ldw, depth, y, ldy, add);
    dot_rest<R - 1, C>(rows, x, ldx, w, ldw, depth, y, ldy, add);
  }
}

template <int C>
void dot_columns(const MatvecArgs& a, size_t m, size_t k, const float* w, size_t ldw, size_t depth, float* y) {
  const bool add = k > 0;
  const float* x = a.x + k;
  size_t r = 0;
  for (; r + kDotRows <= m; r += kDotRows) {
    dot_tile<kDotRows, C>(x + r * a.ldx, a.ldx, w, ldw, depth, y + r * a.ldy, a.ldy, add);
  }
  if (r < m) dot_rest<kDotRows - 1, C>(m - r, x + r * a.ldx, a.ldx, w, ldw, depth, y + r * a.ldy, a.ldy, add);
}

// Elements [k, k + depth) of row j of the weights in f32, scaled.
inline void widen_row(const MatvecArgs& a, size_t j, size_t k, size_t depth, float* to) {
  const size_t size = a.dtype == ASSAY_F32 ? 4 : (a.dtype == ASSAY_I8 ? 1 : 2);
  to_f32(a.dtype, static_cast<const char*>(a.w) + (j * a.ldw + k) * size, to, depth);
  if (a.scale == nullptr) return;
  for (size_t i = 0; i < depth;) {
    const size_t block = (k + i) / a.scale_block;
    const size_t end = (block + 1) * a.scale_block - k;
    const size_t n = (end < depth ? end : depth) - i;
    scale_row(to + i, a.scale[j * a.ld_scale + block], to + i, n);
    i += n;
  }
}

void dot_gemm(const MatvecArgs& a) {
  float wide[kDotCols * kDotDepth];
  const auto m = static_cast<size_t>(a.m);
  const bool direct = a.dtype == ASSAY_F32 && a.scale == nullptr;
  for (size_t j = 0; j < a.n; j += kDotCols) {
    const size_t cols = a.n - j < kDotCols ? a.n - j : kDotCols;
    for (size_t k = 0; k < a.k; k += kDotDepth) {
      const size_t depth = a.k - k < kDotDepth ? a.k - k : kDotDepth;
      const float* w = static_cast<const float*>(a.w) + (direct ? j * a.ldw + k : 0);
      size_t ldw = a.ldw;
      if (!direct) {
        for (size_t c = 0; c < cols; ++c) widen_row(a, j + c, k, depth, wide + c * kDotDepth);
        w = wide;
        ldw = kDotDepth;
      }
      if (cols == kDotCols) {
        dot_columns<kDotCols>(a, m, k, w, ldw, depth, a.y + j);
      } else {
        for (size_t c = 0; c < cols; ++c) dot_columns<1>(a, m, k, w + c * ldw, ldw, depth, a.y + j + c);
      }
    }
    if (a.bias == nullptr) continue;
    for (size_t r = 0; r < m; ++r) {
      for (size_t c = 0; c < cols; ++c) a.y[r * a.ldy + j + c] += a.bias[j + c];
    }
  }
}

}  // namespace
}  // namespace assay::cpu
