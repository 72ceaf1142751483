#include "adapters/gpu/library.h"

#include <dlfcn.h>

#include ASSAY_GPU_VENDOR_HEADER

namespace assay::gpu {

Library::Library(const std::vector<std::string>& names, const std::string& folder) {
  std::vector<std::string> folders{""};
  for (const char* path : std::vector<const char*>{GPU_SDK_PATHS}) folders.push_back(std::string(path) + "/");
  if (!folder.empty()) folders.insert(folders.begin(), folder + "/");
  for (const std::string& where : folders) {
    for (const std::string& name : names) {
      if (name.empty() || handle_ != nullptr) continue;
      handle_ = dlopen((where + name).c_str(), RTLD_NOW | RTLD_LOCAL);
      if (handle_ != nullptr) {
        name_ = name;
        return;
      }
      // The loader's own words where the file exists and still fails; else only that it is not there.
      const char* text = dlerror();
      const std::string said = text == nullptr ? "" : text;
      if (said.find("No such file") == std::string::npos) why_ = said;
    }
  }
  if (why_.empty())
    why_ = names.empty() || names.front().empty() ? "the vendor has no library for it" : names.front() + " not found";
}

void* Library::find(const char* name) const {
  return handle_ == nullptr || std::string(name) == "none" ? nullptr : dlsym(handle_, name);
}

}  // namespace assay::gpu
