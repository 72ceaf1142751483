// What this binary was built from, for every record.
#pragma once

namespace assay {

const char* tool_version();  // "0.1.0"
const char*
tool_commit();  // hash of the source's commit, "+dirty" behind it where files differed; "unknown" outside git
const char* build_flags();  // build type, compiler and its flags

}  // namespace assay
