// Hygon DTK: HIP's names and numbers from /opt/dtk, management by its build of rocm_smi.
#pragma once

#include "adapters/gpu/vendors/hip.h"

#undef GPU_VENDOR
#undef GPU_VENDOR_NAME
#undef GPU_SDK_PATHS
#define GPU_VENDOR "dtk"
#define GPU_VENDOR_NAME "Hygon"
#define GPU_SDK_PATHS "/opt/dtk/lib"
