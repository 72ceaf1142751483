// A vendor whose products go by descriptors or by our own kernels: no library of one call a product.
#pragma once

#define GPU_BLAS_LIBRARIES ""
#define gpublasCreate none
#define gpublasDestroy none
#define gpublasSetStream none
#define gpublasGemmEx none
#define gpublasGemmStridedBatchedEx none
#define GPUBLAS_GEMM_DEFAULT (-1)
