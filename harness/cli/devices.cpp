#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"

namespace assay {
namespace {

using nlohmann::json;

// One worker for one adapter: a vendor library that crashes or hangs takes nothing with it.
Result<std::vector<DeviceInfo>> devices_of(const Manifest& adapter, const AdapterSettings& settings) {
  if (!adapter.problem.empty()) return Error{ErrorKind::kUnsupported, adapter.problem};
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start(SupervisorOptions{});
  if (!worker.ok()) return worker.error();
  Job job;
  job.kind = Job::Kind::kDevices;
  job.adapter_library = adapter.library.string();
  job.device = adapter.name;
  for (const auto& setting : settings) {
    if (takes_setting(adapter, setting.first)) job.options.push_back(setting);
  }
  return (*worker)->devices(job);
}

// Each adapter is given what it takes; what none of them takes is a mistake.
Status check_some_take(const std::vector<Manifest>& adapters, const AdapterSettings& settings) {
  for (const auto& [key, value] : settings) {
    const auto takes = [&name = key](const Manifest& m) { return m.problem.empty() && takes_setting(m, name); };
    if (std::any_of(adapters.begin(), adapters.end(), takes)) continue;
    return bad_input("--adapter-option: no adapter here takes an option '" + key + "'");
  }
  return ok_status();
}

Result<int> devices(const Arguments& arguments) {
  const Result<AdapterSettings> settings = adapter_settings(arguments);
  if (!settings.ok()) return settings.error();
  const std::vector<Manifest> adapters = known_adapters(arguments);
  if (const Status some = check_some_take(adapters, *settings); !some.ok()) return some.error();
  json list = json::array();
  std::string names;
  TextTable table({"device", "product", "memory", "free", "basis", "support"});
  for (const Manifest& adapter : adapters) {
    const Result<std::vector<DeviceInfo>> found = devices_of(adapter, *settings);
    json one = {{"adapter", adapter.name},
                {"vendor", adapter.vendor},
                {"version", adapter.version},
                {"tables", adapter.tables},
                {"description", adapter.description},
                {"manifest", adapter.file.string()},
                {"problem", found.ok() ? "" : found.error().message},
                {"devices", json::array()}};
    if (!found.ok())
      table.row({adapter.name, "", "", "", "", "can't be used: " + found.error().message}, Mark::kWarning);
    if (found.ok() && found->empty()) table.row({adapter.name, "", "", "", "", "no device found"}, Mark::kWarning);
    for (const DeviceInfo& d : found.ok() ? *found : std::vector<DeviceInfo>{}) {
      const std::string name = adapter.name + ":" + std::to_string(d.index);
      names.append(name).append("\n");
      table.row({name, d.product, memory_text(d.memory_bytes), memory_text(d.memory_free_bytes), d.basis,
                 d.support + ": " + adapter.description},
                Mark::kGood);
      one["devices"].push_back({{"name", name},
                                {"product", d.product},
                                {"arch", d.arch},
                                {"driver", d.driver},
                                {"memory_bytes", d.memory_bytes},
                                {"memory_free_bytes", d.memory_free_bytes},
                                {"basis", d.basis},
                                {"support", d.support}});
    }
    list.push_back(one);
  }
  std::string text = arguments.has("names") ? names : table.render(stdout_options());
  if (arguments.has("json")) text = list.dump(2) + "\n";
  put_table(text);
  return kExitOk;
}

}  // namespace

CommandSpec devices_command() {
  CommandSpec spec;
  spec.name = "devices";
  spec.summary = "adapters, their devices, and why something can't be used";
  spec.about =
      "Adapters are found by --adapter, in the folders of ASSAY_ADAPTER_PATH, and beside the program; two of one name "
      "only by --adapter. Each is opened in a process of its own. Support has four steps: verified on hardware, "
      "verified on a CPU, checked against the API, planned.";
  spec.options = {{"names", "", "names only, one a line", Complete::kNothing, {}, false},
                  adapter_option(),
                  adapter_setting_option(),
                  json_option()};
  spec.examples = {{"assay devices", "what can be measured here"},
                   {"assay devices --adapter ./my.adapter.json", "an adapter that is not installed"}};
  spec.run = devices;
  return spec;
}

}  // namespace assay
