// A case as the worker gets it: refused with a message, or the same again after being written; small ones are lowered.
#include "suites/case.h"
#include "suites/suite.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<Case> c = case_from_json(fuzz::text_of(data, size), "fuzz");
  if (!c.ok()) {
    fuzz::must_explain(c.error());
    return 0;
  }
  fuzz::must(check_case(*c).ok(), "a parsed case is valid");
  const Result<Case> back = case_from_json(c->to_json(), "fuzz");
  fuzz::must(back.ok() && back->to_json() == c->to_json() && back->hash() == c->hash(), "a case survives the way");
  const bool model_step = c->kind == StepKind::kPrefill || c->kind == StepKind::kDecode;
  const Result<Graph> graph = lower(*c, {.layers = model_step ? 1 : 0});
  fuzz::must(graph.ok(), "a valid case has a graph");
  (void)graph_cost(*graph, std::vector<int64_t>(graph->scalars.size(), c->context));
  (void)graph_memory(*graph);
  return 0;
}
