// What `assay cost` and `assay verdict` say, as sheets.
#pragma once

#include <string>
#include <vector>

#include "reports/sheet.h"
#include "results/metrics/target.h"
#include "results/prices/cost_inputs.h"

namespace assay {

// One chip with its cost.
struct CostRow {
  PricedSubject priced;
  Cost cost;
};

// Per class of token and per subject: yuan per 100K and 1M tokens with intervals, what electricity alone costs; the
// inputs with source and grade; what moves the result; break-even chip prices between each two chips at the same work,
// and how likely each cost is the lower. `clips`: yuan per clip of those that records compose.
Sheet cost_sheet(const std::vector<CostRow>& rows, const std::vector<CostRow>& clips = {});

// Of each two costs of the same model, dtype, tier, basis and class of tokens, one of A and one of B: how likely B's is
// the lower.
SheetTable cheaper_table(const std::vector<CostRow>& a, const std::vector<CostRow>& b);
// Of those pairs the ones of which one side is rented and the other owned, with the option that takes both alike.
std::vector<std::string> way_notes(const std::vector<CostRow>& a, const std::vector<CostRow>& b);

// "63.2 %"; "0.6–63.2 %" where it is known within a step alone.
std::string probability_text(const Probability& p);
const char* way_text(const CostInputs& inputs);     // "owned", "rented"
std::string use_text(const CostInputs& inputs);     // "60.0 %": the useful share of the hours that are paid
std::string alike_text(const std::string& option);  // of alike_by(): "--rented takes both alike"

// The target in both units of the press (per 100K and per 1M tokens); the waterfall and the levers are of the unit that
// the target names. `cny`: one unit of the target's currency in CNY.
Sheet verdict_sheet(const std::vector<CostRow>& rows, const Target& target, const Estimate& cny,
                    double reference_tariff);

// "0.08056", four digits: how an amount of money stands in a table.
std::string money_text(double value);
// "0.0701–0.0912"
// "" where there is no interval.
std::string money_interval_text(const Interval& interval, double scale);
std::string chip_text(const PricedSubject& subject);  // "H100 SXM"
// "H100 SXM, llama-3.1-8b bf16"; with basis and tier where these are not "measured" and "program".
std::string subject_text(const PricedSubject& subject);
// "measured; prices assumed and reported"
std::string cost_basis_text(const Cost& cost);

}  // namespace assay
