// int8 cases had activations and KV cache in f32 before their JSON said "activations": other work of the same name.
// In memory the dtype and case of such a record are marked (Case::dtype_label), so that the two never share a curve, a
// cost or a table's row; its file stays as it was written.
#pragma once

#include <string>

#include "results/record.h"
#include "suites/suite.h"

namespace assay {

inline bool is_old_int8(const Record& r) {
  return (r.dtype == "int8" || r.dtype == "int8_w8a8") && r.case_json.find("\"suite_hash\"") != std::string::npos &&
         r.case_json.find("\"activations\"") == std::string::npos;
}

inline void mark_old_int8(Record* r) {
  if (!is_old_int8(*r)) return;
  const size_t at = r->case_id.find("/" + r->dtype + "/");
  if (at != std::string::npos) r->case_id.insert(at + 1 + r->dtype.size(), kF32ActivationsMark);
  r->dtype += kF32ActivationsMark;
}

// A marked dtype or case as its file has it.
inline std::string without_int8_mark(std::string text) {
  for (const std::string dtype : {"int8", "int8_w8a8"}) {
    const size_t at = text.find(dtype + kF32ActivationsMark);
    if (at != std::string::npos) return text.erase(at + dtype.size(), std::string(kF32ActivationsMark).size());
  }
  return text;
}

}  // namespace assay
