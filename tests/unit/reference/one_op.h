// One op with its inputs, run by the reference.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"

namespace assay {

struct OneOp {
  Graph graph;
  std::vector<Values> inputs;

  uint32_t add(std::vector<int64_t> dims, Values values, uint32_t role = ASSAY_ROLE_INPUT) {
    graph.tensors.push_back({"t" + std::to_string(graph.tensors.size()), ASSAY_F32, role, std::move(dims), -1, 0, {}});
    inputs.push_back(std::move(values));
    return static_cast<uint32_t>(graph.tensors.size() - 1);
  }
  // An input that updates in place.
  uint32_t state(std::vector<int64_t> dims, Values values) {
    return add(std::move(dims), std::move(values), ASSAY_ROLE_STATE);
  }
  uint32_t result(std::vector<int64_t> dims) {
    graph.tensors.push_back(
        {"t" + std::to_string(graph.tensors.size()), ASSAY_F32, ASSAY_ROLE_OUTPUT, std::move(dims), -1, 0, {}});
    inputs.emplace_back();
    return static_cast<uint32_t>(graph.tensors.size() - 1);
  }
  std::vector<Values> run(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> out,
                          std::vector<double> attr = {}, int64_t pos = 0) {
    std::vector<Values> given;
    for (const uint32_t t : in) given.push_back(t == kNoTensor ? Values{} : inputs[t]);
    graph.ops = {{kind, "op", 0, std::move(in), std::move(out), std::move(attr), 0}};
    graph.scalars = {"pos"};
    Result<std::vector<Values>> values = reference_op(graph, graph.ops[0], given, {pos});
    EXPECT_TRUE(values.ok()) << values.error().message;
    return values.ok() ? *values : std::vector<Values>{};
  }
};

// With random inputs, looked at by their axes.
struct RandomOp : OneOp {
  uint64_t stream = 0;
  uint32_t normal(std::vector<int64_t> dims, uint32_t role = ASSAY_ROLE_INPUT) {
    const uint32_t t = add(std::move(dims), {}, role);
    const int64_t count = graph.elements(t);
    for (int64_t i = 0; i < count; ++i) inputs[t].push_back(normal_at(11, stream, static_cast<uint64_t>(i)));
    ++stream;
    return t;
  }
  int64_t draw(int64_t bound) { return uniform_at(12, 0, stream++, static_cast<uint32_t>(bound)); }
  double at(uint32_t t, std::vector<int64_t> where) const {
    int64_t i = 0;
    for (size_t axis = 0; axis < where.size(); ++axis) i = i * graph.tensors[t].dims[axis] + where[axis];
    return inputs[t][static_cast<size_t>(i)];
  }
};

inline void expect_near(const Values& found, const Values& expected, double tolerance = 1e-12) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], tolerance) << i;
}

}  // namespace assay
