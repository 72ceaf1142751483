#include <algorithm>
#include <cmath>
#include <regex>
#include <set>

#include "results/prices/price_book.h"
#include "results/prices/price_cell.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

constexpr size_t kMaxCells = 64, kMaxEntries = 4096, kMaxCellText = 2048;
constexpr double kMaxCellAmount = 1e12;

std::string date_at(const JsonNode& node) {
  static const std::regex kDate("[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?|Q[1-4])?");
  std::string text = node.text(16);
  if (!std::regex_match(text, kDate)) node.fail_expected("a date: 2026, 2026-11, 2026-11-25 or 2026Q4");
  return text;
}

std::string optional_text(const JsonNode& node, const char* name) {
  return node.has(name) ? node.at(name).text(kMaxCellText) : "";
}

}  // namespace

std::string currency_at(const JsonNode& node) {
  return node.text_of({"CNY", "USD", "EUR", "HKD", "JPY", "KRW", "TWD"});
}

PriceCell price_cell(const JsonNode& node, const PriceCellRules& rules) {
  node.fields({"value", "low", "high", "from", "currency", "basis", "date", "source", "grade", "note"});
  PriceCell c;
  c.value = node.at("value").number(rules.min, rules.max);
  c.low = node.has("low") ? node.at("low").number(rules.min, rules.max) : c.value;
  c.high = node.has("high") ? node.at("high").number(rules.min, rules.max) : c.value;
  if (!(c.low <= c.value && c.value <= c.high)) node.fail("expected low <= value <= high");
  if (node.has("from")) c.from = node.at("from").boolean();
  if (c.from && !rules.may_be_from) node.at("from").fail("expected it of a chip's price or rent alone");
  if (c.from && node.has("high")) node.at("high").fail("expected none: \"from\" says that the upper end is not known");
  if (rules.money) c.currency = currency_at(node.at("currency"));
  if (!rules.money && node.has("currency")) node.at("currency").fail("expected no currency: this is not money");
  if (!rules.bases.empty() && node.has("basis")) c.basis = node.at("basis").text_of(rules.bases);
  if (rules.bases.empty() && node.has("basis")) node.at("basis").fail("expected no basis here");
  c.date = date_at(node.at("date"));
  c.source = node.at("source").text(kMaxCellText);
  if (c.source.empty()) node.at("source").fail("expected who says so, found nothing");
  c.grade = node.at("grade").text_of({"V", "M", "C", "R", "A", "?"});
  c.note = optional_text(node, "note");
  return c;
}

