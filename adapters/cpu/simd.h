// Vectors of the width the including file is compiled for, by GCC's vector extensions. For kernel files only.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

#if defined(__AVX512F__)
constexpr size_t kWidth = 16;
#elif defined(__AVX2__)
constexpr size_t kWidth = 8;
#else
constexpr size_t kWidth = 4;
#endif

// Each line is asked for into L2 this far ahead, across the ends of rows and of the pages at which the hardware's
// own fetching stops.
constexpr size_t kPrefetchBytes = 8192;
constexpr size_t kLineBytes = 64;

template <typename T>
inline void prefetch_line(const T* p) {
  __builtin_prefetch(reinterpret_cast<const char*>(p) + kPrefetchBytes, 0, 1);
}

// Weights that are read once, in kWeightStreams: one line of each two is asked for, because its neighbour comes with
// it, as far ahead as keeps the hardware's own fetching alive across pages. Measured on Zen 4: as fast as a plain read,
// where one stream, or all lines asked for from farther on, reach 0.5 to 0.8 of it.
constexpr size_t kStreamStep = 128;
constexpr size_t kStreamAhead = 1024;
// Rows of x of more bytes than these push themselves out of L1: narrow weights are then asked for line by line from
// kPrefetchBytes on.
constexpr size_t kFarBytes = 16384;

template <typename T>
inline void prefetch_step(const T* p, bool far) {
  const auto* bytes = reinterpret_cast<const char*>(p);
  if (far) {
    __builtin_prefetch(bytes + kPrefetchBytes, 0, 2);
    __builtin_prefetch(bytes + kPrefetchBytes + kLineBytes, 0, 2);
  } else {
    __builtin_prefetch(bytes + kStreamAhead, 0, 2);
  }
}

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};

template <typename T, size_t kAlign>
struct VectorOf {
  typedef T Type __attribute__((vector_size(kWidth * sizeof(T)), aligned(kAlign), may_alias));
};
using Vf = VectorOf<float, kWidth * 4>::Type;
using Vi = VectorOf<int32_t, kWidth * 4>::Type;
using Vu = VectorOf<uint32_t, kWidth * 4>::Type;

template <typename T>
inline typename VectorOf<T, alignof(T)>::Type load_raw(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T, alignof(T)>::Type*>(p);
}

inline Vf splat(float a) { return Vf{} + a; }

inline Vf load(const float* p) { return load_raw(p); }
inline Vf load(const int8_t* p) {
#if defined(__AVX512F__)
  return (Vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#elif defined(__AVX2__)
  return (Vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
#else
  return __builtin_convertvector(load_raw(p), Vf);
#endif
}
inline Vf load(const Bf16* p) {
#if defined(__AVX512F__)
  const __m512i w = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  return (Vf)_mm512_slli_epi32(w, 16);
#elif defined(__AVX2__)
  return (Vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16);
#else
  return (Vf)(__builtin_convertvector(load_raw(&p->bits), Vu) << 16);
#endif
}
inline Vf load(const F16* p) {
#if defined(__AVX512F__)
  return (Vf)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__AVX2__)
  return (Vf)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  const Vu h = __builtin_convertvector(load_raw(&p->bits), Vu);
  const Vu magnitude = (h & 0x7fffu) << 13;
  const Vf scaled = (Vf)magnitude * 0x1p112f;  // moves the exponent; exact for subnormals as well
  const Vu special = (Vu)(magnitude >= (0x7c00u << 13)) & 0x7f800000u;
  return (Vf)((Vu)scaled | special | ((h & 0x8000u) << 16));
#endif
}
// The first n < kWidth elements, zeros behind them.
template <typename T>
inline Vf load_part(const T* p, size_t n) {
  T part[kWidth] = {};
  for (size_t i = 0; i < n; ++i) part[i] = p[i];
  return load(part);
}

inline void store(float* p, Vf v) { *reinterpret_cast<VectorOf<float, alignof(float)>::Type*>(p) = v; }
inline void store_part(float* p, Vf v, size_t n) {
  for (size_t i = 0; i < n; ++i) p[i] = v[i];
}

inline float sum(Vf v) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)v);
#else
  float s[kWidth];
  store(s, v);
  for (size_t half = kWidth / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) s[i] += s[i + half];
  }
  return s[0];
#endif
}
inline Vf max(Vf a, Vf b) {
#if defined(__AVX512F__)
  return (Vf)_mm512_max_ps((__m512)a, (__m512)b);
#elif defined(__AVX2__)
  return (Vf)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
inline float max_of(Vf v) {
  float s[kWidth];
  store(s, v);
  float best = s[0];
  for (size_t i = 1; i < kWidth; ++i) best = s[i] > best ? s[i] : best;
  return best;
}

// e^x within 2 ulp; 0 below -87, finite above 88 by clamping (Cephes' polynomial for expf).
inline Vf exp(Vf x) {
  const Vi flush = x < -87.0f;
  x = x > 88.0f ? splat(88.0f) : x;
  x = flush ? splat(-87.0f) : x;
  const Vf shifted = x * 1.44269504088896341f + 12582912.0f;  // 1.5 * 2^23: the integer stands in the low bits
  const Vf n = shifted - 12582912.0f;
  const Vf r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  Vf y = splat(1.9875691500e-4f);
  y = y * r + 1.3981999507e-3f;
  y = y * r + 8.3334519073e-3f;
  y = y * r + 4.1665795894e-2f;
  y = y * r + 1.6666665459e-1f;
  y = y * r + 5.0000001201e-1f;
  y = y * r * r + r + 1.0f;
  const Vi exponent = ((Vi)shifted - 0x4b400000 + 127) << 23;
  const Vf e = y * (Vf)exponent;
  return flush ? splat(0.0f) : e;
}

}  // namespace
}  // namespace assay::cpu
