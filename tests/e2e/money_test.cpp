// The commands about money as a user meets them: what they say, how they refuse, their forms.
#include <nlohmann/json.hpp>

#include "tests/e2e/money_commands.h"

namespace assay {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// 776 G tokens in a day on 226.75 nodes of 8 are 4951.17 tokens/s each; at 2 USD an hour 8.0 and 80 times the target.
TEST_F(Money, DeepSeekDaySix) {
  const json out =
      answer("verdict --rate blended=4951.17:4951.17:4951.17 --rent '2 USD/h' --target '0.01 CNY/100k tokens'");
  ASSERT_EQ(out["verdict"].size(), 2U);
  EXPECT_NEAR(out["verdict"][0]["gap"].get<double>(), 8.0, 0.08);
  EXPECT_NEAR(out["verdict"][1]["gap"].get<double>(), 80, 0.8);
  EXPECT_NEAR(out["verdict"][0]["actual_cny_per_1m"].get<double>(), 0.80, 0.008);
  EXPECT_EQ(out["verdict"][0]["verdict"], "not reached");
  EXPECT_THAT(out["verdict"][0]["basis"].get<std::string>(), HasSubstr("reported"));
  double product = 1;
  for (const json& factor : out["waterfall"]) product *= factor["times"].get<double>();
  EXPECT_NEAR(product / out["verdict"][0]["gap"].get<double>(), 1, 1e-9);
}

// A rate that is given without an interval has a cost, and no verdict at 95 %.
TEST_F(Money, ABareRateIsPricedButNotJudged) {
  const json out = answer("verdict --rate blended=4951.17 --rent '2 USD/h' --target '100 CNY/100k tokens'");
  EXPECT_NEAR(out["verdict"][0]["actual_cny_per_1m"].get<double>(), 0.80, 0.008);
  EXPECT_TRUE(out["verdict"][0]["actual_low"].is_null());
  EXPECT_EQ(out["verdict"][0]["verdict"], "can't tell");
  EXPECT_THAT(out["notes"].dump(), HasSubstr("no interval is known of blended_rate"));
}

TEST_F(Money, TheRateThatReachesTheTarget) {
  const json out = answer("cost --rate output=36667 --rent '13.2 CNY/h'");
  EXPECT_NEAR(out["cost"][0]["yuan_per_100k_tokens"].get<double>(), 0.01, 1e-6);
  EXPECT_EQ(answer("verdict --rate output=36700:36700:36700 --rent '13.2 CNY/h' --target '0.01 CNY/100k output tokens'")
                ["verdict"][0]["verdict"],
            "reached");
}

// The same golden where the target names no class and only output tokens have a rate: 36,667 tokens/s at 13.2 CNY/h are
// 0.01 CNY per 100K and ten times 0.01 per 1M (facts C4).
TEST_F(Money, ATargetOfNoClassIsJudgedByTheOneThatHasARate) {
  const std::string target = " --rent '13.2 CNY/h' --target '0.01 CNY/100k tokens'";
  for (const char* rate : {"output", "blended"}) {
    const json out = answer(std::string("verdict --rate ") + rate + "=36667:36667:36667" + target);
    ASSERT_EQ(out["verdict"].size(), 2U);
    EXPECT_EQ(out["verdict"][0]["class"], rate);
    EXPECT_EQ(out["verdict"][0]["verdict"], "reached") << rate;
    EXPECT_EQ(out["verdict"][1]["verdict"], rate == std::string("output") ? "can't tell" : "not reached") << rate;
    EXPECT_NEAR(out["verdict"][1]["gap"].get<double>(), 10, 1e-3) << rate;
  }
  EXPECT_THAT(answer("verdict --rate output=36667" + target)["notes"].dump(), HasSubstr("names no class of tokens"));
  // Input tokens alone, however cheap, say nothing of all tokens; named, they are judged.
  const json input = answer("verdict --rate input=1e6" + target);
  EXPECT_EQ(input["verdict"][0]["verdict"], "can't tell");
  EXPECT_TRUE(input["verdict"][0]["actual_cny_per_1m"].is_null());
  EXPECT_THAT(input["notes"].dump(), HasSubstr("no verdict: blended needs the rates of input and of output tokens"));
  const std::string named = " --rent '13.2 CNY/h' --target '0.01 CNY/100k input tokens'";
  EXPECT_EQ(answer("verdict --rate input=1e6:1e6:1e6" + named)["verdict"][0]["verdict"], "reached");
}

TEST_F(Money, AnImportHasACostOnceItsAcceleratorsAreGiven) {
  const std::string source = ASSAY_SOURCE_DIR "/tests/golden/import/vllm_serve.json";
  EXPECT_EQ(assay("import --out bare " + source).code, 0);
  refused("cost bare --rent '2 CNY/h'", {"accelerators"});
  EXPECT_EQ(assay("import --chips 2 --out given " + source).code, 0);
  // 506.88 output tokens/s of 2 accelerators: 2 CNY / 3600 / 253.44 a token.
  const json out = answer("cost given --rent '2 CNY/h'");
  EXPECT_NEAR(out["cost"][0]["yuan_per_1m_tokens"].get<double>(), 2e6 / 3600 / 253.44, 1e-6);
  EXPECT_THAT(out["inputs"].dump(), HasSubstr("over 2, number of accelerators given at import"));
  const std::string golden = ASSAY_SOURCE_DIR "/tests/golden/import/";
  refused("import --chips 4 " + golden + "mlperf_results.json", {"[0]", "4 accelerators as given", "says 8"});
  refused("import --chips 4 " + golden + "inferencex_aggregate.json", {"rates of each accelerator"});
}

TEST_F(Money, PublishedRecordsAtAChipsPrices) {
  const json out = answer(std::string("cost ") + kPublished + " --chip h100-sxm");
  bool blended = false;
  for (const json& row : out["cost"]) {
    EXPECT_THAT(row["basis"].get<std::string>(), HasSubstr("measured"));
    if (row["yuan_per_1m_tokens"].is_null()) continue;
    EXPECT_LT(row["yuan_per_1m_tokens_low"].get<double>(), row["yuan_per_1m_tokens"].get<double>());
    EXPECT_GT(row["yuan_per_1m_tokens_high"].get<double>(), row["yuan_per_1m_tokens"].get<double>());
    EXPECT_LT(row["electricity_per_1m_tokens"].get<double>(), row["yuan_per_1m_tokens"].get<double>());
    blended = blended || row["class"] == "blended";
  }
  EXPECT_TRUE(blended);
  EXPECT_THAT(out["notes"].dump(), HasSubstr("at the prices of h100-sxm"));
  EXPECT_THAT(out["notes"].dump(), HasSubstr("seed 1"));
  EXPECT_FALSE(out["sensitivity"].empty());
}

TEST_F(Money, ElectricityAloneRulesATargetOut) {
  const Outcome out = assay(std::string("verdict ") + kPublished + " --chip h100-sxm --target '0.01 CNY/1M tokens'");
  EXPECT_EQ(out.code, 0) << out.text;
  EXPECT_THAT(out.text, HasSubstr("not possible at any price of the chip: electricity alone costs more"));
}

TEST_F(Money, ConfidentialPricesAreUsedAndNotPrinted) {
  file("mine.json", R"({"schema_version": 1, "name": "offers", "date": "2026-11-20", "confidential": true,
    "chips": [{"id": "h100-sxm", "price": [{"value": 123457, "currency": "CNY", "date": "2026-11", "source": "secret offer 7",
    "grade": "V"}]}]})");
  const std::string records = std::string(kPublished) + " --chip h100-sxm --owned";
  for (const char* form : {"text", "md", "csv", "json"}) {
    for (const std::string& command : {"cost " + records, "verdict " + records + " --target '9 CNY/1M tokens'"}) {
      const Outcome out = assay(command + " --prices mine.json --format " + form);
      EXPECT_EQ(out.code, 0) << out.text;
      EXPECT_THAT(out.text, Not(HasSubstr("123457"))) << command << form;
      EXPECT_THAT(out.text, Not(HasSubstr("secret"))) << command << form;
    }
  }
  const double mine = answer("cost " + records + " --prices mine.json")["hour"][0]["yuan_per_hour"];
  EXPECT_LT(mine, answer("cost " + records)["hour"][0]["yuan_per_hour"].get<double>());
}

