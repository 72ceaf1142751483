// Ops that choose: the largest logit, the experts of a token, the keys worth attending to; and what follows a choice.
#include <cmath>
#include <limits>
#include <numeric>

#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

constexpr double kExcluded = -std::numeric_limits<double>::infinity();

// The `wanted` largest of `values`, descending, ties to the lower index.
std::vector<uint64_t> best(const std::vector<double>& values, uint64_t wanted) {
  std::vector<uint64_t> order(values.size());
  std::iota(order.begin(), order.end(), uint64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](uint64_t a, uint64_t b) { return values[a] > values[b]; });
  order.resize(std::min<uint64_t>(wanted, order.size()));
  return order;
}

std::vector<double> softmax(std::vector<double> x) {
  const double highest = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& v : x) {
    v = std::exp(v - highest);
    sum += v;
  }
  for (double& v : x) v /= sum;
  return x;
}

}  // namespace

void argmax(const OpContext& c, const Source& source, uint64_t row, const Columns&, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  *out = static_cast<double>(std::max_element(x.begin(), x.end()) - x.begin());
}

RouterRow::RouterRow(const OpContext& context, const Source& source, uint64_t row) : c(context) {
  const std::vector<double> logits = input_row(c, source, 0, row);
  const int64_t function = int_attr(c, ASSAY_ROUTER_TOPK_FUNCTION);
  score = function == ASSAY_ROUTER_SOFTMAX ? softmax(logits) : logits;
  if (function == ASSAY_ROUTER_SIGMOID) {
    for (double& s : score) s = 1 / (1 + std::exp(-s));
  }
  selection = score;
  if (has_input(c, 1)) {
    const std::vector<double> plan = input_row(c, source, 1, row);
    for (size_t e = 0; e < plan.size(); ++e) selection[e] += plan[e];
  }
  groups = std::max<uint64_t>(1, size_attr(c, ASSAY_ROUTER_TOPK_GROUPS));
  const uint64_t size = selection.size() / groups;
  for (uint64_t g = 0; g < groups; ++g) {
    std::vector<double> members(selection.begin() + static_cast<std::ptrdiff_t>(g * size),
                                selection.begin() + static_cast<std::ptrdiff_t>((g + 1) * size));
    std::sort(members.rbegin(), members.rend());
    group_value.push_back(members[0] + (size > 1 ? members[1] : 0));
  }
  top_groups = groups > 1 ? size_attr(c, ASSAY_ROUTER_TOPK_TOP_GROUPS) : 1;
}

std::vector<uint64_t> RouterRow::chosen() const {
  std::vector<double> open(selection.size(), kExcluded);
  const uint64_t size = selection.size() / groups;
  for (const uint64_t g : best(group_value, top_groups)) {
    for (uint64_t e = g * size; e < (g + 1) * size; ++e) open[e] = selection[e];
  }
  return best(open, size_attr(c, ASSAY_ROUTER_TOPK_K));
}

std::vector<double> RouterRow::weights(const std::vector<uint64_t>& experts) const {
  std::vector<double> weight(experts.size());
  for (size_t j = 0; j < experts.size(); ++j) weight[j] = score[experts[j]];
  if (int_attr(c, ASSAY_ROUTER_TOPK_FUNCTION) == ASSAY_ROUTER_SOFTMAX_OF_TOPK) weight = softmax(weight);
  double factor = attr(c, ASSAY_ROUTER_TOPK_FACTOR);
  if (int_attr(c, ASSAY_ROUTER_TOPK_NORMALISE) != 0) factor /= std::accumulate(weight.begin(), weight.end(), 0.0);
  for (double& w : weight) w *= factor;
  return weight;
}

double RouterRow::largest() const {
  double out = 0;
  for (const auto* values : {&selection, &group_value}) {
    for (const double v : *values) out = std::max(out, std::abs(v));
  }
  return out;
}

