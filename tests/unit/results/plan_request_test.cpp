// Requests of plans: read, refused by name, and their units from records and from the price book.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "results/plan/plan.h"
#include "results/record.h"
#include "tests/support/scratch.h"

namespace assay {
namespace {

using testing::HasSubstr;

const char* kRequest = R"({"schema_version": 1, "name": "x",
  "traffic": {"requests_per_s": 1, "prompt_tokens": 1000, "output_tokens": 100},
  "units": [{"name": "A", "basis": "measured",
    "cost_per_hour": {"value": 2, "currency": "USD", "date": "2026-11", "source": "offer", "grade": "V"},
    "prefill": [{"prompt_tokens": 1000, "tokens_per_s": 5000, "low": 4900, "high": 5100}],
    "decode": [{"batch": 8, "context": 2000, "step_ms": 20}]}]})";

PriceBook dollars() {
  PriceBook book;
  book.name = "test";
  PriceCell rate;
  rate.value = rate.low = rate.high = 7;
  book.fx = {{"USD", rate}};
  return book;
}

std::string with(const std::string& from, const std::string& to) {
  std::string text = kRequest;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(PlanRequest, IsReadWithMoneyInYuan) {
  const Result<PlanRequest> r = parse_plan(kRequest, "p.json", dollars());
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_DOUBLE_EQ(r->units[0].cost_per_hour.typical, 14);
  EXPECT_DOUBLE_EQ(r->units[0].prefill[0].low, 4900);
  EXPECT_FALSE(r->units[0].bounded) << "the decode step states no interval";
  EXPECT_DOUBLE_EQ(r->units[0].decode[0].high, 20);
}

TEST(PlanRequest, WhatIsWrongIsNamed) {
  const std::vector<std::array<std::string, 3>> faults{
      {"\"requests_per_s\": 1", "\"requests_per_s\": 0", "requests_per_s"},
      {"\"requests_per_s\": 1", "\"request_per_s\": 1", "did you mean 'requests_per_s'"},
      {"\"low\": 4900", "\"low\": 5050", "low <= value <= high"},
      {"\"currency\": \"USD\"", "\"currency\": \"EUR\"", "EUR"},
      {"\"step_ms\": 20", "\"step_ms\": -1", "step_ms"},
      {"\"basis\": \"measured\"", "\"basis\": \"guessed\"", "guessed"},
      {"\"schema_version\": 1", "\"schema_version\": 9", "schema_version"},
      {"\"decode\":", "\"records\": {\"path\": \"x\", \"model\": \"m\", \"dtype\": \"f32\"}, \"decode\":", "records"}};
  for (const auto& [from, to, word] : faults) {
    const Result<PlanRequest> r = parse_plan(with(from, to), "p.json", dollars());
    ASSERT_FALSE(r.ok()) << to;
    EXPECT_EQ(r.error().kind, ErrorKind::kBadInput);
    EXPECT_THAT(r.error().message, HasSubstr("p.json"));
    EXPECT_THAT(r.error().message, HasSubstr(word));
  }
  EXPECT_FALSE(read_plan("/nowhere.json", dollars()).ok());
}

// A chip owned for 8760 hours a year: price 87,600 x 1.5 with its server = 131,400 CNY over one year without interest,
// salvage or operation is 15 CNY/h; 2 kW at the wall x 0.5 CNY/kWh, the facility's overhead being in it, is 1 CNY/h.
// Utilisation is the plan's own to say, so that the book's 0.5 does not double the hour.
PriceBook yuan_book() {
  const auto cell = [](double value, const std::string& more = "") {
    return "[{\"value\": " + std::to_string(value) + R"(, "date": "2026", "source": "s", "grade": "A")" + more + "}]";
  };
  const std::string yuan = R"(, "currency": "CNY")", power = R"(, "basis": "with-facility")";
  std::string economics;
  for (const auto& [name, value] : std::vector<std::pair<std::string, double>>{{"server_factor", 1.5},
                                                                               {"life", 1},
                                                                               {"discount_rate", 0},
                                                                               {"salvage_share", 0},
                                                                               {"opex_share", 0},
                                                                               {"utilisation", 0.5},
                                                                               {"idle_power_share", 0.3},
                                                                               {"pue", 1.2}}) {
    economics += (economics.empty() ? "\"" : ", \"") + name + "\": " + cell(value);
  }
  const std::string text =
      R"({"schema_version": 1, "name": "test", "date": "2026", "economics": {)" + economics +
      R"(}, "tariffs": [{"id": "cn-west", "bands": [{"name": "all day", "hours": [[0, 24]], "price": )" +
      cell(0.5, yuan) + R"(}]}], "chips": [{"id": "own", "name": "Own", "vendor": "v", "price": )" + cell(87600, yuan) +
      R"(, "wall_kw": )" + cell(2, power) + R"(}, {"id": "let", "name": "Let", "vendor": "v", "rent_per_hour": )" +
      cell(10, yuan) + "}]}";
  const Result<PriceBook> book = parse_price_book(text, "book.json");
  EXPECT_TRUE(book.ok()) << book.error().message;
  return book.ok() ? *book : PriceBook{};
}

TEST(PlanRequest, AChipOfTheBookIsPricedByTheHourThatItStandsThere) {
  const std::string cost =
      R"("cost_per_hour": {"value": 2, "currency": "USD", "date": "2026-11", "source": "offer", "grade": "V"})";
  const auto request = [&](const std::string& instead) {
    return parse_plan(with(cost, instead), "p.json", yuan_book());
  };
  const Result<PlanRequest> owned = request(R"("chip": "own")");
  ASSERT_TRUE(owned.ok()) << owned.error().message;
  EXPECT_NEAR(owned->units[0].cost_per_hour.typical, 16, 1e-9);
  EXPECT_NEAR(*owned->units[0].purchase, 131400, 1e-6);
  EXPECT_NEAR(*owned->units[0].wall_kw, 2, 1e-12);
  EXPECT_THAT(owned->units[0].cost_per_hour.source, HasSubstr("own, owned, electricity at cn-west"));
  const Result<PlanRequest> rented = request(R"("chip": "Let")");
  ASSERT_TRUE(rented.ok()) << rented.error().message;
  EXPECT_DOUBLE_EQ(rented->units[0].cost_per_hour.typical, 10);
  EXPECT_FALSE(rented->units[0].purchase);
  for (const auto& [instead, word] : std::vector<std::pair<std::string, std::string>>{
           {R"("chip": "nothing-like-it")", "nothing-like-it"},
           {R"("chip": "own", "tariff": "nowhere")", "nowhere"},
           {R"("chip": "let", "rented": false)", "chip_price"},
           {R"("rented": true, )" + cost, "cost_per_hour is given"},
           {R"("chip": "own", )" + cost, "either cost_per_hour or chip"}}) {
    const Result<PlanRequest> r = request(instead);
    ASSERT_FALSE(r.ok()) << instead;
    EXPECT_THAT(r.error().message, HasSubstr(word));
  }
}

TEST(PlanRequest, TheShippedExampleServes) {
  const Result<PriceBook> book = read_price_book(ASSAY_SOURCE_DIR "/results/prices/shipped.json");
  ASSERT_TRUE(book.ok()) << book.error().message;
  const Result<PlanRequest> r = read_plan(ASSAY_SOURCE_DIR "/results/plan/example.json", *book);
  ASSERT_TRUE(r.ok()) << r.error().message;
  for (const Plan& p : plans(*r)) EXPECT_EQ(p.problem, "");
}

// Curves from the published records of this project: one prefill point, two decode batches.
TEST(PlanRequest, CurvesComeFromRecords) {
  const std::string text = R"({"schema_version": 1, "name": "x",
    "traffic": {"requests_per_s": 0.1, "prompt_tokens": 128, "output_tokens": 64},
    "units": [{"name": "host", "cost_per_hour": {"value": 1, "currency": "CNY", "date": "2026", "source": "s", "grade": "A"},
      "records": {"path": ")" ASSAY_SOURCE_DIR
                           R"(/results/published/2026-11-24-epyc-2cpu", "model": "smollm2-135m", "dtype": "f32"}}]})";
  const Result<PlanRequest> r = parse_plan(text, "p.json", dollars());
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->units[0].basis, "measured");
  EXPECT_EQ(r->units[0].prefill.size(), 2U);
  EXPECT_EQ(r->units[0].decode.size(), 2U);
  EXPECT_NEAR(*prefill_rate(r->units[0], 128), 650, 1) << "the published figure";
  EXPECT_EQ(plans(*r)[0].problem, "");
}

