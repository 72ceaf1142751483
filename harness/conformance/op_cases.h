// Makes the cases of one op kind: odd shapes on purpose.
#pragma once

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "harness/conformance/bench.h"
#include "suites/base/rng.h"
#include "suites/lower/builder.h"

namespace assay::conformance {

using Dims = std::vector<int64_t>;

inline double real(int64_t value) { return static_cast<double>(value); }

// One case in the making.
class Maker {
 public:
  explicit Maker(const DtypePlan& plan, int64_t pos = 0) : b(plan, true), pos_(pos) { slot_ = b.scalar("pos"); }

  uint32_t input(Dims dims, double stddev = 1, double mean = 0) {
    return b.tensor(next("x"), b.plan().activation, ASSAY_ROLE_INPUT, std::move(dims),
                    {Fill::Kind::kNormal, mean, stddev, 0});
  }
  uint32_t integers(Dims dims, Values values) {
    const uint32_t t = b.tensor(next("i"), ASSAY_I32, ASSAY_ROLE_INPUT, std::move(dims), {});
    fixed_[t] = std::move(values);
    return t;
  }
  uint32_t state(Dims dims) {
    return b.tensor(next("s"), b.plan().kv, ASSAY_ROLE_STATE, std::move(dims), {Fill::Kind::kNormal, 0, 1, 0});
  }
  // The page table of a cache of `batch` sequences of `slots` tokens in pages of `page`, and one page more than they
  // need; `out`: the pages there are.
  uint32_t pages(int64_t batch, int64_t slots, int64_t page, int64_t* out) {
    const int64_t each = (slots + page - 1) / page;
    *out = batch * each + 1;
    Values order;
    for (int64_t i = 0; i < batch * each; ++i) {
      order.push_back(page_at(3, static_cast<uint32_t>(*out), static_cast<uint32_t>(i)));
    }
    return integers({batch, each}, std::move(order));
  }
  // A product's weights, quantised where the plan says so.
  uint32_t weight(Dims dims) {
    const double fan_in = real(dims.back());
    return b.weight(next("w"), std::move(dims), 1 / std::sqrt(fan_in));
  }
  // A vector or table that stays in the activations' dtype.
  uint32_t vector(int64_t n, double mean = 0, double stddev = 1) {
    return b.tensor(next("v"), b.plan().activation, ASSAY_ROLE_WEIGHT, {n}, {Fill::Kind::kNormal, mean, stddev, 0});
  }
  uint32_t out(Dims dims) { return b.activation(next("y"), std::move(dims)); }
  uint32_t made(uint32_t dtype, Dims dims) { return b.made(next("y"), dtype, std::move(dims)); }
  void op(uint32_t kind, std::vector<uint32_t> in, std::vector<uint32_t> outputs, std::vector<double> attr = {},
          bool positioned = false) {
    b.op(kind, op_kind_name(kind), std::move(in), std::move(outputs), std::move(attr),
         positioned ? slot_ : ASSAY_NO_SCALAR);
  }
  OpCase take(const std::string& name) {
    const std::string dtype = b.plan().name;
    return {dtype + " " + name, dtype, b.take(), std::move(fixed_), {pos_}};
  }

  GraphBuilder b;

 private:
  std::string next(const char* letter) { return letter + std::to_string(count_++); }

  int64_t pos_;
  uint32_t slot_ = 0;
  int count_ = 0;
  std::map<uint32_t, Values> fixed_;
};

// Cases of one kind under one dtype plan, appended to `out`.
using AddCases = void (*)(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);

// op_cases_llm.cpp
void attention_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void kv_append_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void rope_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void kv_expand_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void index_topk_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
// op_cases_moe.cpp
void grouped_matmul_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void router_topk_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void moe_dispatch_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void moe_combine_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
// op_cases_video.cpp
void layer_norm_modulate_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void patchify3d_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void conv3d_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);
void group_norm_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out);

}  // namespace assay::conformance
