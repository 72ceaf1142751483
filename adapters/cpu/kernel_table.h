// The table of the instruction set that the including file is compiled for. For kernel files only.
#pragma once

#include "adapters/cpu/fixed_kernels.h"
#include "adapters/cpu/gemm_kernels.h"
#include "adapters/cpu/int_kernels.h"
#include "adapters/cpu/matvec_kernels.h"
#include "adapters/cpu/norm_kernels.h"
#include "adapters/cpu/row_kernels.h"

namespace assay::cpu {
namespace {  // NOLINT(google-build-namespaces): one copy per instruction set is the purpose

constexpr Kernels table(const char* name) {
  return {name,         matvec,      int_matvec, int_gemm,     kToFixed, kFixedGemm,   kPanelCols, pack_rows,
          pack_columns, panel_gemm,  kPackLanes, kLaneGemm,    dot_gemm, weighted_sum, to_f32,     from_f32,
          scale_row,    rescale_int, add,        multiply_add, axpy,     relu_axpy,    rms_norm,   layer_norm,
          channel_norm, rope,        gated_act,  activation,   row_max,  exp_sum,      argmax,     quantize};
}

}  // namespace
}  // namespace assay::cpu
