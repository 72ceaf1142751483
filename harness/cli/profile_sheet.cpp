#include "harness/cli/profile_sheet.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/cli/terminal.h"
#include "harness/measure/clock.h"
#include "harness/run/build_info.h"
#include "reports/format.h"
#include "reports/text.h"
#include "suites/base/visible.h"
#include "suites/base/words.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int kIndent = 2;  // of what goes on in a second line

std::string with_prefix(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t p = 0;
  for (; value >= 1000 && p + 1 < std::size(kPrefixes); ++p) value /= 1000;
  return number_text(value, 3) + " " + kPrefixes[p] + unit;
}

std::string time_of(double seconds) { return time_text(seconds * 1e9); }

// "81.2 %" of a peak; "-" where that is not known or the op has none of it.
std::string share_of(double per_s, const std::optional<double>& peak) {
  return peak && per_s > 0 ? percent_text(per_s / *peak) : "-";
}

double overhead(const ProfileRun& run) { return run.traced_step_s / run.plain_step_s - 1; }

double gap_of(const ProfileRun& run) {
  double sum = 0;
  for (const double gap : run.op_gap_seconds) sum += gap;
  return sum;
}

using Cells = std::vector<std::string>;
struct Table {
  Cells headings;
  std::vector<Cells> rows;
};

// "30", or "30/60" where they take more launches than one each.
std::string count_text(const ProfileRow& row) {
  const std::string n = std::to_string(row.group.count);
  return row.calls == row.group.count ? n : n + "/" + std::to_string(row.calls);
}

Table times(const ProfileSheet& s) {
  Table out;
  out.headings = {"op", "n/calls", "time", "share", "gap", "FLOP/s", "att."};
  const bool sheet = s.datasheet.has_value();
  if (sheet) out.headings.emplace_back("sheet");
  out.headings.insert(out.headings.end(), {"B/s", "att."});
  if (sheet) out.headings.emplace_back("sheet");
  for (const ProfileRow& row : s.rows) {
    const double flops = row.flops_per_s(), bytes = row.bytes_per_s();
    Cells cells{row.group.name,
                count_text(row),
                time_of(row.seconds),
                percent_text(row.seconds / s.run.busy_s),
                row.gap_seconds > 0 ? time_of(row.gap_seconds) : "0",
                flops > 0 ? with_prefix(flops, "") : "-",
                share_of(flops, s.flops_per_s)};
    if (sheet) cells.push_back(share_of(flops, s.datasheet->flops_per_s));
    cells.insert(cells.end(), {with_prefix(bytes, ""), share_of(bytes, s.bytes_per_s)});
    if (sheet) cells.push_back(share_of(bytes, s.datasheet->bytes_per_s));
    out.rows.push_back(std::move(cells));
  }
  for (const Moved& m : s.run.moved) {
    Cells cells{m.name, number_text(m.count, 2), time_of(m.seconds), percent_text(m.seconds / s.run.busy_s), "-", "-",
                "-"};
    const double bytes = m.seconds > 0 ? m.bytes / m.seconds : 0;
    if (sheet) cells.emplace_back("-");
    cells.insert(cells.end(), {with_prefix(bytes, ""), "-"});
    if (sheet) cells.emplace_back("-");
    out.rows.push_back(std::move(cells));
  }
  return out;
}

// "PAPI_TOT_CYC" -> "TOT_CYC", "perf::TASK-CLOCK" -> "TASK-CLOCK"
std::string short_name(const std::string& counter) {
  const size_t at = counter.find(counter.rfind("PAPI_", 0) == 0 ? "_" : "::");
  return at == std::string::npos ? counter : counter.substr(at + (counter[at] == '_' ? 1 : 2));
}

