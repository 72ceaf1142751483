// Attention, the KV cache, rotary positions and the choice of keys.
#include <algorithm>
#include <cmath>

#include "adapters/spirv/plan.h"

namespace assay::spirv {

namespace {

constexpr long double kTwoPi = 6.283185307179586476925286766559005768L;

// f' of op_spec.md: frequencies of long wavelengths divided by a factor, with a ramp between.
long double scaled(long double f, const sdk::Op& op) {
  const long double factor = op.attr[ASSAY_ROPE_SCALING_FACTOR];
  if (factor <= 0) return f;
  const long double original = op.attr[ASSAY_ROPE_SCALING_ORIGINAL];
  const long double low = op.attr[ASSAY_ROPE_SCALING_LOW];
  const long double high = op.attr[ASSAY_ROPE_SCALING_HIGH];
  const long double length = kTwoPi / f;
  if (length > original / low) return f / factor;
  if (length < original / high) return f;
  const long double g = (original / length - low) / (high - low);
  return (1 - g) * f / factor + g * f;
}

// What a position turns each pair of a block of `dim` elements by, in 2^-64 revolutions: whole ones drop out.
void add_turns(std::vector<uint64_t>& turns, int64_t dim, const sdk::Op& op) {
  for (int64_t i = 0; i < dim / 2; ++i) {
    const long double exponent = -2.0L * static_cast<long double>(i) / static_cast<long double>(dim);
    const long double f = scaled(std::pow(static_cast<long double>(op.attr[ASSAY_ROPE_THETA]), exponent), op);
    const long double revolutions = f / kTwoPi;
    turns.push_back(static_cast<uint64_t>(std::ldexp(revolutions - std::floor(revolutions), 64)));
  }
}

// Tokens of a sequence that the op's caches hold; the kernels count the rows of all.
int64_t capacity_of(const Plan& plan, const sdk::Op& op) {
  const sdk::Slot& cache = plan.slot(op.in[1]);
  i32(cache.dims[0] * cache.dims[1]);
  return op.pages() == sdk::kAbsent ? cache.dims[1] : plan.slot(op.pages()).cols * cache.dims[1];
}

}  // namespace

void lower_rope(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const int64_t head_dim = op.integer(ASSAY_ROPE_HEAD_DIM);
  const int64_t rotary = op.integer(ASSAY_ROPE_ROTARY_DIM);
  if (rotary > 4096) throw sdk::Failure(ASSAY_UNSUPPORTED, "rope: rotary_dim beyond the kernel's 4096");
  const bool grid = op.integer(ASSAY_ROPE_GRID_W) > 0;
  int64_t dims[3] = {rotary, 0, 0};
  if (grid) {
    dims[0] = op.integer(ASSAY_ROPE_GRID_DIM_T);
    dims[1] = op.integer(ASSAY_ROPE_GRID_DIM_H);
    dims[2] = rotary - dims[0] - dims[1];
  }
  std::vector<uint64_t> turns;
  for (const int64_t dim : dims) add_turns(turns, dim, op);
  const int64_t tokens = x.rows / op.integer(ASSAY_ROPE_BATCH);
  plan.launch("rope", {count_of(x.rows), 1, 1},
              {plan.at(op.in[0]), plan.constant(turns), plan.scalars(), plan.at(op.out[0]), op.scalar_slot, i32(x.cols),
               i32(tokens), i32(head_dim), i32(op.integer(ASSAY_ROPE_COLS) / head_dim), i32(op.integer(ASSAY_ROPE_COL)),
               i32(op.integer(ASSAY_ROPE_ROTARY_COL)), i32(op.attr[ASSAY_ROPE_INTERLEAVED] != 0 ? 1 : 0), i32(dims[0]),
               i32(dims[1]), i32(dims[2]), i32(op.integer(ASSAY_ROPE_GRID_H)), i32(op.integer(ASSAY_ROPE_GRID_W)),
               i32(grid ? op.integer(ASSAY_ROPE_TEXT_ROWS) : 0)});
}

void lower_kv_append(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& x = plan.slot(op.in[0]);
  const sdk::Slot& k = plan.slot(op.out[0]);
  const int64_t heads = op.integer(ASSAY_KV_APPEND_KV_HEADS);
  const int64_t dim_v = op.integer(ASSAY_KV_APPEND_DIM_V);
  const int64_t tokens = x.rows / op.integer(ASSAY_KV_APPEND_BATCH);
  if (dim_v > 0 && plan.slot(op.out[1]).dtype != k.dtype) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "kv_append: k and v of different dtypes");
  }
  plan.launch("kv_append_" + suffix(k.dtype), {count_of(x.rows), 1, 1},
              {plan.at(op.in[0]), plan.scalars(), plan.at(op.out[0]),
               dim_v > 0 ? Argument(plan.at(op.out[1])) : Argument(Absent{}), op.scalar_slot, i32(x.cols),
               i32(op.integer(ASSAY_KV_APPEND_K_COL)), i32(heads * op.integer(ASSAY_KV_APPEND_DIM_K)),
               i32(op.integer(ASSAY_KV_APPEND_V_COL)), i32(heads * dim_v), i32(tokens), i32(capacity_of(plan, op)),
               plan.input(op, ASSAY_KV_APPEND_IN_PAGES), i32(k.dims[1])});
}

