// Adapters as files: a shared module beside its manifest `<name>.adapter.json`. Listing never runs vendor code.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

struct Manifest {
  std::string name, vendor, version, description, licence;
  std::filesystem::path file, library;  // library: absolute, beside the manifest
  uint32_t abi_major = 0, abi_minor = 0;
  std::vector<std::string> tables;                  // "program/1", ...
  std::vector<std::string> needs;                   // sonames the library loads, reported by name when missing
  std::optional<std::vector<std::string>> options;  // the keys it takes; absent: it doesn't say
  bool machine_lacks = false;                       // the problem: something in `needs` isn't here
  std::filesystem::path hides;                      // another of its name, which it stands before by --adapter
  std::string problem;  // "" or why it can't be used: "libcuda.so.1 not found", "ABI major 2, this host serves 1"
};
Result<Manifest> read_manifest(const std::filesystem::path& file);

// Search order: `extra` files (--adapter), ASSAY_ADAPTER_PATH (colon-separated), the install or build folder.
// Of two with one name, one of `extra` hides what is found elsewhere; else neither can be used, and the problem names
// both. A bad manifest is listed after the others with its problem, never dropped; it takes no name.
std::vector<Manifest> find_adapters(const std::vector<std::filesystem::path>& extra);

}  // namespace assay
