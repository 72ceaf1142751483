// A suite file: refused with a message, or made of cases each of which survives the way to a worker and back.
#include "suites/case.h"
#include "suites/suite.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

std::vector<assay::ModelShape> models() {
  assay::ModelShape m;
  m.name = "smollm2-135m";
  m.family = "llama";
  m.source = "fuzz";
  m.layers = 30;
  m.hidden = 576;
  m.ffn = 1536;
  m.heads = 9;
  m.kv_heads = 3;
  m.head_dim = 64;
  m.vocab = 49152;
  m.max_context = 8192;
  assay::ModelShape other = m;
  other.name = "qwen2.5-0.5b";
  return {m, other};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  static const std::vector<ModelShape> kModels = models();
  const Result<Suite> suite = parse_suite(fuzz::text_of(data, size), "fuzz", kModels);
  if (!suite.ok()) {
    fuzz::must_explain(suite.error());
    return 0;
  }
  for (const auto* cases : {&suite->quick_cases, &suite->full_cases}) {
    fuzz::must(!cases->empty(), "a form has cases");
    const Case& c = cases->front();
    fuzz::must(check_case(c).ok(), "a parsed case is valid");
    const Result<Case> back = case_from_json(c.to_json(), "fuzz");
    fuzz::must(back.ok() && back->hash() == c.hash() && back->id() == c.id(), "a case survives the way");
  }
  return 0;
}
