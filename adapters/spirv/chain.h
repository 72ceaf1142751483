// A CPU's driver takes longer to begin a launch than a core to do its part of a row's product: the launches of a step
// become one, whose groups take their tasks themselves. See kernels/chain_cpu.cl.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "adapters/spirv/plan.h"

namespace assay::spirv {

// Joins each stretch of the plan's launches that has a row's product, where the device is a CPU and all memory fits
// into one buffer. Called once, when the plan has all its launches.
void chain(Plan& plan);

// Groups [from, to) of launch `launch`, to begin when the first `before` tasks are done.
struct Task {
  int32_t launch = 0, from = 0, to = 0, before = 0;
};
// The tasks of launches of so many groups, one launch after another: long ones first and short ones last, so that
// `units` cores end together.
std::vector<Task> tasks_of(const std::vector<size_t>& groups, uint32_t units);

}  // namespace assay::spirv
