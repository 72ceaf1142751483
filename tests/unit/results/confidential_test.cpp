// Confidential figures: each is one of twelve steps a decade, and what is said holds wherever in it the figure lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "results/metrics/target.h"
#include "results/prices/cost_inputs.h"
#include "results/prices/price_book.h"
#include "tests/unit/results/price_books.h"

namespace assay {
namespace {

using price_books::book_with;
using price_books::cell;
using price_books::chip_with;
using price_books::shipped;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// What a confidential rate of exchange converts is withheld with it: 25000 USD in yuan would print the rate. 7 lies
// nearest to 10^(10/12) = 6.8129, in a step from 10^(9.5/12) = 6.1897 to 10^(10.5/12) = 7.4989; 1.2 kW (0.950) to
// 10^(1/12) = 1.2115.
TEST(Confidential, AConfidentialBooksFactsAndRatesAreMarked) {
  const PriceBook base = shipped();
  const std::string text =
      book_with("\"confidential\": true, " +
                chip_with("\"wall_kw\": [" + cell("\"value\": 1.2, \"basis\": \"without-facility\"") + "]") +
                ", \"fx\": [{\"currency\": \"USD\", \"cny\": " + cell("\"value\": 7") + "}]");
  const PriceBook book = merge_price_books(base, *parse_price_book(text, "mine.json"));
  CostSubject subject;
  subject.product = "H100";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.tariff = "cn-west";
  choices.overrides[CostInput::kRent] = *parse_money("2 USD/h", "/h", book, "--rent");
  const CostInputs in = price_subject(subject, choices, book)->inputs;
  EXPECT_TRUE(is_confidential(in, CostInput::kWallKw));
  EXPECT_NEAR(in.at(CostInput::kWallKw)->typical, 1.2115, 1e-4);
  EXPECT_NEAR(in.at(CostInput::kRent)->typical, 2 * 6.8129, 1e-3);
  EXPECT_NEAR(in.at(CostInput::kRent)->low, 2 * 6.1897, 1e-3);
  EXPECT_NEAR(in.at(CostInput::kRent)->high, 2 * 7.4989, 1e-3);
  EXPECT_TRUE(hour_is_confidential(in));
  EXPECT_FALSE(is_confidential(in, CostInput::kTariff));
  for (const Factor& f : verdict(in, cost(in), TokenClass::kOutput, 1e-7, {}, 0.4).waterfall)
    EXPECT_EQ(f.confidential, f.name == "peak" || f.name == "capex") << f.name;
}

// Of one secret rate: 2 and 2.1 USD an hour are 5 % apart whatever a dollar costs, and many such prices tell no more of
// the rate than one.
TEST(Confidential, AmountsByOneConfidentialRateAreDrawnTogether) {
  const PriceBook book = merge_price_books(
      shipped(),
      *parse_price_book(
          book_with("\"confidential\": true, \"fx\": [{\"currency\": \"USD\", \"cny\": " + cell("\"value\": 7") + "}]"),
          "mine.json"));
  CostSubject subject;
  subject.output_rate = exact_estimate(1000, "measured", "test");
  const auto at = [&](const std::string& rent) {
    CostChoices choices;
    choices.overrides[CostInput::kRent] = *parse_money(rent, "/h", book, "--rent");
    return price_subject(subject, choices, book)->inputs;
  };
  const CostInputs a = at("2 USD/h"), b = at("2.1 USD/h");
  EXPECT_EQ(probability_cheaper(b, a, TokenClass::kOutput)->high, 0);
  EXPECT_EQ(probability_cheaper(a, b, TokenClass::kOutput)->low, 1);
  EXPECT_EQ(probability_cheaper(a, at("2 USD/h"), TokenClass::kOutput)->low, 0.5);
  EXPECT_NEAR(b.at(CostInput::kRent)->typical / a.at(CostInput::kRent)->typical, 1.05, 1e-12);
}

// 98 and 101 CNY an hour, of one source, lie in one step about 100, from 90.85 to 110.07, of which each is a figure of
// its own. At 1.05 times the rate the second is the cheaper where p2 < 1.05 p1, which both 98 and 101 and 91 and 110
// allow to say or to deny; at 1.22 times the rate 110.07 / 1.22 = 90.2 it is whatever they are.
TEST(Confidential, TwoConfidentialPricesOfOneStepAreNotOne) {
  const auto chip_at = [](const char* id, double rent) {
    return "{\"id\": \"" + std::string(id) + "\", \"rent_per_hour\": [" +
           cell("\"value\": " + std::to_string(rent) + ", \"currency\": \"CNY\"") + "]}";
  };
  const PriceBook book =
      merge_price_books(shipped(), *parse_price_book(book_with("\"confidential\": true, \"chips\": [" +
                                                               chip_at("one", 98) + ", " + chip_at("two", 101) + "]"),
                                                     "mine.json"));
  const auto at = [&](const std::string& chip, double rate) {
    CostSubject subject;
    subject.output_rate = exact_estimate(rate, "measured", "test");
    CostChoices choices;
    choices.chip = chip;
    return *price_subject(subject, choices, book);
  };
  const PricedSubject one = at("one", 1000), two = at("two", 1050);
  EXPECT_NEAR(one.inputs.at(CostInput::kRent)->typical, 100, 1e-9);
  EXPECT_NEAR(two.inputs.at(CostInput::kRent)->typical, 100, 1e-9);
  const Probability open = *probability_cheaper(two.inputs, one.inputs, TokenClass::kOutput);
  EXPECT_EQ(open.low, 0);
  EXPECT_EQ(open.high, 1);
  EXPECT_EQ(probability_cheaper(at("two", 1220).inputs, one.inputs, TokenClass::kOutput)->low, 1);
  EXPECT_EQ(probability_cheaper(at("one", 1050).inputs, one.inputs, TokenClass::kOutput)->low, 1) << "one rent";
  EXPECT_THAT(one.notes, Contains(HasSubstr("hold wherever in its step each lies")));
}

// 237,500 CNY lies in the step from 10^(64.5/12) = 237,137 to 10^(65.5/12) = 287,298 about 261,016 (12 log10(237500) =
// 64.508). Every price in the step gives, open, a probability within the bounds and an interval within the interval.
TEST(Confidential, WhatIsSaidOfAConfidentialPriceHoldsForEachPriceOfItsStep) {
  const auto inputs = [](double price, bool confidential, const std::string& product, double rate) {
    const std::string chips = R"("chips": [{"id": "h200", "price": [)" +
                              cell("\"value\": " + std::to_string(price) + ", \"currency\": \"CNY\"") + "]}]";
    const PriceBook book = merge_price_books(
        shipped(), *parse_price_book(book_with((confidential ? "\"confidential\": true, " : "") + chips), "mine.json"));
    CostSubject subject;
    subject.product = product;
    subject.output_rate = exact_estimate(rate, "measured", "test");
    CostChoices choices;
    choices.tariff = "cn-west";
    choices.rented = false;
    return price_subject(subject, choices, book)->inputs;
  };
  const auto h200 = [&](double price, bool confidential) { return inputs(price, confidential, "NVIDIA H200", 1000); };
  const CostInputs rival = inputs(237500, true, "MLU590", 330);
  const Probability bounds = *probability_cheaper(h200(237500, true), rival, TokenClass::kOutput);
  const Interval interval = cost(h200(237500, true)).of(TokenClass::kOutput).interval;
  double least = 1, most = 0;
  for (const double price : {237200.0, 237500.0, 250000.0, 261016.0, 275000.0, 287200.0}) {
    const Probability open = *probability_cheaper(h200(price, false), rival, TokenClass::kOutput);
    EXPECT_FALSE(open.is_range());
    EXPECT_GE(open.low, bounds.low) << price;
    EXPECT_LE(open.high, bounds.high) << price;
    least = std::min(least, open.low);
    most = std::max(most, open.low);
    const Interval of = cost(h200(price, false)).of(TokenClass::kOutput).interval;
    EXPECT_GE(of.low, interval.low) << price;
    EXPECT_LE(of.high, interval.high) << price;
  }
  EXPECT_GT(most - least, 0.3) << "the price within its step decides";
  EXPECT_NEAR(bounds.low, least, 0.02) << "no wider than the step";
  EXPECT_NEAR(bounds.high, most, 0.02);
  EXPECT_EQ(probability_cheaper(h200(280000, true), rival, TokenClass::kOutput)->low, bounds.low)
      << "another price of the step leaves the same";
}

TEST(Confidential, AConfidentialPriceFromAnAmountOnHasNoInterval) {
  const PriceBook book = merge_price_books(
      shipped(),
      *parse_price_book(book_with("\"confidential\": true, " +
                                  chip_with("\"rent_per_hour\": [" +
                                            cell("\"value\": 14, \"currency\": \"CNY\", \"from\": true") + "]")),
                        "mine.json"));
  CostSubject subject;
  subject.product = "H100";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.rented = true;
  const PricedSubject p = *price_subject(subject, choices, book);
  EXPECT_NEAR(p.inputs.at(CostInput::kRent)->typical, 14.678, 1e-3) << "10^(14/12)";
  EXPECT_TRUE(std::isnan(cost(p.inputs).per_hour.interval.high));
  EXPECT_THAT(p.notes, Contains(HasSubstr("a decade, without an upper end")));
  EXPECT_THAT(p.notes, Not(Contains(HasSubstr("wherever in its step"))));
}

}  // namespace
}  // namespace assay
