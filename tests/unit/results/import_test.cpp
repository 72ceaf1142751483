#include "results/import/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "results/import/definitions.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr const char* kGolden = ASSAY_SOURCE_DIR "/tests/golden/import/";
constexpr const char* kShared = ASSAY_SOURCE_DIR "/../shared/data/";

std::string golden(const std::string& name) {
  const Result<std::string> text = read_text_file(kGolden + name);
  EXPECT_TRUE(text.ok()) << (text.ok() ? "" : text.error().message);
  return text.ok() ? *text : "";
}

std::vector<Record> imported(const std::string& name) {
  Result<std::vector<Record>> records = import_file(kGolden + name, "");
  EXPECT_TRUE(records.ok()) << (records.ok() ? "" : records.error().message);
  return records.ok() ? std::move(records).value() : std::vector<Record>{};
}

// nullptr where the record has no such figure.
const ReportedFigure* figure(const Record& r, const std::string& name, const std::string& statistic) {
  for (const ReportedFigure& f : r.reported->figures) {
    if (f.name == name && f.statistic == statistic) return &f;
  }
  return nullptr;
}

void expect_figure(const Record& r, const std::string& name, const std::string& statistic, double value,
                   const std::string& unit) {
  const ReportedFigure* f = figure(r, name, statistic);
  ASSERT_NE(f, nullptr) << name << " " << statistic;
  EXPECT_NEAR(f->value, value, 1e-9 * value) << name << " " << statistic;
  EXPECT_EQ(f->unit, unit) << name << " " << statistic;
}

