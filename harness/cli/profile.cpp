#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/cli/common.h"
#include "harness/cli/find_case.h"
#include "harness/cli/interrupt.h"
#include "harness/cli/terminal.h"
#include "harness/run/profile_run.h"
#include "reports/format.h"
#include "suites/profile.h"

namespace assay {
namespace {

using nlohmann::json;

// Ops of one group: equal work in every layer, summed over the step.
struct Row {
  OpGroup group;
  double seconds = 0;
  uint32_t calls = 0;
  std::vector<double> counts;  // by counter of the run, of one step
};

struct Sheet {
  Case work;
  std::string device;
  ProfileRun run;
  std::vector<Row> rows;
};

std::string rate_text(double per_s, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t p = 0;
  for (; per_s >= 1000 && p + 1 < std::size(kPrefixes); ++p) per_s /= 1000;
  return number_text(per_s, 3) + " " + kPrefixes[p] + unit;
}

// "81.2 %" of what the device attained; "-" where that was not measured or the op has none of it.
std::string share_of(double per_s, const std::optional<double>& attainable) {
  return attainable && per_s > 0 ? percent_text(per_s / *attainable) : "-";
}

// Groups hold their ops in the order of the graph, so one walk finds each op's group again.
std::vector<Row> rows_of(const ProfileRun& run) {
  const std::vector<OpGroup> each = op_groups(run.graph, run.scalars, true);
  std::vector<Row> rows;
  for (size_t i = 0; i < each.size(); ++i) {
    auto same = std::find_if(rows.begin(), rows.end(), [&](const Row& row) {
      return row.group.name == each[i].name && row.group.kind == each[i].kind && row.group.shape == each[i].shape &&
             row.group.each.flops == each[i].each.flops;
    });
    if (same == rows.end()) {
      rows.push_back({each[i], 0, 0, std::vector<double>(run.counters.size(), 0)});
      rows.back().group.count = 0;
      same = rows.end() - 1;
    }
    ++same->group.count;
    same->seconds += run.op_seconds[i];
    same->calls += run.op_calls[i];
    for (size_t c = 0; c < run.counters.size(); ++c) {
      if (run.counters[c].reason.empty()) same->counts[c] += run.counters[c].by_op[i];
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  return rows;
}

double overhead(const ProfileRun& run) { return run.traced_step_s / run.plain_step_s - 1; }

std::vector<std::string> footer(const Sheet& s) {
  const ProfileRun& run = s.run;
  std::vector<std::string> out;
  const auto ns = [](double seconds) { return time_text(seconds * 1e9); };
  out.push_back("step: " + ns(run.plain_step_s) + " without tracing, " + ns(run.traced_step_s) + " with it (" +
                (overhead(run) >= 0 ? "+" : "") + percent_text(overhead(run)) + "); " + std::to_string(run.steps) +
                " steps traced, " + std::to_string(run.dropped) + " records lost");
  out.push_back("between the ops: " + ns(std::max(0.0, run.traced_step_s - run.busy_s)) + " of the traced step");
  if (run.ceiling.flops_per_s && run.ceiling.read_bytes_per_s) {
    out.push_back("attainable, measured before: " + rate_text(*run.ceiling.flops_per_s, "FLOP/s") + " (GEMM, " +
                  run.ceiling.flops_dtype + "), " + rate_text(*run.ceiling.read_bytes_per_s, "B/s") + " (read)");
  } else {
    out.push_back("no attainable peaks: " + run.ceiling.reason);
  }
  if (run.layers != run.layers_total) {
    out.push_back(std::to_string(run.layers) + " of " + std::to_string(run.layers_total) +
                  " layers: " + run.layers_reason);
  }
  for (const OpCounter& c : run.counters) {
    if (!c.reason.empty()) out.push_back("no " + c.name + " per op: " + c.reason);
  }
  if (run.counters.empty()) out.push_back("no counters of the host per op: " + run.counters_reason);
  out.push_back("basis: " + s.run.basis + " on " + s.device + "; a pass of its own, whose times enter no record");
  return out;
}

// "PAPI_TOT_CYC" -> "TOT_CYC", "perf::TASK-CLOCK" -> "TASK-CLOCK"
std::string short_name(const std::string& counter) {
  const size_t at = counter.find(counter.rfind("PAPI_", 0) == 0 ? "_" : "::");
  return at == std::string::npos ? counter : counter.substr(at + (counter[at] == '_' ? 1 : 2));
}

std::vector<std::string> headings(const Sheet& s) {
  std::vector<std::string> out{"op",     "kind",          "n",   "calls",        "time", "share",
                               "FLOP/s", "of attainable", "B/s", "of attainable"};
  for (const OpCounter& c : s.run.counters) {
    if (c.reason.empty()) out.push_back(short_name(c.name));
  }
  return out;
}

std::vector<std::string> cells(const Sheet& s, const Row& row) {
  const auto n = static_cast<double>(row.group.count);
  const double flops = row.seconds > 0 ? n * row.group.each.flops / row.seconds : 0;
  const double bytes = row.seconds > 0 ? n * row.group.bytes() / row.seconds : 0;
  std::vector<std::string> out{row.group.name,
                               row.group.kind,
                               std::to_string(row.group.count),
                               std::to_string(row.calls),
                               time_text(row.seconds * 1e9),
                               percent_text(row.seconds / s.run.busy_s),
                               flops > 0 ? rate_text(flops, "") : "-",
                               share_of(flops, s.run.ceiling.flops_per_s),
                               rate_text(bytes, ""),
                               share_of(bytes, s.run.ceiling.read_bytes_per_s)};
  for (size_t c = 0; c < row.counts.size(); ++c) {
    if (s.run.counters[c].reason.empty()) out.push_back(rate_text(row.counts[c], ""));
  }
  return out;
}

std::string as_table(const Sheet& s, bool markdown) {
  std::string out = (markdown ? "## " : "") + s.work.id() + " on " + s.device + "\n\n";
  TextTable table(headings(s));
  for (size_t column = 2; column < headings(s).size(); ++column) table.align_right(column);
  if (markdown) {
    std::string rule = "|";
    out += "|";
    for (const std::string& h : headings(s)) {
      out += " " + h + " |";
      rule += "---|";
    }
    out += "\n" + rule + "\n";
  }
  for (const Row& row : s.rows) {
    if (!markdown) {
      table.row(cells(s, row));
      continue;
    }
    out += "|";
    for (const std::string& cell : cells(s, row)) out += " " + cell + " |";
    out += "\n";
  }
  if (!markdown) out += table.render(stdout_options());
  out += "\n";
  for (const std::string& line : footer(s)) out += (markdown ? "- " : "") + line + "\n";
  return out;
}

// By counter: a step's count, or null where there is none.
json counts_of(const Sheet& s, const Row& row) {
  json out = json::object();
  for (size_t c = 0; c < row.counts.size(); ++c) {
    out[s.run.counters[c].name] = s.run.counters[c].reason.empty() ? json(row.counts[c]) : json(nullptr);
  }
  return out;
}

json number_or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

std::string as_json(const Sheet& s) {
  json ops = json::array();
  for (const Row& row : s.rows) {
    ops.push_back({{"op", row.group.name},
                   {"kind", row.group.kind},
                   {"count", row.group.count},
                   {"calls", row.calls},
                   {"seconds", row.seconds},
                   {"share", row.seconds / s.run.busy_s},
                   {"flops_each", row.group.each.flops},
                   {"bytes_each", row.group.bytes()},
                   {"counters", counts_of(s, row)},
                   {"shape", row.group.shape}});
  }
  const json out = {{"case", s.work.id()},
                    {"device", s.device},
                    {"basis", s.run.basis},
                    {"layers", s.run.layers},
                    {"layers_total", s.run.layers_total},
                    {"step_s", s.run.plain_step_s},
                    {"step_traced_s", s.run.traced_step_s},
                    {"overhead", overhead(s.run)},
                    {"busy_s", s.run.busy_s},
                    {"steps", s.run.steps},
                    {"dropped", s.run.dropped},
                    {"attainable_flops_per_s", number_or_null(s.run.ceiling.flops_per_s)},
                    {"attainable_bytes_per_s", number_or_null(s.run.ceiling.read_bytes_per_s)},
                    {"ops", ops}};
  return out.dump(2) + "\n";
}

// Trace Event Format, as Perfetto and chrome://tracing read it: complete events, times in microseconds. One row of the
// graph's ops, one of what the adapter ran for them.
std::string as_trace(const Sheet& s) {
  json events = json::array();
  for (const auto& [tid, name] : {std::pair{1, "ops"}, std::pair{2, "calls"}}) {
    events.push_back({{"ph", "M"}, {"name", "thread_name"}, {"pid", 1}, {"tid", tid}, {"args", {{"name", name}}}});
  }
  events.push_back(
      {{"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"args", {{"name", s.device + " " + s.work.id()}}}});
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1e3; };
  const auto complete = [&](int tid, const std::string& name, uint64_t begin, uint64_t end, const Op& op) {
    events.push_back({{"ph", "X"},
                      {"name", name},
                      {"cat", op_kind_name(op.kind)},
                      {"pid", 1},
                      {"tid", tid},
                      {"ts", us(begin)},
                      {"dur", us(end - begin)},
                      {"args", {{"op", op.name}, {"layer", op.layer}}}});
  };
  const std::vector<ProfiledSpan>& last = s.run.last;
  for (size_t i = 0; i < last.size();) {
    size_t end = i;
    while (end < last.size() && last[end].op == last[i].op) ++end;
    const Op& op = s.run.graph.ops[last[i].op];
    complete(1, op.name, last[i].begin_ns, last[end - 1].end_ns, op);
    for (; i < end; ++i) complete(2, last[i].name, last[i].begin_ns, last[i].end_ns, op);
  }
  return json{{"traceEvents", events}, {"displayTimeUnit", "ns"}}.dump() + "\n";
}

Status write_whole(const std::string& file, const std::string& text) {
  const std::string part = file + ".part";
  std::ofstream out(part, std::ios::binary);
  out << text;
  out.close();
  if (!out || std::rename(part.c_str(), file.c_str()) != 0) {
    (void)std::remove(part.c_str());
    return bad_input("--trace: can't write " + file);
  }
  return ok_status();
}

// In a worker: an adapter that crashes or hangs takes its own process down.
Result<Sheet> profiled(const Case& work, const ChosenDevice& device, const AdapterSettings& settings) {
  catch_interrupts();
  Result<std::unique_ptr<WorkerProcess>> worker = WorkerProcess::start({});
  if (!worker.ok()) return worker.error();
  const Result<std::string> text = (*worker)->ask(job_for(Job::Kind::kProfile, work, device, settings),
                                                  [](const Progress&) { return !interrupted(); });
  if (!text.ok()) return text.error();
  Result<ProfileRun> run = profile_from_json(*text, work);
  if (!run.ok()) return run.error();
  Sheet sheet;
  sheet.work = work;
  sheet.device = device.name;
  sheet.run = std::move(run).value();
  sheet.rows = rows_of(sheet.run);
  return sheet;
}

Result<int> profile(const Arguments& a) {
  const Result<Catalogue> catalogue = load_catalogue();
  if (!catalogue.ok()) return catalogue.error();
  const Result<Suite> suite = catalogue->suite(a.operands()[0]);
  if (!suite.ok()) return suite.error();
  const Result<Case> work = find_case(*suite, a.operands()[1]);
  if (!work.ok()) return work.error();
  const Result<ChosenDevice> device = device_of(a);
  if (!device.ok()) return device.error();
  const Result<std::vector<std::pair<std::string, std::string>>> settings = adapter_settings(a);
  if (!settings.ok()) return settings.error();
  const Result<Sheet> sheet = profiled(*work, *device, *settings);
  if (!sheet.ok()) return sheet.error();
  if (a.has("trace")) {
    const Status written = write_whole(a.text("trace"), as_trace(*sheet));
    if (!written.ok()) return written.error();
  }
  const TableFormat format = table_format(a);
  const std::string text =
      format == TableFormat::kJson ? as_json(*sheet) : as_table(*sheet, format == TableFormat::kMarkdown);
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

}  // namespace

CommandSpec profile_command() {
  CommandSpec spec;
  spec.name = "profile";
  spec.summary = "where the time of a step goes, op by op, and how near the peak";
  spec.operands = "SUITE CASE";
  spec.min_operands = 2;
  spec.max_operands = 2;
  spec.complete = Complete::kSuite;
  spec.about =
      "Runs the case's step in a pass of its own and asks the adapter what ran when. Equal ops of all layers stand in "
      "one row, the slowest first. The step is timed without and with tracing, so that the overhead shows. With "
      "--trace the last step's timeline is written for Perfetto (ui.perfetto.dev) and chrome://tracing.";
  OptionSpec format = format_option();
  format.words = {"text", "md", "json"};
  spec.options = {{"device", "DEVICE", "where to run it", Complete::kDevice, {}, false},
                  {"trace", "FILE", "write the timeline of one step", Complete::kFile, {}, false},
                  format,
                  json_option(),
                  adapter_option(),
                  adapter_setting_option()};
  spec.examples = {{"assay profile decode smollm2-135m/f32/b1/c512", "on the CPU"},
                   {"assay profile prefill smollm2-135m/f32/b1/t512 --trace step.json", "and as a timeline"}};
  spec.run = profile;
  return spec;
}

}  // namespace assay
