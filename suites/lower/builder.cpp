#include "suites/lower/builder.h"

#include <numeric>

#include "suites/base/rng.h"

namespace assay {
namespace {

constexpr double kScaleSpread = 0.1;  // scales differ, so that a wrong one shows

}  // namespace

Fill scale_fill(uint32_t dtype, double stddev) {
  const double scale = stddev / codes_per_sigma(dtype);
  return {Fill::Kind::kNormal, scale, kScaleSpread * scale, 0};
}

uint32_t GraphBuilder::scalar(const std::string& name) {
  graph_.scalars.push_back(name);
  return static_cast<uint32_t>(graph_.scalars.size() - 1);
}

uint32_t GraphBuilder::tensor(const std::string& name, uint32_t dtype, uint32_t role, std::vector<int64_t> dims,
                              Fill fill) {
  graph_.tensors.push_back({name, dtype, role, std::move(dims), -1, 0, std::move(fill)});
  return static_cast<uint32_t>(graph_.tensors.size() - 1);
}

uint32_t GraphBuilder::activation(const std::string& name, std::vector<int64_t> dims) {
  return tensor(name, plan_.activation, output_role(), std::move(dims));
}

uint32_t GraphBuilder::weight(const std::string& name, std::vector<int64_t> dims, double stddev) {
  const Fill normal{Fill::Kind::kNormal, 0, stddev, 0};
  std::vector<int64_t> scales = dims;
  const int64_t cols = dims.back();
  const uint32_t w = tensor(name, plan_.weight, ASSAY_ROLE_WEIGHT, std::move(dims), normal);
  if (codes_per_sigma(plan_.weight) == 0) return w;
  // Where the block does not divide the axis, a smaller one does.
  const int64_t block = plan_.weight_block == 0 ? cols : std::gcd(cols, int64_t{plan_.weight_block});
  scales.back() = cols / block;
  const Fill scale = scale_fill(plan_.weight, stddev);
  const uint32_t s = tensor(name + ".scale", ASSAY_F32, ASSAY_ROLE_WEIGHT, std::move(scales), scale);
  set_scale(w, s, static_cast<int32_t>(block));
  return w;
}

uint32_t GraphBuilder::matrix(const std::string& name, std::vector<int64_t> dims, double stddev) {
  return tensor(name, plan_.activation, ASSAY_ROLE_WEIGHT, std::move(dims), {Fill::Kind::kNormal, 0, stddev, 0});
}

void GraphBuilder::set_scale(uint32_t tensor, uint32_t scales, int32_t block) {
  graph_.tensors[tensor].scale = static_cast<int32_t>(scales);
  graph_.tensors[tensor].scale_block = block;
}

void GraphBuilder::op(uint32_t kind, const std::string& name, std::vector<uint32_t> in, std::vector<uint32_t> out,
                      std::vector<double> attr, uint32_t slot) {
  graph_.ops.push_back({kind, name, layer_, std::move(in), std::move(out), std::move(attr), slot});
}

uint32_t GraphBuilder::quantised_rows(uint32_t x, const std::string& name) {
  if (!plan_.quantize_activations) return x;
  const std::vector<int64_t> dims = at(x).dims;
  const uint32_t codes = tensor(name + ".x_" + dtype_name(plan_.weight), plan_.weight, output_role(), dims);
  const uint32_t scale = tensor(name + ".x_scale", ASSAY_F32, output_role(), {dims[0], 1});
  set_scale(codes, scale, static_cast<int32_t>(dims[1]));
  op(ASSAY_OP_QUANTIZE, name + ".quantize", {x}, {codes, scale});
  return codes;
}

uint32_t GraphBuilder::project(uint32_t x, uint32_t w, const std::string& name, int64_t bias) {
  const uint32_t input = quantised_rows(x, name);
  const uint32_t y = activation(name, {at(x).dims[0], at(w).dims[0]});
  std::vector<uint32_t> in{input, w};
  if (bias >= 0) in.push_back(static_cast<uint32_t>(bias));
  op(ASSAY_OP_MATMUL, name + "_proj", in, {y});
  return y;
}

uint32_t GraphBuilder::matmul(uint32_t x, uint32_t w, const std::string& name) {
  const uint32_t y = activation(name, {at(x).dims[0], at(w).dims[0]});
  op(ASSAY_OP_MATMUL, name + "_proj", {x, w}, {y});
  return y;
}

uint32_t GraphBuilder::project_grouped(uint32_t x, uint32_t w, uint32_t offsets, const std::string& name,
                                       std::shared_ptr<const RoutingPlan> plan, int64_t tokens) {
  const uint32_t input = quantised_rows(x, name);
  const uint32_t y = activation(name, {at(x).dims[0], at(w).dims[1]});
  op(ASSAY_OP_GROUPED_MATMUL, name + "_proj", {input, w, offsets}, {y});
  graph_.ops.back().routing = std::move(plan);
  graph_.ops.back().routed_tokens = tokens;
  return y;
}

}  // namespace assay
