// A subcommand as data: from it come the parser, the help and the shell completion.
#pragma once

#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

class Arguments;

// What a shell may offer as a value.
enum class Complete { kNothing, kFile, kFolder, kSuite, kModel, kDtype, kDevice, kChip, kCase, kWords };

struct OptionSpec {
  std::string name;   // without dashes
  std::string value;  // placeholder in the help; "" for a switch
  std::string help;
  Complete complete = Complete::kNothing;
  std::vector<std::string> words = {};  // kWords: what it may be
  bool repeats = false;
  std::string letter = {};  // "o": -o means the same
};

struct Example {
  std::string command, meaning;
};

struct CommandSpec {
  std::string name, summary;  // summary: one line
  std::string operands;       // "SUITE...", "[suites|models|cases]", ""
  int min_operands = 0, max_operands = 0;
  Complete complete = Complete::kNothing;  // of the operands
  std::vector<std::string> words;
  Complete complete_next = Complete::kNothing;  // of those behind the first, where they are something else
  std::string about;                            // paragraphs of the help
  std::vector<OptionSpec> options;
  std::vector<Example> examples;
  bool hidden = false;
  // Exit code, or an error whose message is printed behind "assay NAME: ".
  Result<int> (*run)(const Arguments& arguments) = nullptr;
};

inline constexpr int kExitOk = 0, kExitFailed = 1, kExitBadInput = 2, kExitInterrupted = 130;

// All of them, in the order of the help.
const std::vector<CommandSpec>& commands();

CommandSpec devices_command();
CommandSpec run_command();
CommandSpec list_command();
CommandSpec show_command();
CommandSpec explain_command();
CommandSpec profile_command();
CommandSpec fit_command();
CommandSpec validate_command();
CommandSpec store_command();
CommandSpec report_command();
CommandSpec import_command();
CommandSpec compare_command();
CommandSpec trend_command();
CommandSpec cost_command();
CommandSpec verdict_command();
CommandSpec claims_command();
CommandSpec plan_command();
CommandSpec doctor_command();
CommandSpec completion_command();
CommandSpec routing_command();
CommandSpec conformance_command();
CommandSpec conformance_worker_command();
CommandSpec worker_command();

// Options that several commands share.
OptionSpec json_option();
OptionSpec format_option();
OptionSpec adapter_option();
OptionSpec adapter_setting_option();

}  // namespace assay
