// The tables of costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "reports/cost_sheet.h"
#include "reports/html/model_parts.h"
#include "reports/html/report_forms.h"
#include "suites/suite.h"
#include "tests/unit/reports/cost_records.h"

namespace assay {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

CostRow owned_row(const std::string& product, const std::string& dtype, const std::string& basis, double rate) {
  CostRow row;
  row.priced.subject.product = product;
  row.priced.subject.model = "m";
  row.priced.subject.dtype = dtype;
  row.priced.subject.tier = "program";
  row.priced.subject.basis = basis;
  CostInputs& in = row.priced.inputs;
  for (const auto& [input, value] : std::vector<std::pair<CostInput, double>>{{CostInput::kChipPrice, 87600},
                                                                              {CostInput::kServerFactor, 1},
                                                                              {CostInput::kLifeYears, 10},
                                                                              {CostInput::kDiscountRate, 0},
                                                                              {CostInput::kSalvageShare, 0},
                                                                              {CostInput::kOpexShare, 0},
                                                                              {CostInput::kUtilisation, 1},
                                                                              {CostInput::kWallKw, 1},
                                                                              {CostInput::kPue, 1},
                                                                              {CostInput::kTariff, 1}})
    in.at(input) = exact_estimate(value, "assumed", "test");
  in.at(CostInput::kOutputRate) = exact_estimate(rate, basis, "test");
  row.cost = cost(in);
  return row;
}

// An hour is 87600 / (10 x 8760) + 1 = 2 yuan. The slow chip, at 1000 tokens/s against 1500, must cost 2 x 2/3 = 1.3333
// an hour to tie, of which 1 is power: a third of its price; the fast one 2 x 1.5 = 3: twice its price.
TEST(CostSheet, BreakEvenIsOfTwoChipsAtTheSameWork) {
  const std::vector<CostRow> rows{
      owned_row("slow", "bf16", "measured", 1000), owned_row("slow", "f32", "measured", 900),
      owned_row("slow", "bf16", "projected", 1000), owned_row("fast", "bf16", "measured", 1500)};
  const Sheet sheet = cost_sheet(rows);
  const auto table = std::find_if(sheet.tables.begin(), sheet.tables.end(),
                                  [](const SheetTable& t) { return t.name == "break_even"; });
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_EQ(table->rows[0][0].text, "slow, m bf16");
  EXPECT_EQ(table->rows[0][3].text, "fast, m bf16");
  EXPECT_EQ(table->rows[0][7].text, "29200");
  EXPECT_EQ(table->rows[1][7].text, "175200");
  EXPECT_EQ(subject_text(rows[2].priced), "slow, m bf16, projected");
}

// The rival's price is known to lie from 78,840 to 96,360: its hour costs 1.9 to 2.1. At two thirds of its rate the
// slow chip must cost 1.2667 to 1.4 an hour, of which 1 is power: a price from 23,360 to 35,040.
TEST(CostSheet, WhatTiesAConfidentialPriceIsARange) {
  CostRow rival = owned_row("fast", "bf16", "measured", 1500);
  Estimate& price = *rival.priced.inputs.at(CostInput::kChipPrice);
  price.low = 78840;
  price.high = 96360;
  price.confidential = true;
  rival.cost = cost(rival.priced.inputs);
  const nlohmann::json sheet = nlohmann::json::parse(render_sheet(
      cost_sheet({owned_row("slow", "bf16", "measured", 1000), rival}), TableFormat::kJson, TableOptions{}));
  const nlohmann::json& row = sheet["break_even"].at(0);
  EXPECT_EQ(row["chip"], "slow, m bf16");
  EXPECT_TRUE(row["break_even_price_cny"].is_null());
  EXPECT_NEAR(row["break_even_low_cny"].get<double>(), 23360, 1e-6);
  EXPECT_NEAR(row["break_even_high_cny"].get<double>(), 35040, 1e-6);
  EXPECT_EQ(sheet["break_even"].at(1)["now_cny"], "withheld");
  const std::string text = render_sheet(cost_sheet({owned_row("slow", "bf16", "measured", 1490), rival}),
                                        TableFormat::kText, TableOptions{});
  EXPECT_THAT(text, HasSubstr("0.0–100.0 %"));
  EXPECT_THAT(text, HasSubstr("P as a range: the exact figure within the step"));
}

// The same work of an owned and of a rented chip: each table of two says which way is whose, and the notes once what
// takes them alike.
TEST(CostSheet, TheWayOfPayingStandsBesideEachCost) {
  CostRow rented = owned_row("hired", "bf16", "measured", 1500);
  rented.priced.inputs.rented = true;
  rented.priced.inputs.at(CostInput::kRent) = exact_estimate(10, "assumed", "test");
  rented.cost = cost(rented.priced.inputs);
  CostRow owned = owned_row("bought", "bf16", "measured", 1000);
  owned.priced.inputs.at(CostInput::kUtilisation) = exact_estimate(0.5, "assumed", "test");
  owned.cost = cost(owned.priced.inputs);
  const nlohmann::json sheet =
      nlohmann::json::parse(render_sheet(cost_sheet({owned, rented}), TableFormat::kJson, TableOptions{}));
  for (const char* table : {"probability_cheaper", "break_even"}) {
    const nlohmann::json& row = sheet[table].at(0);
    EXPECT_EQ(row["way"], "owned") << table;
    EXPECT_EQ(row["utilisation"], 0.5) << table;
    EXPECT_EQ(row["rival_way"], "rented") << table;
    EXPECT_EQ(row["rival_utilisation"], 1.0) << table;
  }
  EXPECT_EQ(sheet["cost"].back()["way"], "rented");
  const std::string note =
      "bought is owned (used 50.0 %), hired rented (used 100.0 %; electricity and the provider's margin are in the "
      "rent): a price, or a rent, of each in a price book (--prices) with --owned, or --rented, takes them alike";
  EXPECT_EQ(std::count(sheet["notes"].begin(), sheet["notes"].end(), note), 1);
  const SheetTable cheaper = cheaper_table({owned}, {rented});
  const nlohmann::json row =
      nlohmann::json::parse(render_sheet({{cheaper}, {}}, TableFormat::kJson, TableOptions{}))["cheaper"].at(0);
  EXPECT_EQ(row["a_way"], "owned");
  EXPECT_EQ(row["b_way"], "rented");
  EXPECT_EQ(row["b_utilisation"], 1.0);
  EXPECT_EQ(way_notes({owned}, {rented}), std::vector<std::string>{note});
  owned.priced.rent_known = true;
  EXPECT_THAT(way_notes({rented}, {owned}).at(0), HasSubstr("in the rent): --rented takes them alike"));
  EXPECT_TRUE(way_notes({owned}, {owned}).empty());
}

}  // namespace
}  // namespace assay
