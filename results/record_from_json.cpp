#include <algorithm>
#include <nlohmann/json.hpp>

#include "results/old_int8.h"
#include "results/record.h"
#include "results/record_id.h"
#include "results/record_parts.h"
#include "suites/base/hash.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

using namespace record_parts;

void made_by(const JsonNode& root, Record* r) {
  r->schema_version = static_cast<int>(root.at("schema_version").integer(kRecordSchemaVersion, kRecordSchemaVersion));
  r->id = text_at(root, "id");
  r->created = text_at(root, "created");
  r->tool_version = text_at(root, "tool_version");
  r->tool_commit = text_at(root, "tool_commit");
  r->build_flags = text_at(root, "build_flags");
  r->tier = text_at(root, "tier");
  r->basis = root.at("basis").text_of({"measured", "simulated", "projected", "reported"});
  r->status = root.at("status").text_of({"ok", "failed", "unsupported", "interrupted"});
  r->reason = text_at(root, "reason");
}

void work(const JsonNode& root, Record* r) {
  r->suite = text_at(root, "suite");
  r->suite_hash = text_at(root, "suite_hash");
  r->case_id = text_at(root, "case_id");
  r->case_hash = text_at(root, "case_hash");
  r->case_json = embedded(root, "case");
  r->form = text_at(root, "form");
  r->model = text_at(root, "model");
  r->dtype = text_at(root, "dtype");
  r->step_kind = text_at(root, "step_kind");
  r->token_class = text_at(root, "token_class");
  r->executed = text_at(root, "executed");
  r->batch = root.at("batch").integer(0, kMaxInt);
  r->tokens = root.at("tokens").integer(0, kMaxInt);
  r->context = root.at("context").integer(0, kMaxInt);
  r->tokens_per_step = root.at("tokens_per_step").integer(0, kMaxInt);
  r->step_flops = amount(root, "step_flops");
  r->step_weight_bytes = amount(root, "step_weight_bytes");
  r->step_kv_bytes = amount(root, "step_kv_bytes");
  r->step_activation_bytes = amount(root, "step_activation_bytes");
  r->seed = size_at(root, "seed");
}

void place(const JsonNode& root, Record* r) {
  r->adapter = text_at(root, "adapter");
  r->adapter_version = text_at(root, "adapter_version");
  r->adapter_vendor = text_at(root, "adapter_vendor");
  r->adapter_build_json = embedded(root, "adapter_build");
  r->adapter_abi = text_at(root, "adapter_abi");
  r->device = text_at(root, "device");
  r->device_product = text_at(root, "device_product");
  r->device_arch = text_at(root, "device_arch");
  r->device_driver = text_at(root, "device_driver");
  r->device_serial_hash = text_at(root, "device_serial_hash");
  r->device_memory_bytes = size_at(root, "device_memory_bytes");
  r->support = text_at(root, "support");
  if (root.has("adapter_options")) r->adapter_options = text_map(root.at("adapter_options"));
  r->threads = static_cast<int>(root.at("threads").integer(0, 1 << 20));
  r->environment = text_map(root.at("environment"));
  r->warnings = texts(root.at("warnings"));
}

void found(const JsonNode& root, Record* r) {
  r->prepare_s = amount(root, "prepare_s");
  r->load_s = amount(root, "load_s");
  r->lowering = text_at(root, "lowering");
  r->launches = static_cast<uint32_t>(root.at("launches").unsigned_integer(UINT32_MAX));
  r->program_bytes = size_at(root, "program_bytes");
  if (root.has("planned_bytes")) r->planned_bytes = size_at(root, "planned_bytes");
  if (root.has("taken_bytes")) r->taken_bytes = size_at(root, "taken_bytes");
  r->samples = samples(root.at("samples"));
  if (root.has("run_launches")) r->run_launches = run_launches(root.at("run_launches"), r->samples.host_ns.size());
  r->stop = stop(root.at("stop"));
  r->numerics = numerics(root.at("numerics"));
  r->counters = counters(root.at("counters"));
  r->noise = noise(root.at("noise"));
  r->ceiling = ceiling(root.at("ceiling"));
  if (root.has("extrapolation")) {
    r->extrapolation = extrapolation(root.at("extrapolation"));
  } else {
    (void)root.at("extrapolation");
  }
  if (root.has("routing")) r->routing = routing(root.at("routing"));
  r->energy = energy(root.at("energy"));
  r->timing_truth = text_map(root.at("timing_truth"));
  if (root.has("reported")) r->reported = reported(root.at("reported"));
  if ((r->basis == "reported") != r->reported.has_value() && root.present()) {
    root.at("basis").fail("expected the basis \"reported\" exactly where there is a field \"reported\"");
  }
  if (r->reported && r->reported->figures.empty() && r->status == "ok") {
    root.at("reported").at("figures").fail("expected at least one figure of a record that is ok, found none");
  }
}

const std::vector<std::string>& root_fields() {
  static const std::vector<std::string> kFields = [] {
    std::vector<std::string> fields{"schema_version",
                                    "id",
                                    "created",
                                    "tool_version",
                                    "tool_commit",
                                    "build_flags",
                                    "tier",
                                    "basis",
                                    "status",
                                    "reason",
                                    "suite",
                                    "suite_hash",
                                    "case_id",
                                    "case_hash",
                                    "case",
                                    "form",
                                    "model",
                                    "dtype",
                                    "step_kind",
                                    "token_class",
                                    "executed",
                                    "batch",
                                    "tokens",
                                    "context",
                                    "tokens_per_step",
                                    "step_flops",
                                    "step_weight_bytes",
                                    "step_kv_bytes",
                                    "step_activation_bytes",
                                    "seed",
                                    "adapter",
                                    "adapter_version",
                                    "adapter_vendor",
                                    "adapter_build",
                                    "adapter_abi",
                                    "adapter_options",
                                    "device",
                                    "device_product",
                                    "device_arch",
                                    "device_driver",
                                    "device_serial_hash",
                                    "device_memory_bytes",
                                    "support",
                                    "threads",
                                    "environment",
                                    "warnings",
                                    "prepare_s",
                                    "load_s",
                                    "lowering",
                                    "run_launches",
                                    "launches",
                                    "program_bytes",
                                    "planned_bytes",
                                    "taken_bytes",
                                    "samples",
                                    "stop",
                                    "numerics",
                                    "counters",
                                    "noise",
                                    "ceiling",
                                    "extrapolation",
                                    "routing",
                                    "energy",
                                    "timing_truth",
                                    "reported"};
    std::sort(fields.begin(), fields.end());
    return fields;
  }();
  return kFields;
}

}  // namespace

std::string record_id(const std::string& record_json) {
  nlohmann::json body = nlohmann::json::parse(record_json, nullptr, false);
  if (body.is_object()) body.erase("id");
  return xxh3_128_hex(body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Result<Record> record_from_json(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields(root_fields());
  Record record;
  made_by(root, &record);
  work(root, &record);
  place(root, &record);
  found(root, &record);
  if (!input.ok()) return input.error();
  // As record_id(), but without reading the text a second time.
  const std::string expected = record.id.empty() ? "" : xxh3_128_hex(root.canonical_without("id"));
  if (record.id != expected) {
    // Which hash it should be is not told: a checksum that one can ask for checks nothing.
    root.at("id").fail("expected the hash of the content, found " + record.id +
                       ": the record was changed after it was written");
    return input.error();
  }
  mark_old_int8(&record);
  return record;
}

}  // namespace assay