// A rent, its hour, the power and the rate of exchange of a confidential book stand in no form; yuan per token do, of
// a step that holds the rent: 12.3457 USD x 7.32191 = 90.394 CNY an hour lie nearest to 10^(23/12) = 82.540 (the next,
// 10^2, is farther on a scale of logarithms), over 1000 tokens/s 22.928 per 1M; the rent itself would be 25.11.
TEST_F(Money, AConfidentialRentIsInNoForm) {
  const std::string source = R"("date": "2026-11", "source": "secret offer 7", "grade": "V"}])";
  file("mine.json", R"({"schema_version": 1, "name": "offers", "date": "2026-11-20", "confidential": true,
    "fx": [{"currency": "USD", "cny": {"value": 7.32191, "date": "2026-11", "source": "secret bank", "grade": "V"}}],
    "chips": [{"id": "h100-sxm", "rent_per_hour": [{"value": 12.3457, "currency": "USD", )" +
                        source + R"(, "wall_kw": [{"value": 1.23453, "basis": "without-facility", )" + source + "}]}");
  const std::string given = " --rate output=1000:990:1010 --chip h100-sxm --rented --prices mine.json";
  for (const std::string& command : {"cost" + given, "verdict" + given + " --target '1 CNY/1M output tokens'"}) {
    for (const char* form : {"text", "json"}) {
      const Outcome out = assay(command + " --format " + form);
      EXPECT_EQ(out.code, 0) << out.text;
      EXPECT_THAT(out.text, HasSubstr("22.9"));
      EXPECT_THAT(out.text, HasSubstr("twelve steps a decade"));
      for (const char* secret : {"25.11", "25.10", "secret", "12.34", "12.35", "7.32", "90.39", "1.234", "1.235"})
        EXPECT_THAT(out.text, Not(HasSubstr(secret))) << command << form;
    }
  }
  refused("report " + std::string(kPublished) + " --prices mine.json --target '0.65 USD/1M tokens'",
          {"--target", "yuan"});
  refused("verdict" + given + " --target '0.65 USD/1M output tokens'", {"--target", "rate of exchange"});
}

TEST_F(Money, ALimitOfLatencyNeedsRecords) {
  refused("cost --rate output=1000 --rent '2 CNY/h' --tpot 20", {"--tpot", "records"});
}

TEST_F(Money, WhatIsWrongIsRefused) {
  const std::string rate = " --rate blended=4951 --rent '2 USD/h'";
  refused("verdict" + rate + " --target 0.01", {"--target", "0.01 CNY/100k tokens"});
  refused("verdict" + rate, {"--target"});
  refused("verdict" + rate + " --target '2 USD/clip'", {"claims"});
  refused("verdict" + rate + " --target '1 EUR/1M tokens'", {"EUR"});
  refused("cost", {"RECORD"});
  refused("cost nowhere", {"nowhere"});
  refused("cost --rate blended=0 --rent '2 USD/h'", {"--rate blended", "\"0\""});
  refused("cost --rate blnded=5 --rent '2 USD/h'", {"did you mean 'blended'"});
  refused("cost --rate blended=5 --rent 2", {"--rent", "13.2 CNY/h"});
  refused("cost --rate blended=5 --chip h100-sxmm", {"--chip", "did you mean 'h100-sxm'"});
  refused("cost --rate blended=5 --chip h100-sxm --tariff mars", {"--tariff", "mars"});
  refused("cost --rate blended=5 --chip h100-sxm --set puee=1.2", {"did you mean 'pue'"});
  refused("cost --rate blended=5 --chip h100-sxm --set pue=0.5", {"--set pue", "0.5"});
  refused("cost --rate blended=5 --chip h100-sxm --set pue=1.2:1.3:1.4", {"LOW <= VALUE <= HIGH"});
  refused("cost --rate blended=5 --chip h100-sxm --owned --rented", {"--owned", "--rented"});
  refused("cost --rate blended=5 --chip h100-sxm --seed -1", {"--seed"});
  refused("cost --rate blended=5 --chip h100-sxm --draws 3", {"--draws"});
  refused("cost --rate blended=5 --chip h100-sxm --mix 1:2", {"--mix", "CACHED:INPUT:OUTPUT"});
  refused("cost --rate blended=5 --chip enflame-l600", {"rent"});
  refused("cost --rate blended=5 --chip h100-sxm --prices nowhere.json", {"nowhere.json"});
  file("bad.json", R"({"schema_version": 1, "name": "x", "date": "2026-11", "chips": [{"id": "a", "prize": []}]})");
  refused("cost --rate blended=5 --chip h100-sxm --prices bad.json", {"bad.json", "chips[0]", "prize"});
  file("claims.json", R"({"schema_version": 1, "claims": [{"id": "a"}]})");
  refused("claims" + rate + " --claims claims.json", {"claims.json", "claims[0]"});
  refused("claims" + rate + " --clip soon", {"--clip", "soon"});
  refused("claims" + rate + " --task 5", {"--task"});
  refused("claims" + rate + " --accelerators 0", {"--accelerators"});
  refused("plan", {"REQUEST.json"});
  refused("plan nowhere.json", {"nowhere.json"});
  file("plan.json", R"({"schema_version": 1, "name": "x", "traffic": {}, "units": []})");
  refused("plan plan.json", {"plan.json", "requests_per_s"});
  EXPECT_EQ(assay("cost --rate blended=5 --rent '2 USD/h' --bogus").code, 2);
}

// A rate that is given is of no model: the shipped claims of prices are of one, or of none that is stated.
TEST_F(Money, ClaimsSayWhatTheRatesSupport) {
  const std::string given =
      "claims --rate input=10000:9900:10100 --rate output=2000:1980:2020 --rent '13.2 CNY/h' --task 0:5000:2000 --clip "
      "29:28:31 --accelerators 137";
  const json out = answer(given);
  ASSERT_EQ(out["claims"].size(), 9U);
  for (const json& row : out["claims"]) {
    EXPECT_EQ(row["verdict"], "says nothing of it") << row.dump();
    EXPECT_FALSE(row["why"].is_null()) << row.dump();
  }
  file("mine.json", R"({"schema_version": 1, "claims": [{"id": "clip", "text": "in 30 s", "kind": "clip_time",
    "seconds": 30, "market": true, "model": "vidu", "source": "s", "grade": "R"}]})");
  const json mine = answer(given + " --claims mine.json");
  EXPECT_EQ(mine["claims"][0]["verdict"], "can't tell") << "28 to 31 s against 30 s";
  EXPECT_EQ(mine["claims"][0]["actual"], 29);
}

