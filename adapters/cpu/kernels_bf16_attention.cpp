// Attention of many queries over a KV cache in bf16, with the instructions of AVX512_BF16. Queries stand in lanes, so
// that keys are read where they lie and the softmax needs no sum across lanes.
#include <immintrin.h>

#include "adapters/cpu/kernels.h"
#include "adapters/cpu/lane_kernels.h"

namespace assay::cpu {
namespace {

// The top of a query that has seen no key: finite, so that differences to it are numbers.
constexpr float kNoTop = -1e30f;

// 2^x for x <= 0, at least 2^-126; within 5e-5, of which a rounding to bf16 leaves nothing: 2^r by its series to r^4,
// whose rest is (ln 2 / 2)^5 / 5! at most.
inline Vf power_of_two(Vf x) {
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-126), (__m512)x);  // in this order what is no number stays none
  const __m512 whole = _mm512_roundscale_ps(bounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const Vf r = (Vf)bounded - (Vf)whole;
  Vf y = splat(9.6181291e-3f);
  y = y * r + 5.5504109e-2f;
  y = y * r + 2.4022651e-1f;
  y = y * r + 6.9314718e-1f;
  y = y * r + 1.0f;
  return (Vf)_mm512_scalef_ps((__m512)y, whole);
}

// Words first, first + 1, ... of one vector beside words second, second + 1, ... of it or of the other.
inline __m512i side_by_side(int first, int second) {
  const __m512i count = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  return _mm512_add_epi32(_mm512_mullo_epi32(count, _mm512_set1_epi32(0x10001)),
                          _mm512_set1_epi32(first + (second << 16)));
}

// Z vectors of queries against one tile of keys.
template <size_t Z>
class TileAttention {
 public:
  explicit TileAttention(const LaneAttentionArgs& a)
      : a_(a),
        padded_((a.dv + 31) / 32 * 32),
        scores_(a.scratch),
        weights_(scores_ + kLaneKeys * kLanes),
        values_(weights_ + kLaneKeys / 2 * kLanes) {}

  void run() {
    size_t j = 0;
    for (; j + kLaneCols <= a_.n; j += kLaneCols) score<kLaneCols>(j);
    for (; j < a_.n; ++j) score<1>(j);
    if (a_.first != nullptr) hide();
    if (a_.n % 2 == 1) {  // an unseen key as its pair
      for (size_t z = 0; z < Z; ++z) cpu::store(scores_ + a_.n * kLanes + z * kWidth, splat(-__builtin_inff()));
    }
    Vf keep[Z];
    for (size_t z = 0; z < Z; ++z) keep[z] = weigh(z);
    pack_values();
    for (size_t d = 0; d < a_.dv; d += kLaneCols) add_values(d, keep);
  }

 private:
  static constexpr size_t kLanes = Z * kWidth;

