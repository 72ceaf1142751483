// Skinny matrix products: weights are read once, converted on the fly. For kernel files only.
#pragma once

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

// Columns [k0, k1) of one row of weights by M rows of x, as M sums of U vectors each.
template <typename W, int M, int U>
inline void dot_block(const MatvecArgs& a, const W* w, size_t k0, size_t k1, Vf (&total)[M]) {
  constexpr size_t kPerLine = kLineBytes / sizeof(W);
  constexpr size_t kStep = kWidth * U > kPerLine ? kWidth * U : kPerLine;  // whole lines, for whole prefetches
  Vf acc[U][M] = {};
  size_t k = k0;
  for (; k + kStep <= k1; k += kStep) {
    for (size_t line = 0; line < kStep; line += kPerLine) prefetch_line(w + k + line);
    for (size_t i = 0; i < kStep; i += kWidth) {
      const Vf v = load(w + k + i);
      for (int m = 0; m < M; ++m) acc[i / kWidth % U][m] += v * load(a.x + static_cast<size_t>(m) * a.ldx + k + i);
    }
  }
  for (; k + kWidth <= k1; k += kWidth) {
    const Vf v = load(w + k);
    for (int m = 0; m < M; ++m) acc[0][m] += v * load(a.x + static_cast<size_t>(m) * a.ldx + k);
  }
  if (k < k1) {
    const Vf v = load_part(w + k, k1 - k);
    for (int m = 0; m < M; ++m) acc[0][m] += v * load_part(a.x + static_cast<size_t>(m) * a.ldx + k, k1 - k);
  }
  for (int m = 0; m < M; ++m) {
    total[m] = acc[0][m];
    for (int u = 1; u < U; ++u) total[m] += acc[u][m];
  }
}

// One row of weights that has a scale per block.
template <typename W, int M>
inline void matvec_row(const MatvecArgs& a, size_t j) {
  constexpr int kUnroll = M == 1 ? 4 : (M <= 4 ? 2 : 1);  // chains enough to hide the latency of an addition
  const W* w = static_cast<const W*>(a.w) + j * a.ldw;
  Vf total[M] = {};
  for (size_t k = 0, block = 0; k < a.k; k += a.scale_block, ++block) {
    Vf part[M];
    dot_block<W, M, kUnroll>(a, w, k, k + a.scale_block, part);
    for (int m = 0; m < M; ++m) total[m] += part[m] * a.scale[j * a.ld_scale + block];
  }
  const float bias = a.bias != nullptr ? a.bias[j] : 0.0f;
  for (int m = 0; m < M; ++m) a.y[static_cast<size_t>(m) * a.ldy + j] = sum(total[m]) + bias;
}

// How many rows of weights, far apart, are read at the same time by M rows of x: every load of x serves them all. As
// many as the registers hold sums for.
template <int M>
constexpr int streams_of() {
#if defined(__AVX512F__)
  return M <= 4 ? kWeightStreams : kWeightStreams / 2;
#else
  return M <= 2 ? kWeightStreams : (M <= 4 ? kWeightStreams / 2 : 1);
#endif
}

// Rows j, j + apart, j + 2 apart, ... of the weights, R of them, each without a break from one call to the next.
template <typename W, int M, int R>
inline void matvec_rows(const MatvecArgs& a, size_t j, size_t apart) {
  constexpr int kChains = M * R < 8 ? 2 : 1;
  constexpr size_t kStep = kStreamStep / sizeof(W);
  static_assert(kStep % (kWidth * kChains) == 0);
  const W* w = static_cast<const W*>(a.w) + j * a.ldw;
  const size_t stride = apart * a.ldw;
  const bool far = sizeof(W) < sizeof(float) && a.k * sizeof(float) > kFarBytes;
  Vf acc[R][M][kChains] = {};
  size_t k = 0;
  for (; k + kStep <= a.k; k += kStep) {
#pragma GCC unroll 8
    for (int s = 0; s < R; ++s) prefetch_step(w + static_cast<size_t>(s) * stride + k, far);
#pragma GCC unroll 16
    for (size_t i = 0; i < kStep; i += kWidth) {
      Vf x[M];
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) x[m] = load(a.x + static_cast<size_t>(m) * a.ldx + k + i);
#pragma GCC unroll 8
      for (int s = 0; s < R; ++s) {
        const Vf v = load(w + static_cast<size_t>(s) * stride + k + i);
#pragma GCC unroll 8
        for (int m = 0; m < M; ++m) acc[s][m][i / kWidth % kChains] += v * x[m];
      }
    }
  }
  for (; k < a.k; k += kWidth) {
    const size_t n = a.k - k < kWidth ? a.k - k : kWidth;
#pragma GCC unroll 8
    for (int s = 0; s < R; ++s) {
      const W* row = w + static_cast<size_t>(s) * stride + k;
      const Vf v = n == kWidth ? load(row) : load_part(row, n);
#pragma GCC unroll 8
      for (int m = 0; m < M; ++m) {
        const float* x = a.x + static_cast<size_t>(m) * a.ldx + k;
        acc[s][m][0] += v * (n == kWidth ? load(x) : load_part(x, n));
      }
    }
  }
#pragma GCC unroll 8
  for (int s = 0; s < R; ++s) {
    const size_t row = j + static_cast<size_t>(s) * apart;
    const float scale = a.scale != nullptr ? a.scale[row * a.ld_scale] : 1.0f;
    const float bias = a.bias != nullptr ? a.bias[row] : 0.0f;
#pragma GCC unroll 8
    for (int m = 0; m < M; ++m) {
      Vf total = acc[s][m][0];
      if (kChains == 2) total += acc[s][m][kChains - 1];
      a.y[static_cast<size_t>(m) * a.ldy + row] = sum(total) * scale + bias;
    }
  }
}

