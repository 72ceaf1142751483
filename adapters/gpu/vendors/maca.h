// MetaX MACA: runtime in HIP's shape, mcBLAS with CUDA's numbers, mcrtc, MXSML (power by rail, no energy counter).
#pragma once

#include "adapters/gpu/vendors/no_blaslt.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "maca"
#define GPU_VENDOR_NAME "MetaX"
#define GPU_SDK_PATHS "/opt/maca/lib", "/opt/mxdriver/lib"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libmcruntime.so", "libhcruntime.so"
#define gpuGetDeviceCount mcGetDeviceCount
#define gpuSetDevice mcSetDevice
#define gpuDeviceGetAttribute mcDeviceGetAttribute
#define gpuDeviceGetPCIBusId mcDeviceGetPCIBusId
#define gpuMemGetInfo mcMemGetInfo
#define gpuMalloc mcMalloc
#define gpuFree mcFree
#define gpuHostAlloc mcMallocHost
#define gpuFreeHost mcFreeHost
#define gpuMemcpyAsync mcMemcpyAsync
#define gpuMemsetAsync mcMemsetAsync
#define gpuStreamCreateWithFlags mcStreamCreateWithFlags
#define gpuStreamSynchronize mcStreamSynchronize
#define gpuStreamDestroy mcStreamDestroy
#define gpuEventCreateWithFlags mcEventCreateWithFlags
#define gpuEventRecord mcEventRecord
#define gpuEventSynchronize mcEventSynchronize
#define gpuEventElapsedTime mcEventElapsedTime
#define gpuEventDestroy mcEventDestroy
#define gpuStreamBeginCapture mcStreamBeginCapture
#define gpuStreamEndCapture mcStreamEndCapture
#define gpuGraphInstantiateWithFlags mcGraphInstantiateWithFlags
#define gpuGraphLaunch mcGraphLaunch
#define gpuGraphExecDestroy mcGraphExecDestroy
#define gpuGraphDestroy mcGraphDestroy
#define gpuGetErrorString mcGetErrorString
#define gpuRuntimeGetVersion mcRuntimeGetVersion
#define gpuDriverGetVersion mcDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES ""
#define gpuInit mcInit
#define gpuDeviceGetName mcDeviceGetName
#define gpuModuleLoadData mcModuleLoadData
#define gpuModuleGetFunction mcModuleGetFunction
#define gpuModuleLaunchKernel mcModuleLaunchKernel
#define gpuModuleUnload mcModuleUnload
#define gpuFuncSetAttribute none
#define gpuCtxGetCurrent none

// Codes of matrix products.
#define GPUBLAS_OP_N 0
#define GPUBLAS_OP_T 1
#define GPUBLAS_COMPUTE_32F 68
#define GPUBLAS_COMPUTE_32I 72
#define GPUBLAS_COMPUTE_TF32 77

// Matrix products by one call (cublasGemmEx and its like), where there are none by descriptors.
#define GPU_BLAS_LIBRARIES "libmcblas.so"
#define gpublasCreate mcblasCreate
#define gpublasDestroy mcblasDestroy
#define gpublasSetStream mcblasSetStream
#define gpublasGemmEx mcblasGemmEx
#define gpublasGemmStridedBatchedEx mcblasGemmStridedBatchedEx
#define GPUBLAS_GEMM_DEFAULT (-1)

// Compiler at run time.
#define GPU_RTC_LIBRARIES "libmcrtc.so", "libmcruntime.so"
#define gpurtcCreateProgram mcrtcCreateProgram
#define gpurtcCompileProgram mcrtcCompileProgram
#define gpurtcGetCodeSize mcrtcGetCodeSize
#define gpurtcGetCode mcrtcGetCode
#define gpurtcGetProgramLogSize mcrtcGetProgramLogSize
#define gpurtcGetProgramLog mcrtcGetProgramLog
#define gpurtcDestroyProgram mcrtcDestroyProgram
#define GPU_RTC_ARCH ""

// Management: power, energy, clocks.
#define GPU_SMI_LIBRARIES "libmxsml.so", "libmxsml.so.2"
#define gpusmiInit mxSmlInit
#define gpusmiDeviceHandle none
#define gpusmiDeviceCount mxSmlGetDeviceCount
#define gpusmiBusId mxSmlGetDeviceInfo
#define gpusmiPowerUsage mxSmlGetBoardPowerInfo
#define gpusmiTotalEnergy none
#define gpusmiTemperature mxSmlGetTemperatureInfo
#define gpusmiClockInfo mxSmlGetClocks
#define gpusmiMemoryUsed mxSmlGetMemoryInfo
#define gpusmiUtilization mxSmlGetDeviceIpUsage
#define gpusmiThrottleReasons none
#define gpusmiPowerLimit none
#define gpusmiGpuHandle none
#define gpusmiMemoryHandle none
#define gpusmiMemoryClock none
#define gpusmiFieldValues none
#define gpusmiEccMode none
#define gpusmiEccErrors none
#define gpusmiMigMode none
#define gpusmiProcesses none
#define gpusmiProcessName none
#define gpusmiDefaultPowerLimit none
#define gpusmiMaxClock none
#define gpusmiUniqueId none
#define gpusmiDriverVersion none
#define gpusmiFirmware none
#define GPU_SMI_SHAPE kMxsml
