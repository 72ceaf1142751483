// Records as a user names them: files, folders and stores, joined. What counts no further time is left out and told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

struct FoundRecords {
  std::vector<Record> records;     // in the order of the places; of each as read_records() gives them
  std::vector<std::string> notes;  // what was left out, one line each
};

// "3 records left out: ..."
std::string copies_note(size_t copies);

// Each record once, however many copies of it lie there. A place without records is kBadInput.
Result<FoundRecords> found_records(const std::vector<std::string>& places);

}  // namespace assay
