#include "adapters/spirv/runtime.h"

// Generated from kernels/*.cl by embed.cmake.
extern const char kText_cpu[];
extern const char kText_gpu[];
extern const unsigned char kSpirv_cpu[];
extern const unsigned char kSpirv_gpu[];
extern const unsigned long kSpirvBytes_cpu;
extern const unsigned long kSpirvBytes_gpu;

namespace assay::spirv {

KernelText kernel_text(Form form) {
  if (form == Form::kCpu) return {kText_cpu, {kSpirv_cpu, kSpirv_cpu + kSpirvBytes_cpu}};
  return {kText_gpu, {kSpirv_gpu, kSpirv_gpu + kSpirvBytes_gpu}};
}

}  // namespace assay::spirv
