#include <algorithm>

#include "harness/cli/money.h"
#include "harness/cli/terminal.h"
#include "results/prices/claims.h"

namespace assay {
namespace {

// Three counts of tokens; unlike a mix they are kept as counts.
Result<TokenMix> task_of(const std::string& text) {
  Result<TokenMix> shares = parse_mix(text, "--task");
  if (!shares.ok()) return shares.error();
  double total = 0;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find(':', at), text.size());
    total += std::strtod(text.substr(at, end - at).c_str(), nullptr);
    at = end + 1;
  }
  return TokenMix{shares->cached * total, shares->input * total, shares->output * total, "given"};
}

Result<ClaimEvidence> evidence_of(const Arguments& arguments) {
  ClaimEvidence evidence;
  if (arguments.has("clip")) {
    const Result<Estimate> seconds = parse_measured(arguments.text("clip"), 1e-3, 1e7, "--clip (seconds)");
    if (!seconds.ok()) return seconds.error();
    evidence.clip_seconds = *seconds;
  }
  if (arguments.has("accelerators")) {
    const Result<int64_t> count = integer_value("--accelerators", arguments.text("accelerators"), 1, 1000000);
    if (!count.ok()) return count.error();
    evidence.accelerators = static_cast<double>(*count);
  }
  if (arguments.has("task")) {
    const Result<TokenMix> task = task_of(arguments.text("task"));
    if (!task.ok()) return task.error();
    evidence.task = *task;
  }
  return evidence;
}

const char* word_of(const ClaimVerdict& v) {
  if (!v.speaks) return "says nothing of it";
  return v.reached == Reached::kReached      ? "supported"
         : v.reached == Reached::kNotReached ? "contradicted"
                                             : "can't tell";
}

bool of_clip(const Claim& claim) { return claim.kind == ClaimKind::kClipPrice || claim.kind == ClaimKind::kClipTime; }

SheetCell number(double value) { return {money_text(value), value}; }

SheetCell claimed_cell(const ClaimVerdict& v) { return v.limit_confidential ? SheetCell{"withheld"} : number(v.limit); }

std::string as_printed(const Claim& claim) {
  return claim.text + " (" + claim.source + (claim.date.empty() ? "" : ", " + claim.date) + ")";
}

void add_row(const CostRow& row, const Claim& claim, const ClaimVerdict& v, SheetTable* table) {
  const std::string clip_basis = row.priced.subject.clip_seconds ? row.priced.subject.basis : "reported";
  const std::string basis =
      of_clip(claim) ? clip_basis + "; prices " + row.cost.price_basis : cost_basis_text(row.cost);
  table->rows.push_back({claim.id, subject_text(row.priced), word_of(v), claimed_cell(v), number(*v.actual.value),
                         SheetCell{money_interval_text(v.actual.interval, 1)}, SheetCell{"", v.actual.interval.low},
                         SheetCell{"", v.actual.interval.high}, v.unit, basis, v.reason, as_printed(claim)});
}

// Of what no record speaks to: what the nearest of them lack.
void add_silent_row(const Claim& claim, const ClaimVerdict& v, SheetTable* table) {
  table->rows.push_back({claim.id, SheetCell{}, word_of(v), claimed_cell(v), SheetCell{}, SheetCell{}, SheetCell{},
                         SheetCell{}, v.unit, SheetCell{}, v.reason, as_printed(claim)});
}

// The claim against each row; one line says it where none speaks to it.
Status judge(const Claim& claim, const std::vector<CostRow>& rows, bool composed, const ClaimEvidence& evidence,
             const PriceBook& book, SheetTable* table) {
  std::optional<ClaimVerdict> nearest;
  for (const CostRow& row : rows) {
    ClaimEvidence of_row = evidence;
    if (composed) {
      of_row.clip_seconds = row.priced.subject.clip_seconds;
      of_row.clip_height = row.priced.subject.clip_height;
    }
    Result<ClaimVerdict> verdict = judge_claim(claim, row.priced, row.cost, of_row, book);
    if (!verdict.ok()) return verdict.error();
    if (verdict->speaks) add_row(row, claim, *verdict, table);
    if (!nearest || verdict->gaps < nearest->gaps) nearest = std::move(verdict).value();
  }
  if (nearest && !nearest->speaks) add_silent_row(claim, *nearest, table);
  return ok_status();
}

