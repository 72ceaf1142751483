// One op on the CPU adapter against the double-precision reference of the op spec.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "suites/reference/reference.h"
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {

class OneOp {
 public:
  explicit OneOp(Adapter& adapter) : adapter_(adapter) {}

  uint32_t input(std::vector<int64_t> dims, double stddev = 1, double mean = 0) {
    return add(ASSAY_F32, ASSAY_ROLE_INPUT, std::move(dims), stddev, mean);
  }
  uint32_t input_of(uint32_t dtype, std::vector<int64_t> dims) {
    return add(dtype, ASSAY_ROLE_INPUT, std::move(dims), 1, 0);
  }
  uint32_t integers(std::vector<int64_t> dims, Doubles values) {
    const uint32_t t = add(ASSAY_I32, ASSAY_ROLE_INPUT, std::move(dims), 0, 0);
    fixed_[t] = std::move(values);
    return t;
  }
  uint32_t numbers(std::vector<int64_t> dims, Doubles values) {
    const uint32_t t = input(std::move(dims));
    fixed_[t] = std::move(values);
    return t;
  }
  uint32_t state(uint32_t dtype, std::vector<int64_t> dims) {
    return add(dtype, ASSAY_ROLE_STATE, std::move(dims), 1, 0);
  }
  // i8: `block` codes share a scale.
  uint32_t weight(uint32_t dtype, std::vector<int64_t> dims, int32_t block = 0) {
    if (dtype != ASSAY_I8) return add(dtype, ASSAY_ROLE_WEIGHT, std::move(dims), 1, 0);
    std::vector<int64_t> scales = dims;
    scales.back() /= block;
    const uint32_t scale = add(ASSAY_F32, ASSAY_ROLE_WEIGHT, scales, 0.01, 0.03);
    const uint32_t t = add(dtype, ASSAY_ROLE_WEIGHT, std::move(dims), 0, 0);
    program_.tensors[t].scale = static_cast<int32_t>(scale);
    program_.tensors[t].scale_block = block;
    graph_.tensors[t].scale = static_cast<int32_t>(scale);
    graph_.tensors[t].scale_block = block;
    return t;
  }
  uint32_t output(std::vector<int64_t> dims, uint32_t dtype = ASSAY_F32) {
    return add(dtype, ASSAY_ROLE_OUTPUT, std::move(dims), 0, 0);
  }

  // The largest relative error by norm of an output; integers must be equal.
  double error(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> out, const std::vector<double>& attr = {},
               int64_t pos = 0) {
    graph_.ops = {{kind, "op", 0, in, out, attr, 0, 0}};
    graph_.scalars = {"pos"};
    program_.op(kind, in, out, attr, true);
    program_.prepare(adapter_);
    if (program_.handle() == nullptr) return std::numeric_limits<double>::infinity();
    fill();
    EXPECT_EQ(program_.step(pos), ASSAY_OK) << Adapter::error();
    std::vector<Values> given;
    for (const uint32_t t : in) given.push_back(t == kNoTensor ? Values{} : values_[t]);
    const Result<std::vector<Values>> expected = reference_op(graph_, graph_.ops[0], given, {pos});
    EXPECT_TRUE(expected.ok()) << expected.error().message;
    double worst = 0;
    for (size_t i = 0; expected.ok() && i < out.size(); ++i) worst = std::max(worst, differs(out[i], (*expected)[i]));
    return expected.ok() ? worst : std::numeric_limits<double>::infinity();
  }

 private:
  uint32_t add(uint32_t dtype, uint32_t role, std::vector<int64_t> dims, double stddev, double mean) {
    program_.tensor(dtype, role, dims);
    graph_.tensors.push_back({"t" + std::to_string(graph_.tensors.size()), dtype, role, std::move(dims), -1, 0, {}});
    stddev_.push_back(stddev);
    mean_.push_back(mean);
    values_.emplace_back();
    fixed_.emplace_back();
    return static_cast<uint32_t>(graph_.tensors.size() - 1);
  }
  void fill() {
    for (uint32_t t = 0; t < graph_.tensors.size(); ++t) {
      const Tensor& tensor = graph_.tensors[t];
      if (tensor.role == ASSAY_ROLE_OUTPUT) continue;
      if (!fixed_[t].empty()) {
        values_[t] = program_.write(t, fixed_[t]);
      } else if (tensor.dtype == ASSAY_I8) {
        values_[t] = program_.write_codes(t, t + 1, -127, 127);
        const auto block = static_cast<size_t>(tensor.scale_block);
        const Doubles& scale = values_[static_cast<size_t>(tensor.scale)];
        for (size_t i = 0; i < values_[t].size(); ++i) values_[t][i] *= scale[i / block];
      } else {
        values_[t] = program_.write(t, normal(t));
      }
    }
  }
  Doubles normal(uint32_t t) const {
    std::mt19937 engine(t + 1);
    std::normal_distribution<double> draw(mean_[t], stddev_[t]);
    Doubles values(program_.elements(t));
    for (double& v : values) v = draw(engine);
    return values;
  }
  double differs(uint32_t t, const Values& expected) {
    const Doubles found = program_.read(t);
    if (graph_.tensors[t].dtype != ASSAY_I32) return relative_error(found, expected);
    EXPECT_EQ(found, expected);
    return 0;
  }

  Adapter& adapter_;
  Program program_;
  Graph graph_;
  Doubles stddev_, mean_;
  std::vector<Doubles> values_, fixed_;
};

inline double number(int64_t value) { return static_cast<double>(value); }

}  // namespace assay::cpu_test
