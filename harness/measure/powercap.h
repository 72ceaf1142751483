// CPU package energy from the kernel's powercap zones (RAPL on Intel and AMD).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "suites/base/result.h"

namespace assay {

// Energy of all CPU packages together. Each counter wraps at its own max_energy_range_uj; one wrap between two reads is
// accounted for, so read more often than the counter can wrap (a minute at the least).
class PackageEnergy {
 public:
  // An Error where there is no package zone or it can't be read (root only since CVE-2020-8694).
  static Result<PackageEnergy> open(const SystemRoot& root);

  // Joules since open().
  Result<double> read_j();
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

 private:
  struct Zone {
    std::string file;  // of energy_uj, relative to the root
    uint64_t range_uj = 0, last_uj = 0;
  };
  SystemRoot root_;
  std::vector<Zone> zones_;
  std::vector<std::string> names_;
  double total_uj_ = 0;
};

}  // namespace assay
