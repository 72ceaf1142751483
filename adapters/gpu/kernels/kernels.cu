// All kernels, for the vendor's compiler. At run time its compiler gets the same files one after the other.
#include "adapters/gpu/kernels/args.h"
#include "adapters/gpu/kernels/intrinsics.cuh"
#include "adapters/gpu/kernels/macros.cuh"
#include "adapters/gpu/kernels/elements.cuh"
#include "adapters/gpu/kernels/rows.cuh"
#include "adapters/gpu/kernels/products.cuh"
#include "adapters/gpu/kernels/attention.cuh"
#include "adapters/gpu/kernels/experts_video.cuh"
