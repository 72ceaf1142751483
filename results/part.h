// What part of a model a record is of.
#pragma once

#include <string>

#include "results/record.h"

namespace assay {

// Whether the record ran fewer layers or fewer experts than the model has: its rate is the part's.
bool is_part(const Record& record);
// "steal 4.1 %, gaps 3.2 %"; "" where nothing disturbed the run.
std::string disturbance(const Record& record);
// What part of the model a record ran, "2/24 layers, 8/64 experts"; "" where it was the whole.
std::string part_text(const Record& record);

}  // namespace assay