// The text with `from` replaced once by `to` is refused with a message that has these words.
void refused(const std::string& file, const std::string& from, const std::string& to,
             const std::vector<std::string>& words) {
  std::string text = golden(file);
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  const Result<std::vector<Record>> records = import_text(text, file, "");
  ASSERT_FALSE(records.ok()) << file << ": " << from << " -> " << to;
  EXPECT_EQ(records.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(records.error().message, HasSubstr(file));
  for (const std::string& word : words) EXPECT_THAT(records.error().message, HasSubstr(word));
}

TEST(Import, EveryRecordIsReportedKnowsItsSourceAndCanBeWritten) {
  const fs::path dir = fs::temp_directory_path() / ("assay-import-" + std::to_string(::getpid()));
  for (const char* file : {"vllm_serve.json", "inferencex_aggregate.json", "mlperf_results.json", "mlperf_results.csv",
                           "mlperf_log_summary.txt", "mlperf_log_detail.txt", "llama_bench.json", "llama_bench.jsonl",
                           "llama_bench.sql", "llama_bench.csv"}) {
    for (Record& r : imported(file)) {
      EXPECT_EQ(r.basis, "reported");
      EXPECT_EQ(r.reported->source_file, file);
      EXPECT_EQ(r.reported->source_xxh3.size(), 32U);
      EXPECT_TRUE(r.samples.host_ns.empty());
      EXPECT_FALSE(r.energy.joules);
      for (const ReportedFigure& f : r.reported->figures) EXPECT_NE(find_definition(f.definition), nullptr) << file;
      const Result<fs::path> path = write_record(r, dir);
      ASSERT_TRUE(path.ok()) << path.error().message;
      const Result<Record> back = read_record(*path);
      ASSERT_TRUE(back.ok()) << back.error().message;
      EXPECT_EQ(record_to_json(*back), record_to_json(r));
    }
  }
  fs::remove_all(dir);
}

TEST(Import, TheSameBytesGiveTheSameRecords) {
  std::vector<Record> a = imported("vllm_serve.json"), b = imported("vllm_serve.json");
  EXPECT_EQ(record_to_json(a[0]), record_to_json(b[0]));
}

TEST(ImportVllm, FiguresInBaseUnitsWithTheirDefinitions) {
  const Record r = imported("vllm_serve.json").at(0);
  EXPECT_EQ(r.tier, "request");
  EXPECT_EQ(r.model, "example/model-7b");
  // 101376 / 198 = 512 and 25344 / 198 = 128 tokens a request.
  EXPECT_EQ(r.case_id, "vllm-serve/example-model-7b/in512-out128/conc32/rate4.0");
  EXPECT_EQ(r.reported->figures.front().name, "output_tokens_per_s");
  expect_figure(r, "output_tokens_per_s", "total", 506.88, "tokens/s");
  expect_figure(r, "ttft", "p99", 0.310, "s");
  expect_figure(r, "tpot", "median", 0.020, "s");
  EXPECT_EQ(figure(r, "tpot", "mean")->definition, "tpot/after-first-interpolated");
  EXPECT_EQ(figure(r, "ttft", "mean")->n, 198U);
  EXPECT_EQ(figure(r, "goodput", "total"), nullptr) << "null in the source";
  EXPECT_EQ(r.reported->stated.at("tensor_parallel_size"), "2");
  EXPECT_EQ(r.reported->stated.count("label"), 0U);
  EXPECT_TRUE(r.created.empty()) << "the source's date has no time zone";
  EXPECT_TRUE(r.device.empty()) << "the source doesn't say";
}

TEST(ImportVllm, BrokenFilesAreRefusedByField) {
  const char* f = "vllm_serve.json";
  refused(f, "506.88", "\"fast\"", {"output_throughput", "'fast'"});
  refused(f, "506.88", "5068.8", {"output_throughput", "contradicts itself"});
  refused(f, "506.88", "-1", {"output_throughput"});
  refused(f, "\"duration\": 50.0", "\"duration\": 0", {"duration", "over 0"});
  refused(f, "\"p99_ttft_ms\": 310.0", "\"p99_ttft_ms\": 31.0", {"p99_ttft_ms", "order"});
  refused(f, "\"p99_tpot_ms\": 31.0", "\"p99_tpot_ms\": 1e300", {"p99_tpot_ms"});
  refused(f, "\"completed\": 198", "\"completed\": 201", {"completed", "num_prompts"});
  refused(f, "\"total_input_tokens\": 101376, ", "", {"total_input_tokens", "missing"});
  refused(f, "\"request_rate\": 4.0", "\"request_rate\": \"soon\"", {"request_rate"});
  const std::string cut = golden(f).substr(0, 400);
  EXPECT_THAT(import_text(cut, f, "").error().message, AllOf(HasSubstr("line 1"), HasSubstr("not valid JSON")));
}

// vLLM writes 0 where it had no values: absent, and said.
TEST(ImportVllm, AZeroLatencyIsAbsent) {
  std::string text = golden("vllm_serve.json");
  for (const char* field : {"mean_tpot_ms\": 21.5", "median_tpot_ms\": 20.0", "p99_tpot_ms\": 31.0"}) {
    const size_t at = text.find(field);
    text.replace(at, std::string(field).size(), std::string(field, std::string(field).find(' ')) + " 0.0");
  }
  const Result<std::vector<Record>> records = import_text(text, "v.json", "");
  ASSERT_TRUE(records.ok()) << records.error().message;
  EXPECT_EQ(figure((*records)[0], "tpot", "mean"), nullptr);
  EXPECT_EQ((*records)[0].warnings.size(), 3U);
}

TEST(ImportInferenceX, AggregatesFlatAndNested) {
  const std::vector<Record> records = imported("inferencex_aggregate.json");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].device, "chip-a");
  EXPECT_EQ(records[1].device, "chip-b");
  EXPECT_EQ(records[0].dtype, "fp8");
  EXPECT_EQ(records[0].case_hash, records[1].case_hash) << "model, precision, lengths and concurrency are equal";
  expect_figure(records[0], "output_tokens_per_s_per_chip", "total", 206.25, "tokens/s");
  expect_figure(records[0], "tpot", "p99", 0.02, "s");
  expect_figure(records[0], "interactivity", "p99", 50, "tokens/s");
  EXPECT_EQ(records[0].reported->stated.at("tp"), "8");
  EXPECT_EQ(records[1].reported->source_date, "2026-03-01");
  refused("inferencex_aggregate.json", "\"tput_per_gpu\": 412.5", "\"tput_per_gpu\": 0", {"[0].tput_per_gpu"});
  refused("inferencex_aggregate.json", "\"model\": \"example/model-70b\", ", "", {"[0]", "model"});
  refused("inferencex_aggregate.json", "{\"hardware\"", "{\"x\": 1}, {\"hardware\"", {"[1]", "InferenceX"});
}