namespace {

PriceCells cells(const JsonNode& node, const PriceCellRules& rules) {
  PriceCells out;
  for (const JsonNode& item : node.items(1, kMaxCells)) out.push_back(price_cell(item, rules));
  return out;
}

PriceCells maybe_cells(const JsonNode& node, const char* name, const PriceCellRules& rules) {
  return node.has(name) ? cells(node.at(name), rules) : PriceCells{};
}

PriceCellRules money() { return {true, 0, kMaxCellAmount, {}}; }
PriceCellRules offer() { return {true, 0, kMaxCellAmount, {}, true}; }
PriceCellRules share() { return {false, 0, 1, {}}; }
PriceCellRules positive(double max) { return {false, 1e-6, max, {}}; }

// Ids are what a user types.
std::string id_at(const JsonNode& node) {
  static const std::regex kId("[a-z0-9][a-z0-9._-]{0,63}");
  std::string text = node.at("id").text(64);
  if (!std::regex_match(text, kId)) node.at("id").fail_expected("lower-case letters, digits, '.', '_' and '-'");
  return text;
}

PricedChip chip(const JsonNode& node) {
  node.fields({"id", "name", "vendor", "aliases", "domestic", "price", "rent_per_hour", "tdp_w", "wall_kw", "memory_gb",
               "bandwidth_tb_s", "link_gb_s", "compute"});
  PricedChip c;
  c.id = id_at(node);
  c.name = optional_text(node, "name");
  c.vendor = optional_text(node, "vendor");
  if (node.has("aliases")) {
    for (const JsonNode& item : node.at("aliases").items(0, 32)) {
      c.aliases.push_back(item.text(128));
      if (c.aliases.back().size() < 2) item.fail_expected("a name of two letters or more");
    }
  }
  if (node.has("domestic")) c.domestic = node.at("domestic").boolean();
  c.price = maybe_cells(node, "price", offer());
  c.rent_per_hour = maybe_cells(node, "rent_per_hour", offer());
  c.tdp_w = maybe_cells(node, "tdp_w", positive(1e5));
  PriceCellRules wall = positive(100);
  wall.bases = {"with-facility", "without-facility"};
  c.wall_kw = maybe_cells(node, "wall_kw", wall);
  c.memory_gb = maybe_cells(node, "memory_gb", positive(1e5));
  c.bandwidth_tb_s = maybe_cells(node, "bandwidth_tb_s", positive(1e4));
  c.link_gb_s = maybe_cells(node, "link_gb_s", positive(1e6));
  if (node.has("compute")) {
    node.at("compute").fields({"fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8", "fp4"});
    PriceCellRules compute = positive(1e7);
    compute.bases = {"dense", "sparse"};
    for (const auto& [dtype, list] : node.at("compute").members()) {
      c.compute[dtype] = cells(list, compute);
      for (const PriceCell& figure : c.compute[dtype]) {
        if (figure.basis.empty()) list.fail("expected a basis, dense or sparse, in each cell");
      }
    }
  }
  return c;
}

// The bands of a month must cover each hour of the day once; false where they don't.
bool check_day(const JsonNode& node, const Tariff& tariff, int month) {
  std::vector<std::pair<double, double>> hours;
  for (const TariffBand& band : tariff.bands) {
    if (in_month(band, month)) hours.insert(hours.end(), band.hours.begin(), band.hours.end());
  }
  std::sort(hours.begin(), hours.end());
  const std::string expected =
      "expected bands that cover 0 to 24 h of each month once; in month " + std::to_string(month);
  double end = 0;
  for (const auto& [from, to] : hours) {
    if (from != end) {
      node.fail(expected + " after " + std::to_string(end) + " comes " + std::to_string(from));
      return false;
    }
    end = to;
  }
  if (end != 24) node.fail(expected + " they end at " + std::to_string(end));
  return end == 24;
}

std::vector<int> months_at(const JsonNode& node) {
  std::vector<int> months;
  for (const JsonNode& item : node.items(1, 12)) {
    months.push_back(static_cast<int>(item.integer(1, 12)));
    if (std::count(months.begin(), months.end(), months.back()) > 1) item.fail("this month stands here twice");
  }
  return months;
}

Tariff tariff(const JsonNode& node) {
  node.fields({"id", "name", "bands", "subsidy"});
  Tariff t;
  t.id = id_at(node);
  t.name = optional_text(node, "name");
  for (const JsonNode& item : node.at("bands").items(1, 48)) {
    item.fields({"name", "months", "hours", "price"});
    TariffBand band;
    band.name = item.at("name").text(64);
    if (item.has("months")) band.months = months_at(item.at("months"));
    for (const JsonNode& range : item.at("hours").items(1, 48)) {
      const std::vector<JsonNode> ends = range.items(2, 2);
      if (ends.size() != 2) break;
      band.hours.emplace_back(ends[0].number(0, 24), ends[1].number(0, 24));
      if (band.hours.back().first >= band.hours.back().second) range.fail("expected [from, to] with from < to");
    }
    band.price = cells(item.at("price"), money());
    t.bands.push_back(std::move(band));
  }
  for (int month = 1; month <= 12 && check_day(node.at("bands"), t, month); ++month) {
  }
  if (!node.has("subsidy")) return t;
  const JsonNode s = node.at("subsidy");
  s.fields({"domestic_only", "share", "price_after"});
  t.subsidy = Subsidy{s.at("domestic_only").boolean(), maybe_cells(s, "share", share()),
                      maybe_cells(s, "price_after", money())};
  if (t.subsidy->share.empty() == t.subsidy->price_after.empty()) s.fail("expected share or price_after, one of them");
  return t;
}

// What the economics may say, and within which bounds.
const std::map<std::string, PriceCellRules>& economics_rules() {
  static const std::map<std::string, PriceCellRules> kRules{
      {"server_factor", {false, 1, 20, {}}},     {"life", {false, 0.25, 30, {}}},
      {"discount_rate", {false, 0, 1, {}}},      {"salvage_share", {false, 0, 1, {}}},
      {"opex_share", {false, 0, 2, {}}},         {"utilisation", {false, 0.001, 1, {}}},
      {"idle_power_share", {false, 0, 1, {}}},   {"pue", {false, 1, 5, {}}},
      {"wall_power_factor", {false, 1, 10, {}}}, {"cached_cost_share", {false, 0, 1, {}}}};
  return kRules;
}

void read_economics(const JsonNode& node, PriceBook* book) {
  std::vector<std::string> names;
  for (const auto& [name, rules] : economics_rules()) names.push_back(name);
  node.fields(names);
  for (const auto& [name, list] : node.members()) {
    const auto rules = economics_rules().find(name);
    if (rules != economics_rules().end()) book->economics[name] = cells(list, rules->second);
  }
}

template <typename T>
void check_unique(const JsonNode& node, const std::vector<T>& items) {
  std::set<std::string> ids;
  for (const T& item : items) {
    if (!ids.insert(item.id).second) node.fail("\"" + item.id + "\" stands here twice");
  }
}

// To the nearest of twelve steps a decade, its range over the whole of the step, within what the figure may be.
void round_to_step(PriceCell* c, const PriceCellRules& rules) {
  constexpr double kSteps = 12;
  const auto step = [&](double value, double to) {
    if (value <= 0) return value;
    return std::clamp(std::pow(10, (std::round(kSteps * std::log10(value)) + to) / kSteps), rules.min, rules.max);
  };
  c->low = step(c->low, -0.5);
  c->high = step(c->high, c->from ? 0 : 0.5);
  c->value = step(c->value, 0);
}

void round_all(PriceCells* list, const PriceCellRules& rules) {
  for (PriceCell& c : *list) round_to_step(&c, rules);
}

// Each figure by itself, before it is multiplied with others: of products many would tell more than the step.
void round_confidential(PriceBook* book) {
  for (PricedChip& c : book->chips) {
    for (PriceCells* list : {&c.price, &c.rent_per_hour, &c.wall_kw, &c.tdp_w}) round_all(list, {});
  }
  for (FxRate& rate : book->fx) round_to_step(&rate.cny, {});
  for (Tariff& t : book->tariffs) {
    for (TariffBand& band : t.bands) round_all(&band.price, {});
    if (!t.subsidy) continue;
    round_all(&t.subsidy->price_after, {});
    round_all(&t.subsidy->share, share());
  }
  for (auto& [name, list] : book->economics) round_all(&list, economics_rules().at(name));
}

void mark_confidential(PriceBook* book) {
  for (const PricedChip& c : book->chips) {
    if (!c.price.empty()) book->confidential_cells.push_back(c.id + ".price");
    if (!c.rent_per_hour.empty()) book->confidential_cells.push_back(c.id + ".rent_per_hour");
    if (!c.wall_kw.empty()) book->confidential_cells.push_back(c.id + ".wall_kw");
    if (!c.tdp_w.empty()) book->confidential_cells.push_back(c.id + ".tdp_w");
  }
  for (const FxRate& rate : book->fx) book->confidential_cells.push_back("fx." + rate.currency);
  for (const Tariff& t : book->tariffs) book->confidential_cells.push_back(t.id + ".tariff");
  for (const auto& [name, list] : book->economics) book->confidential_cells.push_back("economics." + name);
}

}  // namespace

