// Both forms of the kernels, on whatever OpenCL device stands first: PoCL where nothing else is installed.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {

std::vector<Level> levels() {
  return {{"for_cpus", {{"kernels", "cpu"}}, false}, {"for_gpus", {{"kernels", "gpu"}}, false}};
}

}  // namespace assay::cpu_test
