// Shared libraries of the vendor, loaded at run time: the same build opens on a machine without them and says what is
// missing.
#pragma once

#include <string>
#include <vector>

#include "adapters/sdk/adapter.h"

// ASSAY_GPU_VENDOR_HEADER, set by the build, is the vendor's: it maps the vendor's names to one neutral prefix and is
// the whole list of what the adapter asks of its stack; `none` stands where there is none.
#define GPU_TEXT_OF(x) #x
#define GPU_TEXT(x) GPU_TEXT_OF(x)

namespace assay::gpu {

using sdk::Failure;

class Library {
 public:
  // The first of `names` that loads: from `folder` if one is given, by the loader's own search, from the vendor's usual
  // folders. Empty names: none. Never unloaded: vendor libraries keep threads.
  Library(const std::vector<std::string>& names, const std::string& folder);
  [[nodiscard]] bool loaded() const { return handle_ != nullptr; }
  [[nodiscard]] const std::string& why() const { return why_; }  // it did not load
  [[nodiscard]] const std::string& name() const { return name_; }
  // nullptr for a name that the library lacks, and for "none".
  [[nodiscard]] void* find(const char* name) const;

 private:
  void* handle_ = nullptr;
  std::string name_, why_;
};

}  // namespace assay::gpu
