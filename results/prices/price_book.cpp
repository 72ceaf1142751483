#include "results/prices/price_book.h"

#include <algorithm>
#include <cctype>

#include "suites/base/nearest.h"

namespace assay {
namespace {

// Letters and digits in lower case: how names are compared.
std::string plain(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

void replace(PriceCells* shipped, const PriceCells& buyer) {
  if (!buyer.empty()) *shipped = buyer;
}

void merge_chip(PricedChip* shipped, const PricedChip& buyer) {
  if (!buyer.name.empty()) shipped->name = buyer.name;
  if (!buyer.vendor.empty()) shipped->vendor = buyer.vendor;
  if (buyer.domestic) shipped->domestic = buyer.domestic;
  shipped->aliases.insert(shipped->aliases.end(), buyer.aliases.begin(), buyer.aliases.end());
  replace(&shipped->price, buyer.price);
  replace(&shipped->rent_per_hour, buyer.rent_per_hour);
  replace(&shipped->tdp_w, buyer.tdp_w);
  replace(&shipped->wall_kw, buyer.wall_kw);
  replace(&shipped->memory_gb, buyer.memory_gb);
  replace(&shipped->bandwidth_tb_s, buyer.bandwidth_tb_s);
  replace(&shipped->link_gb_s, buyer.link_gb_s);
  for (const auto& [dtype, list] : buyer.compute) shipped->compute[dtype] = list;
}

template <typename T, typename Same>
T* find_if_same(std::vector<T>* items, const Same& same) {
  const auto found = std::find_if(items->begin(), items->end(), same);
  return found == items->end() ? nullptr : &*found;
}

std::vector<std::string> names_of(const PricedChip& chip) {
  std::vector<std::string> names{chip.id};
  if (!chip.name.empty()) names.push_back(chip.name);
  names.insert(names.end(), chip.aliases.begin(), chip.aliases.end());
  return names;
}

}  // namespace

bool is_confidential(const PriceBook& book, const std::string& cell) {
  const std::vector<std::string>& cells = book.confidential_cells;
  return std::find(cells.begin(), cells.end(), cell) != cells.end();
}

bool in_month(const TariffBand& band, int month) {
  return band.months.empty() || std::find(band.months.begin(), band.months.end(), month) != band.months.end();
}

PriceBook merge_price_books(const PriceBook& shipped, const PriceBook& buyer) {
  PriceBook out = shipped;
  out.name += " + " + buyer.name;
  out.date = std::max(shipped.date, buyer.date);
  for (const FxRate& rate : buyer.fx) {
    FxRate* mine = find_if_same(&out.fx, [&](const FxRate& r) { return r.currency == rate.currency; });
    mine != nullptr ? * mine = rate : out.fx.emplace_back(rate);
  }
  for (const auto& [name, list] : buyer.economics) out.economics[name] = list;
  for (const Tariff& tariff : buyer.tariffs) {
    Tariff* mine = find_if_same(&out.tariffs, [&](const Tariff& t) { return t.id == tariff.id; });
    mine != nullptr ? * mine = tariff : out.tariffs.emplace_back(tariff);
  }
  for (const PricedChip& chip : buyer.chips) {
    PricedChip* mine = find_if_same(&out.chips, [&](const PricedChip& c) { return c.id == chip.id; });
    if (mine == nullptr) {
      out.chips.push_back(chip);
    } else {
      merge_chip(mine, chip);
    }
  }
  out.confidential_cells.insert(out.confidential_cells.end(), buyer.confidential_cells.begin(),
                                buyer.confidential_cells.end());
  return out;
}

Result<PricedChip> find_chip(const PriceBook& book, const std::string& name) {
  std::vector<std::string> ids;
  for (const PricedChip& chip : book.chips) {
    ids.push_back(chip.id);
    for (const std::string& known : names_of(chip)) {
      if (plain(known) == plain(name)) return chip;
    }
  }
  return bad_input("unknown chip \"" + name + "\"" + suggestion(name, ids));
}

Result<Tariff> find_tariff(const PriceBook& book, const std::string& id) {
  std::vector<std::string> ids;
  for (const Tariff& tariff : book.tariffs) {
    ids.push_back(tariff.id);
    if (tariff.id == id) return tariff;
  }
  return bad_input("unknown tariff \"" + id + "\"" + suggestion(id, ids));
}

std::optional<PricedChip> chip_of_product(const PriceBook& book, const std::string& product) {
  const std::string text = plain(product);
  std::optional<PricedChip> best;
  size_t length = 0;
  for (const PricedChip& chip : book.chips) {
    for (const std::string& name : names_of(chip)) {
      const std::string known = plain(name);
      if (known.size() <= length || text.find(known) == std::string::npos) continue;
      length = known.size();
      best = chip;
    }
  }
  return best;
}

}  // namespace assay
