#include "reports/compare.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "harness/cli/common.h"
#include "harness/cli/money.h"
#include "harness/cli/terminal.h"
#include "harness/plan/found_records.h"
#include "reports/profile_pair.h"
#include "reports/tender.h"
#include "results/store/store.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

// Records that lie on both sides compare as equal by that alone.
std::optional<std::string> shared_note(const CompareSide& a, const CompareSide& b) {
  std::set<std::string> ids;
  for (const Record& r : a.records) ids.insert(r.id);
  const auto shared = [&](const Record& r) { return ids.count(r.id) > 0; };
  const auto count = std::count_if(b.records.begin(), b.records.end(), shared);
  if (count == 0) return std::nullopt;
  const Record& first = *std::find_if(b.records.begin(), b.records.end(), shared);
  return std::to_string(count) + " of " + std::to_string(b.records.size()) + " records of " + b.name +
         " are the same in " + a.name + " (" + first.case_id + ", record " + first.id.substr(0, 8) +
         (count > 1 ? ", and more" : "") + "): a record held against itself shows no difference";
}

Result<int> run_tender(const Arguments& arguments) {
  for (const OptionSpec& o : price_options()) {
    if (!arguments.has(o.name)) continue;
    return bad_input("--" + o.name +
                     ": expected no prices beside --tender, which judges by its own requirements, found it");
  }
  const std::string file = arguments.text("tender");
  const Result<std::string> text = read_text_file(file);
  if (!text.ok()) return text.error();
  const Result<Tender> tender = parse_tender(*text, file);
  if (!tender.ok()) return tender.error();
  std::vector<Candidate> candidates;
  for (const std::string& place : arguments.operands()) {
    Result<std::vector<Record>> records = records_of({place});
    if (!records.ok()) return records.error();
    candidates.push_back({place, std::move(records).value()});
  }
  if (const Status known = check_patterns(*tender, candidates, file); !known.ok()) return known.error();
  const TenderResult result = judge(*tender, candidates);
  put_table(render_sheet(tender_sheet(result), table_format(arguments), stdout_options()));
  for (const CandidateResult& c : result.candidates) {
    if (!c.passed) return kExitFailed;
  }
  return kExitOk;
}

bool fails(const std::vector<std::string>& conditions, const Comparison& c) {
  for (const std::string& condition : conditions) {
    if (condition == "slower" && (count_verdicts(c, Difference::kSlower) > 0 || !c.failed_on_b.empty())) return true;
    if (condition == "ambiguous" && count_verdicts(c, Difference::kAmbiguous) > 0) return true;
    if (condition == "unmatched" && !c.unmatched.empty()) return true;
  }
  return false;
}

// Why a gate says nothing of a comparison: it had no pair. One message, beside the sheet that lists the reasons.
void say_nothing_compared(const Comparison& c) {
  std::string why;
  if (const auto& left = c.unmatched.empty() ? c.unsupported_on_both : c.unmatched; !left.empty())
    why = "; " + left.front().side + ": " + left.front().case_id + ": " + left.front().reason;
  put_note("assay compare: --fail-on: expected cases that both " + c.name_a + " and " + c.name_b +
           " have figures of, found none" + why);
}

Result<CompareOptions> options_of(const Arguments& arguments) {
  CompareOptions options;
  if (!arguments.has("margin")) return options;
  const Result<double> margin = margin_value(arguments.text("margin"));
  if (!margin.ok()) return margin.error();
  options.margin = *margin;
  return options;
}

bool asks_for_prices(const Arguments& arguments) {
  const std::vector<OptionSpec> options = price_options();
  return std::any_of(options.begin(), options.end(), [&](const OptionSpec& o) { return arguments.has(o.name); });
}

// Which products get what --price and --rent give: given once, all operands' do; else each operand's its own.
class GivenPrices {
 public:
  GivenPrices(const Arguments& arguments, const PriceBook& book) : arguments_(arguments), book_(book) {}

  Status take(size_t side, const std::vector<CostSubject>& subjects) {
    for (const char* option : {"price", "rent"}) {
      const size_t times = arguments_.texts(option).size();
      if (times == 0) continue;
      std::vector<std::string>& products = products_[{option, times == 1 ? 0 : side}];
      for (const CostSubject& s : subjects) products.push_back(s.product);
      const Status one = check_of_one_chip(option, products, book_);
      if (!one.ok())
        return bad_input(one.error().message + ", and the option, given once for each operand, each operand its own");
    }
    return ok_status();
  }

 private:
  const Arguments& arguments_;
  const PriceBook& book_;
  std::map<std::pair<std::string, size_t>, std::vector<std::string>> products_;
};

