// Modules, kernels and memory of the stand-in: by name, on OpenCL.
#include <dlfcn.h>

#include <cstring>
#include <type_traits>

#include "adapters/spirv/runtime.h"
#include "tests/standin/level_zero/state.h"

namespace standin {

namespace {

using assay::spirv::Form;
using assay::spirv::kernel_text;
using assay::spirv::KernelText;

// What the adapter itself has no use for.
struct Svm {
  decltype(&::clSVMAlloc) alloc = nullptr;
  decltype(&::clSVMFree) free = nullptr;
  decltype(&::clSetKernelArgSVMPointer) set = nullptr;
  decltype(&::clGetKernelArgInfo) info = nullptr;
  decltype(&::clGetKernelInfo) kernel_info = nullptr;
};

// One OpenCL device for all; never taken down, as a driver's state isn't.
struct Host {
  cl_device_id device = nullptr;
  cl_context context = nullptr;
  cl_command_queue queue = nullptr;
  cl_program programs[2] = {nullptr, nullptr};  // for CPUs, for GPUs
  Svm svm;
};

Host start() {
  const assay::spirv::OpenCl& api = assay::spirv::opencl();
  Host host;
  cl_platform_id platform = nullptr;
  assay::spirv::check_cl(api.clGetPlatformIDs(1, &platform, nullptr), "platform");
  assay::spirv::check_cl(api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &host.device, nullptr), "device");
  cl_int code = CL_SUCCESS;
  host.context = api.clCreateContext(nullptr, 1, &host.device, nullptr, nullptr, &code);
  assay::spirv::check_cl(code, "context");
  host.queue = api.clCreateCommandQueue(host.context, host.device, 0, &code);
  assay::spirv::check_cl(code, "queue");
  void* library = dlopen("libOpenCL.so.1", RTLD_NOW);
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
  };
  find(host.svm.alloc, "clSVMAlloc");
  find(host.svm.free, "clSVMFree");
  find(host.svm.set, "clSetKernelArgSVMPointer");
  find(host.svm.info, "clGetKernelArgInfo");
  find(host.svm.kernel_info, "clGetKernelInfo");
  return host;
}

Host& host() {
  static Host made = start();
  return made;
}

cl_program program(bool cpu_form) {
  const assay::spirv::OpenCl& api = assay::spirv::opencl();
  cl_program& made = host().programs[cpu_form ? 0 : 1];
  if (made != nullptr) return made;
  const KernelText text = kernel_text(cpu_form ? Form::kCpu : Form::kGpu);
  const char* source = text.source.c_str();
  cl_int code = CL_SUCCESS;
  cl_program built = api.clCreateProgramWithSource(host().context, 1, &source, nullptr, &code);
  if (code == CL_SUCCESS) {
    code = api.clBuildProgram(built, 1, &host().device, "-cl-std=CL1.2 -cl-kernel-arg-info", nullptr, nullptr);
  }
  if (code == CL_SUCCESS) made = built;
  return made;
}

// The names of a SPIR-V module's entry points (OpEntryPoint, 15); empty: no SPIR-V.
std::vector<std::string> entry_points(const uint8_t* bytes, size_t size) {
  constexpr uint32_t kMagic = 0x07230203, kOpEntryPoint = 15;
  constexpr size_t kHeaderWords = 5;
  std::vector<uint32_t> words(size / sizeof(uint32_t));
  std::memcpy(words.data(), bytes, words.size() * sizeof(uint32_t));
  std::vector<std::string> names;
  if (words.size() <= kHeaderWords || words[0] != kMagic) return names;
  for (size_t at = kHeaderWords; at < words.size();) {
    const uint32_t length = words[at] >> 16;
    if (length == 0 || at + length > words.size()) return {};
    if ((words[at] & 0xffffu) == kOpEntryPoint && length > 3) {
      const char* name = reinterpret_cast<const char*>(&words[at + 3]);
      names.emplace_back(name, strnlen(name, (length - 3) * sizeof(uint32_t)));
    }
    at += length;
  }
  return names;
}

}  // namespace

