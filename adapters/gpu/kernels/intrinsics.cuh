// What differs between compilers: conversions and the matrix instruction. The one kernel file with vendor tests.
#pragma once

namespace assay_gpu {

#if defined(ASSAY_EMULATED)
// Given by the emulation: bits_of, float_of, half_value, half_code, matrix_16x8x16, matrix_16x8x32, matrix_transposed_8x8,
// lower_halves, upper_halves, power_of_2, from_lane, warp_sum, warp_max.
#else
__device__ inline unsigned bits_of(float value) { return __float_as_uint(value); }
__device__ inline float float_of(unsigned bits) { return __uint_as_float(bits); }

#define ASSAY_EXP(x) __expf(x)
#define ASSAY_DIVIDE(a, b) __fdividef(a, b)

#if defined(__HIP__) || defined(__HIPCC_RTC__)
__device__ inline float half_value(unsigned short bits) {
  union {
    unsigned short code;
    _Float16 value;
  } half = {bits};
  return static_cast<float>(half.value);
}
__device__ inline unsigned short half_code(float value) {
  union {
    _Float16 value;
    unsigned short code;
  } half = {static_cast<_Float16>(value)};
  return half.code;
}
#define ASSAY_SHUFFLE(value, lane) __shfl_xor(value, lane)
#define ASSAY_BYTE_ABOVE_2_23(word, j) float_of(0x4b000000u | ((word) >> (8 * (j)) & 255u))
#else
// The float 2^23 + byte j of the word.
#define ASSAY_BYTE_ABOVE_2_23(word, j) float_of(__byte_perm(word, 0x4b000000u, 0x7440u + (j)))
__device__ inline float half_value(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
__device__ inline unsigned short half_code(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
#define ASSAY_SHUFFLE(value, lane) __shfl_xor_sync(0xffffffffu, value, lane)
#endif

// Over the 32 lanes that a group of threads is made of, also where the hardware's warp is wider.
__device__ inline float warp_sum(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value += ASSAY_SHUFFLE(value, lane);
  return value;
}
__device__ inline float warp_max(float value) {
  for (int lane = 16; lane > 0; lane /= 2) value = fmaxf(value, ASSAY_SHUFFLE(value, lane));
  return value;
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define ASSAY_OVERLAPS 1
#define ASSAY_LET_NEXT_START() asm volatile("griddepcontrol.launch_dependents;")
#define ASSAY_WAIT_FOR_INPUT() asm volatile("griddepcontrol.wait;" ::: "memory")
#else
#define ASSAY_WAIT_FOR_INPUT() (void)0
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
// Copies from memory to shared memory, past the first cache, that need no register and that nothing waits for until it
// says so: all but the last kLeft groups of the thread's own are then there.
#define ASSAY_COPIES_AHEAD 1
#define ASSAY_SYNC_WARP() __syncwarp()
__device__ inline void copy_16_ahead(void* to, const void* from) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(at), "l"(from));
}
__device__ inline void copy_4_ahead(void* to, const void* from) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(at), "l"(from));
}
__device__ inline void end_copies() { asm volatile("cp.async.commit_group;"); }
template <int kLeft>
__device__ inline void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
}
// Zeros unless `there`: then nothing is read.
__device__ inline void copy_16_or_zeros(void* to, const void* from, bool there) {
  const auto at = static_cast<unsigned>(__cvta_generic_to_shared(to));
  const int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(at), "l"(from), "r"(bytes));
}

// Pairs of 16-bit floats in a word, the first in its low half.
__device__ inline unsigned bf16_pair(float low, float high) {
  unsigned pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
__device__ inline unsigned bf16_pair_fma(unsigned a, unsigned b, unsigned c) {
  unsigned pair;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(pair) : "r"(a), "r"(b), "r"(c));
  return pair;
}
#if __CUDA_ARCH__ >= 890
#define ASSAY_HALVES_OF_E4M3 1
__device__ inline unsigned halves_of_e4m3(unsigned short codes) {
  unsigned pair;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(pair) : "h"(codes));
  return pair;
}
#endif
#define ASSAY_MATRIX_CORES 1
#define ASSAY_BF16_CODE 1
__device__ inline unsigned short bf16_code(float value) {
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
// d [16,8] += a [16,16] * b [16,8], spread over a warp as the PTX manual's m16n8k16 says; halves are pairs of 16 bits.
__device__ inline void matrix_16x8x16(float* d, const unsigned* a, const unsigned* b, bool bf16) {
  if (bf16) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  } else {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
}
// The same with a [16,32] and b [32,8] of i8, four to a word, and sums in i32, as the PTX manual's m16n8k32 says.
#define ASSAY_INTEGER_MATRIX 1
__device__ inline void matrix_16x8x32(int* d, const unsigned* a, const unsigned* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The lower, or upper, halves of two words in one.
__device__ inline unsigned lower_halves(unsigned first, unsigned second) { return __byte_perm(first, second, 0x5410u); }
__device__ inline unsigned upper_halves(unsigned first, unsigned second) { return __byte_perm(first, second, 0x7632u); }
// 0 where it would be subnormal.
__device__ inline float power_of_2(float x) {
  float out;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(out) : "f"(x));
  return out;
}
__device__ inline float from_lane(float value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }
// Of a matrix of 16-bit elements [8,8] over a warp: lane 4 i + t has elements 2 t and 2 t + 1 of row i, before and after.
__device__ inline unsigned matrix_transposed_8x8(unsigned pair) {
  unsigned out;
  asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(out) : "r"(pair));
  return out;
}
#endif
#endif

}  // namespace assay_gpu
