// Biren SUPA, the runtime of 2026 (supa*) over its driver (su*); BRML. The numbers of subLas are not public: products
// run in own kernels. Kernels come compiled offline (brcc).
#pragma once

#include "adapters/gpu/vendors/no_blas.h"
#include "adapters/gpu/vendors/no_blaslt.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "supa"
#define GPU_VENDOR_NAME "Biren"
#define GPU_SDK_PATHS "/usr/local/birensupa/sdk/latest/supa/lib"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libsupart.so"
#define gpuGetDeviceCount supaGetDeviceCount
#define gpuSetDevice supaSetDevice
#define gpuDeviceGetAttribute supaDeviceGetAttribute
#define gpuDeviceGetPCIBusId supaDeviceGetPCIBusId
#define gpuMemGetInfo supaMemGetInfo
#define gpuMalloc supaMalloc
#define gpuFree supaFree
#define gpuHostAlloc supaHostAlloc
#define gpuFreeHost supaFreeHost
#define gpuMemcpyAsync supaMemcpyAsync
#define gpuMemsetAsync supaMemsetAsync
#define gpuStreamCreateWithFlags supaStreamCreateWithFlags
#define gpuStreamSynchronize supaStreamSynchronize
#define gpuStreamDestroy supaStreamDestroy
#define gpuEventCreateWithFlags supaEventCreateWithFlags
#define gpuEventRecord supaEventRecord
#define gpuEventSynchronize supaEventSynchronize
#define gpuEventElapsedTime supaEventElapsedTime
#define gpuEventDestroy supaEventDestroy
#define gpuStreamBeginCapture supaStreamBeginCapture
#define gpuStreamEndCapture supaStreamEndCapture
#define gpuGraphInstantiateWithFlags supaGraphInstantiateWithFlags
#define gpuGraphLaunch supaGraphLaunch
#define gpuGraphExecDestroy supaGraphExecDestroy
#define gpuGraphDestroy supaGraphDestroy
#define gpuGetErrorString supaGetErrorString
#define gpuRuntimeGetVersion supaRuntimeGetVersion
#define gpuDriverGetVersion supaDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES "libsupa.so.1", "libsupa.so"
#define gpuInit suInit
#define gpuDeviceGetName suDeviceGetName
#define gpuModuleLoadData suModuleLoadData
#define gpuModuleGetFunction suModuleGetFunction
#define gpuModuleLaunchKernel suLaunchKernel
#define gpuModuleUnload suModuleUnload
#define gpuFuncSetAttribute suFuncSetAttribute
#define gpuCtxGetCurrent none

// Codes of matrix products.
#define GPUBLAS_OP_N -1
#define GPUBLAS_OP_T -1
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
#define GPU_SMI_LIBRARIES "libbiren-ml.so.1", "libbiren-ml.so"
#define gpusmiInit brmlInit_v2
#define gpusmiDeviceHandle brmlDeviceGetHandleByPciBusId_v2
#define gpusmiDeviceCount none
#define gpusmiBusId none
#define gpusmiPowerUsage brmlDeviceGetPowerUsage
#define gpusmiTotalEnergy none
#define gpusmiTemperature brmlDeviceGetTemperature
#define gpusmiClockInfo brmlDeviceGetClockInfo
#define gpusmiMemoryUsed brmlDeviceGetMemoryInfo
#define gpusmiUtilization brmlDeviceGetUtilizationRates
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
#define GPU_SMI_SHAPE kNvml
