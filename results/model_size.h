// How many parameters the model of a record has, where that is known.
#pragma once

#include <string>

#include "results/record.h"

namespace assay {

// Of the shape that the record holds; 0 where it has none of a language model.
double shape_parameters(const Record& record);
// What a model's name states: "llama2-70b" 7e10, "mixtral-8x7b" 5.6e10, "smollm2-135m" 1.35e8; 0 where nothing.
double named_parameters(const std::string& model);

}  // namespace assay