// The records are of an H200 and of models up to 8B: no shipped claim is of those. One of its 8B model is judged by it.
TEST_F(Money, ClaimsOfOtherChipsAndModelsAreNotJudged) {
  const json out = answer("claims " ASSAY_SOURCE_DIR "/results/published/2026-11-26-h200");
  ASSERT_EQ(out["claims"].size(), 9U);
  for (const json& row : out["claims"]) {
    EXPECT_EQ(row["verdict"], "says nothing of it") << row.dump();
    EXPECT_TRUE(row["actual"].is_null()) << row.dump();
  }
  EXPECT_THAT(out["claims"][1]["why"].get<std::string>(), HasSubstr("Qihang S3"));
  EXPECT_THAT(out["claims"][3]["why"].get<std::string>(), HasSubstr("70B"));
  EXPECT_THAT(out["notes"].dump(), HasSubstr("the records are of H200 SXM, "));
  file("mine.json", R"({"schema_version": 1, "claims": [{"id": "8b", "text": "t", "kind": "token_price",
    "price": "900 CNY/1M output tokens", "chip": "H200", "params": 8e9, "source": "s", "grade": "R"}]})");
  const json mine = answer("claims " ASSAY_SOURCE_DIR "/results/published/2026-11-26-h200 --claims mine.json");
  ASSERT_EQ(mine["claims"].size(), 1U);
  EXPECT_EQ(mine["claims"][0]["chip"], "H200 SXM, llama-3.1-8b bf16");
  EXPECT_EQ(mine["claims"][0]["verdict"], "supported");
}

