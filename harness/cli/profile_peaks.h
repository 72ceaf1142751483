// What a profile's ops are held against: ceilings measured on the device, and its chip's datasheet.
#pragma once

#include "harness/cli/arguments.h"
#include "harness/cli/profile_sheet.h"

namespace assay {

// --ceilings: the fastest GEMM of the case's dtype and the fastest read among its records of this device; without it
// none, and the profile's own stand. --chip: its datasheet; without it that of the chip that the device's product name
// means, if the price book has one. kBadInput where what was named does not fit.
struct ProfilePeaks {
  std::optional<double> flops_per_s, bytes_per_s;
  std::string attainable;
  std::optional<Roofline> datasheet;
  std::string no_datasheet;
};
Result<ProfilePeaks> profile_peaks(const Arguments& arguments, const Case& work, const DeviceInfo& device);

}  // namespace assay
