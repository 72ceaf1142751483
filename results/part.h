// What part of a model a record is of, and what else sets it apart from others of its case.
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

// "in pages of 16 tokens, in the order of seed 1": the KV cache of the record's case; "" where each sequence has one
// block.
std::string pages_text(const Record& record);
// "attention=own products=own": what the user set of the adapter; "" where nothing, or where it isn't known.
std::string adapter_options_text(const Record& record);

}  // namespace assay
