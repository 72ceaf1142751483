#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "results/metrics/energy.h"
#include "results/metrics/metrics.h"
#include "results/metrics/reported_rate.h"
#include "results/metrics/roofline.h"
#include "results/metrics/video_clip.h"
#include "results/part.h"
#include "results/prices/cost_inputs.h"
#include "results/prices/datasheet.h"
#include "results/standing.h"
#include "suites/suite.h"

namespace assay {
namespace {

// A record's rate as an input of the cost.
struct CaseRate {
  const Record* record = nullptr;
  Estimate rate;
  double step_p99_ms = 0;
  bool p99_is_bounded = false;
  std::optional<double> peak;        // tokens/s at the roofline
  std::optional<double> wall_watts;  // that a source states of the whole machine, an accelerator's share
};

std::string product_of(const Record& r) { return r.device_product.empty() ? r.device : r.device_product; }

// What a step of the whole model must cost; the record says it of the part that ran.
std::optional<GraphCost> whole_step(const Record& r) {
  if (!is_part(r)) return GraphCost{r.step_flops, r.step_weight_bytes, r.step_kv_bytes, r.step_activation_bytes};
  const Result<Case> work = case_from_json(r.case_json, r.case_id);
  if (!work.ok()) return std::nullopt;
  const Result<Graph> graph = lower(*work, {});
  if (!graph.ok()) return std::nullopt;
  return graph_cost(*graph, step_scalars(*work, *graph));
}

// Tokens/s if the step took no longer than its FLOPs at the peak and its bytes at the bandwidth: of the datasheet where
// the book has it, else of the peaks that were measured beside the case.
std::optional<double> roofline_rate(const Record& r, const PriceBook& book) {
  const Attainable beside = attainable(r);
  std::optional<double> flops = beside.flops_per_s, bytes = beside.bytes_per_s;
  if (const std::optional<PricedChip> chip = chip_of_product(book, product_of(r))) {
    if (const std::optional<PriceCell> sheet = datasheet_compute(*chip, r.dtype)) flops = sheet->value * 1e12;
    if (!chip->bandwidth_tb_s.empty()) bytes = chip->bandwidth_tb_s.front().value * 1e12;
  }
  if (!flops || !bytes || !(r.step_flops > 0)) return std::nullopt;
  const std::optional<GraphCost> step = whole_step(r);
  if (!step) return std::nullopt;
  const double seconds = std::max(step->flops / *flops, (step->weight_bytes + step->kv_bytes) / *bytes);
  return seconds > 0 ? std::optional<double>(static_cast<double>(r.tokens_per_step) / seconds) : std::nullopt;
}

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
    out.step_p99_ms = p99.high.value_or(p99.value.value_or(m.step->max)) / 1e6 * to_whole;
  }
  out.peak = roofline_rate(r, book);
  return out;
}

bool same_subject(const CostSubject& s, const Record& r, const std::string& basis) {
  return s.product == product_of(r) && s.model == r.model && s.dtype == r.dtype && s.tier == r.tier &&
         s.basis == basis && s.variant == case_variant(r.case_id);
}

// A figure that a source states, as a rate of one accelerator.
CaseRate reported_rate(const Record& r, const ReportedRates& rates, const ReportedFigure& figure) {
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
  out.step_p99_ms = rates.tpot_p99_ms.value_or(std::numeric_limits<double>::infinity());
  out.wall_watts = rates.wall_watts;
  return out;
}

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

void add_note(CostSubject* subject, const std::string& note) {
  if (std::find(subject->notes.begin(), subject->notes.end(), note) == subject->notes.end()) {
    subject->notes.push_back(note);
  }
}

// The best rate of one class: over all cases (saturation), and over those within the limit.
class Best {
 public:
  Best(CostInput input, std::optional<double> limit_ms, const char* limit_name)
      : input_(input), limit_ms_(limit_ms), name_(limit_name) {}

  void offer(const CaseRate& c) {
    // What is imported under one name is of systems that differ.
    cases_.insert(c.record->reported ? c.record->case_id + " " + c.record->id : c.record->case_id);
    any_ = true;
    if (const std::optional<int> threads = compute_threads(*c.record)) threads_.insert(*threads);
    if (!saturation_ || c.rate.typical > saturation_->rate.typical) saturation_ = c;
    if (limit_ms_ && !(c.step_p99_ms <= *limit_ms_)) {
      least_ms_ = std::min(least_ms_, c.step_p99_ms);
      return;
    }
    if (!counted_ || c.rate.typical > counted_->rate.typical) counted_ = c;
  }

  [[nodiscard]] size_t cases() const { return cases_.size(); }
  [[nodiscard]] std::string adapter() const { return counted_ ? counted_->record->adapter : ""; }