// "DRAM read" for the names that are read here; the vendor's own without its roll-up for others.
std::string device_name(const DeviceCounter& c) {
  constexpr std::pair<const char*, const char*> kNames[] = {{"dram__bytes_read", "DRAM read"},
                                                            {"dram__bytes_write", "DRAM write"},
                                                            {"sm__pipe_tensor_cycles_active", "tensor pipe"},
                                                            {"sm__warps_active", "occupancy"}};
  std::string base = c.name.substr(0, c.name.find('.'));
  for (const auto& [vendor, ours] : kNames) {
    if (base == vendor) return ours;
  }
  return base;
}

std::string device_value(const DeviceCounter& c, double value) {
  if (c.unit == "percent") return percent_text(value / 100);
  return with_prefix(value, c.unit == "byte" ? "B" : "");
}

// What the device's memory moved for one op, over what it must move at least; nothing where either is not known.
std::optional<double> traffic(const ProfileRow& row) {
  double bytes = 0;
  for (const char* name : {"dram__bytes_read.sum", "dram__bytes_write.sum"}) {
    const auto found = row.device_counts.find(name);
    if (found == row.device_counts.end()) return std::nullopt;
    bytes += found->second;
  }
  return row.group.bytes() > 0 ? std::optional<double>(bytes / row.group.bytes()) : std::nullopt;
}

// Of the device, of one op of each row that was counted.
Table device_counts(const ProfileSheet& s) {
  Table out;
  out.headings = {"one op"};
  for (const DeviceCounter& c : s.run.device_counters) out.headings.push_back(device_name(c));
  out.headings.emplace_back("DRAM / least");
  for (const ProfileRow& row : s.rows) {
    if (row.device_counts.empty()) continue;
    Cells cells{row.group.name};
    for (const DeviceCounter& c : s.run.device_counters) {
      const auto found = row.device_counts.find(c.name);
      cells.push_back(found == row.device_counts.end() ? "-" : device_value(c, found->second));
    }
    const std::optional<double> times_least = traffic(row);
    cells.push_back(times_least ? number_text(*times_least, 3) : "-");
    out.rows.push_back(std::move(cells));
  }
  return out;
}

// Of the host, by op; no rows where nothing was counted.
Table counts(const ProfileSheet& s) {
  Table out;
  out.headings = {"op"};
  for (const OpCounter& c : s.run.counters) {
    if (c.reason.empty()) out.headings.push_back(short_name(c.name));
  }
  if (out.headings.size() == 1) return out;
  for (const ProfileRow& row : s.rows) {
    Cells cells{row.group.name};
    for (size_t c = 0; c < row.counts.size(); ++c) {
      if (s.run.counters[c].reason.empty()) cells.push_back(with_prefix(row.counts[c], ""));
    }
    out.rows.push_back(std::move(cells));
  }
  return out;
}

// The first column is a name, the others are numbers.
std::string rendered(const Table& table, bool markdown) {
  std::vector<GridColumn> columns;
  for (const std::string& title : table.headings) columns.push_back({title, !columns.empty()});
  return markdown ? markdown_grid(columns, table.rows) : text_grid(columns, table.rows, stdout_options().color);
}

void say_peaks(const ProfileSheet& s, std::vector<std::string>* out) {
  const auto both = [](double flops, double bytes) {
    return with_prefix(flops, "FLOP/s") + ", " + with_prefix(bytes, "B/s");
  };
  out->push_back(s.flops_per_s && s.bytes_per_s
                     ? "att.: of the attainable " + both(*s.flops_per_s, *s.bytes_per_s) + ": " + s.attainable
                     : "no attainable peaks: " + s.attainable);
  out->push_back(s.datasheet ? "sheet: of " + both(s.datasheet->flops_per_s, s.datasheet->bytes_per_s) +
                                   ": reported, " + s.datasheet->source
                             : "no datasheet: " + s.no_datasheet);
}

// What a record's page says of its host.
std::string host_line(const ProfileRun& run) {
  if (!run.noise_reason.empty()) return "host not watched: " + run.noise_reason;
  if (run.noise.disturbed) return "* disturbed while the steps ran: " + joined(run.noise.causes, ", ");
  return "host: nothing disturbed it while the steps ran";
}

