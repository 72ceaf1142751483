// What a record states besides its samples and its case, held against what follows from these two.
#pragma once

#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

// One text for each figure that disagrees beyond rounding: "step_flops: expected 1.2e+09, which its case comes to,
// found 2.4e+09". From the samples: the order of the steps, each launch's figures, what launches of this case alone
// differ by, the timed part, the energy, the projection. From the case, lowered anew: its name and hash, model, dtype,
// tokens, FLOPs, bytes and the rows of each expert. Of what another source reported, nothing can be redone.
std::vector<std::string> record_disagreements(const Record& record);

}  // namespace assay
