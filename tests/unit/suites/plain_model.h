// Small video shapes, their graphs run by the reference, and the parts of a model written once more in plain loops.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"
#include "suites/suite.h"
#include "suites/video_case.h"

namespace assay::plain {

using Rows = std::vector<std::vector<double>>;

inline VideoShape small_shape(TextStream stream) {
  VideoShape v;
  v.name = "small";
  VideoDit& d = v.dit;
  d.stream = stream;
  d.blocks = stream == TextStream::kDual ? 1 : 2;
  d.single_blocks = stream == TextStream::kDual ? 1 : 0;
  d.hidden = 24;
  d.ffn = 20;
  d.heads = 2;
  d.channels = 3;
  d.patch = {1, 2, 2};
  if (stream != TextStream::kJoint) d.rope_dims = {4, 2, 6};
  d.modulation = stream == TextStream::kCross ? Modulation::kShared : Modulation::kBlock;
  d.qk_norm = stream == TextStream::kCross ? QkNorm::kRows : QkNorm::kHeads;
  d.norm_affine = stream == TextStream::kJoint;
  d.time_frequencies = 6;
  d.time_width = stream == TextStream::kJoint ? 10 : 24;
  d.guidance = stream == TextStream::kDual;
  d.pooled_text = stream == TextStream::kDual ? 5 : 0;
  d.text_projection = stream == TextStream::kCross ? TextProjection::kMlp : TextProjection::kLinear;
  d.text_tokens = 5;
  d.text_width = 7;
  v.vae.strides = {4, 8, 8};
  v.vae.latent_channels = 3;
  v.vae.widths = {8, 6};
  v.vae.up = {{4, 8, 8, 6}};
  v.vae.blocks = 1;
  v.text = {"t5", false, 2, 12, 10, 3, 3, 4, 30, 7, 10000};
  return v;
}

inline Case small_case(const VideoShape& v, StepKind kind) {
  Case c;
  c.kind = kind;
  c.video = v;
  c.dtype = "f32";
  c.frames = 9;  // latent 3 x 2 x 6, patches 3 x 1 x 3
  c.height = 16;
  c.width = 48;
  complete_video_case(&c);
  if (kind == StepKind::kTextEncoder) c.tokens = v.text.tokens;
  return c;
}

// A graph run by the reference, its tensors by name.
class Computed {
 public:
  explicit Computed(const Case& c) {
    Result<Graph> graph = lower(c, {});
    if (!graph) {
      ADD_FAILURE() << graph.error().message;
      return;
    }
    graph_ = std::move(graph).value();
    std::vector<Values> tensors(graph_.tensors.size());
    for (uint32_t t = 0; t < tensors.size(); ++t) {
      const Tensor& tensor = graph_.tensors[t];
      names_[tensor.name] = t;
      if (tensor.fill.kind == Fill::Kind::kNone) continue;
      std::vector<float> raw(static_cast<size_t>(graph_.elements(t)));
      fill_elements(tensor, t, 3, 0, raw.size(), raw.data());
      tensors[t] = dequantise(tensor, raw.data(), nullptr);
    }
    Result<std::vector<Values>> done = reference_graph(graph_, tensors, step_scalars(c, graph_));
    if (!done) {
      ADD_FAILURE() << done.error().message;
      return;
    }
    values_ = std::move(done).value();
  }
  const Values& at(const std::string& name) const {
    const auto found = names_.find(name);
    if (found != names_.end() && found->second < values_.size()) return values_[found->second];
    ADD_FAILURE() << "no tensor " << name;
    static const Values kEmpty;
    return kEmpty;
  }
  bool has(const std::string& name) const { return names_.count(name) != 0; }
  Rows rows(const std::string& name, size_t width) const {
    const Values& v = at(name);
    Rows out;
    for (size_t i = 0; i + width <= v.size(); i += width)
      out.emplace_back(v.begin() + long(i), v.begin() + long(i + width));
    return out;
  }
  Rows linear(const Rows& x, const std::string& name, bool bias = true) const {
    const Values& w = at(name + ".weight");
    const size_t in = x[0].size(), n = w.size() / in;
    Rows y(x.size(), std::vector<double>(n));
    for (size_t m = 0; m < x.size(); ++m) {
      for (size_t j = 0; j < n; ++j) {
        y[m][j] = bias ? at(name + ".bias")[j] : 0;
        for (size_t k = 0; k < in; ++k) y[m][j] += x[m][k] * w[j * in + k];
      }
    }
    return y;
  }

