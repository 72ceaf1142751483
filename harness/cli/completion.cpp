#include <cstdio>

#include "harness/cli/arguments.h"
#include "suites/base/words.h"

namespace assay {
namespace {

// A shell expression that gives the words.
std::string candidates(Complete kind, const std::vector<std::string>& words) {
  switch (kind) {
    case Complete::kWords:
      return joined(words, " ");
    case Complete::kSuite:
      return "$(assay list suites --names 2>/dev/null)";
    case Complete::kModel:
      return "$(assay list models --names 2>/dev/null)";
    case Complete::kDtype:
      return "f32 tf32 bf16 f16 int8 int8_w8a8 fp8 fp8_w8a8 int4 int4_g32 fp4 fp4_g16";
    case Complete::kDevice:
      return "$(assay list adapters --names 2>/dev/null)";
    case Complete::kNothing:
    case Complete::kFile:
    case Complete::kFolder:
      break;
  }
  return "";
}

std::string reply(Complete kind, const std::vector<std::string>& words) {
  if (kind == Complete::kFile) return "compgen -f -- \"$word\"";
  if (kind == Complete::kFolder) return "compgen -d -- \"$word\"";
  // A suite may be a file of the user's own, below any folder.
  const std::string files =
      kind == Complete::kSuite ? "; compgen -f -X '!*.json' -- \"$word\"; compgen -d -- \"$word\"" : "";
  return "compgen -W \"" + candidates(kind, words) + "\" -- \"$word\"" + files;
}

std::string bash_script() {
  std::vector<std::string> names;
  std::string cases;
  for (const CommandSpec& spec : commands()) {
    if (spec.hidden) continue;
    names.push_back(spec.name);
    std::vector<std::string> options{"--help"};
    std::string values;
    for (const OptionSpec& o : spec.options) {
      options.push_back("--" + o.name);
      if (o.value.empty()) continue;
      values += "        --" + o.name + ") COMPREPLY=($(" + reply(o.complete, o.words) + ")); return ;;\n";
    }
    cases += "    " + spec.name + ")\n      case $before in\n" + values +
             "      esac\n      if [[ $word == -* ]]; then\n" + "        COMPREPLY=($(compgen -W \"" +
             joined(options, " ") + "\" -- \"$word\"))\n      else\n        COMPREPLY=($(" +
             reply(spec.complete, spec.words) + "))\n      fi ;;\n";
  }
  return "_assay() {\n  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W \"" +
         joined(names, " ") + "\" -- \"$word\")); return; fi\n  case ${COMP_WORDS[1]} in\n" + cases +
         "  esac\n}\ncomplete -o filenames -F _assay assay\n";
}

Result<int> completion(const Arguments& arguments) {
  const std::string start = arguments.operands()[0] == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
  std::fputs((start + bash_script()).c_str(), stdout);
  return kExitOk;
}

}  // namespace

CommandSpec completion_command() {
  CommandSpec spec;
  spec.name = "completion";
  spec.summary = "completes commands, options and names in your shell";
  spec.operands = "bash|zsh";
  spec.min_operands = spec.max_operands = 1;
  spec.complete = Complete::kWords;
  spec.words = {"bash", "zsh"};
  spec.examples = {{"source <(assay completion bash)", "for this shell"}};
  spec.run = completion;
  return spec;
}

}  // namespace assay