// Figures as the files of the InferenceX repository state them.
TEST(ImportInferenceX, PublishedClientSummary) {
  const fs::path file = fs::path(kShared) / "inferencex" / "glm5_fp8_vllm_tp8_isl1024_osl128_conc4.json";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const Result<std::vector<Record>> records = import_file(file, "");
  ASSERT_TRUE(records.ok()) << records.error().message;
  const Record& r = records->at(0);
  EXPECT_EQ(r.reported->format, "inferencex");
  EXPECT_EQ(r.case_id, "inferencex/zai-org-GLM-5-FP8/in1024-out128/conc4");
  expect_figure(r, "output_tokens_per_s", "total", 164.72765441223032, "tokens/s");
  expect_figure(r, "ttft", "median", 0.26499967742711306, "s");
  expect_figure(r, "e2e", "p99", 3.7203497649915516, "s");
}

TEST(ImportMlperf, PublishedRound) {
  const fs::path file = fs::path(kShared) / "mlperf" / "summary_results_v4.1_sample.json";
  if (!fs::exists(file)) GTEST_SKIP() << file << " is not here";
  const Result<std::vector<Record>> records = import_file(file, "");
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 5U);
  const Record& r = records->at(0);
  EXPECT_EQ(r.device_product, "AMD Instinct MI300X-NPS1-SPX-192GB-750W");
  EXPECT_EQ(r.dtype, "fp8");
  expect_figure(r, "output_tokens_per_s", "total", 3062.72, "tokens/s");
  EXPECT_EQ(r.case_hash, records->at(2).case_hash) << "1 and 8 chips of the same work";
  EXPECT_NE(r.case_hash, records->at(1).case_hash) << "Offline and Server";
  expect_figure(records->at(4), "result", "total", 24173.2, "samples/s");
}

TEST(ImportMlperf, ResultsJsonWithPowerAndLatency) {
  const std::vector<Record> records = imported("mlperf_results.json");
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].case_id, "mlperf-inference/llama2-70b-99/Offline/closed");
  EXPECT_EQ(records[0].dtype, "fp8");
  expect_figure(records[0], "output_tokens_per_s", "total", 24000.5, "tokens/s");
  // The round's power rules: watts of the whole system in the scenarios of rates, 6400.25 / 24000.5 J a token.
  expect_figure(records[0], "power", "mean", 6400.25, "W");
  expect_figure(records[0], "energy_per_token", "mean", 0.26667152768, "J");
  EXPECT_EQ(figure(records[0], "power", "mean")->source_field, "Power_Result");
  EXPECT_TRUE(records[0].warnings.empty());
  expect_figure(records[1], "latency", "estimate", 0.0005, "s");
  expect_figure(records[1], "energy_per_query", "mean", 0.0355, "J");
  EXPECT_EQ(records[1].device_product, "Example CPU") << "no accelerator";
  EXPECT_EQ(records[1].dtype, "") << "not stated";
  const char* f = "mlperf_results.json";
  std::string odd = golden(f);
  odd.replace(odd.find("\"Watts\""), 7, "\"horses\"");
  const Record unknown = import_text(odd, f, "")->at(0);
  EXPECT_EQ(unknown.reported->figures.size(), 1U);
  EXPECT_THAT(unknown.warnings.at(0), HasSubstr("horses"));
  refused(f, "6400.25", "-1", {"[0].Power_Result"});
  refused(f, "24000.5", "\"24000.5\"", {"[0].Performance_Result"});
  refused(f, "24000.5", "0", {"[0].Performance_Result", "over 0"});
  refused(f, "\"Scenario\": \"SingleStream\",", "", {"[1]", "Scenario", "missing"});
}