ze_result_t create_module(const ze_module_desc_t& desc, Module* out) {
  if (desc.format != ZE_MODULE_FORMAT_IL_SPIRV) return ZE_RESULT_ERROR_UNSUPPORTED_ENUMERATION;
  out->names = entry_points(desc.pInputModule, desc.inputSize);
  const std::vector<unsigned char> given(desc.pInputModule, desc.pInputModule + desc.inputSize);
  out->cpu_form = given == kernel_text(Form::kCpu).spirv;
  if (out->names.empty() || (!out->cpu_form && given != kernel_text(Form::kGpu).spirv)) {
    return ZE_RESULT_ERROR_INVALID_NATIVE_BINARY;
  }
  return program(out->cpu_form) == nullptr ? ZE_RESULT_ERROR_MODULE_BUILD_FAILURE : ZE_RESULT_SUCCESS;
}

ze_result_t create_kernel(const Module& module, const char* name, Kernel* out) {
  bool known = false;
  for (const std::string& entry : module.names) known = known || entry == name;
  if (!known) return ZE_RESULT_ERROR_INVALID_KERNEL_NAME;
  const assay::spirv::OpenCl& api = assay::spirv::opencl();
  cl_int code = CL_SUCCESS;
  out->kernel = api.clCreateKernel(program(module.cpu_form), name, &code);
  if (code != CL_SUCCESS) return ZE_RESULT_ERROR_INVALID_KERNEL_NAME;
  cl_uint n = 0;
  host().svm.kernel_info(out->kernel, CL_KERNEL_NUM_ARGS, sizeof(n), &n, nullptr);
  out->pointer.resize(n);
  out->arguments.resize(n);
  for (cl_uint i = 0; i < n; ++i) {
    cl_kernel_arg_address_qualifier space = CL_KERNEL_ARG_ADDRESS_PRIVATE;
    if (host().svm.info(out->kernel, i, CL_KERNEL_ARG_ADDRESS_QUALIFIER, sizeof(space), &space, nullptr) !=
        CL_SUCCESS) {
      return ZE_RESULT_ERROR_UNKNOWN;
    }
    out->pointer[i] = space == CL_KERNEL_ARG_ADDRESS_GLOBAL;
  }
  return ZE_RESULT_SUCCESS;
}

void destroy_kernel(Kernel& kernel) { assay::spirv::opencl().clReleaseKernel(kernel.kernel); }

ze_result_t launch(const Kernel& kernel, const ze_group_count_t& groups) {
  const assay::spirv::OpenCl& api = assay::spirv::opencl();
  for (cl_uint i = 0; i < kernel.arguments.size(); ++i) {
    const std::vector<char>& value = kernel.arguments[i];
    if (value.empty()) return ZE_RESULT_ERROR_INVALID_ARGUMENT;  // never set
    void* pointer = nullptr;
    if (kernel.pointer[i]) std::memcpy(&pointer, value.data(), sizeof(pointer));
    const cl_int code = !kernel.pointer[i]   ? api.clSetKernelArg(kernel.kernel, i, value.size(), value.data())
                        : pointer == nullptr ? api.clSetKernelArg(kernel.kernel, i, sizeof(cl_mem), nullptr)
                                             : host().svm.set(kernel.kernel, i, pointer);
    if (code != CL_SUCCESS) return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX;
  }
  const size_t counts[3] = {groups.groupCountX, groups.groupCountY, groups.groupCountZ};
  size_t global[3];
  for (size_t i = 0; i < 3; ++i) global[i] = counts[i] * kernel.local[i];
  const cl_int code =
      api.clEnqueueNDRangeKernel(host().queue, kernel.kernel, 3, nullptr, global, kernel.local, 0, nullptr, nullptr);
  if (code != CL_SUCCESS || api.clFinish(host().queue) != CL_SUCCESS) return ZE_RESULT_ERROR_UNKNOWN;
  return ZE_RESULT_SUCCESS;
}

void* allocate(size_t bytes, size_t align) {
  return host().svm.alloc(host().context, CL_MEM_READ_WRITE, bytes, static_cast<cl_uint>(align < 128 ? align : 128));
}
void release(void* data) { host().svm.free(host().context, data); }

}  // namespace standin