std::vector<std::string> footer(const ProfileSheet& s) {
  const ProfileRun& run = s.run;
  std::vector<std::string> out{host_line(run)};
  out.push_back("step: " + time_of(run.plain_step_s) + " without tracing, " + time_of(run.traced_step_s) +
                " with it (" + (overhead(run) >= 0 ? "+" : "") + percent_text(overhead(run)) + "); " +
                std::to_string(run.steps) + " steps traced, " + std::to_string(run.dropped) + " records lost");
  const double gap = gap_of(run), outside = std::max(0.0, run.traced_step_s - run.busy_s - gap);
  out.push_back("busy " + time_of(run.busy_s) + "; gap: nothing ran before the op's kernels, " + time_of(gap) +
                " of the step (median of the traced); " + time_of(outside) + " before the first and after the last");
  say_peaks(s, &out);
  if (std::any_of(s.rows.begin(), s.rows.end(), [](const ProfileRow& row) { return row.calls == 0; })) {
    out.push_back("n/0 calls: the op runs in a kernel of the op before it, whose row has the time of both");
  }
  if (run.layers != run.layers_total) {
    out.push_back(std::to_string(run.layers) + " of " + std::to_string(run.layers_total) +
                  " layers: " + run.layers_reason);
  }
  for (const OpCounter& c : run.counters) {
    if (!c.reason.empty()) out.push_back("no " + c.name + " per op: " + c.reason);
  }
  if (run.counters.empty()) out.push_back("no counters of the host per op: " + run.counters_reason);
  if (run.device_counters.empty()) {
    out.push_back("no counters of the device per op: " + run.device_counters_reason);
  } else {
    out.push_back("DRAM / least: bytes that the device's memory moved over what the op must move; a pass of its own");
  }
  out.push_back("basis: " + run.basis + " on " + s.device + "; a pass of its own, whose times enter no record");
  return out;
}

// By counter: a step's count, or null where there is none.
json counts_json(const ProfileSheet& s, const ProfileRow& row) {
  json out = json::object();
  for (size_t c = 0; c < row.counts.size(); ++c) {
    out[s.run.counters[c].name] = s.run.counters[c].reason.empty() ? json(row.counts[c]) : json(nullptr);
  }
  return out;
}

// As a record has it; null where nobody looked.
json noise_json(const ProfileRun& run) {
  const bool watched = run.noise_reason.empty();
  return {{"disturbed", watched ? json(run.noise.disturbed) : json(nullptr)},
          {"causes", run.noise.causes},
          {"values", run.noise.values},
          {"reason", run.noise_reason}};
}

json number_or_null(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

}  // namespace