  void write(std::optional<Estimate>* rate, std::string* case_id, CostSubject* subject) const {
    if (!any_) return;
    if (!counted_) {
      subject->notes.push_back(
          std::string("no case keeps ") + name_ + " <= " + ms_text(*limit_ms_) +
          (std::isfinite(least_ms_) ? "; the nearest p99 is " + ms_text(least_ms_) : "; no p99 is stated"));
      return;
    }
    *rate = counted_->rate;
    for (const CaseRate* used : {&*counted_, &*saturation_}) {
      if (used->record->noise.disturbed) add_note(subject, used->record->case_id + " was disturbed");
      const std::string options = adapter_options_text(*used->record);
      if (!options.empty()) add_note(subject, used->record->case_id + " ran with adapter options " + options);
      if (threads_.size() > 1)
        add_note(subject, used->record->case_id + " ran with threads " + std::to_string(used->record->threads));
    }
    if (counted_->rate.spread == Spread::kUnknown) subject->notes.push_back(why_no_interval(*counted_));
    *case_id = counted_->record->case_id;
    subject->counted.push_back(counted_->record->id);
    subject->ladder.saturation.at(input_) = saturation_->rate.typical;
    if (saturation_->peak) subject->ladder.peak.at(input_) = *saturation_->peak;
    if (limit_ms_ && !counted_->record->reported && !counted_->p99_is_bounded) {
      subject->notes.push_back(counted_->record->case_id +
                               (is_part(*counted_->record)
                                    ? ": the p99 of the part that ran, projected like its mean, was held against "
                                    : ": too few steps for a bound of p99; its value was held against ") +
                               name_);
    }
    const Energy& energy = counted_->record->energy;
    if (energy.watts_mean && energy_trusted(energy) && sees_whole_machine(energy.source)) {
      subject->wall_kw = exact_estimate(*energy.watts_mean / 1000, counted_->record->basis, energy.source);
    } else if (counted_->wall_watts) {
      subject->wall_kw = exact_estimate(*counted_->wall_watts / 1000, counted_->record->basis, counted_->rate.source);
      subject->wall_kw->note = "the source's mean power of the whole system, over its accelerators";
    }
    if (const EnergyFigures figures = energy_figures(*counted_->record); figures.joules_per_token) {
      subject->joules_per_token = figures.joules_per_token;
    }
  }

 private:
  CostInput input_;
  std::optional<double> limit_ms_;
  const char* name_;
  bool any_ = false;
  std::set<std::string> cases_;
  std::set<int> threads_;  // of a CPU
  double least_ms_ = std::numeric_limits<double>::infinity();
  std::optional<CaseRate> saturation_, counted_;
};

struct Group {
  CostSubject subject;
  Best input, output, blended;
  std::vector<const Record*> chunks;  // of a prompt, behind a context
};

// A chunk behind a context is slower than a prompt of its length, and no prompt: its rate is no price of one.
bool is_chunk(const Record& r) { return !r.reported && r.step_kind == "prefill" && r.context > 0; }

std::string chunks_text(const std::vector<const Record*>& chunks) {
  const std::string more = chunks.size() > 1 ? " and " + std::to_string(chunks.size() - 1) + " more" : "";
  return chunks.front()->case_id + more + ": a chunk behind a context is no prompt and not priced";
}

// A prompt's rate of one adapter and a token's of another are of no system that runs both.
void note_adapters(const std::string& input, const std::string& output, CostSubject* subject) {
  if (input.empty() || output.empty() || input == output) return;
  subject->notes.push_back("input tokens by the adapter " + input + ", output tokens by " + output);
}

Group group_of(const Record& r, const std::string& basis, const LatencyLimits& limits) {
  CostSubject subject;
  subject.product = product_of(r);
  subject.device = r.device;
  subject.model = r.model;
  subject.dtype = r.dtype;
  subject.variant = case_variant(r.case_id);
  subject.tier = r.tier;
  subject.basis = basis;
  return {std::move(subject),
          Best(CostInput::kInputRate, limits.ttft_ms, "TTFT"),
          Best(CostInput::kOutputRate, limits.tpot_ms, "TPOT"),
          Best(CostInput::kBlendedRate, limits.tpot_ms, "TPOT"),
          {}};
}

Group& find_group(std::vector<Group>& groups, const Record& r, const std::string& basis, const LatencyLimits& limits) {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return same_subject(g.subject, r, basis); });
  return found == groups.end() ? groups.emplace_back(group_of(r, basis, limits)) : *found;
}

// Of the records with a rate those that stand for their case, where several are of one, as in a report's tables. A run
// with other options of the adapter is no repeat: each stands, and the better of them is the chip's rate.
std::vector<size_t> standing_records(const std::vector<Record>& records, const std::vector<bool>& has_rate) {
  using Key = std::array<std::string, 8>;
  const auto rank = [&](size_t i) {
    const Record& r = records[i];
    return standing(r.status, r.noise.disturbed, r.created, r.id);
  };
  std::map<Key, size_t> of_case;
  std::vector<size_t> out;
  for (size_t i = 0; i < records.size(); ++i) {
    const Record& r = records[i];
    if (!has_rate[i]) continue;
    if (r.reported) {  // of systems that differ in what their source doesn't say: no repeats of one case
      out.push_back(i);
      continue;
    }
    const auto [at, added] = of_case.try_emplace(
        {product_of(r), r.adapter, r.case_id, r.case_hash, r.basis, r.tier, part_text(r), setup_text(r)}, i);
    if (!added && rank(i) > rank(at->second)) at->second = i;
  }
  for (const auto& [key, i] : of_case) out.push_back(i);
  std::sort(out.begin(), out.end());
  return out;
}

