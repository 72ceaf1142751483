// Energies of a record: its launches together, the same figures again from its readings, and what its source sees.
#include <cmath>

#include "results/metrics/energy.h"

namespace assay {
namespace {

// The window without its pauses: each part with the readings from the middle of the pause before to that of the next.
std::vector<Energy> parts_of(const Energy& whole) {
  std::vector<Energy> parts;
  uint64_t start = whole.window_start_ns, from = 0;
  for (size_t i = 0; i <= whole.pause_ns.size(); ++i) {
    const bool last = i == whole.pause_ns.size();
    const uint64_t end = last ? whole.window_end_ns : whole.pause_start_ns[i];
    const uint64_t to = last ? UINT64_MAX : end + whole.pause_ns[i] / 2;
    Energy part = whole;
    part.pause_start_ns.clear();
    part.pause_ns.clear();
    part.window_start_ns = start;
    part.window_end_ns = end;
    std::erase_if(part.samples, [&](const PowerSample& s) { return s.t_ns < from || s.t_ns >= to; });
    parts.push_back(std::move(part));
    if (!last) start = end + whole.pause_ns[i];
    from = to;
  }
  return parts;
}

}  // namespace

void sum_of_energies(const std::vector<Energy>& parts, Energy* sum) {
  double joules = 0, seconds = 0, squares = 0;
  for (const Energy& part : parts) {
    if (!part.joules || !part.watts_mean) {
      sum->joules = sum->watts_mean = sum->uncertainty_j = std::nullopt;
      sum->code = part.code;
      sum->reason = part.reason;
      return;
    }
    joules += *part.joules;
    seconds += *part.watts_mean > 0 ? *part.joules / *part.watts_mean : 0;
    squares += std::pow(part.uncertainty_j.value_or(0), 2);
  }
  sum->joules = joules;
  if (seconds > 0) sum->watts_mean = joules / seconds;
  sum->uncertainty_j = std::sqrt(squares);
}

Energy energy_again(const Energy& recorded) {
  if (!recorded.pause_ns.empty()) {
    std::vector<Energy> parts = parts_of(recorded);
    for (Energy& part : parts) part = energy_again(part);
    Energy out = recorded;
    sum_of_energies(parts, &out);
    return out;
  }
  std::string name = recorded.source;
  for (const std::string& way : {std::string(kByCounter), std::string(kByPower)}) {
    if (name.size() > way.size() && name.substr(name.size() - way.size()) == way) name.resize(name.size() - way.size());
  }
  Energy out = energy_of_source(name, recorded.samples, recorded.window_start_ns, recorded.window_end_ns,
                                recorded.averaging_ns, recorded.power_limit_w.value_or(0));
  out.idle_watts = recorded.idle_watts;
  out.window_start_ns = recorded.window_start_ns;
  out.window_end_ns = recorded.window_end_ns;
  out.samples = recorded.samples;
  if (out.joules) {
    out.uncertainty_j = *out.joules * energy_uncertainty(out.samples, out.window_start_ns, out.window_end_ns,
                                                         out.averaging_ns, *out.watts_mean, out.idle_watts)
                                          .total();
  }
  return out;
}

EnergySource energy_source(const std::string& source) {
  const auto has = [&](const char* word) { return source.find(word) != std::string::npos; };
  if (source.empty() || source == "none") return EnergySource::kNone;
  if (has("wall") || has("analyser")) return EnergySource::kWall;
  if (has("BMC") || has("DCMI") || has("Redfish")) return EnergySource::kBmc;
  return has(kByCounter) ? EnergySource::kCounter : EnergySource::kPower;
}

bool sees_whole_machine(const std::string& source) {
  const EnergySource kind = energy_source(source);
  return kind == EnergySource::kWall || kind == EnergySource::kBmc || source.find("(node") != std::string::npos;
}

}  // namespace assay
