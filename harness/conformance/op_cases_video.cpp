// Diffusion transformers and video decoders.
#include <cmath>

#include "harness/conformance/op_cases.h"

namespace assay::conformance {

void layer_norm_modulate_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (int parts = 0; parts < 8; parts += parts == 0 ? 1 : 2) {
    Maker m(plan);
    const int64_t h = 67;
    std::vector<uint32_t> in{m.input({6, h}, 2, 0.5)};
    in.push_back((parts & 1) != 0 ? m.input({2, 3 * h + 2}) : kNoTensor);
    in.push_back((parts & 2) != 0 ? m.vector(h, 1, 0.2) : kNoTensor);
    if ((parts & 4) != 0) in.push_back(m.vector(h));
    while (in.back() == kNoTensor) in.pop_back();
    m.op(ASSAY_OP_LAYER_NORM_MODULATE, in, {m.out({6, h})}, {2, 1e-5, 2, real(h) + 1});
    out->push_back(m.take(std::string("[6,67]") + ((parts & 1) != 0 ? " mod" : "") +
                          ((parts & 2) != 0 ? " gamma" : "") + ((parts & 4) != 0 ? " beta" : "")));
  }
}

void patchify3d_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  const Dims image{2, 3, 4, 6, 10};
  const Dims rows{40, 36};  // 2 * 2 * 2 * 5 patches of 3 * 2 * 3 * 2
  for (const bool inverse : {false, true}) {
    Maker m(plan);
    m.op(ASSAY_OP_PATCHIFY3D, {m.input(inverse ? rows : image)}, {m.out(inverse ? image : rows)},
         {2, 3, 2, inverse ? 1.0 : 0.0});
    out->push_back(m.take(inverse ? "inverse" : "patches of 2x3x2"));
  }
}

void conv3d_cases(const DtypePlan& plan, bool quick, std::vector<OpCase>* out) {
  struct Shape {
    Dims x;
    int64_t outputs;
    std::vector<double> attr;
    bool bias;
  };
  std::vector<Shape> shapes{{{1, 1, 1, 2}, 1, {3, 3, 3, 0, 0, 0}, true},
                            {{3, 5, 7, 6}, 9, {3, 3, 3, 0, 0, 0}, true},
                            {{2, 4, 3, 6}, 33, {1, 1, 1, 0, 0, 0}, false},
                            {{3, 3, 4, 6}, 7, {3, 3, 3, 2, 2, 2}, true}};
  if (!quick) shapes.push_back({{4, 4, 3, 10}, 40, {2, 1, 5, 0, 1, 1}, true});
  for (const Shape& s : shapes) {
    Maker m(plan);
    const auto up = [&](size_t axis) { return std::max<int64_t>(1, static_cast<int64_t>(s.attr[3 + axis])); };
    const auto taps = static_cast<int64_t>(s.attr[0] * s.attr[1] * s.attr[2]);
    const uint32_t x = m.input(s.x);
    std::vector<uint32_t> in{x, m.weight({s.outputs, taps * s.x[3]})};
    if (s.bias) in.push_back(m.vector(s.outputs));
    m.op(ASSAY_OP_CONV3D, in, {m.out({(s.x[0] - 1) * up(0) + 1, s.x[1] * up(1), s.x[2] * up(2), s.outputs})}, s.attr);
    out->push_back(m.take(std::to_string(taps) + " taps, " + std::to_string(s.x[3]) + " to " +
                          std::to_string(s.outputs) + " channels" + (up(1) > 1 ? ", enlarged" : "")));
  }
}

void group_norm_cases(const DtypePlan& plan, bool /*quick*/, std::vector<OpCase>* out) {
  for (const int64_t groups : {1, 3, 24}) {
    Maker m(plan);
    const Dims dims{2, 5, 7, 24};
    const uint32_t x = m.input(dims, 0.5, 1);
    const uint32_t gamma = m.vector(24, 1, 0.2);
    const uint32_t beta = m.vector(24);
    m.op(ASSAY_OP_GROUP_NORM, {x, gamma, beta}, {m.out(dims)}, {1e-6, real(groups)});
    out->push_back(m.take("[2,5,7,24] in " + std::to_string(groups) + " groups"));
  }
}

}  // namespace assay::conformance
