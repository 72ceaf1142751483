// Metrics: what the tables and reports show of a record. Computed from the record alone, never stored as truth.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "results/metrics/latency.h"
#include "results/metrics/throughput.h"
#include "results/record.h"

namespace assay {

inline constexpr int kMetricsVersion = 1;

struct Metrics {
  std::string case_id, device, basis, status, reason;
  std::string unit;                      // "tokens/s", "FLOP/s", "bytes/s"
  std::optional<Throughput> rate;        // of the work that ran
  std::optional<double> projected_rate;  // whole model from k of L layers; basis projected
  std::optional<Latency> step;
  double flops_per_s = 0, bytes_per_s = 0;
  std::optional<double> mfu_attainable, mbu_attainable;  // against the record's ceiling
  std::string mfu_note;                                  // why absent
  std::optional<double> joules_per_token;
  std::string energy_note;
  uint64_t stalls = 0, stalls_from_host = 0;  // steps over 2 x median; of these, coinciding with a host gap
};
Metrics metrics(const Record& record);

// A record and its metrics, where someone knows them already; both outlive it.
struct MeasuredRecord {
  const Record* record = nullptr;
  const Metrics* known = nullptr;  // (optional)
  [[nodiscard]] Metrics metrics() const { return known != nullptr ? *known : assay::metrics(*record); }
};
std::vector<MeasuredRecord> measured_records(const std::vector<Record>& records);

// Whether the device's caches were flushed before each step: no curve or sum mixes such steps with warm ones.
bool cold_cache(const Record& record);
// How the KV cache of the record's case lies in pages (suites/pages.h); "" where it doesn't. No curve mixes layouts.
std::string page_layout(const Record& record);
// What of a prefill or decode case's name follows its shape, "p16 zipf-1.2 cold": how its KV cache lies, where its
// rows' experts are, whether caches are flushed. "" in one block, drawn uniformly, warm. No cost and no plan mixes
// them.
std::string case_variant(const std::string& case_id);

// What a step of the record does, in the unit of its rate.
struct WorkUnits {
  double per_step = 0;
  std::string unit;
};
WorkUnits work_units(const Record& record);

}  // namespace assay
