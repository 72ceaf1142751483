#include "harness/cli/money.h"

#include <algorithm>
#include <cstdlib>
#include <map>

#include "results/metrics/reported_rate.h"
#include "suites/base/nearest.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

struct Settable {
  CostInput input;
  double min, max;
};
// What --set may name, with its bounds.
const std::vector<Settable>& settable() {
  static const std::vector<Settable> kSettable{
      {CostInput::kServerFactor, 1, 20}, {CostInput::kLifeYears, 0.25, 30},  {CostInput::kDiscountRate, 0, 1},
      {CostInput::kSalvageShare, 0, 1},  {CostInput::kOpexShare, 0, 2},      {CostInput::kUtilisation, 0.001, 1},
      {CostInput::kWallKw, 1e-4, 1000},  {CostInput::kIdlePowerShare, 0, 1}, {CostInput::kPue, 1, 5},
      {CostInput::kTariff, 0, 1000},     {CostInput::kCachedCostShare, 0, 1}};
  return kSettable;
}

Status add_settings(const Arguments& arguments, CostChoices* choices) {
  std::vector<std::string> names;
  for (const Settable& s : settable()) names.emplace_back(cost_input_name(s.input));
  for (const std::string& text : arguments.texts("set")) {
    const Result<std::pair<std::string, std::string>> pair = key_value("--set", text);
    if (!pair.ok()) return pair.error();
    const Settable* found = nullptr;
    for (const Settable& s : settable()) {
      if (pair->first == cost_input_name(s.input)) found = &s;
    }
    if (found == nullptr)
      return bad_input("--set: unknown input '" + pair->first + "'" + suggestion(pair->first, names));
    Result<Estimate> value = parse_estimate(pair->second, found->min, found->max, "--set " + pair->first);
    if (!value.ok()) return value.error();
    choices->overrides[found->input] = *value;
  }
  return ok_status();
}

// --rate output=36667 or output=36667:35000:38000, into a subject or over the records' rates.
Status add_rates(const Arguments& arguments, CostChoices* choices) {
  const std::vector<std::string> names{"input", "output", "blended"};
  const std::vector<CostInput> inputs{CostInput::kInputRate, CostInput::kOutputRate, CostInput::kBlendedRate};
  for (const std::string& text : arguments.texts("rate")) {
    const Result<std::pair<std::string, std::string>> pair = key_value("--rate", text);
    if (!pair.ok()) return pair.error();
    size_t at = 0;
    while (at < names.size() && names[at] != pair->first) ++at;
    if (at == names.size())
      return bad_input("--rate: unknown class '" + pair->first + "'" + suggestion(pair->first, names));
    Result<Estimate> rate = parse_measured(pair->second, 1e-6, 1e12, "--rate " + pair->first);
    if (!rate.ok()) return rate.error();
    rate->basis = "reported";
    if (rate->spread != Spread::kUnknown) rate->spread = Spread::kInterval95;
    choices->overrides[inputs[at]] = *rate;
  }
  return ok_status();
}

// Imported records whose rate can't be priced, by reason: "left out: ...".
std::vector<std::string> rates_left_out(const std::vector<Record>& records) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Record& r : records) {
    if (!r.reported || r.status != "ok") continue;
    const ReportedRates rates = reported_rates(r);
    if (!rates.lead()) by_reason[rates.reason].push_back(r.case_id);
  }
  std::vector<std::string> out;
  for (const auto& [reason, cases] : by_reason) {
    const bool uncounted = reason.find("how many accelerators") != std::string::npos;
    out.push_back("left out: " + cases.front() +
                  (cases.size() > 1 ? " and " + std::to_string(cases.size() - 1) + " more" : "") + ": " + reason +
                  (uncounted ? "; assay import --chips N says it" : ""));
  }
  return out;
}

Result<std::vector<CostSubject>> subjects_of(const Arguments& arguments, const CostChoices& choices,
                                             const PriceBook& book, std::vector<std::string>* left_out) {
  const Result<LatencyLimits> limits = limits_of(arguments);
  if (!limits.ok()) return limits.error();
  const Result<std::vector<Record>> found = records_of(arguments.operands());
  if (!found.ok()) return found.error();
  const std::vector<Record>& records = *found;
  if (records.empty()) {
    if (!arguments.has("rate")) return bad_input("expected RECORD... or --rate CLASS=TOKENS_PER_S; see --help");
    for (const char* limit : {"tpot", "ttft"}) {
      if (arguments.has(limit))
        return bad_input(std::string("--") + limit + ": expected records, a given rate has no times of steps");
    }
    CostSubject given;
    given.product = choices.chip.empty() ? "given rate" : choices.chip;
    given.basis = "reported";
    return std::vector<CostSubject>{given};
  }
  *left_out = rates_left_out(records);
  std::vector<CostSubject> subjects = cost_subjects(records, *limits, book, left_out);
  if (subjects.empty())
    return bad_input(
        "none of the records has a rate of tokens or composes a clip: expected prefill, decode or video steps that "
        "ran, or imported rates of a stated number of accelerators" +
        (left_out->empty() ? "" : "; " + left_out->front()));
  return subjects;
}

