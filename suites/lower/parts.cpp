#include "suites/lower/parts.h"

#include <cmath>

namespace assay {

double Parts::plain_stddev(int64_t inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); }

double Parts::residual_stddev(int64_t inputs, int64_t layers) {
  return 1 / std::sqrt(static_cast<double>(inputs) * 2 * static_cast<double>(layers));
}

uint32_t Parts::vector(const std::string& name, int64_t size, double mean, double stddev) {
  return g_.tensor(name, g_.plan().activation, ASSAY_ROLE_WEIGHT, {size}, {Fill::Kind::kNormal, mean, stddev, 0});
}

Linear Parts::linear(const std::string& name, int64_t in, int64_t out, double stddev, bool bias) {
  Linear l;
  l.weight = g_.weight(name + ".weight", out, in, stddev);
  if (bias) l.bias = vector(name + ".bias", out, 0, 0.1);
  return l;
}

uint32_t Parts::apply(const Linear& l, uint32_t x, const std::string& name) {
  return g_.project(x, l.weight, name, l.bias);
}

uint32_t Parts::rms_norm(uint32_t x, uint32_t gamma, const std::string& name, int64_t col, int64_t cols) {
  const uint32_t y = g_.activation(name, g_.at(x).dims);
  g_.op(ASSAY_OP_RMS_NORM, name, {x, gamma}, {y},
        {eps_, static_cast<double>(g_.at(gamma).dims[0]), static_cast<double>(col), static_cast<double>(cols)});
  return y;
}

uint32_t Parts::layer_norm(uint32_t x, const ModColumns& mod, int64_t gamma, int64_t beta, const std::string& name) {
  const auto index = [](int64_t t) { return t < 0 ? kNoTensor : static_cast<uint32_t>(t); };
  std::vector<uint32_t> in{x, index(mod.tensor), index(gamma), index(beta)};
  while (in.back() == kNoTensor) in.pop_back();
  const uint32_t y = g_.activation(name, g_.at(x).dims);
  g_.op(ASSAY_OP_LAYER_NORM_MODULATE, name, std::move(in), {y},
        {static_cast<double>(batch_), eps_, static_cast<double>(mod.shift), static_cast<double>(mod.scale)});
  return y;
}

uint32_t Parts::activation(uint32_t x, const std::string& name, int function) {
  const uint32_t y = g_.activation(name, g_.at(x).dims);
  g_.op(ASSAY_OP_ACTIVATION, name, {x}, {y}, {static_cast<double>(function)});
  return y;
}

uint32_t Parts::add(uint32_t a, uint32_t b, const std::string& name) {
  const uint32_t y = g_.activation(name, g_.at(a).dims);
  g_.op(ASSAY_OP_ADD, name, {a, b}, {y});
  return y;
}

uint32_t Parts::gated_add(uint32_t a, uint32_t b, const ModColumns& mod, const std::string& name) {
  const uint32_t y = g_.activation(name, g_.at(a).dims);
  g_.op(ASSAY_OP_ADD, name, {a, b, static_cast<uint32_t>(mod.tensor)}, {y},
        {static_cast<double>(batch_), static_cast<double>(mod.gate)});
  return y;
}

KvPair Parts::kv(const std::string& name, int64_t batch, int64_t slots, int64_t heads, int64_t dim) {
  const Fill random{Fill::Kind::kNormal, 0, 1, 0};
  const std::vector<int64_t> dims{batch, slots, heads, dim};
  KvPair pair;
  pair.k = g_.tensor(name + ".k", g_.plan().kv, ASSAY_ROLE_STATE, dims, random);
  pair.v = g_.tensor(name + ".v", g_.plan().kv, ASSAY_ROLE_STATE, dims, random);
  return pair;
}

void Parts::append(uint32_t x, const KvPair& kv, int64_t k_col, int64_t v_col, const std::string& name, uint32_t slot) {
  const std::vector<int64_t>& dims = g_.at(kv.k).dims;
  const auto dim = static_cast<double>(dims[3]);
  g_.op(ASSAY_OP_KV_APPEND, name, {x, kv.k, kv.v}, {kv.k, kv.v},
        {static_cast<double>(dims[0]), static_cast<double>(dims[2]), dim, dim, static_cast<double>(k_col),
         static_cast<double>(v_col)},
        slot);
}

uint32_t Parts::attention(uint32_t q, const KvPair& kv, int64_t heads, double scale, int mask,
                          std::vector<int64_t> dims, const std::string& name) {
  const std::vector<int64_t> cache = g_.at(kv.k).dims;  // a copy: the next tensor may move them all
  const auto dim = static_cast<double>(cache[3]);
  const uint32_t y = g_.activation(name, std::move(dims));
  g_.op(ASSAY_OP_ATTENTION, name, {q, kv.k, kv.v}, {y},
        {static_cast<double>(cache[0]), static_cast<double>(heads), static_cast<double>(cache[2]), dim, dim, scale,
         static_cast<double>(mask), 0, 0});
  return y;
}

}  // namespace assay