void add_reported(const Record& r, const LatencyLimits& limits, std::vector<Group>* groups) {
  const ReportedRates rates = reported_rates(r);
  Group& group = find_group(*groups, r, r.basis, limits);
  group.subject.records.push_back(r.id);
  if (rates.input) group.input.offer(reported_rate(r, rates, *rates.input));
  if (rates.output) group.output.offer(reported_rate(r, rates, *rates.output));
  if (rates.total) group.blended.offer(reported_rate(r, rates, *rates.total));
  if (rates.serving && rates.output) {
    add_note(&group.subject, "output tokens bear the whole cost: input was served in the same time");
  }
}

CostSubject clip_subject(const ClipEstimate& e) {
  CostSubject out;
  out.product = e.product;
  out.device = e.device;
  out.model = e.model;
  out.dtype = e.dtype;
  out.tier = "program";
  out.basis = e.basis;
  out.clip = std::to_string(e.clip.frames) + "f " + std::to_string(e.clip.height) + "x" + std::to_string(e.clip.width) +
             ", " + e.schedule_text;
  out.clip_height = e.clip.height;
  Estimate seconds = exact_estimate(e.seconds(), e.basis, "composed of records");
  const Interval interval = e.seconds_interval();
  seconds.low = interval.low;
  seconds.high = interval.high;
  seconds.spread = Spread::kInterval95;
  if (std::isnan(interval.low)) {
    seconds.low = seconds.high = seconds.typical;
    seconds.spread = Spread::kUnknown;
    out.notes.emplace_back("the time of a part has no interval: one step, or projected; nor has the cost");
  }
  for (const ClipPart& p : e.parts) {
    seconds.source += (p.name == e.parts.front().name ? " " : ", ") + p.record.substr(0, 8);
    out.records.push_back(p.record);
  }
  for (const std::string& part : e.missing)
    out.notes.push_back("no record of a " + part + ": the cost is a lower bound");
  if (e.assumption) out.notes.emplace_back("the shape of the model is assumed");
  out.clip_seconds = std::move(seconds);
  return out;
}

}  // namespace

std::vector<CostSubject> cost_subjects(const std::vector<Record>& records, const LatencyLimits& limits,
                                       const PriceBook& book, std::vector<std::string>* left_out) {
  std::vector<Metrics> of_each;
  of_each.reserve(records.size());
  for (const Record& r : records) of_each.push_back(r.reported ? Metrics{} : metrics(r));
  return cost_subjects(records, of_each, limits, book, left_out);
}

std::vector<CostSubject> cost_subjects(const std::vector<Record>& records, const std::vector<Metrics>& of_each,
                                       const LatencyLimits& limits, const PriceBook& book,
                                       std::vector<std::string>* left_out) {
  std::vector<std::optional<CaseRate>> rates(records.size());
  std::vector<bool> has_rate(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    const Record& r = records[i];
    if (!r.reported) rates[i] = case_rate(r, of_each[i], book);
    has_rate[i] = r.reported ? reported_rates(r).lead().has_value() : rates[i].has_value();
  }
  std::vector<Group> groups;
  for (const size_t i : standing_records(records, has_rate)) {
    const Record& r = records[i];
    if (r.reported) {
      add_reported(r, limits, &groups);
      continue;
    }
    Group& group = find_group(groups, r, rates[i]->rate.basis, limits);
    if (is_chunk(r)) {
      group.chunks.push_back(&r);
      continue;
    }
    group.subject.records.push_back(r.id);
    (r.token_class == "input" ? group.input : group.output).offer(*rates[i]);
  }
  std::vector<CostSubject> out;
  for (Group& g : groups) {
    if (g.subject.records.empty()) {  // chunks alone
      if (left_out != nullptr) left_out->push_back("left out: " + chunks_text(g.chunks));
      continue;
    }
    g.input.write(&g.subject.input_rate, &g.subject.input_case, &g.subject);
    g.output.write(&g.subject.output_rate, &g.subject.output_case, &g.subject);
    std::string blended_case;
    g.blended.write(&g.subject.blended_rate, &blended_case, &g.subject);
    g.subject.input_cases = g.input.cases();
    g.subject.output_cases = g.output.cases();
    note_adapters(g.input.adapter(), g.output.adapter(), &g.subject);
    if (!g.chunks.empty()) g.subject.notes.push_back(chunks_text(g.chunks));
    out.push_back(std::move(g.subject));
  }
  for (const ClipEstimate& e : compose_clips(records)) out.push_back(clip_subject(e));
  return out;
}

}  // namespace assay
