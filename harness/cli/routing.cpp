#include "harness/cli/common.h"
#include "harness/cli/terminal.h"
#include "suites/base/nearest.h"
#include "suites/routing_trace.h"

namespace assay {
namespace {

constexpr int64_t kMaxRows = 1 << 20;

Result<int64_t> integer_option(const Arguments& a, const char* option, int64_t otherwise, int64_t min, int64_t max) {
  return a.has(option) ? integer_value(std::string("--") + option, a.text(option), min, max)
                       : Result<int64_t>(otherwise);
}

Result<int> routing(const Arguments& a) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const Result<ModelShape> model = catalogue->model(a.operands().front());
  if (!model.ok()) return model.error();
  if (!model->has_moe()) return bad_input("model '" + model->name + "' has no experts to route to");
  Result<Routing> drawn = parse_routing(a.has("distribution") ? a.text("distribution") : "uniform");
  if (!drawn.ok()) return bad_input("--distribution: " + drawn.error().message);
  if (drawn->kind == Routing::Kind::kTrace) return bad_input("--distribution: a trace is what this command writes");
  const int64_t all = model->layers - model->moe.dense_layers;
  const Result<int64_t> layers = integer_option(a, "layers", all, 1, all);
  if (!layers.ok()) return layers.error();
  const Result<int64_t> rows = integer_option(a, "rows", 256, 1, kMaxRows);
  if (!rows.ok()) return rows.error();
  const Result<int64_t> seed = integer_option(a, "seed", 1, 0, INT64_MAX);
  if (!seed.ok()) return seed.error();
  drawn->seed = static_cast<uint64_t>(*seed);
  const std::string text = routing_trace_to_json(draw_routing_trace(*model, *drawn, *layers, *rows));
  if (!a.has("out")) {
    put_text(text);
    return kExitOk;
  }
  const Status written = write_file_atomic(a.text("out"), text);
  if (!written.ok()) return bad_input("--out: " + written.error().message);
  return kExitOk;
}

}  // namespace

CommandSpec routing_command() {
  CommandSpec spec;
  spec.name = "routing";
  spec.summary = "write a routing trace of a model with experts";
  spec.operands = "MODEL";
  spec.min_operands = 1;
  spec.max_operands = 1;
  spec.complete = Complete::kModel;
  spec.about =
      "A suite replays a trace by \"routing\": [\"trace:FILE\"]. The file is one JSON object: routing_trace_version "
      "(1), "
      "model, source (where the choices come from), experts, top_k, and layers: for each layer with experts a list of "
      "rows (tokens), each the top_k different experts of that token. A case's i-th layer "
      "with experts takes layers[i mod count], its row m the row m mod count. A trace of a real model has the same "
      "form. "
      "'assay validate FILE' says what a trace holds, or all that is wrong with it.";
  spec.options = {{"distribution",
                   "ROUTING",
                   "uniform, zipf:ALPHA, log-normal:SIGMA, k-hot or k-hot:EXPERTS; default uniform",
                   Complete::kNothing,
                   {},
                   false},
                  {"layers", "N", "layers with experts; default all", Complete::kNothing, {}, false},
                  {"rows", "N", "tokens of each; default 256", Complete::kNothing, {}, false},
                  {"seed", "N", "of the draw; default 1", Complete::kNothing, {}, false},
                  {"out", "FILE", "default: standard output", Complete::kFile, {}, false}};
  spec.examples = {{"assay routing qwen3-30b-a3b --distribution zipf:1.2 --rows 64 --out trace.json",
                    "choices of 64 tokens in every layer, drawn"},
                   {"assay run moe-routing --routing trace:trace.json", "and replayed"}};
  spec.run = routing;
  return spec;
}

}  // namespace assay
