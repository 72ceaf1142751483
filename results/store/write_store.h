// Writing a store beside others who write and read it: writers follow each other, and a store that is new or made anew
// appears whole.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "results/store/store.h"

namespace assay {

struct StoreWriting {
  bool anew = false;                                 // from nothing but these records
  std::function<bool(uint64_t, uint64_t)> progress;  // as of Store::add()
  std::function<bool(const std::string&)> waiting;   // while the named process writes it; false stops
  double patience_s = 600;                           // for which it waits for others
};

// Whatever stops it leaves the store as it was: an error, a kill, a `false` of the callbacks (kTimeout).
Result<AddReport> write_store(const std::filesystem::path& file, const std::vector<std::filesystem::path>& places,
                              const StoreWriting& writing);

}  // namespace assay
