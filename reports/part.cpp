#include "reports/part.h"

namespace assay {

std::string part_text(const Record& r) {
  if (!r.extrapolation) return "";
  const Extrapolation& e = *r.extrapolation;
  std::string part;
  if (e.layers_run < e.layers_total) {
    part = std::to_string(e.layers_run) + "/" + std::to_string(e.layers_total) + " layers";
  }
  if (e.experts_run < e.experts_total) {
    part +=
        (part.empty() ? "" : ", ") + std::to_string(e.experts_run) + "/" + std::to_string(e.experts_total) + " experts";
  }
  return part;
}

}  // namespace assay
