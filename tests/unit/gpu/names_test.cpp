// The vendors' headers name the same things; NVIDIA's names are those of its libraries.
#include <dlfcn.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

const std::vector<std::string> kVendors{"cuda", "hip", "musa", "maca", "corex", "dtk", "supa", "tang"};

std::map<std::string, std::string> defines(const std::string& vendor) {
  std::ifstream in(std::string(ASSAY_SOURCE_DIR) + "/adapters/gpu/vendors/" + vendor + ".h");
  std::map<std::string, std::string> out;
  const std::regex line_of("#define (\\w+) (.*)"), other("#include \"adapters/gpu/vendors/(\\w+).h\"");
  std::smatch found;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, found, other)) out.merge(defines(found[1]));
    if (std::regex_match(line, found, line_of)) out[found[1]] = found[2];
  }
  return out;
}

TEST(Vendors, EveryHeaderHasTheNamesOfEveryOther) {
  std::set<std::string> all;
  for (const std::string& vendor : kVendors) {
    for (const auto& [name, value] : defines(vendor)) all.insert(name);
  }
  ASSERT_GT(all.size(), 50U);
  all.erase("gpuLaunchKernelEx");  // launches that overlap are NVIDIA's alone
  for (const std::string& vendor : kVendors) {
    const std::map<std::string, std::string> own = defines(vendor);
    for (const std::string& name : all) EXPECT_EQ(own.count(name), 1U) << vendor << ".h lacks " << name;
  }
}

TEST(Vendors, NoPrefixButTheVendorsOwn) {
  const std::map<std::string, std::string> prefix{{"cuda", "cuda"}, {"hip", "hip"},    {"musa", "musa"},
                                                  {"maca", "mc"},   {"corex", "cuda"}, {"dtk", "hip"},
                                                  {"supa", "supa"}, {"tang", "tang"}};
  for (const auto& [vendor, start] : prefix) {
    EXPECT_EQ(defines(vendor)["gpuMalloc"], start + "Malloc");
    EXPECT_EQ(defines(vendor)["GPU_VENDOR"], "\"" + vendor + "\"");
  }
}

// Where the toolkit is installed, each function of ours must be one of its libraries'.
TEST(Vendors, NvidiasLibrariesHaveTheNames) {
  const std::string toolkit = "/usr/local/cuda/lib64/";
  const std::map<std::string, std::string> library{{"cuda", "libcudart.so.13"},       {"cu", "stubs/libcuda.so"},
                                                   {"cublasLt", "libcublasLt.so.13"}, {"cupti", "libcupti.so.13"},
                                                   {"cudnn", "libcudnn.so.9"},        {"nvrtc", "libnvrtc.so.13"}};
  if (!std::ifstream(toolkit + "libcudart.so.13")) GTEST_SKIP() << "no CUDA toolkit here";
  int checked = 0;
  for (const auto& [neutral, name] : defines("cuda")) {
    std::string start;
    for (const auto& [prefix, file] : library) {
      if (name.rfind(prefix, 0) == 0 && prefix.size() > start.size()) start = prefix;
    }
    if (neutral.rfind("gpu", 0) != 0 || start.empty() || name.rfind("cublasL", 0) == 0) continue;
    void* handle = dlopen((toolkit + library.at(start)).c_str(), RTLD_LAZY | RTLD_LOCAL);
    ASSERT_NE(handle, nullptr) << dlerror();
    EXPECT_NE(dlsym(handle, name.c_str()), nullptr) << name << " is not in " << library.at(start);
    ++checked;
  }
  EXPECT_GT(checked, 35);
}

}  // namespace
}  // namespace assay::gpu_test
