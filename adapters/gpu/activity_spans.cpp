#include <algorithm>
#include <map>

#include "adapters/gpu/activity.h"

namespace assay::gpu {

std::vector<OpSpan> spans_of(const std::vector<ActivityRecord>& records, uint64_t* left_out) {
  std::vector<OpSpan> calls, out;
  std::map<uint64_t, std::vector<const ActivityRecord*>> launches;
  const auto span = [](uint64_t op, const ActivityRecord& r) {
    return OpSpan{op, r.name, r.begin_ns, r.end_ns, r.kind, r.bytes};
  };
  for (const ActivityRecord& r : records) {
    if (r.launch != 0) {
      launches[r.launch].push_back(&r);
    } else if (r.call != 0) {
      calls.push_back(span(r.call - 1, r));
    } else if (r.kind != ASSAY_ACTIVITY_KERNEL) {
      out.push_back(span(ASSAY_NO_OP, r));
    }
  }
  out.insert(out.end(), calls.begin(), calls.end());
  for (const auto& [launch, nodes] : launches) {
    bool same = nodes.size() == calls.size();
    for (size_t i = 0; same && i < nodes.size(); ++i) same = nodes[i]->name == calls[i].name;
    if (!same) {
      ++*left_out;
      continue;
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      // A kernel that starts early waits for the one before: its own time begins where that one's ends.
      const uint64_t begin = i == 0 ? nodes[i]->begin_ns : std::max(nodes[i]->begin_ns, nodes[i - 1]->end_ns);
      out.push_back(span(calls[i].op, *nodes[i]));
      out.back().begin_ns = std::min(begin, nodes[i]->end_ns);
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const OpSpan& a, const OpSpan& b) { return a.begin_ns < b.begin_ns; });
  return out;
}

}  // namespace assay::gpu
