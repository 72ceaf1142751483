// Records and prices for the tests of costs in reports.
#pragma once

#include <string>
#include <utility>

#include "reports/html/report_model.h"

namespace assay {

// 36,667 output tokens/s: at 13.2 CNY/h that is 0.01 CNY per 100K tokens (facts C4).
inline Record output_record(const std::string& product, double tokens_per_s) {
  Record r;
  r.id = "0123456789abcdef" + product;
  r.created = "2026-11-20T00:00:00Z";
  r.status = "ok";
  r.basis = "measured";
  r.device_product = product;
  r.case_id = "decode/m/bf16/b64/c512";
  r.case_hash = "h";
  r.model = "m";
  r.dtype = "bf16";
  r.step_kind = "decode";
  r.token_class = "output";
  r.tokens_per_step = 100000;
  for (int i = 0; i < 40; ++i) {
    const auto ns = static_cast<uint64_t>(1e9 * 100000 / tokens_per_s * (i % 2 == 0 ? 0.999 : 1.001));
    r.samples.start_ns.push_back(static_cast<uint64_t>(i) * ns);
    r.samples.host_ns.push_back(ns);
  }
  return r;
}

inline ReportOptions rent_of(double cny_per_hour) {
  ReportPricing pricing;
  pricing.choices.overrides[CostInput::kRent] = exact_estimate(cny_per_hour, "reported", "an offer");
  pricing.targets = {{"0.01 CNY/100K tokens", 1e-7}};
  ReportOptions options;
  options.pricing = std::move(pricing);
  return options;
}

}  // namespace assay
