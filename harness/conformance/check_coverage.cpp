// Which cases of the suites the adapter takes, by its own word; nothing is run.
#include "harness/conformance/bench.h"
#include "suites/suite.h"

namespace assay::conformance {

void check_coverage(Bench& bench) {
  std::unique_ptr<Adapter> adapter;
  for (const SuiteCases& suite : bench.options().suites) {
    for (const std::string& text : suite.cases) {
      const Result<Case> c = case_from_json(text, "case");
      if (!bench.begin(c.ok() ? suite.suite + ": " + c->id() : suite.suite)) continue;
      if (!c.ok()) {
        bench.fail(c.error().message);
        continue;
      }
      if (adapter == nullptr) adapter = bench.open();
      if (adapter == nullptr) return;
      LowerOptions options;
      options.layers = c->check_layers();
      const Result<Graph> graph = lower(*c, options);
      if (!graph.ok()) {
        bench.fail(graph.error().message);
        continue;
      }
      InAdapter inside(bench.pulse(), "program.supports");
      const Status supported = adapter->supports(*graph, bench.device());
      supported.ok() ? bench.pass() : bench.unsupported(supported.error().message);
    }
  }
  if (adapter != nullptr) bench.close(std::move(adapter));
}

}  // namespace assay::conformance
