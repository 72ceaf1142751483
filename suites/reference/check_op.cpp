// The sampled check of one op at its real shape.
#include <cmath>
#include <numeric>

#include "suites/reference/check_verdict.h"
#include "suites/reference/row_access.h"

namespace assay {
namespace {

using reference::OpContext;
using reference::sample;
using reference::Verdict;

constexpr uint64_t kMostColumns = 512;  // of a row of a product or of attention
constexpr uint64_t kFewestColumns = 16;
constexpr uint64_t kMostRows = 64;
constexpr uint64_t kLongRow = uint64_t{1} << 20;  // of a sum: a stream of its own, of which blocks are checked ...
constexpr uint64_t kBlock = uint64_t{1} << 16;    // ... of this size
constexpr uint64_t kShortRow = 16;                // shorter ones of sums may cancel as a whole ...
constexpr double kCancelled = 1.0 / 20;           // ... and are no smaller than this share of their sums of sizes
constexpr double kTieDistance = 1e-3;             // op_spec.md, QUANTIZE
constexpr uint64_t kRowStream = 0, kColumnStream = 1, kCheckedGroupStream = 2;

// Kinds of which a part of a row costs a part of the work.
bool by_column(uint32_t kind) {
  return kind == ASSAY_OP_MATMUL || kind == ASSAY_OP_ATTENTION || kind == ASSAY_OP_GROUPED_MATMUL ||
         kind == ASSAY_OP_CONV3D || kind == ASSAY_OP_HEAD_MATMUL || kind == ASSAY_OP_KV_EXPAND;
}

// f16 has its last bit at 2^-24 for all values below 2^-14, and models meet those; the other dtypes' are out of sight.
double smallest_step(const OpContext& c) {
  return c.graph.tensors[c.op.out[0]].dtype == ASSAY_F16 ? std::ldexp(1.0, -24) : 0;
}

// Kinds whose output is a sum of products of what they read, without exponentials or divisions.
bool sums_products(uint32_t kind) { return by_column(kind) && kind != ASSAY_OP_ATTENTION; }

class Checker {
 public:
  Checker(const OpContext& c, const Source& actual, OpCheck* result)
      : c_(c), actual_(actual), reference_(c, actual), verdict_(result, smallest_step(c)) {}

  void run(uint64_t seed, double budget) {
    if (c_.op.kind == ASSAY_OP_ADD && reference::row_length(c_) > kLongRow) return check_blocks(seed);
    const std::vector<uint64_t> columns = sampled_columns(seed, budget);
    const double row_cost = std::max(1.0, reference::row_cost(c_, columns.size()));
    const double affordable = std::clamp(budget / row_cost, 2.0, static_cast<double>(kMostRows));
    const std::vector<uint64_t> rows = sampled_rows(static_cast<uint64_t>(affordable), seed);
    for (const uint64_t row : rows) {
      if (reference::is_choice(c_.op.kind)) {
        reference::check_choice(c_, actual_, row, seed, budget / static_cast<double>(rows.size()), &verdict_);
      } else if (reference::row_written(c_, actual_, row)) {
        check_row(row, columns);
      }
    }
    if (c_.op.kind == ASSAY_OP_MOE_DISPATCH) reference::check_dispatch_order(c_, actual_, &verdict_);
    verdict_.finish();
  }

 private:
  std::vector<uint64_t> sampled_columns(uint64_t seed, double budget) const {
    const uint64_t length = reference::row_length(c_);
    if (c_.op.kind == ASSAY_OP_GROUP_NORM) return group_columns(seed, budget);
    std::vector<uint64_t> columns = sample(length, by_column(c_.op.kind) ? kMostColumns : length, seed, kColumnStream);
    while (by_column(c_.op.kind) && columns.size() > kFewestColumns &&
           reference::row_cost(c_, columns.size()) > budget / 2) {
      columns.resize(columns.size() / 2);
    }
    return columns;
  }

  // The channels of as many groups as can be read whole.
  std::vector<uint64_t> group_columns(uint64_t seed, double budget) const {
    const uint64_t groups = reference::size_attr(c_, ASSAY_GROUP_NORM_GROUPS);
    const uint64_t size = reference::row_length(c_) / groups;
    const double affordable = budget / static_cast<double>(reference::row_count(c_) * size);
    const auto wanted = static_cast<uint64_t>(std::clamp(affordable, 1.0, static_cast<double>(groups)));
    std::vector<uint64_t> columns;
    for (const uint64_t group : sample(groups, wanted, seed, kCheckedGroupStream)) {
      for (uint64_t i = 0; i < size; ++i) columns.push_back(group * size + i);
    }
    return columns;
  }

  // Of experts also the first and last rows: errors live where one expert ends and the next begins.
  std::vector<uint64_t> sampled_rows(uint64_t wanted, uint64_t seed) const {
    const uint64_t count = reference::row_count(c_);
    std::vector<uint64_t> rows = sample(count, wanted, seed, kRowStream);
    if (c_.op.kind != ASSAY_OP_GROUPED_MATMUL || rows.size() == count) return rows;
    const uint64_t experts = reference::dim(reference::input(c_, 1), 0);
    const std::vector<double> offsets = reference::fetch(actual_, c_.op.in[2], 0, experts + 1);
    for (const uint64_t e : sample(experts, std::max<uint64_t>(2, wanted / 2), seed, kCheckedGroupStream)) {
      for (const double row : {offsets[e], offsets[e + 1] - 1}) {
        if (row >= 0 && row < static_cast<double>(count)) rows.push_back(static_cast<uint64_t>(row));
      }
    }
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
  }

