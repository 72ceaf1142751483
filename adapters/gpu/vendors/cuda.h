// NVIDIA CUDA 12 and 13: runtime, driver, cuBLASLt, NVRTC, NVML. Read in the toolkit's headers (13.0) and go-nvml.
#pragma once

#define GPU_VENDOR "cuda"
#define GPU_VENDOR_NAME "NVIDIA"
#define GPU_SDK_PATHS "/usr/local/cuda/lib64", "/usr/local/cuda/extras/CUPTI/lib64"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libcudart.so.13", "libcudart.so.12"
#define gpuGetDeviceCount cudaGetDeviceCount
#define gpuSetDevice cudaSetDevice
#define gpuDeviceGetAttribute cudaDeviceGetAttribute
#define gpuDeviceGetPCIBusId cudaDeviceGetPCIBusId
#define gpuMemGetInfo cudaMemGetInfo
#define gpuMalloc cudaMalloc
#define gpuFree cudaFree
#define gpuHostAlloc cudaHostAlloc
#define gpuFreeHost cudaFreeHost
#define gpuMemcpyAsync cudaMemcpyAsync
#define gpuMemsetAsync cudaMemsetAsync
#define gpuStreamCreateWithFlags cudaStreamCreateWithFlags
#define gpuStreamSynchronize cudaStreamSynchronize
#define gpuStreamDestroy cudaStreamDestroy
#define gpuEventCreateWithFlags cudaEventCreateWithFlags
#define gpuEventRecord cudaEventRecord
#define gpuEventSynchronize cudaEventSynchronize
#define gpuEventElapsedTime cudaEventElapsedTime
#define gpuEventDestroy cudaEventDestroy
#define gpuStreamBeginCapture cudaStreamBeginCapture
#define gpuStreamEndCapture cudaStreamEndCapture
#define gpuGraphInstantiateWithFlags cudaGraphInstantiateWithFlags
#define gpuGraphLaunch cudaGraphLaunch
#define gpuGraphExecDestroy cudaGraphExecDestroy
#define gpuGraphDestroy cudaGraphDestroy
#define gpuGetErrorString cudaGetErrorString
#define gpuRuntimeGetVersion cudaRuntimeGetVersion
#define gpuDriverGetVersion cudaDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES "libcuda.so.1"
#define gpuInit cuInit
#define gpuDeviceGetName cuDeviceGetName
#define gpuModuleLoadData cuModuleLoadData
#define gpuModuleGetFunction cuModuleGetFunction
#define gpuModuleLaunchKernel cuLaunchKernel
#define gpuLaunchKernelEx cuLaunchKernelEx
#define gpuModuleUnload cuModuleUnload
#define gpuFuncSetAttribute cuFuncSetAttribute
#define gpuCtxGetCurrent cuCtxGetCurrent

