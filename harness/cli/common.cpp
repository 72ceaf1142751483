#include "harness/cli/common.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <random>

#include "harness/cli/terminal.h"
#include "harness/plan/found_records.h"
#include "harness/run/device_fields.h"
#include "harness/run/layers.h"
#include "suites/base/nearest.h"

namespace assay {

namespace fs = std::filesystem;

fs::path data_dir() {
  if (const char* set = std::getenv("ASSAY_DATA_DIR"); set != nullptr && *set != '\0') return set;
  std::error_code code;
  const fs::path self = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : self.parent_path().parent_path() / "share" / "assay" / "suites";
}

Result<Catalogue> load_catalogue() { return Catalogue::load(data_dir()); }

std::vector<Manifest> known_adapters(const Arguments& arguments) {
  std::vector<fs::path> extra;
  for (const std::string& file : arguments.texts("adapter")) extra.emplace_back(file);
  return find_adapters(extra);
}

uint64_t drawn_seed() { return std::random_device{}(); }

Result<AdapterSettings> adapter_settings(const Arguments& arguments) {
  AdapterSettings settings;
  for (const std::string& text : arguments.texts("adapter-option")) {
    Result<std::pair<std::string, std::string>> pair = key_value("--adapter-option", text);
    if (!pair.ok()) return pair.error();
    settings.push_back(std::move(pair).value());
  }
  return settings;
}

bool takes_setting(const Manifest& adapter, const std::string& key) {
  return !adapter.options || std::find(adapter.options->begin(), adapter.options->end(), key) != adapter.options->end();
}

Status check_settings(const Manifest& adapter, const AdapterSettings& settings) {
  for (const auto& [key, value] : settings) {
    if (takes_setting(adapter, key)) continue;
    const std::string known = adapter.options->empty() ? "; it takes none" : suggestion(key, *adapter.options);
    std::string message = "--adapter-option: adapter ";
    message.append(adapter.name).append(" takes no option '").append(key).append("'").append(known);
    return bad_input(std::move(message));
  }
  return ok_status();
}

Result<ChosenDevice> choose_device(const std::string& name, const std::vector<Manifest>& adapters) {
  ChosenDevice chosen;
  const size_t colon = name.find(':');
  const std::string adapter = name.substr(0, colon);
  if (colon != std::string::npos) {
    const char* end = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + colon + 1, end, chosen.index);
    if (error != std::errc() || stop != end) {
      return bad_input("--device: expected ADAPTER:NUMBER such as cpu:0, found \"" + name + "\"");
    }
  }
  chosen.name = adapter + ":" + std::to_string(chosen.index);
  std::vector<std::string> names;
  for (const Manifest& m : adapters) {
    names.push_back(m.name);
    if (m.name != adapter) continue;
    if (!m.problem.empty()) return bad_input("--device: " + name + " can't be used: " + m.problem);
    chosen.adapter = m;
    return chosen;
  }
  return bad_input("--device: unknown device \"" + name + "\"" + suggestion(adapter, names));
}

Result<ChosenDevice> device_of(const Arguments& arguments) {
  std::string wanted = "cpu:0";
  for (const std::string& file : arguments.texts("adapter")) {
    const Result<Manifest> named = read_manifest(file);
    if (!named.ok()) return bad_input("--adapter: " + named.error().message);
    if (!named->problem.empty()) return bad_input("--adapter: " + file + ": can't be used: " + named->problem);
    wanted = named->name + ":0";
  }
  Result<ChosenDevice> chosen =
      choose_device(arguments.has("device") ? arguments.text("device") : wanted, known_adapters(arguments));
  if (chosen.ok() && !chosen->adapter.hides.empty()) {
    put_note("assay: " + chosen->name + " is of " + chosen->adapter.file.string() + ", not of " +
             chosen->adapter.hides.string());
  }
  return chosen;
}

Result<DeviceInfo> device_info(WorkerProcess& worker, const ChosenDevice& device, const AdapterSettings& settings,
                               int threads) {
  Job job;
  job.kind = Job::Kind::kDevices;
  job.adapter_library = device.adapter.library.string();
  job.device = device.adapter.name;
  job.options = settings;
  job.threads = threads;
  Result<std::vector<DeviceInfo>> devices = worker.devices(job);
  if (!devices.ok()) return Error{devices.error().kind, device.name + ": " + devices.error().message};
  if (device.index >= devices->size()) {
    return bad_input("--device: " + device.name + ": " + no_such_device(device.adapter.name, devices->size()));
  }
  return std::move((*devices)[device.index]);
}

Result<std::vector<Record>> records_of(const std::vector<std::string>& places) {
  Result<FoundRecords> found = found_records(places);
  if (!found.ok()) return found.error();
  for (const std::string& note : found->notes) put_note("assay: " + note);
  return std::move(found->records);
}

TableFormat table_format(const Arguments& arguments) {
  const std::string format = arguments.text("format");
  if (arguments.has("json") || format == "json") return TableFormat::kJson;
  if (format == "md") return TableFormat::kMarkdown;
  if (format == "csv") return TableFormat::kCsv;
  return TableFormat::kText;
}

Job job_for(Job::Kind kind, const Case& work, const ChosenDevice& device, const AdapterSettings& settings) {
  Job job;
  job.kind = kind;
  job.adapter_library = device.adapter.library.string();
  job.device = device.name;
  job.case_json = work.to_json();
  job.options = settings;
  return job;
}

std::string memory_text(uint64_t bytes) { return bytes == 0 ? "" : bytes_text(bytes); }

}  // namespace assay
