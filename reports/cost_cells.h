// Columns and cells that the tables of costs share.
#pragma once

#include <string>
#include <vector>

#include "reports/cost_sheet.h"

namespace assay {

inline constexpr double kPer1M = 1e6;  // tokens

// A value, its interval as one text, and its ends for machines.
std::vector<SheetColumn> amount_columns(const std::string& name, const std::string& title);
void add_amount(const Amount& amount, double scale, std::vector<SheetCell>* row);

// Owned or rented, and the share of the paid hours that is useful. `name` goes before theirs.
void add_way_columns(const std::string& name, SheetTable* table);
void add_way(const CostInputs& inputs, std::vector<SheetCell>* row);

// How likely it is the cheaper: of a range the ends alone are numbers.
void add_probability_columns(const std::string& title, SheetTable* table);
void add_probability(const std::optional<Probability>& p, std::vector<SheetCell>* row);
// Below the table, where a row has a range.
void add_range_note(const std::optional<Probability>& p, SheetTable* table);

// Unless it stands there.
void add_cost_note(std::vector<std::string>* notes, const std::string& note);

}  // namespace assay
