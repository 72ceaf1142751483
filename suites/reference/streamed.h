// A graph in double precision without keeping its weights: they are made in blocks, by several threads, used and let
// go.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "suites/reference/reference.h"
#include "suites/reference/row_ops.h"

namespace assay::reference {

// Which rows are computed: the first `rows` tokens of sequence 0, or of each of the first `rows` one-token sequences.
struct Prefix {
  uint64_t rows = 0, all_rows = 0, tokens = 0;  // tokens per sequence
};

class Streamed {
 public:
  // `prefix` absent: all rows. `host` gives INPUT, WEIGHT and STATE values (as before the step) to several threads.
  Streamed(const Graph& graph, const std::vector<int64_t>& scalars, std::optional<Prefix> prefix, const Source& host,
           int threads);

  // Computes up to the op that writes `target` and returns the rows of it that were computed. kUnsupported: with the
  // reason why the rows can't be told from these inputs alone.
  Result<Values> run(uint32_t target);

 private:
  // y[i][n] = x[i] . w[first + n] for n < count: a block of rows of a weight against several vectors.
  struct Product {
    uint64_t first = 0, count = 0;
    std::vector<const double*> x;
    std::vector<double*> y;
  };

  Status step(const OpContext& c);
  Status by_row(const OpContext& c);
  Status matmul(const OpContext& c);
  Status grouped_matmul(const OpContext& c);
  Status head_matmul(const OpContext& c);
  Status kv_expand(const OpContext& c);
  Status conv3d(const OpContext& c);
  Status attention(const OpContext& c);
  Status keep_kv(const OpContext& c);
  Status route(const OpContext& c);
  Status choose_keys(const OpContext& c);
  Status dispatch(const OpContext& c);

  Status check_prefix(const OpContext& c) const;
  void multiply(uint32_t weight, uint64_t k, const std::vector<Product>& products) const;
  void add_bias(const OpContext& c, Values* y) const;
  void parallel(uint64_t count, const std::function<void(uint64_t first, uint64_t end)>& work) const;
  [[nodiscard]] bool is_host(uint32_t t) const;
  [[nodiscard]] uint64_t rows_of(const OpContext& c) const;
  [[nodiscard]] uint64_t available_rows(uint32_t t) const;
  [[nodiscard]] Values input_rows(const OpContext& c, size_t i, uint64_t rows) const;
  [[nodiscard]] Source source() const;
  void read_state(uint32_t t, uint64_t first, uint64_t count, double* out) const;
  void release(size_t done);

  const Graph& graph_;
  const std::vector<int64_t>& scalars_;
  const std::optional<Prefix> prefix_;
  const Source& host_;
  const int threads_;
  std::vector<Values> values_;                             // the first rows of every activation that is still needed
  std::map<uint32_t, std::map<uint64_t, Values>> states_;  // rows of this step in each cache, by slot
  std::vector<size_t> last_use_;
  double squares_ = 0;  // of the limits of the ops so far: how far apart two right computations may be
};

}  // namespace assay::reference
