// assay: the command.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "harness/cli/arguments.h"
#include "harness/cli/command.h"
#include "harness/cli/help.h"
#include "harness/cli/terminal.h"
#include "harness/run/build_info.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

int complain(const std::string& who, const std::string& message) {
  put_note(who + ": " + message);
  return kExitBadInput;
}

const CommandSpec* find_command(const std::string& name) {
  for (const CommandSpec& spec : commands()) {
    if (spec.name == name) return &spec;
  }
  return nullptr;
}

int unknown_command(const std::string& name) {
  std::vector<std::string> names;
  for (const CommandSpec& spec : commands()) {
    if (!spec.hidden) names.push_back(spec.name);
  }
  return complain("assay", "unknown command '" + name + "'" + suggestion(name, names));
}

bool asks_help(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

int print(const std::string& text) {
  put_text(text);
  return kExitOk;
}

int run_command_line(std::vector<std::string> words) {
  if (words.empty()) return print(overview());
  const std::string first = words.front();
  words.erase(words.begin());
  if (first == "--version" || first == "version") {
    return print(std::string("assay ") + tool_version() + " (" + tool_commit() + ")\n");
  }
  if (first == "--help" || first == "-h" || first == "help") {
    if (words.empty()) return print(overview());
    const CommandSpec* spec = find_command(words.front());
    return spec == nullptr ? unknown_command(words.front()) : print(help_page(*spec));
  }
  const CommandSpec* spec = find_command(first);
  if (spec == nullptr) return unknown_command(first);
  if (asks_help(words)) return print(help_page(*spec));
  const Result<Arguments> arguments = Arguments::parse(*spec, words);
  if (!arguments.ok()) return complain("assay " + first, arguments.error().message);
  const Result<int> done = spec->run(*arguments);
  if (done.ok()) return *done;
  complain("assay " + first, done.error().message);
  return done.error().kind == ErrorKind::kBadInput ? kExitBadInput : kExitFailed;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  try {
    const int code = assay::run_command_line({argv + 1, argv + argc});
    // A script that reads an empty file must not see success.
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
    assay::put_note(std::string("assay: can't write to standard output: ") + std::strerror(errno));
    return assay::kExitFailed;
  } catch (const std::exception& e) {
    assay::put_note(std::string("assay: ") + e.what());
    return assay::kExitFailed;
  }
}