TEST(ImportMlperf, CheckerCsvAndItsDoubtfulUnit) {
  const std::vector<Record> records = imported("mlperf_results.csv");
  ASSERT_EQ(records.size(), 2U);
  expect_figure(records[0], "result", "total", 1000.5, "samples/s");
  EXPECT_EQ(records[0].reported->stated.at("Software"), "Example 1.0, Other 2");
  EXPECT_EQ(records[0].reported->stated.at("Notes"), "say \"yes\"");
  EXPECT_EQ(records[0].reported->source_place, "line 2");
  EXPECT_EQ(records[1].reported->figures[0].definition, "mlperf-result/unit-doubtful");
  EXPECT_EQ(records[1].warnings.size(), 1U);
  // Power rows: the exact units of the power rules; any other stands as stated.
  const auto with_unit = [](const std::string& unit) {
    std::string text = golden("mlperf_results.csv");
    text.replace(text.find("Samples/s"), 9, unit);
    return import_text(text, "mlperf_results.csv", "")->at(0);
  };
  expect_figure(with_unit("Watts"), "power", "mean", 1000.5, "W");
  expect_figure(with_unit("millijoules"), "energy_per_query", "mean", 1.0005, "J");
  expect_figure(with_unit("millijoules/Stream"), "energy_per_stream", "mean", 1.0005, "J");
  for (const char* unit : {"Joules", "Samples/Joule", "Kilowatts"}) {
    const Record odd = with_unit(unit);
    ASSERT_EQ(odd.reported->figures.size(), 1U);
    expect_figure(odd, "result", "total", 1000.5, unit);
    EXPECT_THAT(odd.warnings.at(0), HasSubstr(unit));
  }
  refused("mlperf_results.csv", "1000.5", "many", {"line 2", "Result", "'many'"});
  refused("mlperf_results.csv", "say \"\"yes\"\"", "say \"yes", {"line 2", "quote"});
  refused("mlperf_results.csv", ",0,v4.1,0,False,Samples/s", "", {"line 2", "fields"});
  refused("mlperf_results.csv", "Units", "Things", {"Performance_Units"});
}

TEST(ImportMlperf, BothLogsOfARunSayTheSame) {
  const Record summary = imported("mlperf_log_summary.txt").at(0), detail = imported("mlperf_log_detail.txt").at(0);
  for (const Record* r : {&summary, &detail}) {
    EXPECT_EQ(r->device, "Example_SUT");
    EXPECT_EQ(r->reported->figures.front().name, "output_tokens_per_s");
    expect_figure(*r, "output_tokens_per_s", "total", 3200, "tokens/s");
    expect_figure(*r, "samples_per_s", "total", 12.5, "samples/s");
    expect_figure(*r, "latency", "p99.9", 8.9, "s");
    expect_figure(*r, "ttft", "p99", 0.7, "s");
    expect_figure(*r, "tpot", "p99", 0.045, "s");
    EXPECT_EQ(figure(*r, "tpot", "p99")->definition, "tpot/after-first-rank");
  }
  EXPECT_EQ(summary.reported->figures.size(), detail.reported->figures.size());
  EXPECT_EQ(summary.reported->stated.at("ttft_latency (ns)"), "2000000000");
  EXPECT_EQ(detail.reported->producer_version, "9.9.9 @ abc");
}

TEST(ImportMlperf, AnInvalidRunIsAFailedRecord) {
  std::string text = golden("mlperf_log_summary.txt");
  text.replace(text.find("is : VALID"), 10, "is : INVALID");
  const Result<std::vector<Record>> records = import_text(text, "s.txt", "");
  ASSERT_TRUE(records.ok());
  EXPECT_EQ((*records)[0].status, "failed");
  EXPECT_THAT((*records)[0].reason, HasSubstr("INVALID"));
}

TEST(ImportMlperf, BrokenLogsAreRefusedByLine) {
  const char* s = "mlperf_log_summary.txt";
  refused(s, "PerformanceOnly", "AccuracyOnly", {"line 6", "Mode", "AccuracyOnly"});
  refused(s, ": 4500000000", ": fast", {"line 26", "Mean latency (ns)", "'fast'"});
  refused(s, "Test Parameters Used", "Test", {"cut"});
  refused(s, "Scenario : Server\n", "", {"Scenario"});
  const char* d = "mlperf_log_detail.txt";
  refused(d, ":::MLLOG {\"key\": \"sut_name\"", "{\"key\": \"sut_name\"", {"line 2", ":::MLLOG"});
  refused(d, "\"value\": 12.75", "\"value\": ", {"line 5", "not valid JSON"});
  refused(d, "result_validity", "result_other", {"result_validity"});
}

