// Moore Threads MUSA: CUDA's runtime with another prefix, muBLAS, mtrtc, MTML. Transposition is numbered as in rocBLAS.
#pragma once

#include "adapters/gpu/vendors/no_blaslt.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "musa"
#define GPU_VENDOR_NAME "Moore Threads"
#define GPU_SDK_PATHS "/usr/local/musa/lib"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libmusart.so.5", "libmusart.so.4"
#define gpuGetDeviceCount musaGetDeviceCount
#define gpuSetDevice musaSetDevice
#define gpuDeviceGetAttribute musaDeviceGetAttribute
#define gpuDeviceGetPCIBusId musaDeviceGetPCIBusId
#define gpuMemGetInfo musaMemGetInfo
#define gpuMalloc musaMalloc
#define gpuFree musaFree
#define gpuHostAlloc musaHostAlloc
#define gpuFreeHost musaFreeHost
#define gpuMemcpyAsync musaMemcpyAsync
#define gpuMemsetAsync musaMemsetAsync
#define gpuStreamCreateWithFlags musaStreamCreateWithFlags
#define gpuStreamSynchronize musaStreamSynchronize
#define gpuStreamDestroy musaStreamDestroy
#define gpuEventCreateWithFlags musaEventCreateWithFlags
#define gpuEventRecord musaEventRecord
#define gpuEventSynchronize musaEventSynchronize
#define gpuEventElapsedTime musaEventElapsedTime
#define gpuEventDestroy musaEventDestroy
#define gpuStreamBeginCapture musaStreamBeginCapture
#define gpuStreamEndCapture musaStreamEndCapture
#define gpuGraphInstantiateWithFlags musaGraphInstantiateWithFlags
#define gpuGraphLaunch musaGraphLaunch
#define gpuGraphExecDestroy musaGraphExecDestroy
#define gpuGraphDestroy musaGraphDestroy
#define gpuGetErrorString musaGetErrorString
#define gpuRuntimeGetVersion musaRuntimeGetVersion
#define gpuDriverGetVersion musaDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES "libmusa.so.1"
#define gpuInit muInit
#define gpuDeviceGetName muDeviceGetName
#define gpuModuleLoadData muModuleLoadData
#define gpuModuleGetFunction muModuleGetFunction
#define gpuModuleLaunchKernel muLaunchKernel
#define gpuModuleUnload muModuleUnload
#define gpuFuncSetAttribute muFuncSetAttribute
#define gpuCtxGetCurrent none

// Codes of matrix products.
#define GPUBLAS_OP_N 111
#define GPUBLAS_OP_T 112
#define GPUBLAS_COMPUTE_32F 68
#define GPUBLAS_COMPUTE_32I 72
#define GPUBLAS_COMPUTE_TF32 77

// Matrix products by one call (cublasGemmEx and its like), where there are none by descriptors.
#define GPU_BLAS_LIBRARIES "libmublas.so.1", "libmublas.so"
#define gpublasCreate mublasCreate
#define gpublasDestroy mublasDestroy
#define gpublasSetStream mublasSetStream
#define gpublasGemmEx mublasGemmEx
#define gpublasGemmStridedBatchedEx mublasGemmStridedBatchedEx
#define GPUBLAS_GEMM_DEFAULT 0

// Compiler at run time.
#define GPU_RTC_LIBRARIES "libmtrtc.so.1", "libmtrtc.so"
#define gpurtcCreateProgram mtrtcCreateProgram
#define gpurtcCompileProgram mtrtcCompileProgram
#define gpurtcGetCodeSize mtrtcGetFatBinSize
#define gpurtcGetCode mtrtcGetFatBin
#define gpurtcGetProgramLogSize mtrtcGetProgramLogSize
#define gpurtcGetProgramLog mtrtcGetProgramLog
#define gpurtcDestroyProgram mtrtcDestroyProgram
#define GPU_RTC_ARCH "--gpu-architecture=mp_"

// Management: power, energy, clocks.
#define GPU_SMI_LIBRARIES "libmtml.so.2", "libmtml.so"
#define gpusmiInit mtmlLibraryInit
#define gpusmiDeviceHandle mtmlLibraryInitDeviceByPciSbdf
#define gpusmiDeviceCount none
#define gpusmiBusId none
#define gpusmiPowerUsage mtmlDeviceGetPowerUsage
#define gpusmiTotalEnergy none
#define gpusmiTemperature mtmlGpuGetTemperature
#define gpusmiClockInfo mtmlGpuGetClock
#define gpusmiMemoryUsed mtmlMemoryGetUsed
#define gpusmiUtilization mtmlGpuGetUtilization
#define gpusmiThrottleReasons none
#define gpusmiPowerLimit none
#define gpusmiGpuHandle mtmlDeviceInitGpu
#define gpusmiMemoryHandle mtmlDeviceInitMemory
#define gpusmiMemoryClock mtmlMemoryGetClock
#define gpusmiFieldValues none
#define gpusmiEccMode none
#define gpusmiEccErrors none
#define gpusmiMigMode none
#define gpusmiProcesses none
#define gpusmiProcessName none
#define gpusmiDefaultPowerLimit none
#define gpusmiMaxClock none
#define gpusmiUniqueId mtmlDeviceGetUUID
#define gpusmiDriverVersion none
#define gpusmiFirmware none
#define GPU_SMI_SHAPE kMtml
