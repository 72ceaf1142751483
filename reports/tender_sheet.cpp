#include <algorithm>

#include "reports/format.h"
#include "reports/tender.h"

namespace assay {
namespace {

std::string value_text(double value, const std::string& unit) {
  if (unit == "ns" || unit == "us" || unit == "µs" || unit == "ms" || unit == "s") return time_text(value);
  if (unit == "%") return percent_text(value);
  return number_text(value, 5) + (unit.empty() ? "" : " " + unit);
}

std::string found_text(const SubjectValue& v, const std::string& unit) {
  if (!v.value) return "";
  std::string out = value_text(*v.value, unit);
  if (v.low && v.high) out += " (" + value_text(*v.low, unit) + " to " + value_text(*v.high, unit) + ")";
  return out;
}

// The unit of a clause stands in its text; what was found is shown in the same.
std::string unit_in(const std::string& clause) {
  const auto parsed = parse_clause(clause);
  return parsed.ok() ? parsed->unit : "";
}

SheetTable standings(const TenderResult& result) {
  SheetTable table;
  table.name = "candidates";
  table.title = result.title;
  table.columns = {{"candidate", "candidate"}, {"device", "device"},
                   {"gates", "gates"},         {"gates_passed", "passed", true},
                   {"points", "points", true}, {"points_possible", "of", true},
                   {"rank", "rank", true}};
  for (const CandidateResult& c : result.candidates) {
    size_t passed = 0;
    for (const GateResult& g : c.gates) passed += g.outcome == Accepted::kPass ? 1 : 0;
    table.rows.push_back(
        {c.name,
         c.device,
         c.passed ? "PASS" : "OUT",
         {std::to_string(passed) + "/" + std::to_string(c.gates.size()), static_cast<double>(passed)},
         {number_text(c.points, 5), c.points},
         {number_text(result.points_possible, 5), result.points_possible},
         {c.rank > 0 ? std::to_string(c.rank) : "", c.rank > 0 ? std::optional<double>(c.rank) : std::nullopt}});
  }
  return table;
}

SheetTable gates(const TenderResult& result) {
  SheetTable table;
  table.name = "gates";
  table.title = "Gates";
  table.columns = {{"candidate", "candidate"}, {"id", "gate"},     {"clause", "clause"}, {"case", "case"},
                   {"outcome", "outcome"},     {"found", "found"}, {"n", "n", true},     {"n_needed", "n needed", true},
                   {"note", "note"},           {"title", ""},      {"value", ""},        {"violations", ""}};
  for (const CandidateResult& c : result.candidates) {
    for (const GateResult& g : c.gates) {
      const auto& counted = g.detail.counted;
      const auto count = [&](uint64_t Acceptance::*member) {
        if (!counted) return SheetCell{};
        return SheetCell{std::to_string((*counted).*member), static_cast<double>((*counted).*member)};
      };
      table.rows.push_back({c.name,
                            g.id,
                            g.clause,
                            g.case_id,
                            g.case_id.empty() ? "NO RECORD" : accepted_name(g.outcome),
                            found_text(g.detail.found, unit_in(g.clause)),
                            count(&Acceptance::n),
                            count(&Acceptance::n_needed),
                            (g.title.empty() ? "" : g.title + ". ") + g.detail.note,
                            g.title,
                            {"", g.detail.found.value},
                            count(&Acceptance::over)});
    }
  }
  return table;
}

SheetTable scores(const TenderResult& result) {
  SheetTable table;
  table.name = "scores";
  table.title = "Scores";
  table.columns = {{"candidate", "candidate"},
                   {"id", "score"},
                   {"subject", "value of"},
                   {"case", "case"},
                   {"value", "value"},
                   {"points", "points", true},
                   {"weight", "weight", true},
                   {"note", "note"},
                   {"title", ""},
                   {"unit", ""}};
  for (const CandidateResult& c : result.candidates) {
    for (const ScoreResult& s : c.scores) {
      table.rows.push_back({c.name,
                            s.id,
                            s.subject,
                            s.case_id,
                            {found_text(s.value, s.unit), s.value.value},
                            {number_text(s.points, 5), s.points},
                            {number_text(s.weight, 5), s.weight},
                            (s.title.empty() ? "" : s.title + ". ") + s.value.note,
                            s.title,
                            s.unit});
    }
  }
  return table;
}

}  // namespace

Sheet tender_sheet(const TenderResult& result) {
  Sheet sheet;
  sheet.tables = {standings(result), gates(result), scores(result)};
  sheet.notes = {
      "a gate is passed only where it is proven: INCONCLUSIVE is not passed, and n needed says how many steps would do",
      "percentiles by exact binomial: PASS where a worse chip would show so few steps over the limit with at most the "
      "doubt, FAIL where a good one would show so many",
      "points: weight x (value - zero) / (full - zero), between 0 and the weight; the worst matching record counts; a "
      "candidate that is out is not ranked"};
  const bool unjudged = std::any_of(result.candidates.begin(), result.candidates.end(), [](const CandidateResult& c) {
    return std::any_of(c.gates.begin(), c.gates.end(), [](const GateResult& g) { return g.case_id.empty(); });
  });
  if (unjudged) sheet.notes.emplace_back("NO RECORD: the candidate has none that the gate admits; it is not passed");
  return sheet;
}

}  // namespace assay
