// The commands about money, asked and refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/command_line.h"

namespace assay {

inline constexpr const char* kPublished = ASSAY_SOURCE_DIR "/results/published/2026-11-24-epyc-2cpu";

class Money : public CommandLine {
 protected:
  nlohmann::json answer(const std::string& arguments) const {
    const Outcome out = assay(arguments + " --json");
    EXPECT_EQ(out.code, 0) << out.text;
    return nlohmann::json::parse(out.text, nullptr, false);
  }
  void refused(const std::string& arguments, const std::vector<std::string>& words) const {
    (void)refuses(arguments, words);
  }
};

}  // namespace assay
