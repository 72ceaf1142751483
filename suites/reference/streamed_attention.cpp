// Attention of a streamed graph: every cached key and value is made once for a row, and meets all of its heads.
#include <cmath>

#include "suites/reference/row_access.h"
#include "suites/reference/streamed.h"

namespace assay::reference {
namespace {

// Softmax-weighted mean so far, of values that came with scores in any order.
struct RunningHead {
  double highest = -HUGE_VAL, sum = 0;
  std::vector<double> mixed;

  void add(double score, const double* value) {
    if (score > highest) {
      const double shrink = std::exp(highest - score);
      for (double& m : mixed) m *= shrink;
      sum *= shrink;
      highest = score;
    }
    const double weight = std::exp(score - highest);
    sum += weight;
    for (size_t d = 0; d < mixed.size(); ++d) mixed[d] += weight * value[d];
  }
};

// One token of a cache, all of its heads.
std::vector<double> slot(const OpContext& c, const Source& source, size_t i, uint64_t sequence, int64_t key) {
  const uint64_t size = dim(input(c, i), 2) * dim(input(c, i), 3);
  return fetch(source, c.op.in[i], cache_row(c, source, input(c, i), sequence, static_cast<uint64_t>(key)), size);
}

void attend_all_heads(const OpContext& c, const Source& source, uint64_t row, double* out) {
  const uint64_t heads = size_attr(c, ASSAY_ATTENTION_HEADS), group = heads / size_attr(c, ASSAY_ATTENTION_KV_HEADS);
  const uint64_t dk = size_attr(c, ASSAY_ATTENTION_DIM_QK), dv = size_attr(c, ASSAY_ATTENTION_DIM_V);
  const uint64_t dim_rope = has_input(c, 3) ? size_attr(c, ASSAY_ATTENTION_DIM_ROPE) : 0, own = dk - dim_rope;
  const uint64_t sequence = row / static_cast<uint64_t>(tokens_per_sequence(c));
  const uint64_t k_width = last_dim(input(c, 1)), v_width = last_dim(input(c, 2));
  const std::vector<double> x = input_row(c, source, 0, row);
  std::vector<RunningHead> state(heads);
  for (RunningHead& head : state) head.mixed.assign(dv, 0.0);
  for (const int64_t j : keys_seen(c, source, row)) {
    const std::vector<double> k = slot(c, source, 1, sequence, j);
    const std::vector<double> other =
        c.op.in[2] == c.op.in[1] ? std::vector<double>{} : slot(c, source, 2, sequence, j);
    const std::vector<double> rope = dim_rope > 0 ? slot(c, source, 3, sequence, j) : std::vector<double>{};
    const std::vector<double>& v = other.empty() ? k : other;
    for (uint64_t h = 0; h < heads; ++h) {
      const double* q = x.data() + size_attr(c, ASSAY_ATTENTION_Q_COL) + h * dk;
      double score = dot(q, k.data() + h / group * k_width + size_attr(c, ASSAY_ATTENTION_KV_COL_K), own);
      if (dim_rope > 0) score += dot(q + own, rope.data(), dim_rope);
      state[h].add(attr(c, ASSAY_ATTENTION_SCALE) * score,
                   v.data() + h / group * v_width + size_attr(c, ASSAY_ATTENTION_KV_COL_V));
    }
  }
  for (uint64_t h = 0; h < heads; ++h) {
    for (uint64_t d = 0; d < dv; ++d) out[h * dv + d] = state[h].sum > 0 ? state[h].mixed[d] / state[h].sum : 0;
  }
}

}  // namespace

Status Streamed::attention(const OpContext& c) {
  const uint64_t rows = rows_of(c), length = row_length(c);
  Values out(rows * length);
  const Source from = source();
  parallel(rows, [&](uint64_t first, uint64_t end) {
    for (uint64_t r = first; r < end; ++r) attend_all_heads(c, from, r, out.data() + r * length);
  });
  values_[c.op.out[0]] = std::move(out);
  return ok_status();
}

}  // namespace assay::reference
