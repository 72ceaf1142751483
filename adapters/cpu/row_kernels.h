// Element-wise and row-wise work. For kernel files only.
#pragma once

#include <math.h>  // the C header: <cmath> would bring inline code of the standard library
#include <string.h>

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/kernels.h"
#include "adapters/cpu/simd.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

template <typename T>
void widen(const T* src, float* dst, size_t n) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(dst + i, load(src + i));
  if (i < n) store_part(dst + i, load_part(src + i, n - i), n - i);
}

void to_f32(uint32_t dtype, const void* src, float* dst, size_t n) {
  switch (dtype) {
    case ASSAY_F32:
      memcpy(dst, src, n * sizeof(float));
      return;
    case ASSAY_F16:
      return widen(static_cast<const F16*>(src), dst, n);
    case ASSAY_BF16:
      return widen(static_cast<const Bf16*>(src), dst, n);
    default:
      return widen(static_cast<const int8_t*>(src), dst, n);
  }
}

// Round to nearest even; NaN stays NaN.
inline uint16_t bf16_bits(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

inline uint16_t f16_bits(float value) {
  uint32_t bits = 0;
  memcpy(&bits, &value, sizeof(bits));
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (bits >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65520 and above round to infinity
  if (bits < 0x38800000u) {                                               // subnormal: let the adder round
    float magnitude = 0;
    memcpy(&magnitude, &bits, sizeof(bits));
    magnitude += 0.5f;
    memcpy(&bits, &magnitude, sizeof(bits));
    return static_cast<uint16_t>(sign | (bits - 0x3f000000u));
  }
  return static_cast<uint16_t>(sign | ((bits - 0x38000000u + 0xfffu + ((bits >> 13) & 1u)) >> 13));
}

void from_f32(uint32_t dtype, const float* src, void* dst, size_t n) {
  if (dtype == ASSAY_F32) {
    memcpy(dst, src, n * sizeof(float));
    return;
  }
  auto* out = static_cast<uint16_t*>(dst);
  if (dtype == ASSAY_BF16) {
    for (size_t i = 0; i < n; ++i) out[i] = bf16_bits(src[i]);
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = f16_bits(src[i]);
  }
}

// Applies f to whole vectors and once more to the rest.
template <typename F>
inline void map(const float* a, const float* b, float* y, size_t n, F f) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store_part(y + i, f(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
}

void scale_row(const float* x, float a, float* y, size_t n) {
  map(x, x, y, n, [a](Vf v, Vf) { return v * a; });
}

void add(const float* a, const float* b, float* y, size_t n) {
  map(a, b, y, n, [](Vf p, Vf q) { return p + q; });
}

void rescale_int(const int32_t* acc, float a, const float* b, const float* bias, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    y[i] = static_cast<float>(acc[i]) * (a * b[i]) + (bias != nullptr ? bias[i] : 0.0f);
  }
}

void multiply_add(const float* a, const float* b, const float* c, float* y, size_t n) {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, load(a + i) + load(b + i) * load(c + i));
  if (i < n) store_part(y + i, load_part(a + i, n - i) + load_part(b + i, n - i) * load_part(c + i, n - i), n - i);
}

void axpy(float a, const float* x, float* y, size_t n) {
  map(x, y, y, n, [a](Vf v, Vf t) { return t + v * a; });
}

void relu_axpy(float a, const float* x, float* y, size_t n) {
  map(x, y, y, n, [a](Vf v, Vf t) { return t + max(v, Vf{}) * a; });
}

inline Vf silu(Vf x) { return x / (exp(-x) + 1.0f); }
// 0.5 (1 + tanh z) = 1 / (1 + e^-2z)
inline Vf gelu_tanh(Vf x) {
  const Vf z = (x + x * x * x * 0.044715f) * 0.797884560802865356f;
  return x / (exp(z * -2.0f) + 1.0f);
}
// 1 + erf would lose its digits where erf is near -1.
inline float gelu_erf(float x) { return 0.5f * x * erfcf(x * -0.707106781186547524f); }

void gated_act(int function, const float* gate, const float* up, float* y, size_t n) {
  if (function == ASSAY_ACT_SILU) {
    map(gate, up, y, n, [](Vf g, Vf u) { return silu(g) * u; });
  } else if (function == ASSAY_ACT_GELU_TANH) {
    map(gate, up, y, n, [](Vf g, Vf u) { return gelu_tanh(g) * u; });
  } else {
    for (size_t i = 0; i < n; ++i) y[i] = gelu_erf(gate[i]) * up[i];
  }
}

void activation(int function, const float* x, float* y, size_t n) {
  if (function == ASSAY_ACT_SILU) {
    map(x, x, y, n, [](Vf v, Vf) { return silu(v); });
  } else if (function == ASSAY_ACT_GELU_TANH) {
    map(x, x, y, n, [](Vf v, Vf) { return gelu_tanh(v); });
  } else {
    for (size_t i = 0; i < n; ++i) y[i] = gelu_erf(x[i]);
  }
}

float row_max(const float* x, size_t n) {
  if (n < kWidth) {
    float best = x[0];
    for (size_t i = 1; i < n; ++i) best = x[i] > best ? x[i] : best;
    return best;
  }
  Vf best = load(x + n - kWidth);  // overlaps the last whole vector
  for (size_t i = 0; i + kWidth <= n; i += kWidth) best = max(best, load(x + i));
  return max_of(best);
}

float exp_sum(float* x, float scale, float shift, size_t n) {
  Vf total{};
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    const Vf e = exp(load(x + i) * scale - shift);
    total += e;
    store(x + i, e);
  }
  float rest = 0;
  if (i < n) {
    const Vf e = exp(load_part(x + i, n - i) * scale - shift);
    store_part(x + i, e, n - i);
    for (size_t j = i; j < n; ++j) rest += x[j];
  }
  return sum(total) + rest;
}

