// A prepared program: its memory on the device and its recorded step.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/sdk/graph/graph.h"
#include "adapters/spirv/runtime.h"

namespace assay::spirv {

class Program : public sdk::Program {
 public:
  // The device outlives the program.
  Program(Device& device, const assay_program_desc& desc);
  void write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override;
  void read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override;
  void submit(const assay_run_args& args) override;
  void wait(assay_run_result& result) override { step_->finish(result); }
  sdk::ProgramInfo info() override { return info_; }
  void flush_caches() override;

 private:
  Device& device_;
  const sdk::Model model_;
  sdk::PageTables page_tables_;
  std::vector<View> views_;  // per tensor
  View scalars_at_;
  std::vector<std::unique_ptr<Memory>> buffers_;
  std::unique_ptr<Step> step_;
  Launch sweep_;                                // of more than the caches hold,
  uint64_t sweep_bytes_ = 0;                    // so many,
  std::vector<std::unique_ptr<Memory>> swept_;  // made when first asked for
  std::unique_ptr<Step> flush_;
  std::vector<int64_t> scalars_;  // what the device has
  std::vector<float> widened_;    // of a write or read in another dtype
  sdk::ProgramInfo info_;
};

// "" or why the graph can't run on a device.
std::string unsupported(const Traits& device, const assay_program_desc& desc);

}  // namespace assay::spirv
