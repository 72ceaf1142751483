// Matrix products: dense, per expert, per head, of the latent cache, and over a moving window.
#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

// out[i] = x . w[first_row + columns[i]], w cut along its last axis.
void products(const OpContext& c, const Source& source, const std::vector<double>& x, uint64_t first_row,
              const Columns& columns, double* out) {
  std::vector<double> w(x.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    source(c.op.in[1], (first_row + columns[i]) * x.size(), x.size(), w.data());
    out[i] = dot(x.data(), w.data(), x.size());
  }
}

void add_bias(const OpContext& c, const Source& source, const Columns& columns, double* out) {
  if (!has_input(c, 2)) return;
  for (size_t i = 0; i < columns.size(); ++i) {
    double bias = 0;
    source(c.op.in[2], columns[i], 1, &bias);
    out[i] += bias;
  }
}

}  // namespace

void matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  products(c, source, input_row(c, source, 0, row), 0, columns, out);
  add_bias(c, source, columns, out);
}

int64_t expert_of_row(const OpContext& c, const Source& source, uint64_t row) {
  const uint64_t experts = dim(input(c, 1), 0);
  const std::vector<double> offsets = fetch(source, c.op.in[2], 0, experts + 1);
  const auto r = static_cast<double>(row);
  for (uint64_t e = 0; e < experts; ++e) {
    if (offsets[e] <= r && r < offsets[e + 1]) return static_cast<int64_t>(e);
  }
  return -1;
}

void grouped_matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const int64_t expert = expert_of_row(c, source, row);
  if (expert < 0) return std::fill(out, out + columns.size(), 0.0);
  products(c, source, input_row(c, source, 0, row), static_cast<uint64_t>(expert) * dim(input(c, 1), 1), columns, out);
}

void head_matmul(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const uint64_t n = dim(input(c, 1), 1), k = dim(input(c, 1), 2), pass = size_attr(c, ASSAY_HEAD_MATMUL_PASS);
  const std::vector<double> x = input_row(c, source, 0, row);
  std::vector<double> w(k);
  for (size_t i = 0; i < columns.size(); ++i) {
    const uint64_t head = columns[i] / (n + pass), column = columns[i] % (n + pass);
    const uint64_t begin = size_attr(c, ASSAY_HEAD_MATMUL_COL) + head * size_attr(c, ASSAY_HEAD_MATMUL_STRIDE);
    if (column >= n) {
      out[i] = x[begin + k + column - n];
      continue;
    }
    source(c.op.in[1], (head * n + column) * k, k, w.data());
    out[i] = dot(x.data() + begin, w.data(), k);
  }
}

// Row (b, j) holds all heads of key j of sequence b.
void kv_expand(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const Tensor& latent = input(c, 0);
  if (!row_written(c, source, row)) return std::fill(out, out + columns.size(), 0.0);
  const uint64_t first = row * last_dim(latent) + size_attr(c, ASSAY_KV_EXPAND_COL);
  products(c, source, fetch(source, c.op.in[0], first, last_dim(input(c, 1))), 0, columns, out);
}

namespace {

// Where place `at` of an axis enlarged `up` times lies in the original.
uint64_t original_frame(uint64_t at, uint64_t up) { return up < 2 || at == 0 ? at : (at - 1) / up + 1; }

}  // namespace

std::vector<double> window_values(const OpContext& c, const Source& source, uint64_t row) {
  const Tensor &x = input(c, 0), &y = output(c);
  const auto at = static_cast<int64_t>(row);
  const int64_t place[3] = {at / (y.dims[1] * y.dims[2]), at / y.dims[2] % y.dims[1], at % y.dims[2]};
  const uint64_t up_h = std::max<uint64_t>(1, size_attr(c, ASSAY_CONV3D_UP_H));
  const uint64_t up_w = std::max<uint64_t>(1, size_attr(c, ASSAY_CONV3D_UP_W));
  const int64_t kt = int_attr(c, ASSAY_CONV3D_KERNEL_T), kh = int_attr(c, ASSAY_CONV3D_KERNEL_H);
  const int64_t kw = int_attr(c, ASSAY_CONV3D_KERNEL_W);
  const uint64_t channels = dim(x, 3);
  std::vector<double> values(static_cast<uint64_t>(kt * kh * kw) * channels, 0.0);
  double* to = values.data();
  for (int64_t i = 0; i < kt; ++i) {
    for (int64_t j = 0; j < kh; ++j) {
      for (int64_t l = 0; l < kw; ++l, to += channels) {
        const int64_t t = place[0] + i - (kt - 1), h = place[1] + j - (kh - 1) / 2, w = place[2] + l - (kw - 1) / 2;
        if (t < 0 || h < 0 || h >= y.dims[1] || w < 0 || w >= y.dims[2]) continue;
        const uint64_t frame = original_frame(static_cast<uint64_t>(t), size_attr(c, ASSAY_CONV3D_UP_T));
        const uint64_t line = frame * dim(x, 1) + static_cast<uint64_t>(h) / up_h;
        source(c.op.in[0], (line * dim(x, 2) + static_cast<uint64_t>(w) / up_w) * channels, channels, to);
      }
    }
  }
  return values;
}

void conv3d(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  products(c, source, window_values(c, source, row), 0, columns, out);
  add_bias(c, source, columns, out);
}

}  // namespace assay::reference