// A chip or tariff that the book lacks would leave every cost without a price.
Status known_in_book(const Arguments& arguments, const CostChoices& choices, const PriceBook& book) {
  if (!choices.chip.empty()) {
    const Result<PricedChip> chip = find_chip(book, choices.chip);
    if (!chip.ok()) return bad_input("--chip: " + chip.error().message);
  }
  if (!arguments.has("tariff")) return ok_status();
  const Result<Tariff> tariff = find_tariff(book, choices.tariff);
  return tariff.ok() ? ok_status() : bad_input("--tariff: " + tariff.error().message);
}

// The option's value for an operand: one holds for all, else one for each.
std::string text_of(const Arguments& arguments, const char* option, size_t operand) {
  const std::vector<std::string> all = arguments.texts(option);
  if (all.empty()) return "";
  return all.size() == 1 ? all[0] : all[std::min(operand, all.size() - 1)];
}

}  // namespace

Result<CostChoices> choices_of(const Arguments& arguments, const PriceBook& book, size_t operand) {
  CostChoices choices;
  choices.chip = text_of(arguments, "chip", operand);
  choices.tariff = arguments.has("tariff") ? arguments.text("tariff") : kDefaultTariff;
  choices.tariff_given = arguments.has("tariff");
  if (const Status known = known_in_book(arguments, choices, book); !known.ok()) return known.error();
  if (arguments.text("load") == "cheapest-hours") choices.load = LoadShape::kCheapestHours;
  if (arguments.has("owned") && arguments.has("rented")) return bad_input("--owned and --rented: expected one of them");
  if (arguments.has("owned")) choices.rented = false;
  if (arguments.has("rented")) choices.rented = true;
  if (arguments.has("rent")) {
    const Result<Estimate> rent = parse_money(text_of(arguments, "rent", operand), "/h", book, "--rent");
    if (!rent.ok()) return rent.error();
    choices.overrides[CostInput::kRent] = *rent;
  }
  if (arguments.has("price")) {
    const Result<Estimate> price = parse_money(text_of(arguments, "price", operand), "", book, "--price");
    if (!price.ok()) return price.error();
    choices.overrides[CostInput::kChipPrice] = *price;
  }
  if (arguments.has("mix")) {
    const Result<TokenMix> mix = parse_mix(arguments.text("mix"), "--mix");
    if (!mix.ok()) return mix.error();
    choices.mix = *mix;
  }
  for (const Status& s : {add_settings(arguments, &choices), add_rates(arguments, &choices)}) {
    if (!s.ok()) return s.error();
  }
  return choices;
}

Result<LatencyLimits> limits_of(const Arguments& arguments) {
  LatencyLimits limits;
  for (const auto& [name, limit] : {std::pair("tpot", &limits.tpot_ms), {"ttft", &limits.ttft_ms}}) {
    if (!arguments.has(name)) continue;
    const Result<Estimate> ms = parse_estimate(arguments.text(name), 1e-6, 1e9, std::string("--") + name + " (ms)");
    if (!ms.ok()) return ms.error();
    *limit = ms->typical;
  }
  return limits;
}

Result<CostOptions> draws_of(const Arguments& arguments) {
  CostOptions options;
  if (arguments.has("seed")) {
    const Result<int64_t> seed = integer_value("--seed", arguments.text("seed"), 0, INT64_MAX);
    if (!seed.ok()) return seed.error();
    options.seed = static_cast<uint64_t>(*seed);
  }
  if (arguments.has("draws")) {
    const Result<int64_t> draws = integer_value("--draws", arguments.text("draws"), 100, 1000000);
    if (!draws.ok()) return draws.error();
    options.draws = static_cast<int>(*draws);
  }
  return options;
}

fs::path prices_dir() {
  if (const char* set = std::getenv("ASSAY_PRICES_DIR"); set != nullptr && *set != '\0') return set;
  std::error_code code;
  const fs::path self = fs::read_symlink("/proc/self/exe", code);
  return code ? fs::path() : self.parent_path().parent_path() / "share" / "assay" / "prices";
}

Result<PriceBook> price_book(const Arguments& arguments) {
  Result<PriceBook> book = read_price_book((prices_dir() / "shipped.json").string());
  if (!book.ok()) return book.error();
  for (const std::string& file : arguments.texts("prices")) {
    const Result<PriceBook> mine = read_price_book(file);
    if (!mine.ok()) return mine.error();
    *book = merge_price_books(*book, *mine);
  }
  return book;
}