 private:
  Graph graph_;
  std::map<std::string, uint32_t> names_;
  std::vector<Values> values_;
};

inline double silu(double x) { return x / (1 + std::exp(-x)); }
inline double gelu(double x) {
  return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

inline Rows map(Rows x, double (*f)(double)) {
  for (auto& row : x) {
    for (double& e : row) e = f(e);
  }
  return x;
}

inline Rows sum(Rows a, const Rows& b) {
  for (size_t m = 0; m < a.size(); ++m) {
    for (size_t j = 0; j < a[m].size(); ++j) a[m][j] += b[m][j];
  }
  return a;
}

inline std::vector<double> slice(const std::vector<double>& row, size_t col, size_t n) {
  return {row.begin() + long(col), row.begin() + long(col + n)};
}

// Layer norm, affine where gamma is not empty, then times (1 + scale) plus shift where mod is not empty.
inline Rows layer_norm(Rows x, double eps, const Values& gamma, const Values& beta, const std::vector<double>& shift,
                       const std::vector<double>& scale) {
  for (auto& row : x) {
    double mean = 0, var = 0;
    for (const double e : row) mean += e / double(row.size());
    for (const double e : row) var += (e - mean) * (e - mean) / double(row.size());
    for (size_t j = 0; j < row.size(); ++j) {
      row[j] = (row[j] - mean) / std::sqrt(var + eps);
      if (!gamma.empty()) row[j] = row[j] * gamma[j] + beta[j];
      if (!scale.empty()) row[j] = row[j] * (1 + scale[j]) + shift[j];
    }
  }
  return x;
}

inline void rms_norm(std::vector<double>* row, size_t first, const Values& gamma, double eps) {
  double square = 0;
  for (size_t j = 0; j < gamma.size(); ++j) square += std::pow((*row)[first + j], 2) / double(gamma.size());
  for (size_t j = 0; j < gamma.size(); ++j) (*row)[first + j] *= gamma[j] / std::sqrt(square + eps);
}

// softmax(q k^T / sqrt(d)) v by head, every row seeing every key.
inline Rows attention(const Rows& q, const Rows& k, const Rows& v, size_t heads, double scale) {
  const size_t d = q[0].size() / heads;
  Rows y(q.size(), std::vector<double>(q[0].size()));
  for (size_t h = 0; h < heads; ++h) {
    for (size_t m = 0; m < q.size(); ++m) {
      std::vector<double> p(k.size());
      double total = 0;
      for (size_t j = 0; j < k.size(); ++j) {
        double dot = 0;
        for (size_t e = h * d; e < (h + 1) * d; ++e) dot += q[m][e] * k[j][e];
        total += p[j] = std::exp(scale * dot);
      }
      for (size_t j = 0; j < k.size(); ++j) {
        for (size_t e = h * d; e < (h + 1) * d; ++e) y[m][e] += p[j] / total * v[j][e];
      }
    }
  }
  return y;
}

inline void gated_add(Rows* x, const Rows& y, const std::vector<double>& gate) {
  for (size_t m = 0; m < x->size(); ++m) {
    for (size_t j = 0; j < gate.size(); ++j) (*x)[m][j] += gate[j] * y[m][j];
  }
}

inline double relative_error(const Values& a, const Values& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference += std::pow(a[i] - b[i], 2);
    size += b[i] * b[i];
  }
  return std::sqrt(difference / size);
}

}  // namespace assay::plain
