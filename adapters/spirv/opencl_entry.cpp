#include "adapters/spirv/opencl.h"

namespace {

class OpenClAdapter : public assay::spirv::Adapter {
 public:
  explicit OpenClAdapter(const assay::sdk::Host& host)
      : Adapter(assay::spirv::opencl_devices(assay::spirv::read_options(host))) {}
};

}  // namespace

ASSAY_SDK_ADAPTER(OpenClAdapter, "opencl", "Assay project", ASSAY_SPIRV_VERSION, ASSAY_SPIRV_BUILD)