std::vector<OptionSpec> price_options() {
  return {
      {"prices", "FILE", "a price book of yours, over the shipped one", Complete::kFile, {}, true},
      {"chip", "NAME", "the chip of the price book that the records are of", Complete::kChip, {}, false},
      {"owned", "", "bought: price, life, power", Complete::kNothing, {}, false},
      {"rented", "", "by the hour: the rent", Complete::kNothing, {}, false},
      {"price", "AMOUNT", "of one chip: \"180000 CNY\", or VALUE:LOW:HIGH CNY", Complete::kNothing, {}, false},
      {"rent", "AMOUNT", "of one chip: \"13.2 CNY/h\"", Complete::kNothing, {}, false},
      {"tariff",
       "ID",
       std::string("of the price book (default ") + kDefaultTariff + ")",
       Complete::kNothing,
       {},
       false},
      {"load", "SHAPE", "when it runs", Complete::kWords, {"flat", "cheapest-hours"}, false},
      {"set",
       "NAME=VALUE",
       "another input: pue, utilisation, life, discount_rate, server_factor, salvage_share, opex_share, wall_power "
       "(kW of the server, PUE comes on top), "
       "idle_power_share, tariff, cached_cost_share; VALUE:LOW:HIGH gives a range",
       Complete::kNothing,
       {},
       true},
      {"mix", "C:I:O", "tokens of cached input, input, output, for the blended cost", Complete::kNothing, {}, false},
      {"tpot", "MS", "only decode steps and imported results whose p99 keeps this", Complete::kNothing, {}, false},
      {"ttft", "MS", "only prefill steps and imported results whose p99 keeps this", Complete::kNothing, {}, false},
      {"seed", "N", "of the Monte Carlo draws (default 1)", Complete::kNothing, {}, false},
      {"draws", "N", "how many (default 10000)", Complete::kNothing, {}, false}};
}

std::vector<OptionSpec> money_options() {
  std::vector<OptionSpec> options = price_options();
  options.push_back({"rate",
                     "CLASS=VALUE",
                     "tokens/s that someone reports: input, output or blended; VALUE:LOW:HIGH gives its interval, "
                     "without one nothing "
                     "is judged at 95 %",
                     Complete::kNothing,
                     {},
                     true});
  options.push_back(format_option());
  options.push_back(json_option());
  return options;
}

PricedRows price_rows(const std::vector<CostSubject>& subjects, const CostChoices& choices, const CostOptions& options,
                      const PriceBook& book, std::optional<Error>* unpriced) {
  PricedRows out;
  for (const CostSubject& subject : subjects) {
    Result<PricedSubject> priced = price_subject(subject, choices, book);
    if (!priced.ok()) {
      *unpriced = priced.error();
      const std::string note = "left out: " + priced.error().message;
      if (std::find(out.left_out.begin(), out.left_out.end(), note) == out.left_out.end()) out.left_out.push_back(note);
      continue;
    }
    CostRow row{std::move(priced).value(), {}};
    row.cost = cost(row.priced.inputs, options);
    (subject.clip_seconds ? out.clips : out.rows).push_back(std::move(row));
  }
  return out;
}

Status check_given_prices(const Arguments& arguments, const std::vector<std::string>& products, const PriceBook& book) {
  for (const char* option : {"price", "rent"}) {
    if (!arguments.has(option)) continue;
    if (Status one = check_of_one_chip(option, products, book); !one.ok()) return one;
  }
  return ok_status();
}

Result<PricedRows> priced_rows(const Arguments& arguments) {
  Result<PriceBook> book = price_book(arguments);
  if (!book.ok()) return book.error();
  const Result<CostChoices> choices = choices_of(arguments, *book);
  if (!choices.ok()) return choices.error();
  const Result<CostOptions> options = draws_of(arguments);
  if (!options.ok()) return options.error();
  std::vector<std::string> left_out;
  const Result<std::vector<CostSubject>> subjects = subjects_of(arguments, *choices, *book, &left_out);
  if (!subjects.ok()) return subjects.error();
  std::vector<std::string> products;
  for (const CostSubject& s : *subjects) products.push_back(s.product);
  if (const Status one = check_given_prices(arguments, products, *book); !one.ok()) return one.error();
  std::optional<Error> unpriced;
  PricedRows out = price_rows(*subjects, *choices, *options, *book, &unpriced);
  out.left_out.insert(out.left_out.end(), left_out.begin(), left_out.end());
  if (out.rows.empty() && out.clips.empty()) return *unpriced;
  out.book = std::move(book).value();
  return out;
}

}  // namespace assay
