#include "harness/measure/powercap.h"

#include <algorithm>

#include "harness/measure/files.h"

namespace assay {
namespace {

constexpr const char* kPowercap = "sys/class/powercap";

// Zones at the top ("intel-rapl:0"): their parts ("intel-rapl:0:0") are inside them.
std::vector<std::string> top_zones(const SystemRoot& root) {
  std::vector<std::string> zones;
  std::error_code error;
  for (std::filesystem::directory_iterator at(below(root, kPowercap), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (std::count(name.begin(), name.end(), ':') == 1) zones.push_back(name);
  }
  std::sort(zones.begin(), zones.end());
  return zones;
}

}  // namespace

Result<PackageEnergy> PackageEnergy::open(const SystemRoot& root) {
  std::error_code error;
  if (!std::filesystem::exists(below(root, kPowercap), error)) {
    return Error{ErrorKind::kUnsupported, "no /sys/class/powercap"};
  }
  PackageEnergy energy;
  energy.root_ = root;
  for (const std::string& name : top_zones(root)) {
    const std::string folder = std::string(kPowercap) + "/" + name;
    const Result<std::string> label = read_text(root, folder + "/name");
    // intel-rapl-mmio shows the same package a second time.
    if (!label || label->compare(0, 7, "package") != 0 || name.find("mmio") != std::string::npos) continue;
    const Result<uint64_t> range = read_u64(root, folder + "/max_energy_range_uj");
    const Result<uint64_t> now = read_u64(root, folder + "/energy_uj");
    if (!range) return range.error();
    if (!now) return now.error();
    energy.zones_.push_back({folder + "/energy_uj", *range, *now});
    energy.names_.push_back(*label);
  }
  if (energy.zones_.empty()) return Error{ErrorKind::kUnsupported, "no package zone in /sys/class/powercap"};
  return energy;
}

Result<double> PackageEnergy::read_j() {
  for (Zone& zone : zones_) {
    const Result<uint64_t> now = read_u64(root_, zone.file);
    if (!now) return now.error();
    if (*now < zone.last_uj && zone.last_uj > zone.range_uj) {
      return Error{ErrorKind::kIo, "/" + zone.file + " went back from above its own range"};
    }
    total_uj_ += static_cast<double>(*now >= zone.last_uj ? *now - zone.last_uj : zone.range_uj - zone.last_uj + *now);
    zone.last_uj = *now;
  }
  return total_uj_ * 1e-6;
}

}  // namespace assay
