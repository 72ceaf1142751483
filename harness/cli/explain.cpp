#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/explain_clip.h"
#include "harness/cli/explain_peaks.h"
#include "harness/cli/find_case.h"
#include "harness/cli/terminal.h"
#include "harness/run/layers.h"
#include "harness/run/routing_report.h"
#include "reports/format.h"
#include "reports/text.h"
#include "results/metrics/roofline.h"
#include "results/metrics/skew.h"
#include "results/metrics/video_clip.h"
#include "results/part.h"
#include "suites/base/visible.h"
#include "suites/pages.h"

namespace assay {
namespace {

using nlohmann::json;

struct Explained {
  Case work;
  int64_t layers = 0;  // shown
  std::vector<OpGroup> groups;
  double flops = 0, bytes = 0;
  double whole_flops = 0, whole_bytes = 0;  // of all layers
  GraphMemory memory;                       // of all layers
  std::optional<Peaks> peaks;
  std::string memory_text;
  std::optional<RoutingReport> routing;  // of the layers shown
  std::vector<ClipBound> clips;          // of a denoising pass, by the peaks
  std::string run;  // how a record of the case stands to its own peaks and to a datasheet; "": none
};

std::string scaled(double value, const char* unit) {
  constexpr std::array<const char*, 6> kPrefixes{"", "k", "M", "G", "T", "P"};
  size_t p = 0;
  for (; value >= 1000 && p + 1 < kPrefixes.size(); ++p) value /= 1000;
  return number_text(value, value >= 100 ? 4 : 3) + " " + kPrefixes[p] + unit;
}

std::string intensity_text(double flops_per_byte) {
  return flops_per_byte < 1000 ? number_text(flops_per_byte, 3) : std::to_string(std::llround(flops_per_byte));
}

// Where the model's shape comes from, and what of the model it leaves out or assumes.
std::string shape_text(const Case& work) {
  const bool video = !work.video.name.empty();
  const std::string& source = video ? work.video.source : work.model.source;
  const std::string& note = video ? work.video.note : work.model.note;
  if (source.empty()) return "";
  return "shape: " + source + (note.empty() ? "" : source.ends_with(".") ? " " + note : ". " + note);
}

std::string routing_text(const RoutingReport& r) {
  const std::string seed = r.expected_active ? ", seed " + std::to_string(r.seed) : "";
  const std::string expected =
      r.expected_active ? " (" + number_text(*r.expected_active, 4) + " expected by the distribution)" : "";
  return "routing: " + r.distribution + seed + ": " + number_text(active_experts(r), 4) + " of " +
         std::to_string(r.experts) + " experts get a token in a layer" + expected + ", " + std::to_string(r.top_k) +
         " a token; an expert's weights take " + scaled(r.expert_bytes, "B") + " a layer";
}

// MFU and MBU of a record against the datasheet and, apart, against what was attainable beside it.
Result<std::string> run_text(const std::string& file, const Case& work, const Peaks& sheet) {
  const Result<Record> record = read_record(file);
  if (!record.ok()) return record.error();
  if (record->case_hash != work.hash()) {
    return bad_input("--record: " + file + ": expected a record of " + work.id() + ", found one of " + record->case_id);
  }
  const std::optional<RooflinePoint> point = step_roofline(*record);
  if (!point || !point->seconds) return bad_input("--record: " + file + ": it has no timed steps with ceilings");
  const auto shares = [&](double flops_per_s, double bytes_per_s) {
    return "MFU " + percent_text(point->flops / *point->seconds / flops_per_s) + ", MBU " +
           percent_text(point->bytes / *point->seconds / bytes_per_s);
  };
  const std::string part = part_text(*record);
  const Attainable beside = attainable(*record);
  return "record " + record->id.substr(0, 8) + " (" + record->basis + " on " + record->device +
         (part.empty() ? "" : ", " + part + " ran") + "): " + time_text(*point->seconds * 1e9) +
         " a step; of the datasheet " + shares(sheet.flops_per_s, sheet.bytes_per_s) + "; of the attainable peaks " +
         shares(*beside.flops_per_s, *beside.bytes_per_s);
}

Result<Explained> explained(const Case& work, int64_t layers, bool all) {
  Explained e;
  e.work = work;
  e.layers = layers == 0 ? work.layers() : layers;
  LowerOptions options;
  options.layers = layers;
  const Result<Graph> graph = lower(work, options);
  if (!graph.ok()) return graph.error();
  const std::vector<int64_t> scalars = step_scalars(work, *graph);
  e.groups = op_groups(*graph, scalars, all);
  e.routing = routing_report(*graph, work);
  const auto add = [&](const Graph& g, double* flops, double* bytes) {
    const GraphCost cost = graph_cost(g, scalars);
    *flops = cost.flops;
    *bytes = cost.weight_bytes + cost.kv_bytes + cost.activation_bytes;
  };
  add(*graph, &e.flops, &e.bytes);
  const Result<Graph> whole = lower(work, {});
  if (!whole.ok()) return whole.error();
  add(*whole, &e.whole_flops, &e.whole_bytes);
  e.memory = graph_memory(*whole);
  return e;
}

// What the whole model takes, and how much of it the device holds.
Result<std::string> model_memory_text(const Case& work, const GraphMemory& m, const std::optional<NamedPeaks>& device) {
  std::string text = "memory: " + bytes_text(m.total()) + ": weights " + bytes_text(m.weight_bytes) +
                     (m.state_bytes > 0 ? ", cache " + bytes_text(m.state_bytes) : "") + ", the rest " +
                     bytes_text(m.io_bytes + m.scratch_peak_bytes);
  if (!device || device->memory_bytes == 0) return text;
  DeviceInfo info;
  info.memory_bytes = device->memory_bytes;
  const std::string where = device->name + " (" + bytes_text(device->memory_bytes) + ")";
  const Result<LayerPlan> plan = layers_by_memory(work, info);
  if (!plan.ok() && plan.error().kind != ErrorKind::kOutOfMemory) return plan.error();
  if (plan.ok() && plan->whole()) return text + "; fits " + where;
  text += plan.ok()
              ? "; " + where + " runs " + std::to_string(plan->run) + " of " + std::to_string(plan->total) + " layers"
              : "; not even one layer fits " + where;
  if (plan.ok() && plan->experts_run < plan->experts_total) {
    text += " with " + std::to_string(plan->experts_run) + " of " + std::to_string(plan->experts_total) + " experts";
  }
  const double usable = static_cast<double>(*usable_bytes(info));
  return text + "; the whole takes the memory of at least " +
         std::to_string(static_cast<int64_t>(std::ceil(static_cast<double>(m.total()) / usable))) + " of them";
}

std::string share_text(const Explained& e) {
  if (e.work.layers() == 0) return "the whole step: it has no repeated layers";
  return std::to_string(e.layers) + " of " + std::to_string(e.work.layers()) +
         " layers: " + percent_text(e.whole_flops > 0 ? e.flops / e.whole_flops : 1) + " of the FLOPs and " +
         percent_text(e.bytes / e.whole_bytes) + " of the bytes of the whole model's step";
}

std::vector<std::string> headings(const Explained& e) {
  std::vector<std::string> out{"layers", "op", "kind", "n", "FLOP", "bytes", "FLOP/B", "share"};
  if (e.peaks) out.insert(out.end(), {"bound", "least time"});
  out.emplace_back("shape of one");
  return out;
}

std::vector<std::string> cells(const Explained& e, const OpGroup& g) {
  const auto n = static_cast<double>(g.count);
  std::vector<std::string> out{g.layer.empty() ? "-" : g.layer,
                               g.name,
                               g.kind,
                               std::to_string(g.count),
                               scaled(n * g.each.flops, ""),
                               scaled(n * g.bytes(), "B"),
                               intensity_text(g.intensity()),
                               percent_text(e.flops > 0 ? n * g.each.flops / e.flops : n * g.bytes() / e.bytes)};
  if (e.peaks) {
    const Bound bound = roofline(g, *e.peaks);
    out.insert(out.end(), {bound.compute ? "compute" : "memory", time_text(n * bound.seconds * 1e9)});
  }
  out.push_back(g.shape);
  return out;
}

std::vector<std::string> footer(const Explained& e) {
  std::vector<std::string> out{"step: " + scaled(e.flops, "FLOP") + ", " + scaled(e.bytes, "B") + ", " +
                               intensity_text(e.flops / e.bytes) + " FLOP/B; " + share_text(e)};
  out.push_back(e.memory_text);
  if (e.work.paged()) out.push_back("KV cache: " + pages_text(e.work));
  if (e.routing) out.push_back(routing_text(*e.routing));
  if (const std::string shape = shape_text(e.work); !shape.empty()) out.push_back(shape);
  if (!e.peaks) {
    out.emplace_back(
        "no roofline: name a device (--device), a chip (--chip) or a record with measured ceilings (--record)");
    return out;
  }
  double seconds = 0;
  for (const OpGroup& g : e.groups) seconds += static_cast<double>(g.count) * roofline(g, *e.peaks).seconds;
  out.push_back("least time of the step, op by op: " + time_text(seconds * 1e9) + " (projected)");
  out.push_back("peaks: " + scaled(e.peaks->flops_per_s, "FLOP/s") + " and " + scaled(e.peaks->bytes_per_s, "B/s") +
                ", so compute-bound from " + number_text(e.peaks->flops_per_s / e.peaks->bytes_per_s, 3) + " FLOP/B; " +
                e.peaks->source);
  for (const ClipBound& b : e.clips) out.push_back(clip_bound_text(e.work, b));
  if (!e.run.empty()) out.push_back(e.run);
  return out;
}

std::string as_json(const Explained& e) {
  json ops = json::array();
  for (const OpGroup& g : e.groups) {
    json op = {{"layers", g.layer},
               {"op", g.name},
               {"kind", g.kind},
               {"count", g.count},
               {"shape", g.shape},
               {"flops_each", g.each.flops},
               {"weight_bytes_each", g.each.weight_bytes},
               {"kv_bytes_each", g.each.kv_bytes},
               {"activation_bytes_each", g.each.activation_bytes},
               {"flops_per_byte", g.intensity()}};
    if (e.peaks) {
      const Bound bound = roofline(g, *e.peaks);
      op["bound"] = bound.compute ? "compute" : "memory";
      op["least_seconds_each"] = bound.seconds;
    }
    ops.push_back(std::move(op));
  }
  json out = {{"case", e.work.id()},
              {"layers", e.layers},
              {"layers_total", e.work.layers()},
              {"flops", e.flops},
              {"bytes", e.bytes},
              {"flops_share_of_model", e.whole_flops > 0 ? e.flops / e.whole_flops : 1},
              {"bytes_share_of_model", e.bytes / e.whole_bytes},
              {"shape", shape_text(e.work)},
              {"memory_bytes", e.memory.total()},
              {"weight_memory_bytes", e.memory.weight_bytes},
              {"cache_memory_bytes", e.memory.state_bytes},
              {"ops", ops}};
  if (e.peaks) {
    out["peaks"] = {
        {"flops_per_s", e.peaks->flops_per_s}, {"bytes_per_s", e.peaks->bytes_per_s}, {"source", e.peaks->source}};
  }
  if (e.work.paged()) {
    out["kv_layout"] = "paged";
    out["page_tokens"] = e.work.page_tokens;
    out["page_seed"] = e.work.page_seed;
  }
  if (e.routing) {
    out["routing"] = {
        {"distribution", e.routing->distribution},
        {"seed", e.routing->expected_active ? json(e.routing->seed) : json(nullptr)},
        {"experts", e.routing->experts},
        {"top_k", e.routing->top_k},
        {"active_experts", active_experts(*e.routing)},
        {"expected_active_experts", e.routing->expected_active ? json(*e.routing->expected_active) : json(nullptr)},
        {"expert_bytes", e.routing->expert_bytes}};
  }
  for (const ClipBound& b : e.clips) {
    out["clips"].push_back({{"steps", b.schedule.steps},
                            {"passes", b.schedule.passes},
                            {"least_seconds", b.seconds()},
                            {"least_chips_under_30_s", chips_for(b.seconds(), kClipLimitS, 1)},
                            {"basis", "projected"}});
  }
  if (!e.run.empty()) out["run"] = e.run;
  return out.dump(2) + "\n";
}

std::string as_markdown(const Explained& e) {
  std::vector<GridColumn> columns;
  for (const std::string& heading : headings(e)) columns.push_back({heading});
  GridRows rows;
  for (const OpGroup& g : e.groups) rows.push_back(cells(e, g));
  std::string out = "## " + markdown_escaped(e.work.id()) + "\n\n" + markdown_grid(columns, rows) + "\n";
  for (const std::string& line : footer(e)) out += markdown_item(line);
  return out;
}

std::string as_text(const Explained& e) {
  TextTable table(headings(e));
  for (size_t column = 3; column <= 7; ++column) table.align_right(column);
  if (e.peaks) table.align_right(9);
  for (const OpGroup& g : e.groups) table.row(cells(e, g));
  std::string out = e.work.id() + "\n\n" + table.render(stdout_options()) + "\n";
  for (const std::string& line : footer(e)) out += visible(line) + "\n";
  return out;
}

Result<int> explain(const Arguments& a) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const Result<Suite> suite = catalogue->suite(a.operands()[0]);
  if (!suite.ok()) return suite.error();
  const Result<Case> work = find_case(*suite, a.operands()[1]);
  if (!work.ok()) return work.error();
  int64_t layers = 0;
  if (a.has("layers")) {
    const Result<int64_t> value = integer_value("--layers", a.text("layers"), 1, std::max<int64_t>(work->layers(), 1));
    if (!value.ok()) return value.error();
    layers = *value;
  }
  Result<Explained> made = explained(*work, layers, a.has("all"));
  if (!made.ok()) return made.error();
  const Result<std::optional<NamedPeaks>> peaks = named_peaks(a, work->dtype);
  if (!peaks.ok()) return peaks.error();
  Result<std::string> memory = model_memory_text(*work, made->memory, *peaks);
  if (!memory.ok()) return memory.error();
  made->memory_text = std::move(memory).value();
  if (peaks->has_value()) made->peaks = (*peaks)->peaks;
  if (made->peaks && work->kind == StepKind::kDit) {
    Result<std::vector<ClipBound>> clips = clip_bounds(*work, *made->peaks);
    if (!clips.ok()) return clips.error();
    made->clips = std::move(clips).value();
  }
  if (a.has("chip") && a.has("record")) {
    Result<std::string> run = run_text(a.text("record"), *work, *made->peaks);
    if (!run.ok()) return run.error();
    made->run = std::move(run).value();
  }
  const TableFormat format = table_format(a);
  const std::string text = format == TableFormat::kJson       ? as_json(*made)
                           : format == TableFormat::kMarkdown ? as_markdown(*made)
                                                              : as_text(*made);
  put_table(text);
  return kExitOk;
}

}  // namespace

