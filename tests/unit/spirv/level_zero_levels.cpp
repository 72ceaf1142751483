// The stand-in driver, through the stock loader.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {

std::vector<Level> levels() { return {{"stand_in", {}, false}}; }

}  // namespace assay::cpu_test
