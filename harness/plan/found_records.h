// Records as a user names them: files, folders and stores, joined. What counts no further time is left out and told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

struct FoundRecords {
  // In the order of the places; of each as read_records() gives them, of a run's folder in the order of its plan.
  std::vector<Record> records;
  std::vector<std::string> notes;  // what was left out, one line each
};

// Each record once, however many copies of it lie there; of a case of a run the one that stands for it
// (harness/plan/campaign.h), as others are what interrupts and failures left. A run's campaign.json
// is passed over. A place without records is kBadInput.
Result<FoundRecords> found_records(const std::vector<std::string>& places);

// The files of the same, copies too, for who reads them itself.
struct FoundFiles {
  std::vector<std::filesystem::path> files;
  std::vector<std::string> notes;
};
Result<FoundFiles> found_files(const std::vector<std::string>& places);

}  // namespace assay
