// Ops whose output elements follow from the same row of their input, or from a place of it.
#include <cmath>

#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

uint64_t sequence_of(const OpContext& c, uint64_t row) { return row / static_cast<uint64_t>(tokens_per_sequence(c)); }

double activate(int64_t function, double x) {
  if (function == ASSAY_ACT_SILU) return x / (1 + std::exp(-x));
  if (function == ASSAY_ACT_GELU_ERF) return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}

}  // namespace

void rms_norm(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  std::vector<double> x = input_row(c, source, 0, row);
  const uint64_t group = size_attr(c, ASSAY_RMS_NORM_GROUP), col = size_attr(c, ASSAY_RMS_NORM_COL);
  const uint64_t cols = size_attr(c, ASSAY_RMS_NORM_COLS), end = cols == 0 ? x.size() : col + cols;
  const std::vector<double> gamma = fetch(source, c.op.in[1], 0, group);
  for (uint64_t at = col; at < end; at += group) {
    const double squares = dot(x.data() + at, x.data() + at, group);
    const double root = std::sqrt(squares / static_cast<double>(group) + attr(c, ASSAY_RMS_NORM_EPS));
    for (uint64_t i = 0; i < group; ++i) x[at + i] *= gamma[i] / root;
  }
  pick(x, columns, out);
}

void layer_norm_modulate(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  std::vector<double> x = input_row(c, source, 0, row);
  const auto count = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (const double v : x) mean += v / count;
  for (const double v : x) variance += (v - mean) * (v - mean) / count;
  const double root = std::sqrt(variance + attr(c, ASSAY_LAYER_NORM_MODULATE_EPS));
  for (double& v : x) v = (v - mean) / root;
  if (has_input(c, 2)) {
    const std::vector<double> gamma = fetch(source, c.op.in[2], 0, x.size());
    for (size_t j = 0; j < x.size(); ++j) x[j] *= gamma[j];
  }
  if (has_input(c, 3)) {
    const std::vector<double> beta = fetch(source, c.op.in[3], 0, x.size());
    for (size_t j = 0; j < x.size(); ++j) x[j] += beta[j];
  }
  if (has_input(c, 1)) {
    const std::vector<double> mod = input_row(c, source, 1, sequence_of(c, row));
    const uint64_t scale = size_attr(c, ASSAY_LAYER_NORM_MODULATE_SCALE_COL);
    const uint64_t shift = size_attr(c, ASSAY_LAYER_NORM_MODULATE_SHIFT_COL);
    for (size_t j = 0; j < x.size(); ++j) x[j] = x[j] * (1 + mod[scale + j]) + mod[shift + j];
  }
  pick(x, columns, out);
}

void gated_act(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const size_t half = x.size() / 2;
  for (size_t i = 0; i < columns.size(); ++i) {
    out[i] = activate(int_attr(c, ASSAY_GATED_ACT_FUNCTION), x[columns[i]]) * x[half + columns[i]];
  }
}

void activation(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  for (size_t i = 0; i < columns.size(); ++i) out[i] = activate(int_attr(c, ASSAY_ACTIVATION_FUNCTION), x[columns[i]]);
}

void add(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const uint64_t first = columns.front(), count = columns.back() - first + 1;  // a row may be a whole stream
  const std::vector<double> a = fetch(source, c.op.in[0], row * last_dim(input(c, 0)) + first, count);
  const std::vector<double> b = fetch(source, c.op.in[1], row * last_dim(input(c, 1)) + first, count);
  std::vector<double> gate(count, 1.0);
  if (has_input(c, 2)) {
    const uint64_t at = sequence_of(c, row) * last_dim(input(c, 2)) + size_attr(c, ASSAY_ADD_GATE_COL);
    source(c.op.in[2], at + first, count, gate.data());
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    const uint64_t j = columns[i] - first;
    out[i] = a[j] + gate[j] * b[j];
  }
}

void embedding(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  double index = 0;
  source(c.op.in[0], row, 1, &index);
  const bool inside = index >= 0 && index < static_cast<double>(input(c, 1).dims[0]);
  pick(input_row(c, source, 1, inside ? static_cast<uint64_t>(index) : 0), columns, out);
}

namespace {

bool in_e4m3(const OpContext& c) { return c.graph.tensors[c.op.out[0]].dtype == ASSAY_F8E4M3; }

}  // namespace

double row_scale(const OpContext& c, const std::vector<double>& x) {
  double largest = 0;
  for (const double v : x) largest = std::max(largest, std::abs(v));
  return largest == 0 ? 1 : largest / (in_e4m3(c) ? 448 : 127);
}

// E4M3 has 3 bits of fraction and a least exponent of -6.
double code_step(const OpContext& c, double value) {
  if (!in_e4m3(c)) return 1;
  return std::ldexp(1.0, (value == 0 ? -6 : std::max(std::ilogb(value), -6)) - 3);
}

double nearest_code(const OpContext& c, double value) {
  const double step = code_step(c, value);
  return step * std::nearbyint(value / step);
}

void quantize(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const std::vector<double> x = input_row(c, source, 0, row);
  const double scale = row_scale(c, x);
  for (size_t i = 0; i < columns.size(); ++i) out[i] = scale * nearest_code(c, x[columns[i]] / scale);
}

namespace {

// A video tensor [B,C,T,H,W] cut into patches [t,h,w].
struct Patches {
  uint64_t channels, frames, height, width, t, h, w;

  Patches(const OpContext& c, const Tensor& video)
      : channels(dim(video, 1)),
        frames(dim(video, 2)),
        height(dim(video, 3)),
        width(dim(video, 4)),
        t(size_attr(c, ASSAY_PATCHIFY3D_T)),
        h(size_attr(c, ASSAY_PATCHIFY3D_H)),
        w(size_attr(c, ASSAY_PATCHIFY3D_W)) {}

  // Element of the video at column `column` of patch row `row`.
  uint64_t video_element(uint64_t row, uint64_t column) const {
    const uint64_t across = width / w, down = height / h, deep = frames / t;
    const uint64_t x = row % across * w + column % w, y = row / across % down * h + column / w % h;
    const uint64_t z = row / across / down % deep * t + column / w / h % t;
    const uint64_t plane = row / across / down / deep * channels + column / w / h / t;
    return ((plane * frames + z) * height + y) * width + x;
  }

  // Element of the patch rows at element `at` of the video.
  uint64_t patch_element(uint64_t at) const {
    const uint64_t x = at % width, y = at / width % height, z = at / width / height % frames;
    const uint64_t channel = at / width / height / frames % channels, b = at / width / height / frames / channels;
    const uint64_t row = ((b * (frames / t) + z / t) * (height / h) + y / h) * (width / w) + x / w;
    const uint64_t column = ((channel * t + z % t) * h + y % h) * w + x % w;
    return row * channels * t * h * w + column;
  }
};

}  // namespace

void patchify3d(const OpContext& c, const Source& source, uint64_t row, const Columns& columns, double* out) {
  const bool inverse = int_attr(c, ASSAY_PATCHIFY3D_INVERSE) != 0;
  const Patches patches(c, inverse ? output(c) : input(c, 0));
  for (size_t i = 0; i < columns.size(); ++i) {
    const uint64_t from =
        inverse ? patches.patch_element(row * patches.width + columns[i]) : patches.video_element(row, columns[i]);
    source(c.op.in[0], from, 1, &out[i]);
  }
}

}  // namespace assay::reference
