// The product library's interface (cublasLt and its like) as far as it is used: own declarations.
#pragma once

#include <cstddef>
#include <cstdint>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/abi/assay_adapter.h"

namespace assay::gpu {

// Results of the library's search, as it lays them out; the algorithm is opaque.
struct Algorithm {
  uint64_t data[GPUBLASLT_ALGORITHM_WORDS];
};
struct Found {
  Algorithm algorithm;
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};

#define ASSAY_GPU_LT(X)                                                                                              \
  X(LtCreate, int, (void**))                                                                                         \
  X(LtDestroy, int, (void*))                                                                                         \
  X(LtMatmulDescCreate, int, (void**, int compute, int scale_type))                                                  \
  X(LtMatmulDescSetAttribute, int, (void*, int, const void*, size_t))                                                \
  X(LtMatmulDescDestroy, int, (void*))                                                                               \
  X(LtMatrixLayoutCreate, int, (void**, int type, uint64_t rows, uint64_t cols, int64_t ld))                         \
  X(LtMatrixLayoutSetAttribute, int, (void*, int, const void*, size_t))                                              \
  X(LtMatrixLayoutDestroy, int, (void*))                                                                             \
  X(LtMatmulPreferenceCreate, int, (void**))                                                                         \
  X(LtMatmulPreferenceSetAttribute, int, (void*, int, const void*, size_t))                                          \
  X(LtMatmulPreferenceDestroy, int, (void*))                                                                         \
  X(LtMatmulAlgoGetHeuristic, int, (void*, void*, void*, void*, void*, void*, void*, int asked, Found*, int* found)) \
  X(LtMatmul, int,                                                                                                   \
    (void*, void*, const void* alpha, const void* a, void*, const void* b, void*, const void* beta, const void* c,   \
     void*, void* d, void*, const Algorithm*, void* workspace, size_t, void* stream))
#define ASSAY_GPU_LT_OPTIONAL(X)                                                                         \
  X(LtMatmulAlgoCheck, int, (void*, void*, void*, void*, void*, void*, const Algorithm*, Found* result)) \
  X(LtGetVersion, size_t, ())

// Numbers that all of these libraries share with CUDA.
inline constexpr int kReal32F = 0, kReal16F = 2, kReal8I = 3, kReal32I = 10, kReal16BF = 14, kRealE4M3 = 28,
                     kRealE5M2 = 29;
inline constexpr int kEpilogueBias = 4, kEpilogueGelu = 32;  // the bias first where both are asked for
inline constexpr int kScalePerRow = 3;

inline int real_type(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_F32:
      return kReal32F;
    case ASSAY_F16:
      return kReal16F;
    case ASSAY_BF16:
      return kReal16BF;
    case ASSAY_F8E4M3:
      return kRealE4M3;
    case ASSAY_F8E5M2:
      return kRealE5M2;
    case ASSAY_I8:
      return kReal8I;
    case ASSAY_I32:
      return kReal32I;
    default:
      return -1;
  }
}

}  // namespace assay::gpu
