// A line between parent and worker, read as either side would.
#include "harness/worker_protocol.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string line = fuzz::text_of(data, size);
  const Result<Job> job = job_from_json(line);
  if (job.ok()) {
    const std::string text = job_to_json(*job);
    const Result<Job> back = job_from_json(text);
    fuzz::must(text.find('\n') == std::string::npos, "a job is one line");
    fuzz::must(back.ok() && job_to_json(*back) == text, "a job survives the way");
  } else {
    fuzz::must_explain(job.error());
  }
  const Result<JobResult> result = job_result_from_json(line);
  if (result.ok()) {
    const std::string text = job_result_to_json(*result);
    const Result<JobResult> back = job_result_from_json(text);
    fuzz::must(text.find('\n') == std::string::npos, "an answer is one line");
    fuzz::must(back.ok() && job_result_to_json(*back) == text, "an answer survives the way");
  } else {
    fuzz::must_explain(result.error());
  }
  return 0;
}
