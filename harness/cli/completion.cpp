#include <iterator>
#include <sstream>

#include "harness/cli/arguments.h"
#include "harness/cli/terminal.h"
#include "suites/base/words.h"

namespace assay {
namespace {

constexpr const char* kDtypes = "f32 tf32 bf16 f16 int8 int8_w8a8 fp8 fp8_w8a8 int4 int4_g32 fp4 fp4_g16";

// One a line, as names with spaces are offered, too.
std::string bash_words(const std::vector<std::string>& words) { return "$'" + joined(words, "\\n") + "'"; }

std::vector<std::string> dtypes() {
  std::istringstream stream(kDtypes);
  return {std::istream_iterator<std::string>(stream), {}};
}

// A shell expression that gives the words. Devices are asked for once an adapter is typed, because that opens drivers.
std::string candidates(Complete kind, const std::vector<std::string>& words) {
  switch (kind) {
    case Complete::kWords:
      return bash_words(words);
    case Complete::kSuite:
      return "\"$(assay list suites --names 2>/dev/null)\"";
    case Complete::kModel:
      return "\"$(assay list models --names 2>/dev/null)\"";
    case Complete::kDtype:
      return bash_words(dtypes());
    case Complete::kChip:
      return "\"$(assay list chips --names 2>/dev/null)\"";
    case Complete::kCase:  // of the suite that is the operand before
      return "\"$({ assay list cases --suite \"${typed[2]}\" --names; assay list cases --suite \"${typed[2]}\" --full "
             "--names; } 2>/dev/null | sort -u)\"";
    case Complete::kDevice:
      return "\"$(if [[ $word == *:* ]]; then assay devices --names; else assay list adapters --names; fi "
             "2>/dev/null)\"";
    case Complete::kNothing:
    case Complete::kFile:
    case Complete::kFolder:
      break;
  }
  return "''";
}

std::string reply(Complete kind, const std::vector<std::string>& words) {
  if (kind == Complete::kFile) return "compgen -f -- \"$word\"";
  if (kind == Complete::kFolder) return "compgen -d -- \"$word\"";
  // A suite may be a file of the user's own, below any folder.
  const std::string files =
      kind == Complete::kSuite ? "; compgen -f -X '!*.json' -- \"$word\"; compgen -d -- \"$word\"" : "";
  return "compgen -W " + candidates(kind, words) + " -- \"$word\"" + files;
}

// Bash splits words at those of ':' and '=' that stand in COMP_WORDBREAKS, too, and replaces what stands behind the
// last of them: parts that touch in the line are joined again, and what bash keeps is cut from the replies. Zsh splits
// at spaces alone.
constexpr const char* kBashFrame = R"(_assay() {
  local IFS=$'\n' typed=() rest=$COMP_LINE breaks=${COMP_WORDBREAKS//[!:=]/} part word before prefix= cut= i n=0
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=${COMP_WORDS[i]}
    if [[ $n -gt 0 && $rest != [[:blank:]]* ]]; then
      typed[n-1]=${typed[n-1]}$part
    else
      typed[n++]=$part
    fi
    rest=${rest#*"$part"}
  done
  word=${typed[n-1]} before=${typed[n-2]}
  [[ -n $breaks ]] && cut=${word%"${word##*[$breaks]}"}
  if [[ $word == --*=* ]]; then
    before=${word%%=*} prefix=${word%%=*}= word=${word#*=}
  fi
  COMPREPLY=()
  _assay_offer "$n" "${typed[1]}"
  COMPREPLY=("${COMPREPLY[@]/#/$prefix}")
  COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -o filenames -F _assay assay
)";

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
    const std::string next =
        spec.complete_next == Complete::kNothing
            ? ""
            : "      elif [[ $1 -gt 3 ]]; then\n        COMPREPLY=($(" + reply(spec.complete_next, spec.words) + "))\n";
    for (const std::string& part :
         {"    " + spec.name + ")\n      case $before in\n", values,
          "      esac\n      if [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W " + bash_words(options) +
              " -- \"$word\"))\n",
          next, "      else\n        COMPREPLY=($(" + reply(spec.complete, spec.words) + "))\n      fi ;;\n"}) {
      cases += part;
    }
  }
  return "_assay_offer() {  # words typed, command\n  if [ \"$1\" -eq 2 ]; then COMPREPLY=($(compgen -W " +
         bash_words(names) + " -- \"$word\")); return; fi\n  case $2 in\n" + cases + "  esac\n}\n" + kBashFrame;
}

std::string fish_quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

// What fish is told of a value: which files, and which words.
std::string fish_values(Complete kind, const std::vector<std::string>& words) {
  switch (kind) {
    case Complete::kWords:
      return " -a " + fish_quoted(joined(words, " "));
    case Complete::kSuite:
      return " -a '(assay list suites --names 2>/dev/null; __fish_complete_suffix .json)'";
    case Complete::kModel:
      return " -a '(assay list models --names 2>/dev/null)'";
    case Complete::kDtype:
      return std::string(" -a '") + kDtypes + "'";
    case Complete::kChip:
      return " -a '(assay list chips --names 2>/dev/null)'";
    case Complete::kCase:
      return " -a '(set -l typed (commandline -opc); for form in \"\" --full; assay list cases --suite $typed[3] "
             "(string split -n \" \" -- $form) --names 2>/dev/null; end)'";
    case Complete::kDevice:
      return " -a '(if string match -q \"*:*\" -- (commandline -ct); assay devices --names 2>/dev/null; "
             "else; assay list adapters --names 2>/dev/null; end)'";
    case Complete::kFile:
      return " -F";
    case Complete::kFolder:
      return " -a '(__fish_complete_directories)'";
    case Complete::kNothing:
      break;
  }
  return "";
}

std::string fish_script() {
  std::string out =
      "function __assay_in  # command, and before which word\n  set -l typed (commandline -opc)\n"
      "  set -q typed[2]; and test $typed[2] = $argv[1]; and begin; not set -q argv[2]; or test (count $typed) -lt "
      "$argv[2]; end\nend\n"
      "complete -c assay -f\n";
  for (const CommandSpec& spec : commands()) {
    if (spec.hidden) continue;
    out += "complete -c assay -n __fish_use_subcommand -a " + spec.name + " -d " + fish_quoted(spec.summary) + "\n";
    const std::string here = "complete -c assay -n '__assay_in " + spec.name + "'";
    const bool several = spec.complete_next != Complete::kNothing;
    const std::string first = several ? "complete -c assay -n '__assay_in " + spec.name + " 3'" : here;
    const std::string operands = fish_values(spec.complete, spec.words);
    if (!operands.empty()) out.append(first).append(operands).append("\n");
    if (several) {
      out += "complete -c assay -n '__assay_in " + spec.name + "; and not __assay_in " + spec.name + " 3'" +
             fish_values(spec.complete_next, spec.words) + "\n";
    }
    for (const OptionSpec& o : spec.options) {
      const bool file = o.complete == Complete::kFile;
      out += here + " -l " + o.name +
             (o.value.empty() ? ""
              : file          ? " -r"
                              : " -x") +
             fish_values(o.complete, o.words) + " -d " + fish_quoted(o.help) + "\n";
    }
  }
  return out;
}

Result<int> completion(const Arguments& arguments) {
  const std::string shell = arguments.operands()[0];
  const std::string start = shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "";
  put_text(shell == "fish" ? fish_script() : start + bash_script());
  return kExitOk;
}

}  // namespace

CommandSpec completion_command() {
  CommandSpec spec;
  spec.name = "completion";
  spec.summary = "completes commands, options and names in your shell";
  spec.operands = "bash|zsh|fish";
  spec.min_operands = spec.max_operands = 1;
  spec.complete = Complete::kWords;
  spec.words = {"bash", "zsh", "fish"};
  spec.examples = {{"source <(assay completion bash)", "for this shell; zsh: the same after compinit"},
                   {"assay completion fish | source", "in fish"}};
  spec.run = completion;
  return spec;
}

}  // namespace assay
