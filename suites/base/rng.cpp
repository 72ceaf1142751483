#include "suites/base/rng.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "suites/base/low_precision.h"
#include "suites/graph.h"

// The fill loops are compiled for several vector widths; all are integer arithmetic and one exact multiply, so the
// values are the same bit for bit.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define ASSAY_WIDE __attribute__((target_clones("default", "avx2", "arch=x86-64-v4"), optimize("O3")))
#else
#define ASSAY_WIDE
#endif

namespace assay {
namespace {

// Finaliser of MurmurHash3 (Appleby, public domain): every input bit reaches every output bit.
inline uint32_t mix32(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  return h;
}

struct Key {
  uint32_t a, b;
};

inline uint64_t mix64(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// Two words per (seed, stream, upper half of the index): the inner loops are then 32 bits wide.
Key key_of(uint64_t seed, uint64_t stream, uint32_t upper) {
  const uint64_t z = mix64(mix64(seed + 0x9e3779b97f4a7c15ull) ^ mix64(stream * 0xd1342543de82ef95ull + upper + 1));
  return {static_cast<uint32_t>(z), static_cast<uint32_t>(z >> 32)};
}

inline uint32_t word_a(Key key, uint32_t i) { return mix32(i ^ key.a); }
inline uint32_t word_b(Key key, uint32_t i) { return mix32((i + key.b) * 0x9e3779b1u); }

// Sum of four 16-bit uniforms less its mean: an integer in [-131070, 131070].
inline int32_t normal_code(Key key, uint32_t i) {
  const uint32_t a = word_a(key, i), b = word_b(key, i);
  return static_cast<int32_t>((a & 0xffffu) + (a >> 16) + (b & 0xffffu) + (b >> 16)) - 131070;
}

// 1 / sqrt(4 (2^32 - 1) / 12): the variance of one 16-bit uniform is (2^32 - 1) / 12.
constexpr float kUnit = 2.6429008e-05f;

ASSAY_WIDE void fill_f32(Key key, uint32_t first, uint32_t count, float mean, float stddev, float* out) {
  const float unit = kUnit * stddev;
  for (uint32_t i = 0; i < count; ++i) out[i] = static_cast<float>(normal_code(key, first + i)) * unit + mean;
}

ASSAY_WIDE void fill_bf16(Key key, uint32_t first, uint32_t count, float mean, float stddev, uint16_t* out) {
  const float unit = kUnit * stddev;
  for (uint32_t i = 0; i < count; ++i) {
    const float x = static_cast<float>(normal_code(key, first + i)) * unit + mean;
    uint32_t bits = 0;
    std::memcpy(&bits, &x, sizeof bits);
    out[i] = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }
}

// 32 codes per sigma, so that +-127 is nearly 4 sigma: no code is clamped.
ASSAY_WIDE void fill_i8(Key key, uint32_t first, uint32_t count, int8_t* out) {
  for (uint32_t i = 0; i < count; ++i) {
    // 32 * kUnit = 1 / 1182.4; the rounding is half away from zero, in integers.
    const int32_t code = normal_code(key, first + i);
    const int32_t scaled = (code * 7 + (code < 0 ? -4139 : 4139)) / 8277;
    out[i] = static_cast<int8_t>(scaled);
  }
}

void fill_f16(Key key, uint32_t first, uint32_t count, float mean, float stddev, uint16_t* out) {
  float block[256];
  for (uint32_t done = 0; done < count;) {
    const uint32_t n = std::min<uint32_t>(count - done, 256);
    fill_f32(key, first + done, n, mean, stddev, block);
    for (uint32_t i = 0; i < n; ++i) out[done + i] = to_f16(block[i]);
    done += n;
  }
}

void fill_normal(const Tensor& tensor, Key key, uint32_t first, uint32_t count, char* out) {
  const auto mean = static_cast<float>(tensor.fill.mean), stddev = static_cast<float>(tensor.fill.stddev);
  switch (tensor.dtype) {
    case ASSAY_F32:
      return fill_f32(key, first, count, mean, stddev, reinterpret_cast<float*>(out));
    case ASSAY_BF16:
      return fill_bf16(key, first, count, mean, stddev, reinterpret_cast<uint16_t*>(out));
    case ASSAY_F16:
      return fill_f16(key, first, count, mean, stddev, reinterpret_cast<uint16_t*>(out));
    default:
      return fill_i8(key, first, count, reinterpret_cast<int8_t*>(out));
  }
}

void store(const Tensor& tensor, uint64_t i, double value, char* out) {
  switch (tensor.dtype) {
    case ASSAY_F32: {
      const auto x = static_cast<float>(value);
      std::memcpy(out + i * 4, &x, 4);
      return;
    }
    case ASSAY_BF16:
    case ASSAY_F16: {
      const uint16_t x =
          tensor.dtype == ASSAY_BF16 ? to_bf16(static_cast<float>(value)) : to_f16(static_cast<float>(value));
      std::memcpy(out + i * 2, &x, 2);
      return;
    }
    case ASSAY_I32: {
      const auto x = static_cast<int32_t>(value);
      std::memcpy(out + i * 4, &x, 4);
      return;
    }
    case ASSAY_I64: {
      const auto x = static_cast<int64_t>(value);
      std::memcpy(out + i * 8, &x, 8);
      return;
    }
    default:
      out[i] = static_cast<char>(static_cast<int8_t>(value));
  }
}

}  // namespace

float normal_at(uint64_t seed, uint64_t stream, uint64_t index) {
  const Key key = key_of(seed, stream, static_cast<uint32_t>(index >> 32));
  return static_cast<float>(normal_code(key, static_cast<uint32_t>(index))) * kUnit;
}

int32_t uniform_at(uint64_t seed, uint64_t stream, uint64_t index, uint32_t bound) {
  const Key key = key_of(seed, stream, static_cast<uint32_t>(index >> 32));
  const auto i = static_cast<uint32_t>(index);
  const uint64_t word = (static_cast<uint64_t>(word_a(key, i)) << 32) | word_b(key, i);
  // The upper 64 bits of word * bound, by halves; the bias of a 64-bit word over a 31-bit bound is below 2^-33.
  const uint64_t low = (word & 0xffffffffu) * bound;
  return static_cast<int32_t>(((word >> 32) * bound + (low >> 32)) >> 32);
}

void fill_elements(const Tensor& tensor, uint64_t stream, uint64_t seed, uint64_t first, uint64_t count, void* out) {
  auto* bytes = static_cast<char*>(out);
  switch (tensor.fill.kind) {
    case Fill::Kind::kNone:
      std::memset(out, 0, packed_bytes(tensor.dtype, count));
      return;
    case Fill::Kind::kNormal:
      // The upper half of the index picks the key: cut where it changes.
      for (uint64_t done = 0; done < count;) {
        const uint64_t index = first + done;
        const uint64_t left = (uint64_t{1} << 32) - (index & 0xffffffffu);
        const auto n = static_cast<uint32_t>(std::min({count - done, left, uint64_t{1} << 30}));
        const Key key = key_of(seed, stream, static_cast<uint32_t>(index >> 32));
        fill_normal(tensor, key, static_cast<uint32_t>(index), n, bytes + packed_bytes(tensor.dtype, done));
        done += n;
      }
      return;
    case Fill::Kind::kUniformInt:
      for (uint64_t i = 0; i < count; ++i) {
        store(tensor, i, uniform_at(seed, stream, first + i, static_cast<uint32_t>(tensor.fill.bound)), bytes);
      }
      return;
    case Fill::Kind::kConstant:
      for (uint64_t i = 0; i < count; ++i) store(tensor, i, tensor.fill.mean, bytes);
      return;
    case Fill::Kind::kLastRow:
      for (uint64_t i = 0; i < count; ++i) {
        store(tensor, i, static_cast<double>((first + i + 1) * static_cast<uint64_t>(tensor.fill.bound) - 1), bytes);
      }
  }
}

}  // namespace assay
