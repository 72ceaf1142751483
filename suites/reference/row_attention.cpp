// Attention, its cache and its rotary positions.
#include <cmath>

#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

struct KeyRange {
  int64_t first = 0, last = 0;
};

// First and last key that the mask lets token t of a sequence see.
KeyRange masked_range(const OpContext& c, int64_t token) {
  switch (int_attr(c, ASSAY_ATTENTION_MASK)) {
    case ASSAY_MASK_FULL:
      return {0, c.pos + tokens_per_sequence(c) - 1};
    case ASSAY_MASK_CROSS:
      return {0, input(c, 1).dims[1] - 1};
    case ASSAY_MASK_CAUSAL:
      return {0, c.pos + token};
    default:
      return {std::max<int64_t>(0, c.pos + token - int_attr(c, ASSAY_ATTENTION_WINDOW) + 1), c.pos + token};
  }
}

// Softmax-weighted sum of the values of `keys`; zero where there is none.
void attend(const std::vector<double>& scores, const std::vector<int64_t>& keys,
            const std::function<void(int64_t, double*)>& value, std::vector<double>* out) {
  std::fill(out->begin(), out->end(), 0.0);
  if (keys.empty()) return;
  const double highest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double s : scores) sum += std::exp(s - highest);
  std::vector<double> v(out->size());
  for (size_t i = 0; i < keys.size(); ++i) {
    value(keys[i], v.data());
    const double weight = std::exp(scores[i] - highest) / sum;
    for (size_t d = 0; d < v.size(); ++d) (*out)[d] += weight * v[d];
  }
}

// One query row against the keys it sees.
class Query {
 public:
  Query(const OpContext& c, const Source& source, uint64_t row)
      : c_(c),
        source_(source),
        keys_(keys_seen(c, source, row)),
        x_(input_row(c, source, 0, row)),
        sequence_(row / static_cast<uint64_t>(tokens_per_sequence(c))),
        dim_rope_(has_input(c, 3) ? size_attr(c, ASSAY_ATTENTION_DIM_ROPE) : 0) {}

  void head(uint64_t h, std::vector<double>* out) const {
    const uint64_t kv_head = h / (size_attr(c_, ASSAY_ATTENTION_HEADS) / size_attr(c_, ASSAY_ATTENTION_KV_HEADS));
    const uint64_t dk = size_attr(c_, ASSAY_ATTENTION_DIM_QK), own = dk - dim_rope_;
    const double* q = x_.data() + size_attr(c_, ASSAY_ATTENTION_Q_COL) + h * dk;
    std::vector<double> scores, k(dk);
    for (const int64_t j : keys_) {
      source_(c_.op.in[1], element(1, j, kv_head) + size_attr(c_, ASSAY_ATTENTION_KV_COL_K), own, k.data());
      if (dim_rope_ > 0) source_(c_.op.in[3], element(3, j, 0), dim_rope_, k.data() + own);
      scores.push_back(attr(c_, ASSAY_ATTENTION_SCALE) * dot(q, k.data(), dk));
    }
    const uint64_t col_v = size_attr(c_, ASSAY_ATTENTION_KV_COL_V);
    attend(
        scores, keys_,
        [&](int64_t j, double* v) { source_(c_.op.in[2], element(2, j, kv_head) + col_v, out->size(), v); }, out);
  }

 private:
  // First element of key j of head g in input i.
  uint64_t element(size_t i, int64_t j, uint64_t g) const {
    const Tensor& t = input(c_, i);
    return cache_row(c_, source_, t, sequence_, static_cast<uint64_t>(j)) + g * dim(t, 3);
  }

  const OpContext& c_;
  const Source& source_;
  const std::vector<int64_t> keys_;
  const std::vector<double> x_;
  uint64_t sequence_, dim_rope_;
};

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

// Rotates elements first..first+size of every head by `position`.
void rotate_block(const OpContext& c, uint64_t first, uint64_t size, double position, std::vector<double>* x) {
  const uint64_t col = size_attr(c, ASSAY_ROPE_COL), cols = size_attr(c, ASSAY_ROPE_COLS);
  const bool interleaved = int_attr(c, ASSAY_ROPE_INTERLEAVED) != 0;
  for (uint64_t i = 0; i < size / 2; ++i) {
    const double exponent = -2 * static_cast<double>(i) / static_cast<double>(size);
    const double angle = position * scaled_frequency(c, std::pow(attr(c, ASSAY_ROPE_THETA), exponent));
    const double cosine = std::cos(angle), sine = std::sin(angle);
    for (uint64_t head = col; head < col + cols; head += size_attr(c, ASSAY_ROPE_HEAD_DIM)) {
      double& a = (*x)[head + first + (interleaved ? 2 * i : i)];
      double& b = (*x)[head + first + (interleaved ? 2 * i + 1 : i + size / 2)];
      const double old_a = a;
      a = old_a * cosine - b * sine;
      b = b * cosine + old_a * sine;
    }
  }
}

