// The vendor's compiler at run time: it looks at what it is given and makes an image that the stand-in's loader takes.
#include <cstddef>
#include <cstring>
#include <string>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr int kInvalidOption = 5, kCompilation = 6;
constexpr char kImage[] = "STANDIN-IMAGE";

struct Source {
  std::string text, log;
  bool compiled = false;
};

// C++17 first; where the vendor's compiler is told the architecture, that, with its number.
bool options_right(int n, const char** options) {
  const std::string arch = GPU_RTC_ARCH;
  if (n < 1 || std::string(options[0]) != "-std=c++17" || n != (arch.empty() ? 1 : 2)) return false;
  return n == 1 || std::string(options[1]) == arch + "90";
}

}  // namespace

#define RTC_ENTRY(name, ...) ENTRY_AS(gpurtc##name, standin_rtc_##name, __VA_ARGS__)

extern "C" {

RTC_ENTRY(CreateProgram, void** out, const char* source, const char*, int, const char**, const char**) {
  *out = new Source{source, "", false};
  return 0;
}
RTC_ENTRY(CompileProgram, void* program, int n, const char** options) {
  auto& source = *static_cast<Source*>(program);
  if (!options_right(n, options)) return kInvalidOption;
  ++standin::setting("compilations");
  // A compiler at run time finds no files of the tree, and every kernel must be in the one text.
  const bool whole = source.text.find("ASSAY_KERNEL(rms_norm") != std::string::npos &&
                     source.text.find("ASSAY_KERNEL(group_norm") != std::string::npos;
  source.compiled = whole && source.text.find("#include") == std::string::npos;
  if (!source.compiled) source.log = "the text is not the kernels' alone";
  return source.compiled ? 0 : kCompilation;
}
RTC_ENTRY(GetCodeSize, void* program, size_t* bytes) {
  *bytes = sizeof(kImage);
  return static_cast<Source*>(program)->compiled ? 0 : kCompilation;
}
RTC_ENTRY(GetCode, void* program, char* to) {
  std::memcpy(to, kImage, sizeof(kImage));
  return static_cast<Source*>(program)->compiled ? 0 : kCompilation;
}
RTC_ENTRY(GetProgramLogSize, void* program, size_t* bytes) {
  *bytes = static_cast<Source*>(program)->log.size() + 1;
  return 0;
}
RTC_ENTRY(GetProgramLog, void* program, char* to) {
  const std::string& log = static_cast<Source*>(program)->log;
  std::memcpy(to, log.c_str(), log.size() + 1);
  return 0;
}
RTC_ENTRY(DestroyProgram, void** program) {
  delete static_cast<Source*>(*program);
  *program = nullptr;
  return 0;
}

}  // extern "C"