// Beside the H200's records of llama-3.1-8b stand their ceilings. Prefill: 131.94 TFLOP at 728.64 TFLOP/s are 181.1 ms,
// 45,239 tokens/s, of which 36,887 came; decode of 64: 49.387 GB at 4.436 TB/s are 11.13 ms, 5,748.5 of which 4,480
// came. At 608 to 168 tokens (0.78350/36887 + 0.21650/4480) / (0.78350/45239 + 0.21650/5748.5) = 1.265; the datasheet's
// 989 TFLOP/s and 4.8 TB/s would give 1.463.
TEST_F(Money, TheWaterfallRestsOnTheCeilingsBesideTheRecords) {
  const std::string folder = ASSAY_SOURCE_DIR "/results/published/2026-11-26-h200/";
  const json out = answer("verdict " + folder + "*llama* --target '0.01 CNY/100k tokens' --rent '10 CNY/h'");
  bool seen = false;
  for (const json& row : out["waterfall"]) {
    if (row["factor"] != "mfu_mbu") continue;
    seen = true;
    EXPECT_NEAR(row["times"].get<double>(), 1.265, 5e-4);
    EXPECT_THAT(row["basis"].get<std::string>(), HasSubstr("measured"));
    EXPECT_THAT(row["meaning"].get<std::string>(), HasSubstr("by the ceilings beside the case"));
  }
  EXPECT_TRUE(seen);
}

