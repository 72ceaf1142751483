// Builds a graph tensor by tensor and op by op.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "suites/suite.h"

namespace assay {

// Scales with which random codes of `dtype` have about the standard deviation `stddev`.
Fill scale_fill(uint32_t dtype, double stddev);

class GraphBuilder {
 public:
  GraphBuilder(DtypePlan plan, bool expose) : plan_(std::move(plan)), expose_(expose) { graph_.tf32 = plan_.tf32; }

  Graph take() { return std::move(graph_); }
  [[nodiscard]] const DtypePlan& plan() const { return plan_; }
  void set_layer(int32_t layer) { layer_ = layer; }
  uint32_t scalar(const std::string& name);
  uint32_t tensor(const std::string& name, uint32_t dtype, uint32_t role, std::vector<int64_t> dims, Fill fill = {});
  // What an op writes: SCRATCH in the plan's activation dtype, OUTPUT where intermediates are exposed.
  uint32_t activation(const std::string& name, std::vector<int64_t> dims);
  void mark_output(uint32_t tensor) { graph_.tensors[tensor].role = ASSAY_ROLE_OUTPUT; }
  // `scales` [.., last / block] F32 makes `tensor` a quantised one.
  void set_scale(uint32_t tensor, uint32_t scales, int32_t block);
  // What an op writes in a dtype of its own (indices, weights of experts).
  uint32_t made(const std::string& name, uint32_t dtype, std::vector<int64_t> dims) {
    return tensor(name, dtype, output_role(), std::move(dims));
  }
  // A matrix [rows, cols], or one per expert or head [n, rows, cols], of standard deviation `stddev`, in the plan's
  // weight dtype; quantised ones have a tensor of scales beside them.
  uint32_t weight(const std::string& name, std::vector<int64_t> dims, double stddev);
  uint32_t weight(const std::string& name, int64_t rows, int64_t cols, double stddev) {
    return weight(name, std::vector<int64_t>{rows, cols}, stddev);
  }
  // One that stays in the plan's activation dtype: routers, and the expansion of a latent cache.
  uint32_t matrix(const std::string& name, std::vector<int64_t> dims, double stddev);
  void op(uint32_t kind, const std::string& name, std::vector<uint32_t> in, std::vector<uint32_t> out,
          std::vector<double> attr = {}, uint32_t slot = ASSAY_NO_SCALAR);
  // y [M,N] = x [M,K] w^T (+ bias); x is quantised per row first where the plan asks for it. `bias`: < 0 for none.
  uint32_t project(uint32_t x, uint32_t w, const std::string& name, int64_t bias = -1);
  // y [M,N] = x w^T as it is.
  uint32_t matmul(uint32_t x, uint32_t w, const std::string& name);
  // y [R,N]: rows offsets[e]..offsets[e+1] of x [R,K] times w[e]^T of w [E,N,K]; quantised as project() does. `plan` of
  // `tokens` rows says which experts have any.
  uint32_t project_grouped(uint32_t x, uint32_t w, uint32_t offsets, const std::string& name,
                           std::shared_ptr<const RoutingPlan> plan, int64_t tokens);
  [[nodiscard]] const Tensor& at(uint32_t tensor) const { return graph_.tensors[tensor]; }

 private:
  uint32_t quantised_rows(uint32_t x, const std::string& name);
  uint32_t output_role() const { return expose_ ? ASSAY_ROLE_OUTPUT : ASSAY_ROLE_SCRATCH; }

  DtypePlan plan_;
  bool expose_;
  int32_t layer_ = -1;
  Graph graph_;
};

}  // namespace assay
