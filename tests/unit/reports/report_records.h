// Records and models for the tests of reports.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "reports/html/report_model.h"
#include "results/record_id.h"
#include "suites/suite.h"

namespace assay {

// A decode record of `steps` steps of `ms` each, one token a step.
inline Record decode_record(const std::string& product, double ms, size_t steps,
                            const std::string& created = "2026-11-20") {
  Record r;
  r.id = product + created;
  r.created = created;
  r.status = "ok";
  r.basis = "measured";
  r.numerics.verdict = "pass";
  r.adapter = "a";
  r.device_product = product;
  r.suite = "decode";
  r.case_id = "decode/m/bf16/b1/c512";
  r.case_hash = "h";
  r.model = "m";
  r.dtype = "bf16";
  r.step_kind = "decode";
  r.token_class = "output";
  r.batch = r.tokens = r.tokens_per_step = 1;
  r.context = 512;
  for (size_t i = 0; i < steps; ++i) {
    r.samples.start_ns.push_back(static_cast<uint64_t>(static_cast<double>(i) * ms * 1e6));
    // One part in a thousand up and down, so that an interval exists.
    r.samples.host_ns.push_back(static_cast<uint64_t>(std::llround(ms * 1e6 * (i % 2 == 0 ? 0.999 : 1.001))));
  }
  return r;
}

inline ReportModel model_of(const std::vector<Record>& records) { return report_model(records, {}); }

}  // namespace assay
