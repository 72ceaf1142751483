// The id of a record: a hash of what it says, whatever the layout of its text.
#pragma once

#include <string>

namespace assay {

// XXH3-128 in hex of the canonical JSON without its member "id". `record_json` must be JSON. The compressed samples
// are hashed as they stand, so that another version of the compressor does not change the id of an old record.
std::string record_id(const std::string& record_json);

}  // namespace assay