// Blocks are scanned for their largest value at read speed; only a block that beats the best is searched.
size_t argmax(const float* x, size_t n, float* best) {
  constexpr size_t kBlock = 4096;
  constexpr size_t kPerStep = kStreamStep / sizeof(float);
  size_t index = 0;
  *best = x[0];
  for (size_t i = 0; i < n; i += kBlock) {
    const size_t size = n - i < kBlock ? n - i : kBlock;
    Vf top[8];
    for (auto& t : top) t = splat(x[i]);
    size_t j = 0;
    for (; j + 8 * kWidth <= size; j += 8 * kWidth) {
      for (size_t u = 0; u < 8; ++u) {
        if (u * kWidth % kPerStep == 0) prefetch_step(x + i + j + u * kWidth, false);
        top[u] = max(top[u], load(x + i + j + u * kWidth));
      }
    }
    for (size_t u = 1; u < 8; ++u) top[0] = max(top[0], top[u]);
    float block_best = max_of(top[0]);
    for (; j < size; ++j) block_best = x[i + j] > block_best ? x[i + j] : block_best;
    if (block_best > *best) {
      *best = block_best;
      index = i;
      while (x[index] != block_best) ++index;
    }
  }
  return index;
}

void quantize(const float* x, int8_t* q, float* scale, size_t n) {
  Vf top{};
  size_t i = 0;
  for (; i < n; i += kWidth) {
    const Vf v = i + kWidth <= n ? load(x + i) : load_part(x + i, n - i);
    top = max(top, max(v, -v));
  }
  const float largest = max_of(top);
  *scale = largest > 0 ? largest / 127.0f : 1.0f;
  for (i = 0; i < n; i += kWidth) {
    const size_t count = n - i < kWidth ? n - i : kWidth;
    const Vf v = count == kWidth ? load(x + i) : load_part(x + i, count);
    const Vi code = (Vi)(v / *scale + 12582912.0f) - 0x4b400000;  // the adder rounds half to even
    for (size_t j = 0; j < count; ++j) q[i + j] = static_cast<int8_t>(code[j]);
  }
}

}  // namespace
}  // namespace assay::cpu
