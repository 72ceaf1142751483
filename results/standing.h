// Which of several records of one case stands for it: in a report's tables and in its costs.
#pragma once

#include <string>
#include <tuple>

namespace assay {

// The greatest stands: one that is ok, then an undisturbed one, then the newest.
using Standing = std::tuple<bool, bool, std::string, std::string>;
inline Standing standing(const std::string& status, bool disturbed, const std::string& created, const std::string& id) {
  return {status == "ok", !disturbed, created, id};
}

}  // namespace assay
