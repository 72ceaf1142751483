#include "results/metrics/metrics.h"

#include <algorithm>
#include <numeric>

#include "results/metrics/energy.h"
#include "results/metrics/launches.h"
#include "results/metrics/roofline.h"
#include "suites/base/words.h"
#include "suites/pages.h"

namespace assay {
namespace {

constexpr double kThroughputConfidence = 0.95;

bool is_ceiling(const Record& r) { return r.step_kind == "gemm" || r.step_kind == "read" || r.step_kind == "copy"; }

double units_per_step(const Record& r) {
  if (r.step_kind == "dit") return static_cast<double>(r.batch);
  if (!is_ceiling(r)) return static_cast<double>(r.tokens_per_step);
  return r.step_kind == "gemm" ? r.step_flops : r.step_weight_bytes + r.step_kv_bytes + r.step_activation_bytes;
}

const char* unit_of(const Record& r) {
  if (r.step_kind == "dit") return "passes/s";
  if (r.step_kind == "vae-tile") return "pixels/s";
  if (!is_ceiling(r)) return "tokens/s";
  return r.step_kind == "gemm" ? "FLOP/s" : "bytes/s";
}

// Steps over twice the median, and how many of them a gap of the host covers in part.
void count_stalls(const Record& r, double median_ns, Metrics* out) {
  const std::vector<uint64_t>& gaps = r.noise.host_gap_start_ns;
  for (size_t i = 0; i < r.samples.host_ns.size(); ++i) {
    if (static_cast<double>(r.samples.host_ns[i]) <= 2 * median_ns) continue;
    ++out->stalls;
    const uint64_t begin = r.samples.start_ns[i], end = begin + r.samples.host_ns[i];
    for (size_t g = 0; g < gaps.size() && g < r.noise.host_gap_ns.size(); ++g) {
      if (gaps[g] >= end || gaps[g] + r.noise.host_gap_ns[g] <= begin) continue;
      ++out->stalls_from_host;
      break;
    }
  }
}

void add_utilisation(const Record& r, double seconds, Metrics* out) {
  out->flops_per_s = r.step_flops / seconds;
  out->bytes_per_s = (r.step_weight_bytes + r.step_kv_bytes) / seconds;
  if (is_ceiling(r)) {
    out->mfu_note = "a ceiling is its own denominator";
    return;
  }
  const Attainable peaks = attainable(r);
  if (peaks.flops_per_s) out->mfu_attainable = out->flops_per_s / *peaks.flops_per_s;
  if (peaks.bytes_per_s) out->mbu_attainable = out->bytes_per_s / *peaks.bytes_per_s;
  if (!out->mfu_attainable || !out->mbu_attainable) {
    out->mfu_note = r.ceiling.reason.empty() ? "no ceiling was measured" : r.ceiling.reason;
  }
}

}  // namespace

Metrics metrics(const Record& record) {
  Metrics out;
  out.case_id = record.case_id;
  out.device = record.device;
  out.basis = record.basis;
  out.status = record.status;
  out.reason = record.reason;
  out.unit = unit_of(record);
  out.energy_note = record.energy.reason;
  const std::vector<double> step(record.samples.host_ns.begin(), record.samples.host_ns.end());
  const double total_ns = std::accumulate(step.begin(), step.end(), 0.0);
  // A failed run's outputs or times are not to be believed: it has no figures.
  if (step.empty() || total_ns <= 0 || record.status == "failed" || record.status == "unsupported") return out;
  const std::vector<double> start(record.samples.start_ns.begin(), record.samples.start_ns.end());
  out.rate = record_rate(record, units_per_step(record), kThroughputConfidence);
  out.step = latency(step, start, kLatencyConfidence);
  add_utilisation(record, total_ns / static_cast<double>(step.size()) / 1e9, &out);
  if (record.extrapolation && record.extrapolation->projected_step_ns) {
    out.projected_rate = units_per_step(record) / (*record.extrapolation->projected_step_ns / 1e9);
  }
  const EnergyFigures energy = energy_figures(record);
  if (out.unit == "tokens/s") out.joules_per_token = energy.joules_per_token;
  if (!energy.joules_per_token && !energy.reason.empty()) out.energy_note = energy.reason;
  count_stalls(record, out.step->median, &out);
  return out;
}

std::vector<MeasuredRecord> measured_records(const std::vector<Record>& records) {
  std::vector<MeasuredRecord> out;
  out.reserve(records.size());
  for (const Record& r : records) out.push_back({&r, nullptr});
  return out;
}

std::string page_layout(const Record& record) {
  if (record.case_json.find("\"kv_layout\"") == std::string::npos) return "";
  const Result<Case> work = case_from_json(record.case_json, record.case_id);
  return work.ok() ? page_layout(*work) : "";
}

std::string case_variant(const std::string& case_id) {
  std::vector<std::string> after;
  bool shape_ended = false;
  for (size_t at = 0; at <= case_id.size();) {
    const size_t end = std::min(case_id.find('/', at), case_id.size());
    const std::string word = case_id.substr(at, end - at);
    const bool shape = word.size() > 1 && (word[0] == 't' || word[0] == 'c') &&
                       word.find_first_not_of("0123456789", 1) == std::string::npos;
    if (shape) {
      shape_ended = true;
      after.clear();
    } else if (shape_ended && word != "uniform" && !word.starts_with("uniform-seed")) {
      after.push_back(word);
    }
    at = end + 1;
  }
  return joined(after, " ");
}

bool cold_cache(const Record& record) { return record.case_id.ends_with("/cold"); }

WorkUnits work_units(const Record& record) { return {units_per_step(record), unit_of(record)}; }

}  // namespace assay
