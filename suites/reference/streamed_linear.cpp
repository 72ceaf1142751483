// The products of a streamed graph: every block of a weight is made once and meets all vectors that need it.
#include <atomic>
#include <thread>

#include "suites/reference/row_access.h"
#include "suites/reference/streamed.h"

namespace assay::reference {
namespace {

constexpr uint64_t kBlockElements = 32768;               // of weights made at once: they stay in the second-level cache
constexpr uint64_t kMostExpanded = uint64_t{1} << 27;    // elements of keys and values that are kept
constexpr uint64_t kWindowElements = uint64_t{1} << 22;  // of a convolution's windows at once
constexpr size_t kLanes = 8;

// Independent sums, so that the compiler may keep several additions in flight.
double wide_dot(const double* a, const double* b, uint64_t n) {
  double sums[kLanes] = {};
  uint64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t k = 0; k < kLanes; ++k) sums[k] += a[i + k] * b[i + k];
  }
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

}  // namespace

void Streamed::multiply(uint32_t weight, uint64_t k, const std::vector<Product>& products) const {
  struct Block {
    const Product* product;
    uint64_t first, count;
  };
  const uint64_t step = std::max<uint64_t>(1, kBlockElements / k);
  std::vector<Block> blocks;
  for (const Product& p : products) {
    for (uint64_t n = 0; n < p.count; n += step) blocks.push_back({&p, n, std::min(step, p.count - n)});
  }
  std::atomic<size_t> next{0};
  const auto work = [&] {
    std::vector<double> w(step * k);
    for (size_t i = next.fetch_add(1); i < blocks.size(); i = next.fetch_add(1)) {
      const Block& block = blocks[i];
      host_(weight, (block.product->first + block.first) * k, block.count * k, w.data());
      for (size_t r = 0; r < block.product->x.size(); ++r) {
        double* y = block.product->y[r] + block.first;
        for (uint64_t n = 0; n < block.count; ++n) y[n] = wide_dot(block.product->x[r], w.data() + n * k, k);
      }
    }
  };
  std::vector<std::thread> pool;
  for (int i = 1; i < threads_; ++i) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
}

void Streamed::add_bias(const OpContext& c, Values* y) const {
  if (!has_input(c, 2)) return;
  const Values bias = fetch(source(), c.op.in[2], 0, last_dim(output(c)));
  for (size_t i = 0; i < y->size(); ++i) (*y)[i] += bias[i % bias.size()];
}

Status Streamed::matmul(const OpContext& c) {
  if (!is_host(c.op.in[1])) return by_row(c);
  const uint64_t rows = rows_of(c), n = dim(input(c, 1), 0), k = dim(input(c, 1), 1);
  const Values x = input_rows(c, 0, rows);
  Values y(rows * n);
  Product product{0, n, {}, {}};
  for (uint64_t r = 0; r < rows; ++r) {
    product.x.push_back(x.data() + r * k);
    product.y.push_back(y.data() + r * n);
  }
  multiply(c.op.in[1], k, {product});
  add_bias(c, &y);
  values_[c.op.out[0]] = std::move(y);
  return ok_status();
}

Status Streamed::grouped_matmul(const OpContext& c) {
  const uint64_t rows = rows_of(c), experts = dim(input(c, 1), 0), n = dim(input(c, 1), 1), k = dim(input(c, 1), 2);
  const Values x = input_rows(c, 0, rows), offsets = fetch(source(), c.op.in[2], 0, experts + 1);
  Values y(rows * n, 0.0);
  std::vector<Product> products;
  for (uint64_t e = 0; e < experts; ++e) {
    Product product{e * n, n, {}, {}};
    for (auto r = static_cast<uint64_t>(offsets[e]); r < static_cast<uint64_t>(offsets[e + 1]) && r < rows; ++r) {
      product.x.push_back(x.data() + r * k);
      product.y.push_back(y.data() + r * n);
    }
    if (!product.x.empty()) products.push_back(std::move(product));
  }
  multiply(c.op.in[1], k, products);
  values_[c.op.out[0]] = std::move(y);
  return ok_status();
}

