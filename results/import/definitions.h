// What the names in imported results mean: one id per formula, because tools give the same name to different ones
// (three "TPOT"s, two "ITL"s, percentiles with and without interpolation).
#pragma once

#include <string>
#include <vector>

namespace assay {

struct FigureDefinition {
  const char* id;
  const char* formula;
  bool higher_is_better;
};

// All ids that importers write.
const std::vector<FigureDefinition>& figure_definitions();
// nullptr where the id is unknown (a record of a later version).
const FigureDefinition* find_definition(const std::string& id);

}  // namespace assay
