#include "results/prices/peak_rate.h"

#include <algorithm>

#include "results/metrics/roofline.h"
#include "results/part.h"
#include "results/prices/datasheet.h"
#include "suites/suite.h"

namespace assay {
namespace {

// What a step of the whole model must cost; the record says it of the part that ran.
std::optional<GraphCost> whole_step(const Record& r) {
  if (!is_part(r)) return GraphCost{r.step_flops, r.step_weight_bytes, r.step_kv_bytes, r.step_activation_bytes};
  const Result<Case> work = case_from_json(r.case_json, r.case_id);
  if (!work.ok()) return std::nullopt;
  const Result<Graph> graph = lower(*work, {});
  if (!graph.ok()) return std::nullopt;
  return graph_cost(*graph, step_scalars(*work, *graph));
}

double least_seconds(const GraphCost& step, double flops_per_s, double bytes_per_s) {
  return std::max(step.flops / flops_per_s, (step.weight_bytes + step.kv_bytes) / bytes_per_s);
}

}  // namespace

std::optional<PeakRate> peak_rate(const Record& r, const PriceBook& book) {
  const Attainable measured = attainable(r);
  std::optional<double> sheet_flops, sheet_bytes;
  const std::string& product = r.device_product.empty() ? r.device : r.device_product;
  if (const std::optional<PricedChip> chip = chip_of_product(book, product)) {
    if (const std::optional<PriceCell> sheet = datasheet_compute(*chip, r.dtype)) sheet_flops = sheet->value * 1e12;
    if (!chip->bandwidth_tb_s.empty()) sheet_bytes = chip->bandwidth_tb_s.front().value * 1e12;
  }
  const std::optional<double> flops = measured.flops_per_s ? measured.flops_per_s : sheet_flops;
  const std::optional<double> bytes = measured.bytes_per_s ? measured.bytes_per_s : sheet_bytes;
  if (!flops || !bytes || !(r.step_flops > 0)) return std::nullopt;
  const std::optional<GraphCost> step = whole_step(r);
  if (!step) return std::nullopt;
  const double seconds = least_seconds(*step, *flops, *bytes);
  if (!(seconds > 0)) return std::nullopt;
  const double at_best =
      least_seconds(*step, std::max(*flops, sheet_flops.value_or(0)), std::max(*bytes, sheet_bytes.value_or(0)));
  const auto tokens = static_cast<double>(r.tokens_per_step);
  return PeakRate{tokens / seconds, !measured.flops_per_s || !measured.bytes_per_s, tokens / at_best};
}

}  // namespace assay
