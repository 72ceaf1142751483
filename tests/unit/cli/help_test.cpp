// Help and completion come from the commands' own specifications: nothing may be missing from either.
#include "harness/cli/help.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "harness/cli/arguments.h"
#include "harness/cli/terminal.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Help, TheOverviewNamesEveryCommandAndItsFirstSteps) {
  const std::string text = overview();
  for (const CommandSpec& spec : commands()) {
    if (spec.hidden) {
      EXPECT_THAT(text, Not(HasSubstr("\n  " + spec.name + " "))) << spec.name;
    } else {
      EXPECT_THAT(text, AllOf(HasSubstr("\n  " + spec.name + " "), HasSubstr(spec.summary.substr(0, 40)))) << spec.name;
    }
  }
  EXPECT_THAT(text, AllOf(HasSubstr("assay doctor"), HasSubstr("Exit codes: 0 done")));
}

TEST(Help, APageNamesEveryOptionItsWordsAndAnExample) {
  for (const CommandSpec& spec : commands()) {
    if (spec.hidden) continue;
    const std::string page = help_page(spec);
    EXPECT_THAT(page, HasSubstr("usage: assay " + spec.name)) << spec.name;
    for (const OptionSpec& option : spec.options) {
      EXPECT_THAT(page, HasSubstr("--" + option.name + (option.value.empty() ? "" : " " + option.value))) << spec.name;
      for (const std::string& word : option.words) EXPECT_THAT(page, HasSubstr(word));
      EXPECT_NE(option.help, "") << spec.name << " --" << option.name;
    }
    EXPECT_FALSE(spec.examples.empty()) << spec.name << ": help that teaches has an example";
    for (const Example& example : spec.examples) EXPECT_THAT(page, HasSubstr(example.command));
  }
}

// What a page shows must work: every example's options are ones that the command has.
TEST(Help, ExamplesAreCommandsThatParse) {
  for (const CommandSpec& spec : commands()) {
    for (const Example& example : spec.examples) {
      if (example.command.rfind("assay " + spec.name, 0) != 0) continue;  // inside another shell command
      std::istringstream stream(example.command);
      std::vector<std::string> words;
      for (std::string word; stream >> word && word != "|";) words.push_back(word);
      words.erase(words.begin(), words.begin() + 2);
      const Result<Arguments> arguments = Arguments::parse(spec, words);
      EXPECT_TRUE(arguments.ok()) << example.command << ": " << arguments.error().message;
    }
  }
}

TEST(Help, PagesFitATerminal) {
  std::vector<std::string> pages{overview()};
  for (const CommandSpec& spec : commands()) pages.push_back(help_page(spec));
  for (const std::string& page : pages) {
    for (const std::string& line : lines_of(page)) EXPECT_LE(display_width(line), 80u) << line;
  }
}

std::string script_for(const std::string& shell) {
  const CommandSpec spec = completion_command();
  testing::internal::CaptureStdout();
  const Result<int> code = spec.run(*Arguments::parse(spec, {shell}));
  std::string script = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(code.ok() && *code == 0);
  return script;
}

class Completion : public Scratch {
 protected:
  // What bash offers after these words, the last of them being typed; ':' and '=' among them touch their neighbours.
  std::vector<std::string> offers(const std::vector<std::string>& words, const std::string& breaks = " :=") const {
    std::string line = script_for("bash") + "\nPATH=" ASSAY_BINARY_DIR "/bin:$PATH\nCOMP_WORDS=(", typed;
    for (const std::string& word : words) {
      line += "'" + word + "' ";
      const bool touches = typed.empty() || word == ":" || word == "=" || typed.ends_with(':') || typed.ends_with('=');
      typed += (touches ? "" : " ") + word;
    }
    line += ")\nCOMP_LINE='" + typed + "' COMP_WORDBREAKS='" + breaks +
            "'\nCOMP_CWORD=" + std::to_string(words.size() - 1) + "\n_assay\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n";
    const std::string path = file("complete.sh", line).string();
    FILE* pipe = ::popen(("cd '" + dir_.string() + "' && bash " + path).c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::string text;
    char buffer[4096];
    for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) text.append(buffer, n);
    EXPECT_EQ(::pclose(pipe), 0);
    return lines_of(text);
  }
};

TEST_F(Completion, OffersCommandsOptionsAndWords) {
  EXPECT_THAT(offers({"assay", "d"}), ElementsAre("devices", "doctor"));
  EXPECT_THAT(offers({"assay", ""}), AllOf(Contains("run"), Not(Contains("worker"))));
  EXPECT_THAT(offers({"assay", "run", "--re"}), ElementsAre("--resume"));
  EXPECT_THAT(offers({"assay", "show", "--format", "m"}), ElementsAre("md"));
  EXPECT_THAT(offers({"assay", "run", "--dtype", "int"}), ElementsAre("int8", "int8_w8a8", "int4", "int4_g32"));
}