// The three blocks of a head turn by frame, line and column of the token's place in the grid.
void rotate_grid(const OpContext& c, int64_t place, uint64_t first, uint64_t rotary, std::vector<double>* x) {
  const int64_t height = int_attr(c, ASSAY_ROPE_GRID_H), width = int_attr(c, ASSAY_ROPE_GRID_W);
  const uint64_t dim_t = size_attr(c, ASSAY_ROPE_GRID_DIM_T), dim_h = size_attr(c, ASSAY_ROPE_GRID_DIM_H);
  const int64_t frame = place / (height * width), line = place / width % height, column = place % width;
  rotate_block(c, first, dim_t, static_cast<double>(frame), x);
  rotate_block(c, first + dim_t, dim_h, static_cast<double>(line), x);
  rotate_block(c, first + dim_t + dim_h, rotary - dim_t - dim_h, static_cast<double>(column), x);
}

}  // namespace

uint64_t cache_row(const OpContext& c, const Source& source, const Tensor& cache, uint64_t b, uint64_t j) {
  const uint32_t table = page_table_of(c.op);
  uint64_t place = b * dim(cache, 1) + j;
  if (table != kNoTensor) {
    const uint64_t page = dim(cache, 1);
    const double found = fetch(source, table, b * dim(c.graph.tensors[table], 1) + j / page, 1)[0];
    // A table that points outside is refused where it enters; here it must do no harm.
    const double last = static_cast<double>(dim(cache, 0) - 1);
    place = static_cast<uint64_t>(std::clamp(found, 0.0, last)) * page + j % page;
  }
  return place * dim(cache, 2) * dim(cache, 3);
}

std::vector<int64_t> keys_seen(const OpContext& c, const Source& source, uint64_t row) {
  const KeyRange range = masked_range(c, static_cast<int64_t>(row) % tokens_per_sequence(c));
  std::vector<int64_t> keys;
  if (has_input(c, 4)) {
    for (const double j : input_row(c, source, 4, row)) {
      if (j >= static_cast<double>(range.first) && j <= static_cast<double>(range.last)) {
        keys.push_back(static_cast<int64_t>(j));
      }
    }
    return keys;
  }
  for (int64_t j = range.first; j <= range.last; ++j) keys.push_back(j);
  return keys;
}

void attention(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const Query query(c, source, row);
  const uint64_t dv = size_attr(c, ASSAY_ATTENTION_DIM_V);
  std::vector<double> head_out(dv);
  for (size_t i = 0; i < columns.size();) {
    const uint64_t head = columns[i] / dv;
    query.head(head, &head_out);
    for (; i < columns.size() && columns[i] / dv == head; ++i) out[i] = head_out[columns[i] % dv];
  }
}

void kv_append(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const uint64_t k_cols = size_attr(c, ASSAY_KV_APPEND_KV_HEADS) * size_attr(c, ASSAY_KV_APPEND_DIM_K);
  for (size_t i = 0; i < columns.size(); ++i) {
    const bool key = columns[i] < k_cols;
    const uint64_t base = size_attr(c, key ? ASSAY_KV_APPEND_K_COL : ASSAY_KV_APPEND_V_COL);
    out[i] = x[base + (key ? columns[i] : columns[i] - k_cols)];
  }
}

KvPlace kv_place(const OpContext& c, const Source& source, uint64_t row, uint64_t column) {
  const uint64_t k_cols = size_attr(c, ASSAY_KV_APPEND_KV_HEADS) * size_attr(c, ASSAY_KV_APPEND_DIM_K);
  const auto tokens = static_cast<uint64_t>(tokens_per_sequence(c));
  const uint32_t output = column < k_cols ? 0 : 1;
  const Tensor& cache = c.graph.tensors[c.op.out[output]];
  const uint64_t first = cache_row(c, source, cache, row / tokens, static_cast<uint64_t>(c.pos) + row % tokens);
  return {output, first + column - (output == 0 ? 0 : k_cols)};
}

void rope(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  std::vector<double> x = input_row(c, source, 0, row);
  const uint64_t first = size_attr(c, ASSAY_ROPE_ROTARY_COL), rotary = size_attr(c, ASSAY_ROPE_ROTARY_DIM);
  const int64_t token = static_cast<int64_t>(row) % tokens_per_sequence(c);
  if (int_attr(c, ASSAY_ROPE_GRID_W) == 0) {
    rotate_block(c, first, rotary, static_cast<double>(c.pos + token), &x);
  } else if (token >= int_attr(c, ASSAY_ROPE_TEXT_ROWS)) {
    rotate_grid(c, token - int_attr(c, ASSAY_ROPE_TEXT_ROWS), first, rotary, &x);
  }
  pick(x, columns, out);
}

}  // namespace assay::reference
