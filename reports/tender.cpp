#include "reports/tender.h"

#include <fnmatch.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "results/metrics/metrics.h"
#include "results/part.h"
#include "suites/base/json_input.h"
#include "suites/base/words.h"

namespace assay {
namespace {

constexpr size_t kMaxItems = 1000;

// Of records that are not admitted, by their basis or as parts of a model: which they are.
struct Matching {
  std::vector<const Record*> records;
  std::string why_none;
};

bool matches(const std::string& glob, const std::string& case_id) {
  return ::fnmatch(glob.c_str(), case_id.c_str(), 0) == 0;
}

Matching matching(const Tender& tender, const Candidate& candidate, const std::string& glob) {
  Matching out;
  out.why_none = "no record of a case " + glob;
  for (const Record& r : candidate.records) {
    if (!matches(glob, r.case_id)) continue;
    if (std::find(tender.basis.begin(), tender.basis.end(), r.basis) == tender.basis.end()) {
      out.why_none = "only records with basis " + r.basis + ", which the tender does not admit";
      continue;
    }
    if (const std::string part = part_text(r); !part.empty()) {
      out.why_none = "only records of a part of the model (" + part + "), which says nothing of the whole";
      continue;
    }
    out.records.push_back(&r);
  }
  return out;
}

// Where several records decide, that it is the worst of them, and what else than its shape each case has.
std::string worst_of(const Matching& found, const std::string& note) {
  if (found.records.size() < 2) return note;
  std::set<std::string> variants;
  for (const Record* r : found.records) variants.insert(case_variant(r->case_id));
  std::string out = "the worst of " + std::to_string(found.records.size()) + " records";
  if (variants.size() > 1) {
    std::vector<std::string> names;
    names.reserve(variants.size());
    for (const std::string& v : variants) names.push_back(v.empty() ? "plain" : v);
    out += " (cases of " + joined(names, ", ") + ": a glob can tell them apart)";
  }
  return out + (note.empty() ? "" : "; " + note);
}

// How far within the limit the value is, in the limit's unit; negative beyond it. No value is the farthest beyond.
double room_left(const Clause& clause, const SubjectValue& found) {
  if (!found.value) return -std::numeric_limits<double>::infinity();
  const bool from_above = clause.compare == Compare::kAtMost || clause.compare == Compare::kBelow;
  return from_above ? clause.limit - *found.value : *found.value - clause.limit;
}

int badness(Accepted a) { return a == Accepted::kFail ? 2 : a == Accepted::kInconclusive ? 1 : 0; }

GateResult judge_gate(const Tender& tender, const Candidate& candidate, const Gate& gate) {
  GateResult out{gate.id, gate.title, gate.clause.text, "", Accepted::kFail, {}};
  const Matching found = matching(tender, candidate, gate.case_glob);
  if (found.records.empty()) {
    out.detail.note = found.why_none;
    return out;
  }
  std::pair<int, double> worst;
  for (const Record* r : found.records) {
    ClauseOutcome outcome = decide_clause(*r, gate.clause, tender.confidence);
    // A run whose outputs were wrong is no result, whatever it was for.
    if (r->status == "failed" || r->numerics.verdict == "fail") {
      outcome.outcome = Accepted::kFail;
      outcome.note = r->status + ": " + (r->reason.empty() ? r->numerics.reason : r->reason);
    }
    const std::pair<int, double> rank{-badness(outcome.outcome), room_left(gate.clause, outcome.found)};
    if (!out.case_id.empty() && rank >= worst) continue;
    worst = rank;
    out.case_id = r->case_id;
    out.outcome = outcome.outcome;
    out.detail = std::move(outcome);
  }
  out.detail.note = worst_of(found, out.detail.note);
  return out;
}

ScoreResult judge_score(const Tender& tender, const Candidate& candidate, const ScoreItem& item) {
  ScoreResult out;
  out.id = item.id;
  out.title = item.title;
  out.subject = item.subject.text;
  out.unit = item.full.unit;
  out.weight = item.weight;
  const Matching found = matching(tender, candidate, item.case_glob);
  if (found.records.empty()) out.value.note = found.why_none;
  double worst = 0;
  for (const Record* r : found.records) {
    const SubjectValue value = subject_value(*r, item.subject, item.full.unit, tender.confidence);
    const double share = value.value ? (*value.value - item.zero.value) / (item.full.value - item.zero.value)
                                     : -std::numeric_limits<double>::infinity();
    if (!out.case_id.empty() && share >= worst) continue;
    worst = share;
    out.case_id = r->case_id;
    out.points = item.weight * std::clamp(share, 0.0, 1.0);
    out.value = value;
  }
  if (!found.records.empty()) out.value.note = worst_of(found, out.value.note);
  return out;
}

// A clause, subject or quantity parsed by `parse`; its fault is one of the field.
template <typename Parse>
auto parsed(const JsonNode& node, Parse parse) {
  auto result = parse(node.text());
  if (node.present() && !result.ok()) node.fail("\"" + node.text() + "\": " + result.error().message);
  return result;
}

std::string glob_of(const JsonNode& node) { return node.has("case") ? node.at("case").text() : "*"; }

Gate gate(const JsonNode& node) {
  node.fields({"id", "title", "case", "clause"});
  Gate out{node.at("id").text(64), node.has("title") ? node.at("title").text() : "", glob_of(node), {}};
  Result<Clause> clause = parsed(node.at("clause"), parse_clause);
  if (clause.ok()) out.clause = std::move(clause).value();
  return out;
}

ScoreItem score(const JsonNode& node) {
  node.fields({"id", "title", "case", "value", "weight", "zero", "full"});
  ScoreItem out{node.at("id").text(64), node.has("title") ? node.at("title").text() : "", glob_of(node), {}, 0, {}, {}};
  out.weight = node.at("weight").number(0, 1e6);
  Result<Subject> subject = parsed(node.at("value"), parse_subject);
  if (!subject.ok()) return out;
  out.subject = std::move(subject).value();
  const auto quantity = [&](const std::string& text) { return parse_quantity(text, out.subject); };
  const Result<Measure> zero = parsed(node.at("zero"), quantity), full = parsed(node.at("full"), quantity);
  if (!zero.ok() || !full.ok()) return out;
  out.zero = *zero;
  out.full = *full;
  if (out.zero.value == out.full.value) node.at("full").fail("expected another value than zero's");
  return out;
}

void check_ids(const JsonNode& root, const Tender& tender) {
  std::vector<std::string> ids;
  for (const Gate& g : tender.gates) ids.push_back(g.id);
  for (const ScoreItem& s : tender.scores) ids.push_back(s.id);
  std::sort(ids.begin(), ids.end());
  const auto twice = std::adjacent_find(ids.begin(), ids.end());
  if (twice != ids.end()) root.fail("expected each id once, found \"" + *twice + "\" twice");
}

}  // namespace

Result<Tender> parse_tender(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"schema_version", "title", "confidence", "basis", "gates", "scores"});
  (void)root.at("schema_version").integer(1, 1);
  Tender tender;
  tender.title = root.at("title").text();
  if (root.has("confidence")) tender.confidence = root.at("confidence").number(0.5001, 0.999999);
  tender.basis = {"measured"};
  if (root.has("basis")) {
    tender.basis.clear();
    for (const JsonNode& item : root.at("basis").items(1, 4)) {
      tender.basis.push_back(item.text_of({"measured", "reported", "projected", "simulated"}));
    }
  }
  if (root.has("gates")) {
    for (const JsonNode& item : root.at("gates").items(0, kMaxItems)) tender.gates.push_back(gate(item));
  }
  if (root.has("scores")) {
    for (const JsonNode& item : root.at("scores").items(0, kMaxItems)) tender.scores.push_back(score(item));
  }
  if (tender.gates.empty() && tender.scores.empty()) root.fail("expected gates or scores, found neither");
  check_ids(root, tender);
  if (!input.ok()) return input.error();
  return tender;
}