// 13.2 yuan an hour over 123.3 tokens/s: 13.2 / 3600 / 123.3 x 1e6 = 29.7 yuan per 1M; the report's as the command's.
TEST_F(Money, TheReportIsReckonedWithTheSameChoices) {
  const std::string price = std::string(kPublished) + " --rent '13.2 CNY/h' --set utilisation=0.5";
  ASSERT_EQ(assay("report " + price + " -o r.json").code, 0);
  std::ifstream in(dir_ / "r.json");
  const json report = json::parse(in);
  double seen = 0;
  for (const json& c : report["costs"]) {
    if (c["model"] != "smollm2-135m") continue;
    EXPECT_TRUE(c["rented"].get<bool>());
    EXPECT_NEAR(c["per_hour"]["value"].get<double>(), 26.4, 1e-9) << "half of the paid hours are used";
    seen = c["per_token"][2]["value"].get<double>() * 1e6;
  }
  EXPECT_NEAR(seen, 2 * 29.7, 0.2);
  const json cost = answer("cost " + price);
  double said = 0;
  for (const json& row : cost["cost"]) {
    if (row["chip"] == "AMD EPYC, smollm2-135m f32" && row["class"] == "output") said = row["yuan_per_1m_tokens"];
  }
  EXPECT_NEAR(said, seen, 1e-9 * seen);
  refused("report " + std::string(kPublished) + " --rent 13.2", {"--rent", "currency"});
  refused("report " + std::string(kPublished) + " --set colour=2", {"--set", "colour"});
}