TEST_F(Completion, OffersTheSuitesAndModelsThatThereAre) {
  EXPECT_THAT(offers({"assay", "run", "pre"}), ElementsAre("prefill"));
  EXPECT_THAT(offers({"assay", "run", "--model", "smol"}), ElementsAre("smollm2-135m"));
}

TEST_F(Completion, OffersTheCasesOfTheSuiteAndTheChips) {
  for (const char* command : {"explain", "fit", "profile"}) {
    EXPECT_THAT(offers({"assay", command, "dec"}), ElementsAre("decode"));
    const std::vector<std::string> cases = offers({"assay", command, "decode", ""});
    EXPECT_THAT(cases, AllOf(Contains("decode/smollm2-135m/f32/b1/c512"), Contains("decode/qwen3-32b/bf16/b1/c4096")))
        << "of both forms";
    EXPECT_THAT(cases, Not(Contains("prefill")));
  }
  EXPECT_THAT(offers({"assay", "explain", "prefill", "x", "--chip", "h20"}), AllOf(Contains("h20"), Contains("h200")));
  EXPECT_THAT(offers({"assay", "cost", "--chip", "ascend-910c"}), ElementsAre("ascend-910c"));
}

TEST_F(Completion, OffersTheAdaptersThatAreFound) {
  EXPECT_THAT(offers({"assay", "run", "--device", ""}), AllOf(Contains("cpu"), Contains("null"), Contains("replay")));
  file("adapters/acme.adapter.json", R"({"name": "acme", "vendor": "Acme", "version": "1", "description": "",
      "library": "complete.sh", "abi_major": 1, "abi_minor": 0, "tables": [], "needs": []})");
  file("adapters/complete.sh", "");
  const ScopedVariable path("ASSAY_ADAPTER_PATH", (dir_ / "adapters").string());
  EXPECT_THAT(offers({"assay", "run", "--device", "a"}), ElementsAre("acme"));
}

// Bash's own words: it splits at ':' and '=', too, and puts the reply behind the last of them.
TEST_F(Completion, OffersBehindAColonAndAnEqualsSign) {
  EXPECT_THAT(offers({"assay", "run", "--device", "null", ":"}), ElementsAre("0"));
  EXPECT_THAT(offers({"assay", "run", "--device", "null", ":", "0"}), ElementsAre("0"));
  EXPECT_THAT(offers({"assay", "run", "--device", "=", "nu"}), ElementsAre("null"));
  EXPECT_THAT(offers({"assay", "run", "--device", "=", "null", ":"}), ElementsAre("0"));
  EXPECT_THAT(offers({"assay", "run", "--device", "null", ":", "0", "--re"}), ElementsAre("--resume"));
  file("at 9:30/a.record.json", "{}");
  EXPECT_THAT(offers({"assay", "show", "at 9", ":", "30/a"}), ElementsAre("30/a.record.json"));
}

// A user may have taken one of them, or both, out of COMP_WORDBREAKS: bash replaces what stands behind the other.
TEST_F(Completion, OffersWhateverBashSplitsAt) {
  EXPECT_THAT(offers({"assay", "run", "--device=nu"}, " :"), ElementsAre("--device=null"));
  EXPECT_THAT(offers({"assay", "run", "--device=null", ":"}, " :"), ElementsAre("0"));
  EXPECT_THAT(offers({"assay", "run", "--device", "=", "nu"}, " ="), ElementsAre("null"));
  EXPECT_THAT(offers({"assay", "run", "--device", "=", "null:"}, " ="), ElementsAre("null:0"));
  EXPECT_THAT(offers({"assay", "run", "--device", "null:"}, " ="), ElementsAre("null:0"));
  EXPECT_THAT(offers({"assay", "run", "--device=null:"}, " "), ElementsAre("--device=null:0"));
}

TEST_F(Completion, FishIsToldOfEveryCommandAndOption) {
  const std::string script = script_for("fish");
  for (const CommandSpec& spec : commands()) {
    if (spec.hidden) continue;
    EXPECT_THAT(script, HasSubstr("-n __fish_use_subcommand -a " + spec.name + " -d '")) << spec.name;
    for (const OptionSpec& o : spec.options) {
      EXPECT_THAT(script, HasSubstr("'__assay_in " + spec.name + "' -l " + o.name + " ")) << spec.name;
    }
  }
  EXPECT_THAT(script, HasSubstr("-l table -x -a 'records context skew clips' -d"));
  EXPECT_THAT(script, HasSubstr(R"(-d 'measure this device\'s peaks')"));  // a quote in a help text ends no word
}

TEST_F(Completion, OffersSuiteFilesBesideTheShippedNames) {
  file("mine.json", "{}");
  file("notes.txt", "");
  file("folder/other.json", "{}");
  const auto offered = offers({"assay", "run", ""});
  EXPECT_THAT(offered,
              AllOf(Contains("prefill"), Contains("mine.json"), Contains("folder"), Not(Contains("notes.txt"))));
  EXPECT_THAT(offers({"assay", "run", "folder/"}), ElementsAre("folder/other.json"));
}

}  // namespace
}  // namespace assay
