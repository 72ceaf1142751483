#include "suites/reference/row_ops.h"

#include <algorithm>
#include <cmath>

namespace assay::reference {
namespace {

double attr(const OpContext& c, size_t i) { return c.op.attr[i]; }
int64_t int_attr(const OpContext& c, size_t i) { return static_cast<int64_t>(c.op.attr[i]); }
const Tensor& input(const OpContext& c, size_t i) { return c.graph.tensors[c.op.in[i]]; }
const Tensor& output(const OpContext& c) { return c.graph.tensors[c.op.out[0]]; }
uint64_t last_dim(const Tensor& t) { return static_cast<uint64_t>(t.dims.back()); }

std::vector<double> fetch(const Source& source, uint32_t tensor, uint64_t first, uint64_t count) {
  std::vector<double> values(count);
  source(tensor, first, count, values.data());
  return values;
}

std::vector<double> input_row(const OpContext& c, const Source& source, size_t i, uint64_t row) {
  const uint64_t length = last_dim(input(c, i));
  return fetch(source, c.op.in[i], row * length, length);
}

void pick(const std::vector<double>& row, const std::vector<uint64_t>& columns, double* out) {
  for (size_t i = 0; i < columns.size(); ++i) out[i] = row[columns[i]];
}

void matmul(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  std::vector<double> w(x.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    source(c.op.in[1], columns[i] * x.size(), x.size(), w.data());
    double sum = 0;
    for (size_t k = 0; k < x.size(); ++k) sum += x[k] * w[k];
    double bias = 0;
    if (c.op.in.size() > 2) source(c.op.in[2], columns[i], 1, &bias);
    out[i] = sum + bias;
  }
}

void attention(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
               double* out) {
  const auto dk = static_cast<uint64_t>(int_attr(c, ASSAY_ATTENTION_DIM_QK));
  const auto dv = static_cast<uint64_t>(int_attr(c, ASSAY_ATTENTION_DIM_V));
  const auto kv_heads = static_cast<uint64_t>(int_attr(c, ASSAY_ATTENTION_KV_HEADS));
  const uint64_t group = static_cast<uint64_t>(int_attr(c, ASSAY_ATTENTION_HEADS)) / kv_heads;
  const int64_t tokens = tokens_per_sequence(c);
  const auto sequence = row / static_cast<uint64_t>(tokens);
  const KeyRange keys = key_range(c, static_cast<int64_t>(row) % tokens, tokens);
  const auto slots = static_cast<uint64_t>(input(c, 1).dims[1]);
  const std::vector<double> x = input_row(c, source, 0, row);
  std::vector<double> head_out(dv);
  for (size_t i = 0; i < columns.size();) {
    const uint64_t head = columns[i] / dv;
    const auto begin = x.begin() + int_attr(c, ASSAY_ATTENTION_Q_COL) + static_cast<std::ptrdiff_t>(head * dk);
    const auto at = [&](int64_t j) { return (sequence * slots + static_cast<uint64_t>(j)) * kv_heads + head / group; };
    attend(
        {begin, begin + static_cast<std::ptrdiff_t>(dk)}, attr(c, ASSAY_ATTENTION_SCALE), keys.first, keys.last,
        [&](int64_t j, double* k) { source(c.op.in[1], at(j) * dk, dk, k); },
        [&](int64_t j, double* v) { source(c.op.in[2], at(j) * dv, dv, v); }, dv, head_out.data());
    for (; i < columns.size() && columns[i] / dv == head; ++i) out[i] = head_out[columns[i] % dv];
  }
}

void kv_append(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
               double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const auto k_cols = static_cast<uint64_t>(int_attr(c, ASSAY_KV_APPEND_KV_HEADS) * int_attr(c, ASSAY_KV_APPEND_DIM_K));
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool key = columns[i] < k_cols;
    const auto base = static_cast<uint64_t>(int_attr(c, key ? ASSAY_KV_APPEND_K_COL : ASSAY_KV_APPEND_V_COL));
    out[i] = x[base + (key ? columns[i] : columns[i] - k_cols)];
  }
}

void gated_act(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
               double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const auto function = static_cast<int>(int_attr(c, ASSAY_GATED_ACT_FUNCTION));
  const size_t half = x.size() / 2;
  for (size_t i = 0; i < columns.size(); ++i) out[i] = activate(function, x[columns[i]]) * x[half + columns[i]];
}

void add(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns, double* out) {
  const uint64_t length = last_dim(output(c));
  for (size_t i = 0; i < columns.size(); ++i) {
    double b = 0;
    source(c.op.in[0], row * length + columns[i], 1, &out[i]);
    source(c.op.in[1], row * length + columns[i], 1, &b);
    out[i] += b;
  }
}

void embedding(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
               double* out) {
  double index = 0;
  source(c.op.in[0], row, 1, &index);
  const uint64_t length = last_dim(input(c, 1));
  const bool inside = index >= 0 && index < static_cast<double>(input(c, 1).dims[0]);
  pick(fetch(source, c.op.in[1], (inside ? static_cast<uint64_t>(index) : 0) * length, length), columns, out);
}

void quantize(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
              double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const double scale = row_scale(x);
  for (size_t i = 0; i < columns.size(); ++i) out[i] = scale * std::nearbyint(x[columns[i]] / scale);
}

// Llama 3.1: long wavelengths are slowed by the factor, short ones kept, those between blended.
double scaled_frequency(const OpContext& c, double f) {
  const double factor = attr(c, ASSAY_ROPE_SCALING_FACTOR);
  if (factor <= 0) return f;
  const double low = attr(c, ASSAY_ROPE_SCALING_LOW), high = attr(c, ASSAY_ROPE_SCALING_HIGH);
  const double original = attr(c, ASSAY_ROPE_SCALING_ORIGINAL);
  const double wavelength = 2 * M_PI / f;
  if (wavelength > original / low) return f / factor;
  if (wavelength < original / high) return f;
  const double g = (original / wavelength - low) / (high - low);
  return (1 - g) * f / factor + g * f;
}

}  // namespace

