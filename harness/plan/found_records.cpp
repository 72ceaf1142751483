#include "harness/plan/found_records.h"

#include <iterator>

namespace assay {
namespace {

namespace fs = std::filesystem;

// "1 record", "3 records"
std::string counted(size_t n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

}  // namespace

std::string copies_note(size_t copies) {
  return counted(copies, "record") + " left out: copies of others here (equal id), no repeats of a run";
}

Result<FoundRecords> found_records(const std::vector<std::string>& places) {
  FoundRecords out;
  size_t copies = 0;
  for (const std::string& place : places) {
    size_t here = 0;
    Result<std::vector<Record>> found = read_records(place, &here);
    if (!found.ok()) return found.error();
    if (found->empty()) return bad_input(place + ": expected records (*.record.json), found none");
    copies += here;
    std::move(found->begin(), found->end(), std::back_inserter(out.records));
  }
  copies += drop_copies(&out.records);
  if (copies > 0) out.notes.push_back(copies_note(copies));
  return out;
}

}  // namespace assay
