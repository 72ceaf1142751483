// Norms and rotations of rows. For kernel files only.
#pragma once

#include <math.h>  // the C header: <cmath> would bring inline code of the standard library
#include <xmmintrin.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/row_kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

void rms_norm(const float* x, const float* gamma, double eps, float* y, size_t n) {
  Vf acc[4] = {};
  size_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (size_t u = 0; u < 4; ++u) {
      const Vf v = load(x + i + u * kWidth);
      acc[u] += v * v;
    }
  }
  for (; i < n; i += kWidth) {
    const Vf v = i + kWidth <= n ? load(x + i) : load_part(x + i, n - i);
    acc[0] += v * v;
  }
  const double mean = static_cast<double>(sum((acc[0] + acc[1]) + (acc[2] + acc[3]))) / static_cast<double>(n);
  const auto factor = static_cast<float>(1.0 / sqrt(mean + eps));
  map(x, gamma, y, n, [factor](Vf v, Vf g) { return v * factor * g; });
}

// The sum over a row of f(element), in four chains.
template <typename F>
inline double row_sum(const float* x, size_t n, F f) {
  Vf acc[4] = {};
  size_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (size_t u = 0; u < 4; ++u) acc[u] += f(load(x + i + u * kWidth));
  }
  for (; i + kWidth <= n; i += kWidth) acc[0] += f(load(x + i));
  double total = static_cast<double>(sum((acc[0] + acc[1]) + (acc[2] + acc[3])));
  if (i < n) {
    const Vf rest = f(load_part(x + i, n - i));
    for (size_t j = 0; j < n - i; ++j) total += static_cast<double>(rest[j]);
  }
  return total;
}

void layer_norm(const LayerNormArgs& a) {
  const auto count = static_cast<double>(a.n);
  const auto mean = static_cast<float>(row_sum(a.x, a.n, [](Vf v) { return v; }) / count);
  const double squares = row_sum(a.x, a.n, [mean](Vf v) { return (v - mean) * (v - mean); });
  const auto factor = static_cast<float>(1.0 / sqrt(squares / count + a.eps));
  for (size_t i = 0; i < a.n; i += kWidth) {
    const size_t n = a.n - i < kWidth ? a.n - i : kWidth;
    const bool whole = n == kWidth;
    const auto at = [=](const float* p) { return whole ? load(p + i) : load_part(p + i, n); };
    Vf v = (at(a.x) - mean) * factor;
    if (a.gamma != nullptr) v *= at(a.gamma);
    if (a.beta != nullptr) v += at(a.beta);
    if (a.scale != nullptr) v = v * (at(a.scale) + 1.0f) + at(a.shift);
    whole ? store(a.y + i, v) : store_part(a.y + i, v, n);
  }
}

void channel_norm(const float* x, const float* mean, const float* factor, const float* beta, float* y, size_t n) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, (load(x + i) - load(mean + i)) * load(factor + i) + load(beta + i));
  for (; i < n; ++i) y[i] = (x[i] - mean[i]) * factor[i] + beta[i];
}

// The two elements of each pair exchanged.
inline Vf swap_pairs(Vf v) {
#if defined(__AVX512F__)
  return (Vf)_mm512_permute_ps((__m512)v, 0xb1);
#elif defined(__AVX2__)
  return (Vf)_mm256_permute_ps((__m256)v, 0xb1);
#else
  return (Vf)_mm_shuffle_ps((__m128)v, (__m128)v, 0xb1);
#endif
}

void rope_interleaved(const RopeArgs& a) {
  for (size_t h = 0; h < a.heads; ++h) {
    float* y = a.y + h * a.head_dim;
    size_t i = 0;
    for (; i + kWidth <= a.rotary; i += kWidth) {
      const Vf v = load(y + i);
      store(y + i, v * load(a.cos + i) + swap_pairs(v) * load(a.sin + i));
    }
    if (i == a.rotary) continue;
    const size_t n = a.rotary - i;
    const Vf v = load_part(y + i, n);
    store_part(y + i, v * load_part(a.cos + i, n) + swap_pairs(v) * load_part(a.sin + i, n), n);
  }
}

void rope_halves(const RopeArgs& a) {
  const size_t half = a.rotary / 2;
  for (size_t h = 0; h < a.heads; ++h) {
    float* y = a.y + h * a.head_dim;
    for (size_t i = 0; i < half; i += kWidth) {
      const size_t n = half - i < kWidth ? half - i : kWidth;
      const bool whole = n == kWidth;
      const Vf p = whole ? load(y + i) : load_part(y + i, n);
      const Vf q = whole ? load(y + half + i) : load_part(y + half + i, n);
      const Vf c = whole ? load(a.cos + i) : load_part(a.cos + i, n);
      const Vf s = whole ? load(a.sin + i) : load_part(a.sin + i, n);
      store_part(y + i, p * c - q * s, n);
      store_part(y + half + i, q * c + p * s, n);
    }
  }
}

void rope(const RopeArgs& a) { a.interleaved ? rope_interleaved(a) : rope_halves(a); }

}  // namespace
}  // namespace assay::cpu
