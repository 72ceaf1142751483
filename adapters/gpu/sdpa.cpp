#include "adapters/gpu/sdpa.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/gpu/dnn_graph.h"

namespace assay::gpu {

namespace {

using namespace dnn;

// Plans for few queries differ in how blocks share the keys, and the library's order is a guess: two of them are kept.
constexpr int64_t kFewTokens = 16;

struct Compiled {
  std::unique_ptr<Builder> builder;  // owns everything below
  std::vector<void*> plans;          // none: the library has none
  int64_t workspace = 0;             // for any of them
  bool node = false;                 // of the form with one op
};

class CudnnSdpa final : public Sdpa {
 public:
  explicit CudnnSdpa(const Library& library) {
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr) throw Failure(ASSAY_UNSUPPORTED, library.name() + " lacks " + name);
    };
#define ASSAY_GPU_LOAD(name, result, parameters) load(library_.name, GPU_TEXT(gpudnn##name));
    ASSAY_GPU_DNN(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
    void* made = nullptr;
    if (const int status = library_.Create(&made); status != 0) {
      throw Failure(ASSAY_UNSUPPORTED, library.name() + ": create failed with status " + std::to_string(status));
    }
    handle_ = Handle(made, library_.Destroy);
    version_ = library_.GetVersion();  // 91900: 9.19.0
    name_ = library.name() + " " + std::to_string(version_ / 10000) + "." + std::to_string(version_ / 100 % 100) + "." +
            std::to_string(version_ % 100);
    nothing_ = version_ < 91000 ? std::numeric_limits<float>::lowest() : -std::numeric_limits<float>::infinity();
  }

  size_t plans(const SdpaShape& shape, uint64_t* workspace) override {
    const Compiled& compiled = this->compiled(shape);
    *workspace = static_cast<uint64_t>(compiled.workspace);
    return compiled.plans.size();
  }

  std::function<void(void*)> bind(const SdpaShape& shape, const SdpaOperands& o, size_t which) override {
    struct Kept {
      Handle pack;
      float scale = 1, nothing = 0;  // the library reads these at each call
      int32_t window = 0;
    };
    const Compiled& compiled = this->compiled(shape);
    auto bound = std::make_shared<Kept>();
    bound->scale = shape.scale;
    bound->nothing = nothing_;
    bound->window = static_cast<int32_t>(shape.window);
    void* pack = nullptr;
    check(library_.BackendCreateDescriptor(kVariantPack, &pack), "variant pack");
    bound->pack = Handle(pack, library_.BackendDestroyDescriptor);
    std::vector<int64_t> ids{kQ, kK, kV, kY, kScale};
    std::vector<void*> pointers{o.q, o.k, o.v, o.y, &bound->scale};
    const auto add = [&](int64_t id, void* pointer) {
      ids.push_back(id);
      pointers.push_back(pointer);
    };
    if (!compiled.node) add(kStats, o.stats);
    if (shape.causal) {
      add(kQueries, o.queries);
      add(kKeys, o.keys);
      if (!compiled.node || shape.tokens > 1 || shape.window > 0) add(kNothing, &bound->nothing);
      if (shape.window > 0) add(kWindow, &bound->window);
      if (shape.page > 0) add(kPages, o.table);
    }
    const auto n = static_cast<int64_t>(ids.size());
    check(library_.BackendSetAttribute(pack, kPackIds, kInt64Type, n, ids.data()), "ids");
    check(library_.BackendSetAttribute(pack, kPackPointers, kPointerType, n, pointers.data()), "pointers");
    check(library_.BackendSetAttribute(pack, kPackWorkspace, kPointerType, 1, &o.workspace), "workspace");
    check(library_.BackendFinalize(pack), "variant pack");
    return [this, bound, plan = compiled.plans[which]](void* stream) {
      check(library_.SetStream(handle_.get(), stream), "stream");
      check(library_.BackendExecute(handle_.get(), plan, bound->pack.get()), "attention");
    };
  }

  [[nodiscard]] std::string name(const SdpaShape& shape, size_t which) override {
    return name_ + (compiled(shape).node ? " (SDPA node)" : "") +
           (which > 0 ? " plan " + std::to_string(which + 1) : "");
  }

 private:
  void check(int status, const char* what) const {
    if (status == 0) return;
    throw Failure(ASSAY_INTERNAL, name_ + ": " + what + " failed with status " + std::to_string(status));
  }

  const Compiled& compiled(const SdpaShape& shape) {
    Compiled& out = compiled_[sdpa_key(shape)];
    if (out.builder != nullptr) return out;
    if (version_ < kNodeSince || !compile(shape, true, &out)) compile(shape, false, &out);
    return out;
  }

  bool compile(const SdpaShape& shape, bool node, Compiled* out) const {
    out->builder = std::make_unique<Builder>(library_, handle_.get());
    out->node = node;
    try {
      void* graph = node ? attention_node(*out->builder, shape) : attention_graph(*out->builder, shape);
      propose(graph, shape.tokens < kFewTokens ? 2 : 1, out);
    } catch (const Refused&) {
      out->plans.clear();
    }
    return !out->plans.empty();
  }

  // The first `most` of the library's proposals that compile.
  void propose(void* graph, size_t most, Compiled* out) const {
    Builder& b = *out->builder;
    void* heuristics = b.made(kEngineHeuristics);
    b.link(heuristics, kHeuristicsGraph, graph);
    b.choice(heuristics, kHeuristicsMode, kHeuristicsModeType, kHeuristicsA);
    b.finish(heuristics);
    constexpr int64_t kMost = 8;
    std::vector<void*> configs;
    for (int64_t i = 0; i < kMost; ++i) configs.push_back(b.made(kEngineConfig));
    int64_t n = 0;
    accept(library_.BackendGetAttribute(heuristics, kHeuristicsResults, kDescriptorType, kMost, &n, configs.data()));
    for (int64_t i = 0; i < n && i < kMost && out->plans.size() < most; ++i) {
      void* plan = b.made(kExecutionPlan);
      b.set<void*>(plan, kPlanHandle, kHandleType, {handle_.get()});
      b.link(plan, kPlanConfig, configs[static_cast<size_t>(i)]);
      if (library_.BackendFinalize(plan) != 0) continue;
      int64_t got = 0, workspace = 0;
      accept(library_.BackendGetAttribute(plan, kPlanWorkspace, kInt64Type, 1, &got, &workspace));
      out->workspace = std::max(out->workspace, workspace);
      out->plans.push_back(plan);
    }
  }

  Library9 library_;
  Handle handle_;
  size_t version_ = 0;
  std::string name_;
  float nothing_ = 0;
  std::map<std::string, Compiled> compiled_;
};

}  // namespace

std::string sdpa_key(const SdpaShape& s) {
  std::string out;
  for (const int64_t part : {int64_t{s.dtype}, s.batch, s.heads, s.kv_heads, s.tokens, s.slots, s.dim_qk, s.dim_v,
                             s.q_row, s.k_row, s.v_row, int64_t{s.causal}, s.window, s.page, s.pages}) {
    out += std::to_string(part) + " ";
  }
  return out;
}

std::unique_ptr<Sdpa> Sdpa::load(const Runtime& runtime, std::string* why) {
  if (std::string(std::vector<const char*>{GPU_DNN_LIBRARIES}.front()).empty()) return nullptr;  // the vendor has none
  const Library library({GPU_DNN_LIBRARIES}, runtime.folder());
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  try {
    return std::make_unique<CudnnSdpa>(library);
  } catch (const Failure& failure) {
    *why = failure.what();
    return nullptr;
  }
}

}  // namespace assay::gpu
