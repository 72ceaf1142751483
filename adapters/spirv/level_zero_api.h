// The Level Zero loader, opened at run time: the same build runs on a machine without it.
#pragma once

#include <level_zero/ze_api.h>
#include <level_zero/zes_api.h>

#include <string>

namespace assay::spirv {

// clang-format off
#define ASSAY_LEVEL_ZERO_CALLS(X) \
  X(zeInit) X(zeDriverGet) X(zeDriverGetApiVersion) X(zeDriverGetProperties) X(zeDeviceGet) \
  X(zeDeviceGetSubDevices) X(zeDeviceGetProperties) X(zeDeviceGetComputeProperties) X(zeDeviceGetMemoryProperties) \
  X(zeDeviceGetCacheProperties) X(zeDeviceGetCommandQueueGroupProperties) X(zeContextCreate) X(zeContextDestroy) X(zeCommandQueueCreate) \
  X(zeCommandQueueDestroy) X(zeCommandQueueExecuteCommandLists) X(zeCommandQueueSynchronize) X(zeCommandListCreate) \
  X(zeCommandListDestroy) X(zeCommandListClose) X(zeCommandListReset) X(zeCommandListAppendMemoryCopy) \
  X(zeCommandListAppendMemoryFill) X(zeCommandListAppendBarrier) X(zeCommandListAppendLaunchKernel) \
  X(zeMemAllocDevice) X(zeMemFree) X(zeEventPoolCreate) X(zeEventPoolDestroy) X(zeEventCreate) X(zeEventDestroy) \
  X(zeEventHostReset) X(zeEventQueryKernelTimestamp) X(zeModuleCreate) X(zeModuleDestroy) \
  X(zeModuleBuildLogGetString) X(zeModuleBuildLogDestroy) X(zeKernelCreate) X(zeKernelDestroy) \
  X(zeKernelSetGroupSize) X(zeKernelSetArgumentValue)
// clang-format on
// (optional) what Sysman reports
// clang-format off
#define ASSAY_SYSMAN_CALLS(X) \
  X(zesDeviceEnumPowerDomains) X(zesPowerGetEnergyCounter) X(zesDeviceEnumFrequencyDomains) \
  X(zesFrequencyGetProperties) X(zesFrequencyGetState) X(zesDeviceEnumTemperatureSensors) X(zesTemperatureGetState) \
  X(zesDeviceEnumMemoryModules) X(zesMemoryGetState)
// clang-format on

struct LevelZero {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name
#define ASSAY_DECLARE(name) decltype(&::name) name = nullptr;
  ASSAY_LEVEL_ZERO_CALLS(ASSAY_DECLARE)
  ASSAY_SYSMAN_CALLS(ASSAY_DECLARE)
#undef ASSAY_DECLARE
};

// Opens the loader and starts it, Sysman included. Throws sdk::Failure (UNSUPPORTED) with the reason.
const LevelZero& level_zero();
// Throws sdk::Failure with the status that fits, unless `code` is ZE_RESULT_SUCCESS.
void check_ze(ze_result_t code, const std::string& what);

}  // namespace assay::spirv
