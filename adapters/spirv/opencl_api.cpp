#include "adapters/spirv/opencl_api.h"

#include <dlfcn.h>

#include "adapters/sdk/adapter.h"

namespace assay::spirv {

namespace {

constexpr const char* kLibrary = "libOpenCL.so.1";

void* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) throw sdk::Failure(ASSAY_UNSUPPORTED, std::string(kLibrary) + " lacks " + name);
  return found;
}

OpenCl load() {
  // Never closed: drivers leave threads behind.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw sdk::Failure(ASSAY_UNSUPPORTED, std::string("no OpenCL loader: ") + dlerror());
  OpenCl api;
#define ASSAY_LOAD(name) api.name = reinterpret_cast<decltype(api.name)>(symbol(library, #name));
  ASSAY_OPENCL_CALLS(ASSAY_LOAD)
#undef ASSAY_LOAD
  api.clCreateProgramWithIL =
      reinterpret_cast<decltype(api.clCreateProgramWithIL)>(dlsym(library, "clCreateProgramWithIL"));
  return api;
}

const char* name_of(cl_int code) {
  switch (code) {
    case CL_DEVICE_NOT_AVAILABLE:
      return "CL_DEVICE_NOT_AVAILABLE";
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
      return "CL_MEM_OBJECT_ALLOCATION_FAILURE";
    case CL_OUT_OF_RESOURCES:
      return "CL_OUT_OF_RESOURCES";
    case CL_OUT_OF_HOST_MEMORY:
      return "CL_OUT_OF_HOST_MEMORY";
    case CL_INVALID_BUFFER_SIZE:
      return "CL_INVALID_BUFFER_SIZE";
    case CL_BUILD_PROGRAM_FAILURE:
      return "CL_BUILD_PROGRAM_FAILURE";
    default:
      return "";
  }
}

}  // namespace

const OpenCl& opencl() {
  static OpenCl api = load();  // a test may count what passes through
  return api;
}

void check_cl(cl_int code, const std::string& what) {
  if (code == CL_SUCCESS) return;
  assay_status status = ASSAY_INTERNAL;
  if (code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_RESOURCES || code == CL_OUT_OF_HOST_MEMORY ||
      code == CL_INVALID_BUFFER_SIZE) {
    status = ASSAY_OUT_OF_MEMORY;
  }
  if (code == CL_DEVICE_NOT_AVAILABLE) status = ASSAY_DEVICE_LOST;
  throw sdk::Failure(status, what + ": OpenCL error " + std::to_string(code) + " " + name_of(code));
}

}  // namespace assay::spirv
