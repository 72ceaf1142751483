// The vendor's management library in NVML's shape: 250 W that add up, at 40 degrees; the rest as the settings say.
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr double kWatts = 250;
constexpr int kInvalid = 2, kTooSmall = 7, kOtherPid = 4321, kPidInHost = 777;
constexpr int kRefused = 3;
constexpr uint64_t kNotTold = ~uint64_t{0};

const int kCards[2] = {0, 1};  // at PCI buses 1 and 2, 40 and 41 degrees warm

struct Memory {
  uint64_t total, free, used;
};
struct Rates {
  unsigned gpu, memory;
};
struct FieldValue {
  unsigned field, scope;
  long long timestamp, latency_us;
  int type, status;
  uint64_t value;
};
struct Process {
  unsigned pid;
  uint64_t used_bytes;
  unsigned instance, compute_instance;
};

}  // namespace

#define SMI_ENTRY(name, ...) ENTRY_AS(gpusmi##name, standin_smi_##name, __VA_ARGS__)

extern "C" {

int64_t assay_standin(const char* key, int64_t value);

SMI_ENTRY(Init, void) { return 0; }
SMI_ENTRY(DeviceHandle, const char* bus_id, const void** out) {
  const std::string_view id = bus_id == nullptr ? "" : bus_id;
  if (id != "0000:01:00.0" && id != "0000:02:00.0") return kInvalid;
  *out = &kCards[id[6] - '1'];
  return 0;
}
SMI_ENTRY(PowerUsage, void*, unsigned* mw) {
  *mw = static_cast<unsigned>(kWatts * 1e3);
  return 0;
}
SMI_ENTRY(FieldValues, void*, int n, FieldValue* values) {
  for (int i = 0; i < n; ++i) {
    values[i].status = values[i].field == 186 ? 0 : kInvalid;
    values[i].value = static_cast<uint64_t>(kWatts * 1e3);
  }
  return 0;
}
SMI_ENTRY(TotalEnergy, void*, unsigned long long* mj) {
  const std::chrono::duration<double> since = std::chrono::steady_clock::now().time_since_epoch();
  *mj = static_cast<unsigned long long>(since.count() * kWatts * 1e3);
  return 0;
}
SMI_ENTRY(Temperature, const int* card, int, unsigned* degrees) {
  *degrees = static_cast<unsigned>(40 + *card);
  return 0;
}
SMI_ENTRY(ClockInfo, void*, int kind, unsigned* mhz) {
  *mhz = kind == 2 ? 2619 : 1980;
  return 0;
}
SMI_ENTRY(MaxClock, void*, int kind, unsigned* mhz) {
  *mhz = kind == 2 ? 2619 : 1985;
  return 0;
}
SMI_ENTRY(MemoryUsed, void*, Memory* out) {
  *out = {uint64_t{80} << 30, uint64_t{79} << 30, uint64_t{1} << 30};
  return 0;
}
SMI_ENTRY(Utilization, void*, Rates* out) {
  *out = {97, 50};
  return 0;
}
SMI_ENTRY(ThrottleReasons, void*, unsigned long long* reasons) {
  *reasons = 1 | static_cast<unsigned long long>(standin::setting("throttle"));  // idle, and what the test wants
  return 0;
}
SMI_ENTRY(PowerLimit, void*, unsigned* mw) {
  *mw = 600000;
  return 0;
}
SMI_ENTRY(DefaultPowerLimit, void*, unsigned* mw) {
  *mw = 700000;
  return 0;
}
SMI_ENTRY(EccMode, void*, unsigned* now, unsigned* later) {
  *now = *later = 1;
  return 0;
}
SMI_ENTRY(EccErrors, void*, int kind, int counter, unsigned long long* errors) {
  const int64_t after = standin::setting("ecc_after");  // so many launches; 0: never
  *errors = after > 0 && assay_standin("launches", 0) >= after ? 3 : 2;
  return kind == 1 && counter == 0 ? 0 : kInvalid;
}
SMI_ENTRY(MigMode, void*, unsigned* now, unsigned* later) {
  *now = *later = static_cast<unsigned>(standin::setting("mig"));
  return 0;
}
// Those with a context on the device: this process once it has one (in a container under another number), a stranger.
SMI_ENTRY(Processes, void*, unsigned* n, Process* list) {
  const unsigned room = *n;
  *n = 0;
  if (standin::setting("processes_refused") != 0) return kRefused;
  if (room < 2) return kTooSmall;
  if (standin::setting("stranger") != 0) list[(*n)++] = {kOtherPid, uint64_t{512} << 20, ~0u, ~0u};
  if (standin::setting("untold_stranger") != 0) list[(*n)++] = {kOtherPid, kNotTold, ~0u, ~0u};
  if (standin::setting("contexts") != 0 && standin::setting("unlisted") == 0) {
    list[(*n)++] = {standin::setting("container") != 0 ? kPidInHost : static_cast<unsigned>(getpid()), 0, ~0u, ~0u};
  }
  return 0;
}
SMI_ENTRY(ProcessName, unsigned pid, char* name, unsigned length) {
  std::snprintf(name, length, "%s", pid == kOtherPid ? "/usr/bin/stranger" : "");
  return pid == kOtherPid ? 0 : kInvalid;
}

// Of card 0, or what came in its place.
SMI_ENTRY(UniqueId, const int* card, char* text, unsigned length) {
  const int64_t which = 2 * standin::setting("exchanged") + *card;
  std::snprintf(text, length, "GPU-00000000-0000-0000-0000-%012lld", static_cast<long long>(which));
  return 0;
}
SMI_ENTRY(DriverVersion, char* text, unsigned length) {
  std::snprintf(text, length, "580.00.0%lld", static_cast<long long>(standin::setting("later_driver")));
  return 0;
}
SMI_ENTRY(Firmware, void*, char* text, unsigned length) {
  std::snprintf(text, length, "96.00.00.00.01");
  return 0;
}

}  // extern "C"
