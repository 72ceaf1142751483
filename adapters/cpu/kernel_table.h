// The table of the instruction set that the including file is compiled for. For kernel files only.
#pragma once

#include "adapters/cpu/int_kernels.h"
#include "adapters/cpu/matvec_kernels.h"
#include "adapters/cpu/row_kernels.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

constexpr Kernels table(const char* name) {
  return {name, matvec,   int_matvec, int_gemm,  weighted_sum, to_f32,  from_f32, scale_row, rescale_int,
          add,  rms_norm, rope,       gated_act, row_max,      exp_sum, argmax,   quantize};
}

}  // namespace
}  // namespace assay::cpu
