// The sampled check of one op at its real shape.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"
#include "suites/reference/row_ops.h"

namespace assay {
namespace {

using reference::OpContext;

constexpr uint64_t kMostColumns = 512;  // of a row of a matmul or attention
constexpr uint64_t kMostRows = 64;
constexpr double kTieDistance = 1e-3;  // op_spec.md, QUANTIZE
constexpr double kSmallRow = 1e-3;     // rows below this share of the mean size are held against the mean
constexpr uint64_t kRowStream = 0, kColumnStream = 1;

// `wanted` different numbers below `bound`, ascending; first and last among them.
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

std::string place(uint64_t row, uint64_t column) {
  return "output[" + std::to_string(row) + "," + std::to_string(column) + "]";
}

class Checker {
 public:
  Checker(const OpContext& c, const Source& actual, OpCheck* result)
      : c_(c), actual_(actual), reference_(c, actual), result_(result) {}

  void run(uint64_t seed, double budget) {
    const uint64_t length = reference::row_length(c_), rows = reference::row_count(c_);
    const bool by_column = c_.op.kind == ASSAY_OP_MATMUL || c_.op.kind == ASSAY_OP_ATTENTION;
    std::vector<uint64_t> columns = sample(length, by_column ? kMostColumns : length, seed, kColumnStream);
    while (columns.size() > 16 && reference::row_cost(c_, columns.size()) > budget / 2)
      columns.resize(columns.size() / 2);
    const double affordable = budget / std::max(1.0, reference::row_cost(c_, columns.size()));
    const auto wanted = static_cast<uint64_t>(std::clamp(affordable, 1.0, static_cast<double>(kMostRows)));
    for (const uint64_t row : sample(rows, std::max<uint64_t>(wanted, 2), seed, kRowStream)) check_row(row, columns);
    result_->error = worst();
    result_->pass = result_->detail.empty() && result_->error <= result_->limit;
    if (!result_->pass && result_->detail.empty()) result_->detail = worst_detail_;
  }

 private:
  void check_row(uint64_t row, const std::vector<uint64_t>& columns) {
    std::vector<double> expected(columns.size());
    reference_.values(row, columns, expected.data());
    if (c_.op.kind == ASSAY_OP_ARGMAX) return check_argmax(row, expected[0]);
    const uint64_t length = reference::row_length(c_);
    std::vector<double> x;
    double scale = 0;
    if (c_.op.kind == ASSAY_OP_QUANTIZE) {
      x.resize(length);
      actual_(c_.op.in[0], row * length, length, x.data());
      scale = check_scale(row, reference::row_scale(x));
    }
    std::vector<double> whole = actual_row(row, length, columns);
    double difference = 0, norm = 0;
    for (size_t i = 0; i < columns.size(); ++i) {
      const double found = whole[i];
      if (!std::isfinite(found)) return fail_at(row, columns[i], expected[i], found);
      double d = found - expected[i];
      if (scale > 0 && near_tie(x[columns[i]] / scale) && std::abs(d) <= 1.01 * scale) d = 0;
      difference += d * d;
      norm += expected[i] * expected[i];
      note_worst(row, columns[i], expected[i], found);
    }
    result_->elements += columns.size();
    rows_.push_back({difference, norm});
  }

  std::vector<double> actual_row(uint64_t row, uint64_t length, const std::vector<uint64_t>& columns) {
    std::vector<double> out(columns.size());
    if (c_.op.kind == ASSAY_OP_KV_APPEND) {
      for (size_t i = 0; i < columns.size(); ++i) {
        const reference::KvPlace at = reference::kv_place(c_, row, columns[i]);
        actual_(c_.op.out[at.output], at.element, 1, &out[i]);
      }
      return out;
    }
    std::vector<double> whole(length);
    actual_(c_.op.out[0], row * length, length, whole.data());
    for (size_t i = 0; i < columns.size(); ++i) out[i] = whole[columns[i]];
    return out;
  }

