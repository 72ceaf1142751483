// From the book's cells to the inputs of the cost: one currency, one range.
#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "results/prices/price_book.h"
#include "results/prices/price_cell.h"

namespace assay {
namespace {

constexpr const char* kHome = "CNY";

Estimate from_cell(const PriceCell& cell) {
  Estimate e;
  e.low = cell.low;
  e.typical = cell.value;
  e.high = cell.high;
  e.basis = cell.grade == "A" ? "assumed" : cell.grade == "M" ? "measured" : "reported";
  e.source = cell.source;
  e.date = cell.date;
  e.grade = cell.grade;
  e.note = cell.note;
  if (cell.from) e.spread = Spread::kUnknown;
  return e;
}

// Which source an end of a range is from.
std::string end_text(const char* end, const PriceCell& cell) {
  return std::string(end) + ": " + cell.source + ", " + cell.date + ", grade " + cell.grade;
}

void scale(Estimate* e, const Estimate& by) {
  e->low *= by.low;
  e->typical *= by.typical;
  e->high *= by.high;
}

void add_note(Estimate* e, const std::string& note) { e->note += (e->note.empty() ? "" : "; ") + note; }

Result<Estimate> fx_rate(const std::string& currency, const PriceBook& book) {
  for (const FxRate& rate : book.fx) {
    if (rate.currency != currency) continue;
    Estimate e = from_cell(rate.cny);
    e.confidential = is_confidential(book, "fx." + currency);
    e.only_rate = currency;
    e.currency = currency;
    return e;
  }
  return bad_input("no rate from " + currency + " to CNY in the price book \"" + book.name +
                   "\"; a book of your own may give one under fx");
}

// Hours of each band and its price, cheapest first or in the order given.
struct BandCost {
  double hours = 0;
  Estimate price;
};

Result<std::vector<BandCost>> band_costs(const Tariff& tariff, int month, LoadShape shape, const PriceBook& book) {
  std::vector<BandCost> bands;
  for (const TariffBand& band : tariff.bands) {
    if (!in_month(band, month)) continue;
    Result<Estimate> price = estimate_of(band.price, book);
    if (!price.ok()) return price.error();
    BandCost cost{0, std::move(price).value()};
    for (const auto& [from, to] : band.hours) cost.hours += to - from;
    bands.push_back(std::move(cost));
  }
  if (shape == LoadShape::kCheapestHours) {
    std::stable_sort(bands.begin(), bands.end(),
                     [](const BandCost& a, const BandCost& b) { return a.price.typical < b.price.typical; });
  }
  return bands;
}

// From what was measured to what is assumed; of one basis by grade.
int weakness(const Estimate& e) {
  const std::string grades = "MVCR?A";
  return static_cast<int>(std::min(grades.find(e.grade), grades.size()));
}

// What is made of several figures is known as well as the weakest of them.
class Makings {
 public:
  void add(const Estimate& part) {
    const bool known = std::any_of(parts_.begin(), parts_.end(), [&](const Estimate& p) {
      return p.source == part.source && p.grade == part.grade && p.date == part.date && p.note == part.note;
    });
    if (!known) parts_.push_back(part);
  }
  void describe(Estimate* whole) const {
    if (parts_.empty()) return;
    const auto weaker = [](const Estimate& a, const Estimate& b) { return weakness(a) < weakness(b); };
    const Estimate& weakest = *std::max_element(parts_.begin(), parts_.end(), weaker);
    whole->basis = weakest.basis;
    whole->grade = weakest.grade;
    whole->date = weakest.date;
    std::set<std::string> sources;
    for (const Estimate& p : parts_) {
      const std::string text = p.source + ", " + p.date + ", grade " + p.grade;
      if (!sources.insert(text).second) continue;
      whole->source += (whole->source.empty() ? "part: " : "; part: ") + text;
    }
    if (sources.size() == 1) whole->source = weakest.source;
    if (parts_.size() == 1) whole->note = weakest.note;
  }