CommandSpec explain_command() {
  CommandSpec spec;
  spec.name = "explain";
  spec.summary = "what a case is made of: ops, FLOPs, bytes, and what bounds them";
  spec.operands = "SUITE CASE";
  spec.min_operands = 2;
  spec.max_operands = 2;
  spec.complete = Complete::kSuite;
  spec.complete_next = Complete::kCase;
  spec.about =
      "CASE is a case's id, a part of it or a pattern that only one case has. Ops that are equal in all layers stand "
      "in "
      "one row with their count. FLOPs and bytes are what the work needs at least, whatever the device does. With "
      "--device the peaks are measured (a few seconds), with --record they are the ceilings that were measured beside "
      "it, with --chip those of its datasheet: each op's least time, and whether arithmetic or memory sets it. --chip "
      "and --record together add the record's MFU and MBU against both.";
  OptionSpec format = format_option();
  format.words = {"text", "md", "json"};
  spec.options = {{"device", "DEVICE", "measure this device's peaks", Complete::kDevice, {}, false},
                  {"record", "FILE", "take the peaks from this record", Complete::kFile, {}, false},
                  {"chip", "NAME", "take the peaks from this chip's datasheet", Complete::kChip, {}, false},
                  {"layers", "N", "a step of only N of the model's layers", Complete::kNothing, {}, false},
                  {"all", "", "every op by itself", Complete::kNothing, {}, false},
                  format,
                  json_option(),
                  adapter_option()};
  spec.examples = {
      {"assay explain decode smollm2-135m/f32/b1/c512", "the ops of a decode step"},
      {"assay explain video-diffusion dit/wan2.1-14b/bf16/b1/81f720x1280 --format md", "one denoising pass"},
      {"assay explain prefill smollm2-135m/f32/b1/t512 --device cpu:0", "and what bounds each op here"},
      {"assay explain prefill qwen3-32b/bf16/b1/t2048 --chip h20", "and by a datasheet"}};
  spec.run = explain;
  return spec;
}

}  // namespace assay
