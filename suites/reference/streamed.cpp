#include "suites/reference/streamed.h"

#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

Error refused(const OpContext& c, const std::string& reason) {
  return {ErrorKind::kUnsupported, "op '" + c.op.name + "' (" + op_kind_name(c.op.kind) + ") " + reason};
}

std::vector<uint64_t> all_columns(uint64_t count) {
  std::vector<uint64_t> columns(count);
  std::iota(columns.begin(), columns.end(), uint64_t{0});
  return columns;
}

}  // namespace

Streamed::Streamed(const Graph& graph, const std::vector<int64_t>& scalars, std::optional<Prefix> prefix,
                   const Source& host, int threads)
    : graph_(graph),
      scalars_(scalars),
      prefix_(prefix),
      host_(host),
      threads_(std::max(1, threads)),
      values_(graph.tensors.size()),
      last_use_(graph.tensors.size(), 0) {
  for (size_t i = 0; i < graph.ops.size(); ++i) {
    for (const uint32_t t : graph.ops[i].in) {
      if (t != kNoTensor && t < last_use_.size()) last_use_[t] = i;
    }
  }
}

Result<Values> Streamed::run(uint32_t target) {
  for (size_t i = 0; i < graph_.ops.size(); ++i) {
    const Op& op = graph_.ops[i];
    const OpContext c = context_of(graph_, op, scalars_);
    if (Status shapes = check_shapes(c); !shapes) return shapes.error();
    if (Status possible = check_prefix(c); !possible) return possible.error();
    if (Status done = step(c); !done) return done.error();
    squares_ += std::pow(numerics_limit(graph_, op), 2);
    if (std::find(op.out.begin(), op.out.end(), target) != op.out.end()) return std::move(values_[target]);
    release(i);
  }
  return Error{ErrorKind::kUnsupported, "no op of the graph writes the tensor that is compared"};
}

Status Streamed::step(const OpContext& c) {
  switch (c.op.kind) {
    case ASSAY_OP_MATMUL:
      return matmul(c);
    case ASSAY_OP_GROUPED_MATMUL:
      return grouped_matmul(c);
    case ASSAY_OP_HEAD_MATMUL:
      return head_matmul(c);
    case ASSAY_OP_KV_EXPAND:
      return kv_expand(c);
    case ASSAY_OP_CONV3D:
      return conv3d(c);
    case ASSAY_OP_ATTENTION:
      return attention(c);
    case ASSAY_OP_KV_APPEND:
      return keep_kv(c);
    case ASSAY_OP_ROUTER_TOPK:
      return route(c);
    case ASSAY_OP_INDEX_TOPK:
      return choose_keys(c);
    case ASSAY_OP_MOE_DISPATCH:
      return dispatch(c);
    default:
      return by_row(c);
  }
}

// Do the first rows of the result depend on the first rows of the inputs alone?
Status Streamed::check_prefix(const OpContext& c) const {
  if (!prefix_) return ok_status();
  const bool whole_sequences = prefix_->rows == prefix_->tokens || prefix_->tokens == 1;
  switch (c.op.kind) {
    case ASSAY_OP_PATCHIFY3D:
    case ASSAY_OP_CONV3D:
    case ASSAY_OP_GROUP_NORM:
      return refused(c, "mixes all tokens, so that the first rows can't be told alone");
    case ASSAY_OP_ATTENTION: {
      const int64_t mask = int_attr(c, ASSAY_ATTENTION_MASK);
      const bool sees_all = mask == ASSAY_MASK_FULL || mask == ASSAY_MASK_CROSS;
      if (sees_all && !whole_sequences)
        return refused(c, "sees later tokens, so that the first rows can't be told alone");
      break;
    }
    case ASSAY_OP_ADD:
    case ASSAY_OP_LAYER_NORM_MODULATE: {
      const size_t mod = c.op.kind == ASSAY_OP_ADD ? 2 : 1;
      if (has_input(c, mod) && !is_host(c.op.in[mod])) return refused(c, "depends on a computed row per sequence");
      break;
    }
    case ASSAY_OP_EMBEDDING:
      if (!is_host(c.op.in[1])) return refused(c, "gathers computed rows");
      break;
    default:
      break;
  }
  if (is_host(c.op.in[0]) && row_count(c) != prefix_->all_rows) return refused(c, "has rows that are not tokens");
  return ok_status();
}

bool Streamed::is_host(uint32_t t) const {
  const uint32_t role = graph_.tensors[t].role;
  return role == ASSAY_ROLE_INPUT || role == ASSAY_ROLE_WEIGHT;
}

uint64_t Streamed::available_rows(uint32_t t) const {
  if (is_host(t))
    return prefix_ ? prefix_->rows : static_cast<uint64_t>(graph_.elements(t)) / last_dim(graph_.tensors[t]);
  return values_[t].size() / last_dim(graph_.tensors[t]);
}

// Rows of the result that the rows of the inputs give.
uint64_t Streamed::rows_of(const OpContext& c) const {
  if (!prefix_) return row_count(c);
  return available_rows(c.op.in[c.op.kind == ASSAY_OP_MOE_COMBINE ? 1 : 0]);
}

Values Streamed::input_rows(const OpContext& c, size_t i, uint64_t rows) const {
  return fetch(source(), c.op.in[i], 0, rows * last_dim(input(c, i)));
}

