// A vendor without a profiler of kernels and counters that this adapter knows.
#pragma once

#define GPU_PROFILER_LIBRARIES ""
#define gpuprofActivityRegisterCallbacks none
#define gpuprofActivityEnable none
#define gpuprofActivityDisable none
#define gpuprofActivityFlushAll none
#define gpuprofActivityGetNextRecord none
#define gpuprofActivityGetNumDroppedRecords none
#define gpuprofActivityPushExternalCorrelationId none
#define gpuprofActivityPopExternalCorrelationId none
#define gpuprofGetTimestamp none
#define gpuprofGetResultString none
#define gpuprofProfilerInitialize none
#define gpuprofProfilerDeInitialize none
#define gpuprofDeviceGetChipName none
#define gpuprofGetCounterAvailability none
#define gpuprofHostInitialize none
#define gpuprofHostDeinitialize none
#define gpuprofHostGetMetricProperties none
#define gpuprofHostConfigAddMetrics none
#define gpuprofHostGetConfigImageSize none
#define gpuprofHostGetConfigImage none
#define gpuprofHostEvaluateToGpuValues none
#define gpuprofRangeEnable none
#define gpuprofRangeDisable none
#define gpuprofRangeGetCounterDataSize none
#define gpuprofRangeCounterDataInitialize none
#define gpuprofRangeSetConfig none
#define gpuprofRangeStart none
#define gpuprofRangeStop none
#define gpuprofRangePush none
#define gpuprofRangePop none
#define gpuprofRangeDecodeData none
#define gpuprofRangeGetCounterDataInfo none
#define gpuprofRangeGetRangeInfo none