// Which side is the cheaper, A held against each of the others.
Status add_costs(const Arguments& arguments, const std::vector<CompareSide>& sides, Sheet* sheet) {
  const Result<PriceBook> book = price_book(arguments);
  if (!book.ok()) return book.error();
  const Result<LatencyLimits> limits = limits_of(arguments);
  if (!limits.ok()) return limits.error();
  const Result<CostOptions> draws = draws_of(arguments);
  if (!draws.ok()) return draws.error();
  for (const char* option : {"chip", "price", "rent"}) {
    const size_t given = arguments.texts(option).size();
    if (given > 1 && given != sides.size()) {
      return bad_input(std::string("--") + option + ": expected it once, or once for each of the " +
                       std::to_string(sides.size()) + " operands, found it " + std::to_string(given) + " times");
    }
  }
  std::set<std::string> notes;
  GivenPrices given(arguments, *book);
  const auto priced = [&](size_t side, size_t other) -> Result<std::vector<CostRow>> {
    const Result<CostChoices> choices = choices_of(arguments, *book, side);
    if (!choices.ok()) return choices.error();
    std::optional<Error> unpriced;
    std::vector<std::string> unrated;
    const std::vector<CostSubject> subjects =
        cost_subjects(paired_records(sides[side], sides[other]), *limits, *book, &unrated);
    if (const Status one = given.take(side, subjects); !one.ok()) return one.error();
    PricedRows rows = price_rows(subjects, *choices, *draws, *book, &unpriced);
    rows.left_out.insert(rows.left_out.end(), unrated.begin(), unrated.end());
    for (const std::string& note : rows.left_out) notes.insert(sides[side].name + ": " + note);
    for (const CostRow& row : rows.rows) {
      for (const CostInput i : {CostInput::kInputRate, CostInput::kOutputRate, CostInput::kBlendedRate}) {
        const std::optional<Estimate>& rate = row.priced.inputs.at(i);
        if (rate && rate->spread == Spread::kUnknown)
          notes.insert(sides[side].name + ": " + cost_input_name(i) +
                       " has no known interval, so no probability follows");
      }
    }
    return std::move(rows.rows);
  };
  for (size_t i = 1; i < sides.size(); ++i) {
    const Result<std::vector<CostRow>> a = priced(0, i), b = priced(i, 0);
    if (!a.ok()) return a.error();
    if (!b.ok()) return b.error();
    SheetTable table = cheaper_table(*a, *b);
    for (std::string& note : way_notes(*a, *b)) notes.insert(std::move(note));
    if (sides.size() > 2) table.title = sides[i].name + ": " + table.title;
    if (i > 1) table.name += "_" + std::to_string(i);
    if (table.rows.empty())
      notes.insert("no costs of " + sides[i].name + " that compare with those of " + sides[0].name);
    sheet->tables.insert(sheet->tables.begin() + static_cast<std::ptrdiff_t>(i), std::move(table));
  }
  sheet->notes.insert(sheet->notes.end(), notes.begin(), notes.end());
  sheet->notes.emplace_back(
      "costs: of the cases that both have, each side at its best rate within --ttft and --tpot; 'assay cost' lists the "
      "inputs");
  return ok_status();
}

// The profile that a file holds; none where it is anything else.
Result<std::optional<SavedProfile>> profile_at(const std::string& place) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(place, code) || is_store_file(place)) return std::optional<SavedProfile>();
  const Result<std::string> text = read_text_file(place);
  if (!text.ok() || !is_profile(*text)) return std::optional<SavedProfile>();  // the reader of records says what it is
  Result<SavedProfile> profile = read_profile(*text, place);
  if (!profile.ok()) return profile.error();
  return std::optional(std::move(profile).value());
}

// Two profiles op by op.
Result<int> compare_profiles(const Arguments& arguments, const SavedProfile& first, const SavedProfile& second,
                             const CompareOptions& options) {
  std::vector<OptionSpec> none_of = price_options();
  none_of.push_back({"fail-on", "", "", Complete::kNothing, {}, false});
  for (const OptionSpec& o : none_of) {
    if (arguments.has(o.name))
      return bad_input("--" + o.name + ": expected records, found profiles, which have no intervals and no prices");
  }
  if (const Status alike = comparable(first, second); !alike.ok()) return alike.error();
  const Sheet sheet = profile_pair_sheet(first, second, options.margin);
  put_table(render_sheet(sheet, table_format(arguments), stdout_options()));
  return kExitOk;
}

// The operands' profiles; empty where all of them are records.
Result<std::vector<SavedProfile>> profiles_of(const std::vector<std::string>& places) {
  std::vector<SavedProfile> out;
  std::string other;
  for (const std::string& place : places) {
    Result<std::optional<SavedProfile>> found = profile_at(place);
    if (!found.ok()) return found.error();
    if (*found) out.push_back(std::move(**found));
    if (!*found) other = place;
  }
  if (!out.empty() && !other.empty())
    return bad_input(other + ": expected a profile, as " + out.front().name + " is, found something else");
  if (out.size() > 2) return bad_input("expected two profiles to compare, found " + std::to_string(out.size()));
  return out;
}

