// Columns of a packed product. Apart from kernels.h: what that holds is compiled once for each instruction set.
#pragma once

#include <cstdint>

#include "adapters/cpu/kernels.h"

namespace assay::cpu {

// `n` columns, padded to whole panels of every instruction set.
inline int64_t whole_panels(int64_t n) {
  constexpr int64_t kPanel = kMaxPanelCols;
  return (n + kPanel - 1) / kPanel * kPanel;
}

}  // namespace assay::cpu