// Repetitions of 1, 1.28 and 1.6 s for 128 tokens: 128, 100 and 80 tokens/s, mean 102.667, deviation 24.11.
TEST(ImportLlamaBench, FourFormsGiveTheSameFigures) {
  for (const char* file : {"llama_bench.json", "llama_bench.jsonl", "llama_bench.sql", "llama_bench.csv"}) {
    const std::vector<Record> records = imported(file);
    ASSERT_EQ(records.size(), 2U) << file;
    EXPECT_EQ(records[0].case_id, "llama-bench/llama-7B-Q4_0/pp512");
    EXPECT_EQ(records[1].case_id, "llama-bench/llama-7B-Q4_0/tg128-d4096");
    EXPECT_EQ(records[1].context, 4096);
    EXPECT_EQ(records[1].device_product, "Example GPU");
    EXPECT_EQ(records[1].created, "2026-03-01T10:01:00Z");
    expect_figure(records[0], "input_tokens_per_s", "mean", 256, "tokens/s");
    ASSERT_NE(figure(records[1], "output_tokens_per_s", "mean"), nullptr);
    EXPECT_NEAR(figure(records[1], "output_tokens_per_s", "mean")->value, (128.0 + 100 + 80) / 3, 1e-5);
    EXPECT_NEAR(figure(records[1], "output_tokens_per_s", "std")->value, 24.1109, 1e-4);
    EXPECT_EQ(figure(records[1], "output_tokens_per_s", "mean")->definition, "tokens-per-s/mean-of-rates");
  }
  EXPECT_EQ(figure(imported("llama_bench.json")[1], "time", "mean")->n, 3U);
  EXPECT_FALSE(figure(imported("llama_bench.csv")[1], "time", "mean")->n) << "CSV has no samples";
}

// t(2 degrees, 97.5 %) = 4.30265 of the tables; 4.30265 x 24.1109 / sqrt(3) = 59.895.
TEST(ImportLlamaBench, RepetitionsGiveAnIntervalWhereTheFileHasThem) {
  const std::vector<Record> records = imported("llama_bench.json");
  const ReportedFigure* rate = figure(records[1], "output_tokens_per_s", "mean");
  EXPECT_NEAR(*rate->low, 102.6667 - 59.895, 1e-3);
  EXPECT_FALSE(figure(records[0], "input_tokens_per_s", "mean")->low) << "all repetitions are equal";
}

TEST(ImportLlamaBench, BrokenFilesAreRefusedByPlace) {
  refused("llama_bench.json", "\"stddev_ts\": 24.", "\"stddev_ts\": 34.", {"[1]", "stddev_ts", "contradicts"});
  refused("llama_bench.json", "\"avg_ts\": 256.0", "\"avg_ts\": \"x\"", {"[0]", "avg_ts", "'x'"});
  refused("llama_bench.json", "\"avg_ts\": 256.0", "\"avg_ts\": 25.6", {"[0]", "avg_ts", "contradicts"});
  refused("llama_bench.json", "\"n_prompt\": 512", "\"n_prompt\": 0", {"[0]", "n_prompt or n_gen"});
  refused("llama_bench.jsonl", "\"n_gen\": 128", "\"n_gen\": -1", {"line 2", "n_gen"});
  refused("llama_bench.sql", "'256.0'", "'256.0", {"line", "VALUES"});
  refused("llama_bench.sql", "'256.0', ", "", {"as many values"});
  refused("llama_bench.csv", ",\"256.0\"", "", {"line 2", "fields"});
}