// Matrix products by descriptors (cublasLt and its like).
#define GPU_BLASLT_LIBRARIES "libcublasLt.so.13", "libcublasLt.so.12"
#define gpublasLtCreate cublasLtCreate
#define gpublasLtDestroy cublasLtDestroy
#define gpublasLtMatmulDescCreate cublasLtMatmulDescCreate
#define gpublasLtMatmulDescSetAttribute cublasLtMatmulDescSetAttribute
#define gpublasLtMatmulDescDestroy cublasLtMatmulDescDestroy
#define gpublasLtMatrixLayoutCreate cublasLtMatrixLayoutCreate
#define gpublasLtMatrixLayoutSetAttribute cublasLtMatrixLayoutSetAttribute
#define gpublasLtMatrixLayoutDestroy cublasLtMatrixLayoutDestroy
#define gpublasLtMatmulPreferenceCreate cublasLtMatmulPreferenceCreate
#define gpublasLtMatmulPreferenceSetAttribute cublasLtMatmulPreferenceSetAttribute
#define gpublasLtMatmulPreferenceDestroy cublasLtMatmulPreferenceDestroy
#define gpublasLtMatmulAlgoGetHeuristic cublasLtMatmulAlgoGetHeuristic
#define gpublasLtMatmul cublasLtMatmul
#define gpublasLtMatmulAlgoCheck cublasLtMatmulAlgoCheck
#define gpublasLtGetVersion cublasLtGetVersion
#define GPUBLASLT_TRANSA 3
#define GPUBLASLT_TRANSB 4
#define GPUBLASLT_EPILOGUE 7
#define GPUBLASLT_BIAS_POINTER 8
#define GPUBLASLT_BIAS_TYPE 26
#define GPUBLASLT_BATCH_COUNT 5
#define GPUBLASLT_BATCH_STRIDE 6
#define GPUBLASLT_WORKSPACE_BYTES 1
#define GPUBLASLT_ALGORITHM_WORDS 8
#define GPUBLASLT_A_SCALE_POINTER 17
#define GPUBLASLT_B_SCALE_POINTER 18
#define GPUBLASLT_A_SCALE_MODE 31
#define GPUBLASLT_B_SCALE_MODE 32
#define GPUBLASLT_ALIGN_A 5
#define GPUBLASLT_ALIGN_B 6
#define GPUBLASLT_ALIGN_C 7
#define GPUBLASLT_ALIGN_D 8
#define GPUBLAS_OP_N 0
#define GPUBLAS_OP_T 1
#define GPUBLAS_COMPUTE_32F 68
#define GPUBLAS_COMPUTE_32I 72
#define GPUBLAS_COMPUTE_TF32 77

// Matrix products by one call (cublasGemmEx and its like), where there are none by descriptors.
#define GPU_BLAS_LIBRARIES ""
#define gpublasCreate none
#define gpublasDestroy none
#define gpublasSetStream none
#define gpublasGemmEx none
#define gpublasGemmStridedBatchedEx none
#define GPUBLAS_GEMM_DEFAULT (-1)

// Compiler at run time.
#define GPU_RTC_LIBRARIES "libnvrtc.so.13", "libnvrtc.so.12"
#define gpurtcCreateProgram nvrtcCreateProgram
#define gpurtcCompileProgram nvrtcCompileProgram
#define gpurtcGetCodeSize nvrtcGetCUBINSize
#define gpurtcGetCode nvrtcGetCUBIN
#define gpurtcGetProgramLogSize nvrtcGetProgramLogSize
#define gpurtcGetProgramLog nvrtcGetProgramLog
#define gpurtcDestroyProgram nvrtcDestroyProgram
#define GPU_RTC_ARCH "--gpu-architecture=sm_"

// Attention as a graph of ops.
#define GPU_DNN_LIBRARIES "libcudnn.so.9"
#define gpudnnCreate cudnnCreate
#define gpudnnDestroy cudnnDestroy
#define gpudnnSetStream cudnnSetStream
#define gpudnnGetVersion cudnnGetVersion
#define gpudnnBackendCreateDescriptor cudnnBackendCreateDescriptor
#define gpudnnBackendDestroyDescriptor cudnnBackendDestroyDescriptor
#define gpudnnBackendSetAttribute cudnnBackendSetAttribute
#define gpudnnBackendGetAttribute cudnnBackendGetAttribute
#define gpudnnBackendFinalize cudnnBackendFinalize
#define gpudnnBackendExecute cudnnBackendExecute

