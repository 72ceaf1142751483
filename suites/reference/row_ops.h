// One output row of an op at a time, from inputs given on demand: what the whole reference and the sampled check share.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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

// Rows of an op's first output, and their length. KV_APPEND: rows of x (what is written), K then V. KV_EXPAND: a row
// holds all heads of one key. CONV3D, GROUP_NORM: the channels of one place. PATCHIFY3D inverse: a line of the video.
uint64_t row_count(const OpContext& c);
uint64_t row_length(const OpContext& c);
// Multiply-adds of `columns` elements of a row.
double row_cost(const OpContext& c, uint64_t columns);
// False for rows that the op leaves alone (GROUPED_MATMUL behind the last offset, KV_EXPAND beyond the tokens).
bool row_written(const OpContext& c, const Source& source, uint64_t row);
int64_t tokens_per_sequence(const OpContext& c);

// The rows of one op. Keeps what many rows share: the order of a dispatch, the moments of a group.
class RowReference {
 public:
  RowReference(const OpContext& c, const Source& source) : c_(c), source_(source) {}

  // Columns (ascending) of output row `row` -> out; rows that are not written give 0. ARGMAX gives one index, the
  // choosing ops their indices, QUANTIZE dequantised values (its scale is row_scale()).
  void values(uint64_t row, const std::vector<uint64_t>& columns, double* out);

 private:
  struct Moments {
    double mean = 0, root = 1;
  };
  void group_norm(uint64_t row, const std::vector<uint64_t>& columns, double* out);
  const Moments& moments(uint64_t group);
  void dispatched(uint64_t row, const std::vector<uint64_t>& columns, double* out);

  const OpContext& c_;
  const Source& source_;
  std::vector<uint64_t> pair_of_row_;
  std::map<uint64_t, Moments> moments_;
};

// QUANTIZE: the row's scale; codes = round_half_even(x / scale).
double row_scale(const OpContext& c, const std::vector<double>& x);
// A value in units of the row's scale as the nearest code, ties to even, and the distance between codes there.
double nearest_code(const OpContext& c, double value);
double code_step(const OpContext& c, double value);

// Where element `column` of KV_APPEND's row lands: tensor op.out[0 or 1] and its element index.
struct KvPlace {
  uint32_t output = 0;
  uint64_t element = 0;
};
KvPlace kv_place(const OpContext& c, const Source& source, uint64_t row, uint64_t column);

// ATTENTION: the keys that row `row` sees, in the order of its index list where it has one.
std::vector<int64_t> keys_seen(const OpContext& c, const Source& source, uint64_t row);

// GROUPED_MATMUL: the expert whose rows include `row`, -1 for none.
int64_t expert_of_row(const OpContext& c, const Source& source, uint64_t row);

// CONV3D: the values under the kernel around output place `row`, zero outside, in the order of w's columns.
std::vector<double> window_values(const OpContext& c, const Source& source, uint64_t row);

// ROUTER_TOPK: one token's scores and what its choice works on.
struct RouterRow {
  RouterRow(const OpContext& c, const Source& source, uint64_t row);
  [[nodiscard]] std::vector<uint64_t> chosen() const;  // by descending selection value
  [[nodiscard]] std::vector<double> weights(const std::vector<uint64_t>& experts) const;
  // By how much the choice is decided: the least distance between what is in and what is left out, of groups and of
  // experts; infinite where nothing is left out. To be held against largest(), the largest magnitude.
  [[nodiscard]] double margin(const std::vector<uint64_t>& experts) const;
  [[nodiscard]] double largest() const;

  const OpContext& c;
  std::vector<double> score, selection, group_value;
  uint64_t groups = 1, top_groups = 1;
};

// INDEX_TOPK: one query; scores of keys 0..keys-1 on demand.
struct IndexRow {
  struct Score {
    double value = 0;
    double size = 0;  // sum of the terms' magnitudes, against which rounding is judged
  };
  IndexRow(const OpContext& c, const Source& source, uint64_t row);
  [[nodiscard]] Score score(int64_t key) const;

  const OpContext& c;
  const Source& source;
  std::vector<double> query, weight;
  int64_t keys = 0;
  uint64_t first_slot = 0;
};

// MOE_DISPATCH of the first `pairs` (token, choice) pairs. An index that is no expert has no place: -1.
struct Dispatch {
  Dispatch(const OpContext& c, const Source& source, uint64_t pairs);
  std::vector<double> offsets, place;
  std::vector<uint64_t> pair_of_row;  // `pairs` where a row has none
};

}  // namespace assay::reference
