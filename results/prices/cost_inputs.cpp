#include "results/prices/cost_inputs.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace assay {
namespace {

constexpr double kMaxAmount = 1e12;
constexpr const char* kGivenMix = "given: ";

Status take(const PriceCells& cells, const std::string& name, const PriceBook& book, std::optional<Estimate>* out) {
  if (cells.empty()) return ok_status();
  Result<Estimate> e = estimate_of(cells, book);
  if (!e.ok()) return e.error();
  e->confidential = e->confidential || is_confidential(book, name);
  e->cell = name;
  *out = std::move(e).value();
  return ok_status();
}

// Fills what the book says; overrides come after.
class Assembly {
 public:
  Assembly(const CostSubject& subject, const CostChoices& choices, const PriceBook& book)
      : choices_(choices), book_(book) {
    out_.subject = subject;
    out_.inputs.mix = choices.mix;
    out_.inputs.at(CostInput::kInputRate) = subject.input_rate;
    out_.inputs.at(CostInput::kOutputRate) = subject.output_rate;
    out_.inputs.at(CostInput::kBlendedRate) = subject.blended_rate;
  }

  Result<PricedSubject> run(bool of_tokens) {
    for (const Status& s : {find_the_chip(), economics(), chip_money(), power(), electricity()}) {
      if (!s.ok()) return s.error();
    }
    for (const auto& [input, value] : choices_.overrides) at(input) = value;
    if (at(CostInput::kBlendedRate)) {
      if (out_.inputs.mix.source.rfind(kGivenMix, 0) == 0)
        out_.notes.emplace_back("the mix that was given is not used: the rate is of all tokens together");
      out_.inputs.mix = {0, 0, 0, "all tokens together"};
    }
    choose_side();
    const std::string missing = missing_cost_inputs(out_.inputs, of_tokens);
    say_what_has_no_range();
    say_what_is_not_used();
    say_what_is_rounded();
    if (missing.empty()) return std::move(out_);
    const std::string& known = out_.chip ? out_.chip->id : out_.subject.product;
    const std::string name = known.empty() ? "a chip that its source doesn't name" : known;
    const bool rated = at(CostInput::kInputRate) || at(CostInput::kOutputRate) || at(CostInput::kBlendedRate);
    const std::vector<std::string>& notes = out_.subject.notes;
    const auto none = std::find_if(notes.begin(), notes.end(),
                                   [](const std::string& note) { return note.rfind("no case keeps ", 0) == 0; });
    if (!rated && none != notes.end()) return bad_input("the cost of " + name + " rests on no rate: " + *none);
    return bad_input("the cost of " + name + " needs " + missing +
                     "; give it with --set NAME=VALUE, --rent, --price or a "
                     "price book (--prices); --chip names a chip of the book");
  }

 private:
  std::optional<Estimate>& at(CostInput i) { return out_.inputs.at(i); }

  Status find_the_chip() {
    if (choices_.chip.empty()) {
      out_.chip = chip_of_product(book_, out_.subject.product);
      return ok_status();
    }
    Result<PricedChip> found = find_chip(book_, choices_.chip);
    if (!found.ok()) return bad_input("--chip: " + found.error().message);
    out_.chip = std::move(found).value();
    if (out_.subject.records.empty()) return ok_status();
    const std::optional<PricedChip> known = chip_of_product(book_, out_.subject.product);
    if (out_.subject.product.empty()) {
      out_.notes.push_back("the source names no chip: " + out_.chip->id + ", as --chip says");
    } else if (!known || known->id != out_.chip->id) {
      out_.of_another_chip = true;
      out_.notes.push_back("rates of " + out_.subject.product + " at the prices of " + out_.chip->id +
                           ", as --chip says");
    }
    return ok_status();
  }

  Status economics() {
    for (const CostInput i : all_cost_inputs()) {
      const auto found = book_.economics.find(cost_input_name(i));
      if (found == book_.economics.end()) continue;
      Status s = take(found->second, "economics." + found->first, book_, &at(i));
      if (!s.ok()) return s;
    }
    return ok_status();
  }

  Status chip_money() {
    if (!out_.chip) return ok_status();
    Status s = take(out_.chip->price, out_.chip->id + ".price", book_, &at(CostInput::kChipPrice));
    if (!s.ok()) return s;
    return take(out_.chip->rent_per_hour, out_.chip->id + ".rent_per_hour", book_, &at(CostInput::kRent));
  }

  void no_facility_overhead_twice() {
    facility_in_power_ = true;
    at(CostInput::kPue) = exact_estimate(1, "reported", "the power at the wall has the facility's overhead in it");
  }

