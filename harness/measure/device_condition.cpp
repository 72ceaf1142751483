#include "harness/measure/device_condition.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

#include "adapters/abi/assay_adapter.h"

namespace assay {
namespace {

struct Reason {
  uint64_t bit;
  const char* text;
};
constexpr std::array<Reason, 4> kReasons{{{ASSAY_THROTTLE_POWER, "power cap"},
                                          {ASSAY_THROTTLE_THERMAL, "heat"},
                                          {ASSAY_THROTTLE_HARDWARE, "hardware"},
                                          {ASSAY_THROTTLE_SETTING, "a setting"}}};
constexpr uint64_t kDisturbing = ASSAY_THROTTLE_THERMAL | ASSAY_THROTTLE_HARDWARE;

constexpr const char* kUnknown = "unknown";  // how a state begins that the adapter could not find out

// Bits of later minors: no reason that is known here.
uint64_t known_reasons(uint64_t mask) {
  constexpr uint64_t kKnown = kDisturbing | ASSAY_THROTTLE_POWER | ASSAY_THROTTLE_SETTING;
  return (mask & ~kKnown) != 0 ? (mask & kKnown) | ASSAY_THROTTLE_HARDWARE : mask;
}

void extremes(const std::vector<DeviceReading>& readings, std::optional<double> DeviceReading::*field, const char* name,
              NoiseReport* noise) {
  std::optional<double> least, most;
  for (const DeviceReading& r : readings) {
    if (!(r.*field)) continue;
    least = std::min(least.value_or(*(r.*field)), *(r.*field));
    most = std::max(most.value_or(*(r.*field)), *(r.*field));
  }
  if (least) noise->values[std::string("device_") + name + "_min"] = *least;
  if (most) noise->values[std::string("device_") + name + "_max"] = *most;
}

std::string share_text(const char* what, double share) {
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "clocks held down by %s %.1f %%", what, 100 * share);
  return text.data();
}

// Steps that overlap a span; both in ascending order.
uint64_t steps_within(const Samples& samples, const NoiseReport& noise) {
  uint64_t n = 0;
  size_t span = 0;
  for (size_t i = 0; i < samples.start_ns.size(); ++i) {
    const uint64_t begin = samples.start_ns[i], end = begin + samples.host_ns[i];
    while (span < noise.throttle_ns.size() && noise.throttle_start_ns[span] + noise.throttle_ns[span] <= begin) ++span;
    if (span < noise.throttle_ns.size() && noise.throttle_start_ns[span] < end) ++n;
  }
  return n;
}

void mark_spans(const std::vector<DeviceReading>& readings, uint64_t t0_ns, uint64_t t1_ns, NoiseReport* noise) {
  for (size_t i = 0; i < readings.size(); ++i) {
    const uint64_t mask = known_reasons(readings[i].throttle.value_or(0));
    const uint64_t begin = std::max(readings[i].t_ns, t0_ns);
    const uint64_t end = std::min(i + 1 < readings.size() ? readings[i + 1].t_ns : t1_ns, t1_ns);
    if (mask == 0 || end <= begin) continue;
    const bool goes_on = !noise->throttle_ns.empty() && noise->throttle_reasons.back() == mask &&
                         noise->throttle_start_ns.back() + noise->throttle_ns.back() == begin - t0_ns;
    if (goes_on) {
      noise->throttle_ns.back() += end - begin;
      continue;
    }
    noise->throttle_start_ns.push_back(begin - t0_ns);
    noise->throttle_ns.push_back(end - begin);
    noise->throttle_reasons.push_back(mask);
  }
}

}  // namespace

void judge_readings(const std::vector<DeviceReading>& readings, uint64_t t0_ns, uint64_t t1_ns, Record* record) {
  std::vector<DeviceReading> inside;
  for (const DeviceReading& r : readings) {
    if (r.t_ns >= t0_ns && r.t_ns <= t1_ns) inside.push_back(r);
  }
  NoiseReport& noise = record->noise;
  extremes(inside, &DeviceReading::temp_c, "temp_c", &noise);
  extremes(inside, &DeviceReading::core_mhz, "core_mhz", &noise);
  extremes(inside, &DeviceReading::mem_mhz, "mem_mhz", &noise);
  mark_spans(readings, t0_ns, t1_ns, &noise);
  if (noise.throttle_ns.empty()) return;
  noise.values["throttled_steps"] = static_cast<double>(steps_within(record->samples, noise));
  for (const Reason& reason : kReasons) {
    uint64_t sum = 0;
    for (size_t i = 0; i < noise.throttle_ns.size(); ++i) {
      if ((noise.throttle_reasons[i] & reason.bit) != 0) sum += noise.throttle_ns[i];
    }
    if (sum == 0) continue;
    const double share = static_cast<double>(sum) / static_cast<double>(t1_ns - t0_ns);
    const std::string text = share_text(reason.text, share);
    if ((reason.bit & kDisturbing) != 0) {
      noise.disturbed = true;
      noise.causes.push_back(text);
    } else {
      record->warnings.push_back(text + " of the timed part");
    }
  }
}

void note_state(const std::map<std::string, std::string>& state, Record* record) {
  for (const auto& [name, value] : state) record->environment["device_" + name] = value.empty() ? "none" : value;
  const auto mig = state.find("mig");
  if (mig != state.end() && mig->second == "on") {
    record->warnings.emplace_back(
        "the device is a MIG slice: power, energy "
        "and heat are those of the whole card");
  }
}

Status judge_state(const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after,
                   Record* record) {
  const auto value = [](const std::map<std::string, std::string>& state, const char* name) {
    const auto found = state.find(name);
    return found == state.end() ? std::string() : found->second;
  };
  std::string others = value(before, "other_processes");
  if (others.empty() || others.rfind(kUnknown, 0) == 0) {
    const std::string later = value(after, "other_processes");
    if (!later.empty()) others = later;
  }
  if (others.rfind(kUnknown, 0) == 0) {
    record->warnings.push_back("whether others used the device is " + others);
  } else if (!others.empty()) {
    record->noise.disturbed = true;
    record->noise.causes.push_back("others on the device: " + others);
  }
  const std::string was = value(before, "ecc_uncorrected"), is = value(after, "ecc_uncorrected");
  if (was.empty() || is.empty()) return ok_status();  // not counted, or not to be told
  if (std::strtoull(is.c_str(), nullptr, 10) <= std::strtoull(was.c_str(), nullptr, 10)) return ok_status();
  return Error{ErrorKind::kAdapter, "the device counted uncorrected ECC errors during the run: " + was + " before, " +
                                        is + " after; nothing computed meanwhile can be trusted"};
}

}  // namespace assay