// Profiler: kernels with their times, counters of ranges.
#define GPU_PROFILER_LIBRARIES "libcupti.so.13", "libcupti.so.12"
#define gpuprofActivityRegisterCallbacks cuptiActivityRegisterCallbacks
#define gpuprofActivityEnable cuptiActivityEnable
#define gpuprofActivityDisable cuptiActivityDisable
#define gpuprofActivityFlushAll cuptiActivityFlushAll
#define gpuprofActivityGetNextRecord cuptiActivityGetNextRecord
#define gpuprofActivityGetNumDroppedRecords cuptiActivityGetNumDroppedRecords
#define gpuprofActivityPushExternalCorrelationId cuptiActivityPushExternalCorrelationId
#define gpuprofActivityPopExternalCorrelationId cuptiActivityPopExternalCorrelationId
#define gpuprofGetTimestamp cuptiGetTimestamp
#define gpuprofGetResultString cuptiGetResultString
#define gpuprofProfilerInitialize cuptiProfilerInitialize
#define gpuprofProfilerDeInitialize cuptiProfilerDeInitialize
#define gpuprofDeviceGetChipName cuptiDeviceGetChipName
#define gpuprofGetCounterAvailability cuptiProfilerGetCounterAvailability
#define gpuprofHostInitialize cuptiProfilerHostInitialize
#define gpuprofHostDeinitialize cuptiProfilerHostDeinitialize
#define gpuprofHostGetMetricProperties cuptiProfilerHostGetMetricProperties
#define gpuprofHostConfigAddMetrics cuptiProfilerHostConfigAddMetrics
#define gpuprofHostGetConfigImageSize cuptiProfilerHostGetConfigImageSize
#define gpuprofHostGetConfigImage cuptiProfilerHostGetConfigImage
#define gpuprofHostEvaluateToGpuValues cuptiProfilerHostEvaluateToGpuValues
#define gpuprofRangeEnable cuptiRangeProfilerEnable
#define gpuprofRangeDisable cuptiRangeProfilerDisable
#define gpuprofRangeGetCounterDataSize cuptiRangeProfilerGetCounterDataSize
#define gpuprofRangeCounterDataInitialize cuptiRangeProfilerCounterDataImageInitialize
#define gpuprofRangeSetConfig cuptiRangeProfilerSetConfig
#define gpuprofRangeStart cuptiRangeProfilerStart
#define gpuprofRangeStop cuptiRangeProfilerStop
#define gpuprofRangePush cuptiRangeProfilerPushRange
#define gpuprofRangePop cuptiRangeProfilerPopRange
#define gpuprofRangeDecodeData cuptiRangeProfilerDecodeData
#define gpuprofRangeGetCounterDataInfo cuptiRangeProfilerGetCounterDataInfo
#define gpuprofRangeGetRangeInfo cuptiRangeProfilerCounterDataGetRangeInfo

// Management: power, energy, clocks.
#define GPU_SMI_LIBRARIES "libnvidia-ml.so.1"
#define gpusmiInit nvmlInit_v2
#define gpusmiDeviceHandle nvmlDeviceGetHandleByPciBusId_v2
#define gpusmiDeviceCount none
#define gpusmiBusId none
#define gpusmiPowerUsage nvmlDeviceGetPowerUsage
#define gpusmiTotalEnergy nvmlDeviceGetTotalEnergyConsumption
#define gpusmiTemperature nvmlDeviceGetTemperature
#define gpusmiClockInfo nvmlDeviceGetClockInfo
#define gpusmiMemoryUsed nvmlDeviceGetMemoryInfo
#define gpusmiUtilization nvmlDeviceGetUtilizationRates
#define gpusmiThrottleReasons nvmlDeviceGetCurrentClocksThrottleReasons
#define gpusmiPowerLimit nvmlDeviceGetEnforcedPowerLimit
#define gpusmiGpuHandle none
#define gpusmiMemoryHandle none
#define gpusmiMemoryClock none
#define gpusmiFieldValues nvmlDeviceGetFieldValues
#define gpusmiEccMode nvmlDeviceGetEccMode
#define gpusmiEccErrors nvmlDeviceGetTotalEccErrors
#define gpusmiMigMode nvmlDeviceGetMigMode
#define gpusmiProcesses nvmlDeviceGetComputeRunningProcesses_v3
#define gpusmiProcessName nvmlSystemGetProcessName
#define gpusmiDefaultPowerLimit nvmlDeviceGetPowerManagementDefaultLimit
#define gpusmiMaxClock nvmlDeviceGetMaxClockInfo
#define gpusmiUniqueId nvmlDeviceGetUUID
#define gpusmiDriverVersion nvmlSystemGetDriverVersion
#define gpusmiFirmware nvmlDeviceGetVbiosVersion
#define GPU_SMI_SHAPE kNvml
