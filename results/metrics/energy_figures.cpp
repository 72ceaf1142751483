#include "results/metrics/energy.h"
#include "results/part.h"

namespace assay {

bool energy_trusted(const Energy& energy) {
  return energy.code.empty() || energy.code == energy_code_name(EnergyCode::kTrusted);
}

EnergyFigures energy_figures(const Record& record) {
  EnergyFigures out;
  const Energy& e = record.energy;
  out.code = e.code;
  out.reason = e.reason;
  if (record.status != "ok") {  // what a failed or cut-off run took is the energy of no known work
    if (out.reason.empty()) out.reason = "the run did not end well: " + record.status;
    return out;
  }
  if (record.reported) {
    for (const ReportedFigure& f : record.reported->figures) {
      if (f.name == "energy_per_token") out.joules_per_token = f.value;
    }
    if (out.joules_per_token) out.tokens_per_joule = 1 / *out.joules_per_token;
    return out;
  }
  const double tokens =
      static_cast<double>(record.tokens_per_step) * static_cast<double>(record.samples.host_ns.size());
  if (is_part(record)) {
    out.reason = "measured over " + part_text(record) + ": no energy of a token of the whole model";
    return out;
  }
  if (!energy_trusted(e) && out.reason.empty()) out.reason = "untrusted: " + e.code;
  if (!energy_trusted(e) || !e.joules || !(tokens > 0) || !(*e.joules > 0)) return out;
  out.joules_per_token = *e.joules / tokens;
  out.tokens_per_joule = tokens / *e.joules;
  if (e.uncertainty_j) out.relative_uncertainty = *e.uncertainty_j / *e.joules;
  if (e.idle_watts && e.watts_mean && *e.watts_mean > 0) {
    out.net_joules_per_token = *out.joules_per_token * (1 - *e.idle_watts / *e.watts_mean);
  }
  return out;
}

}  // namespace assay
