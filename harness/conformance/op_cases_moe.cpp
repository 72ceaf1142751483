// Mixture of experts: experts without a token, all tokens on one.
#include <cmath>

#include "harness/conformance/op_cases.h"

namespace assay::conformance {

void grouped_matmul_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out) {
  struct Shape {
    const char* name;
    int64_t rows, n, k;
    Values offsets;
  };
  std::vector<Shape> shapes{{"one row, one expert", 1, 1, 2, {0, 1}},
                            {"experts without a token", 20, 19, 38, {0, 0, 3, 3, 20, 20}},
                            {"all on one expert", 37, 33, 66, {0, 0, 0, 37, 37}},
                            {"rows behind the last offset", 9, 35, 34, {0, 0, 3, 3}}};
  if (!quick) shapes.push_back({"171 rows over 5", 171, 131, 70, {0, 1, 9, 40, 40, 171}});
  for (const Shape& s : shapes) {
    Maker m(plan);
    const auto experts = static_cast<int64_t>(s.offsets.size()) - 1;
    const uint32_t x = m.input({s.rows, s.k});
    const uint32_t w = m.weight({experts, s.n, s.k});
    m.b.project_grouped(x, w, m.integers({experts + 1}, s.offsets), "p", nullptr, s.rows);
    out->push_back(m.take(s.name));
  }
}

void router_topk_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    const char* name;
    int64_t rows, experts;
    std::vector<double> attr;
    bool planned;
  };
  const std::vector<Shape> shapes{
      {"one of one", 1, 1, {1, ASSAY_ROUTER_SOFTMAX, 1, 1, 1, 1}, false},
      {"6 of 61, softmax", 13, 61, {6, ASSAY_ROUTER_SOFTMAX, 0, 2.5, 1, 1}, false},
      {"6 of 61, normalised", 13, 61, {6, ASSAY_ROUTER_SOFTMAX, 1, 1, 1, 1}, false},
      {"all 7, sigmoid", 1, 7, {7, ASSAY_ROUTER_SIGMOID, 1, 1, 0, 0}, false},
      {"4 of 33, softmax of the chosen", 5, 33, {4, ASSAY_ROUTER_SOFTMAX_OF_TOPK, 0, 1, 1, 1}, false},
      {"8 of 64 in 3 of 8 groups", 9, 64, {8, ASSAY_ROUTER_SIGMOID, 1, 2.5, 8, 3}, false},
      {"3 of 40 by a plan", 20, 40, {3, ASSAY_ROUTER_SOFTMAX, 0, 1, 1, 1}, true}};
  for (const Shape& s : shapes) {
    Maker m(plan);
    std::vector<uint32_t> in{m.input({s.rows, s.experts}, 2)};
    if (s.planned) in.push_back(m.input({s.rows, s.experts}, 1e4));
    const auto k = static_cast<int64_t>(s.attr[0]);
    m.op(ASSAY_OP_ROUTER_TOPK, in, {m.made(ASSAY_I32, {s.rows, k}), m.made(ASSAY_F32, {s.rows, k})}, s.attr);
    out->push_back(m.take(s.name));
  }
}

void moe_dispatch_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    const char* name;
    int64_t rows, k, experts;
    Values index;
  };
  const std::vector<Shape> shapes{{"one row, one expert", 1, 1, 1, {0}},
                                  {"experts without a token", 4, 2, 6, {4, 1, 0, 4, 3, 4, 1, 0}},
                                  {"all on one expert", 5, 1, 5, {3, 3, 3, 3, 3}}};
  for (const Shape& s : shapes) {
    Maker m(plan);
    const uint32_t x = m.input({s.rows, 19});
    const uint32_t index = m.integers({s.rows, s.k}, s.index);
    m.op(ASSAY_OP_MOE_DISPATCH, {x, index},
         {m.out({s.rows * s.k, 19}), m.made(ASSAY_I32, {s.experts + 1}), m.made(ASSAY_I32, {s.rows, s.k})},
         {real(s.experts)});
    out->push_back(m.take(s.name));
  }
}

void moe_combine_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  struct Shape {
    int64_t rows, k;
    Values place;
  };
  for (const Shape& s : {Shape{1, 1, {0}}, Shape{3, 2, {5, 0, 3, 1, 4, 2}}}) {
    Maker m(plan);
    const uint32_t x = m.input({s.rows * s.k, 23});
    const uint32_t place = m.integers({s.rows, s.k}, s.place);
    const uint32_t weight =
        m.b.tensor("weight", ASSAY_F32, ASSAY_ROLE_INPUT, {s.rows, s.k}, {Fill::Kind::kNormal, 0.5, 0.2, 0});
    m.op(ASSAY_OP_MOE_COMBINE, {x, place, weight}, {m.out({s.rows, 23})});
    out->push_back(m.take(std::to_string(s.rows) + " rows of " + std::to_string(s.k)));
  }
}

}  // namespace assay::conformance
