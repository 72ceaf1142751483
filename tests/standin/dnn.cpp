// The vendor's library of neural-network ops in the shape of cuDNN's backend: keeps what descriptors are told and
// executes the graph of a plan op by op in double precision.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/dnn_ops.h"
#include "tests/standin/export.h"

namespace {

using namespace standin::dnn;

// More of the same numbers.
constexpr int kHeuristics = 4, kPlan = 5, kGraph = 15;
constexpr int64_t kMaskedNode = 92100;  // version from which the node and its masks are known together
constexpr int kPack = 16, kBadParam = 2000, kNotSupported = 3000, kExecutionFailed = 5000;
enum Failing { kExecutions = 1, kPacks };  // setting "dnn_fail"

int64_t version() {
  const int64_t set = standin::setting("dnn_version");
  return set == 0 ? 91900 : set;
}

struct Handle {
  void* stream = nullptr;
};

size_t size_of(int type) {
  constexpr size_t kSizes[] = {8, 4, 1, 8, 4, 8, 8};  // handle, data type, bool, int64, float, double, pointer
  if (type == 15) return 8;                           // a descriptor
  return type < 7 ? kSizes[type] : 4;
}

// Pages of four axes, a table [B,1,P,1] of whole numbers, and as many keys as they hold, rows or columns of the result.
int accepts_pages(const Descriptor* container, const Descriptor* table, const Descriptor* lengths,
                  const Descriptor* y) {
  if (container == nullptr || table == nullptr || lengths == nullptr || y == nullptr) return kBadParam;
  const auto from = container->all<int64_t>(902), pages = table->all<int64_t>(902), to = y->all<int64_t>(902);
  if (from.size() != 4 || pages.size() != 4 || to.size() != 4 || table->one<int>(901, -1) != kInt32) return kBadParam;
  const int64_t slots = y->all<int64_t>(903)[2] == 1 ? to[3] : to[2];
  return pages[0] == to[0] && (slots + from[2] - 1) / from[2] == pages[2] && from[1] == to[1] ? 0 : kBadParam;
}

// Whether an op has what it needs: the node its keys as they lie, not transposed.
int accepts(const Descriptor& op) {
  if (op.kind == kPointwiseOp || op.kind == kMatmulOp || op.kind == kReductionOp) return 0;
  if (op.kind == kPagedLoadOp) return accepts_pages(op.link(1950), op.link(1953), op.link(1952), op.link(1951));
  if (op.kind != kSdpaOp && op.kind != kBandOp) return kNotSupported;
  if (version() < kMaskedNode) return kNotSupported;
  const bool node = op.kind == kSdpaOp;
  for (const int name : node ? std::vector<int>{2800, 2801, 2802, 2803, 2805} : std::vector<int>{3000, 3005, 3006}) {
    if (op.link(name) == nullptr) return kBadParam;
  }
  if (!node) return op.one<int>(3007, 0) == (op.link(3003) == nullptr ? 303 : 302) ? 0 : kNotSupported;
  const auto q = op.link(2800)->all<int64_t>(902), k = op.link(2801)->all<int64_t>(902);
  const auto v = op.link(2802)->all<int64_t>(902);
  if (q[3] != k[3] || k[2] != v[2] || q[1] % k[1] != 0) return kBadParam;
  const bool pages = op.link(2807) != nullptr;
  if (pages != (op.link(2808) != nullptr) || (pages && op.link(2810) == nullptr)) return kBadParam;
  return op.link(2811) == nullptr || (op.values.count(2812) != 0 && op.values.count(2813) != 0) ? 0 : kBadParam;
}

}  // namespace

#define DNN_ENTRY(name, ...) ENTRY_AS(gpudnn##name, standin_dnn_##name, __VA_ARGS__)

