#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "harness/conformance/kit.h"
#include "harness/run/recheck.h"
#include "reports/profile_pair.h"
#include "results/record.h"
#include "results/record_files.h"
#include "results/store/store.h"
#include "suites/base/json_input.h"
#include "suites/base/visible.h"
#include "suites/routing_trace.h"

namespace assay {
namespace {

std::string suite_summary(const Suite& s) {
  return "suite '" + s.name + "' version " + std::to_string(s.version) + ": " + std::to_string(s.quick_cases.size()) +
         " quick and " + std::to_string(s.full_cases.size()) + " full cases, hash " + s.hash;
}

std::string model_summary(const ModelShape& m) {
  char text[160];
  std::snprintf(text, sizeof(text), ": %lld layers, %.3f B parameters, %.0f KV bytes per token in bf16",
                static_cast<long long>(m.layers), m.params() / 1e9, m.kv_bytes_per_token(2));
  return "model '" + m.name + "'" + text;
}

std::string video_summary(const VideoShape& v) {
  const VideoGrid grid = video_grid(v, v.clip).value();
  char text[160];
  std::snprintf(text, sizeof(text), ": %lld blocks, %lld tokens and %.3g PFLOP a pass at its reference clip",
                static_cast<long long>(v.dit.layers()), static_cast<long long>(grid.tokens()),
                dit_pass_flops(v.dit, grid.tokens()) / 1e15);
  return "video model '" + v.name + "'" + text;
}

std::string profile_summary(const SavedProfile& p) {
  return "profile: " + p.case_id + " on " + p.product + ", " + p.basis + ", " + std::to_string(p.ops.size()) +
         " ops, " + std::to_string(p.steps) + " steps traced";
}

std::string trace_summary(const RoutingTrace& t) {
  int64_t rows = 0;
  for (size_t layer = 0; layer < t.layers.size(); ++layer) rows += t.rows(layer);
  return "routing trace of model '" + t.model + "': " + std::to_string(t.top_k) + " of " + std::to_string(t.experts) +
         " experts, " + std::to_string(t.layers.size()) + " layers, " + std::to_string(rows) + " rows; " + t.source;
}

// The trace on its own, and held against the model that it names where the catalogue has that.
Result<std::string> validated_trace(const std::string& text, const std::string& file, const Catalogue& catalogue) {
  std::string hash;
  const Result<RoutingTrace> trace = parse_routing_trace(text, file, &hash);
  if (!trace.ok()) return trace.error();
  const Result<ModelShape> model = catalogue.model(trace->model);
  if (!model.ok()) return trace_summary(*trace) + "; the model is not in the catalogue";
  const std::string fault = trace_fault(*trace, model->moe);
  if (!fault.empty()) return bad_input(file + ": model '" + trace->model + "': " + fault);
  return trace_summary(*trace);
}

// The record on its own, and its figures against what its samples and its case come to.
Result<std::string> validated_record(const std::string& text, const std::string& file) {
  const Result<Record> read = record_of_text(text, file);
  if (!read.ok()) return read.error();
  const Record& r = *read;
  if (const std::vector<std::string> wrong = record_disagreements(r); !wrong.empty()) {
    Error error = bad_input(file + ": " + wrong.front());
    for (const std::string& fault : wrong) error.faults.push_back({0, fault});
    return error;
  }
  return "record " + r.id + ": " + r.case_id + " on " + r.device + ", " + r.basis + ", " + r.status + ", " +
         std::to_string(r.samples.host_ns.size()) + " steps";
}

template <typename T, typename Summary>
Result<std::string> summarised(const Result<T>& parsed, const Summary& summary) {
  if (!parsed.ok()) return parsed.error();
  return summary(*parsed);
}

// What the file holds, by the fields that only its kind has.
Result<std::string> validated(const std::string& file, const Catalogue& catalogue) {
  if (is_store_file(file)) return bad_input(file + ": expected a JSON file, found a store, which 'assay store' checks");
  const Result<std::string> text = read_text_file(file);
  if (!text.ok()) return text.error();
  JsonInput input(*text, file);
  const JsonNode root = input.root();
  if (!root.present()) return input.error();
  if (root.has("profile_version") || root.has("step_traced_s"))
    return summarised(read_profile(*text, file), profile_summary);
  if (root.has("checks")) return conformance::report_summary(*text, file);
  if (root.has("schema_version")) return validated_record(*text, file);
  if (root.has("routing_trace_version")) return validated_trace(*text, file, catalogue);
  if (root.has("quick") || root.has("full") || root.has("extends")) {
    return summarised(catalogue.suite_from(*text, file), suite_summary);
  }
  if (root.has("dit") || root.has("vae")) return summarised(parse_video(*text, file), video_summary);
  if (root.has("hidden") || root.has("layers")) return summarised(parse_model(*text, file), model_summary);
  if (!input.ok()) return input.error();
  return bad_input(file +
                   ": expected a suite (quick, full or extends), a model (layers, hidden), a video model (dit, "
                   "vae), a routing trace (routing_trace_version), a conformance report (checks), a profile "
                   "(profile_version) or a record (schema_version), found none of these fields");
}

void print_faults(const std::string& file, const Error& error) {
  if (error.faults.empty()) {
    put_text(visible(error.message) + "\n");
    return;
  }
  for (const Fault& f : error.faults) {
    const std::string line = f.line > 0 ? ":" + std::to_string(f.line) : "";
    put_text(visible(file + line + ": " + f.message) + "\n");
  }
}

Result<int> validate(const Arguments& arguments) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  size_t bad = 0;
  for (const std::string& file : arguments.operands()) {
    const Result<std::string> held = validated(file, *catalogue);
    if (held.ok()) {
      put_text(visible(file + ": valid: " + *held) + "\n");
    } else {
      print_faults(file, held.error());
      ++bad;
    }
  }
  return bad == 0 ? kExitOk : kExitBadInput;
}

}  // namespace

CommandSpec validate_command() {
  CommandSpec spec;
  spec.name = "validate";
  spec.summary = "all that is wrong with a suite, model, record or report";
  spec.operands = "FILE...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Says all that is wrong with each file at once, as FILE:LINE: FIELD: what was expected and what was found, and "
      "ends with code 2; of a valid file it says what it holds. A file's kind (suite, model, video model, routing "
      "trace, record, profile, conformance report) follows from its fields. What a record states is also held against "
      "what its "
      "samples and its case come to. An id is a checksum, not a signature.";
  spec.examples = {
      {"assay validate my-suite.json", "before the first run"},
      {"assay validate assay-out/quickstart/*.record.json", "nothing was changed since they were written"}};
  spec.run = validate;
  return spec;
}

}  // namespace assay
