#include "adapters/gpu/image.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "adapters/gpu/tuning.h"
#include ASSAY_GPU_VENDOR_HEADER

// The kernels' text, and their image where the vendor's compiler made one: embedded by the build.
extern "C" __attribute__((visibility("hidden"))) const char assay_gpu_source[], assay_gpu_source_end[];
#if defined(ASSAY_GPU_IMAGE)
extern "C" __attribute__((visibility("hidden"))) const char assay_gpu_image[], assay_gpu_image_end[];
#endif

namespace assay::gpu {

namespace {

// Every kernel; the optional ones only where the compiler knows matrix cores, copies to shared memory that nothing
// waits for, or lets kernels overlap.
constexpr const char* kKernels[] = {"gated_act",
                                    "activation",
                                    "add",
                                    "add_bias",
                                    "widen",
                                    "rms_norm",
                                    "rms_norm_8",
                                    "layer_norm_modulate",
                                    "layer_norm_modulate_8",
                                    "rope",
                                    "kv_append",
                                    "rope_kv_append",
                                    "norm_rope_heads",
                                    "norm_rope_rows",
                                    "add_rms_norm",
                                    "add_layer_norm_modulate",
                                    "gated_f16_1",
                                    "gated_bf16_1",
                                    "gated_i8_1",
                                    "gated_i4_1",
                                    "gather",
                                    "argmax_parts",
                                    "argmax",
                                    "quantize",
                                    "matvec_1",
                                    "matvec_4",
                                    "matvec_8",
                                    "matvec_f32_1",
                                    "matvec_f32_4",
                                    "matvec_f32_8",
                                    "matvec_f16_1",
                                    "matvec_f16_4",
                                    "matvec_f16_8",
                                    "matvec_bf16_1",
                                    "matvec_bf16_4",
                                    "matvec_bf16_8",
                                    "matvec_f8e4m3_1",
                                    "matvec_f8e4m3_4",
                                    "matvec_f8e4m3_8",
                                    "matvec_f8e5m2_1",
                                    "matvec_f8e5m2_4",
                                    "matvec_f8e5m2_8",
                                    "matvec_i8_1",
                                    "matvec_i8_4",
                                    "matvec_i8_8",
                                    "matvec_i4_1",
                                    "matvec_i4_4",
                                    "matvec_i4_8",
                                    "matvec_f4e2m1_1",
                                    "matvec_f4e2m1_4",
                                    "matvec_f4e2m1_8",
                                    "product_f32",
                                    "scale_sums",
                                    "head_pass",
                                    "attention_rows",
                                    "attention_few_64_4_bf16",
                                    "attention_few_64_8_bf16",
                                    "attention_few_128_4_bf16",
                                    "attention_few_128_8_bf16",
                                    "attention_few_64_4_f16",
                                    "attention_few_64_8_f16",
                                    "attention_few_128_4_f16",
                                    "attention_few_128_8_f16",
                                    "attention_few_64_4_f32",
                                    "attention_few_64_8_f32",
                                    "attention_few_128_4_f32",
                                    "attention_few_128_8_f32",
                                    "attention_combine",
                                    "join_keys",
                                    "index_topk",
                                    "router_topk",
                                    "moe_place",
                                    "moe_combine",
                                    "patchify3d",
                                    "group_norm",
                                    "sequence_lengths"};
constexpr const char* kOptional[] = {"product_matrix",
                                     "attention_matrix",
                                     "overlaps",
                                     "streamed_f32_1",
                                     "streamed_f16_1",
                                     "streamed_bf16_1",
                                     "streamed_f8e4m3_1",
                                     "streamed_i8_1",
                                     "streamed_i4_1",
                                     "gated_streamed_f16_1",
                                     "gated_streamed_bf16_1",
                                     "gated_streamed_i8_1",
                                     "gated_streamed_i4_1",
                                     "attention_few_matrix_64_8_bf16",
                                     "attention_few_matrix_64_16_bf16",
                                     "attention_few_matrix_128_8_bf16",
                                     "attention_few_matrix_128_16_bf16",
                                     "attention_few_matrix_64_8_f16",
                                     "attention_few_matrix_64_16_f16",
                                     "attention_few_matrix_128_8_f16",
                                     "attention_few_matrix_128_16_f16",
                                     "attention_latent_16_bf16",
                                     "attention_latent_32_bf16",
                                     "attention_latent_16_f16",
                                     "attention_latent_32_f16",
                                     "tiles_16_f16",
                                     "tiles_16_bf16",
                                     "tiles_16_f8e4m3",
                                     "tiles_16_i8",
                                     "tiles_16_i4",
                                     "tiles_16_f4e2m1",
                                     "tiles_16_f8e4m3_codes",
                                     "tiles_16_i8_codes",
                                     "tiles_64_f16",
                                     "tiles_64_bf16",
                                     "tiles_64_f8e4m3",
                                     "tiles_64_i8",
                                     "tiles_64_i4",
                                     "tiles_64_f4e2m1",
                                     "tiles_64_f8e4m3_codes",
                                     "tiles_64_i8_codes",
                                     "tiles_128_f16",
                                     "tiles_128_bf16",
                                     "tiles_128_f8e4m3",
                                     "tiles_128_i8",
                                     "tiles_128_i4",
                                     "tiles_128_f4e2m1",
                                     "tiles_128_f8e4m3_codes",
                                     "tiles_128_i8_codes",
                                     "tiles_16_i8_imma",
                                     "tiles_64_i8_imma",
                                     "tiles_128_i8_imma"};

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

std::string file_bytes(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Failure(ASSAY_INVALID_ARGUMENT, "option kernels: can't read " + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Only one vendor's loader reads the size; for the others the argument is one too many, which C calls bear.
int load_image(const Runtime& runtime, const std::string& image, void** module) {
  return runtime.ModuleLoadData(module, image.data(), image.size());
}

// What was compiled at run time is kept, as every process needs it and a compiler takes a minute: the check of the
// image, a line's end, the image.
std::optional<std::string> kept_image(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string check;
  if (!in || !std::getline(in, check)) return std::nullopt;
  std::string image{std::istreambuf_iterator<char>(in), {}};
  if (check_of(image) != check) return std::nullopt;
  return image;
}

// Kept or not, the image at hand will do.
void keep_image(const std::string& file, const std::string& image) {
  std::error_code code;
  const std::filesystem::path path(file), fresh(file + "." + std::to_string(::getpid()));
  std::filesystem::create_directories(path.parent_path(), code);
  std::ofstream out(fresh, std::ios::binary);
  out << check_of(image) << '\n' << image;
  out.close();
  if (out) std::filesystem::rename(fresh, path, code);
  if (!out || code) std::filesystem::remove(fresh, code);
}

std::string compiled(const Runtime& runtime, int arch, const std::string& cache, const std::string& why_no_image) {
  const Library compiler({GPU_RTC_LIBRARIES}, runtime.folder());
  if (compiler.loaded() && cache.empty()) return compile(compiler, arch);
  if (compiler.loaded()) {
    const std::string what = check_of(std::string(assay_gpu_source, assay_gpu_source_end) + compiler.name());
    const std::string file = cache + "/" GPU_VENDOR "_kernels_" + std::to_string(arch) + "_" + what;
    if (std::optional<std::string> kept = kept_image(file)) return *std::move(kept);
    std::string image = compile(compiler, arch);
    keep_image(file, image);
    return image;
  }
  throw Failure(ASSAY_UNSUPPORTED, why_no_image + ", and the " GPU_VENDOR_NAME " run-time compiler is missing, too (" +
                                       compiler.why() + "); option kernels=FILE takes an image compiled elsewhere");
}

// An image that was built for other chips is no reason to fail where the device's own can be compiled.
void* loaded_module(const Runtime& runtime, const std::string& file, const std::string& cache, int arch) {
  void* module = nullptr;
  std::string why = "built without the " GPU_VENDOR_NAME " compiler";
  if (!file.empty()) {
    runtime.check(load_image(runtime, file_bytes(file), &module), "load the kernels of option kernels");
    return module;
  }
#if defined(ASSAY_GPU_IMAGE)
  const int code = load_image(runtime, {assay_gpu_image, assay_gpu_image_end}, &module);
  if (code == 0) return module;
  why = "the kernels compiled with the adapter do not load here (" + std::to_string(code) + ")";
#endif
  runtime.check(load_image(runtime, compiled(runtime, arch, cache, why), &module), "load the kernels");
  return module;
}

}  // namespace

std::map<std::string, void*> load_kernels(const Runtime& runtime, const std::string& file, const std::string& cache,
                                          int arch) {
  void* module = loaded_module(runtime, file, cache, arch);
  std::map<std::string, void*> out;
  for (const char* name : kKernels) {
    void* function = nullptr;
    runtime.check(runtime.ModuleGetFunction(&function, module, name), name);
    out[name] = function;
  }
  for (const char* name : kOptional) {
    void* function = nullptr;
    if (runtime.ModuleGetFunction(&function, module, name) == 0) out[name] = function;
  }
  return out;
}

}  // namespace assay::gpu
