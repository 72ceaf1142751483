// Results of other tools, in the format that the content shows and in one that it may not be: refused with a message,
// or reported records that survive the way.
#include "results/import/import.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

using namespace assay;

void take(const std::string& text, const std::string& format) {
  const Result<std::vector<Record>> records = import_text(text, "fuzz.json", format);
  if (!records.ok()) return fuzz::must_explain(records.error());
  fuzz::must(!records->empty(), "a file that is read has a record");
  for (const Record& record : *records) {
    fuzz::must(record.basis == "reported" && record.reported, "a record says that it is reported");
    const std::string json = record_to_json(record);
    const Result<Record> back = record_from_json(json, "fuzz");
    fuzz::must(back.ok() && record_to_json(*back) == json, "an imported record survives the way");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  take(text, "");
  take(text, import_formats()[size % import_formats().size()].name);
  return 0;
}
