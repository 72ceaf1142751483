// Kernels as plain C++: the threads of a block are fibers of one host thread, so that barriers and exchanges between
// lanes mean what they mean on a device. Blocks run one after the other; shared memory is static.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

namespace standin {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};
// Of the fiber that runs now.
extern Index thread_index, block_index, block_size, grid_size;

void barrier();  // of the whole block
float exchange(float value, int lane_xor);
float exchange_from(float value, int lane);
char* dynamic_shared();
// d [16,8] += a [16,16] b [16,8] with the operands spread over 32 lanes; every lane of the warp calls it.
void matrix(float* d, const unsigned* a, const unsigned* b, bool bf16);
// The same with a [16,32] and b [32,8] of i8, four to a word, in i32.
void matrix(int* d, const unsigned* a, const unsigned* b);
// Of pairs of 16 bits, lane 4 i + t having columns 2 t and 2 t + 1 of row i; every lane of the warp calls it.
unsigned transposed_8x8(unsigned pair);
float half_value(uint16_t bits);
uint16_t half_code(float value);

}  // namespace standin

#define ASSAY_EMULATED 1
#define ASSAY_MATRIX_CORES 1
#define ASSAY_INTEGER_MATRIX 1
#define __device__
#define __shared__ static
#define threadIdx standin::thread_index
#define blockIdx standin::block_index
#define blockDim standin::block_size
#define gridDim standin::grid_size
#define __syncthreads() standin::barrier()
#define ASSAY_SHUFFLE(value, lane) standin::exchange(value, lane)
#define ASSAY_KERNEL(name, Args) static void name(const Args a)
#define ASSAY_WAITING_KERNEL(name, Args) ASSAY_KERNEL(name, Args)
#define ASSAY_EARLY_KERNEL(name, Args, blocks) ASSAY_KERNEL(name, Args)
#define ASSAY_BOUNDED_KERNEL(name, Args, threads, blocks) ASSAY_KERNEL(name, Args)
#define ASSAY_HALVES_OF_E4M3 1
#define ASSAY_OVERLAPS 1
#define ASSAY_WAIT_FOR_INPUT() (void)0
#define ASSAY_EXP(x) expf(x)
#define ASSAY_DIVIDE(a, b) ((a) / (b))
#define ASSAY_BYTE_ABOVE_2_23(word, j) float_of(0x4b000000u | ((word) >> (8 * (j)) & 255u))
#define ASSAY_COPIES_AHEAD 1
#define ASSAY_SYNC_WARP() (void)standin::exchange(0, 1)
#define ASSAY_DYNAMIC_SHARED(type, name) auto* name = reinterpret_cast<type*>(standin::dynamic_shared())

namespace assay_gpu {

inline unsigned bits_of(float value) {
  unsigned bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}
inline float float_of(unsigned bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}
inline float half_value(unsigned short bits) { return standin::half_value(bits); }
inline unsigned short half_code(float value) { return standin::half_code(value); }
inline float rsqrtf(float value) { return 1 / std::sqrt(value); }
inline float warp_sum(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value += standin::exchange(value, lane);
  return value;
}
inline float warp_max(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value = std::fmax(value, standin::exchange(value, lane));
  return value;
}
inline void copy_16_ahead(void* to, const void* from) { std::memcpy(to, from, 16); }
inline void copy_4_ahead(void* to, const void* from) { std::memcpy(to, from, 4); }
inline void end_copies() {}
template <int kLeft>
void wait_for_copies() {}
inline void copy_16_or_zeros(void* to, const void* from, bool there) {
  std::memset(to, 0, 16);
  if (there) std::memcpy(to, from, 16);
}
inline unsigned bf16_pair(float low, float high) {
  const auto code = [](float value) {
    const unsigned bits = bits_of(value);
    return std::isnan(value) ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
  };
  return code(low) | code(high) << 16;
}
inline unsigned bf16_pair_fma(unsigned a, unsigned b, unsigned c) {
  const auto part = [&](unsigned half) {
    const auto value = [half](unsigned pair) { return float_of(half == 0 ? pair << 16 : pair & 0xffff0000u); };
    return std::fma(value(a), value(b), value(c));
  };
  return bf16_pair(part(0), part(1));
}
inline unsigned halves_of_e4m3(unsigned short codes) {
  const auto half = [](unsigned code) {
    const int exponent = static_cast<int>(code >> 3 & 15u), fraction = static_cast<int>(code & 7u);
    float value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                                : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
    if ((code & 127u) == 127u) value = NAN;
    return static_cast<unsigned>(standin::half_code((code & 128u) != 0 ? -value : value));
  };
  return half(codes & 255u) | half(codes >> 8) << 16;
}
inline void matrix_16x8x16(float* d, const unsigned* a, const unsigned* b, bool bf16) {
  standin::matrix(d, a, b, bf16);
}
inline void matrix_16x8x32(int* d, const unsigned* a, const unsigned* b) { standin::matrix(d, a, b); }
inline unsigned matrix_transposed_8x8(unsigned pair) { return standin::transposed_8x8(pair); }
inline unsigned lower_halves(unsigned first, unsigned second) { return (first & 0xffffu) | second << 16; }
inline unsigned upper_halves(unsigned first, unsigned second) { return first >> 16 | (second & 0xffff0000u); }
inline float from_lane(float value, int lane) { return standin::exchange_from(value, lane); }
inline float power_of_2(float x) { return std::exp2(x); }

}  // namespace assay_gpu