Result<PriceBook> parse_price_book(const std::string& text, const std::string& where) {
  JsonInput input(text, where, {size_t{16} << 20, 16});
  const JsonNode root = input.root();
  root.fields({"schema_version", "name", "date", "note", "confidential", "fx", "economics", "tariffs", "chips"});
  PriceBook book;
  (void)root.at("schema_version").integer(1, 1);
  book.name = root.at("name").text(256);
  book.date = date_at(root.at("date"));
  (void)optional_text(root, "note");
  if (root.has("confidential")) book.confidential = root.at("confidential").boolean();
  if (root.has("fx")) {
    for (const JsonNode& item : root.at("fx").items(0, 64)) {
      item.fields({"currency", "cny"});
      PriceCellRules rate;
      rate.min = 1e-6;
      rate.max = 1e6;
      book.fx.push_back({currency_at(item.at("currency")), price_cell(item.at("cny"), rate)});
    }
  }
  if (root.has("economics")) read_economics(root.at("economics"), &book);
  if (root.has("tariffs")) {
    for (const JsonNode& item : root.at("tariffs").items(0, kMaxEntries)) book.tariffs.push_back(tariff(item));
    check_unique(root.at("tariffs"), book.tariffs);
  }
  if (root.has("chips")) {
    for (const JsonNode& item : root.at("chips").items(0, kMaxEntries)) book.chips.push_back(chip(item));
    check_unique(root.at("chips"), book.chips);
  }
  if (!input.ok()) return input.error();
  if (book.confidential) {
    mark_confidential(&book);
    round_confidential(&book);
  }
  return book;
}

Result<PriceBook> read_price_book(const std::string& path) {
  Result<std::string> text = read_text_file(path, size_t{16} << 20);
  if (!text.ok()) return text.error();
  return parse_price_book(*text, path);
}

}  // namespace assay
