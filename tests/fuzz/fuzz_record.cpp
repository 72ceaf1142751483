// A record: refused with a message, or the same again after being written.
#include "results/record.h"
#include "tests/fuzz/fuzz_input.h"

namespace {

// The id is a hash of the rest: with it every mutation would end at the door.
std::string without_id(std::string text) {
  const std::string key = "\"id\":\"";
  const size_t at = text.find(key);
  if (at == std::string::npos) return text;
  const size_t first = at + key.size();
  const size_t last = text.find('"', first);
  return last == std::string::npos ? text : text.erase(first, last - first);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<Record> record = record_from_json(without_id(fuzz::text_of(data, size)), "fuzz");
  if (!record.ok()) {
    fuzz::must_explain(record.error());
    return 0;
  }
  const std::string text = record_to_json(*record);
  const Result<Record> back = record_from_json(text, "fuzz");
  fuzz::must(back.ok(), "a record that was read can be read again");
  fuzz::must(record_to_json(*back) == text, "a record survives the way");
  return 0;
}