extern "C" {

DNN_ENTRY(Create, void** out) {
  *out = new Handle;
  return 0;
}
DNN_ENTRY(Destroy, void* handle) {
  delete static_cast<Handle*>(handle);
  return 0;
}
DNN_ENTRY(SetStream, void* handle, void* stream) {
  static_cast<Handle*>(handle)->stream = stream;
  return 0;
}
EXPORT(gpudnnGetVersion, standin_dnn_version)
IMPLEMENTATION size_t standin_dnn_version() { return static_cast<size_t>(version()); }
DNN_ENTRY(BackendCreateDescriptor, int kind, void** out) {
  *out = new Descriptor{kind, false, {}};
  return 0;
}
DNN_ENTRY(BackendDestroyDescriptor, void* d) {
  delete static_cast<Descriptor*>(d);
  return 0;
}
DNN_ENTRY(BackendSetAttribute, void* d, int name, int type, int64_t n, const void* from) {
  auto* descriptor = static_cast<Descriptor*>(d);
  if (descriptor->final || from == nullptr || n < 1) return kBadParam;
  const auto* p = static_cast<const char*>(from);
  descriptor->values[name].assign(p, p + static_cast<size_t>(n) * size_of(type));
  return 0;
}
DNN_ENTRY(BackendGetAttribute, void* d, int name, int, int64_t wanted, int64_t* n, void* out) {
  const auto* descriptor = static_cast<Descriptor*>(d);
  if (!descriptor->final) return kBadParam;
  *n = 1;
  if (descriptor->kind == kHeuristics && name == 202) {
    *n = standin::setting("dnn_refuse") != 0 ? 0 : 1 + standin::setting("dnn_more_proposals");
    for (int64_t i = 0; i < std::min(*n, wanted); ++i) {
      Descriptor& config = *static_cast<Descriptor**>(out)[i];
      config.values[1] = descriptor->values.at(201);  // its graph
      config.values[2].assign(1, i == 0 ? 1 : 0);     // whether it is the first
    }
  } else if (descriptor->kind == kPlan && name == 402) {
    *static_cast<int64_t*>(out) = 1024;
  }
  return 0;
}
DNN_ENTRY(BackendFinalize, void* d) {
  auto* descriptor = static_cast<Descriptor*>(d);
  if (descriptor->kind == kPack && standin::setting("dnn_fail") == kPacks) return kBadParam;
  if (descriptor->final) return kBadParam;
  if (descriptor->kind == kSdpaOp || descriptor->kind == kBandOp || descriptor->kind == kPagedLoadOp) {
    if (const int refused = accepts(*descriptor); refused != 0) return refused;
  }
  const bool graph = descriptor->kind == kGraph, plan = descriptor->kind == kPlan;
  for (const Descriptor* op :
       (plan ? descriptor->link(401)->link(1) : descriptor)->all<Descriptor*>(graph || plan ? 801 : -1)) {
    if (!op->final) return kBadParam;
    if (const int refused = accepts(*op); refused != 0) return refused;
    if (plan && op->kind == kSdpaOp && standin::setting("dnn_refuse_node") != 0) return kNotSupported;
  }
  descriptor->final = true;
  return 0;
}
DNN_ENTRY(BackendExecute, void* handle, void* plan, void* pack) {
  const Descriptor* graph = static_cast<Descriptor*>(plan)->link(401)->link(1);
  const auto* bound = static_cast<Descriptor*>(pack);
  if (graph == nullptr || !bound->final) return kBadParam;
  if (standin::setting("dnn_fail") == kExecutions) return kExecutionFailed;
  const bool first = static_cast<Descriptor*>(plan)->link(401)->one<char>(2, 0) != 0;
  const std::vector<int64_t> ids = bound->all<int64_t>(1000);
  const std::vector<void*> pointers = bound->all<void*>(1001);
  std::map<int64_t, void*> by_id;
  for (size_t i = 0; i < ids.size(); ++i) by_id[ids[i]] = pointers[i];
  return standin::enqueue(static_cast<Handle*>(handle)->stream, "standin_attention", [graph, by_id, first] {
    Run run(by_id);
    for (const Descriptor* op : graph->all<Descriptor*>(801)) run.op(*op);
    standin::spend_ns(static_cast<uint64_t>(standin::setting(first ? "dnn_ns" : "dnn_ns_of_others")));
  });
}

}  // extern "C"
