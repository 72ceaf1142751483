#include <algorithm>
#include <cstdio>

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
  if (!v.actual.value) return "no evidence";
  return v.reached == Reached::kReached      ? "supported"
         : v.reached == Reached::kNotReached ? "contradicted"
                                             : "can't tell";
}

bool of_clip(const Claim& claim) { return claim.kind == ClaimKind::kClipPrice || claim.kind == ClaimKind::kClipTime; }

void add_row(const CostRow& row, const Claim& claim, const ClaimVerdict& v, SheetTable* table) {
  const bool known = v.actual.value.has_value();
  const std::string clip_basis = row.priced.subject.clip_seconds ? row.priced.subject.basis : "reported";
  const std::string basis =
      of_clip(claim) && known ? clip_basis + "; prices " + row.cost.price_basis : cost_basis_text(row.cost);
  const auto number = [](double value) { return SheetCell{money_text(value), value}; };
  table->rows.push_back({claim.id, subject_text(row.priced), word_of(v),
                         v.limit_confidential ? SheetCell{"withheld"} : number(v.limit),
                         known ? number(*v.actual.value) : SheetCell{},
                         known ? SheetCell{money_interval_text(v.actual.interval, 1)} : SheetCell{},
                         known ? SheetCell{"", v.actual.interval.low} : SheetCell{},
                         known ? SheetCell{"", v.actual.interval.high} : SheetCell{}, v.unit, basis,
                         claim.text + " (" + claim.source + (claim.date.empty() ? "" : ", " + claim.date) + ")"});
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
                           {"source", "as printed", false}},
                          {}});
  for (const Claim& claim : *claims) {
    // A clip that the records compose is judged by its own time; --clip is someone's word for a chip.
    const bool composed = of_clip(claim) && !evidence->clip_seconds && !priced->clips.empty();
    for (const CostRow& row : composed ? priced->clips : priced->rows) {
      ClaimEvidence of_row = *evidence;
      if (composed) {
        of_row.clip_seconds = row.priced.subject.clip_seconds;
        of_row.clip_height = row.priced.subject.clip_height;
      }
      const Result<ClaimVerdict> verdict = judge_claim(claim, row.cost, of_row, priced->book);
      if (!verdict.ok()) return bad_input(file + ": " + claim.id + ": " + verdict.error().message);
      add_row(row, claim, *verdict, &sheet.tables.front());
      const std::string why = claim.id + ": " + verdict->reason;
      const bool said = std::find(sheet.notes.begin(), sheet.notes.end(), why) != sheet.notes.end();
      if (!verdict->reason.empty() && !said) sheet.notes.push_back(why);
    }
    if (!claim.note.empty()) sheet.notes.push_back(claim.id + ": " + claim.note);
  }
  const Sheet costs = cost_sheet(priced->rows, priced->clips);
  sheet.notes.insert(sheet.notes.end(), costs.notes.begin(), costs.notes.end());
  sheet.notes.insert(sheet.notes.end(), priced->left_out.begin(), priced->left_out.end());
  for (const SheetTable& table : costs.tables) {
    if (table.name == "inputs") sheet.tables.push_back(table);
  }
  std::fputs(render_sheet(sheet, table_format(arguments), stdout_options()).c_str(), stdout);
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
      "contradicted "
      "where the whole 95 % interval is on one side, otherwise it can't tell. A claim that the records say nothing of "
      "is "
      "listed with what would be needed.";
  spec.options = money_options();
  const std::vector<OptionSpec> own{
      {"claims", "FILE", "a list of claims of yours", Complete::kFile, {}, false},
      {"clip", "SECONDS", "time of a clip that someone reports, or VALUE:LOW:HIGH", Complete::kNothing, {}, false},
      {"accelerators", "N", "on how many that was (default 1)", Complete::kNothing, {}, false},
      {"task", "C:I:O", "tokens of a task: cached input, input, output", Complete::kNothing, {}, false}};
  spec.options.insert(spec.options.begin(), own.begin(), own.end());
  spec.examples = {{"assay claims assay-out/run --chip h100-sxm", "of your records"},
                   {"assay claims assay-out/run --chip h100-sxm --task 20000:5000:2000", "with a task's tokens"}};
  spec.run = run_claims;
  return spec;
}

}  // namespace assay
