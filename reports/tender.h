// Tender mode: gates that a candidate passes or is out, and weighted scores, from a JSON of requirements (schema:
// reports/schema/tender.schema.json).
//
// A requirement applies to every record of the candidate whose case matches its glob; the worst record decides. A gate
// without a record is not passed and shown as NO RECORD; so is one whose records are all of another basis than the
// tender admits, or of parts of a model. A gate that is INCONCLUSIVE is not passed. A score gives weight x (value -
// zero) / (full - zero), between 0 and the weight; no record or no value gives 0 points. Candidates that are out are
// shown with their points but not ranked.
#pragma once

#include <string>
#include <vector>

#include "reports/sheet.h"
#include "results/metrics/clause.h"
#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

struct Gate {
  std::string id, title, case_glob;
  Clause clause;
};

struct ScoreItem {
  std::string id, title, case_glob;
  Subject subject;
  double weight = 0;
  Measure zero, full;  // the values of no points and of all
};

struct Tender {
  std::string title;
  double confidence = 0.99;        // of clauses that give none
  std::vector<std::string> basis;  // admitted; {"measured"} unless said
  std::vector<Gate> gates;
  std::vector<ScoreItem> scores;
};
// A bad clause is named with its field and column.
Result<Tender> parse_tender(const std::string& text, const std::string& where);

struct GateResult {
  std::string id, title, clause, case_id;  // case_id: of the record that decided; "": NO RECORD
  Accepted outcome = Accepted::kFail;
  ClauseOutcome detail;
};
struct ScoreResult {
  std::string id, title, subject, case_id, unit;
  double weight = 0, points = 0;
  SubjectValue value;
};
struct CandidateResult {
  std::string name, device;
  std::vector<GateResult> gates;
  std::vector<ScoreResult> scores;
  double points = 0;
  bool passed = false;
  int rank = 0;  // 1: the most points among those that passed; 0: out
};
struct TenderResult {
  std::string title;
  double points_possible = 0;
  std::vector<CandidateResult> candidates;  // in the order given
};

struct Candidate {
  std::string name;
  std::vector<Record> records;
};
// kBadInput for a requirement whose glob no record of any candidate matches: a misspelt one would put all out.
Status check_patterns(const Tender& tender, const std::vector<Candidate>& candidates, const std::string& where);
TenderResult judge(const Tender& tender, const std::vector<Candidate>& candidates);

Sheet tender_sheet(const TenderResult& result);

}  // namespace assay
