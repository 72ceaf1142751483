#include "results/metrics/record_ops.h"

#include "suites/profile.h"

namespace assay {

RecordOps record_ops(const Record& record) {
  RecordOps out;
  if (record.case_json.empty()) return out;
  const Result<Case> work = case_from_json(record.case_json, record.case_id);
  if (!work.ok()) return out;
  LowerOptions options;
  if (const auto& e = record.extrapolation) {
    if (e->layers_run < e->layers_total) options.layers = out.layers = e->layers_run;
    if (e->experts_run < e->experts_total) options.experts = e->experts_run;
  }
  const Result<Graph> graph = lower(*work, options);
  if (!graph.ok()) return out;
  for (const OpGroup& g : op_groups(*graph, step_scalars(*work, *graph), false)) {
    out.ops.push_back({g.name, g.layer, g.kind, g.count, g.each.flops, g.bytes()});
  }
  return out;
}

}  // namespace assay