OpContext context_of(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars) {
  return {graph, op, op.scalar_slot < scalars.size() ? scalars[op.scalar_slot] : 0};
}

int64_t tokens_per_sequence(const OpContext& c) {
  const bool batched = c.op.kind == ASSAY_OP_ATTENTION || c.op.kind == ASSAY_OP_KV_APPEND || c.op.kind == ASSAY_OP_ROPE;
  return batched ? input(c, 0).dims[0] / int_attr(c, 0) : 1;  // batch is the first attribute of all three
}

KeyRange key_range(const OpContext& c, int64_t token, int64_t tokens) {
  const auto mask = int_attr(c, ASSAY_ATTENTION_MASK);
  if (mask == ASSAY_MASK_FULL) return {0, c.pos + tokens - 1};
  const int64_t last = c.pos + token;
  if (mask == ASSAY_MASK_CAUSAL) return {0, last};
  return {std::max<int64_t>(0, last - int_attr(c, ASSAY_ATTENTION_WINDOW) + 1), last};
}

void attend(const std::vector<double>& query, double scale, int64_t first, int64_t last,
            const std::function<void(int64_t, double*)>& key, const std::function<void(int64_t, double*)>& value,
            uint64_t value_dim, double* out) {
  std::vector<double> weights, vector(std::max<size_t>(query.size(), value_dim));
  for (int64_t j = first; j <= last; ++j) {
    key(j, vector.data());
    double dot = 0;
    for (size_t i = 0; i < query.size(); ++i) dot += query[i] * vector[i];
    weights.push_back(scale * dot);
  }
  const double highest = *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (double& w : weights) {
    w = std::exp(w - highest);
    sum += w;
  }
  std::fill(out, out + value_dim, 0.0);
  for (int64_t j = first; j <= last; ++j) {
    value(j, vector.data());
    const double weight = weights[static_cast<size_t>(j - first)] / sum;
    for (uint64_t i = 0; i < value_dim; ++i) out[i] += weight * vector[i];
  }
}

void rope_row(const OpContext& c, uint64_t row, std::vector<double>* x) {
  const auto head_dim = static_cast<size_t>(int_attr(c, ASSAY_ROPE_HEAD_DIM));
  const auto rotary = static_cast<size_t>(int_attr(c, ASSAY_ROPE_ROTARY_DIM));
  const bool interleaved = int_attr(c, ASSAY_ROPE_INTERLEAVED) != 0;
  const auto col = static_cast<size_t>(int_attr(c, ASSAY_ROPE_COL));
  const auto cols = static_cast<size_t>(int_attr(c, ASSAY_ROPE_COLS));
  const double position = static_cast<double>(c.pos + static_cast<int64_t>(row) % tokens_per_sequence(c));
  for (size_t i = 0; i < rotary / 2; ++i) {
    const double exponent = -2 * static_cast<double>(i) / static_cast<double>(rotary);
    const double angle = position * scaled_frequency(c, std::pow(attr(c, ASSAY_ROPE_THETA), exponent));
    const double cosine = std::cos(angle), sine = std::sin(angle);
    for (size_t head = col; head < col + cols; head += head_dim) {
      double& a = (*x)[head + (interleaved ? 2 * i : i)];
      double& b = (*x)[head + (interleaved ? 2 * i + 1 : i + rotary / 2)];
      const double old_a = a;
      a = old_a * cosine - b * sine;
      b = b * cosine + old_a * sine;
    }
  }
}

