// Sunrise (XiWANG) TangRT: runtime tang*, kernels by the driver ta*, whose module loader takes the image's size. No
// public product library and no power reading, only PTML's limit. Kernels come compiled offline (ptcc). ptml's Hanlde
// is its own spelling.
#pragma once

#include "adapters/gpu/vendors/no_blas.h"
#include "adapters/gpu/vendors/no_blaslt.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "tang"
#define GPU_VENDOR_NAME "Sunrise"
#define GPU_SDK_PATHS "/usr/local/tangrt/lib/linux-x86_64"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 16
#define GPU_ATTRIBUTE_L2_BYTES 38
#define GPU_ATTRIBUTE_MAJOR 75
#define GPU_ATTRIBUTE_MINOR 76
#define GPU_ATTRIBUTE_ECC 32
#define GPU_ATTRIBUTE_SHARED_OPTIN 97

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libtangrt_shared.so"
#define gpuGetDeviceCount tangGetDeviceCount
#define gpuSetDevice tangSetDevice
#define gpuDeviceGetAttribute tangDeviceGetAttribute
#define gpuDeviceGetPCIBusId tangDeviceGetPCIBusId
#define gpuMemGetInfo tangMemGetInfo
#define gpuMalloc tangMalloc
#define gpuFree tangFree
#define gpuHostAlloc tangHostAlloc
#define gpuFreeHost tangFreeHost
#define gpuMemcpyAsync tangMemcpyAsync
#define gpuMemsetAsync tangMemsetAsync
#define gpuStreamCreateWithFlags tangStreamCreateWithFlags
#define gpuStreamSynchronize tangStreamSynchronize
#define gpuStreamDestroy tangStreamDestroy
#define gpuEventCreateWithFlags tangEventCreateWithFlags
#define gpuEventRecord tangEventRecord
#define gpuEventSynchronize tangEventSynchronize
#define gpuEventElapsedTime tangEventElapsedTime
#define gpuEventDestroy tangEventDestroy
#define gpuStreamBeginCapture tangStreamBeginCapture
#define gpuStreamEndCapture tangStreamEndCapture
#define gpuGraphInstantiateWithFlags tangGraphInstantiateWithFlags
#define gpuGraphLaunch tangGraphLaunch
#define gpuGraphExecDestroy tangGraphExecDestroy
#define gpuGraphDestroy tangGraphDestroy
#define gpuGetErrorString tangGetErrorString
#define gpuRuntimeGetVersion tangRuntimeGetVersion
#define gpuDriverGetVersion tangDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES "libtang.so"
#define gpuInit taInit
#define gpuDeviceGetName taDeviceGetName
#define gpuModuleLoadData taModuleLoadData
#define gpuModuleGetFunction taModuleGetFunction
#define gpuModuleLaunchKernel taLaunchKernel
#define gpuModuleUnload taModuleUnload
#define gpuFuncSetAttribute taFuncSetAttribute
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
#define GPU_SMI_LIBRARIES "libptml_shared.so"
#define gpusmiInit ptmlInit
#define gpusmiDeviceHandle ptmlDeviceGetHanldeByIdx
#define gpusmiDeviceCount ptmlDeviceGetCount
#define gpusmiBusId none
#define gpusmiPowerUsage none
#define gpusmiTotalEnergy none
#define gpusmiTemperature ptmlDeviceGetPtTemperature
#define gpusmiClockInfo none
#define gpusmiMemoryUsed ptmlDeviceGetMemoryInfo
#define gpusmiUtilization none
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
#define GPU_SMI_SHAPE kPtml
