// What a reported record says of one accelerator's rate of tokens.
#pragma once

#include <optional>
#include <string>

#include "results/record.h"

namespace assay {

struct ReportedRates {
  // tokens/s of one accelerator. Of a serving result output and all tokens come from the same time, so each alone
  // carries the whole cost; input alone is not there.
  std::optional<ReportedFigure> input, output, total;
  std::optional<double> accelerators;  // that the source's figure is of; 1 where it is of each
  std::optional<double> tpot_p99_ms;   // where the source states it
  std::optional<double> ttft_p99_ms;   // likewise
  std::optional<double> wall_watts;    // mean power of the whole system at the wall, an accelerator's share of it
  bool serving = false;                // input and output in the same time
  std::string reason;                  // why there is no rate

  // What stands for them all: output, else all tokens, else input.
  [[nodiscard]] const std::optional<ReportedFigure>& lead() const { return output ? output : total ? total : input; }
};
// The name in Reported::stated of a number of accelerators that the source leaves out and was given at import.
inline constexpr const char* kGivenAccelerators = "accelerators (given at import)";
// Of how many accelerators the source's figures are: what it states, else what was given.
std::optional<double> stated_accelerators(const Reported& reported);
// Nothing for a record that is not reported or not ok.
ReportedRates reported_rates(const Record& record);

}  // namespace assay
