// How many parameters the model of a record has.
#pragma once

#include <string>

#include "results/record.h"

namespace assay {

// Of a measured record by the model's shape; of a reported one as its source states it, or as the model's name does
// ("llama2-70b-99"). 0: not known.
double model_params(const Record& record);
// As a name states it: "llama2-70b" 7e10, "smollm2-135m" 1.35e8; 0 where nothing.
double params_in_name(const std::string& model);

}  // namespace assay