// Results of one case by several systems are no repeats: the best of each dtype is priced.
TEST_F(Money, AnImportedRateHasACost) {
  const auto result = [](const std::string& who, const std::string& dtype, int rate) {
    return R"({"Submitter": ")" + who +
           R"(", "Scenario": "Offline", "Category": "closed", "version": "v4.1", "UsedModel": "m",
       "Accelerator": "NVIDIA H100-SXM-80GB", "a#": 8, "Nodes": 1, "weight_data_types": ")" +
           dtype + R"(", "Performance_Result": )" + std::to_string(rate) + R"(, "Performance_Units": "Tokens/s"})";
  };
  file("round.json",
       "[" + result("A", "fp8", 24000) + "," + result("B", "fp8", 9000) + "," + result("C", "fp4", 40000) + "]");
  ASSERT_EQ(assay("import round.json --out imported").code, 0);
  const json out = answer("cost imported --rent '10.8 CNY/h'");
  std::map<std::string, double> per_1m;
  for (const json& row : out["cost"]) {
    if (row["class"] == "output") per_1m[row["chip"]] = row["yuan_per_1m_tokens"];
    EXPECT_TRUE(row["yuan_per_1m_tokens_low"].is_null()) << "the source states no interval";
    EXPECT_THAT(row["basis"].get<std::string>(), HasSubstr("reported"));
  }
  // 10.8 / 3600 / (24000 / 8) = 1e-6 and 10.8 / 3600 / (40000 / 8) = 0.6e-6 yuan a token.
  ASSERT_EQ(per_1m.size(), 2U) << out["cost"].dump();
  EXPECT_NEAR(per_1m["H100 SXM, m fp8, reported, request"], 1.0, 1e-9);
  EXPECT_NEAR(per_1m["H100 SXM, m fp4, reported, request"], 0.6, 1e-9);
  EXPECT_THAT(out["notes"].dump(), HasSubstr("without an interval"));
}

TEST_F(Money, PlanFindsTheCheapestAndSaysWhenNothingServes) {
  const auto request = [](const std::string& limits) {
    return R"({"schema_version": 1, "name": "day 6", )" + limits + R"("traffic": {"requests_per_s": 1759.2593,
      "prompt_tokens": 4000, "output_tokens": 1105.2632}, "units": [{"name": "node of 8", "basis": "reported",
      "cost_per_hour": {"value": 16, "currency": "USD", "date": "2025-03", "source": "disclosure", "grade": "M"},
      "prefill": [{"prompt_tokens": 4000, "tokens_per_s": 73700}],
      "decode": [{"batch": 1000, "context": 5000, "step_ms": 67.5676}]}]})";
  };
  file("day6.json", request(""));
  const json out = answer("plan day6.json");
  for (const json& row : out["plans"]) {
    EXPECT_NEAR(row["prefill_flow"].get<double>() + row["decode_flow"].get<double>(), 226.86, 0.01);
    EXPECT_NEAR(row["flow_yuan_per_hour"].get<double>() * 24 / 7.18, 87116, 2);
    EXPECT_EQ(row["basis"], "reported");
    EXPECT_THAT(row["not_counted"].get<std::string>(), HasSubstr("memory limit (memory of node of 8 unknown)"));
  }
  file("fast.json", request("\"limits\": {\"tpot_ms\": 20}, "));
  const Outcome none = assay("plan fast.json");
  EXPECT_EQ(none.code, 1) << none.text;
  EXPECT_THAT(none.text, HasSubstr("within 20 ms"));
}

TEST_F(Money, EveryCommandTeachesAndHasFourForms) {
  const std::string rate = " --rate blended=4951 --rent '2 USD/h'";
  for (const char* command : {"cost", "verdict", "claims", "plan"}) {
    const Outcome help = assay(std::string(command) + " --help");
    EXPECT_EQ(help.code, 0);
    EXPECT_THAT(help.text, HasSubstr("examples:"));
  }
  for (const std::string& command :
       {"cost" + rate, "verdict" + rate + " --target '1 CNY/1M tokens'", "claims" + rate}) {
    EXPECT_THAT(assay(command + " --format md").text, HasSubstr("|---"));
    const std::string csv = assay(command + " --format csv").text;
    const auto columns = [](const std::string& line) { return std::count(line.begin(), line.end(), ','); };
    ASSERT_NE(csv.find("\r\n"), std::string::npos) << csv;
    EXPECT_GT(columns(csv.substr(0, csv.find("\r\n"))), 5);
    EXPECT_FALSE(json::parse(assay(command + " --format json").text, nullptr, false).is_discarded());
    EXPECT_THAT(assay(command).text, HasSubstr("4951"));
  }
}

}  // namespace
}  // namespace assay
