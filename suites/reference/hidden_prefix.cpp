// The first rows of a step through the whole depth: weights are made once, in blocks, by several threads.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "suites/reference/reference.h"
#include "suites/reference/row_ops.h"

namespace assay {
namespace {

using reference::OpContext;

constexpr uint64_t kBlockElements = 32768;  // of weights made at once: they stay in the second-level cache
constexpr size_t kLanes = 8;

// Independent sums, so that the compiler may keep several additions in flight.
double dot(const double* a, const double* b, size_t n) {
  double sums[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

class Prefix {
 public:
  Prefix(const Graph& graph, const std::vector<int64_t>& scalars, uint64_t rows, const Source& host, int threads)
      : graph_(graph),
        scalars_(scalars),
        rows_(rows),
        host_(host),
        threads_(std::max(1, threads)),
        values_(graph.tensors.size()) {}

  Result<Values> run() {
    for (const Op& op : graph_.ops) {
      const OpContext c = reference::context_of(graph_, op, scalars_);
      if (Status shapes = reference::check_shapes(c); !shapes) return shapes.error();
      step(c);
      for (const uint32_t t : op.out) {
        if (graph_.tensors[t].name == "hidden") return values_[t];
      }
    }
    return Error{ErrorKind::kUnsupported, "expected a tensor 'hidden' in the graph, found none"};
  }

 private:
  bool is_host(uint32_t t) const {
    const uint32_t role = graph_.tensors[t].role;
    return role == ASSAY_ROLE_INPUT || role == ASSAY_ROLE_WEIGHT;
  }

  // Rows of activations come from what was computed, all else from the host.
  Source source() {
    return [this](uint32_t t, uint64_t first, uint64_t count, double* out) {
      if (is_host(t) || values_[t].empty()) return host_(t, first, count, out);
      std::copy_n(values_[t].begin() + static_cast<std::ptrdiff_t>(first), count, out);
    };
  }

  void step(const OpContext& c) {
    switch (c.op.kind) {
      case ASSAY_OP_MATMUL:
        return matmul(c);
      case ASSAY_OP_KV_APPEND:
        return keep_kv(c);
      case ASSAY_OP_ATTENTION:
        return attention(c);
      default:
        return rows(c);
    }
  }

  void rows(const OpContext& c) {
    const uint64_t length = reference::row_length(c);
    std::vector<uint64_t> columns(length);
    for (uint64_t i = 0; i < length; ++i) columns[i] = i;
    Values out(rows_ * length);
    const Source from = source();
    reference::RowReference by_row(c, from);
    for (uint64_t r = 0; r < rows_; ++r) by_row.values(r, columns, out.data() + r * length);
    values_[c.op.out[0]] = std::move(out);
  }

  void matmul(const OpContext& c) {
    const auto n = static_cast<uint64_t>(graph_.tensors[c.op.in[1]].dims[0]);
    const auto k = static_cast<uint64_t>(graph_.tensors[c.op.in[1]].dims[1]);
    const Values& x = values_[c.op.in[0]];
    Values bias(n, 0.0), out(rows_ * n);
    if (c.op.in.size() > 2) host_(c.op.in[2], 0, n, bias.data());
    const uint64_t block = std::max<uint64_t>(1, kBlockElements / k);
    std::atomic<uint64_t> next{0};
    const auto work = [&] {
      std::vector<double> w(block * k);
      for (uint64_t first = next.fetch_add(block); first < n; first = next.fetch_add(block)) {
        const uint64_t count = std::min(block, n - first);
        host_(c.op.in[1], first * k, count * k, w.data());
        for (uint64_t j = 0; j < count; ++j) {
          for (uint64_t r = 0; r < rows_; ++r) {
            out[r * n + first + j] = dot(x.data() + r * k, w.data() + j * k, k) + bias[first + j];
          }
        }
      }
    };
    std::vector<std::thread> pool;
    pool.reserve(static_cast<size_t>(threads_));
    for (int i = 1; i < threads_; ++i) pool.emplace_back(work);
    work();
    for (std::thread& thread : pool) thread.join();
    values_[c.op.out[0]] = std::move(out);
  }

  void keep_kv(const OpContext& c) {
    const uint64_t length = reference::row_length(c);
    std::vector<uint64_t> columns(length);
    for (uint64_t i = 0; i < length; ++i) columns[i] = i;
    Values row(length);
    const Source from = source();
    reference::RowReference by_row(c, from);
    for (uint64_t r = 0; r < rows_; ++r) {
      by_row.values(r, columns, row.data());
      for (const uint64_t column : columns) {
        const reference::KvPlace at = reference::kv_place(c, r, column);
        written_[c.op.out[at.output]][at.element] = row[column];
      }
    }
  }

  void attention(const OpContext& c) {
    const Source plain = source();
    const Source cached = [&](uint32_t t, uint64_t first, uint64_t count, double* out) {
      const auto state = written_.find(t);
      if (state == written_.end() || !state->second.contains(first)) return plain(t, first, count, out);
      auto at = state->second.find(first);
      for (uint64_t i = 0; i < count; ++i, ++at) out[i] = at->second;
    };
    const uint64_t length = reference::row_length(c);
    std::vector<uint64_t> columns(length);
    for (uint64_t i = 0; i < length; ++i) columns[i] = i;
    Values out(rows_ * length);
    reference::RowReference by_row(c, cached);
    for (uint64_t r = 0; r < rows_; ++r) by_row.values(r, columns, out.data() + r * length);
    values_[c.op.out[0]] = std::move(out);
  }

  const Graph& graph_;
  const std::vector<int64_t>& scalars_;
  uint64_t rows_;
  const Source& host_;
  int threads_;
  std::vector<Values> values_;                              // rows 0..rows_-1 of every activation
  std::map<uint32_t, std::map<uint64_t, double>> written_;  // cache elements of this step, by index
};

}  // namespace

Result<Values> reference_hidden_prefix(const Graph& graph, const std::vector<int64_t>& scalars, int64_t batch,
                                       int64_t rows, const Source& weights, int threads) {
  const int64_t all = graph.ops.empty() ? 0 : graph.elements(graph.ops.front().in.front());
  if (batch < 1 || rows < 1 || rows > all || (all / batch > 1 && rows > all / batch)) {
    return Error{ErrorKind::kUnsupported,
                 "expected 1 row or more of the first sequence, or of one-token sequences; found " +
                     std::to_string(rows) + " of " + std::to_string(all)};
  }
  return Prefix(graph, scalars, static_cast<uint64_t>(rows), weights, threads).run();
}

}  // namespace assay
