// The first rows of a step through the whole depth, and a small step whole.
#include "suites/reference/streamed.h"

namespace assay {

Result<Values> reference_hidden_prefix(const Graph& graph, const std::vector<int64_t>& scalars, int64_t batch,
                                       int64_t rows, const Source& weights, int threads) {
  const int64_t all = graph.ops.empty() ? 0 : graph.elements(graph.ops.front().in.front());
  if (batch < 1 || rows < 1 || rows > all || (all / batch > 1 && rows > all / batch)) {
    return Error{ErrorKind::kUnsupported,
                 "expected 1 row or more of the first sequence, or of one-token sequences; found " +
                     std::to_string(rows) + " of " + std::to_string(all)};
  }
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    if (graph.tensors[t].name != "hidden") continue;
    const reference::Prefix prefix{static_cast<uint64_t>(rows), static_cast<uint64_t>(all),
                                   static_cast<uint64_t>(all / batch)};
    return reference::Streamed(graph, scalars, prefix, weights, threads).run(t);
  }
  return Error{ErrorKind::kUnsupported, "expected a tensor 'hidden' in the graph, found none"};
}

Result<Values> reference_tensor(const Graph& graph, const std::vector<int64_t>& scalars, uint32_t tensor,
                                const Source& host, int threads) {
  return reference::Streamed(graph, scalars, std::nullopt, host, threads).run(tensor);
}

}  // namespace assay