 private:
  std::vector<Estimate> parts_;
};

// Adds a month's part of the year's mean price to `mean`, and the bands that it is of to `makings`.
Status add_month(const Tariff& tariff, int month, LoadShape shape, double wanted_hours, const PriceBook& book,
                 Estimate* mean, Makings* makings) {
  constexpr std::array<double, 12> kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const Result<std::vector<BandCost>> bands = band_costs(tariff, month, shape, book);
  if (!bands.ok()) return bands.error();
  const double of_year = kDays[static_cast<size_t>(month - 1)] / 365;
  double left = wanted_hours;
  for (const BandCost& band : *bands) {
    const double hours = std::min(left, band.hours), share = of_year * hours / wanted_hours;
    mean->low += share * band.price.low;
    mean->typical += share * band.price.typical;
    mean->high += share * band.price.high;
    if (share > 0) makings->add(band.price);
    mean->confidential = mean->confidential || band.price.confidential;
    left -= hours;
  }
  return ok_status();
}

}  // namespace

Result<Estimate> cell_estimate(const PriceCell& cell, const PriceBook& book) {
  Estimate e = from_cell(cell);
  if (cell.currency.empty() || cell.currency == kHome) return e;
  const Result<Estimate> fx = fx_rate(cell.currency, book);
  if (!fx.ok()) return fx.error();
  scale(&e, *fx);
  e.currency = fx->currency;
  if (cell.low == cell.high && !cell.from) e.only_rate = fx->only_rate;
  e.confidential = fx->confidential;  // an amount in both currencies gives the rate away
  add_note(&e, "1 " + cell.currency + " = " + std::to_string(fx->typical).substr(0, 6) + " CNY (" + fx->date + ")");
  return e;
}

Result<Estimate> estimate_of(const PriceCells& cells, const PriceBook& book) {
  if (cells.empty()) return bad_input("the price book \"" + book.name + "\" has no figure");
  Result<Estimate> first = cell_estimate(cells.front(), book);
  if (!first.ok()) return first.error();
  Estimate out = *first;
  size_t lowest = 0, highest = 0;
  for (size_t i = 1; i < cells.size(); ++i) {
    const Result<Estimate> other = cell_estimate(cells[i], book);
    if (!other.ok()) return other.error();
    out.confidential = out.confidential || other->confidential;
    if (other->low < out.low) out.low = other->low, lowest = i;
    if (other->high > out.high || (other->high == out.high && cells[i].from)) out.high = other->high, highest = i;
  }
  if (cells.size() > 1) out.only_rate.clear();
  if (cells.size() > 1) add_note(&out, "range over " + std::to_string(cells.size()) + " sources");
  if (lowest > 0) out.source += "; " + end_text("low", cells[lowest]);
  if (highest > 0) out.source += "; " + end_text(cells[highest].from ? "from" : "high", cells[highest]);
  out.spread = cells[highest].from ? Spread::kUnknown : Spread::kRange;
  return out;
}

Result<Estimate> in_yuan(double amount, const std::string& currency, const PriceBook& book) {
  Estimate one = exact_estimate(1, "reported", "");
  if (currency != kHome) {
    const Result<Estimate> fx = fx_rate(currency, book);
    if (!fx.ok()) return fx.error();
    one = *fx;
  }
  one.low *= amount;
  one.typical *= amount;
  one.high *= amount;
  return one;
}

Result<Estimate> tariff_estimate(const Tariff& tariff, bool domestic, LoadShape shape, double utilisation,
                                 const PriceBook& book) {
  const bool subsidised = tariff.subsidy && (domestic || !tariff.subsidy->domestic_only);
  if (subsidised && !tariff.subsidy->price_after.empty()) {
    Result<Estimate> after = estimate_of(tariff.subsidy->price_after, book);
    if (after.ok()) add_note(&*after, tariff.id + ", after subsidy");
    return after;
  }
  const double wanted = shape == LoadShape::kFlat ? 24 : 24 * std::clamp(utilisation, 0.0, 1.0);
  Estimate out;
  Makings makings;
  for (int month = 1; month <= 12; ++month) {
    Status s = add_month(tariff, month, shape, wanted, book, &out, &makings);
    if (!s.ok()) return s.error();
  }
  makings.describe(&out);
  if (tariff.bands.size() > 1) out.note = "mean of its bands over the year";
  add_note(&out, tariff.id + (shape == LoadShape::kFlat ? "" : ", the cheapest hours of the day"));
  if (subsidised) {
    const Result<Estimate> share = estimate_of(tariff.subsidy->share, book);
    if (!share.ok()) return share.error();
    out.low *= 1 - share->high;
    out.typical *= 1 - share->typical;
    out.high *= 1 - share->low;
    add_note(&out, "after subsidy");
    if (weakness(*share) > weakness(out)) {
      out.basis = share->basis;
      out.grade = share->grade;
    }
    out.source += "; subsidy: " + share->source + ", " + share->date + ", grade " + share->grade;
  }
  return out;
}

}  // namespace assay
