#include "adapters/gpu/image.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include ASSAY_GPU_VENDOR_HEADER

// The linker sees these files as they are; the compiler needs neither their size nor their content.
// NOLINTBEGIN(bugprone-macro-parentheses): names of symbols
#define ASSAY_GPU_EMBED(name, file)                                                                                \
  __asm__(".section .rodata\n.balign 64\n" #name ":\n.incbin \"" file "\"\n" #name "_end:\n.byte 0\n.previous\n"); \
  extern "C" __attribute__((visibility("hidden"))) const char name[], name##_end[]
// NOLINTEND(bugprone-macro-parentheses)

#if defined(ASSAY_GPU_IMAGE_FILE)
ASSAY_GPU_EMBED(assay_gpu_image, ASSAY_GPU_IMAGE_FILE);
#else
ASSAY_GPU_EMBED(assay_gpu_source, ASSAY_GPU_SOURCE_FILE);
#endif

namespace assay::gpu {

namespace {

// Every kernel; those behind the mark only where the compiler knows matrix cores.
constexpr const char* kKernels[] = {"gated_act",
                                    "activation",
                                    "add",
                                    "widen",
                                    "rms_norm",
                                    "layer_norm_modulate",
                                    "rope",
                                    "kv_append",
                                    "gather",
                                    "argmax_parts",
                                    "argmax",
                                    "quantize",
                                    "matvec_1",
                                    "matvec_4",
                                    "matvec_8",
                                    "product_f32",
                                    "scale_sums",
                                    "head_pass",
                                    "attention_rows",
                                    "attention_combine",
                                    "index_topk",
                                    "router_topk",
                                    "moe_place",
                                    "moe_combine",
                                    "patchify3d",
                                    "group_norm",
                                    "sequence_lengths"};
constexpr const char* kMatrixKernels[] = {"product_matrix", "attention_matrix"};

#if !defined(ASSAY_GPU_IMAGE_FILE)
#define ASSAY_GPU_RTC(X)                                                                                 \
  X(CreateProgram, int, (void**, const char* source, const char* name, int, const char**, const char**)) \
  X(CompileProgram, int, (void*, int, const char**))                                                     \
  X(GetCodeSize, int, (void*, size_t*))                                                                  \
  X(GetCode, int, (void*, char*))                                                                        \
  X(GetProgramLogSize, int, (void*, size_t*))                                                            \
  X(GetProgramLog, int, (void*, char*))                                                                  \
  X(DestroyProgram, int, (void**))

struct Compiler {
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_RTC(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER
};

std::string compile(const Library& library, int arch) {
  Compiler rtc;
  bool whole = true;
  const auto load = [&](auto*& function, const char* name) {
    void* symbol = library.find(name);
    std::memcpy(&function, &symbol, sizeof(symbol));
    whole = whole && symbol != nullptr;
  };
#define ASSAY_GPU_LOAD(name, result, parameters) load(rtc.name, GPU_TEXT(gpurtc##name));
  ASSAY_GPU_RTC(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
  if (!whole) throw Failure(ASSAY_UNSUPPORTED, library.name() + " lacks functions of a run-time compiler");
  const std::string source(assay_gpu_source, assay_gpu_source_end);
  void* program = nullptr;
  if (rtc.CreateProgram(&program, source.c_str(), "assay_kernels.cu", 0, nullptr, nullptr) != 0) {
    throw Failure(ASSAY_INTERNAL, library.name() + ": no program");
  }
  const std::string target = GPU_RTC_ARCH + std::to_string(arch);
  const char* options[] = {"-std=c++17", target.c_str()};
  const bool targeted = *GPU_RTC_ARCH != '\0' && arch > 0;
  const int code = rtc.CompileProgram(program, targeted ? 2 : 1, options);
  size_t size = 0;
  std::string text;
  if (code != 0) {
    if (rtc.GetProgramLogSize(program, &size) == 0) text.resize(size);
    if (size > 0) rtc.GetProgramLog(program, text.data());
    rtc.DestroyProgram(&program);
    throw Failure(ASSAY_UNSUPPORTED, library.name() + " can't compile the kernels: " + text.substr(0, 400));
  }
  if (rtc.GetCodeSize(program, &size) == 0) text.resize(size);
  if (size > 0) rtc.GetCode(program, text.data());
  rtc.DestroyProgram(&program);
  return text;
}
#endif

std::string image_bytes(const Runtime& runtime, const std::string& file, int arch) {
  if (!file.empty()) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw Failure(ASSAY_INVALID_ARGUMENT, "option kernels: can't read " + file);
    return {std::istreambuf_iterator<char>(in), {}};
  }
#if defined(ASSAY_GPU_IMAGE_FILE)
  (void)runtime, (void)arch;
  return {assay_gpu_image, assay_gpu_image_end};
#else
  // A stand-in's kernels are its own; it takes any image.
  if (runtime.simulated()) return "stand-in";
  const Library compiler({GPU_RTC_LIBRARIES}, runtime.folder());
  if (compiler.loaded()) return compile(compiler, arch);
  throw Failure(ASSAY_UNSUPPORTED, "built without the " GPU_VENDOR_NAME
                                   " compiler, and its run-time compiler is missing, too (" +
                                       compiler.why() + "); option kernels=FILE takes an image compiled elsewhere");
#endif
}

}  // namespace

std::map<std::string, void*> load_kernels(const Runtime& runtime, const std::string& file, int arch) {
  const std::string image = image_bytes(runtime, file, arch);
  void* module = nullptr;
  // Only one vendor's loader reads the size; for the others the argument is one too many, which C calls bear.
  runtime.check(runtime.ModuleLoadData(&module, image.data(), image.size()), "load the kernels");
  std::map<std::string, void*> out;
  for (const char* name : kKernels) {
    void* function = nullptr;
    runtime.check(runtime.ModuleGetFunction(&function, module, name), name);
    out[name] = function;
  }
  for (const char* name : kMatrixKernels) {
    void* function = nullptr;
    if (runtime.ModuleGetFunction(&function, module, name) == 0) out[name] = function;
  }
  return out;
}

}  // namespace assay::gpu
