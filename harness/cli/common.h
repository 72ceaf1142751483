// What several commands need: where the data lies, which adapters there are, and what the user asked of them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "harness/cli/arguments.h"
#include "harness/loader/manifest.h"
#include "harness/run/supervisor.h"
#include "reports/tables.h"
#include "suites/suite.h"

namespace assay {

// share/assay/suites beside the executable's folder; ASSAY_DATA_DIR overrides it.
std::filesystem::path data_dir();
Result<Catalogue> load_catalogue();

// Adapters by --adapter and the search path.
std::vector<Manifest> known_adapters(const Arguments& arguments);
// --adapter-option KEY=VALUE, in order.
using AdapterSettings = std::vector<std::pair<std::string, std::string>>;
Result<AdapterSettings> adapter_settings(const Arguments& arguments);
// Of weights and inputs where the user gives none: nobody can know them before.
uint64_t drawn_seed();
// Whether the adapter takes the key, by its manifest; one whose manifest doesn't say takes any.
bool takes_setting(const Manifest& adapter, const std::string& key);
// kBadInput naming the first key that the adapter doesn't take.
Status check_settings(const Manifest& adapter, const AdapterSettings& settings);

// A device as the user names it ("cpu:0"; "cpu" means "cpu:0") with the adapter that serves it.
struct ChosenDevice {
  Manifest adapter;
  std::string name;  // "cpu:0"
  uint32_t index = 0;
};
// kBadInput when the name is malformed, no adapter has it (suggests the nearest), or its adapter can't be used here.
Result<ChosenDevice> choose_device(const std::string& name, const std::vector<Manifest>& adapters);

// --device; without it the first device of the adapter that --adapter names, or cpu:0. An adapter that is named and
// can't be used is kBadInput, whatever the device.
Result<ChosenDevice> device_of(const Arguments& arguments);

// The device as its adapter, opened in `worker`, describes it. kBadInput where the adapter has no such device.
Result<DeviceInfo> device_info(WorkerProcess& worker, const ChosenDevice& device, const AdapterSettings& settings,
                               int threads);

// Records of places as found_records() joins them; what is left out is told on stderr.
Result<std::vector<Record>> records_of(const std::vector<std::string>& places);

// --format, or json with --json.
TableFormat table_format(const Arguments& arguments);

// A job of the case on the device with the user's adapter options; the rest as a Job is by default.
Job job_for(Job::Kind kind, const Case& work, const ChosenDevice& device, const AdapterSettings& settings);

// "1.5 GiB"; "" for 0.
std::string memory_text(uint64_t bytes);

}  // namespace assay
