#include "adapters/cpu/kernel_table.h"

namespace assay::cpu {

const Kernels& avx2_kernels() {
  static constexpr Kernels kTable = table("avx2");
  return kTable;
}

}  // namespace assay::cpu