  static bool near_tie(double x) { return std::abs(std::abs(x - std::floor(x)) - 0.5) <= kTieDistance; }

  double check_scale(uint64_t row, double expected) {
    double found = 0;
    actual_(c_.op.out[1], row, 1, &found);
    if (!(std::abs(found - expected) <= result_->limit * expected) && result_->detail.empty()) {
      result_->detail = "scale[" + std::to_string(row) + "]: expected " + std::to_string(expected) + ", found " +
                        std::to_string(found);
    }
    return expected;
  }

  // Any index of a value that rounding can't tell from the largest is right.
  void check_argmax(uint64_t row, double expected) {
    const auto length = static_cast<uint64_t>(c_.graph.tensors[c_.op.in[0]].dims.back());
    double index = 0;
    actual_(c_.op.out[0], row, 1, &index);
    ++result_->elements;
    if (!(index >= 0 && index < static_cast<double>(length))) return fail_at(row, 0, expected, index);
    double found = 0, largest = 0;
    actual_(c_.op.in[0], row * length + static_cast<uint64_t>(index), 1, &found);
    actual_(c_.op.in[0], row * length + static_cast<uint64_t>(expected), 1, &largest);
    if (!(found >= largest - result_->limit * std::abs(largest))) fail_at(row, 0, expected, index);
  }

  void fail_at(uint64_t row, uint64_t column, double expected, double found) {
    if (!result_->detail.empty()) return;
    result_->detail =
        place(row, column) + ": expected " + std::to_string(expected) + ", found " + std::to_string(found);
  }

  void note_worst(uint64_t row, uint64_t column, double expected, double found) {
    if (std::abs(found - expected) <= worst_difference_) return;
    worst_difference_ = std::abs(found - expected);
    worst_detail_ = place(row, column) + ": expected " + std::to_string(expected) + ", found " + std::to_string(found);
  }

  // The largest of the rows' relative errors: one wrong row must not drown in many right ones.
  double worst() const {
    double mean = 0;
    for (const Row& r : rows_) mean += r.norm / static_cast<double>(rows_.size());
    double largest = 0;
    for (const Row& r : rows_) {
      const double norm = std::max(r.norm, kSmallRow * kSmallRow * mean);
      largest = std::max(largest, r.difference == 0 ? 0 : std::sqrt(r.difference / (norm > 0 ? norm : 1)));
    }
    return largest;
  }

  struct Row {
    double difference = 0, norm = 0;
  };
  const OpContext& c_;
  const Source& actual_;
  reference::RowReference reference_;
  OpCheck* result_;
  std::vector<Row> rows_;
  double worst_difference_ = 0;
  std::string worst_detail_;
};

}  // namespace

double numerics_limit(const Graph& graph, const Op& op) {
  for (const auto* list : {&op.in, &op.out}) {
    for (const uint32_t t : *list) {
      if (t == kNoTensor) continue;
      const uint32_t dtype = graph.tensors[t].dtype;
      if (dtype == ASSAY_BF16 || dtype == ASSAY_F16) return 1e-2;
    }
  }
  return 1e-5;
}

OpCheck check_op(const Graph& graph, const Op& op, const std::vector<int64_t>& scalars, const Source& actual,
                 uint64_t seed, double budget) {
  OpCheck result;
  result.op = op.name;
  result.kind = op_kind_name(op.kind);
  const OpContext c = reference::context_of(graph, op, scalars);
  if (const Status shapes = reference::check_shapes(c); !shapes) {
    result.detail = shapes.error().message;
    return result;
  }
  const size_t weight = op.kind == ASSAY_OP_MATMUL || op.kind == ASSAY_OP_EMBEDDING ? 1 : 0;
  result.dtype = dtype_name(graph.tensors[op.in[weight]].dtype);
  result.limit = numerics_limit(graph, op);
  Checker(c, actual, &result).run(seed, budget);
  return result;
}

}  // namespace assay