Result<int> run_compare(const Arguments& arguments) {
  if (arguments.has("tender")) return run_tender(arguments);
  const Result<CompareOptions> options = options_of(arguments);
  if (!options.ok()) return options.error();
  if (arguments.operands().size() > 1) {
    const Result<std::vector<SavedProfile>> profiles = profiles_of(arguments.operands());
    if (!profiles.ok()) return profiles.error();
    if (!profiles->empty()) return compare_profiles(arguments, (*profiles)[0], (*profiles)[1], *options);
  }
  if (arguments.operands().size() < 2) {
    return bad_input("expected two records, folders or stores to compare, found one");
  }
  std::vector<CompareSide> sides;
  std::vector<std::string> notes;
  for (const std::string& place : arguments.operands()) {
    Result<FoundRecords> found = found_records({place});
    if (!found.ok()) return found.error();
    for (const std::string& note : found->notes) notes.push_back(std::string(place).append(": ").append(note));
    sides.push_back({place, std::move(found->records)});
    if (sides.size() == 1) continue;
    if (std::optional<std::string> note = shared_note(sides.front(), sides.back())) notes.push_back(std::move(*note));
  }
  std::vector<Comparison> comparisons;
  for (size_t i = 1; i < sides.size(); ++i) comparisons.push_back(compare(sides[0], sides[i], *options));
  Sheet sheet = comparison_sheet(comparisons);
  sheet.notes.insert(sheet.notes.begin(), notes.begin(), notes.end());
  if (asks_for_prices(arguments)) {
    if (const Status added = add_costs(arguments, sides, &sheet); !added.ok()) return added.error();
  }
  put_table(render_sheet(sheet, table_format(arguments), stdout_options()));
  bool failed = false;
  for (const Comparison& c : comparisons) {
    failed = failed || fails(arguments.texts("fail-on"), c);
    if (!arguments.has("fail-on") || !c.pairs.empty()) continue;
    say_nothing_compared(c);
    failed = true;
  }
  return failed ? kExitFailed : kExitOk;
}

}  // namespace

CommandSpec compare_command() {
  CommandSpec spec;
  spec.name = "compare";
  spec.summary = "is B faster than A, how sure, by which ops; who meets a tender";
  spec.operands = "A B...";
  spec.min_operands = 1;
  spec.max_operands = 1 << 10;
  spec.complete = Complete::kFile;
  spec.about =
      "Pairs records of the same case (hash, dtype, tier, basis) and says for each metric SAME, FASTER, SLOWER or "
      "AMBIGUOUS, with the intervals of both sides and of the ratio; what can't be compared is listed with the reason. "
      "Decode runs of several batches are compared at equal tokens/s per user as well. A is what the others are "
      "compared with.\n"
      "With prices (--prices, --chip, --rent, ...) it also says how likely B is the cheaper per token. --chip, --price "
      "and "
      "--rent given once hold for all (a price or a rent where all are of one chip); else once for each operand in "
      "order.\n"
      "Two profiles (files of `assay profile --json`) of one case on one chip are held against each other op by op: "
      "which ops the difference of the step's time lies in.\n"
      "With --tender each operand is a candidate, judged by the requirements of the file.\n"
      "Exit code: 0; 1 where a --fail-on condition holds, or a candidate does not pass every gate; 2 for bad input.";
  spec.options = {
      {"margin", "PERCENT", "the smallest change worth telling (2)", Complete::kNothing, {}, false},
      {"fail-on",
       "WHAT",
       "exit with 1 on it, and where nothing was compared; slower: also where a case of A failed on B; unmatched: a "
       "case that one side lacks or that failed there (not one that neither can run)",
       Complete::kWords,
       {"slower", "ambiguous", "unmatched"},
       true},
      {"tender",
       "FILE",
       "requirements: gates and weighted scores, JSON; their cases are patterns (* ? [])",
       Complete::kFile,
       {},
       false},
      format_option(),
      json_option()};
  for (OptionSpec& option : price_options()) {
    if (option.name == "chip" || option.name == "price" || option.name == "rent") option.repeats = true;
    spec.options.push_back(std::move(option));
  }
  spec.examples = {{"assay compare last-night tonight --fail-on slower", "a gate for nightly runs"},
                   {"assay compare chip-a chip-b chip-c --format md", "two chips against the first"},
                   {"assay compare chip-a chip-b --chip h100-sxm --chip ascend-910c", "how likely B is the cheaper"},
                   {"assay compare last.profile.json tonight.profile.json", "which ops made the step slower"},
                   {"assay compare --tender tender.json chip-a chip-b", "the score sheet of a tender"}};
  spec.run = run_compare;
  return spec;
}

}  // namespace assay