  // Given, as of the server alone; else measured at the wall; else the book's all-in power; else the rating times what
  // servers add to it.
  Status power() {
    if (choices_.overrides.count(CostInput::kWallKw) != 0) return ok_status();
    if (out_.subject.wall_kw) {
      at(CostInput::kWallKw) = out_.subject.wall_kw;
      return ok_status();
    }
    if (!out_.chip) return ok_status();
    if (!out_.chip->wall_kw.empty()) {
      if (out_.chip->wall_kw.front().basis == "with-facility") no_facility_overhead_twice();
      return take(out_.chip->wall_kw, out_.chip->id + ".wall_kw", book_, &at(CostInput::kWallKw));
    }
    const auto factor = book_.economics.find("wall_power_factor");
    if (out_.chip->tdp_w.empty() || factor == book_.economics.end()) return ok_status();
    Result<Estimate> tdp = estimate_of(out_.chip->tdp_w, book_), times = estimate_of(factor->second, book_);
    if (!tdp.ok()) return tdp.error();
    if (!times.ok()) return times.error();
    Estimate kw = *tdp;
    kw.low *= times->low / 1000;
    kw.typical *= times->typical / 1000;
    kw.high *= times->high / 1000;
    kw.basis = "projected";
    kw.cell = out_.chip->id + ".tdp_w";
    kw.confidential =
        is_confidential(book_, out_.chip->id + ".tdp_w") || is_confidential(book_, "economics.wall_power_factor");
    kw.source = "rated power (" + tdp->source + ") x what servers and the facility add (" + times->source + ")";
    at(CostInput::kWallKw) = kw;
    no_facility_overhead_twice();
    return ok_status();
  }

  Status electricity() {
    if (choices_.tariff.empty()) return ok_status();
    const Result<Tariff> tariff = find_tariff(book_, choices_.tariff);
    if (!tariff.ok()) return bad_input("--tariff: " + tariff.error().message);
    const bool domestic = out_.chip && out_.chip->domestic.value_or(false);
    const double use = at(CostInput::kUtilisation) ? at(CostInput::kUtilisation)->typical : 1;
    Result<Estimate> price = tariff_estimate(*tariff, domestic, choices_.load, use, book_);
    if (!price.ok()) return price.error();
    price->confidential = price->confidential || is_confidential(book_, tariff->id + ".tariff");
    price->cell = tariff->id + ".tariff";
    at(CostInput::kTariff) = *price;
    if (tariff->subsidy && tariff->subsidy->domestic_only && !domestic) {
      out_.notes.push_back(tariff->id + ": no subsidy, it is for domestic chips" +
                           (out_.chip && out_.chip->domestic ? "" : " and the book does not say that this is one"));
    }
    return ok_status();
  }

  // A figure without a range is no price without doubt: the reader must know that the interval doesn't hold it. What
  // the user gives, and a vendor's own offer, is as exact as it says. The price's own cells decide: in yuan it has the
  // range of the exchange rate, too.
  void say_what_has_no_range() {
    const bool rented = out_.inputs.rented;
    const CostInput money = rented ? CostInput::kRent : CostInput::kChipPrice;
    const std::optional<Estimate>& e = at(money);
    if (!e || choices_.overrides.count(money) != 0 || e->confidential) return;
    const PriceCells& cells = rented ? out_.chip->rent_per_hour : out_.chip->price;
    const std::string what = std::string(rented ? "the rent" : "the chip's price") + " of " + out_.chip->id;
    const auto which = [](const PriceCell& cell) { return " (" + cell.date + ", grade " + cell.grade + ")"; };
    if (e->spread == Spread::kUnknown) {
      const auto offer = std::find_if(cells.begin(), cells.end(), [](const PriceCell& c) { return c.from; });
      out_.notes.push_back(what + " has no upper end, as an offer is only known from a price on" +
                           which(offer == cells.end() ? cells.front() : *offer) +
                           ": its cost has no interval; an offer to you (" + (rented ? "--rent" : "--price") +
                           ") gives it one");
      return;
    }
    const PriceCell& first = cells.front();
    const bool ranged = std::any_of(cells.begin(), cells.end(), [&](const PriceCell& c) {
      return c.high > c.low || c.value != first.value || c.currency != first.currency;
    });
    if (ranged || first.grade == "V" || first.grade == "M") return;
    const std::string rests = cells.size() == 1
                                  ? " rests on one source without a range"
                                  : " is the same in " + std::to_string(cells.size()) + " sources, none with a range";
    out_.notes.push_back(what + rests + which(first) + ": the interval leaves out how far it may be off");
  }

