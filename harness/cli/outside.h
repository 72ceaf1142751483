// Other programs that a report's forms need: Node.js for plots, Chromium for paper and pictures.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

// A folder of its own, removed with what is in it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }  // empty where none could be made

 private:
  std::filesystem::path path_;
};

// The first of the names that the PATH has; `variable` names an environment variable that overrides them.
std::optional<std::string> find_program(const std::vector<std::string>& names, const char* variable);

// Runs it to its end. kIo with its last words where it fails, kTimeout (and it is ended) where it takes longer.
Status run_program(const std::vector<std::string>& command, double timeout_s);

// kUnsupported names the package.
Result<std::string> find_chromium();
// Chromium without a window, network habits or a profile that outlives it. kUnsupported where there is none.
Status run_chromium(const std::vector<std::string>& arguments, double timeout_s);

}  // namespace assay
