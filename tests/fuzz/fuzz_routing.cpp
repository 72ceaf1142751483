// A routing trace: refused with a message, or the same again after being written.
#include "suites/routing_trace.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  std::string hash, hash_back;
  const Result<RoutingTrace> trace = parse_routing_trace(fuzz::text_of(data, size), "fuzz", &hash);
  if (!trace.ok()) {
    fuzz::must_explain(trace.error());
    return 0;
  }
  const std::string text = routing_trace_to_json(*trace);
  const Result<RoutingTrace> back = parse_routing_trace(text, "fuzz", &hash_back);
  fuzz::must(back.ok() && routing_trace_to_json(*back) == text, "a trace survives the way");
  return 0;
}
