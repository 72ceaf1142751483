// One output row of an op at a time, from inputs given on demand: what the whole reference and the sampled check share.
#pragma once

#include <cstdint>
#include <vector>

#include "suites/reference/reference.h"

namespace assay::reference {

// What an op needs beside its inputs' values.
struct OpContext {
  const Graph& graph;
  const Op& op;
  int64_t pos = 0;  // value of the op's scalar
};
OpContext context_of(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars);

// nullptr-free check of counts, ranks, dims and attributes; the Error names the op, what was expected and what found.
Status check_shapes(const OpContext& c);

// Rows of an op's first output, and their length. KV_APPEND: rows of x (what is written), K then V.
uint64_t row_count(const OpContext& c);
uint64_t row_length(const OpContext& c);
// Multiply-adds of `columns` elements of a row.
double row_cost(const OpContext& c, uint64_t columns);

// Columns (ascending) of output row `row` -> out. ARGMAX gives one index. QUANTIZE gives dequantised values, its scale
// is row_scale(). Inputs come from `source` by tensor index.
void row_values(const OpContext& c, const Source& source, uint64_t row, const std::vector<uint64_t>& columns,
                double* out);
// QUANTIZE: the row's scale; codes = round_half_even(x / scale).
double row_scale(const std::vector<double>& x);

// Where element `column` of KV_APPEND's row lands: tensor op.out[0 or 1] and its element index.
struct KvPlace {
  uint32_t output = 0;
  uint64_t element = 0;
};
KvPlace kv_place(const OpContext& c, uint64_t row, uint64_t column);

// Rows of x (batch b, token t = row - b*T), rotated in place; shared with the full-depth reference.
void rope_row(const OpContext& c, uint64_t row, std::vector<double>* x);
void rms_norm_row(const OpContext& c, const std::vector<double>& gamma, std::vector<double>* x);
double activate(int function, double x);
// Softmax-weighted sum for one query head; key(j, out) and value(j, out) give the vectors of the keys first..last.
void attend(const std::vector<double>& query, double scale, int64_t first, int64_t last,
            const std::function<void(int64_t, double*)>& key, const std::function<void(int64_t, double*)>& value,
            uint64_t value_dim, double* out);
// First and last key that token t of a sequence sees.
struct KeyRange {
  int64_t first = 0, last = 0;
};
KeyRange key_range(const OpContext& c, int64_t token, int64_t tokens);
int64_t tokens_per_sequence(const OpContext& c);

}  // namespace assay::reference
