// Skinny matrix products: weights are read once, converted on the fly. For kernel files only.
#pragma once

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

// Bytes ahead of the load at which a row of weights is asked for: beyond what the hardware fetches by itself.
constexpr size_t kPrefetchBytes = 1024;

// R rows of weights by M rows of x over columns [k0, k1), added to total.
template <typename W, int R, int M>
inline void dot_block(const MatvecArgs& a, const W* w, size_t k0, size_t k1, Vf (&acc)[R][M]) {
  size_t k = k0;
  for (; k + kWidth <= k1; k += kWidth) {
    Vf x[M];
    for (int m = 0; m < M; ++m) x[m] = load(a.x + static_cast<size_t>(m) * a.ldx + k);
    for (int r = 0; r < R; ++r) {
      const W* p = w + static_cast<size_t>(r) * a.ldw + k;
      __builtin_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes);
      const Vf v = load(p);
      for (int m = 0; m < M; ++m) acc[r][m] += v * x[m];
    }
  }
  if (k == k1) return;
  for (int r = 0; r < R; ++r) {
    const Vf v = load_part(w + static_cast<size_t>(r) * a.ldw + k, k1 - k);
    for (int m = 0; m < M; ++m) acc[r][m] += v * load_part(a.x + static_cast<size_t>(m) * a.ldx + k, k1 - k);
  }
}

template <typename W, int R, int M>
inline void matvec_rows(const MatvecArgs& a, size_t row) {
  const W* w = static_cast<const W*>(a.w) + row * a.ldw;
  Vf total[R][M] = {};
  if (a.scale == nullptr || a.scale_block >= a.k) {
    dot_block<W, R, M>(a, w, 0, a.k, total);
  } else {
    for (size_t k = 0, block = 0; k < a.k; k += a.scale_block, ++block) {
      Vf part[R][M] = {};
      dot_block<W, R, M>(a, w, k, k + a.scale_block, part);
      for (int r = 0; r < R; ++r) {
        const float s = a.scale[(row + static_cast<size_t>(r)) * a.ld_scale + block];
        for (int m = 0; m < M; ++m) total[r][m] += part[r][m] * s;
      }
    }
  }
  for (int r = 0; r < R; ++r) {
    const size_t j = row + static_cast<size_t>(r);
    const float s = a.scale != nullptr && a.scale_block >= a.k ? a.scale[j * a.ld_scale] : 1.0f;
    for (int m = 0; m < M; ++m) {
      a.y[static_cast<size_t>(m) * a.ldy + j] = sum(total[r][m]) * s + (a.bias != nullptr ? a.bias[j] : 0.0f);
    }
  }
}

template <typename W, int M>
void matvec_m(const MatvecArgs& a) {
  constexpr int kRows = M <= 2 ? 4 : (M <= 4 ? 2 : 1);
  size_t j = 0;
  for (; j + kRows <= a.n; j += kRows) matvec_rows<W, kRows, M>(a, j);
  for (; j < a.n; ++j) matvec_rows<W, 1, M>(a, j);
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

void int_matvec(const IntMatvecArgs& a) {
  for (size_t j = 0; j < a.n; ++j) {
    const int8_t* w = a.w + j * a.ldw;
    for (int m = 0; m < a.m; ++m) {
      const int8_t* x = a.x + static_cast<size_t>(m) * a.ldx;
      int32_t total = 0;
      for (size_t k = 0; k < a.k; ++k) total += static_cast<int32_t>(x[k]) * w[k];
      a.y[static_cast<size_t>(m) * a.ldy + j] =
          static_cast<float>(total) * a.x_scale[m] * a.w_scale[j] + (a.bias != nullptr ? a.bias[j] : 0.0f);
    }
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
