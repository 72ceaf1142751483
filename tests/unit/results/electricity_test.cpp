// What electricity costs, and how well that is known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "results/prices/cost_inputs.h"

namespace assay {
namespace {

using testing::HasSubstr;
using testing::Not;

PriceBook book_of(const std::string& bands, const std::string& more = "") {
  const Result<PriceBook> book = parse_price_book(
      R"({"schema_version": 1, "name": "mine", "date": "2026-11-20", "tariffs": [{"id": "t", "bands": [)" + bands +
          "]" + more + "}]}",
      "mine.json");
  EXPECT_TRUE(book.ok()) << (book.ok() ? "" : book.error().message);
  return book.ok() ? *book : PriceBook{};
}

// Two thirds of the hours are by a contract (V), a third by a bill (M): as well known as the contract, and both named.
// A third of the day in its cheapest hours is by the bill alone; a subsidy that is assumed makes the price so.
TEST(Tariff, TheMeanOfBandsIsKnownAsWellAsTheWeakestOfThem) {
  const auto of = [](const std::string& hours, double price, const std::string& source, const std::string& grade) {
    return R"({"name": "b", "hours": )" + hours + R"(, "price": [{"currency": "CNY", "date": "2026-11", "value": )" +
           std::to_string(price) + R"(, "source": ")" + source + R"(", "grade": ")" + grade + R"("}]})";
  };
  const std::string bands =
      of("[[0, 8]]", 0.31, "bill of November", "M") + "," + of("[[8, 24]]", 0.68, "contract", "V");
  const PriceBook book = book_of(bands);
  const Estimate all = *tariff_estimate(book.tariffs[0], false, LoadShape::kFlat, 1, book);
  EXPECT_NEAR(all.typical, (0.31 + 2 * 0.68) / 3, 1e-12);
  EXPECT_EQ(all.basis, "reported");
  EXPECT_EQ(all.grade, "V");
  EXPECT_EQ(all.source, "part: bill of November, 2026-11, grade M; part: contract, 2026-11, grade V");
  const Estimate night = *tariff_estimate(book.tariffs[0], false, LoadShape::kCheapestHours, 1.0 / 3, book);
  EXPECT_NEAR(night.typical, 0.31, 1e-12);
  EXPECT_EQ(night.basis, "measured");
  EXPECT_EQ(night.grade, "M");
  EXPECT_EQ(night.source, "bill of November");
  const std::string subsidy = R"(, "subsidy": {"domestic_only": false, "share": [{"value": 0.5, "date": "2026-11",
    "source": "hearsay", "grade": "A"}]})";
  const PriceBook less = book_of(bands, subsidy);
  const Estimate after = *tariff_estimate(less.tariffs[0], false, LoadShape::kFlat, 1, less);
  EXPECT_EQ(after.basis, "assumed");
  EXPECT_EQ(after.grade, "A");
  EXPECT_THAT(after.source, HasSubstr("; subsidy: hearsay, 2026-11, grade A"));
}

// A given power is of the server: the book's PUE comes on top, and nothing says that the facility is in it. 1.1 kW
// x 1.2 x 0.45 yuan = 0.594 an hour of a chip that runs round the clock, electricity alone.
TEST(CostInputs, AGivenPowerHasNoFacilityInIt) {
  const PriceBook book = *read_price_book(ASSAY_SOURCE_DIR "/results/prices/shipped.json");
  CostSubject subject;
  subject.product = "H200";
  subject.output_rate = exact_estimate(1000, "measured", "test");
  CostChoices choices;
  choices.overrides[CostInput::kWallKw] = exact_estimate(1.1, "assumed", "given on the command line");
  choices.overrides[CostInput::kTariff] = exact_estimate(0.45, "assumed", "given on the command line");
  choices.overrides[CostInput::kUtilisation] = exact_estimate(1, "assumed", "given on the command line");
  const PricedSubject priced = *price_subject(subject, choices, book);
  const Estimate& pue = *priced.inputs.at(CostInput::kPue);
  EXPECT_DOUBLE_EQ(pue.typical, 1.2);
  EXPECT_EQ(pue.cell, "economics.pue");
  EXPECT_THAT(pue.source, Not(HasSubstr("overhead")));
  EXPECT_NEAR(electricity_per_hour(typical_point(priced.inputs)), 1.1 * 1.2 * 0.45, 1e-12);
  choices.overrides.erase(CostInput::kWallKw);
  EXPECT_DOUBLE_EQ(price_subject(subject, choices, book)->inputs.at(CostInput::kPue)->typical, 1)
      << "the book's all-in";
}

}  // namespace
}  // namespace assay
