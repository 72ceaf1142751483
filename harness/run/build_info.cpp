#include "harness/run/build_info.h"

#include "build_commit.h"  // generated: ASSAY_COMMIT

namespace assay {

const char* tool_version() { return ASSAY_VERSION; }
const char* tool_commit() { return ASSAY_COMMIT; }
const char* build_flags() { return ASSAY_BUILD_FLAGS; }

}  // namespace assay
