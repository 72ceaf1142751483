// The adapter over the devices of one runtime.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/spirv/program.h"

namespace assay::spirv {

// What the user may set: option "kernels" cpu or gpu forces a form of the kernels, "program" source or spirv how they
// reach an OpenCL device. "": as the device suggests.
struct Options {
  std::string kernels, program;
};
Options read_options(const sdk::Host& host);
// Form and shapes for a device whose groups have up to max_group work-items, and whose largest sub-group has
// `sub_group` (0: not known).
void choose_kernels(const Options& options, bool cpu, uint32_t sub_group, Traits* traits);

class Adapter : public sdk::Adapter {
 public:
  explicit Adapter(std::vector<std::unique_ptr<Device>> devices) : devices_(std::move(devices)) {}
  std::vector<sdk::Device> devices() override;
  std::string unsupported(const assay_program_desc& graph) override;
  std::unique_ptr<sdk::Program> prepare(const assay_program_desc& graph) override;
  [[nodiscard]] bool flushes_caches() const override { return true; }

 private:
  Device& device(const assay_program_desc& graph);
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace assay::spirv
