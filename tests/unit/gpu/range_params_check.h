// Our own declarations of the range profiler against toolkit 13's headers: sizes as the library asks for them, and the
// place of each field that is read or written.
#pragma once

#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_range_profiler.h>
#include <cupti_result.h>
#include <cupti_target.h>

#include "adapters/gpu/range_params.h"

namespace assay::gpu {

#define ASSAY_PARAMS(Ours, last, Theirs) static_assert(ASSAY_RANGE_SIZE(Ours, last) == Theirs##_STRUCT_SIZE, #Theirs)
#define ASSAY_PARAM(Ours, ours, Theirs, theirs)                                                                     \
  static_assert(                                                                                                    \
      offsetof(range_params::Ours, ours) == offsetof(Theirs, theirs) &&                                             \
          sizeof(static_cast<range_params::Ours*>(nullptr)->ours) == sizeof(static_cast<Theirs*>(nullptr)->theirs), \
      #Theirs "." #theirs)
ASSAY_PARAMS(Profiler, reserved, CUpti_Profiler_Initialize_Params);
ASSAY_PARAMS(Profiler, reserved, CUpti_Profiler_DeInitialize_Params);
ASSAY_PARAMS(ChipName, name, CUpti_Device_GetChipName_Params);
ASSAY_PARAM(ChipName, device, CUpti_Device_GetChipName_Params, deviceIndex);
ASSAY_PARAMS(Availability, image, CUpti_Profiler_GetCounterAvailability_Params);
ASSAY_PARAM(Availability, image_bytes, CUpti_Profiler_GetCounterAvailability_Params, counterAvailabilityImageSize);
ASSAY_PARAM(Availability, context, CUpti_Profiler_GetCounterAvailability_Params, ctx);
ASSAY_PARAMS(HostStart, host, CUpti_Profiler_Host_Initialize_Params);
ASSAY_PARAM(HostStart, type, CUpti_Profiler_Host_Initialize_Params, profilerType);
ASSAY_PARAM(HostStart, chip, CUpti_Profiler_Host_Initialize_Params, pChipName);
ASSAY_PARAM(HostStart, availability, CUpti_Profiler_Host_Initialize_Params, pCounterAvailabilityImage);
ASSAY_PARAMS(HostEnd, host, CUpti_Profiler_Host_Deinitialize_Params);
ASSAY_PARAMS(Properties, type, CUpti_Profiler_Host_GetMetricProperties_Params);
ASSAY_PARAM(Properties, metric, CUpti_Profiler_Host_GetMetricProperties_Params, pMetricName);
ASSAY_PARAMS(AddMetrics, n, CUpti_Profiler_Host_ConfigAddMetrics_Params);
ASSAY_PARAM(AddMetrics, metrics, CUpti_Profiler_Host_ConfigAddMetrics_Params, ppMetricNames);
ASSAY_PARAMS(ConfigSize, bytes, CUpti_Profiler_Host_GetConfigImageSize_Params);
ASSAY_PARAMS(Config, image, CUpti_Profiler_Host_GetConfigImage_Params);
ASSAY_PARAM(Config, bytes, CUpti_Profiler_Host_GetConfigImage_Params, configImageSize);
ASSAY_PARAMS(Evaluate, values, CUpti_Profiler_Host_EvaluateToGpuValues_Params);
ASSAY_PARAM(Evaluate, data, CUpti_Profiler_Host_EvaluateToGpuValues_Params, pCounterDataImage);
ASSAY_PARAM(Evaluate, range, CUpti_Profiler_Host_EvaluateToGpuValues_Params, rangeIndex);
ASSAY_PARAM(Evaluate, metrics, CUpti_Profiler_Host_EvaluateToGpuValues_Params, ppMetricNames);
ASSAY_PARAM(Evaluate, n, CUpti_Profiler_Host_EvaluateToGpuValues_Params, numMetrics);
ASSAY_PARAMS(Enable, ranges, CUpti_RangeProfiler_Enable_Params);
ASSAY_PARAM(Enable, context, CUpti_RangeProfiler_Enable_Params, ctx);
ASSAY_PARAMS(Ranges, ranges, CUpti_RangeProfiler_Disable_Params);
ASSAY_PARAMS(Ranges, ranges, CUpti_RangeProfiler_Start_Params);
ASSAY_PARAMS(Ranges, ranges, CUpti_RangeProfiler_PopRange_Params);
ASSAY_PARAMS(DataSize, bytes, CUpti_RangeProfiler_GetCounterDataSize_Params);
ASSAY_PARAM(DataSize, metrics, CUpti_RangeProfiler_GetCounterDataSize_Params, pMetricNames);
ASSAY_PARAM(DataSize, n, CUpti_RangeProfiler_GetCounterDataSize_Params, numMetrics);
ASSAY_PARAM(DataSize, most_ranges, CUpti_RangeProfiler_GetCounterDataSize_Params, maxNumOfRanges);
ASSAY_PARAM(DataSize, most_nodes, CUpti_RangeProfiler_GetCounterDataSize_Params, maxNumRangeTreeNodes);
ASSAY_PARAMS(DataStart, data, CUpti_RangeProfiler_CounterDataImage_Initialize_Params);
ASSAY_PARAM(DataStart, bytes, CUpti_RangeProfiler_CounterDataImage_Initialize_Params, counterDataSize);
ASSAY_PARAMS(SetUp, level, CUpti_RangeProfiler_SetConfig_Params);
ASSAY_PARAM(SetUp, config_bytes, CUpti_RangeProfiler_SetConfig_Params, configSize);
ASSAY_PARAM(SetUp, config, CUpti_RangeProfiler_SetConfig_Params, pConfig);
ASSAY_PARAM(SetUp, data_bytes, CUpti_RangeProfiler_SetConfig_Params, counterDataImageSize);
ASSAY_PARAM(SetUp, data, CUpti_RangeProfiler_SetConfig_Params, pCounterDataImage);
ASSAY_PARAM(SetUp, range, CUpti_RangeProfiler_SetConfig_Params, range);
ASSAY_PARAM(SetUp, replay, CUpti_RangeProfiler_SetConfig_Params, replayMode);
ASSAY_PARAM(SetUp, most_ranges, CUpti_RangeProfiler_SetConfig_Params, maxRangesPerPass);
ASSAY_PARAM(SetUp, levels, CUpti_RangeProfiler_SetConfig_Params, numNestingLevels);
ASSAY_PARAM(SetUp, lowest_level, CUpti_RangeProfiler_SetConfig_Params, minNestingLevel);
ASSAY_PARAM(SetUp, pass, CUpti_RangeProfiler_SetConfig_Params, passIndex);
ASSAY_PARAM(SetUp, level, CUpti_RangeProfiler_SetConfig_Params, targetNestingLevel);
ASSAY_PARAMS(Stop, all_passes, CUpti_RangeProfiler_Stop_Params);
ASSAY_PARAM(Stop, all_passes, CUpti_RangeProfiler_Stop_Params, isAllPassSubmitted);
ASSAY_PARAMS(Push, name, CUpti_RangeProfiler_PushRange_Params);
ASSAY_PARAMS(Decode, dropped, CUpti_RangeProfiler_DecodeData_Params);
ASSAY_PARAMS(DataInfo, n, CUpti_RangeProfiler_GetCounterDataInfo_Params);
ASSAY_PARAM(DataInfo, data, CUpti_RangeProfiler_GetCounterDataInfo_Params, pCounterDataImage);
ASSAY_PARAMS(RangeInfo, name, CUpti_RangeProfiler_CounterData_GetRangeInfo_Params);
ASSAY_PARAM(RangeInfo, range, CUpti_RangeProfiler_CounterData_GetRangeInfo_Params, rangeIndex);
ASSAY_PARAM(RangeInfo, delimiter, CUpti_RangeProfiler_CounterData_GetRangeInfo_Params, rangeDelimiter);
static_assert(range_params::kRangeProfiler == CUPTI_PROFILER_TYPE_RANGE_PROFILER);
static_assert(range_params::kUserRange == CUPTI_UserRange);
static_assert(range_params::kUserReplay == CUPTI_UserReplay);
static_assert(range_params::kInsufficientPrivileges == CUPTI_ERROR_INSUFFICIENT_PRIVILEGES);
#undef ASSAY_PARAMS
#undef ASSAY_PARAM

}  // namespace assay::gpu
