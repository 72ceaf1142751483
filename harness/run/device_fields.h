// Copies what the adapter says about itself, its device and its program into a record.
#pragma once

#include "adapters/abi/assay_adapter.h"
#include "harness/loader/adapter.h"
#include "results/record.h"

namespace assay {

void set_adapter_fields(const assay_adapter& core, Record* record);
// The serial is kept as a hash only: records are published.
void set_device_fields(const DeviceInfo& device, Record* record);
// Of an index beyond the adapter's devices: "adapter cpu has no such device; it has 1 (cpu:0)".
std::string no_such_device(const std::string& adapter, size_t count);
// "" where it can't be read.
std::string library_hash(const std::string& library);
// Of the adapter's shared library, so that a record tells another build of the same version; where it can't be read,
// none.
void set_library_hash(const std::string& library, Record* record);
void set_program_fields(const assay_program_info& info, Record* record);

}  // namespace assay
