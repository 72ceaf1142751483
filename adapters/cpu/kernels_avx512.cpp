#include "adapters/cpu/kernel_table.h"

namespace assay::cpu {

const Kernels& avx512_kernels() {
  static constexpr Kernels kTable = table("avx512");
  return kTable;
}

}  // namespace assay::cpu
