// The GPU adapter, opened on the stand-in of a vendor's stack.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "harness/loader/adapter.h"
#include "harness/run/numerics_check.h"

namespace assay::gpu_test {

inline std::string folder(const std::string& vendor) { return std::string(ASSAY_BINARY_DIR) + "/standin/" + vendor; }

inline Result<std::unique_ptr<Adapter>> open(const std::string& vendor, Adapter::Options options = {}) {
  options.emplace_back("libraries", folder(vendor));
  options.emplace_back("cache_dir", "off");  // where the test gives none: nothing of the user's is touched
  options.emplace_back("search", "1");
  options.emplace_back("attention", "own");
  return Adapter::open(std::string(ASSAY_BINARY_DIR) + "/lib/assay/adapters/libassay_" + vendor + ".so", options);
}

// The stand-in's own side: a setting's old value, or what it tells (tests/standin/runtime.cpp).
inline int64_t standin(const std::string& vendor, const char* key, int64_t value = 0) {
  void* library = dlopen((folder(vendor) + "/libstandin_" + vendor + ".so").c_str(), RTLD_NOW | RTLD_LOCAL);
  using Setting = int64_t (*)(const char*, int64_t);
  const auto set = library == nullptr ? nullptr : reinterpret_cast<Setting>(dlsym(library, "assay_standin"));
  if (set == nullptr) {
    ADD_FAILURE() << "no stand-in of " << vendor;
    return -1;
  }
  return set(key, value);
}

inline Graph product_graph(int64_t n) {
  Graph g;
  g.tensors = {{"x", ASSAY_F32, ASSAY_ROLE_INPUT, {16, n}, -1, 0, {}},
               {"w", ASSAY_F32, ASSAY_ROLE_WEIGHT, {n, n}, -1, 0, {}},
               {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {16, n}, -1, 0, {}}};
  g.ops = {{ASSAY_OP_MATMUL, "product", -1, {0, 1}, {2}, {}, ASSAY_NO_SCALAR, nullptr, 0}};
  return g;
}

class Setting {
 public:
  Setting(const char* key, int64_t value) : key_(key), was_(standin("cuda", key, value)) {}
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;
  ~Setting() { standin("cuda", key_, was_); }

 private:
  const char* key_;
  int64_t was_;
};

}  // namespace assay::gpu_test