Status check_patterns(const Tender& tender, const std::vector<Candidate>& candidates, const std::string& where) {
  const auto unmatched = [&](const std::string& glob) {
    return std::none_of(candidates.begin(), candidates.end(), [&](const Candidate& c) {
      return std::any_of(c.records.begin(), c.records.end(), [&](const Record& r) { return matches(glob, r.case_id); });
    });
  };
  const auto error = [&](const std::string& id, const std::string& glob) {
    return bad_input(where + ": " + id + ": case: expected a pattern that some candidate's case matches, found \"" +
                     glob + "\", which none does");
  };
  for (const Gate& g : tender.gates) {
    if (unmatched(g.case_glob)) return error(g.id, g.case_glob);
  }
  for (const ScoreItem& s : tender.scores) {
    if (unmatched(s.case_glob)) return error(s.id, s.case_glob);
  }
  return ok_status();
}

TenderResult judge(const Tender& tender, const std::vector<Candidate>& candidates) {
  TenderResult out;
  out.title = tender.title;
  for (const ScoreItem& s : tender.scores) out.points_possible += s.weight;
  for (const Candidate& c : candidates) {
    CandidateResult result;
    result.name = c.name;
    if (!c.records.empty()) {
      const Record& r = c.records.front();
      result.device = r.device_product.empty() ? r.device : r.device_product;
    }
    for (const Gate& g : tender.gates) result.gates.push_back(judge_gate(tender, c, g));
    for (const ScoreItem& s : tender.scores) {
      result.scores.push_back(judge_score(tender, c, s));
      result.points += result.scores.back().points;
    }
    result.passed = std::all_of(result.gates.begin(), result.gates.end(),
                                [](const GateResult& g) { return g.outcome == Accepted::kPass; });
    out.candidates.push_back(std::move(result));
  }
  for (CandidateResult& c : out.candidates) {
    if (!c.passed) continue;
    c.rank = 1 + static_cast<int>(std::count_if(out.candidates.begin(), out.candidates.end(), [&](const auto& other) {
               return other.passed && other.points > c.points;
             }));
  }
  return out;
}

}  // namespace assay
