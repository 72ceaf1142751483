// The command as a user meets it, in a folder of the test's own.
#pragma once

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/scratch.h"

namespace assay {

struct Outcome {
  int code = -1;     // exit code; -1 where it was ended by a signal
  std::string text;  // stdout and stderr
};

class CommandLine : public Scratch {
 protected:
  Outcome shell(const std::string& command) const {
    Outcome out;
    const std::string line = "cd '" + dir_.string() + "' && { " + command + "; } 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    if (pipe == nullptr) return out;
    char buffer[4096];
    for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) out.text.append(buffer, n);
    const int status = ::pclose(pipe);
    out.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return out;
  }
  Outcome assay(const std::string& arguments) const { return shell(ASSAY_BINARY_DIR "/bin/assay " + arguments); }
  // Bad input: exit code 2 and one message with these words.
  Outcome refuses(const std::string& arguments, const std::vector<std::string>& words) const {
    Outcome out = assay(arguments);
    EXPECT_EQ(out.code, 2) << arguments << "\n" << out.text;
    for (const std::string& word : words) EXPECT_THAT(out.text, testing::HasSubstr(word)) << arguments;
    EXPECT_EQ(std::count(out.text.begin(), out.text.end(), '\n'), 1) << "one message: " << out.text;
    return out;
  }
};

}  // namespace assay
