// Copies what the adapter says about itself, its device and its program into a record.
#pragma once

#include "adapters/abi/assay_adapter.h"
#include "harness/loader/adapter.h"
#include "results/record.h"

namespace assay {

void set_adapter_fields(const assay_adapter& core, Record* record);
// The serial is kept as a hash only: records are published.
void set_device_fields(const DeviceInfo& device, Record* record);
void set_program_fields(const assay_program_info& info, Record* record);

}  // namespace assay
