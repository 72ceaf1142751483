#include "harness/cli/command.h"

namespace assay {

OptionSpec json_option() { return {"json", "", "JSON on stdout, for scripts", Complete::kNothing, {}, false}; }

OptionSpec format_option() {
  return {"format", "FORMAT", "form of the table", Complete::kWords, {"text", "md", "csv", "json"}, false};
}

OptionSpec adapter_option() {
  return {"adapter", "FILE", "manifest of an adapter that lies elsewhere (*.adapter.json)", Complete::kFile, {}, true};
}

OptionSpec adapter_setting_option() {
  return {"adapter-option",   "KEY=VALUE", "a setting for the adapter, kept in the record (of a path the file's name)",
          Complete::kNothing, {},          true};
}

const std::vector<CommandSpec>& commands() {
  static const std::vector<CommandSpec> kCommands{run_command(),
                                                  show_command(),
                                                  import_command(),
                                                  compare_command(),
                                                  trend_command(),
                                                  list_command(),
                                                  cost_command(),
                                                  verdict_command(),
                                                  claims_command(),
                                                  plan_command(),
                                                  store_command(),
                                                  explain_command(),
                                                  profile_command(),
                                                  fit_command(),
                                                  validate_command(),
                                                  report_command(),
                                                  routing_command(),
                                                  devices_command(),
                                                  doctor_command(),
                                                  conformance_command(),
                                                  completion_command(),
                                                  worker_command(),
                                                  conformance_worker_command()};
  return kCommands;
}

}  // namespace assay
