#include "suites/base/low_precision.h"

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

namespace assay {
namespace {

// A code of one sign bit, an exponent and `fraction_bits` of fraction; no special values.
float from_small_float(uint32_t code, int exponent_bits, int fraction_bits, int bias) {
  const uint32_t fraction = code & ((1u << fraction_bits) - 1);
  const auto exponent = static_cast<int>((code >> fraction_bits) & ((1u << exponent_bits) - 1));
  const auto whole = static_cast<float>(exponent == 0 ? fraction : fraction + (1u << fraction_bits));
  const float magnitude = std::ldexp(whole, (exponent == 0 ? 1 : exponent) - bias - fraction_bits);
  return (code >> (exponent_bits + fraction_bits) & 1u) != 0 ? -magnitude : magnitude;
}

template <size_t kSize>
std::array<float, kSize> table(float (*value)(uint32_t code)) {
  std::array<float, kSize> values;
  for (uint32_t code = 0; code < kSize; ++code) values[code] = value(code);
  return values;
}

}  // namespace

uint16_t to_bf16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

float from_bf16(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

uint16_t to_f16(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // rounds past 65504
  if (magnitude < 0x38800000u) {                        // subnormal: units of 2^-24, rounded by the addition
    float value = 0;
    std::memcpy(&value, &magnitude, sizeof value);
    const float shifted = value + 0.5f;  // ulp of [0.5, 1) is 2^-24
    uint32_t out = 0;
    std::memcpy(&out, &shifted, sizeof out);
    return static_cast<uint16_t>(sign | (out - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float from_f16(uint16_t x) {
  const uint32_t sign = static_cast<uint32_t>(x & 0x8000u) << 16;
  const uint32_t exponent = (x >> 10) & 0x1fu, fraction = x & 0x3ffu;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign != 0 ? -value : value;
  }
  const uint32_t bits = sign | ((exponent == 31 ? 255u : exponent + 112u) << 23) | (fraction << 13);
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float from_f8e4m3(uint8_t x) {
  static const auto kValues = table<256>([](uint32_t code) {
    return (code & 0x7fu) == 0x7fu ? std::numeric_limits<float>::quiet_NaN() : from_small_float(code, 4, 3, 7);
  });
  return kValues[x];
}

float from_f8e5m2(uint8_t x) {
  static const auto kValues = table<256>([](uint32_t code) {
    if ((code & 0x7fu) < 0x7cu) return from_small_float(code, 5, 2, 15);
    if ((code & 0x7fu) > 0x7cu) return std::numeric_limits<float>::quiet_NaN();
    return std::copysign(std::numeric_limits<float>::infinity(), (code & 0x80u) != 0 ? -1.0f : 1.0f);
  });
  return kValues[x];
}

float from_f4e2m1(uint8_t x) {
  static const auto kValues = table<16>([](uint32_t code) { return from_small_float(code, 2, 1, 1); });
  return kValues[x & 0xfu];
}

}  // namespace assay
