#include "suites/base/rng.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "suites/base/low_precision.h"
#include "suites/base/mix64.h"
#include "suites/base/routing.h"
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

// 32 codes per sigma, so that +-127 is nearly 4 sigma: no code is clamped (codes_per_sigma below).
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

// The code of magnitude closest to |normal code| * codes_per_sigma, by half of the normal code's magnitude.
using MagnitudeTable = std::array<uint8_t, 65536>;

template <typename Decode>
MagnitudeTable magnitudes(double sigma, uint8_t largest, Decode decode) {
  MagnitudeTable table;
  uint8_t code = 0;
  for (uint32_t half = 0; half < table.size(); ++half) {
    const double value = 2.0 * half * static_cast<double>(kUnit) * sigma;
    while (code < largest && value > (decode(code) + decode(static_cast<uint8_t>(code + 1))) / 2) ++code;
    table[half] = code;
  }
  return table;
}

const MagnitudeTable& magnitudes_of(uint32_t dtype) {
  static const MagnitudeTable kE4M3 = magnitudes(codes_per_sigma(ASSAY_F8E4M3), 0x7e, from_f8e4m3);
  static const MagnitudeTable kE5M2 = magnitudes(codes_per_sigma(ASSAY_F8E5M2), 0x7b, from_f8e5m2);
  static const MagnitudeTable kE2M1 = magnitudes(codes_per_sigma(ASSAY_F4E2M1), 0x7, from_f4e2m1);
  static const MagnitudeTable kI4 = magnitudes(codes_per_sigma(ASSAY_I4), 8, [](uint8_t code) { return 1.0 * code; });
  switch (dtype) {
    case ASSAY_F8E4M3:
      return kE4M3;
    case ASSAY_F8E5M2:
      return kE5M2;
    default:
      return dtype == ASSAY_I4 ? kI4 : kE2M1;
  }
}

void fill_f8(uint32_t dtype, Key key, uint32_t first, uint32_t count, uint8_t* out) {
  const MagnitudeTable& table = magnitudes_of(dtype);
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t code = normal_code(key, first + i);
    out[i] = static_cast<uint8_t>(table[static_cast<uint32_t>(std::abs(code)) / 2] | (code < 0 ? 0x80u : 0u));
  }
}

void fill_nibbles(uint32_t dtype, Key key, uint32_t first, uint32_t count, uint8_t* out) {
  const MagnitudeTable& table = magnitudes_of(dtype);
  for (uint32_t i = 0; i < count; ++i) {
    const int32_t code = normal_code(key, first + i);
    uint32_t nibble = table[static_cast<uint32_t>(std::abs(code)) / 2];
    if (dtype == ASSAY_I4) {
      nibble = code < 0 ? (16 - nibble) & 0xfu : std::min(nibble, 7u);
    } else if (code < 0) {
      nibble |= 8u;
    }
    out[i / 2] = static_cast<uint8_t>(i % 2 == 0 ? nibble : out[i / 2] | nibble << 4);
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
    case ASSAY_F8E4M3:
    case ASSAY_F8E5M2:
      return fill_f8(tensor.dtype, key, first, count, reinterpret_cast<uint8_t*>(out));
    case ASSAY_I4:
    case ASSAY_F4E2M1:
      return fill_nibbles(tensor.dtype, key, first, count, reinterpret_cast<uint8_t*>(out));
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

// Rows of a routing plan: `mean` where the row's experts stand, 0 elsewhere.
void fill_routing(const Tensor& tensor, uint64_t first, uint64_t count, char* out) {
  const auto width = static_cast<uint64_t>(tensor.dims.back());
  std::vector<int32_t> chosen;
  uint64_t drawn = UINT64_MAX;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t row = (first + i) / width;
    if (row != drawn) tensor.fill.routing->row(drawn = row, &chosen);
    const auto expert = static_cast<int32_t>((first + i) % width);
    const bool planned = std::find(chosen.begin(), chosen.end(), expert) != chosen.end();
    store(tensor, i, planned ? tensor.fill.mean : 0, out);
  }
}

}  // namespace

// The fill reaches 3.46 sigma: 8-bit codes hold that much, those of 4 bits are clamped beyond 3 (I4) and 2.5 (F4E2M1).
double codes_per_sigma(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_I8:
      return 32;
    case ASSAY_F8E4M3:
    case ASSAY_F8E5M2:
      return 128;
    case ASSAY_I4:
      return 2.5;
    case ASSAY_F4E2M1:
      return 2;
    default:
      return 0;
  }
}

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

uint32_t page_at(uint64_t seed, uint32_t n, uint32_t i) {
  uint32_t half = 1;  // bits
  while (half < 16 && (uint64_t{1} << 2 * half) < n) ++half;
  const uint32_t mask = (1u << half) - 1;
  do {
    uint32_t left = i >> half, right = i & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      const uint64_t mixed = mix64(mix64(seed + round * 0x9e3779b97f4a7c15ull) ^ right);
      const uint32_t next = (left ^ static_cast<uint32_t>(mixed)) & mask;
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
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
    case Fill::Kind::kRouting:
      return fill_routing(tensor, first, count, bytes);
    case Fill::Kind::kPages:
      for (uint64_t i = 0; i < count; ++i) {
        const auto bound = static_cast<uint32_t>(tensor.fill.bound);
        store(tensor, i, page_at(tensor.fill.page_seed, bound, static_cast<uint32_t>(first + i)), bytes);
      }
      return;
    case Fill::Kind::kLastRow:
      for (uint64_t i = 0; i < count; ++i) {
        store(tensor, i, static_cast<double>((first + i + 1) * static_cast<uint64_t>(tensor.fill.bound) - 1), bytes);
      }
  }
}

}  // namespace assay