TEST(ImportGoogleBenchmark, WhatTheRealToolPrints) {
  const std::string command = ASSAY_GBENCH_SAMPLE " --benchmark_format=json --benchmark_min_time=0.01 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  ::pclose(pipe);
  const Result<std::vector<Record>> records = import_text(text, "gbench.json", "");
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 3U);
  EXPECT_EQ(records->at(0).case_id, "google-benchmark/sum/64");
  const ReportedFigure* time = figure(records->at(0), "time", "mean");
  ASSERT_NE(time, nullptr);
  EXPECT_GT(time->value, 1e-10);
  EXPECT_LT(time->value, 1e-3);
  // Items per second is 64 / CPU time of an iteration, by the tool's own definition.
  EXPECT_NEAR(figure(records->at(0), "items_per_s", "mean")->value * figure(records->at(0), "cpu_time", "mean")->value,
              64, 0.1);
  EXPECT_EQ(records->at(2).status, "failed");
  EXPECT_THAT(records->at(2).reason, HasSubstr("made to fail"));
  // A distribution's library may say so of every build: the warning must not lay it on the benchmark.
  const bool debug = text.find("\"library_build_type\": \"debug\"") != std::string::npos;
  EXPECT_EQ(records->at(0).warnings, debug ? std::vector<std::string>{"the tool says that its library was built for "
                                                                      "debugging; Debian's always says so"}
                                           : std::vector<std::string>{});
  std::string wrong = text;
  wrong.replace(wrong.find("\"time_unit\": \"ns\""), 17, "\"time_unit\": \"ly\"");
  EXPECT_THAT(import_text(wrong, "g.json", "").error().message, AllOf(HasSubstr("time_unit"), HasSubstr("ly")));
  EXPECT_FALSE(import_text(text.substr(0, text.size() / 2), "g.json", "").ok());
}

TEST(ImportGoogleBenchmark, RepetitionsGiveTheirAggregates) {
  const std::string command = ASSAY_GBENCH_SAMPLE
      " --benchmark_format=json --benchmark_min_time=0.005 --benchmark_repetitions=3 --benchmark_filter=sum/64 "
      "2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) text.append(buffer, n);
  ::pclose(pipe);
  const Result<std::vector<Record>> records = import_text(text, "gbench.json", "google-benchmark");
  ASSERT_TRUE(records.ok()) << records.error().message;
  ASSERT_EQ(records->size(), 1U);
  EXPECT_EQ(figure(records->at(0), "time", "median")->n, 3U);
  EXPECT_NE(figure(records->at(0), "time", "std"), nullptr);
}

TEST(Import, AFileOfAnotherToolIsRefused) {
  const std::string suite = ASSAY_SOURCE_DIR "/suites/defs/decode.json";
  EXPECT_THAT(import_file(suite, "").error().message, AllOf(HasSubstr("decode.json"), HasSubstr("vllm-serve")));
  EXPECT_THAT(import_text("", "empty.json", "").error().message, HasSubstr("nothing in it"));
  EXPECT_THAT(import_text("hello", "a.txt", "").error().message, HasSubstr("known format"));
  EXPECT_THAT(import_text("{\"a\": }", "a.json", "").error().message, HasSubstr("line 1, column 7"));
  EXPECT_THAT(import_text("{}", "a.json", "vllm-serv").error().message, HasSubstr("vllm-serve"));
  EXPECT_FALSE(import_file(kGolden + std::string("missing.json"), "").ok());
}

// A file read as every format but its own is refused: none takes what it can't read.
TEST(Import, NoFormatReadsAnothersFile) {
  const std::vector<std::pair<std::string, std::string>> files{{"vllm_serve.json", "vllm-serve"},
                                                               {"inferencex_aggregate.json", "inferencex"},
                                                               {"mlperf_results.json", "mlperf-results"},
                                                               {"mlperf_results.csv", "mlperf-results-csv"},
                                                               {"llama_bench.json", "llama-bench"},
                                                               {"mlperf_log_summary.txt", "mlperf-log-summary"},
                                                               {"mlperf_log_detail.txt", "mlperf-log-detail"}};
  for (const auto& [file, own] : files) {
    EXPECT_EQ(imported(file).at(0).reported->format, own);
    for (const ImportFormat& other : import_formats()) {
      if (other.name == own) continue;
      const Result<std::vector<Record>> records = import_text(golden(file), file, other.name);
      ASSERT_FALSE(records.ok()) << file << " read as " << other.name;
      EXPECT_THAT(records.error().message, HasSubstr(file));
    }
  }
}

}  // namespace
}  // namespace assay
