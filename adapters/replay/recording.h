// A recording of step times: {"host_ns": [...], "device_ns": [...]}, device_ns where there was a device clock.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace assay::replay {

struct Recording {
  std::vector<uint64_t> host_ns, device_ns;  // host_ns: at least one; device_ns: as many, or none
};

// Both throw sdk::Failure(ASSAY_INVALID_ARGUMENT) with file, field, what was expected and what was found.
Recording parse(const std::string& text, const std::string& where);
Recording read(const std::string& file);

}  // namespace assay::replay
