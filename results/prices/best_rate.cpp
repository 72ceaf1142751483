#include "results/prices/best_rate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "results/metrics/energy.h"
#include "results/metrics/metrics.h"
#include "results/part.h"

namespace assay {
namespace {

std::string why_no_interval(const CaseRate& c) {
  const std::string who = c.record->case_id;
  if (c.record->reported) return who + ": the source states a rate without an interval; its cost has none either";
  if (is_part(*c.record)) return who + ": projected " + c.rate.note + ", without an interval; its cost has none either";
  return who + ": a run of one step has no interval, nor has its cost";
}

std::string ms_text(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g ms", ms);
  return text;
}

const char* latency_name(LatencyKind kind) { return kind == LatencyKind::kTtft ? "TTFT" : "TPOT"; }

std::optional<double> limit_of(const LatencyLimits& limits, LatencyKind kind) {
  return kind == LatencyKind::kTtft ? limits.ttft_ms : limits.tpot_ms;
}

void take_power(const CaseRate& counted, CostSubject* subject) {
  const Energy& energy = counted.record->energy;
  if (energy.watts_mean && energy_trusted(energy) && sees_whole_machine(energy.source)) {
    subject->wall_kw = exact_estimate(*energy.watts_mean / 1000, counted.record->basis, energy.source);
  } else if (counted.wall_watts) {
    subject->wall_kw = exact_estimate(*counted.wall_watts / 1000, counted.record->basis, counted.rate.source);
    subject->wall_kw->note = "the source's mean power of the whole system, over its accelerators";
  }
  if (const EnergyFigures figures = energy_figures(*counted.record); figures.joules_per_token) {
    subject->joules_per_token = figures.joules_per_token;
  }
}

}  // namespace

std::optional<CaseRate> case_rate(const Record& r, const Metrics& m, const PriceBook& book) {
  if (!m.rate || m.unit != "tokens/s" || (r.token_class != "input" && r.token_class != "output")) return std::nullopt;
  CaseRate out;
  out.record = &r;
  out.rate.typical = m.rate->per_s;
  out.rate.low = m.rate->interval.low;
  out.rate.high = m.rate->interval.high;
  out.rate.spread = m.rate->n > 1 ? Spread::kInterval95 : Spread::kUnknown;
  out.rate.basis = r.basis;
  out.rate.source = "record " + r.id.substr(0, 8) + ", " + r.case_id;
  out.rate.date = r.created.substr(0, 10);
  double to_whole = 1;  // the whole model's step over that of the part that ran
  if (is_part(r)) {
    if (!m.projected_rate) return std::nullopt;
    to_whole = m.rate->per_s / *m.projected_rate;
    out.rate.low = out.rate.typical = out.rate.high = *m.projected_rate;
    out.rate.spread = Spread::kUnknown;  // a line through two points has no interval
    out.rate.basis = "projected";
    out.rate.note = "from " + part_text(r);
  }
  if (m.step && m.step->quantiles.size() > 2) {
    const Quantile& p99 = m.step->quantiles[2];
    out.p99_is_bounded = p99.high.has_value() && !is_part(r);
    out.p99_ms[r.token_class == "input" ? LatencyKind::kTtft : LatencyKind::kTpot] =
        p99.high.value_or(p99.value.value_or(m.step->max)) / 1e6 * to_whole;
  }
  out.peak = peak_rate(r, book);
  return out;
}

CaseRate reported_case_rate(const Record& r, const ReportedRates& rates, const ReportedFigure& figure) {
  CaseRate out;
  out.record = &r;
  out.rate = exact_estimate(figure.value, r.basis, "");
  out.rate.low = figure.low.value_or(figure.value);
  out.rate.high = figure.high.value_or(figure.value);
  out.rate.spread = figure.low && figure.high ? Spread::kInterval95 : Spread::kUnknown;
  out.rate.source = r.reported->producer + ", " + r.reported->source_file + ": " + figure.source_field + ", record " +
                    r.id.substr(0, 8);
  out.rate.date = r.reported->source_date;
  if (rates.accelerators && *rates.accelerators > 1)
    out.rate.note = "per accelerator, over " + std::to_string(std::lround(*rates.accelerators));
  if (r.reported->stated.count(kGivenAccelerators) != 0)
    out.rate.note += (out.rate.note.empty() ? "" : ", ") + std::string("number of accelerators given at import");
  constexpr double kNotStated = std::numeric_limits<double>::infinity();
  const bool of_prompts = figure.name.rfind("input_", 0) == 0;
  if (rates.serving || of_prompts) out.p99_ms[LatencyKind::kTtft] = rates.ttft_p99_ms.value_or(kNotStated);
  if (rates.serving || !of_prompts) out.p99_ms[LatencyKind::kTpot] = rates.tpot_p99_ms.value_or(kNotStated);
  out.wall_watts = rates.wall_watts;
  return out;
}

void add_note(CostSubject* subject, const std::string& note) {
  if (std::find(subject->notes.begin(), subject->notes.end(), note) == subject->notes.end()) {
    subject->notes.push_back(note);
  }
}

void BestRate::offer(const CaseRate& c) {
  // What is imported under one name is of systems that differ.
  cases_.insert(c.record->reported ? c.record->case_id + " " + c.record->id : c.record->case_id);
  if (const std::optional<int> threads = compute_threads(*c.record)) threads_.insert(*threads);
  if (!saturation_ || c.rate.typical > saturation_->rate.typical) saturation_ = c;
  bool kept = true;
  for (const auto& [kind, p99_ms] : c.p99_ms) {
    const std::optional<double> limit = limit_of(limits_, kind);
    if (!limit) continue;
    kept = kept && p99_ms <= *limit;
    double& least = least_ms_.try_emplace(kind, p99_ms).first->second;
    least = std::min(least, p99_ms);
  }
  if (kept && (!counted_ || c.rate.typical > counted_->rate.typical)) counted_ = c;
}

std::string BestRate::why_none() const {
  std::string text = "no case keeps ";
  for (const auto& [kind, least] : least_ms_)
    text += (kind == least_ms_.begin()->first ? "" : " and ") + std::string(latency_name(kind)) +
            " <= " + ms_text(*limit_of(limits_, kind));
  if (least_ms_.size() > 1) return text;
  const double least = least_ms_.begin()->second;
  return text + (std::isfinite(least) ? "; the nearest p99 is " + ms_text(least) : "; no p99 is stated");
}

void BestRate::write(std::optional<Estimate>* rate, std::string* case_id, CostSubject* subject) const {
  if (!saturation_) return;
  if (!counted_) {
    add_note(subject, why_none());
    return;
  }
  *rate = counted_->rate;
  for (const CaseRate* used : {&*counted_, &*saturation_}) {
    if (used->record->noise.disturbed) add_note(subject, used->record->case_id + " was disturbed");
    if (used->record->basis == "measured" && used->record->numerics.verdict == "not-run")
      add_note(subject, used->record->case_id + ": nobody checked its numbers, so this may be the price of wrong ones");
    const std::string options = adapter_options_text(*used->record);
    if (!options.empty()) add_note(subject, used->record->case_id + " ran with adapter options " + options);
    if (threads_.size() > 1)
      add_note(subject, used->record->case_id + " ran with threads " + std::to_string(used->record->threads));
  }
  if (counted_->rate.spread == Spread::kUnknown) subject->notes.push_back(why_no_interval(*counted_));
  *case_id = counted_->record->case_id;
  subject->counted.push_back(counted_->record->id);
  subject->ladder.saturation.at(input_) = saturation_->rate.typical;
  if (const std::optional<PeakRate>& peak = saturation_->peak) {
    subject->ladder.peak.at(input_) = peak->per_s;
    subject->ladder.bound.at(input_) = peak->bound;
    if (peak->of_datasheet) subject->ladder.of_datasheet.insert(input_);
  }
  for (const auto& [kind, p99_ms] : counted_->p99_ms) {
    if (!limit_of(limits_, kind) || counted_->record->reported || counted_->p99_is_bounded) continue;
    subject->notes.push_back(counted_->record->case_id +
                             (is_part(*counted_->record)
                                  ? ": the p99 of the part that ran, projected like its mean, was held against "
                                  : ": too few steps for a bound of p99; its value was held against ") +
                             latency_name(kind));
  }
  take_power(*counted_, subject);
}

}  // namespace assay