  void say_what_is_rounded() {
    bool ranged = false, open = false;
    for (const CostInput i : all_cost_inputs()) {
      if (!at(i) || !at(i)->confidential) continue;
      (at(i)->spread == Spread::kUnknown ? open : ranged) = true;
    }
    const std::string steps = "confidential figures count as the middle of one of twelve steps a decade";
    if (ranged)
      out_.notes.push_back(steps +
                           ": intervals and probabilities hold wherever in its step each lies, and no figure here "
                           "tells more of them");
    if (open)
      out_.notes.push_back((ranged ? "a confidential price \"from\" an amount on counts as such a step" : steps) +
                           ", without an upper end, as the offer has none: its cost has no interval");
  }

  // What the user gives and the cost doesn't rest on, or pays twice.
  void say_what_is_not_used() {
    static const std::vector<CostInput> kOwning{
        CostInput::kChipPrice,    CostInput::kServerFactor, CostInput::kLifeYears, CostInput::kDiscountRate,
        CostInput::kSalvageShare, CostInput::kOpexShare,    CostInput::kWallKw,    CostInput::kIdlePowerShare,
        CostInput::kPue,          CostInput::kTariff};
    const bool rented = out_.inputs.rented;
    const auto given = [&](CostInput i) { return choices_.overrides.count(i) != 0; };
    std::string unused;
    for (const CostInput i : rented ? kOwning : std::vector<CostInput>{CostInput::kRent}) {
      if (given(i)) unused += (unused.empty() ? "" : ", ") + std::string(cost_input_name(i));
    }
    if (!unused.empty())
      out_.notes.push_back(
          (rented ? "given and not in the cost, as it is rented: " : "given and not in the cost, as it is owned: ") +
          unused);
    if (rented && choices_.tariff_given)
      out_.notes.emplace_back("the tariff moves no rent: of a rented chip it counts in what power alone costs");
    if (!rented && facility_in_power_ && given(CostInput::kPue) && at(CostInput::kPue)->typical > 1) {
      out_.notes.emplace_back("PUE is charged twice: the power at the wall has the facility's overhead in it already");
    }
  }

  // Owned where there is a price, unless the user says otherwise; a rented hour is paid whether used or not only where
  // the user gives a utilisation.
  void choose_side() {
    out_.rent_known = at(CostInput::kRent).has_value();
    out_.price_known = at(CostInput::kChipPrice).has_value();
    const bool only_rent = out_.rent_known && !out_.price_known;
    const bool says_rent = choices_.overrides.count(CostInput::kRent) != 0;
    out_.inputs.rented = choices_.rented.value_or(only_rent || says_rent);
    if (out_.inputs.rented && choices_.overrides.count(CostInput::kUtilisation) == 0) {
      at(CostInput::kUtilisation) = exact_estimate(1, "assumed", "rented by the hour of use");
    }
    const std::vector<CostInput> unused =
        out_.inputs.rented
            ? std::vector<CostInput>{CostInput::kChipPrice,    CostInput::kServerFactor, CostInput::kLifeYears,
                                     CostInput::kDiscountRate, CostInput::kSalvageShare, CostInput::kOpexShare}
            : std::vector<CostInput>{CostInput::kRent};
    for (const CostInput i : unused) at(i).reset();
    if (out_.inputs.rented && !at(CostInput::kWallKw)) {
      for (const CostInput i : {CostInput::kTariff, CostInput::kPue, CostInput::kIdlePowerShare}) at(i).reset();
    }
  }

  const CostChoices& choices_;
  const PriceBook& book_;
  bool facility_in_power_ = false;
  PricedSubject out_;
};

Result<double> number_in(const std::string& text, double min, double max, const std::string& where) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && stop == end && value >= min && value <= max) return value;
  char bounds[64];
  std::snprintf(bounds, sizeof bounds, "a number from %.6g to %.6g", min, max);
  return bad_input(where + ": expected " + bounds + ", found \"" + text + "\"");
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

Result<PricedSubject> price_subject(const CostSubject& subject, const CostChoices& choices, const PriceBook& book) {
  return Assembly(subject, choices, book).run(!subject.clip_seconds);
}

Result<PricedSubject> price_hour(const CostChoices& choices, const PriceBook& book) {
  return Assembly({}, choices, book).run(false);
}

Status check_of_one_chip(const std::string& option, const std::vector<std::string>& products, const PriceBook& book) {
  std::map<std::string, std::string> chips;  // by id, or product where the book has none, to the name in the records
  for (const std::string& product : products) {
    const std::optional<PricedChip> known = chip_of_product(book, product);
    chips.emplace(known ? known->id : product, product.empty() ? "a chip that its source doesn't name" : product);
  }
  if (chips.size() < 2) return ok_status();
  std::string found;
  for (const auto& [id, name] : chips) found += (found.empty() ? "" : ", ") + name;
  return bad_input("--" + option + ": expected records of one chip, which it prices, found " + found +
                   "; a price book (--prices) gives each its own, under " +
                   (option == "rent" ? "rent_per_hour" : "price") + " of chips");
}

