// Iluvatar CoreX: CUDA's symbol names from its own libraries; libixml has NVML's, without an energy counter. The
// runtime may be of an old CUDA level: what is missing is named when the adapter opens. Kernels come compiled offline
// (clang++ -x ivcore).
#pragma once

#include "adapters/gpu/vendors/no_blas.h"
#include "adapters/gpu/vendors/no_blaslt.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "corex"
#define GPU_VENDOR_NAME "Iluvatar"
#define GPU_SDK_PATHS "/usr/local/corex/lib64", "/usr/local/corex/lib"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libcudart.so", "libcudart.so.10.2"
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
#define gpuModuleUnload cuModuleUnload
#define gpuFuncSetAttribute cuFuncSetAttribute
#define gpuCtxGetCurrent none

// Codes of matrix products.
#define GPUBLAS_OP_N 0
#define GPUBLAS_OP_T 1
#define GPUBLAS_COMPUTE_32F -1
#define GPUBLAS_COMPUTE_32I -1
#define GPUBLAS_COMPUTE_TF32 -1

// Compiler at run time.
#define GPU_RTC_LIBRARIES ""
#define gpurtcCreateProgram none
#define gpurtcCompileProgram none
#define gpurtcGetCodeSize none
#define gpurtcGetCode none
#define gpurtcGetProgramLogSize none
#define gpurtcGetProgramLog none
#define gpurtcDestroyProgram none
#define GPU_RTC_ARCH ""

// Management: power, energy, clocks.
#define GPU_SMI_LIBRARIES "libixml.so"
#define gpusmiInit nvmlInit_v2
#define gpusmiDeviceHandle nvmlDeviceGetHandleByPciBusId_v2
#define gpusmiDeviceCount none
#define gpusmiBusId none
#define gpusmiPowerUsage nvmlDeviceGetPowerUsage
#define gpusmiTotalEnergy none
#define gpusmiTemperature nvmlDeviceGetTemperature
#define gpusmiClockInfo nvmlDeviceGetClockInfo
#define gpusmiMemoryUsed nvmlDeviceGetMemoryInfo
#define gpusmiUtilization nvmlDeviceGetUtilizationRates
#define gpusmiThrottleReasons nvmlDeviceGetCurrentClocksThrottleReasons
#define gpusmiPowerLimit nvmlDeviceGetEnforcedPowerLimit
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
#define gpusmiUniqueId nvmlDeviceGetUUID
#define gpusmiDriverVersion nvmlSystemGetDriverVersion
#define gpusmiFirmware nvmlDeviceGetVbiosVersion
#define GPU_SMI_SHAPE kNvml
