// AMD ROCm 5 to 7: HIP, hipBLASLt, hiprtc, rocm_smi. Read in ROCm's public sources (MIT). Enumerators of hipBLASLt
// differ from cuBLASLt's though the names are alike.
#pragma once

#include "adapters/gpu/vendors/no_blas.h"
#include "adapters/gpu/vendors/no_dnn.h"
#include "adapters/gpu/vendors/no_profiler.h"

#define GPU_VENDOR "hip"
#define GPU_VENDOR_NAME "AMD"
#define GPU_SDK_PATHS "/opt/rocm/lib"
#define GPU_ATTRIBUTE_MULTIPROCESSORS 63
#define GPU_ATTRIBUTE_L2_BYTES 19
#define GPU_ATTRIBUTE_MAJOR 23
#define GPU_ATTRIBUTE_MINOR 61
#define GPU_ATTRIBUTE_ECC 0
#define GPU_ATTRIBUTE_SHARED_OPTIN -1

// Runtime.
#define GPU_RUNTIME_LIBRARIES "libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5"
#define gpuGetDeviceCount hipGetDeviceCount
#define gpuSetDevice hipSetDevice
#define gpuDeviceGetAttribute hipDeviceGetAttribute
#define gpuDeviceGetPCIBusId hipDeviceGetPCIBusId
#define gpuMemGetInfo hipMemGetInfo
#define gpuMalloc hipMalloc
#define gpuFree hipFree
#define gpuHostAlloc hipHostMalloc
#define gpuFreeHost hipHostFree
#define gpuMemcpyAsync hipMemcpyAsync
#define gpuMemsetAsync hipMemsetAsync
#define gpuStreamCreateWithFlags hipStreamCreateWithFlags
#define gpuStreamSynchronize hipStreamSynchronize
#define gpuStreamDestroy hipStreamDestroy
#define gpuEventCreateWithFlags hipEventCreateWithFlags
#define gpuEventRecord hipEventRecord
#define gpuEventSynchronize hipEventSynchronize
#define gpuEventElapsedTime hipEventElapsedTime
#define gpuEventDestroy hipEventDestroy
#define gpuStreamBeginCapture hipStreamBeginCapture
#define gpuStreamEndCapture hipStreamEndCapture
#define gpuGraphInstantiateWithFlags hipGraphInstantiateWithFlags
#define gpuGraphLaunch hipGraphLaunch
#define gpuGraphExecDestroy hipGraphExecDestroy
#define gpuGraphDestroy hipGraphDestroy
#define gpuGetErrorString hipGetErrorString
#define gpuRuntimeGetVersion hipRuntimeGetVersion
#define gpuDriverGetVersion hipDriverGetVersion

// Driver: kernels from an image.
#define GPU_DRIVER_LIBRARIES ""
#define gpuInit hipInit
#define gpuDeviceGetName hipDeviceGetName
#define gpuModuleLoadData hipModuleLoadData
#define gpuModuleGetFunction hipModuleGetFunction
#define gpuModuleLaunchKernel hipModuleLaunchKernel
#define gpuModuleUnload hipModuleUnload
#define gpuFuncSetAttribute none
#define gpuCtxGetCurrent none

// Matrix products by descriptors (cublasLt and its like).
#define GPU_BLASLT_LIBRARIES "libhipblaslt.so.1", "libhipblaslt.so.0"
#define gpublasLtCreate hipblasLtCreate
#define gpublasLtDestroy hipblasLtDestroy
#define gpublasLtMatmulDescCreate hipblasLtMatmulDescCreate
#define gpublasLtMatmulDescSetAttribute hipblasLtMatmulDescSetAttribute
#define gpublasLtMatmulDescDestroy hipblasLtMatmulDescDestroy
#define gpublasLtMatrixLayoutCreate hipblasLtMatrixLayoutCreate
#define gpublasLtMatrixLayoutSetAttribute hipblasLtMatrixLayoutSetAttribute
#define gpublasLtMatrixLayoutDestroy hipblasLtMatrixLayoutDestroy
#define gpublasLtMatmulPreferenceCreate hipblasLtMatmulPreferenceCreate
#define gpublasLtMatmulPreferenceSetAttribute hipblasLtMatmulPreferenceSetAttribute
#define gpublasLtMatmulPreferenceDestroy hipblasLtMatmulPreferenceDestroy
#define gpublasLtMatmulAlgoGetHeuristic hipblasLtMatmulAlgoGetHeuristic
#define gpublasLtMatmul hipblasLtMatmul
#define gpublasLtMatmulAlgoCheck none
#define gpublasLtGetVersion none
#define GPUBLASLT_TRANSA 0
#define GPUBLASLT_TRANSB 1
#define GPUBLASLT_EPILOGUE 2
#define GPUBLASLT_BIAS_POINTER 3
#define GPUBLASLT_BIAS_TYPE 4
#define GPUBLASLT_BATCH_COUNT 0
#define GPUBLASLT_BATCH_STRIDE 1
#define GPUBLASLT_WORKSPACE_BYTES 1
#define GPUBLASLT_ALGORITHM_WORDS 3
#define GPUBLASLT_A_SCALE_POINTER 5
#define GPUBLASLT_B_SCALE_POINTER 6
#define GPUBLASLT_A_SCALE_MODE -1
#define GPUBLASLT_B_SCALE_MODE -1
#define GPUBLASLT_ALIGN_A -1
#define GPUBLASLT_ALIGN_B -1
#define GPUBLASLT_ALIGN_C -1
#define GPUBLASLT_ALIGN_D -1
#define GPUBLAS_OP_N 111
#define GPUBLAS_OP_T 112
#define GPUBLAS_COMPUTE_32F 2
#define GPUBLAS_COMPUTE_32I 9
#define GPUBLAS_COMPUTE_TF32 6

// Compiler at run time.
#define GPU_RTC_LIBRARIES "libhiprtc.so.7", "libhiprtc.so.6", "libamdhip64.so.5"
#define gpurtcCreateProgram hiprtcCreateProgram
#define gpurtcCompileProgram hiprtcCompileProgram
#define gpurtcGetCodeSize hiprtcGetCodeSize
#define gpurtcGetCode hiprtcGetCode
#define gpurtcGetProgramLogSize hiprtcGetProgramLogSize
#define gpurtcGetProgramLog hiprtcGetProgramLog
#define gpurtcDestroyProgram hiprtcDestroyProgram
#define GPU_RTC_ARCH ""

// Management: power, energy, clocks.
#define GPU_SMI_LIBRARIES "librocm_smi64.so.7", "librocm_smi64.so.1"
#define gpusmiInit rsmi_init
#define gpusmiDeviceHandle none
#define gpusmiDeviceCount rsmi_num_monitor_devices
#define gpusmiBusId rsmi_dev_pci_id_get
#define gpusmiPowerUsage rsmi_dev_power_ave_get
#define gpusmiTotalEnergy rsmi_dev_energy_count_get
#define gpusmiTemperature rsmi_dev_temp_metric_get
#define gpusmiClockInfo none
#define gpusmiMemoryUsed rsmi_dev_memory_usage_get
#define gpusmiUtilization rsmi_dev_busy_percent_get
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
#define gpusmiUniqueId rsmi_dev_unique_id_get
#define gpusmiDriverVersion rsmi_version_str_get
#define gpusmiFirmware rsmi_dev_vbios_version_get
#define GPU_SMI_SHAPE kRocmSmi