// On the H200 2 of 24 layers ran behind contexts: a chunk behind a context is no prompt, and a step of all layers that
// stands beside a projected one is taken. Records of two chips make no curve.
TEST(PlanRequest, CurvesAreOfWholeModelsOnOneChip) {
  const auto request = [](const std::string& folder) {
    return parse_plan(R"({"schema_version": 1, "name": "x",
      "traffic": {"requests_per_s": 0.1, "prompt_tokens": 128, "output_tokens": 64},
      "units": [{"name": "u", "cost_per_hour": {"value": 1, "currency": "CNY", "date": "2026", "source": "s", "grade": "A"},
        "records": {"path": ")" ASSAY_SOURCE_DIR "/results/published" +
                          folder + R"(", "model": "qwen2.5-0.5b", "dtype": "f32"}}]})",
                      "p.json", dollars());
  };
  const Result<PlanRequest> r = request("/2026-11-26-h200");
  ASSERT_TRUE(r.ok()) << r.error().message;
  ASSERT_EQ(r->units[0].prefill.size(), 1U);
  EXPECT_NEAR(r->units[0].prefill[0].per_s, 18695.5, 0.1) << "the published figure";
  EXPECT_EQ(r->units[0].basis, "projected") << "the decode step at 4096 tokens is";
  EXPECT_EQ(r->units[0].kv_bytes_per_token, 24576) << "24 layers x 2 x 2 heads x 64 x 4 B";
  EXPECT_THAT(request("").error().message, HasSubstr("one chip"));
}

