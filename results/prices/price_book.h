// Price book: what chips cost, what power costs, and what a datasheet says of them. Every figure is a list of cells,
// each with its source: figures that conflict stand side by side. Schema: results/prices/price_book.schema.json.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "results/metrics/cost.h"
#include "suites/base/result.h"

namespace assay {

struct PriceCell {
  double value = 0, low = 0, high = 0;  // low <= value <= high; equal where the source gives one figure
  std::string currency;                 // money only: CNY, USD
  std::string basis;                    // compute: dense, sparse; power: with-facility (PUE is in it); else ""
  bool from = false;                    // an offer "from" value on: a lower bound, its upper end is not known
  std::string date, source, grade, note;
};
// Grades: V vendor's own document, M published measurement, C community, R press, A an assumption of this book,
// ? conflicting or not disclosed.
using PriceCells = std::vector<PriceCell>;  // the first is the typical one; all of them span the range

struct PricedChip {
  std::string id, name, vendor;
  std::vector<std::string> aliases;
  std::optional<bool> domestic;     // made in China: what a tariff's subsidy may depend on
  PriceCells price, rent_per_hour;  // of one accelerator
  PriceCells tdp_w, wall_kw;        // wall_kw: all-in power of one accelerator's share of its server
  PriceCells memory_gb, bandwidth_tb_s, link_gb_s;
  std::map<std::string, PriceCells> compute;  // by dtype: TFLOPS, of int8 TOPS
};

// Local hours [from, to) of a day, in some months or in all.
struct TariffBand {
  std::string name;
  std::vector<int> months;  // 1 to 12; empty: the whole year
  std::vector<std::pair<double, double>> hours;
  PriceCells price;  // per kWh
};
bool in_month(const TariffBand& band, int month);  // 1 to 12
struct Subsidy {
  bool domestic_only = false;
  PriceCells share;        // of the price that is paid back, or
  PriceCells price_after;  // what a kWh costs with it
};
struct Tariff {
  std::string id, name;
  std::vector<TariffBand> bands;  // cover each month's day once
  std::optional<Subsidy> subsidy;
};

inline constexpr const char* kDefaultTariff = "cn-west";  // of the shipped book

struct FxRate {
  std::string currency;  // 1 of it costs `cny` yuan
  PriceCell cny;
};

struct PriceBook {
  std::string name, date;
  bool confidential = false;  // a buyer's: its figures are used, rounded to a step and never printed
  std::vector<FxRate> fx;
  std::map<std::string, PriceCells> economics;  // by the name of a CostInput: pue, life, ...
  std::vector<Tariff> tariffs;
  std::vector<PricedChip> chips;
  std::vector<std::string> confidential_cells;  // "h100-sxm.price": those that came from a confidential book
};
bool is_confidential(const PriceBook& book, const std::string& cell);

// Every figure of a confidential book is one of twelve steps a decade from here on, with a range over the whole of it:
// what follows from it tells no more than the step, however many figures follow, and holds wherever in it the figure
// lies (is_known_to_a_step()). Datasheets' are not confidential.
Result<PriceBook> parse_price_book(const std::string& text, const std::string& where);
Result<PriceBook> read_price_book(const std::string& path);
// The buyer's book over the shipped one. By id: a chip, tariff or rate that the shipped book lacks is added; of one
// that it has, each list of cells that the buyer gives replaces the shipped list as a whole, and the others stay.
// Tariffs are replaced whole.
PriceBook merge_price_books(const PriceBook& shipped, const PriceBook& buyer);

// By id, name or alias, case and punctuation aside; an unknown name suggests the nearest.
Result<PricedChip> find_chip(const PriceBook& book, const std::string& name);
Result<Tariff> find_tariff(const PriceBook& book, const std::string& id);
// The chip that a device's product name means ("NVIDIA H100 80GB HBM3"): the longest alias within it.
std::optional<PricedChip> chip_of_product(const PriceBook& book, const std::string& product);

// What the cells say, in CNY where they are money: typical is the first, low and high the extremes of all, and where
// these are not the first's the source says whose they are. Of unknown spread where the highest is an offer "from" on.
Result<Estimate> estimate_of(const PriceCells& cells, const PriceBook& book);
// One amount of `currency` in CNY, with the uncertainty of the rate.
Result<Estimate> in_yuan(double amount, const std::string& currency, const PriceBook& book);

enum class LoadShape { kFlat, kCheapestHours };  // round the clock, or the day's cheapest hours first
// CNY per kWh, mean over the hours of a year in which the load runs (`utilisation` of each day), after the subsidy if
// it applies to the chip (a chip of unknown make gets none that is for domestic ones).
Result<Estimate> tariff_estimate(const Tariff& tariff, bool domestic, LoadShape shape, double utilisation,
                                 const PriceBook& book);

}  // namespace assay
