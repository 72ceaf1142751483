#include "suites/reference/check_verdict.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "suites/base/rng.h"

namespace assay::reference {
namespace {

constexpr double kSmallRow = 1e-3;  // rows below this share of the mean size are held against the mean

}  // namespace

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.9g", value);  // as many digits as tell floats apart
  return text;
}

std::string place(const char* name, uint64_t row, uint64_t column) {
  return std::string(name) + "[" + std::to_string(row) + "," + std::to_string(column) + "]";
}

std::vector<uint64_t> sample(uint64_t bound, uint64_t wanted, uint64_t seed, uint64_t stream) {
  std::vector<uint64_t> picked;
  if (wanted >= bound) {
    picked.resize(bound);
    std::iota(picked.begin(), picked.end(), uint64_t{0});
    return picked;
  }
  picked = {0, bound - 1};
  for (uint64_t i = 0; picked.size() < wanted; ++i) {
    picked.push_back(static_cast<uint64_t>(uniform_at(seed, stream, i, static_cast<uint32_t>(bound))));
    if (i > 4 * wanted) break;
  }
  std::sort(picked.begin(), picked.end());
  picked.erase(std::unique(picked.begin(), picked.end()), picked.end());
  return picked;
}

void Verdict::fail(const std::string& where, const std::string& expected, const std::string& found) {
  if (result_->detail.empty()) result_->detail = where + ": expected " + expected + ", found " + found;
}

void Verdict::fail(const std::string& where, double expected, double found) {
  fail(where, number(expected), number(found));
}

void Verdict::compare(const char* name, uint64_t row, const std::vector<uint64_t>& columns,
                      const std::vector<double>& expected, const std::vector<double>& found, double least) {
  Row sums;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (!std::isfinite(found[i])) return fail(place(name, row, columns[i]), expected[i], found[i]);
    const double difference = std::max(0.0, std::abs(found[i] - expected[i]) - step_ / 2);
    sums.difference += difference * difference;
    sums.norm += expected[i] * expected[i];
    if (difference <= worst_difference_) continue;
    worst_difference_ = difference;
    worst_detail_ = place(name, row, columns[i]) + ": expected " + number(expected[i]) + ", found " + number(found[i]);
  }
  count(columns.size());
  sums.norm = std::max(sums.norm, least * least);
  rows_.push_back(sums);
}

// The largest of the rows' relative errors: one wrong row must not drown in many right ones.
double Verdict::worst() const {
  double mean = 0;
  for (const Row& r : rows_) mean += r.norm / static_cast<double>(rows_.size());
  double largest = 0;
  for (const Row& r : rows_) {
    const double norm = std::max(r.norm, kSmallRow * kSmallRow * mean);
    largest = std::max(largest, r.difference == 0 ? 0 : std::sqrt(r.difference / (norm > 0 ? norm : 1)));
  }
  return largest;
}

void Verdict::finish() {
  result_->error = worst();
  result_->pass = result_->detail.empty() && result_->error <= result_->limit;
  if (!result_->pass && result_->detail.empty()) result_->detail = worst_detail_;
}

}  // namespace assay::reference
