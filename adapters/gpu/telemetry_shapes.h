// Management libraries by the shape of their calls: what each opens, and what reading any of them needs.
#pragma once

#include <cstring>

#include "adapters/gpu/telemetry.h"

namespace assay::gpu {

// How the vendor's library is called.
enum TelemetryShape { kNvml, kNvmlByIndex, kRocmSmi, kMtml, kMxsml, kPtml };

// nullptr: it does not answer. The library stays loaded.
std::unique_ptr<Telemetry> open_nvml(const Library& library, const std::vector<std::string>& bus_ids, bool by_index);
std::unique_ptr<Telemetry> open_rocm_smi(const Library& library);
std::unique_ptr<Telemetry> open_mtml(const Library& library, size_t n_devices);
std::unique_ptr<Telemetry> open_mxsml(const Library& library);
std::unique_ptr<Telemetry> open_ptml(const Library& library, size_t n_devices);

template <typename F>
void load_function(const Library& library, F*& function, const char* name) {
  void* symbol = library.find(name);
  std::memcpy(&function, &symbol, sizeof(symbol));
}

// Notes a reading if the call that fills it was made and went well. It is asked for the value only then: a call's
// arguments may be evaluated in any order.
template <typename T>
void note_reading(assay_telemetry& out, bool valid, uint32_t bit, double& field, const T& reading, double unit) {
  if (!valid) return;
  field = static_cast<double>(reading) * unit;
  out.valid |= bit;
}

}  // namespace assay::gpu
