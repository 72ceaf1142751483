// What the checks of one op find, row by row.
#pragma once

#include <string>
#include <vector>

#include "suites/reference/row_ops.h"

namespace assay::reference {

class Verdict {
 public:
  // `step`: the smallest that the output's dtype tells apart; half of it is no error.
  explicit Verdict(OpCheck* result, double step = 0) : result_(result), step_(step) {}

  [[nodiscard]] double limit() const { return result_->limit; }
  void count(uint64_t elements) { result_->elements += elements; }
  // The first fault is the one that is told.
  void fail(const std::string& where, const std::string& expected, const std::string& found);
  void fail(const std::string& where, double expected, double found);
  // One row of floats: its relative error counts on its own. `name`[row, columns[i]] is where element i stands.
  // `least`: the norm that the row is held against where its own is smaller.
  void compare(const char* name, uint64_t row, const std::vector<uint64_t>& columns,
               const std::vector<double>& expected, const std::vector<double>& found, double least = 0);
  // Sets error, pass and detail.
  void finish();

 private:
  struct Row {
    double difference = 0, norm = 0;
  };
  [[nodiscard]] double worst() const;

  OpCheck* result_;
  double step_;
  std::vector<Row> rows_;
  double worst_difference_ = 0;
  std::string worst_detail_;
};

std::string number(double value);
std::string place(const char* name, uint64_t row, uint64_t column);
// `wanted` different numbers below `bound`, ascending; first and last among them.
std::vector<uint64_t> sample(uint64_t bound, uint64_t wanted, uint64_t seed, uint64_t stream);

// The ops that choose: right is what rounding can't tell from the reference's choice.
bool is_choice(uint32_t kind);
void check_choice(const OpContext& c, const Source& actual, uint64_t row, uint64_t seed, double budget,
                  Verdict* verdict);
// MOE_DISPATCH: offsets and places of all rows, which its input determines.
void check_dispatch_order(const OpContext& c, const Source& actual, Verdict* verdict);

}  // namespace assay::reference
