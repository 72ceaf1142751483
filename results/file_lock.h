// One writer at a time: a lock that ends with the process that holds it, however that ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "suites/base/result.h"

namespace assay {

// Held while this lives. The file that carries it is made for it, holds the number of the process, and is removed at
// the end; one that a killed process left behind holds nothing.
class FileLock {
 public:
  // Nothing where another holds it; `holder` then names it: "process 1234".
  static Result<std::optional<FileLock>> try_take(const std::filesystem::path& file, std::string* holder);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(std::filesystem::path file, int descriptor);
  std::filesystem::path file_;
  int descriptor_ = -1;  // -1: moved from
};

}  // namespace assay
