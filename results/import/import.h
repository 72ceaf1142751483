// Import of results that other tools published: records with basis "reported", nothing invented. What a source does
// not say stays absent; what it says and no field fits is kept in Reported::stated.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

struct ImportFormat {
  std::string name;   // "vllm-serve"
  std::string title;  // one line: tool and file
};
const std::vector<ImportFormat>& import_formats();

// The records of one file, in its order; at least one. `format` "": found by the content. A file that is none of the
// formats, or not what it claims to be, is an error (kBadInput) with line or field. The same bytes under the same name
// give the same records (and so the same ids), whenever they are imported: `created` is the source's own date, in UTC
// only where the source says so, or "".
Result<std::vector<Record>> import_text(const std::string& text, const std::string& file, const std::string& format);
// What a source leaves open and who imports it knows: of how many accelerators its figures are. Stands in the record as
// given, with a warning. An error (kBadInput) where the source itself says another number, or rates of each.
Status give_accelerators(int64_t count, std::vector<Record>* records);
Result<std::vector<Record>> import_file(const std::filesystem::path& path, const std::string& format);

}  // namespace assay
