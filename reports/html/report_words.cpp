#include "reports/html/report_words.h"

#include "reports/format.h"
#include "reports/html/report_forms.h"

namespace assay {
namespace {

// The rate's text carries every unit but the usual one.
std::string with_unit(double per_s, double half_width, const std::string& unit) {
  return rate_text(per_s, half_width, unit) + (unit == "tokens/s" ? " tokens/s" : "");
}

FieldValue known(const std::optional<double>& value) { return value ? FieldValue(*value) : FieldValue(); }
FieldValue milliseconds(const std::optional<double>& ns) { return ns ? FieldValue(*ns / 1e6) : FieldValue(); }

}  // namespace

std::string row_basis(const ReportRow& row) {
  if (!row.part.empty()) return row.basis + ", " + row.part;
  if (!row.accelerators) return row.basis;
  return row.basis + ", " + number_text(*row.accelerators, 6) +
         (*row.accelerators == 1 ? " accelerator" : " accelerators");
}

std::string row_rate(const ReportRow& row) {
  if (!row.rate.value) return row.status == "ok" ? "" : row.status;
  const double half = row.rate.low && row.rate.high ? (*row.rate.high - *row.rate.low) / 2 : 0;
  std::string text = with_unit(*row.rate.value, half, row.unit);
  if (row.part.empty()) return text;
  return text + " (" + row.part + "; the whole " +
         (row.projected_rate ? "projected: " + with_unit(*row.projected_rate, 0, row.unit) : "not projected") + ")";
}

std::vector<ShownRow> shown_rows(const ReportModel& model) {
  std::vector<ShownRow> out;
  for (const ReportGroup& group : model.groups) {
    const ReportRow& standing = model.rows[group.row];
    if (standing.basis != "reported" || model.aggregated) {
      out.push_back({group.row, group.records});
      continue;
    }
    for (size_t i = 0; i < model.rows.size(); ++i) {
      const ReportRow& r = model.rows[i];
      if (r.chip == group.chip && r.test_case == group.test_case && r.basis == standing.basis &&
          r.tier == standing.tier && r.part == standing.part && r.options == standing.options)
        out.push_back({i, 1});
    }
  }
  return out;
}

std::string apart_text(const ReportModel& model, const Incomparable& apart) {
  const std::string chip = apart.chip ? chip_name(model, *apart.chip) : "";
  const std::string who = chip + " · " + (apart.test_case ? model.cases[*apart.test_case].id : "");
  const std::string count = std::to_string(apart.count);
  const std::string detail = apart.detail.empty() ? "" : " (" + apart.detail + ")";
  if (apart.kind == "one-chip") return chip + ": cases that no other chip has run: " + count;
  if (apart.kind == "basis")
    return chip + ": cases that are " + apart.detail +
           ", another basis than the answer's, left out of the ranking: " + count;
  if (apart.kind == "tier")
    return chip + ": cases of tier " + apart.detail + ", never ranked with the chip tier: " + count;
  if (apart.kind == "case-version")
    return apart.detail + ": versions of its definition, each compared on its own: " + count;
  if (apart.kind == "failed") return who + ": " + apart.detail;
  if (apart.kind == "no-rate") return who + ": no rate of one chip" + detail;
  if (apart.kind == "numerics") return who + ": numbers not checked";
  if (apart.kind == "disturbed") return who + ": disturbed" + detail;
  return who + ": only a part of the model ran" + detail + "; not compared with runs of the whole";
}

ReportTable summary_table(const ReportModel& model) {
  ReportTable table{{"chip", "case", "rate", "rate low 95 %", "rate high 95 %", "unit", "part of the model",
                     "whole model's rate, projected", "p50 ms", "p99 ms", "p99 high ms", "J/token", "records", "basis",
                     "status", "record", "adapter options"},
                    {}};
  for (const ShownRow& shown : shown_rows(model)) {
    const ReportRow& r = model.rows[shown.row];
    table.rows.push_back({chip_name(model, r.chip), model.cases[r.test_case].id, known(r.rate.value), known(r.rate.low),
                          known(r.rate.high), r.unit, r.part, known(r.projected_rate), milliseconds(r.p50.value),
                          milliseconds(r.p99.value), milliseconds(r.p99.high), known(r.joules_per_token),
                          static_cast<double>(shown.records), row_basis(r), r.status, r.id, r.options});
  }
  return table;
}

}  // namespace assay
