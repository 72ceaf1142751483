// Where `assay explain` takes a device's peaks and memory from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/cli/arguments.h"
#include "suites/profile.h"

namespace assay {

struct NamedPeaks {
  Peaks peaks;
  std::string name;           // of the device or chip
  uint64_t memory_bytes = 0;  // free or all of it; 0: not known
};

// By --device (measured now, a few seconds), --record (its ceilings) or --chip (its datasheet); none without these.
Result<std::optional<NamedPeaks>> named_peaks(const Arguments& a, const std::string& dtype);

}  // namespace assay