template <typename W, int M>
void matvec_m(const MatvecArgs& a) {
  if (a.scale != nullptr && a.scale_block < a.k) {
    for (int s = 0; s < (a.apart > 0 ? kWeightStreams : 1); ++s) {
      for (size_t j = 0; j < a.n; ++j) matvec_row<W, M>(a, static_cast<size_t>(s) * a.apart + j);
    }
    return;
  }
  constexpr int kAtOnce = streams_of<M>();
  const size_t apart = a.apart > 0 ? a.apart : a.n / kAtOnce;
  const size_t n = a.apart > 0 ? a.n : apart;
  const size_t sets = a.apart > 0 ? kWeightStreams / kAtOnce : 1;
  for (size_t set = 0; set < sets; ++set) {
    for (size_t j = 0; j < n; ++j) matvec_rows<W, M, kAtOnce>(a, set * kAtOnce * apart + j, apart);
  }
  for (size_t j = a.apart > 0 ? a.n : kAtOnce * apart; j < a.n; ++j) matvec_rows<W, M, 1>(a, j, 0);
}

template <typename W>
void matvec_w(const MatvecArgs& a) {
  switch (a.m) {
    case 1:
      return matvec_m<W, 1>(a);
    case 2:
      return matvec_m<W, 2>(a);
    case 3:
      return matvec_m<W, 3>(a);
    case 4:
      return matvec_m<W, 4>(a);
    case 5:
      return matvec_m<W, 5>(a);
    case 6:
      return matvec_m<W, 6>(a);
    case 7:
      return matvec_m<W, 7>(a);
    default:
      return matvec_m<W, 8>(a);
  }
}

void matvec(const MatvecArgs& a) {
  switch (a.dtype) {
    case ASSAY_F32:
      return matvec_w<float>(a);
    case ASSAY_F16:
      return matvec_w<F16>(a);
    case ASSAY_BF16:
      return matvec_w<Bf16>(a);
    default:
      return matvec_w<int8_t>(a);
  }
}

// M rows of probabilities by kVecs vectors of columns from d on.
template <typename V, int M, int kVecs>
inline void weighted_columns(const WeightedSumArgs& a, size_t d) {
  Vf acc[M][kVecs];
  for (int m = 0; m < M; ++m) {
    for (int c = 0; c < kVecs; ++c) {
      acc[m][c] = load(a.y + static_cast<size_t>(m) * a.ldy + d + static_cast<size_t>(c) * kWidth) * a.keep[m];
    }
  }
  const V* v = static_cast<const V*>(a.v) + d;
  for (size_t j = 0; j < a.n; ++j, v += a.ldv) {
    __builtin_prefetch(reinterpret_cast<const char*>(v + 4 * a.ldv));
    for (int c = 0; c < kVecs; ++c) {
      const Vf x = load(v + static_cast<size_t>(c) * kWidth);
      for (int m = 0; m < M; ++m) acc[m][c] += x * a.p[static_cast<size_t>(m) * a.ldp + j];
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int c = 0; c < kVecs; ++c) {
      store(a.y + static_cast<size_t>(m) * a.ldy + d + static_cast<size_t>(c) * kWidth, acc[m][c]);
    }
  }
}

// The columns behind the last whole vector.
template <typename V>
void weighted_rest(const WeightedSumArgs& a, size_t d) {
  const size_t rest = a.dim - d;
  for (int m = 0; m < a.m; ++m) {
    float* y = a.y + static_cast<size_t>(m) * a.ldy + d;
    Vf acc = load_part(y, rest) * a.keep[m];
    for (size_t j = 0; j < a.n; ++j) {
      acc += load_part(static_cast<const V*>(a.v) + j * a.ldv + d, rest) * a.p[static_cast<size_t>(m) * a.ldp + j];
    }
    store_part(y, acc, rest);
  }
}

template <typename V, int M>
void weighted_sum_m(const WeightedSumArgs& a) {
  constexpr int kVecs = M <= 2 ? 4 : 2;
  size_t d = 0;
  for (; d + kVecs * kWidth <= a.dim; d += kVecs * kWidth) weighted_columns<V, M, kVecs>(a, d);
  for (; d + kWidth <= a.dim; d += kWidth) weighted_columns<V, M, 1>(a, d);
  if (d < a.dim) weighted_rest<V>(a, d);
}

template <typename V>
void weighted_sum_v(const WeightedSumArgs& a) {
  switch (a.m) {
    case 1:
      return weighted_sum_m<V, 1>(a);
    case 2:
      return weighted_sum_m<V, 2>(a);
    case 3:
      return weighted_sum_m<V, 3>(a);
    case 4:
      return weighted_sum_m<V, 4>(a);
    case 5:
      return weighted_sum_m<V, 5>(a);
    case 6:
      return weighted_sum_m<V, 6>(a);
    case 7:
      return weighted_sum_m<V, 7>(a);
    default:
      return weighted_sum_m<V, 8>(a);
  }
}

void weighted_sum(const WeightedSumArgs& a) {
  switch (a.dtype) {
    case ASSAY_F32:
      return weighted_sum_v<float>(a);
    case ASSAY_F16:
      return weighted_sum_v<F16>(a);
    default:
      return weighted_sum_v<Bf16>(a);
  }
}

}  // namespace
}  // namespace assay::cpu
