#include "results/prices/price_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "results/prices/cost_inputs.h"
#include "tests/unit/results/price_books.h"

namespace assay {
namespace {

using price_books::book_with;
using price_books::cell;
using price_books::chip_with;
using price_books::shipped;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

void refused(const std::string& members, const std::vector<std::string>& words) {
  const Result<PriceBook> book = parse_price_book(book_with(members), "mine.json");
  ASSERT_FALSE(book.ok()) << members;
  EXPECT_EQ(book.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(book.error().message, HasSubstr("mine.json"));
  for (const std::string& word : words) EXPECT_THAT(book.error().message, HasSubstr(word));
}

// Conflicting figures stand side by side: four bandwidths of the 910B, in print from 0.4 to 1.6 TB/s.
TEST(PriceBook, ConflictingFiguresMakeTheRange) {
  const PriceBook book = shipped();
  const PricedChip chip = *find_chip(book, "ascend-910b");
  EXPECT_EQ(chip.bandwidth_tb_s.size(), 4U);
  const Estimate e = *estimate_of(chip.bandwidth_tb_s, book);
  EXPECT_DOUBLE_EQ(e.low, 0.4);
  EXPECT_DOUBLE_EQ(e.typical, 1.6);
  EXPECT_DOUBLE_EQ(e.high, 1.6);
  EXPECT_TRUE(*chip.domestic);
}

TEST(PriceBook, EveryShippedFigureHasADenseOrSparseBasisAndASource) {
  const PriceBook book = shipped();
  EXPECT_GE(book.chips.size(), 50U);
  for (const PricedChip& chip : book.chips) {
    for (const auto& [dtype, list] : chip.compute) {
      for (const PriceCell& c : list) EXPECT_FALSE(c.basis.empty() || c.source.empty()) << chip.id << " " << dtype;
    }
    for (const PriceCell& c : chip.price) EXPECT_FALSE(c.date.empty() || c.currency.empty()) << chip.id;
  }
  const PricedChip h100 = *find_chip(book, "H100");
  const PriceCells& bf16 = h100.compute.at("bf16");
  EXPECT_EQ(bf16[0].basis, "dense");
  EXPECT_DOUBLE_EQ(bf16[0].value, 989);
  EXPECT_EQ(bf16[1].basis, "sparse");
}

TEST(PriceBook, ChipsAreFoundByNameAliasAndProduct) {
  const PriceBook book = shipped();
  EXPECT_EQ(find_chip(book, "H100 SXM")->id, "h100-sxm");
  EXPECT_EQ(chip_of_product(book, "NVIDIA H100 80GB HBM3")->id, "h100-sxm");
  EXPECT_EQ(chip_of_product(book, "NVIDIA H200")->id, "h200");
  EXPECT_EQ(chip_of_product(book, "Ascend 910B3")->id, "ascend-910b") << "not the Ascend 910";
  EXPECT_FALSE(chip_of_product(book, "AMD EPYC"));
  EXPECT_THAT(find_chip(book, "h10-sxm").error().message, HasSubstr("did you mean 'h100-sxm'"));
}

// 10,000 USD at 7.18 (7.0 to 7.3) beside 100,000 yuan: typical the first, the range over both.
TEST(PriceBook, MoneyOfOtherCurrenciesIsConverted) {
  const PriceBook book = shipped();
  const Estimate e = *estimate_of(find_chip(book, "a100-sxm-80gb")->price, book);
  EXPECT_DOUBLE_EQ(e.typical, 100000);
  EXPECT_DOUBLE_EQ(e.low, 70000);
  EXPECT_DOUBLE_EQ(e.high, 100000);
  EXPECT_NEAR(in_yuan(2.10, "USD", book)->typical, 15.08, 0.005);
  EXPECT_THAT(in_yuan(1, "EUR", book).error().message, HasSubstr("EUR"));
}

// Confidential figures are steps: 12 log10(150000) = 62.1, so 10^(62/12) = 146,780; of a PUE of 1.1 (0.497) 1, from 1,
// below which none is, to 10^(0.5/12) = 1.1007.
TEST(PriceBook, ABuyersBookReplacesListsAndKeepsTheRest) {
  const PriceBook base = shipped();
  const std::string text = book_with(
      "\"confidential\": true, " + chip_with("\"price\": [" + cell("\"value\": 150000, \"currency\": \"CNY\"") + "]") +
      ", \"economics\": {\"pue\": [" + cell("\"value\": 1.1") + "]}");
  const Result<PriceBook> mine = parse_price_book(text, "mine.json");
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  const PriceBook merged = merge_price_books(base, *mine);
  const PricedChip chip = *find_chip(merged, "h100-sxm");
  EXPECT_EQ(chip.price.size(), 1U) << "both shipped prices are gone";
  EXPECT_NEAR(chip.price[0].value, 146780, 0.5);
  EXPECT_EQ(chip.rent_per_hour.size(), find_chip(base, "h100-sxm")->rent_per_hour.size());
  EXPECT_EQ(chip.name, "H100 SXM");
  const PriceCell& pue = merged.economics.at("pue")[0];
  EXPECT_EQ(pue.value, 1);
  EXPECT_EQ(pue.low, 1);
  EXPECT_NEAR(pue.high, 1.1007, 1e-4);
  EXPECT_EQ(merged.economics.at("life").size(), base.economics.at("life").size());
  EXPECT_THAT(merged.confidential_cells, testing::UnorderedElementsAre("h100-sxm.price", "economics.pue"));
  EXPECT_EQ(find_chip(base, "h100-sxm")->price.size(), 2U) << "the shipped book is as it was";
}

TEST(PriceBook, WhatIsWrongIsNamed) {
  refused(chip_with("\"prize\": []"), {"chips[0]", "prize", "price"});
  refused(chip_with("\"price\": []"), {"chips[0].price", "1"});
  refused(chip_with("\"price\": [" + cell("\"value\": 1") + "]"), {"price[0]", "currency"});
  refused(chip_with("\"price\": [" + cell("\"value\": -1, \"currency\": \"CNY\"") + "]"), {"price[0].value", "-1"});
  refused(chip_with("\"price\": [" + cell("\"value\": 1, \"currency\": \"CNX\"") + "]"), {"currency", "CNX"});
  refused(chip_with("\"tdp_w\": [" + cell("\"value\": 5, \"low\": 6") + "]"), {"tdp_w[0]", "low <= value <= high"});
  refused(chip_with("\"compute\": {\"bf16\": [" + cell("\"value\": 5") + "]}"), {"dense or sparse"});
  refused(chip_with("\"price\": [{\"value\": 1, \"currency\": \"CNY\", \"date\": \"yesterday\", \"source\": \"x\", "
                    "\"grade\": \"V\"}]"),
          {"date", "yesterday"});
  refused(chip_with("\"tdp_w\": [{\"value\": 1, \"date\": \"2026-13\", \"source\": \"x\", \"grade\": \"C\"}]"),
          {"tdp_w[0].date", "2026-13"});
  refused("\"economics\": {\"pue\": [" + cell("\"value\": 0.5") + "]}", {"economics.pue[0].value", "0.5"});
  refused("\"chips\": [{\"id\": \"a\"}, {\"id\": \"a\"}]", {"twice"});
  EXPECT_FALSE(parse_price_book("{", "mine.json").ok());
  EXPECT_FALSE(read_price_book("/nowhere.json").ok());
}

std::string band(const std::string& hours, double price) {
  return "{\"name\": \"b\", \"hours\": " + hours + ", \"price\": [" +
         cell("\"value\": " + std::to_string(price) + ", \"currency\": \"CNY\"") + "]}";
}
std::string tariff_with(const std::string& bands, const std::string& more = "") {
  return "\"tariffs\": [{\"id\": \"t\", \"bands\": [" + bands + "]" + more + "}]";
}

// 31 days at 0.2 and 334 at 0.6: (6.2 + 200.4)/365. Of half the day in its cheapest hours January has 12 at 0.2, the
// other months 8 at 0.3 and 4 at 0.6.
TEST(Tariff, BandsByMonth) {
  const std::string rest = R"("months": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], )";
  const auto in = [](std::string text, const std::string& months) { return text.insert(1, months); };
  const std::string january = in(band("[[0,24]]", 0.2), R"("months": [1], )");
  const Result<PriceBook> book =
      parse_price_book(book_with(tariff_with(january + "," + in(band("[[0,24]]", 0.6), rest))), "mine.json");
  ASSERT_TRUE(book.ok()) << book.error().message;
  EXPECT_NEAR(tariff_estimate(book->tariffs[0], false, LoadShape::kFlat, 1, *book)->typical, 206.6 / 365, 1e-12);
  const std::string split = in(band("[[0,8]]", 0.3), rest) + "," + in(band("[[8,24]]", 0.6), rest);
  const PriceBook hours = *parse_price_book(book_with(tariff_with(january + "," + split)), "mine.json");
  EXPECT_NEAR(tariff_estimate(hours.tariffs[0], false, LoadShape::kCheapestHours, 0.5, hours)->typical,
              (31 * 0.2 + 334 * (8 * 0.3 + 4 * 0.6) / 12) / 365, 1e-12);
  refused(tariff_with(january), {"month 2", "once"});
  refused(tariff_with(in(band("[[0,24]]", 1), R"("months": [13], )")), {"months[0]", "13"});
  refused(tariff_with(in(band("[[0,24]]", 1), R"("months": [1, 1], )")), {"twice"});
}

// 黔发改价格〔2023〕481号: 8 h at 1.6, 8 h at 1 and 8 h at 0.4 of the flat price are the flat price; 8 of 24 hours in
// the cheapest ones are at 0.4 of it. 粤发改价格〔2021〕331号 in July: (8 x 0.38 + 9 + 4 x 1.7 + 3 x 2.125)/24
// = 1.00896.
TEST(Tariff, ShippedBandsFollowTheNotices) {
  const PriceBook base = shipped();
  const Tariff guizhou = *find_tariff(base, "cn-guizhou");
  EXPECT_NEAR(tariff_estimate(guizhou, false, LoadShape::kFlat, 1, base)->typical, 0.52, 1e-9);
  EXPECT_NEAR(tariff_estimate(guizhou, false, LoadShape::kCheapestHours, 1.0 / 3, base)->typical, 0.4 * 0.52, 1e-9);
  // In the other nine months 7 h are at the peak: (8 x 0.38 + 9 + 7 x 1.7)/24 = 0.9975.
  EXPECT_NEAR(tariff_estimate(*find_tariff(base, "cn-guangdong"), false, LoadShape::kFlat, 1, base)->typical,
              0.75 * (92 * (8 * 0.38 + 9 + 4 * 1.7 + 3 * 2.125) + 273 * (8 * 0.38 + 9 + 7 * 1.7)) / 24 / 365, 1e-4);
}

// 8 h at 0.3, 10 h at 0.6, 6 h at 1.0: 14.4/24 = 0.6 round the clock; half the day in the cheapest hours,
// (8 x 0.3 + 4 x 0.6)/12 = 0.4.
TEST(Tariff, BandsByTheHoursOfTheLoad) {
  const std::string bands =
      band("[[0,8]]", 0.3) + "," + band("[[8,10],[14,22]]", 0.6) + "," + band("[[10,14],[22,24]]", 1.0);
  const Result<PriceBook> book = parse_price_book(book_with(tariff_with(bands)), "mine.json");
  ASSERT_TRUE(book.ok()) << book.error().message;
  EXPECT_NEAR(tariff_estimate(book->tariffs[0], false, LoadShape::kFlat, 0.5, *book)->typical, 0.6, 1e-12);
  EXPECT_NEAR(tariff_estimate(book->tariffs[0], false, LoadShape::kCheapestHours, 0.5, *book)->typical, 0.4, 1e-12);
  EXPECT_NEAR(tariff_estimate(book->tariffs[0], false, LoadShape::kCheapestHours, 1, *book)->typical, 0.6, 1e-12);
  refused(tariff_with(band("[[0,8]]", 0.3) + "," + band("[[9,24]]", 0.6)), {"tariffs[0].bands", "once"});
  refused(tariff_with(band("[[0,8]]", 0.3) + "," + band("[[7,24]]", 0.6)), {"once"});
  refused(tariff_with(band("[[0,23]]", 0.3)), {"once"});
  refused(tariff_with(band("[[24,0]]", 0.3)), {"from < to"});
}

TEST(Tariff, SubsidyIsForDomesticChipsWhereItSaysSo) {
  const std::string half = ", \"subsidy\": {\"domestic_only\": true, \"share\": [" + cell("\"value\": 0.5") + "]}";
  const PriceBook book = *parse_price_book(book_with(tariff_with(band("[[0,24]]", 0.8), half)), "mine.json");
  EXPECT_NEAR(tariff_estimate(book.tariffs[0], true, LoadShape::kFlat, 1, book)->typical, 0.4, 1e-12);
  EXPECT_NEAR(tariff_estimate(book.tariffs[0], false, LoadShape::kFlat, 1, book)->typical, 0.8, 1e-12);
  const PriceBook base = shipped();
  const Tariff gansu = *find_tariff(base, "cn-gansu");
  EXPECT_DOUBLE_EQ(tariff_estimate(gansu, true, LoadShape::kFlat, 1, base)->typical, 0.40);
  EXPECT_GT(tariff_estimate(gansu, false, LoadShape::kFlat, 1, base)->low, 0.40);
  EXPECT_THAT(find_tariff(base, "cn-gansuu").error().message, HasSubstr("cn-gansu"));
}

// A rent of one source without a range says so, in dollars too, whose rate of exchange has a range; one of three
// sources, or given by the user, does not.
TEST(CostInputs, APriceWithoutARangeIsNamed) {
  const PriceBook book = shipped();
  CostSubject subject;
  subject.product = "MTT S4000";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.rented = true;
  const auto notes = [&] { return price_subject(subject, choices, book)->notes; };
  EXPECT_THAT(notes(), Contains(HasSubstr("the rent of mtt-s4000 rests on one source without a range")));
  choices.chip = "ascend-910b";
  EXPECT_THAT(notes(), Not(Contains(HasSubstr("without a range"))));
  choices.chip = "mtt-s4000";
  choices.overrides[CostInput::kRent] = exact_estimate(2, "assumed", "given on the command line");
  EXPECT_THAT(notes(), Not(Contains(HasSubstr("without a range"))));
  choices = {};
  choices.chip = "mi300x";
  choices.tariff = "cn-west";
  choices.rented = false;
  EXPECT_THAT(notes(), Contains(HasSubstr("the chip's price of mi300x rests on one source without a range")));
}

TEST(CostInputs, EqualPricesOfSeveralSourcesHaveNoRangeEither) {
  const std::string same = R"({"value": 5, "currency": "CNY", "date": "2026", "source": "s", "grade": "?"})";
  const PriceBook book = *parse_price_book(
      book_with("\"chips\": [{\"id\": \"x1\", \"rent_per_hour\": [" + same + "," + same + "]}]"), "mine.json");
  CostSubject subject;
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.chip = "x1";
  choices.rented = true;
  EXPECT_THAT(price_subject(subject, choices, book)->notes,
              Contains(HasSubstr("the rent of x1 is the same in 2 sources, none with a range (2026, grade ?)")));
}

// An hour at 4.0 USD on demand (2.5 to 7.0 by tier) beside a 3-year rental at 1.6, 1 USD at 7.18 CNY (7.0 to 7.3): what
// owning costs a provider (1.74, 1.41) is no rent, nor is a placeholder (3.48 for the B300).
TEST(PriceBook, ShippedRentsAreWhatAProviderCharges) {
  const PriceBook book = shipped();
  const auto rent = [&](const char* chip) { return *estimate_of(find_chip(book, chip)->rent_per_hour, book); };
  EXPECT_NEAR(rent("h200").typical, 4.0 * 7.18, 1e-9);
  EXPECT_NEAR(rent("h200").low, 1.6 * 7.0, 1e-9);
  EXPECT_NEAR(rent("h200").high, 7.0 * 7.3, 1e-9);
  EXPECT_NEAR(rent("b200").typical, 6.03 * 7.18, 1e-9);
  EXPECT_NEAR(rent("b200").low, 2.9 * 7.0, 1e-9);
  EXPECT_NEAR(rent("b300").low, 6.0 * 7.0, 1e-9);
  EXPECT_NEAR(rent("mi300x").typical, 1.99 * 7.18, 1e-9);
  EXPECT_NEAR(rent("mi325x").typical, 1.95 * 7.18, 1e-9);
  EXPECT_NEAR(rent("mi325x").low, 1.8 * 7.0, 1e-9);
  EXPECT_NEAR(rent("mi355x").low, 2.1 * 7.0, 1e-9);
  for (const PricedChip& chip : book.chips) {
    for (const PriceCell& c : chip.rent_per_hour) {
      EXPECT_THAT(c.note, Not(HasSubstr("owned"))) << chip.id;
      const bool inferencex = c.source.find("InferenceX") != std::string::npos;
      EXPECT_EQ(inferencex, c.note.find("3-year rental, ") == 0) << chip.id;
    }
  }
}

// "Starting at" 6 USD: it ends no range.
TEST(CostInputs, AnOfferFromAPriceOnIsNoUpperEnd) {
  const PriceBook book = shipped();
  const Estimate rent = *estimate_of(find_chip(book, "b300")->rent_per_hour, book);
  EXPECT_EQ(rent.spread, Spread::kUnknown);
  EXPECT_THAT(rent.source, HasSubstr("https://akash.network/pricing/gpus/"));
  CostSubject subject;
  subject.product = "B300";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.rented = true;
  const PricedSubject priced = *price_subject(subject, choices, book);
  EXPECT_THAT(priced.notes, Contains(HasSubstr("the rent of b300 has no upper end")));
  EXPECT_TRUE(std::isnan(cost(priced.inputs).of(TokenClass::kOutput).interval.high));
  refused(chip_with("\"tdp_w\": [" + cell("\"value\": 5, \"from\": true") + "]"), {"tdp_w[0].from", "rent"});
  refused(chip_with("\"price\": [" + cell("\"value\": 5, \"from\": true, \"high\": 6, \"currency\": \"CNY\"") + "]"),
          {"price[0].high", "upper end"});
}

TEST(CostInputs, WhatIsGivenAndNotUsedIsSaid) {
  const PriceBook book = shipped();
  CostSubject subject;
  subject.product = "H100";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.tariff = "cn-west";
  choices.overrides[CostInput::kPue] = exact_estimate(1.2, "assumed", "given");
  const auto notes = [&] { return price_subject(subject, choices, book)->notes; };
  EXPECT_THAT(notes(), Contains(HasSubstr("PUE is charged twice")));
  choices.overrides[CostInput::kChipPrice] = exact_estimate(1e5, "assumed", "given");
  choices.overrides[CostInput::kRent] = exact_estimate(13.2, "assumed", "given");
  EXPECT_THAT(notes(), Contains("given and not in the cost, as it is rented: chip_price, pue"));
  choices.tariff_given = true;
  EXPECT_THAT(notes(), Contains(HasSubstr("the tariff moves no rent")));
  choices.rented = false;
  EXPECT_THAT(notes(), testing::Not(Contains(HasSubstr("the tariff moves no rent"))));
  choices.mix = *parse_mix("1:1:1", "--mix");
  choices.overrides[CostInput::kBlendedRate] = exact_estimate(1000, "reported", "given");
  EXPECT_THAT(notes(), Contains("given and not in the cost, as it is owned: rent"));
  EXPECT_THAT(notes(), Contains(HasSubstr("mix that was given is not used")));
}

TEST(CostInputs, MixAndMoneyAreChecked) {
  const TokenMix mix = *parse_mix("342:266:168", "--mix");
  EXPECT_NEAR(mix.cached, 342.0 / 776, 1e-12);
  EXPECT_NEAR(mix.output, 168.0 / 776, 1e-12);
  for (const char* text : {"1:2", "a:b:c", "0:0:0", "1:-1:1", "1:2:3:4", ""})
    EXPECT_FALSE(parse_mix(text, "--mix").ok());
  const PriceBook book = shipped();
  EXPECT_DOUBLE_EQ(parse_money("13.2 CNY/h", "/h", book, "--rent")->typical, 13.2);
  EXPECT_NEAR(parse_money("2 USD/h", "/h", book, "--rent")->typical, 14.36, 1e-12);
  EXPECT_DOUBLE_EQ(parse_money("100:90:120 yuan", "", book, "--price")->high, 120);
  for (const char* text : {"13.2", "13.2 CNY", "x CNY/h", "-1 CNY/h", "13.2 XXX/h", "1e999 CNY/h", "nan CNY/h"}) {
    EXPECT_FALSE(parse_money(text, "/h", book, "--rent").ok()) << text;
  }
  EXPECT_FALSE(parse_estimate("5:6:7", 0, 10, "--set").ok());
  EXPECT_FALSE(parse_estimate("11", 0, 10, "--set").ok());
}

}  // namespace
}  // namespace assay
