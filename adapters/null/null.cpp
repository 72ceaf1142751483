// The null adapter: takes every graph and computes nothing, so that what is left is the harness' own cost.
#include <cstring>

#include "adapters/sdk/adapter.h"

namespace {

class NullProgram : public assay::sdk::Program {
 public:
  void write(uint32_t, uint64_t, const void*, uint64_t) override {}
  void read(uint32_t, uint64_t, void* dst, uint64_t bytes) override { std::memset(dst, 0, bytes); }
  void submit(const assay_run_args&) override {}
  void wait(assay_run_result&) override {}
  assay::sdk::ProgramInfo info() override { return {0, 0, "none", "nothing: the null adapter computes nothing"}; }
};

class NullAdapter : public assay::sdk::Adapter {
 public:
  explicit NullAdapter(const assay::sdk::Host&) {}
  std::vector<assay::sdk::Device> devices() override {
    assay::sdk::Device device;
    device.product = "nothing";
    device.dtypes = ~uint64_t{0};
    device.basis = ASSAY_BASIS_SIMULATED;
    device.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
    return {device};
  }
  std::string unsupported(const assay_program_desc&) override { return ""; }
  std::unique_ptr<assay::sdk::Program> prepare(const assay_program_desc&) override {
    return std::make_unique<NullProgram>();
  }
};

}  // namespace

ASSAY_SDK_ADAPTER(NullAdapter, "null", "Assay project", "0.1.0", "{}")
