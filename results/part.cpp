#include "results/part.h"

#include "suites/base/words.h"

namespace assay {

bool is_part(const Record& r) {
  return r.extrapolation && (r.extrapolation->layers_run != r.extrapolation->layers_total ||
                             r.extrapolation->experts_run != r.extrapolation->experts_total);
}

std::string part_text(const Record& r) {
  if (!is_part(r)) return "";
  const Extrapolation& e = *r.extrapolation;
  std::string part;
  if (e.layers_run != e.layers_total) {
    part = std::to_string(e.layers_run) + "/" + std::to_string(e.layers_total) + " layers";
  }
  if (e.experts_run != e.experts_total) {
    part +=
        (part.empty() ? "" : ", ") + std::to_string(e.experts_run) + "/" + std::to_string(e.experts_total) + " experts";
  }
  return part;
}

std::string disturbance(const Record& record) {
  return record.noise.disturbed ? joined(record.noise.causes, ", ") : "";
}

}  // namespace assay
