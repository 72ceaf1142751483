#include "adapters/spirv/level_zero_api.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "adapters/sdk/adapter.h"

namespace assay::spirv {

namespace {

constexpr const char* kLibrary = "libze_loader.so.1";

void* symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (found == nullptr) throw sdk::Failure(ASSAY_UNSUPPORTED, std::string(kLibrary) + " lacks " + name);
  return found;
}

std::string hex(ze_result_t code) {
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "0x%x", static_cast<unsigned>(code));
  return text.data();
}

LevelZero load() {
  // Never closed: drivers leave threads behind.
  void* library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw sdk::Failure(ASSAY_UNSUPPORTED, std::string("no Level Zero loader: ") + dlerror());
  LevelZero api;
#define ASSAY_LOAD(name) api.name = reinterpret_cast<decltype(api.name)>(symbol(library, #name));
  ASSAY_LEVEL_ZERO_CALLS(ASSAY_LOAD)
#undef ASSAY_LOAD
#define ASSAY_LOAD(name) api.name = reinterpret_cast<decltype(api.name)>(dlsym(library, #name));
  ASSAY_SYSMAN_CALLS(ASSAY_LOAD)
#undef ASSAY_LOAD
  // Asked for by environment, before zeInit: loaders before 1.10 have no call for it.
  setenv("ZES_ENABLE_SYSMAN", "1", 0);
  const ze_result_t code = api.zeInit(0);
  if (code != ZE_RESULT_SUCCESS) {
    throw sdk::Failure(ASSAY_UNSUPPORTED, "no Level Zero driver: zeInit gave " + hex(code) +
                                              " (no driver beside the loader works on this machine)");
  }
  return api;
}

assay_status status_of(ze_result_t code) {
  switch (code) {
    case ZE_RESULT_ERROR_DEVICE_LOST:
      return ASSAY_DEVICE_LOST;
    case ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY:
    case ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY:
    case ZE_RESULT_ERROR_UNSUPPORTED_SIZE:
      return ASSAY_OUT_OF_MEMORY;
    case ZE_RESULT_ERROR_UNSUPPORTED_FEATURE:
    case ZE_RESULT_ERROR_UNSUPPORTED_VERSION:
      return ASSAY_UNSUPPORTED;
    default:
      return ASSAY_INTERNAL;
  }
}

}  // namespace

const LevelZero& level_zero() {
  static const LevelZero api = load();
  return api;
}

void check_ze(ze_result_t code, const std::string& what) {
  if (code == ZE_RESULT_SUCCESS) return;
  const char* name = "";
  if (code == ZE_RESULT_ERROR_DEVICE_LOST) name = " (device lost)";
  if (code == ZE_RESULT_ERROR_OUT_OF_DEVICE_MEMORY) name = " (out of device memory)";
  if (code == ZE_RESULT_ERROR_OUT_OF_HOST_MEMORY) name = " (out of host memory)";
  if (code == ZE_RESULT_ERROR_UNSUPPORTED_FEATURE) name = " (unsupported feature)";
  throw sdk::Failure(status_of(code), what + ": Level Zero result " + hex(code) + name);
}

}  // namespace assay::spirv