Status Streamed::head_matmul(const OpContext& c) {
  const uint64_t rows = rows_of(c), heads = dim(input(c, 1), 0), n = dim(input(c, 1), 1), k = dim(input(c, 1), 2);
  const uint64_t pass = size_attr(c, ASSAY_HEAD_MATMUL_PASS), width = last_dim(input(c, 0));
  const Values x = input_rows(c, 0, rows);
  Values y(rows * heads * (n + pass));
  std::vector<Product> products;
  for (uint64_t h = 0; h < heads; ++h) {
    Product product{h * n, n, {}, {}};
    for (uint64_t r = 0; r < rows; ++r) {
      const uint64_t col = size_attr(c, ASSAY_HEAD_MATMUL_COL) + h * size_attr(c, ASSAY_HEAD_MATMUL_STRIDE);
      product.x.push_back(x.data() + r * width + col);
      product.y.push_back(y.data() + (r * heads + h) * (n + pass));
      std::copy_n(product.x.back() + k, pass, product.y.back() + n);
    }
    products.push_back(std::move(product));
  }
  multiply(c.op.in[1], k, products);
  values_[c.op.out[0]] = std::move(y);
  return ok_status();
}

Status Streamed::kv_expand(const OpContext& c) {
  const Tensor& latent = input(c, 0);
  const uint64_t slots = dim(latent, 1), n = dim(input(c, 1), 0), k = dim(input(c, 1), 1);
  uint64_t sequences = dim(latent, 0), keys = static_cast<uint64_t>(c.pos) + size_attr(c, ASSAY_KV_EXPAND_TOKENS);
  if (prefix_ && prefix_->tokens == 1) sequences = prefix_->rows;
  if (prefix_ && prefix_->tokens > 1) {
    sequences = 1;
    keys = static_cast<uint64_t>(c.pos) + prefix_->rows;
  }
  if (sequences * slots * n > kMostExpanded) {
    return Error{ErrorKind::kUnsupported, "op '" + c.op.name + "' would keep " + std::to_string(sequences * slots * n) +
                                              " keys' and values' elements"};
  }
  Values x(sequences * keys * k), y(sequences * slots * n, 0.0);
  const Source from = source();
  Product product{0, n, {}, {}};
  for (uint64_t i = 0; i < sequences * keys; ++i) {
    const uint64_t slot = i / keys * slots + i % keys;
    from(c.op.in[0], slot * dim(latent, 3) + size_attr(c, ASSAY_KV_EXPAND_COL), k, x.data() + i * k);
    product.x.push_back(x.data() + i * k);
    product.y.push_back(y.data() + slot * n);
  }
  multiply(c.op.in[1], k, {product});
  values_[c.op.out[0]] = std::move(y);
  return ok_status();
}

Status Streamed::conv3d(const OpContext& c) {
  const uint64_t rows = row_count(c), n = dim(input(c, 1), 0), k = dim(input(c, 1), 1);
  const uint64_t step = std::max<uint64_t>(1, kWindowElements / k);
  const Source from = source();
  Values y(rows * n);
  std::vector<std::vector<double>> windows(std::min(step, rows));
  for (uint64_t first = 0; first < rows; first += step) {
    const uint64_t count = std::min(step, rows - first);
    parallel(count, [&](uint64_t begin, uint64_t end) {
      for (uint64_t i = begin; i < end; ++i) windows[i] = window_values(c, from, first + i);
    });
    Product product{0, n, {}, {}};
    for (uint64_t i = 0; i < count; ++i) {
      product.x.push_back(windows[i].data());
      product.y.push_back(y.data() + (first + i) * n);
    }
    multiply(c.op.in[1], k, {product});
  }
  add_bias(c, &y);
  values_[c.op.out[0]] = std::move(y);
  return ok_status();
}

}  // namespace assay::reference