// Groups hold their ops in the order of the graph, so one walk finds each op's group again.
std::vector<ProfileRow> profile_rows(const ProfileRun& run) {
  const std::vector<OpGroup> each = op_groups(run.graph, run.scalars, true);
  std::vector<ProfileRow> rows;
  for (size_t i = 0; i < each.size(); ++i) {
    auto same =
        std::find_if(rows.begin(), rows.end(), [&](const ProfileRow& row) { return same_work(row.group, each[i]); });
    if (same == rows.end()) {
      ProfileRow row;
      row.group = each[i];
      row.group.count = 0;
      row.counts.assign(run.counters.size(), 0);
      for (const DeviceCounter& c : run.device_counters) {
        const auto found = c.by_op.find(static_cast<uint32_t>(i));
        if (found != c.by_op.end()) row.device_counts[c.name] = found->second;
      }
      same = rows.insert(rows.end(), std::move(row));
    }
    ++same->group.count;
    same->seconds += run.op_seconds[i];
    same->gap_seconds += run.op_gap_seconds[i];
    same->calls += run.op_calls[i];
    for (size_t c = 0; c < run.counters.size(); ++c) {
      if (run.counters[c].reason.empty()) same->counts[c] += run.counters[c].by_op[i];
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return rows;
}

std::string profile_table(const ProfileSheet& s, bool markdown) {
  const std::string title = s.work.id() + " on " + s.device + (s.run.noise.disturbed ? " *" : "");
  std::string out =
      (markdown ? "## " + markdown_escaped(title) : visible(title)) + "\n\n" + rendered(times(s), markdown);
  const Table on_device = device_counts(s);
  if (!on_device.rows.empty()) {
    out += "\ncounters of the device, of one op for all that are equal\n\n" + rendered(on_device, markdown);
  }
  const Table counted = counts(s);
  if (!counted.rows.empty()) out += "\ncounters of the host, of one step\n\n" + rendered(counted, markdown);
  out += "\n";
  const int columns = stdout_options().width;
  for (const std::string& line : footer(s)) {
    if (markdown) {
      out += markdown_item(line);
      continue;
    }
    std::string indent;
    const bool whole = columns <= kIndent;
    for (const std::string& part : whole ? Cells{visible(line)} : wrap(line, static_cast<size_t>(columns - kIndent))) {
      out += indent + part + "\n";
      indent = std::string(kIndent, ' ');
    }
  }
  return out;
}

std::string profile_json(const ProfileSheet& s) {
  json ops = json::array(), moved = json::array();
  for (const ProfileRow& row : s.rows) {
    ops.push_back({{"op", row.group.name},
                   {"kind", row.group.kind},
                   {"count", row.group.count},
                   {"calls", row.calls},
                   {"seconds", row.seconds},
                   {"gap_seconds", row.gap_seconds},
                   {"share", row.seconds / s.run.busy_s},
                   {"flops_each", row.group.each.flops},
                   {"bytes_each", row.group.bytes()},
                   {"counters", counts_json(s, row)},
                   {"device_counters_each", row.device_counts},
                   {"shape", row.group.shape}});
  }
  for (const Moved& m : s.run.moved) {
    moved.push_back({{"name", m.name}, {"count", m.count}, {"seconds", m.seconds}, {"bytes", m.bytes}});
  }
  json out = {{"profile_version", 1},
              {"created", utc_now()},
              {"assay", std::string(tool_version()) + " " + tool_commit()},
              {"case", s.work.id()},
              {"case_hash", s.work.hash()},
              {"device", s.device},
              {"device_product", s.product},
              {"device_driver", s.driver},
              {"adapter", s.adapter},
              {"adapter_options", s.adapter_options},
              {"threads", std::to_string(s.threads)},
              {"basis", s.run.basis},
              {"layers", s.run.layers},
              {"layers_total", s.run.layers_total},
              {"experts", s.run.experts},
              {"step_s", s.run.plain_step_s},
              {"step_traced_s", s.run.traced_step_s},
              {"overhead", overhead(s.run)},
              {"busy_s", s.run.busy_s},
              {"gap_s", gap_of(s.run)},
              {"noise", noise_json(s.run)},
              {"steps", s.run.steps},
              {"dropped", s.run.dropped},
              {"attainable_flops_per_s", number_or_null(s.flops_per_s)},
              {"attainable_bytes_per_s", number_or_null(s.bytes_per_s)},
              {"attainable_source", s.attainable},
              {"datasheet_flops_per_s", s.datasheet ? json(s.datasheet->flops_per_s) : json(nullptr)},
              {"datasheet_bytes_per_s", s.datasheet ? json(s.datasheet->bytes_per_s) : json(nullptr)},
              {"datasheet_source", s.datasheet ? s.datasheet->source : s.no_datasheet},
              {"device_counters_reason", s.run.device_counters_reason},
              {"ops", ops},
              {"copies", moved}};
  return out.dump(2) + "\n";
}

}  // namespace assay
