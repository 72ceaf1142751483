// Which launches of a step become one.
#include "adapters/gpu/plan.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

bool same(const Data& a, const Data& b) { return a.p == b.p && a.dtype == b.dtype && a.cols == b.cols; }

// A call of the first op, which moves most, that does the work of both.
class Fuser {
 public:
  Fuser(Plan& plan, const Call& first, const Call& second) : plan_(plan), first_(first), second_(second) {}

  std::optional<Call> call() {
    if (std::optional<Call> made = add_and_norm(); made) return made;
    if (std::optional<Call> made = add_and_layer_norm(); made) return made;
    if (std::optional<Call> made = rope_and_append(); made) return made;
    return product_and_gate();
  }

 private:
  template <typename Args>
  std::optional<Call> launch(const std::string& kernel, const Grid& grid, const Args& args, const char* note) {
    if (!plan_.device->has(kernel)) return std::nullopt;
    plan_.note(note);
    return kernel_call(plan_, first_.op, kernel, grid, &args, sizeof(args));
  }

  std::optional<Call> add_and_norm() {
    const auto add = arguments<MapArgs>(first_, "add");
    const auto norm = arguments<NormArgs>(second_, "rms_norm_8");
    if (!add || !norm || add->mod.p != nullptr || !same(add->y, norm->x)) return std::nullopt;
    if (norm->col != 0 || norm->group != norm->x.cols) return std::nullopt;  // the whole rows
    if (add->a.dtype != norm->x.dtype || add->b.dtype != norm->x.dtype) return std::nullopt;
    const AddNormArgs args{add->a, add->b, add->y, norm->gamma, norm->y, norm->early, norm->eps};
    return launch("add_rms_norm", second_.grid, args, "residual add and RMS norm: one kernel");
  }

  std::optional<Call> add_and_layer_norm() {
    const auto add = arguments<MapArgs>(first_, "add");
    const auto norm = arguments<ModNormArgs>(second_, "layer_norm_modulate_8");
    if (!add || !norm || !same(add->y, norm->x)) return std::nullopt;
    const bool gated = add->mod.p != nullptr;
    if (gated && ((add->mod.cols | add->gate_col) % 8 != 0 || add->mod.dtype != add->y.dtype)) return std::nullopt;
    if (add->a.dtype != add->y.dtype || add->b.dtype != add->y.dtype) return std::nullopt;
    return launch("add_layer_norm_modulate", second_.grid, AddModNormArgs{*add, *norm},
                  "residual add and layer norm: one kernel");
  }

  std::optional<Call> rope_and_append() {
    const auto rope = arguments<RopeArgs>(first_, "rope");
    const auto append = arguments<AppendArgs>(second_, "kv_append");
    if (!rope || !append || rope->wide == 0 || !same(rope->y, append->x)) return std::nullopt;
    const bool values = append->dim_v > 0;
    const int64_t columns =
        append->col_k | append->heads * append->dim_k | (values ? append->col_v | append->heads * append->dim_v : 0);
    if (columns % 8 != 0 || append->k.dtype != rope->y.dtype) return std::nullopt;
    if ((values && append->v.dtype != rope->y.dtype) || append->tokens != rope->tokens) return std::nullopt;
    return launch("rope_kv_append", first_.grid, RopeAppendArgs{*rope, *append}, "RoPE and KV append: one kernel");
  }

  std::optional<Call> product_and_gate() {
    const auto gate = arguments<MapArgs>(second_, "gated_act");
    if (!gate || first_.name.rfind("matvec_", 0) != 0) return std::nullopt;
    const auto product = arguments<ProductArgs>(first_, first_.name);
    if (!product || product->m != 1 || !same(product->y, gate->a)) return std::nullopt;
    Grid grid = first_.grid;
    grid.x = gate->y.cols;
    std::optional<Call> both =
        launch("gated_" + first_.name.substr(7), grid, GatedProductArgs{*product, gate->y, gate->function}, kGateFused);
    if (both) both->apart = {first_, second_};
    return both;
  }

  Plan& plan_;
  const Call &first_, &second_;
};

}  // namespace

bool may_fuse(const Model& model, const Op& first, const Op& second) {
  if (first.kind == ASSAY_OP_ADD) {
    return second.kind == ASSAY_OP_RMS_NORM || second.kind == ASSAY_OP_LAYER_NORM_MODULATE;
  }
  if (first.kind == ASSAY_OP_ROPE) return second.kind == ASSAY_OP_KV_APPEND;
  return first.kind == ASSAY_OP_MATMUL && second.kind == ASSAY_OP_GATED_ACT && model.slots[first.in[0]].rows == 1;
}

void fuse(Plan& plan) {
  std::vector<Call> out;
  for (Call& call : plan.calls) {
    std::optional<Call> both;
    if (!out.empty() && out.back().op + 1 == call.op) both = Fuser(plan, out.back(), call).call();
    if (both) {
      out.back() = std::move(*both);
    } else {
      out.push_back(std::move(call));
    }
  }
  plan.calls = std::move(out);
}

}  // namespace assay::gpu
