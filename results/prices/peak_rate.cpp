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

}  // namespace

std::optional<double> peak_rate(const Record& r, const PriceBook& book) {
  const Attainable beside = attainable(r);
  std::optional<double> flops = beside.flops_per_s, bytes = beside.bytes_per_s;
  if (const std::optional<PricedChip> chip =
          chip_of_product(book, r.device_product.empty() ? r.device : r.device_product)) {
    if (const std::optional<PriceCell> sheet = datasheet_compute(*chip, r.dtype)) flops = sheet->value * 1e12;
    if (!chip->bandwidth_tb_s.empty()) bytes = chip->bandwidth_tb_s.front().value * 1e12;
  }
  if (!flops || !bytes || !(r.step_flops > 0)) return std::nullopt;
  const std::optional<GraphCost> step = whole_step(r);
  if (!step) return std::nullopt;
  const double seconds = std::max(step->flops / *flops, (step->weight_bytes + step->kv_bytes) / *bytes);
  return seconds > 0 ? std::optional<double>(static_cast<double>(r.tokens_per_step) / seconds) : std::nullopt;
}

}  // namespace assay
