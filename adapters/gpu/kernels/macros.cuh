// A kernel takes one struct of arguments, `a`. Where kernels may overlap, the next one starts while this one ends and
// waits before it touches what this one writes; an early kernel says itself from where on, once in each thread: until
// then it reads what no op of the step writes. A fetch from memory is about 0.8 us, a position or a norm's factors.
#pragma once

#if !defined(ASSAY_EMULATED)
// A named number of blocks, where no threads are named of 128, shall fit a multiprocessor at once. A bounded kernel waits
// itself, as an early one does.
#if defined(ASSAY_OVERLAPS)
#define ASSAY_EARLY_KERNEL(name, Args, blocks) ASSAY_BOUNDED_KERNEL(name, Args, 128, blocks)
#define ASSAY_BOUNDED_KERNEL(name, Args, threads, blocks)                                               \
  __device__ inline void name##_body(const Args& a);                                                  \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ Args a) { \
    ASSAY_LET_NEXT_START();                                                                           \
    name##_body(a);                                                                                   \
  }                                                                                                   \
  __device__ inline void name##_body(const Args& a)
#define ASSAY_WAITING_KERNEL(name, Args)                                                              \
  __device__ inline void name##_body(const Args& a);                                                  \
  extern "C" __global__ void name(const __grid_constant__ Args a) {                                   \
    ASSAY_LET_NEXT_START();                                                                           \
    name##_body(a);                                                                                   \
  }                                                                                                   \
  __device__ inline void name##_body(const Args& a)
#define ASSAY_KERNEL(name, Args)                                                                      \
  __device__ inline void name##_body(const Args& a);                                                  \
  extern "C" __global__ void name(const __grid_constant__ Args a) {                                   \
    ASSAY_LET_NEXT_START();                                                                           \
    ASSAY_WAIT_FOR_INPUT();                                                                           \
    name##_body(a);                                                                                   \
  }                                                                                                   \
  __device__ inline void name##_body(const Args& a)
#else
#define ASSAY_KERNEL(name, Args) extern "C" __global__ void name(const Args a)
#define ASSAY_WAITING_KERNEL(name, Args) ASSAY_KERNEL(name, Args)
#define ASSAY_EARLY_KERNEL(name, Args, blocks) extern "C" __global__ void __launch_bounds__(128) name(const Args a)
#define ASSAY_BOUNDED_KERNEL(name, Args, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const Args a)
#endif
#define ASSAY_DYNAMIC_SHARED(type, name) extern __shared__ type name[]
#ifndef INFINITY
#define INFINITY (__int_as_float(0x7f800000))
#endif
#endif