  template <size_t C>
  void score(size_t j) {
    LaneTile<TakePairs, 2 * Z, C> tile;
    tile.clear();
    for (size_t c = 0; c < C; ++c) {  // the values are wanted when the tile's scores are done
      for (size_t d = 0; d < a_.dv; d += kLineBytes / 2) __builtin_prefetch(a_.v + (j + c) * a_.ldv + d, 0, 2);
    }
    const auto* k = reinterpret_cast<const float*>(a_.k + j * a_.ldk);
    tile.add(a_.q, k, a_.ldk / 2, a_.dk / 2, k + kLaneCols * a_.ldk / 2);
    if (a_.rope > 0) {
      const auto* rope = reinterpret_cast<const float*>(a_.k_rope + j * a_.ld_rope);
      tile.add(a_.q + a_.dk / 2 * kLanes, rope, a_.ld_rope / 2, a_.rope / 2, rope + kLaneCols * a_.ld_rope / 2);
    }
    for (size_t c = 0; c < C; ++c) {
      for (size_t z = 0; z < Z; ++z) cpu::store(scores_ + (j + c) * kLanes + z * kWidth, (Vf)tile.sum[c][z]);
    }
  }
  void hide() {
    for (size_t z = 0; z < Z; ++z) {
      const __m512i first = _mm512_loadu_si512(a_.first + z * kWidth);
      const __m512i last = _mm512_loadu_si512(a_.last + z * kWidth);
      for (size_t j = 0; j < a_.n; ++j) {
        float* at = scores_ + j * kLanes + z * kWidth;
        const __m512i key = _mm512_set1_epi32(static_cast<int>(j));
        const auto seen =
            static_cast<__mmask16>(_mm512_cmple_epi32_mask(first, key) & _mm512_cmplt_epi32_mask(key, last));
        _mm512_storeu_ps(at, _mm512_mask_loadu_ps(_mm512_set1_ps(-__builtin_inff()), seen, at));
      }
    }
  }
  // Turns scores into weights, those of two keys side by side; returns what earlier sums are to be multiplied by.
  Vf weigh(size_t z) {
    const float* scores = scores_ + z * kWidth;
    Vf best = splat(-__builtin_inff());
    for (size_t j = 0; j < a_.n; ++j) best = max(best, load(scores + j * kLanes));
    const Vf top = load(a_.top + z * kWidth);
    const Vf next = max(max(best * a_.scale, top), splat(kNoTop));
    const Vf keep = power_of_two(top - next);
    Vf sum = load(a_.total + z * kWidth) * keep;
    const __m512i pairs = side_by_side(0, 16);
    for (size_t i = 0; 2 * i < a_.n; ++i) {
      const Vf even = power_of_two(load(scores + 2 * i * kLanes) * a_.scale - next);
      const Vf odd = power_of_two(load(scores + (2 * i + 1) * kLanes) * a_.scale - next);
      sum += even + odd;
      const auto both = (__m512i)_mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
      _mm512_storeu_si512(weights_ + i * kLanes + z * kWidth, _mm512_permutexvar_epi16(pairs, both));
    }
    cpu::store(a_.top + z * kWidth, next);
    cpu::store(a_.total + z * kWidth, sum);
    return keep;
  }
  // Element d of two neighbouring keys side by side, at [i*padded + d].
  void pack_values() {
    const __m512i low = side_by_side(0, 32);
    const __m512i high = side_by_side(16, 48);
    for (size_t i = 0; 2 * i < a_.n; ++i) {
      const uint16_t* even = a_.v + 2 * i * a_.ldv;
      const bool paired = 2 * i + 1 < a_.n;
      for (size_t d = 0; d < a_.dv; d += 32) {
        const __mmask32 there = a_.dv - d < 32 ? (__mmask32{1} << (a_.dv - d)) - 1 : ~__mmask32{0};
        const __m512i x = _mm512_maskz_loadu_epi16(there, even + d);
        const __m512i y = _mm512_maskz_loadu_epi16(paired ? there : 0, even + a_.ldv + d);
        float* to = values_ + i * padded_ + d;
        _mm512_storeu_si512(to, _mm512_permutex2var_epi16(x, low, y));
        _mm512_storeu_si512(to + 16, _mm512_permutex2var_epi16(x, high, y));
      }
    }
  }
  void add_values(size_t d, const Vf (&keep)[Z]) {
    LaneTile<TakePairs, 2 * Z, kLaneCols> tile;
    float* sums = a_.sums + d * kLanes;
#pragma GCC unroll 8
    for (size_t c = 0; c < kLaneCols; ++c) {
#pragma GCC unroll 4
      for (size_t z = 0; z < Z; ++z) tile.sum[c][z] = (__m512)(load(sums + c * kLanes + z * kWidth) * keep[z]);
    }
    const float* v = values_ + d;
#pragma GCC unroll 4
    for (size_t i = 0; i < (a_.n + 1) / 2; ++i) tile.step(weights_ + i * kLanes, v + i * padded_, 1);
#pragma GCC unroll 8
    for (size_t c = 0; c < kLaneCols; ++c) {
#pragma GCC unroll 4
      for (size_t z = 0; z < Z; ++z) cpu::store(sums + c * kLanes + z * kWidth, (Vf)tile.sum[c][z]);
    }
  }

  const LaneAttentionArgs& a_;
  size_t padded_;
  float *scores_, *weights_, *values_;
};

}  // namespace

void bf16_attention(const LaneAttentionArgs& a) {
  if (a.lanes == 16) return TileAttention<1>(a).run();
  if (a.lanes == 32) return TileAttention<2>(a).run();
  TileAttention<3>(a).run();
}

}  // namespace assay::cpu