void lower_attention(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& q = plan.slot(op.in[0]);
  const sdk::Slot& k = plan.slot(op.in[1]);
  const sdk::Slot& v = plan.slot(op.in[2]);
  const bool indexed = op.has_in(4);
  if (k.dtype != v.dtype || (op.has_in(3) && plan.slot(op.in[3]).dtype != k.dtype)) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "attention: k, v and k_rope of different dtypes");
  }
  const int64_t batch = op.integer(ASSAY_ATTENTION_BATCH);
  const int64_t heads = op.integer(ASSAY_ATTENTION_HEADS);
  const int64_t kv_heads = op.integer(ASSAY_ATTENTION_KV_HEADS);
  const int64_t dv = op.integer(ASSAY_ATTENTION_DIM_V);
  const int64_t tokens = q.rows / batch;
  const int64_t capacity = capacity_of(plan, op);
  const int64_t n_index = indexed ? plan.slot(op.in[4]).cols : 0;
  // Rows that share a KV head read its keys together, but not where each row has keys of its own.
  const int64_t high = indexed ? 1 : 4;
  const int64_t tiles = ceil_div(heads / kv_heads * tokens, high);
  constexpr int64_t kKeysOfPart = 256, kMaxSplits = 256;  // kernels/attention.cl
  const int64_t groups = tiles * kv_heads * batch;
  const int64_t keys = indexed ? n_index : capacity;
  const int64_t wanted = 4 * int64_t{plan.device().units};
  const bool windowed = op.integer(ASSAY_ATTENTION_MASK) == ASSAY_MASK_WINDOW;
  const int64_t seen = windowed ? std::min(keys, op.integer(ASSAY_ATTENTION_WINDOW) + tokens - 1) : keys;
  // A core of a joined launch waits for another's part of a step, so that no part is long.
  constexpr int64_t kMostKeys = 1024;
  const bool joins = plan.device().groups_meet && plan.device().form == Form::kCpu && q.rows == 1;
  const int64_t least = joins ? ceil_div(seen, kMostKeys) : 1;
  const int64_t splits =
      std::clamp<int64_t>(std::max(wanted / groups, least), 1, std::min(kMaxSplits, ceil_div(seen, kKeysOfPart)));
  Argument parts = Absent{};
  if (splits > 1) parts = plan.work(static_cast<uint64_t>(q.rows * heads * splits * (dv + 2)) * sizeof(float));
  const size_t lanes = plan.device().form == Form::kCpu ? 1 : std::min<size_t>(plan.row_group(), 64);
  plan.launch("attention_" + suffix(k.dtype), {count_of(tiles), count_of(kv_heads), count_of(batch * splits)},
              {lanes, 1, 1},
              {plan.at(op.in[0]),
               plan.at(op.in[1]),
               plan.at(op.in[2]),
               plan.input(op, 3),
               plan.input(op, 4),
               plan.scalars(),
               plan.at(op.out[0]),
               parts,
               op.scalar_slot,
               i32(tokens),
               i32(heads),
               i32(kv_heads),
               i32(op.integer(ASSAY_ATTENTION_DIM_QK)),
               i32(dv),
               i32(op.integer(ASSAY_ATTENTION_DIM_ROPE)),
               i32(op.integer(ASSAY_ATTENTION_MASK)),
               i32(op.integer(ASSAY_ATTENTION_WINDOW)),
               static_cast<float>(op.attr[ASSAY_ATTENTION_SCALE]),
               i32(q.cols),
               i32(op.integer(ASSAY_ATTENTION_Q_COL)),
               i32(capacity),
               i32(k.dims[3]),
               i32(op.integer(ASSAY_ATTENTION_KV_COL_K)),
               i32(v.dims[3]),
               i32(op.integer(ASSAY_ATTENTION_KV_COL_V)),
               i32(n_index),
               i32(splits),
               i32(high),
               plan.input(op, ASSAY_ATTENTION_IN_PAGES),
               i32(k.dims[1])});
  if (splits > 1) {
    plan.launch("attention_join", {count_of(q.rows * heads), 1, 1}, {parts, plan.at(op.out[0]), i32(dv), i32(splits)});
  }
}

void lower_index_topk(Plan& plan, const sdk::Op& op) {
  const sdk::Slot& q = plan.slot(op.in[0]);
  const sdk::Slot& k = plan.slot(op.in[1]);
  const int64_t tokens = q.rows / op.integer(ASSAY_INDEX_TOPK_BATCH);
  const int64_t capacity = k.dims[1];
  const int64_t n = plan.slot(op.out[0]).cols;
  constexpr int64_t kSpan = 256;
  const View scores = plan.work(static_cast<uint64_t>(q.rows * capacity) * sizeof(float));
  const View chosen = plan.work(static_cast<uint64_t>(q.rows * n) * sizeof(int32_t));
  plan.launch("index_scores_" + suffix(k.dtype), {count_of(ceil_div(capacity, kSpan)), count_of(q.rows), 1},
              {plan.at(op.in[0]), plan.at(op.in[1]), plan.at(op.in[2]), plan.scalars(), scores, op.scalar_slot,
               i32(tokens), i32(op.integer(ASSAY_INDEX_TOPK_HEADS)), i32(op.integer(ASSAY_INDEX_TOPK_DIM)), i32(q.cols),
               i32(op.integer(ASSAY_INDEX_TOPK_Q_COL)), static_cast<float>(op.attr[ASSAY_INDEX_TOPK_SCALE]),
               i32(capacity), i32(kSpan)});
  plan.launch("index_select", {count_of(q.rows), 1, 1},
              {scores, plan.scalars(), chosen, plan.at(op.out[0]), op.scalar_slot, i32(tokens), i32(capacity), i32(n)});
}

}  // namespace assay::spirv
