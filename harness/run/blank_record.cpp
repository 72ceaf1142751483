#include <charconv>

#include "harness/measure/clock.h"
#include "harness/measure/environment.h"
#include "harness/run/build_info.h"
#include "harness/run/case_run.h"
#include "harness/run/host_threads.h"
#include "results/part.h"

namespace assay {

Result<uint32_t> device_index(const std::string& device) {
  const size_t colon = device.rfind(':');
  uint32_t index = 0;
  const char* first = device.data() + (colon == std::string::npos ? device.size() : colon + 1);
  const char* last = device.data() + device.size();
  const auto parsed = std::from_chars(first, last, index);
  if (first == last || parsed.ec != std::errc() || parsed.ptr != last) {
    return bad_input("device \"" + device + "\": expected NAME:INDEX, such as cpu:0");
  }
  return index;
}

Record blank_record(const Job& job, const std::string& reason) {
  Record r;
  r.created = utc_now();
  r.tool_version = tool_version();
  r.tool_commit = tool_commit();
  r.build_flags = build_flags();
  r.status = "failed";
  r.reason = reason;
  r.basis = job.basis.empty() ? "measured" : job.basis;
  r.form = job.form;
  r.seed = job.seed;
  r.device = job.device;
  r.adapter = job.device.substr(0, job.device.rfind(':'));
  r.case_json = job.case_json;
  r.adapter_options = kept_options(job.options);
  r.threads = HostThreads(job.threads).count();
  r.environment = environment({});
  r.stop.reason = "failed";
  r.stop.target_half_width = job.policy.target_half_width;
  r.numerics.seed = job.seed;
  r.numerics.reason = "not reached";
  r.ceiling.reason = "not reached";
  r.energy.reason = "not reached";
  const Result<Case> c = case_from_json(job.case_json, "job");
  if (!c.ok()) return r;
  r.suite = c->suite;
  r.suite_hash = c->suite_hash;
  r.case_id = c->id();
  r.case_hash = c->hash();
  r.model = c->model_name();
  r.dtype = c->dtype;
  r.step_kind = step_kind_name(c->kind);
  r.token_class = c->token_class();
  r.batch = c->batch;
  r.tokens = c->tokens;
  r.context = c->context;
  r.tokens_per_step = c->tokens_per_step();
  return r;
}

}  // namespace assay
