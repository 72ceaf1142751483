// Every instruction set that this CPU has, with one thread and with two where there are two CPUs.
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {

std::vector<Level> levels() {
  std::vector<Level> all;
  for (const char* isa : {"generic", "avx2", "avx512"}) {
    for (const char* threads : {"1", "2"}) {
      all.push_back({std::string(isa) + "_" + threads, {{"isa", isa}, {"threads", threads}}});
    }
  }
  return all;
}

}  // namespace assay::cpu_test