double RouterRow::margin(const std::vector<uint64_t>& experts) const {
  std::vector<double> by_value = group_value;
  std::sort(by_value.rbegin(), by_value.rend());
  double out = top_groups < groups ? by_value[top_groups - 1] - by_value[top_groups] : HUGE_VAL;
  const uint64_t size = selection.size() / groups;
  for (uint64_t e = 0; e < selection.size(); ++e) {
    const bool open = group_value[e / size] >= by_value[top_groups - 1];
    if (!open || std::find(experts.begin(), experts.end(), e) != experts.end()) continue;
    for (const uint64_t in : experts) out = std::min(out, selection[in] - selection[e]);
  }
  return out;
}

void router_topk(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<uint64_t> chosen = RouterRow(c, source, row).chosen();
  for (size_t i = 0; i < columns.size(); ++i) out[i] = static_cast<double>(chosen[columns[i]]);
}

IndexRow::IndexRow(const OpContext& context, const Source& source_, uint64_t row)
    : c(context), source(source_), query(input_row(c, source, 0, row)), weight(input_row(c, source, 2, row)) {
  const int64_t tokens = tokens_per_sequence(c);
  keys = c.pos + static_cast<int64_t>(row) % tokens + 1;
  first_slot = row / static_cast<uint64_t>(tokens) * dim(input(c, 1), 1);
}

IndexRow::Score IndexRow::score(int64_t key) const {
  const uint64_t size = size_attr(c, ASSAY_INDEX_TOPK_DIM);
  const std::vector<double> k = fetch(source, c.op.in[1], (first_slot + static_cast<uint64_t>(key)) * size, size);
  Score out;
  for (size_t h = 0; h < weight.size(); ++h) {
    const double* q = query.data() + size_attr(c, ASSAY_INDEX_TOPK_Q_COL) + h * size;
    const double term = attr(c, ASSAY_INDEX_TOPK_SCALE) * weight[h] * std::max(0.0, dot(q, k.data(), size));
    out.value += term;
    out.size += std::abs(term);
  }
  return out;
}

void index_topk(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const IndexRow index(c, source, row);
  std::vector<double> scores;
  for (int64_t j = 0; j < index.keys; ++j) scores.push_back(index.score(j).value);
  const std::vector<uint64_t> chosen = best(scores, last_dim(output(c)));
  for (size_t i = 0; i < columns.size(); ++i) {
    out[i] = columns[i] < chosen.size() ? static_cast<double>(chosen[columns[i]]) : -1;
  }
}

Dispatch::Dispatch(const OpContext& c, const Source& source, uint64_t pairs) {
  const auto experts = static_cast<double>(int_attr(c, ASSAY_MOE_DISPATCH_EXPERTS));
  const std::vector<double> index = fetch(source, c.op.in[1], 0, pairs);
  std::vector<uint64_t> count(size_attr(c, ASSAY_MOE_DISPATCH_EXPERTS), 0);
  for (const double e : index) {
    if (e >= 0 && e < experts) ++count[static_cast<uint64_t>(e)];
  }
  offsets.push_back(0);
  for (const uint64_t n : count) offsets.push_back(offsets.back() + static_cast<double>(n));
  std::vector<double> next = offsets;
  pair_of_row.resize(pairs, pairs);
  for (uint64_t pair = 0; pair < pairs; ++pair) {
    if (!(index[pair] >= 0 && index[pair] < experts)) {
      place.push_back(-1);
      continue;
    }
    place.push_back(next[static_cast<uint64_t>(index[pair])]++);
    pair_of_row[static_cast<uint64_t>(place.back())] = pair;
  }
}

void moe_combine(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<double> place = input_row(c, source, 1, row), weight = input_row(c, source, 2, row);
  std::fill(out, out + columns.size(), 0.0);
  for (size_t j = 0; j < place.size(); ++j) {
    if (!(place[j] >= 0 && place[j] < static_cast<double>(input(c, 0).dims[0]))) continue;
    const std::vector<double> x = input_row(c, source, 0, static_cast<uint64_t>(place[j]));
    for (size_t i = 0; i < columns.size(); ++i) out[i] += weight[j] * x[columns[i]];
  }
}

}  // namespace assay::reference
