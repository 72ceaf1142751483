// Products of one row, which read weights alone, have several kernels and grids. Which is fastest depends on the memory
// and on how far the kernels beside it overlap with it, so each is timed in the step that it is a part of.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "adapters/gpu/plan.h"

namespace assay::gpu {

using Form = std::vector<Call>;
// The forms in which a call may run, itself the first. One: there is no choice.
std::vector<Form> forms_of(const Plan& plan, const Call& call);

struct FormSearch {
  unsigned most = 1;                                   // forms per shape
  std::function<double(const std::vector<Call>&)> ms;  // of a step; infinity where it fails
  std::function<uint64_t()> now_ns;
};
// Replaces the calls of each shape by its fastest form: shape by shape, those with the most weights first, as long as
// two seconds last. Not in a step most of whose products have more rows. `known`: what was found out before, by shape.
void choose_forms(Plan& plan, std::map<std::string, size_t>* known, const FormSearch& search);

}  // namespace assay::gpu
