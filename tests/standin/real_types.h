// Elements of the types that product libraries number alike, CUDA's numbers.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace standin {
float half_value(uint16_t bits);
uint16_t half_code(float value);

namespace real {

constexpr int kReal32F = 0, kReal16F = 2, kReal8I = 3, kReal32I = 10, kReal16BF = 14, kRealE4M3 = 28;

// 1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinity, all ones is no number.
inline double e4m3_value(uint8_t code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -9) : std::ldexp(8 + fraction, exponent - 10);
  if ((code & 0x7f) == 0x7f) return NAN;
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

// f32 to the 10 bits of mantissa that a tensor core's tf32 has.
inline double tf32_value(double v) {
  int exponent = 0;
  const double fraction = std::frexp(v, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 11)), exponent - 11);
}

inline double value(const void* base, int type, int64_t i) {
  switch (type) {
    case kRealE4M3:
      return e4m3_value(static_cast<const uint8_t*>(base)[i]);
    case kReal32F:
      return static_cast<const float*>(base)[i];
    case kReal16F:
      return standin::half_value(static_cast<const uint16_t*>(base)[i]);
    case kReal16BF: {
      const uint32_t bits = static_cast<uint32_t>(static_cast<const uint16_t*>(base)[i]) << 16;
      float out = 0;
      std::memcpy(&out, &bits, sizeof(out));
      return out;
    }
    default:
      return static_cast<const int8_t*>(base)[i];
  }
}

inline void put(void* base, int type, int64_t i, double v) {
  const auto single = static_cast<float>(v);
  uint32_t bits = 0;
  switch (type) {
    case kReal32F:
      static_cast<float*>(base)[i] = single;
      break;
    case kReal16F:
      static_cast<uint16_t*>(base)[i] = standin::half_code(single);
      break;
    case kReal16BF:
      std::memcpy(&bits, &single, sizeof(bits));
      static_cast<uint16_t*>(base)[i] = static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
      break;
    default:
      static_cast<int32_t*>(base)[i] = static_cast<int32_t>(v);
  }
}

}  // namespace real
}  // namespace standin
