// Tables of each two costs of the same work.
#pragma once

#include <string>
#include <vector>

#include "reports/cost_sheet.h"

namespace assay {

// For each owned chip and each rival at the same work: what it may cost to tie.
SheetTable break_even_table(const std::vector<CostRow>& rows);
// Of each two offers of the same work and class of token: which dtype is the cheaper is no question of chips.
SheetTable probability_table(const std::vector<CostRow>& rows);

}  // namespace assay
