// Where records lie on disk; shared by the readers of folders and by the store.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

// The record files at or below a place, sorted by path. A missing place is an error.
Result<std::vector<std::filesystem::path>> record_files(const std::filesystem::path& place);

// A kept record must carry its id: the text's hash.
Result<Record> record_of_text(const std::string& text, const std::filesystem::path& where);

}  // namespace assay
