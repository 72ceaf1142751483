// What two sides cost beside each other: which is cheaper, of which chip a price is, and how each is paid.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/e2e/money_commands.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// The same records at one and at two yuan an hour: B is surely the dearer; at the same rent neither is.
TEST_F(Money, CompareSaysHowLikelyBIsTheCheaper) {
  const std::string both = std::string("compare ") + kPublished + " " + kPublished + " ";
  const json dear = answer(both + "--rent '1 CNY/h' --rent '2 CNY/h'");
  ASSERT_FALSE(dear["cheaper"].empty());
  for (const json& row : dear["cheaper"]) {
    EXPECT_EQ(row["probability"], 0) << row.dump();
    EXPECT_NEAR(row["b_yuan_per_1m_tokens"].get<double>() / row["a_yuan_per_1m_tokens"].get<double>(), 2, 1e-9);
  }
  EXPECT_EQ(answer(both + "--rent '1 CNY/h'")["cheaper"][0]["probability"], 0.5);
  EXPECT_FALSE(answer(both).contains("cheaper"));
  refused(both + kPublished + " --rent '1 CNY/h' --rent '2 CNY/h'", {"--rent", "3 operands"});
  refused(both + "--tender tender.json --rent '1 CNY/h'", {"--rent", "--tender"});
}

// Chunks of a prompt alone have no cost, and the comparison says why.
TEST_F(Money, CompareOfChunksAloneSaysThatTheyAreNotPriced) {
  const std::string chunk = ASSAY_SOURCE_DIR
      "/results/published/2026-11-26-h200/long-context_prefill_qwen2.5-0.5b_f32_b1_t512_c16384-0a8a2a24.record.json";
  const json out = answer("compare " + chunk + " " + chunk + " --rent '1 CNY/h'");
  EXPECT_EQ(out["differences"][0]["piece"], "chunk of 512 tokens of a prompt, behind 16384");
  EXPECT_TRUE(out["cheaper"].empty());
  EXPECT_THAT(out["notes"].dump(),
              HasSubstr("left out: long-context/prefill/qwen2.5-0.5b/f32/b1/t512/c16384: a chunk"));
}

// Records of two products: one rent is of neither, a price book gives each its own. Given once for each operand, it is
// of the one product of that operand.
TEST_F(Money, AGivenPriceIsOfOneChip) {
  const std::string folder = ASSAY_SOURCE_DIR "/results/published/", h200 = folder + "2026-11-26-h200";
  const std::string both = std::string(kPublished) + " " + h200;
  for (const std::string& command :
       {"cost " + both, "verdict " + both + " --target '1 CNY/1M tokens'", "claims " + both, "compare " + both,
        "report " + both + " -o both.html", "cost " + both + " --chip h200"}) {
    refused(command + " --rent '2 CNY/h'", {"--rent: expected records of one chip", "AMD EPYC, NVIDIA H200",
                                            "price book (--prices)", "rent_per_hour"});
    refused(command + " --price '180000 CNY'", {"--price: expected records of one chip", "AMD EPYC, NVIDIA H200"});
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "both.html"));
  refused("compare " + both + " --rent '2 CNY/h'", {"once for each operand"});
  EXPECT_EQ(assay("compare " + both + " --rent '2 CNY/h' --rent '20 CNY/h'").code, 0);
  EXPECT_EQ(assay("cost " + h200 + " --rent '2 CNY/h'").code, 0);
  file("mine.json", R"({"schema_version": 1, "name": "mine", "date": "2026-11", "chips": [
    {"id": "h200", "rent_per_hour": [{"value": 20, "currency": "CNY", "date": "2026", "source": "s", "grade": "V"}]},
    {"id": "epyc", "aliases": ["AMD EPYC"],
     "rent_per_hour": [{"value": 2, "currency": "CNY", "date": "2026", "source": "s", "grade": "V"}]}]})");
  std::map<std::string, double> hours;
  const json out = answer("cost " + both + " --prices mine.json --rented");
  for (const json& row : out["hour"]) hours[row["chip"].get<std::string>().substr(0, 4)] = row["yuan_per_hour"];
  EXPECT_EQ(hours["H200"], 20);
  EXPECT_EQ(hours["epyc"], 2);
}

// The book has a rent of the H200 alone, of the 910C a price and a rent.
TEST_F(Money, CompareNamesTheWayOfEachSideAndTheOptionThatTakesThemAlike) {
  const std::string both = std::string("compare ") + kPublished + " " + kPublished + " --chip h200 --chip ascend-910c";
  const json out = answer(both);
  const json& row = out["cheaper"].at(0);
  EXPECT_EQ(row["a_way"], "rented");
  EXPECT_EQ(row["a_utilisation"], 1);
  EXPECT_EQ(row["b_way"], "owned");
  EXPECT_EQ(row["b_utilisation"], 0.6);
  EXPECT_THAT(out["notes"].dump(), HasSubstr("--rented takes them alike"));
  const json alike = answer(both + " --rented");
  EXPECT_EQ(alike["cheaper"].at(0)["b_way"], "rented");
  EXPECT_THAT(alike["notes"].dump(), Not(HasSubstr("takes them alike")));
}

// Each sheet of a workbook is compressed: without unzip its cells can't be read.
TEST_F(Money, TheWorkbookNamesTheWayOfPaying) {
  if (std::system("command -v unzip >/dev/null") != 0) GTEST_SKIP() << "no unzip";
  ASSERT_EQ(assay("report " + std::string(kPublished) + " --rent '13.2 CNY/h' -o w.xlsx").code, 0);
  const std::string texts = (dir_ / "texts.xml").string();
  ASSERT_EQ(std::system(("unzip -p " + (dir_ / "w.xlsx").string() + " xl/sharedStrings.xml >" + texts).c_str()), 0);
  std::ifstream in(texts);
  const std::string found{std::istreambuf_iterator<char>(in), {}};
  for (const char* cell : {">way<", ">used<", ">rented<", ">in the rent<"}) EXPECT_THAT(found, HasSubstr(cell));
}

}  // namespace
}  // namespace assay
