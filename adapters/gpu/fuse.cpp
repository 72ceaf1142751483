// Which launches of a step become one.
#include <algorithm>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

bool same(const Data& a, const Data& b) { return a.p == b.p && a.dtype == b.dtype && a.cols == b.cols; }

// Whether what has just been turned can be appended as whole vectors.
bool takes_append(const RopeArgs& rope, const AppendArgs& append) {
  if (rope.wide == 0 || !same(rope.y, append.x)) return false;
  const bool values = append.dim_v > 0;
  const int64_t columns =
      append.col_k | append.heads * append.dim_k | (values ? append.col_v | append.heads * append.dim_v : 0);
  if (columns % 8 != 0 || append.k.dtype != rope.y.dtype) return false;
  return (!values || append.v.dtype == rope.y.dtype) && append.tokens == rope.tokens;
}

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
    if (!rope || !append || !takes_append(*rope, *append)) return std::nullopt;
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

constexpr int64_t kLanes = 32, kVector = 8;

bool power_of_2(int64_t n) { return n > 0 && (n & (n - 1)) == 0; }

// The two norms' and RoPE's work on the same rows: of queries, of keys, of both.
struct NormsAndRope {
  NormArgs q, k;
  RopeArgs rope;

  [[nodiscard]] bool chained() const {
    return rope.wide != 0 && same(q.y, k.x) && same(k.y, rope.x) && q.x.dtype == rope.y.dtype && q.col == rope.col &&
           k.col == q.col + q.cols && q.cols + k.cols == rope.cols && q.cols % rope.head_dim == 0;
  }
  [[nodiscard]] bool of_heads() const { return q.group == rope.head_dim && k.group == rope.head_dim; }
  [[nodiscard]] bool of_rows() const { return q.group == q.cols && k.group == k.cols; }
  // A head's vectors are a warp's lanes, which add up, and of halves turn, by exchanges over powers of 2.
  [[nodiscard]] bool suits_lanes() const {
    const bool halves = rope.interleaved == 0;
    const int64_t lanes = rope.head_dim / kVector;
    if ((of_heads() || halves) && (!power_of_2(lanes) || lanes > kLanes)) return false;
    return !halves || (rope.grid_w <= 0 && power_of_2(rope.rotary_dim) && rope.rotary_col % rope.rotary_dim == 0);
  }
};

// The norms of queries and keys from call `at` on, RoPE behind them and, if it is there, the append: `n` calls as one.
std::optional<Call> norms_and_rope(Plan& plan, size_t at, size_t* n) {
  const auto next = [&](size_t i) -> const Call* {  // of the op i behind the first
    const bool there = at + i < plan.calls.size() && plan.calls[at + i].op == plan.calls[at].op + i;
    return there ? &plan.calls[at + i] : nullptr;
  };
  if (next(1) == nullptr || next(2) == nullptr) return std::nullopt;
  const auto q = arguments<NormArgs>(*next(0), "rms_norm_8"), k = arguments<NormArgs>(*next(1), "rms_norm_8");
  const auto rope = arguments<RopeArgs>(*next(2), "rope");
  if (!q || !k || !rope) return std::nullopt;
  const NormsAndRope parts{*q, *k, *rope};
  const bool heads = parts.of_heads();
  const char* kernel = heads ? "norm_rope_heads" : "norm_rope_rows";
  if (!parts.chained() || !parts.suits_lanes() || !(heads || parts.of_rows()) || !plan.device->has(kernel)) {
    return std::nullopt;
  }
  const auto append = next(3) == nullptr ? std::nullopt : arguments<AppendArgs>(*next(3), "kv_append");
  const bool appends = append && takes_append(*rope, *append);
  NormRopeArgs args{*rope, appends ? *append : AppendArgs{}, q->gamma, k->gamma, q->y, k->y, q->cols, 0, 0, 0, q->eps,
                    k->eps};
  args.rope.x = q->x;
  // What the next one of them overwrites was to be read by it alone.
  if (q->y.p == k->y.p || q->y.p == rope->y.p) args.q_normed.p = nullptr;
  if (k->y.p == rope->y.p) args.k_normed.p = nullptr;
  args.q_threads = next(0)->grid.threads;
  args.k_threads = next(1)->grid.threads;
  args.early = q->early != 0 && k->early != 0 ? 1 : 0;
  Grid grid = next(2)->grid;
  if (!heads) {
    const bool others = rope->cols < rope->x.cols && (appends || q->x.p != rope->y.p);
    grid.y = others ? 3 : 2;
    grid.threads = std::max(next(0)->grid.threads, next(1)->grid.threads);
  }
  *n = appends ? 4 : 3;
  plan.note(appends ? "norms of queries and keys, RoPE and KV append: one kernel"
                    : "norms of queries and keys and RoPE: one kernel");
  return kernel_call(plan, plan.calls[at].op, kernel, grid, &args, sizeof(args));
}

// Whether norms_and_rope may take op i and the two behind it.
bool may_norm_and_rope(const Model& model, size_t i) {
  const auto is = [&](size_t at, uint32_t kind) { return at < model.ops.size() && model.ops[at].kind == kind; };
  return is(i, ASSAY_OP_RMS_NORM) && is(i + 1, ASSAY_OP_RMS_NORM) && is(i + 2, ASSAY_OP_ROPE);
}

bool may_fuse_both(const Model& model, const Op& first, const Op& second) {
  if (first.kind == ASSAY_OP_ADD) {
    return second.kind == ASSAY_OP_RMS_NORM || second.kind == ASSAY_OP_LAYER_NORM_MODULATE;
  }
  if (first.kind == ASSAY_OP_ROPE) return second.kind == ASSAY_OP_KV_APPEND;
  return first.kind == ASSAY_OP_MATMUL && second.kind == ASSAY_OP_GATED_ACT && model.slots[first.in[0]].rows == 1;
}

}  // namespace

size_t last_fused(const Model& model, size_t i) {
  size_t last = i;
  if (may_norm_and_rope(model, i)) {
    last = i + 2;
  } else if (i > 0 && may_norm_and_rope(model, i - 1)) {
    last = i + 1;
  }
  const bool one_more = last + 1 < model.ops.size() && may_fuse_both(model, model.ops[last], model.ops[last + 1]);
  return one_more ? last + 1 : last;
}

void fuse(Plan& plan) {
  std::vector<Call> out;
  for (size_t i = 0; i < plan.calls.size(); ++i) {
    size_t n = 0;
    if (std::optional<Call> all = norms_and_rope(plan, i, &n); all) {
      out.push_back(std::move(*all));
      i += n - 1;
      continue;
    }
    Call& call = plan.calls[i];
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
