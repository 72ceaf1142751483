#include "reports/cells.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <regex>
#include <set>
#include <tuple>

#include "reports/format.h"
#include "results/metrics/reported_rate.h"
#include "results/metrics/roofline.h"
#include "results/old_int8.h"
#include "results/part.h"
#include "suites/base/words.h"

namespace assay {
namespace {

constexpr size_t kNotedFigures = 6;  // of a reported record below the table; its page has all

// Keeps each note once, in the order of its first use.
void add_note(std::vector<std::string>* notes, const std::string& note) {
  if (std::find(notes->begin(), notes->end(), note) == notes->end()) notes->push_back(note);
}

// One line for all cases of which the same is told: "head: this case: its part; another one: its part".
void add_case_note(std::vector<std::string>* notes, const std::string& head, const std::string& item) {
  const auto known =
      std::find_if(notes->begin(), notes->end(), [&](const std::string& n) { return n.rfind(head, 0) == 0; });
  if (known == notes->end()) {
    notes->push_back(head + item);
  } else if ((*known + "; ").find(item + "; ") == std::string::npos) {
    *known += "; " + item;
  }
}

std::string quantile_cell(const Quantile& q) {
  if (!q.value) return kAbsent;
  return time_text(*q.value) + (q.high ? "" : "?");
}

void note_quantile(const Quantile& q, const char* name, std::vector<std::string>* notes) {
  if (q.high) return;
  const std::string needed = std::to_string(early_stopping_n(q.p, 0.99, 0));
  add_note(notes, std::string(q.value ? "?" : kAbsent) + " " + name + " needs " + needed +
                      " independent steps for a bound that holds at 99 %" +
                      (q.value ? "; the value stands without one" : ""));
}

std::string case_cell(const Record& r, const Setups& setups, std::vector<std::string>* notes) {
  std::string cell = r.case_id;
  if (const std::string threads = setups.threads(r); !threads.empty()) cell += " (threads=" + threads + ")";
  if (r.noise.disturbed) {
    cell += " *";
    add_case_note(notes, "* disturbed: ", r.case_id + ": " + joined(r.noise.causes, ", "));
  }
  // A card at its power limit is slower than it is for a moment: no disturbance, but it is part of the figure.
  const std::string held = "clocks held down by ";
  for (const std::string& warning : r.warnings) {
    if (warning.rfind(held, 0) != 0) continue;
    add_case_note(notes, "clocks held down: ", r.case_id + ": " + warning.substr(held.size()));
  }
  const std::string options = adapter_options_text(r);
  if (!options.empty()) add_case_note(notes, "adapter options " + options + ": ", r.case_id);
  return cell;
}

std::string basis_cell(const Record& r, const Metrics& m, std::vector<std::string>* notes) {
  if (r.reported) {  // figures of one case and chip may be of systems of different size
    const std::optional<double> accelerators = stated_accelerators(*r.reported);
    if (!accelerators) return r.basis;
    return r.basis + ", " + number_text(*accelerators, 6) + (*accelerators == 1 ? " accelerator" : " accelerators");
  }
  const std::string layers = part_text(r);
  if (layers.empty()) return r.basis;
  const Extrapolation& e = *r.extrapolation;
  if (m.projected_rate) {
    // The rate's text carries every unit but the usual one.
    const std::string unit = m.unit == "tokens/s" ? " tokens/s" : "";
    add_case_note(notes, "part of the model ran, the whole projected (by two points, so without an interval): ",
                  r.case_id + ": " + rate_text(*m.projected_rate, 0, m.unit) + unit);
  } else {
    add_case_note(notes, "part of the model ran, the whole not projected: ", r.case_id + ": " + e.reason);
  }
  return r.basis + ", " + layers;
}

// Never a step time: what a source calls latency has another definition, so it stands below the table, not in a column.
void reported_row(const Record& r, std::vector<std::string>* row, std::vector<std::string>* notes) {
  const ReportedFigure& lead = r.reported->figures.front();
  (*row)[1] = reported_text(lead) + " " + kReportedMark;
  if (lead.low && lead.high) (*row)[2] = reported_interval_text(lead);
  if (lead.n) (*row)[9] = std::to_string(*lead.n);
  add_note(notes, std::string(kReportedMark) +
                      " reported: as its source states it, neither measured nor checked here; it ranks with no "
                      "measured figure");
  std::string note = std::string(kReportedMark) + " " + r.case_id +
                     (r.device_product.empty() ? "" : " on " + r.device_product) + ": " + r.reported->producer + ", " +
                     r.reported->source_file + ": ";
  for (size_t i = 0; i < r.reported->figures.size() && i < kNotedFigures; ++i) {
    const ReportedFigure& f = r.reported->figures[i];
    note += (i == 0 ? "" : ", ") + f.name + " " + f.statistic + " " + reported_text(f) + " (" + f.definition + ")";
  }
  add_note(notes, note);
}

// What the interval knows of launches.
std::string interval_note(const Record& r) {
  if (!r.run_launches || !r.run_launches->between) {
    return "95 %: of one launch's steps; it knows nothing of what changes between launches";
  }
  const BetweenLaunches& b = *r.run_launches->between;
  const size_t launches = r.run_launches->each.size();
  return "95 %: contains what launches differ by, " + percent_text(b.relative_sd) +
         " (standard deviation, pooled over " + std::to_string(b.cases) + (b.cases == 1 ? " case, " : " cases, ") +
         number_text(b.dof, 4) + " degrees of freedom); " + std::to_string(launches) +
         (launches == 1 ? " launch" : " launches") + " a case";
}

const std::vector<Column>& table_columns() {
  static const std::vector<Column> kColumns{{"case", false, 0}, {"rate /s", true, 0}, {"95 %", true, 1},
                                            {"p50", true, 3},   {"p99", true, 4},     {"p99.9", true, 7},
                                            {"MFU", true, 5},   {"MBU", true, 5},     {"J/token", true, 8},
                                            {"n", true, 6},     {"basis", false, 0}};
  return kColumns;
}

std::vector<std::string> row_of(const Record& r, const Metrics& m, const Setups& setups,
                                std::vector<std::string>* notes) {
  std::vector<std::string> row(table_columns().size(), kAbsent);
  row[0] = case_cell(r, setups, notes);
  const bool has_figures = (r.reported && r.status == "ok") || (m.rate && m.step);
  if (has_figures) row[10] = basis_cell(r, m, notes);  // of nothing there is no basis
  if (r.status != "ok") add_note(notes, r.case_id + ": " + r.status + ": " + r.reason);
  if (r.reported && r.status == "ok") {
    reported_row(r, &row, notes);
    return row;
  }
  if (!has_figures) {
    row[1] = r.status;
    return row;
  }
  const double half = (m.rate->interval.high - m.rate->interval.low) / 2;
  row[1] = rate_text(m.rate->per_s, half, m.unit);
  row[2] = interval_text(*m.rate, m.unit);
  add_note(notes, m.rate->n < 2 ? std::string(kAbsent) + " 95 %: one step has no interval" : interval_note(r));
  const std::vector<Quantile>& q = m.step->quantiles;
  row[3] = quantile_cell(q[0]);
  row[4] = quantile_cell(q[2]);
  row[5] = quantile_cell(q[3]);
  note_quantile(q[0], "p50", notes);
  note_quantile(q[2], "p99", notes);
  note_quantile(q[3], "p99.9", notes);
  if (m.mfu_attainable) row[6] = percent_text(*m.mfu_attainable);
  if (m.mbu_attainable) row[7] = percent_text(*m.mbu_attainable);
  if (m.mfu_attainable || m.mbu_attainable) {
    add_note(notes,
             "MFU and MBU: model FLOPs, and bytes of weights and KV cache, over the GEMM and the read that were "
             "measured on the same device beside the case");
    if (r.run_launches && r.run_launches->each.size() > 1 && !attainable(r).of_each_launch) {
      add_note(notes,
               "MFU or MBU of several launches over a peak measured before the first, as not each has its own: where "
               "the machine's pace changed since, it may pass 100 %");
    }
  } else {
    add_note(notes, std::string(kAbsent) + " MFU, MBU: " + m.mfu_note);
  }
  if (m.joules_per_token) {
    row[8] = number_text(*m.joules_per_token, 3);
  } else if (!m.energy_note.empty()) {
    add_note(notes, std::string(kAbsent) + " J/token: " + m.energy_note);
  }
  row[9] = std::to_string(m.step->n);
  if (m.step->independent() < m.step->n) {
    row[9] += " (" + std::to_string(m.step->independent()) + ")";
    add_note(notes, "n: steps, and in brackets how many independent ones they are worth, as they correlate");
  }
  if (const std::string old = old_int8_note(r.dtype); !old.empty()) add_note(notes, old);
  if (r.numerics.verdict == "not-run") add_note(notes, r.case_id + ": numbers not checked: " + r.numerics.reason);
  for (const auto& [name, outcome] : r.timing_truth) {
    if (outcome.starts_with("implausible"))
      add_note(notes, std::string(r.case_id).append(": ").append(name).append(" ").append(outcome));
  }
  if (r.numerics.verdict == "pass" && r.numerics.reason.starts_with("whole model not compared")) {
    add_note(notes, r.case_id + ": numbers checked op by op; " + r.numerics.reason);
  }
  return row;
}

RawValue raw(const char* name, std::optional<double> value) {
  if (!value) return {name, "", true};
  char text[40];
  const auto end = std::to_chars(text, text + sizeof(text), *value).ptr;
  return {name, std::string(text, end), true};
}

// A number that a source did not state is no 0.
std::optional<double> stated(const Record& r, int64_t value) {
  return r.reported && value == 0 ? std::nullopt : std::optional<double>(static_cast<double>(value));
}

RawValue raw_text(const char* name, const std::string& value) { return {name, value, false}; }

}  // namespace

std::string ceiling_gemm_text(const Ceiling& c) {
  if (!c.flops_per_s || c.gemm_size == 0) return "";
  const std::string side = std::to_string(c.gemm_size);
  return "GEMM " + c.flops_dtype + " " + side + " x " + side + " x " + side;
}

std::string ceiling_read_text(const Ceiling& c) {
  if (!c.read_bytes_per_s || c.read_bytes == 0) return "";
  return "argmax " + c.read_dtype + " " + number_text(static_cast<double>(c.read_bytes) / 0x1p20, 6) + " MiB";
}

std::string old_int8_note(const std::string& dtype) {
  if (!dtype.ends_with(kF32ActivationsMark)) return "";
  const std::string now = dtype.substr(0, dtype.size() - std::string(kF32ActivationsMark).size());
  return dtype + ": " + now + " weights with activations and KV cache in f32, as records had them until 2026-11-26; " +
         now + " since is with bf16, another case";
}

std::string short_product(const std::string& product) {
  static const std::regex kNoise(R"(\((R|TM|C)\)| @ .*$| [0-9]+-Core| Processor| CPU)", std::regex::icase);
  std::string out = product.size() <= 256 ? std::regex_replace(product, kNoise, "") : product;
  return out.empty() ? "not named" : out;
}

std::string minute_text(const std::string& created) {
  std::string text = created.substr(0, 16);
  if (text.size() > 10 && text[10] == 'T') text[10] = ' ';
  return text;
}

bool need_dates(const std::vector<Record>& records) {
  std::set<std::tuple<std::string, std::string, std::string>> known;
  return std::any_of(records.begin(), records.end(), [&](const Record& r) {
    return !r.created.empty() &&
           !known.emplace(r.device_product.empty() ? r.device : r.device_product, r.case_id, r.case_hash).second;
  });
}

TableCells table_cells(const std::vector<Record>& records, const std::vector<Metrics>& metrics) {
  TableCells cells;
  const Setups setups(records);
  for (size_t i = 0; i < records.size(); ++i)
    cells.rows.push_back(row_of(records[i], metrics[i], setups, &cells.notes));
  cells.columns = table_columns();
  if (need_dates(records)) {
    cells.columns.insert(cells.columns.begin() + 1, {"date, UTC", false, 0});
    for (size_t i = 0; i < records.size(); ++i)
      cells.rows[i].insert(cells.rows[i].begin() + 1,
                           records[i].created.empty() ? kAbsent : minute_text(records[i].created));
  }
  if (!records.empty())
    cells.notes.insert(cells.notes.begin(), "rate: tokens per second unless a unit stands beside it");
  const bool several = std::any_of(records.begin(), records.end(),
                                   [&](const Record& r) { return r.device_product != records.front().device_product; });
  if (!several) return cells;
  cells.columns.insert(cells.columns.begin() + 1, {"chip", false, 0});
  for (size_t i = 0; i < records.size(); ++i)
    cells.rows[i].insert(cells.rows[i].begin() + 1, short_product(records[i].device_product));
  return cells;
}

std::vector<RawValue> raw_values(const Record& r, const Metrics& m) {
  const auto of_rate = [&](double value) { return m.rate ? std::optional<double>(value) : std::nullopt; };
  const Throughput rate = m.rate.value_or(Throughput{});
  const auto bound = [&](double value) { return rate.n > 1 ? of_rate(value) : std::nullopt; };
  const Latency step = m.step.value_or(Latency{});
  const ReportedFigure* lead = r.reported && r.status == "ok" ? &r.reported->figures.front() : nullptr;
  const RunLaunches* launches = r.run_launches ? &*r.run_launches : nullptr;
  const BetweenLaunches* between = launches != nullptr && launches->between ? &*launches->between : nullptr;
  const auto host = r.environment.find("hostname_hash");
  const auto quantile = [&](size_t i) { return m.step ? step.quantiles[i] : Quantile{}; };
  return {raw_text("case", r.case_id),
          raw_text("status", r.status),
          raw_text("reason", r.reason),
          raw_text("basis", r.basis),
          raw_text("suite", r.suite),
          raw_text("model", r.model),
          raw_text("dtype", r.dtype),
          raw("batch", stated(r, r.batch)),
          raw("tokens", stated(r, r.tokens)),
          raw("context", stated(r, r.context)),
          raw_text("device", r.device),
          raw_text("product", r.device_product),
          raw("threads", stated(r, r.threads)),
          raw_text("rate_unit", r.reported ? "" : m.unit),
          raw("rate_per_s", of_rate(rate.per_s)),
          raw("rate_low_per_s", bound(rate.interval.low)),
          raw("rate_high_per_s", bound(rate.interval.high)),
          raw("projected_rate_per_s", m.projected_rate),
          raw("step_p50_ns", quantile(0).value),
          raw("step_p99_ns", quantile(2).value),
          raw("step_p99_low_ns", quantile(2).low),
          raw("step_p99_high_ns", quantile(2).high),
          raw("step_p99_9_ns", quantile(3).value),
          raw("step_p99_9_low_ns", quantile(3).low),
          raw("step_p99_9_high_ns", quantile(3).high),
          raw("step_max_ns", m.step ? std::optional<double>(step.max) : std::nullopt),
          raw("steps", stated(r, static_cast<int64_t>(r.samples.host_ns.size()))),
          raw("independent_steps", m.step ? std::optional<double>(step.independent()) : std::nullopt),
          raw("mfu_attainable", m.mfu_attainable),
          raw("mbu_attainable", m.mbu_attainable),
          raw("joules_per_token", m.joules_per_token),
          raw_text("energy_note", m.energy_note),
          raw_text("disturbed_by", joined(r.noise.causes, "; ")),
          raw_text("stop", r.stop.reason),
          raw_text("numerics", r.numerics.verdict),
          raw_text("created", r.created),
          raw_text("record", r.id),
          raw("reported_value", lead ? std::optional<double>(lead->value) : std::nullopt),
          raw_text("reported_unit", lead ? lead->unit : ""),
          raw_text("reported_figure", lead ? lead->name + " " + lead->statistic : ""),
          raw_text("reported_definition", lead ? lead->definition : ""),
          raw("reported_accelerators", lead ? stated_accelerators(*r.reported) : std::nullopt),
          raw_text("reported_source", lead ? r.reported->source_file : ""),
          raw("launches", launches ? std::optional<double>(launches->each.size()) : std::nullopt),
          raw("between_launches_sd", between ? std::optional(between->relative_sd) : std::nullopt),
          raw("between_launches_dof", between ? std::optional(between->dof) : std::nullopt),
          raw("ceiling_flops_per_s", attainable(r).flops_per_s),
          raw("ceiling_read_bytes_per_s", attainable(r).bytes_per_s),
          raw_text("numerics_note", r.numerics.reason),
          raw_text("adapter", r.adapter),
          raw_text("adapter_options", adapter_options_text(r)),
          raw_text("form", r.form),
          raw_text("tier", r.tier),
          raw_text("tool_commit", r.tool_commit),
          raw_text("hostname_hash", host == r.environment.end() ? "" : host->second),
          raw("step_p50_low_ns", quantile(0).low),
          raw("step_p50_high_ns", quantile(0).high)};
}

}  // namespace assay
