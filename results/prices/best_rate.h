// Of several rates of one class of tokens the one that a cost rests on.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "results/metrics/reported_rate.h"
#include "results/prices/cost_inputs.h"
#include "results/prices/peak_rate.h"

namespace assay {

enum class LatencyKind { kTtft, kTpot };

// A record's rate as an input of the cost.
struct CaseRate {
  const Record* record = nullptr;
  Estimate rate;
  // p99 of each latency that the rate came with, ms; infinite where its source states none.
  std::map<LatencyKind, double> p99_ms;
  bool p99_is_bounded = false;
  std::optional<PeakRate> peak;
  std::optional<double> wall_watts;  // that a source states of the whole machine, an accelerator's share
};
// None of a record without a rate of tokens.
std::optional<CaseRate> case_rate(const Record& record, const Metrics& metrics, const PriceBook& book);
// A figure that a source states, as a rate of one accelerator. Of a serving result input and output come from the same
// time, under both latencies.
CaseRate reported_case_rate(const Record& record, const ReportedRates& rates, const ReportedFigure& figure);

// Each note once.
void add_note(CostSubject* subject, const std::string& note);

// The best rate: over all cases (saturation), and over those within the limits.
class BestRate {
 public:
  BestRate(CostInput input, const LatencyLimits& limits) : input_(input), limits_(limits) {}
  void offer(const CaseRate& rate);
  [[nodiscard]] size_t cases() const { return cases_.size(); }
  [[nodiscard]] std::string adapter() const { return counted_ ? counted_->record->adapter : ""; }
  // Into the subject, and what it rests on or leaves out.
  void write(std::optional<Estimate>* rate, std::string* case_id, CostSubject* subject) const;

 private:
  [[nodiscard]] std::string why_none() const;
  CostInput input_;
  LatencyLimits limits_;
  std::set<std::string> cases_;
  std::set<int> threads_;                   // of a CPU
  std::map<LatencyKind, double> least_ms_;  // of the latencies that have a limit
  std::optional<CaseRate> saturation_, counted_;
};

}  // namespace assay
