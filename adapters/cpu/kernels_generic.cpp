#include "adapters/cpu/kernel_table.h"

namespace assay::cpu {

const Kernels& generic_kernels() {
  static constexpr Kernels kTable = table("generic");
  return kTable;
}

}  // namespace assay::cpu
