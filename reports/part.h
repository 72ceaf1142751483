// What part of a model a record is of.
#pragma once

#include <string>

#include "results/record.h"

namespace assay {

// What part of the model a record ran, "2/24 layers, 8/64 experts"; "" where it was the whole. Its rate is the part's.
std::string part_text(const Record& record);

}  // namespace assay
