// The OpenCL loader, opened at run time: the same build runs on a machine without it.
#pragma once

#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>

#include <string>

namespace assay::spirv {

// clang-format off
#define ASSAY_OPENCL_CALLS(X) \
  X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo) X(clCreateContext) \
  X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue) X(clCreateBuffer) X(clCreateSubBuffer) \
  X(clReleaseMemObject) X(clCreateProgramWithSource) X(clBuildProgram) X(clGetProgramBuildInfo) X(clReleaseProgram) \
  X(clCreateKernel) X(clReleaseKernel) X(clSetKernelArg) X(clEnqueueNDRangeKernel) X(clEnqueueReadBuffer) \
  X(clEnqueueWriteBuffer) X(clEnqueueFillBuffer) X(clFinish) X(clFlush) X(clGetEventProfilingInfo) \
  X(clGetEventInfo) X(clReleaseEvent)
// clang-format on

struct OpenCl {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declared name
#define ASSAY_DECLARE(name) decltype(&::name) name = nullptr;
  ASSAY_OPENCL_CALLS(ASSAY_DECLARE)
#undef ASSAY_DECLARE
  decltype(&::clCreateProgramWithIL) clCreateProgramWithIL = nullptr;  // (optional) since OpenCL 2.1
};

// Throws sdk::Failure (UNSUPPORTED) with the loader's reason.
const OpenCl& opencl();
// Throws sdk::Failure with the status that fits, unless `code` is CL_SUCCESS.
void check_cl(cl_int code, const std::string& what);

}  // namespace assay::spirv
