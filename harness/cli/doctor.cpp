#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "harness/measure/environment.h"

namespace assay {
namespace {

const char* state_name(Finding::State state) {
  switch (state) {
    case Finding::State::kGood:
      return "good";
    case Finding::State::kWarning:
      return "warning";
    case Finding::State::kBad:
      return "bad";
    case Finding::State::kUnknown:
      break;
  }
  return "unknown";
}

Mark mark_of(Finding::State state) {
  if (state == Finding::State::kGood) return Mark::kGood;
  if (state == Finding::State::kBad) return Mark::kBad;
  return state == Finding::State::kWarning ? Mark::kWarning : Mark::kNone;
}

Result<int> doctor(const Arguments& arguments) {
  const std::vector<Finding> findings = diagnose(SystemRoot{});
  bool bad = false;
  nlohmann::json list = nlohmann::json::array();
  TextTable table({"", "what", "found; what it means; what mends it"});
  for (const Finding& f : findings) {
    bad = bad || f.state == Finding::State::kBad;
    list.push_back(
        {{"name", f.name}, {"state", state_name(f.state)}, {"found", f.found}, {"meaning", f.meaning}, {"fix", f.fix}});
    table.row({state_name(f.state), f.name, f.found}, mark_of(f.state));
    if (f.state == Finding::State::kGood) continue;
    table.row({"", "", f.meaning});
    if (!f.fix.empty()) table.row({"", "", "-> " + f.fix});
  }
  const std::string text = arguments.has("json") ? list.dump(2) + "\n" : table.render(stdout_options());
  put_table(text);
  return bad ? kExitFailed : kExitOk;
}

}  // namespace

CommandSpec doctor_command() {
  CommandSpec spec;
  spec.name = "doctor";
  spec.summary = "what would spoil a measurement here, and how to mend it";
  spec.about =
      "Looks at governor, turbo, core clock, huge pages, NUMA, free memory, other load, container or virtual machine, "
      "and what performance counters and energy meters may be read. Exit code 1 where something is bad.";
  spec.options = {json_option()};
  spec.examples = {{"assay doctor", "the findings, worst first"}};
  spec.run = doctor;
  return spec;
}

}  // namespace assay