// The H200's memory and what Llama-3.1-8B took of it with 64 sequences, as the record's file says; its weights are
// 8.03e9 x 2 B = 16.06 GB, the cache 64 x 4097 x 32 x 2 x 8 x 128 x 2 B = 34.4 GB.
TEST(PlanRequest, MemoryAndWeightsComeFromRecords) {
  const auto unit_of = [](const std::string& more) {
    return parse_plan(R"({"schema_version": 1, "name": "x",
      "traffic": {"requests_per_s": 0.1, "prompt_tokens": 4096, "output_tokens": 64},
      "units": [{"name": "u", "cost_per_hour": {"value": 1, "currency": "CNY", "date": "2026", "source": "s", "grade": "A"},
        "records": {"path": ")" ASSAY_SOURCE_DIR
                      R"(/results/published/2026-11-26-h200", "model": "llama-3.1-8b", "dtype": "bf16")" +
                          more + "}]}",
                      "p.json", dollars());
  };
  const Result<PlanRequest> r = unit_of("}");
  ASSERT_TRUE(r.ok()) << r.error().message;
  const PlanUnit& u = r->units[0];
  EXPECT_EQ(u.memory_bytes, 150109880320);
  EXPECT_NEAR(u.weight_bytes, 50486837248 - 64.0 * 4097 * 131072, 1);
  EXPECT_NEAR(u.weight_bytes, 16.06e9, 0.1e9) << "and some work space";
  EXPECT_THAT(u.notes, testing::Contains(HasSubstr("by which the device's free memory fell in record 0e7a2b52")));
  for (const Plan& p : plans(*r)) EXPECT_TRUE(p.split || p.not_counted.empty()) << p.not_counted;
  EXPECT_THAT(unit_of(R"(, "variant": "p16"})").error().message,
              HasSubstr("llama-3.1-8b bf16 with a rate, variant p16, found plain"));
  // A unit that keeps its cache in 8 bits: the record's is still of bf16, and that is what came off.
  const PlanUnit narrow = unit_of(R"(}, "kv_bytes_per_token": 65536)")->units[0];
  EXPECT_EQ(narrow.kv_bytes_per_token, 65536);
  EXPECT_NEAR(narrow.weight_bytes, 50486837248 - 64.0 * 4097 * 131072, 1);
}

// Two runs of one case with different options of the adapter: the newer counts, and that is said.
TEST(PlanRequest, RecordsOfDifferentAdapterOptionsAreSaid) {
  const ScratchFolder scratch;
  const std::filesystem::path& dir = scratch.path();
  std::vector<Record> published = *read_records(ASSAY_SOURCE_DIR "/results/published/2026-11-24-epyc-2cpu");
  const auto decode = std::find_if(published.begin(), published.end(), [](const Record& r) {
    return r.model == "smollm2-135m" && r.dtype == "f32" && r.step_kind == "decode" && r.status == "ok";
  });
  ASSERT_NE(decode, published.end());
  for (const char* options : {"", "own"}) {
    Record r = *decode;
    if (*options != 0) r.adapter_options.emplace()["attention"] = options;
    r.created = *options != 0 ? "2026-11-24T00:00:00Z" : "2026-11-25T00:00:00Z";
    ASSERT_TRUE(write_record(r, dir).ok());
  }
  const Result<PlanRequest> r = parse_plan(R"({"schema_version": 1, "name": "x",
    "traffic": {"requests_per_s": 0.1, "prompt_tokens": 128, "output_tokens": 64},
    "units": [{"name": "u", "cost_per_hour": {"value": 1, "currency": "CNY", "date": "2026", "source": "s", "grade": "A"},
      "records": {"path": ")" + dir.string() + R"(", "model": "smollm2-135m", "dtype": "f32"}}]})",
                                           "p.json", dollars());
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->units[0].decode.size(), 1U);
  EXPECT_THAT(r->units[0].notes, testing::Contains(HasSubstr("different adapter options (attention=own; none)")));
}

}  // namespace
}  // namespace assay
