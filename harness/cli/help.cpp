#include "harness/cli/help.h"

#include <algorithm>
#include <sstream>

#include "harness/cli/terminal.h"

namespace assay {
namespace {

constexpr size_t kColumns = 80;

// `left` in its own column, `right` wrapped beside it.
std::string entry(const std::string& left, const std::string& right, size_t column) {
  std::string out = "  " + left;
  size_t at = 2 + display_width(left);
  for (const std::string& line : wrap(right, kColumns - column)) {
    if (at + 1 > column) {
      out += "\n";
      at = 0;
    }
    out += std::string(column - at, ' ') + line + "\n";
    at = 0;
  }
  return out;
}

std::string paragraphs(const std::string& text) {
  std::string out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    for (const std::string& part : wrap(line, kColumns)) {
      out += part;
      out += "\n";
    }
  }
  return out;
}

std::string option_text(const OptionSpec& option) {
  const std::string letter = option.letter.empty() ? "" : "-" + option.letter + ", ";
  return letter + "--" + option.name + (option.value.empty() ? "" : " " + option.value) +
         (option.repeats ? " ..." : "");
}

}  // namespace

std::string overview() {
  std::string out =
      "assay - measures AI inference chips: throughput, determinism of latency, energy\n\n"
      "usage: assay COMMAND [OPTION...]\n\ncommands:\n";
  for (const CommandSpec& spec : commands()) {
    if (!spec.hidden) out += entry(spec.name, spec.summary, 16);
  }
  out +=
      "\nFirst steps:\n"
      "  assay doctor                        what would spoil a measurement here\n"
      "  assay devices                       what can be measured here\n"
      "  assay run prefill decode --quick    measure, with a table at the end\n"
      "\n'assay COMMAND --help' explains one command. Exit codes: 0 done, 1 something\n"
      "failed, 2 the input was wrong and nothing was written, 130 interrupted (what\n"
      "was measured is kept).\n";
  return out;
}

std::string help_page(const CommandSpec& spec) {
  std::string out = "assay " + spec.name + " - " + spec.summary + "\n\nusage: assay " + spec.name;
  if (!spec.operands.empty()) out += " " + spec.operands;
  if (!spec.options.empty()) out += " [OPTION...]";
  out += "\n";
  if (!spec.about.empty()) out += "\n" + paragraphs(spec.about);
  if (!spec.options.empty()) out += "\noptions:\n";
  for (const OptionSpec& option : spec.options) {
    std::string help = option.help;
    if (option.complete == Complete::kWords) {
      std::string words;
      for (const std::string& word : option.words) {
        words += words.empty() ? "" : ", ";
        words += word;
      }
      help += " (" + words + ")";
    }
    out += entry(option_text(option), help, 28);
  }
  if (!spec.examples.empty()) out += "\nexamples:\n";
  for (const Example& example : spec.examples) out += "  " + example.command + "\n      " + example.meaning + "\n";
  return out;
}

}  // namespace assay
