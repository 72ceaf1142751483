// How many parameters the model of a record has.
#pragma once

#include "results/record.h"

namespace assay {

// Of a measured record by the model's shape; of a reported one as its source states it, or as the model's name does
// ("llama2-70b-99"). 0: not known.
double model_params(const Record& record);

}  // namespace assay
