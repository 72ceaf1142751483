// Management libraries by the shape of their calls: what each opens, and what reading any of them needs.
#pragma once

#include <cstring>

#include "adapters/gpu/telemetry.h"

namespace assay::gpu {

// How the vendor's library is called.
enum TelemetryShape { kNvml, kRocmSmi, kMtml, kMxsml, kPtml };

// nullptr: it does not answer, or knows no card of ours. The library stays loaded. A library sees all cards of the
// machine, the runtime those that an environment variable leaves, in an order of its own: cards are told by their PCI
// address.
std::unique_ptr<Telemetry> open_nvml(const Library& library, const std::vector<std::string>& bus_ids);
std::unique_ptr<Telemetry> open_rocm_smi(const Library& library, const std::vector<std::string>& bus_ids);
std::unique_ptr<Telemetry> open_mtml(const Library& library, const std::vector<std::string>& bus_ids);
std::unique_ptr<Telemetry> open_mxsml(const Library& library, const std::vector<std::string>& bus_ids);
std::unique_ptr<Telemetry> open_ptml(const Library& library, const std::vector<std::string>& bus_ids);

// "0000:01:00.0", the domain in 4 or 8 digits, as domain << 32 | bus << 8 | device << 3 | function; ~0: no address.
uint64_t pci_address(const std::string& bus_id);

inline constexpr uint32_t kUnbound = ~0U;  // no card of the library's is the device

// Of the library's n cards, whose addresses address_of tells, the one that each device is.
template <typename F>
std::vector<uint32_t> bound_cards(const std::vector<std::string>& bus_ids, uint32_t n, const F& address_of) {
  std::vector<uint32_t> out(bus_ids.size(), kUnbound);
  for (uint32_t card = 0; card < n; ++card) {
    const uint64_t address = address_of(card);
    for (size_t i = 0; i < out.size(); ++i) {
      if (address != ~uint64_t{0} && pci_address(bus_ids[i]) == address) out[i] = card;
    }
  }
  return out;
}

[[noreturn]] inline void no_telemetry(uint32_t device) {
  throw Failure(ASSAY_UNSUPPORTED, "no telemetry of device " + std::to_string(device) +
                                       ": the management library has no card at its PCI address");
}

template <typename F>
void load_function(const Library& library, F*& function, const char* name) {
  void* symbol = library.find(name);
  std::memcpy(&function, &symbol, sizeof(symbol));
}

// What a call of this kind writes, its last two arguments being where and how much; "" where there is none or it
// refuses.
template <typename F, typename... A>
std::string text_of(F* function, A... of) {
  char text[256] = "";
  return function != nullptr && function(of..., text, sizeof(text) - 1) == 0 ? text : "";
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
