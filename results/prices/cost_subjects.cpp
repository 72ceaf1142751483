#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "results/metrics/metrics.h"
#include "results/metrics/model_size.h"
#include "results/metrics/reported_rate.h"
#include "results/metrics/video_clip.h"
#include "results/part.h"
#include "results/prices/best_rate.h"
#include "results/prices/cost_inputs.h"
#include "results/standing.h"

namespace assay {
namespace {

std::string product_of(const Record& r) { return r.device_product.empty() ? r.device : r.device_product; }

bool same_subject(const CostSubject& s, const Record& r, const std::string& basis) {
  return s.product == product_of(r) && s.model == r.model && s.dtype == r.dtype && s.tier == r.tier &&
         s.basis == basis && s.variant == case_variant(r.case_id);
}

struct Group {
  CostSubject subject;
  BestRate input, output, blended;
  std::vector<const Record*> chunks;                                 // of a prompt, behind a context
  std::map<std::string, std::vector<std::string>> without_p99 = {};  // imported cases, by the limit they don't speak of
};

// "decode/m/f32/b1/c512 and 2 more"
std::string first_of(const std::string& case_id, size_t count) {
  return case_id + (count > 1 ? " and " + std::to_string(count - 1) + " more" : "");
}

std::string chunks_text(const std::vector<const Record*>& chunks) {
  return first_of(chunks.front()->case_id, chunks.size()) + ": a chunk behind a context is no prompt and not priced";
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
  subject.params = model_params(r);
  subject.dtype = r.dtype;
  subject.variant = case_variant(r.case_id);
  subject.tier = r.tier;
  subject.basis = basis;
  return {std::move(subject),
          BestRate(CostInput::kInputRate, limits),
          BestRate(CostInput::kOutputRate, limits),
          BestRate(CostInput::kBlendedRate, limits),
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
  if (rates.input) group.input.offer(reported_case_rate(r, rates, *rates.input));
  if (rates.output) group.output.offer(reported_case_rate(r, rates, *rates.output));
  if (rates.total) group.blended.offer(reported_case_rate(r, rates, *rates.total));
  const bool prompts = rates.serving || rates.input, tokens = rates.output || rates.total;
  if (limits.ttft_ms && prompts && !rates.ttft_p99_ms) group.without_p99["TTFT"].push_back(r.case_id);
  if (limits.tpot_ms && tokens && !rates.tpot_p99_ms) group.without_p99["TPOT"].push_back(r.case_id);
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
    for (const auto& [limit, cases] : g.without_p99)
      g.subject.notes.push_back(first_of(cases.front(), cases.size()) + ": left out, no p99 of " + limit +
                                " is stated");
    out.push_back(std::move(g.subject));
  }
  for (const ClipEstimate& e : compose_clips(records)) out.push_back(clip_subject(e));
  return out;
}

}  // namespace assay