Source Streamed::source() const {
  return [this](uint32_t t, uint64_t first, uint64_t count, double* out) {
    if (graph_.tensors[t].role == ASSAY_ROLE_STATE) return read_state(t, first, count, out);
    if (is_host(t)) return host_(t, first, count, out);
    std::copy_n(values_[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
  };
}

// What the host filled the cache with, and this step's rows over it.
void Streamed::read_state(uint32_t t, uint64_t first, uint64_t count, double* out) const {
  const auto written = states_.find(t);
  if (written == states_.end()) return host_(t, first, count, out);
  const Tensor& cache = graph_.tensors[t];
  const uint64_t size = dim(cache, 2) * dim(cache, 3);
  for (uint64_t done = 0; done < count;) {
    const uint64_t slot = (first + done) / size, inside = (first + done) % size;
    const uint64_t piece = std::min(size - inside, count - done);
    const auto row = written->second.find(slot);
    if (row == written->second.end()) {
      host_(t, first + done, piece, out + done);
    } else {
      std::copy_n(row->second.begin() + static_cast<std::ptrdiff_t>(inside), piece, out + done);
    }
    done += piece;
  }
}

void Streamed::release(size_t done) {
  for (const auto* list : {&graph_.ops[done].in, &graph_.ops[done].out}) {
    for (const uint32_t t : *list) {
      if (t != kNoTensor && last_use_[t] <= done) Values().swap(values_[t]);
    }
  }
}

void Streamed::parallel(uint64_t count, const std::function<void(uint64_t first, uint64_t end)>& work) const {
  const auto threads = std::min(static_cast<uint64_t>(threads_), count);
  std::vector<std::thread> pool;
  for (uint64_t i = 1; i < threads; ++i) {
    pool.emplace_back([&, i] { work(count * i / threads, count * (i + 1) / threads); });
  }
  if (count > 0) work(0, count / threads);
  for (std::thread& thread : pool) thread.join();
}

Status Streamed::by_row(const OpContext& c) {
  const uint64_t rows = rows_of(c), length = row_length(c);
  const std::vector<uint64_t> columns = all_columns(length);
  Values out(rows * length);
  const Source from = source();
  parallel(rows, [&](uint64_t first, uint64_t end) {
    RowReference reference(c, from);
    for (uint64_t r = first; r < end; ++r) reference.values(r, columns, out.data() + r * length);
  });
  values_[c.op.out[0]] = std::move(out);
  return ok_status();
}

Status Streamed::keep_kv(const OpContext& c) {
  const uint64_t rows = rows_of(c), length = row_length(c);
  const uint64_t keys = size_attr(c, ASSAY_KV_APPEND_KV_HEADS) * size_attr(c, ASSAY_KV_APPEND_DIM_K);
  const std::vector<uint64_t> columns = all_columns(length);
  const Source from = source();
  RowReference reference(c, from);
  for (uint64_t r = 0; r < rows; ++r) {
    Values row(length);
    reference.values(r, columns, row.data());
    const auto middle = row.begin() + static_cast<std::ptrdiff_t>(keys);
    states_[c.op.out[0]][kv_place(c, from, r, 0).element / keys] = {row.begin(), middle};
    if (keys < length) states_[c.op.out[1]][kv_place(c, from, r, keys).element / (length - keys)] = {middle, row.end()};
  }
  return ok_status();
}

// Two right computations may differ by `tolerance`: is the choice of the larger values the same for both?
Status Streamed::route(const OpContext& c) {
  const uint64_t rows = rows_of(c);
  const double tolerance = std::sqrt(squares_);
  Values index, weight;
  const Source from = source();
  for (uint64_t r = 0; r < rows; ++r) {
    const RouterRow row(c, from, r);
    const std::vector<uint64_t> chosen = row.chosen();
    if (prefix_ && row.margin(chosen) <= tolerance * row.largest()) {
      return refused(c, "chooses experts by less than rounding for row " + std::to_string(r));
    }
    const std::vector<double> weights = row.weights(chosen);
    index.insert(index.end(), chosen.begin(), chosen.end());
    weight.insert(weight.end(), weights.begin(), weights.end());
  }
  values_[c.op.out[0]] = std::move(index);
  values_[c.op.out[1]] = std::move(weight);
  return ok_status();
}

Status Streamed::choose_keys(const OpContext& c) {
  const uint64_t rows = rows_of(c), n = last_dim(output(c));
  const double tolerance = std::sqrt(squares_);
  Values out;
  const Source from = source();
  for (uint64_t r = 0; r < rows; ++r) {
    const IndexRow row(c, from, r);
    std::vector<std::pair<double, int64_t>> scores;
    double size = 0;
    for (int64_t j = 0; j < row.keys; ++j) {
      const IndexRow::Score s = row.score(j);
      scores.emplace_back(-s.value, j);
      size = std::max(size, s.size);
    }
    std::sort(scores.begin(), scores.end());
    if (prefix_ && scores.size() > n && scores[n].first - scores[n - 1].first <= tolerance * size) {
      return refused(c, "chooses keys by less than rounding for row " + std::to_string(r));
    }
    for (uint64_t j = 0; j < n; ++j) out.push_back(j < scores.size() ? static_cast<double>(scores[j].second) : -1);
  }
  values_[c.op.out[0]] = std::move(out);
  return ok_status();
}

// The order among the rows at hand: what follows a dispatch does not depend on where a row stands.
Status Streamed::dispatch(const OpContext& c) {
  const uint64_t choices = last_dim(input(c, 1)), width = last_dim(input(c, 0));
  const uint64_t pairs = available_rows(c.op.in[1]) * choices;
  const Source from = source();
  const Dispatch order(c, from, pairs);
  Values y(pairs * width, 0.0);
  for (uint64_t r = 0; r < pairs; ++r) {
    if (order.pair_of_row[r] == pairs) continue;
    from(c.op.in[0], order.pair_of_row[r] / choices * width, width, y.data() + r * width);
  }
  values_[c.op.out[0]] = std::move(y);
  values_[c.op.out[1]] = order.offsets;
  values_[c.op.out[2]] = order.place;
  return ok_status();
}

}  // namespace assay::reference