std::string alike_by(bool all_rentable, bool all_buyable) {
  if (all_rentable && all_buyable) return "--owned or --rented";
  return all_rentable ? "--rented" : all_buyable ? "--owned" : "";
}

double reference_tariff(const PriceBook& book) {
  double lowest = 0;
  for (const Tariff& t : book.tariffs) {
    if (!t.subsidy || t.subsidy->price_after.empty() || is_confidential(book, t.id + ".tariff")) continue;
    const Result<Estimate> price = estimate_of(t.subsidy->price_after, book);
    if (price.ok() && !price->confidential && (lowest == 0 || price->typical < lowest)) lowest = price->typical;
  }
  return lowest > 0 ? lowest : 0.4;
}

Result<TokenMix> parse_mix(const std::string& text, const std::string& where) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() != 3)
    return bad_input(where + ": expected CACHED:INPUT:OUTPUT such as 342:266:168, found \"" + text + "\"");
  std::array<double, 3> shares{};
  double sum = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Result<double> share = number_in(parts[i], 0, kMaxAmount, where);
    if (!share.ok()) return share.error();
    shares[i] = *share;
    sum += *share;
  }
  if (!(sum > 0)) return bad_input(where + ": expected a share over 0, found \"" + text + "\"");
  return TokenMix{shares[0] / sum, shares[1] / sum, shares[2] / sum, kGivenMix + text};
}

Result<Estimate> parse_estimate(const std::string& text, double min, double max, const std::string& where) {
  const std::vector<std::string> parts = split(text, ':');
  if (parts.size() != 1 && parts.size() != 3) {
    return bad_input(where + ": expected VALUE or VALUE:LOW:HIGH, found \"" + text + "\"");
  }
  std::array<double, 3> v{};
  for (size_t i = 0; i < parts.size(); ++i) {
    const Result<double> number = number_in(parts[i], min, max, where);
    if (!number.ok()) return number.error();
    v[i] = *number;
  }
  Estimate e = exact_estimate(v[0], "assumed", "given on the command line");
  if (parts.size() == 1) return e;
  e.low = v[1];
  e.high = v[2];
  if (!(e.low <= e.typical && e.typical <= e.high)) {
    return bad_input(where + ": expected LOW <= VALUE <= HIGH, found \"" + text + "\"");
  }
  return e;
}

Result<Estimate> parse_measured(const std::string& text, double min, double max, const std::string& where) {
  Result<Estimate> e = parse_estimate(text, min, max, where);
  if (e.ok() && text.find(':') == std::string::npos) {
    e->spread = Spread::kUnknown;
    e->note = "no interval is known";
  }
  return e;
}

Result<Estimate> parse_money(const std::string& text, const std::string& suffix, const PriceBook& book,
                             const std::string& where) {
  const size_t blank = text.find(' ');
  const std::string shape = suffix.empty() ? "25000 USD" : "13.2 CNY" + suffix;
  if (blank == std::string::npos) {
    return bad_input(where + ": expected an amount with its currency such as \"" + shape + "\", found \"" + text +
                     "\"");
  }
  std::string currency = text.substr(blank + 1);
  if (!suffix.empty()) {
    if (currency.size() <= suffix.size() || currency.substr(currency.size() - suffix.size()) != suffix) {
      return bad_input(where + ": expected an amount such as \"" + shape + "\", found \"" + text + "\"");
    }
    currency.resize(currency.size() - suffix.size());
  }
  if (currency == "yuan" || currency == "RMB") currency = "CNY";
  Result<Estimate> amount = parse_estimate(text.substr(0, blank), 0, kMaxAmount, where);
  if (!amount.ok()) return amount.error();
  const Result<Estimate> one = in_yuan(1, currency, book);
  if (!one.ok()) return bad_input(where + ": " + one.error().message);
  amount->low *= one->low;
  amount->typical *= one->typical;
  amount->high *= one->high;
  amount->confidential = one->confidential;
  amount->currency = one->currency;
  if (text.find(':') == std::string::npos) amount->only_rate = one->only_rate;
  if (currency != "CNY") {
    char note[96];
    std::snprintf(note, sizeof note, "1 %s = %.6g CNY (%s)", currency.c_str(), one->typical, one->date.c_str());
    amount->note = note;
  }
  return amount;
}

}  // namespace assay