void rms_norm_row(const OpContext& c, const std::vector<double>& gamma, std::vector<double>* x) {
  const auto group = static_cast<size_t>(int_attr(c, ASSAY_RMS_NORM_GROUP));
  const auto col = static_cast<size_t>(int_attr(c, ASSAY_RMS_NORM_COL));
  const auto cols = static_cast<size_t>(int_attr(c, ASSAY_RMS_NORM_COLS));
  const size_t end = cols == 0 ? x->size() : col + cols;
  for (size_t at = col; at < end; at += group) {
    double squares = 0;
    for (size_t i = 0; i < group; ++i) squares += (*x)[at + i] * (*x)[at + i];
    const double root = std::sqrt(squares / static_cast<double>(group) + attr(c, ASSAY_RMS_NORM_EPS));
    for (size_t i = 0; i < group; ++i) (*x)[at + i] *= gamma[i] / root;
  }
}

double activate(int function, double x) {
  if (function == ASSAY_ACT_SILU) return x / (1 + std::exp(-x));
  if (function == ASSAY_ACT_GELU_ERF) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

double row_scale(const std::vector<double>& x) {
  double largest = 0;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest == 0 ? 1 : largest / 127;
}

uint64_t row_count(const OpContext& c) {
  if (c.op.kind == ASSAY_OP_KV_APPEND) return static_cast<uint64_t>(input(c, 0).dims[0]);
  if (c.op.kind == ASSAY_OP_ARGMAX) return static_cast<uint64_t>(output(c).dims[0]);
  return static_cast<uint64_t>(c.graph.elements(c.op.out[0])) / last_dim(output(c));
}

uint64_t row_length(const OpContext& c) {
  if (c.op.kind == ASSAY_OP_ARGMAX) return 1;
  if (c.op.kind != ASSAY_OP_KV_APPEND) return last_dim(output(c));
  const int64_t dims = int_attr(c, ASSAY_KV_APPEND_DIM_K) + int_attr(c, ASSAY_KV_APPEND_DIM_V);
  return static_cast<uint64_t>(int_attr(c, ASSAY_KV_APPEND_KV_HEADS) * dims);
}

double row_cost(const OpContext& c, uint64_t columns) {
  const auto n = static_cast<double>(columns);
  if (c.op.kind == ASSAY_OP_MATMUL) return n * static_cast<double>(last_dim(input(c, 0)));
  if (c.op.kind == ASSAY_OP_ARGMAX) return static_cast<double>(last_dim(input(c, 0)));
  if (c.op.kind != ASSAY_OP_ATTENTION) return static_cast<double>(last_dim(input(c, 0)));
  const double heads = std::ceil(n / attr(c, ASSAY_ATTENTION_DIM_V));
  return heads * static_cast<double>(c.pos + tokens_per_sequence(c)) *
         (attr(c, ASSAY_ATTENTION_DIM_QK) + attr(c, ASSAY_ATTENTION_DIM_V));
}

void row_values(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
                double* out) {
  switch (c.op.kind) {
    case ASSAY_OP_MATMUL:
      return matmul(c, source, row, columns, out);
    case ASSAY_OP_ATTENTION:
      return attention(c, source, row, columns, out);
    case ASSAY_OP_KV_APPEND:
      return kv_append(c, source, row, columns, out);
    case ASSAY_OP_GATED_ACT:
      return gated_act(c, source, row, columns, out);
    case ASSAY_OP_ADD:
      return add(c, source, row, columns, out);
    case ASSAY_OP_EMBEDDING:
      return embedding(c, source, row, columns, out);
    case ASSAY_OP_QUANTIZE:
      return quantize(c, source, row, columns, out);
    default:
      break;
  }
  std::vector<double> x = input_row(c, source, 0, row);
  if (c.op.kind == ASSAY_OP_ARGMAX) {
    *out = static_cast<double>(std::max_element(x.begin(), x.end()) - x.begin());
    return;
  }
  if (c.op.kind == ASSAY_OP_ROPE) rope_row(c, row, &x);
  if (c.op.kind == ASSAY_OP_RMS_NORM) {
    rms_norm_row(c, fetch(source, c.op.in[1], 0, last_dim(input(c, 1))), &x);
  }
  pick(x, columns, out);
}

KvPlace kv_place(const OpContext& c, uint64_t row, uint64_t column) {
  const auto heads = static_cast<uint64_t>(int_attr(c, ASSAY_KV_APPEND_KV_HEADS));
  const auto dk = static_cast<uint64_t>(int_attr(c, ASSAY_KV_APPEND_DIM_K));
  const auto dv = static_cast<uint64_t>(int_attr(c, ASSAY_KV_APPEND_DIM_V));
  const auto tokens = static_cast<uint64_t>(tokens_per_sequence(c));
  const bool key = column < heads * dk;
  const auto slots = static_cast<uint64_t>(c.graph.tensors[c.op.out[key ? 0 : 1]].dims[1]);
  const uint64_t slot = row / tokens * slots + static_cast<uint64_t>(c.pos) + row % tokens;
  return {key ? 0u : 1u, key ? slot * heads * dk + column : slot * heads * dv + column - heads * dk};
}

}  // namespace assay::reference
