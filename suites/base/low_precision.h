// Conversions of floating-point elements below 32 bits.
#pragma once

#include <cstdint>

namespace assay {

// Round to nearest even.
uint16_t to_bf16(float x);
float from_bf16(uint16_t x);
uint16_t to_f16(float x);
float from_f16(uint16_t x);

// OCP 8-bit floating point (revision 1.0). E4M3: bias 7, no infinity, NaN at 0x7f and 0xff, largest 448. E5M2: bias 15,
// infinities and NaN as in IEEE 754.
float from_f8e4m3(uint8_t x);
float from_f8e5m2(uint8_t x);
// OCP microscaling 4-bit floating point: bias 1, neither infinity nor NaN; the code is in the low four bits.
float from_f4e2m1(uint8_t x);

}  // namespace assay
