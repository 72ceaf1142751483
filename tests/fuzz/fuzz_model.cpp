// A model file: refused with a message, or a shape whose counts are finite and whose case survives the way.
#include <cmath>

#include "suites/suite.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<ModelShape> model = parse_model(fuzz::text_of(data, size), "fuzz");
  if (!model.ok()) {
    fuzz::must_explain(model.error());
    return 0;
  }
  fuzz::must(std::isfinite(model->params()) && model->params() > 0, "parameters are counted");
  fuzz::must(model->active_params() > 0 && model->kv_bytes_per_token(2) > 0, "active parameters and KV bytes too");
  Case c;
  c.suite = "decode";
  c.kind = StepKind::kDecode;
  c.model = *model;
  const Result<Case> back = case_from_json(c.to_json(), "fuzz");
  fuzz::must(back.ok() && back->hash() == c.hash(), "a shape survives the way");
  return 0;
}