// "the records are of H200 SXM, qwen2.5-0.5b bf16; ..."
std::string records_text(const PricedRows& priced) {
  std::string out;
  for (const std::vector<CostRow>* rows : {&priced.rows, &priced.clips}) {
    for (const CostRow& row : *rows) out += (out.empty() ? "the records are of " : "; ") + subject_text(row.priced);
  }
  return out;
}

Result<int> run_claims(const Arguments& arguments) {
  const std::string file = arguments.has("claims") ? arguments.text("claims") : (prices_dir() / "claims.json").string();
  const Result<std::vector<Claim>> claims = read_claims(file);
  if (!claims.ok()) return claims.error();
  const Result<ClaimEvidence> evidence = evidence_of(arguments);
  if (!evidence.ok()) return evidence.error();
  const Result<PricedRows> priced = priced_rows(arguments);
  if (!priced.ok()) return priced.error();
  Sheet sheet;
  sheet.tables.push_back({"claims",
                          "",
                          {{"claim", "claim", false},
                           {"chip", "chip", false},
                           {"verdict", "the records say", false},
                           {"claimed", "claimed", true},
                           {"actual", "actual", true},
                           {"interval", "95 %", true},
                           {"low", "", true},
                           {"high", "", true},
                           {"unit", "unit", false},
                           {"basis", "basis", false},
                           {"why", "why not more", false},
                           {"source", "as printed", false}},
                          {}});
  for (const Claim& claim : *claims) {
    // A clip that the records compose is judged by its own time; --clip is someone's word for a chip.
    const bool composed = of_clip(claim) && !evidence->clip_seconds && !priced->clips.empty();
    const Status judged = judge(claim, composed || priced->rows.empty() ? priced->clips : priced->rows, composed,
                                *evidence, priced->book, &sheet.tables.front());
    if (!judged.ok()) return bad_input(file + ": " + claim.id + ": " + judged.error().message);
    if (!claim.note.empty()) sheet.notes.push_back(claim.id + ": " + claim.note);
  }
  sheet.notes.push_back(records_text(*priced));
  const Sheet costs = cost_sheet(priced->rows, priced->clips);
  sheet.notes.insert(sheet.notes.end(), costs.notes.begin(), costs.notes.end());
  sheet.notes.insert(sheet.notes.end(), priced->left_out.begin(), priced->left_out.end());
  for (const SheetTable& table : costs.tables) {
    if (table.name == "inputs") sheet.tables.push_back(table);
  }
  put_table(render_sheet(sheet, table_format(arguments), stdout_options()));
  return kExitOk;
}

}  // namespace

CommandSpec claims_command() {
  CommandSpec spec;
  spec.name = "claims";
  spec.summary = "what records support of the prices in print";
  spec.operands = "[RECORD|FOLDER...]";
  spec.max_operands = 1 << 16;
  spec.complete = Complete::kFile;
  spec.about =
      "Holds each claim of a list (the shipped one or --claims) against the cost of the records: supported or "
      "contradicted where the whole 95 % interval is on one side, otherwise it can't tell. Records speak to a claim "
      "only "
      "where they are of the chip, the model and the class of tokens that it states (of a price in the market: of any "
      "chip); of others one line says what is missing.";
  spec.options = money_options();
  const std::vector<OptionSpec> own{
      {"claims", "FILE", "a list of claims of yours", Complete::kFile, {}, false},
      {"clip", "SECONDS", "time of a clip that someone reports, or VALUE:LOW:HIGH", Complete::kNothing, {}, false},
      {"accelerators", "N", "on how many that was (default 1)", Complete::kNothing, {}, false},
      {"task",
       "C:I:O",
       "tokens of a task where a claim states none: cached input, input, output; shown, not judged",
       Complete::kNothing,
       {},
       false}};
  spec.options.insert(spec.options.begin(), own.begin(), own.end());
  spec.examples = {{"assay claims assay-out/run --chip h100-sxm", "of your records"},
                   {"assay claims assay-out/run --chip h100-sxm --task 20000:5000:2000", "with a task's tokens"}};
  spec.run = run_claims;
  return spec;
}

}  // namespace assay