  // The first and the last block of all rows are among them.
  void check_blocks(uint64_t seed) {
    const uint64_t length = reference::row_length(c_), per_row = (length + kBlock - 1) / kBlock;
    for (const uint64_t block : sample(reference::row_count(c_) * per_row, kMostRows, seed, kRowStream)) {
      const uint64_t first = block % per_row * kBlock;
      std::vector<uint64_t> columns(std::min(kBlock, length - first));
      std::iota(columns.begin(), columns.end(), first);
      check_row(block / per_row, columns);
    }
    verdict_.finish();
  }

  void check_row(uint64_t row, const std::vector<uint64_t>& columns) {
    std::vector<double> expected(columns.size());
    reference_.values(row, columns, expected.data());
    std::vector<double> found = actual_row(row, columns);
    if (c_.op.kind == ASSAY_OP_QUANTIZE) forgive_ties(row, columns, expected, &found);
    verdict_.compare("output", row, columns, expected, found, least_norm(row, columns));
  }

  // A sum of products rounds by the sum of their sizes, however small it is itself.
  double least_norm(uint64_t row, const std::vector<uint64_t>& columns) const {
    if (!sums_products(c_.op.kind) || columns.size() >= kShortRow) return 0;
    const Source sizes = [this](uint32_t t, uint64_t first, uint64_t count, double* out) {
      actual_(t, first, count, out);
      std::transform(out, out + count, out, [](double v) { return std::abs(v); });
    };
    std::vector<double> sums(columns.size());
    reference::RowReference(c_, sizes).values(row, columns, sums.data());
    return kCancelled * std::sqrt(std::inner_product(sums.begin(), sums.end(), sums.begin(), 0.0));
  }

  std::vector<double> actual_row(uint64_t row, const std::vector<uint64_t>& columns) const {
    std::vector<double> out(columns.size());
    if (c_.op.kind == ASSAY_OP_KV_APPEND) {
      for (size_t i = 0; i < columns.size(); ++i) {
        const reference::KvPlace at = reference::kv_place(c_, actual_, row, columns[i]);
        actual_(c_.op.out[at.output], at.element, 1, &out[i]);
      }
      return out;
    }
    const uint64_t length = reference::row_length(c_);
    const uint64_t first = columns.front();
    const std::vector<double> found =
        reference::fetch(actual_, c_.op.out[0], row * length + first, columns.back() - first + 1);
    for (size_t i = 0; i < columns.size(); ++i) out[i] = found[columns[i] - first];
    return out;
  }

  // Codes one off where x / scale lies next to a tie are as good as the reference's.
  void forgive_ties(uint64_t row, const std::vector<uint64_t>& columns, const std::vector<double>& expected,
                    std::vector<double>* found) {
    const std::vector<double> x = reference::input_row(c_, actual_, 0, row);
    const double scale = reference::row_scale(c_, x);
    double found_scale = 0;
    actual_(c_.op.out[1], row, 1, &found_scale);
    if (!(std::abs(found_scale - scale) <= verdict_.limit() * scale)) {
      verdict_.fail("scale[" + std::to_string(row) + "]", scale, found_scale);
    }
    for (size_t i = 0; i < columns.size(); ++i) {
      const double step = reference::code_step(c_, x[columns[i]] / scale), code = x[columns[i]] / scale / step;
      const bool near_tie = std::abs(std::abs(code - std::floor(code)) - 0.5) <= kTieDistance;
      if (near_tie && std::abs((*found)[i] - expected[i]) <= 1.01 * scale * step) (*found)[i] = expected[i];
    }
  }

  const OpContext& c_;
  const Source& actual_;
  reference::RowReference reference_;
  Verdict verdict_;
};

}  // namespace

double numerics_limit(const Graph& graph, const Op& op) {
  if (op.kind == ASSAY_OP_QUANTIZE) return 1e-5;  // codes and scale of an input that is known exactly
  for (const auto* list : {&op.in, &op.out}) {
    for (const uint32_t t : *list) {
      if (t == kNoTensor) continue;
      const uint32_t dtype = graph.tensors[t].dtype;
      if (dtype == ASSAY_BF16 || dtype == ASSAY_F16) return 1e-2;
    }
  }
  return graph.tf32 && by_column(op.kind) ? 1e-3 : 1e-5;
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
  size_t named = 0;  // the input whose dtype the record names: the weight, where there is one
  if (op.kind == ASSAY_OP_EMBEDDING ||
      (op.in.size() > 1 && op.in[1] != kNoTensor && graph.tensors[op.in[1]].role == ASSAY_ROLE_WEIGHT &&
       graph.tensors[op.in[1]].dims.size() > 1)) {
    named = 1;
  }
  result.dtype = dtype_name(graph.tensors[op.in[named]].dtype);
  result.limit = numerics_limit(graph, op);
  Checker(c, actual, &result).run(seed, budget);
  return result;
}

}  // namespace assay
