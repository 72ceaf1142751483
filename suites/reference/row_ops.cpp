#include "suites/reference/row_ops.h"

#include <cmath>

#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

// By op kind; nullptr for those that RowReference keeps something for.
constexpr RowFunction kRowFunctions[] = {
    nullptr,    matmul,     attention, kv_append,      rms_norm,    rope,      gated_act,   add,
    embedding,  argmax,     quantize,  grouped_matmul, router_topk, nullptr,   moe_combine, layer_norm_modulate,
    activation, patchify3d, conv3d,    nullptr,        head_matmul, kv_expand, index_topk};

uint64_t key_count(const OpContext& c) {
  if (has_input(c, 4)) return last_dim(input(c, 4));
  if (int_attr(c, ASSAY_ATTENTION_MASK) == ASSAY_MASK_CROSS) return dim(input(c, 1), 1);
  const auto all = static_cast<uint64_t>(c.pos + tokens_per_sequence(c));
  if (int_attr(c, ASSAY_ATTENTION_MASK) != ASSAY_MASK_WINDOW) return all;
  return std::min(all, size_attr(c, ASSAY_ATTENTION_WINDOW));
}

}  // namespace

OpContext context_of(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars) {
  return {graph, op, op.scalar_slot < scalars.size() ? scalars[op.scalar_slot] : 0};
}

int64_t tokens_per_sequence(const OpContext& c) {
  switch (c.op.kind) {  // batch is the first attribute of all of these
    case ASSAY_OP_ATTENTION:
    case ASSAY_OP_KV_APPEND:
    case ASSAY_OP_ROPE:
    case ASSAY_OP_INDEX_TOPK:
      return static_cast<int64_t>(c.graph.elements(c.op.in[0]) / last_dim(input(c, 0))) / int_attr(c, 0);
    case ASSAY_OP_ADD:
      return has_input(c, 2) ? input(c, 0).dims[0] / int_attr(c, ASSAY_ADD_BATCH) : 1;
    case ASSAY_OP_LAYER_NORM_MODULATE:
      return has_input(c, 1) ? input(c, 0).dims[0] / int_attr(c, ASSAY_LAYER_NORM_MODULATE_BATCH) : 1;
    default:
      return 1;
  }
}

uint64_t row_count(const OpContext& c) {
  if (c.op.kind == ASSAY_OP_KV_APPEND || c.op.kind == ASSAY_OP_ARGMAX) {
    return static_cast<uint64_t>(c.graph.elements(c.op.in[0])) / last_dim(input(c, 0));
  }
  return static_cast<uint64_t>(c.graph.elements(c.op.out[0])) / row_length(c);
}

uint64_t row_length(const OpContext& c) {
  if (c.op.kind == ASSAY_OP_ARGMAX) return 1;
  if (c.op.kind == ASSAY_OP_KV_EXPAND) return dim(output(c), 2) * dim(output(c), 3);
  if (c.op.kind != ASSAY_OP_KV_APPEND) return last_dim(output(c));
  const uint64_t dims = size_attr(c, ASSAY_KV_APPEND_DIM_K) + size_attr(c, ASSAY_KV_APPEND_DIM_V);
  return size_attr(c, ASSAY_KV_APPEND_KV_HEADS) * dims;
}

double row_cost(const OpContext& c, uint64_t columns) {
  const auto n = static_cast<double>(columns);
  switch (c.op.kind) {
    case ASSAY_OP_MATMUL:
    case ASSAY_OP_GROUPED_MATMUL:
    case ASSAY_OP_HEAD_MATMUL:
    case ASSAY_OP_KV_EXPAND:
    case ASSAY_OP_CONV3D:
    case ASSAY_OP_MOE_COMBINE:
      return n * static_cast<double>(last_dim(input(c, 1)));
    case ASSAY_OP_ATTENTION:
      return std::ceil(n / attr(c, ASSAY_ATTENTION_DIM_V)) * static_cast<double>(key_count(c)) *
             (attr(c, ASSAY_ATTENTION_DIM_QK) + attr(c, ASSAY_ATTENTION_DIM_V));
    case ASSAY_OP_INDEX_TOPK:
      return static_cast<double>(c.pos + tokens_per_sequence(c)) * attr(c, ASSAY_INDEX_TOPK_HEADS) *
             attr(c, ASSAY_INDEX_TOPK_DIM);
    default:
      return static_cast<double>(last_dim(input(c, 0)));
  }
}

bool row_written(const OpContext& c, const Source& source, uint64_t row) {
  if (c.op.kind == ASSAY_OP_GROUPED_MATMUL) return expert_of_row(c, source, row) >= 0;
  if (c.op.kind != ASSAY_OP_KV_EXPAND) return true;
  return row % dim(output(c), 1) < static_cast<uint64_t>(c.pos) + size_attr(c, ASSAY_KV_EXPAND_TOKENS);
}

void RowReference::values(uint64_t row, const std::vector<uint64_t>& columns, double* out) {
  if (c_.op.kind == ASSAY_OP_MOE_DISPATCH) return dispatched(row, columns, out);
  if (c_.op.kind == ASSAY_OP_GROUP_NORM) return group_norm(row, columns, out);
  kRowFunctions[c_.op.kind](c_, source_, row, columns, out);
}

void RowReference::dispatched(uint64_t row, const std::vector<uint64_t>& columns, double* out) {
  const uint64_t choices = last_dim(input(c_, 1)), pairs = row_count(c_);
  if (pair_of_row_.empty()) pair_of_row_ = Dispatch(c_, source_, pairs).pair_of_row;
  const uint64_t pair = pair_of_row_[row];
  if (pair == pairs) return std::fill(out, out + columns.size(), 0.0);
  pick(input_row(c_, source_, 0, pair / choices), columns, out);
}

const RowReference::Moments& RowReference::moments(uint64_t group) {
  const auto known = moments_.find(group);
  if (known != moments_.end()) return known->second;
  const uint64_t channels = last_dim(input(c_, 0)), size = channels / size_attr(c_, ASSAY_GROUP_NORM_GROUPS);
  const uint64_t places = row_count(c_);
  double origin = 0, sum = 0, squares = 0;  // taken from one of the values, so that a large mean costs no digits
  source_(c_.op.in[0], group * size, 1, &origin);
  std::vector<double> x(size);
  for (uint64_t place = 0; place < places; ++place) {
    source_(c_.op.in[0], place * channels + group * size, size, x.data());
    for (const double v : x) {
      sum += v - origin;
      squares += (v - origin) * (v - origin);
    }
  }
  const auto count = static_cast<double>(places * size);
  const double variance = squares / count - (sum / count) * (sum / count);
  return moments_[group] = {origin + sum / count, std::sqrt(variance + attr(c_, ASSAY_GROUP_NORM_EPS))};
}

void RowReference::group_norm(uint64_t row, const std::vector<uint64_t>& columns, double* out) {
  const uint64_t size = last_dim(input(c_, 0)) / size_attr(c_, ASSAY_GROUP_NORM_GROUPS);
  const std::vector<double> x = input_row(c_, source_, 0, row);
  const std::vector<double> gamma = fetch(source_, c_.op.in[1], 0, x.size());
  const std::vector<double> beta = fetch(source_, c_.op.in[2], 0, x.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    const uint64_t ch = columns[i];
    const Moments& m = moments(ch / size);
    out[i] = (x[ch] - m.mean) / m.root * gamma[ch] + beta[ch];
  }
}

}  // namespace assay::reference
