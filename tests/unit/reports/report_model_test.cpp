#include "reports/html/report_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "reports/html/report_fields.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_page.h"
#include "reports/html/report_words.h"
#include "tests/support/scratch.h"
#include "tests/unit/reports/report_records.h"

namespace assay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportModel, AnswersWithTheFastestWhereIntervalsAreApart) {
  const ReportModel m = model_of({decode_record("slow", 20, 50), decode_record("fast", 10, 50)});
  ASSERT_EQ(m.chips.size(), 2U);
  EXPECT_EQ(m.answer.kind, "fastest");
  ASSERT_EQ(m.answer.groups.size(), 2U);
  const ReportRow& first = m.rows[m.groups[m.answer.groups[0]].row];
  EXPECT_EQ(m.chips[first.chip].product, "fast");
  // 50 tokens in 50 x 10 ms.
  EXPECT_NEAR(*first.rate.value, 100, 1e-6);
}

// Runs with other options of the adapter are no repeats: two groups of one run each, and the chip is ranked once, by
// the faster, older as it is.
TEST(ReportModel, RunsWithOtherOptionsAreAnotherGroup) {
  Record tuned = decode_record("both", 10, 50, "2026-11-19");
  tuned.adapter_options.emplace()["attention"] = "own";
  const ReportModel m = model_of({tuned, decode_record("both", 20, 50), decode_record("other", 15, 50)});
  ASSERT_EQ(m.groups.size(), 3U);
  for (const ReportGroup& g : m.groups) EXPECT_EQ(g.records, 1U);
  EXPECT_EQ(m.answer.kind, "fastest");
  ASSERT_EQ(m.answer.groups.size(), 2U);
  const ReportRow& first = m.rows[m.groups[m.answer.groups[0]].row];
  EXPECT_EQ(first.options, "attention=own");
  EXPECT_NEAR(*first.rate.value, 100, 1e-6);
}

// Nor with another number of a CPU's threads; of a device of its own they say nothing of it.
TEST(ReportModel, RunsWithOtherThreadsOfACpuAreAnotherGroup) {
  Record one = decode_record("both", 20, 50), two = decode_record("both", 10, 50, "2026-11-19");
  one.adapter = two.adapter = "cpu";
  one.threads = 1;
  two.threads = 2;
  const ReportModel m = model_of({one, two});
  ASSERT_EQ(m.groups.size(), 2U);
  EXPECT_EQ(m.rows[0].options, "threads=1");
  EXPECT_EQ(m.rows[1].options, "threads=2");
  EXPECT_THAT(report_markdown(m), HasSubstr("decode/m/bf16/b1/c512 (threads=1)"));
  EXPECT_EQ(model_of({two}).rows[0].options, "") << "named where they differ";
  one.adapter = two.adapter = "cuda";
  EXPECT_EQ(model_of({one, two}).groups.size(), 1U);
}

// A chip that ran 2 of 24 layers is no faster than one that ran them all: another group, no part of the answer.
TEST(ReportModel, NeverRanksAPartOfAModelAmongWholes) {
  Record part = decode_record("part", 1, 50);
  part.extrapolation.emplace();
  part.extrapolation->layers_run = 2;
  part.extrapolation->layers_total = 24;
  const ReportModel m = model_of({part, decode_record("whole", 10, 50)});
  EXPECT_EQ(m.answer.kind, "one-chip");
  ASSERT_EQ(m.answer.groups.size(), 1U);
  const ReportRow& first = m.rows[m.groups[m.answer.groups[0]].row];
  EXPECT_EQ(m.chips[first.chip].product, "whole");
  EXPECT_EQ(m.rows[0].part, "2/24 layers");
  EXPECT_TRUE(std::any_of(m.incomparable.begin(), m.incomparable.end(),
                          [](const Incomparable& i) { return i.kind == "part" && i.detail == "2/24 layers"; }));
}

// 8000 tokens/s and 6400 W of a system of 8: 1000 tokens/s and 800 W of one accelerator.
TEST(ReportModel, ReportedWattsAreOfTheSameOneAcceleratorAsTheRate) {
  Record r = decode_record("x", 1, 0);
  r.basis = "reported";
  r.reported.emplace();
  ReportedFigure rate, power;
  rate.name = "output_tokens_per_s";
  rate.unit = "tokens/s";
  rate.value = 8000;
  power.name = "power";
  power.unit = "W";
  power.definition = "mlperf-power/mean-of-system";
  power.value = 6400;
  r.reported->figures = {rate, power};
  r.reported->stated = {{"a#", "8"}, {"Nodes", "1"}};
  const ReportModel m = model_of({r});
  EXPECT_DOUBLE_EQ(m.rows[0].rate.value.value_or(0), 1000);
  EXPECT_DOUBLE_EQ(m.rows[0].watts.value_or(0), 800);
  EXPECT_THAT(m.rows[0].energy_source, HasSubstr("share of the whole system"));
}

TEST(ReportModel, DoesNotDecideBetweenOverlappingIntervals) {
  EXPECT_EQ(model_of({decode_record("a", 10, 50), decode_record("b", 10.0001, 50)}).answer.kind, "undecided");
}

TEST(ReportModel, NeverRanksSimulatedAmongMeasured) {
  Record simulated = decode_record("stand-in", 1, 50);
  simulated.basis = "simulated";
  Record other = decode_record("stand-in 2", 2, 50);
  other.basis = "simulated";
  const ReportModel m = model_of({decode_record("real", 10, 50), simulated, other});
  EXPECT_EQ(m.answer.kind, "one-chip");
  EXPECT_EQ(m.answer.basis, "measured");
  size_t named = 0;
  for (const Incomparable& i : m.incomparable) named += i.kind == "basis" && i.detail == "simulated" ? 1 : 0;
  EXPECT_EQ(named, 2U);
}

TEST(ReportModel, StandsTheNewestUndisturbedRecordForItsGroup) {
  Record disturbed = decode_record("x", 30, 50, "2026-11-22");
  disturbed.noise.disturbed = true;
  const ReportModel m =
      model_of({decode_record("x", 10, 50, "2026-11-20"), decode_record("x", 20, 50, "2026-11-21"), disturbed});
  ASSERT_EQ(m.groups.size(), 1U);
  EXPECT_EQ(m.rows[m.groups[0].row].created, "2026-11-21");
  EXPECT_EQ(m.groups[0].records, 3U);
  EXPECT_NEAR(*m.groups[0].rate_min, 1000.0 / 30, 1e-6);
  EXPECT_NEAR(*m.groups[0].rate_max, 100, 1e-6);
}

TEST(ReportModel, KeepsAFailedRecordAsARowWithItsReason) {
  Record failed = decode_record("x", 10, 0);
  failed.status = "failed";
  failed.reason = "worker died";
  const ReportModel m = model_of({failed});
  ASSERT_EQ(m.rows.size(), 1U);
  EXPECT_FALSE(m.rows[0].rate.value);
  EXPECT_EQ(m.answer.kind, "none");
  ASSERT_EQ(m.incomparable.size(), 1U);
  EXPECT_EQ(m.incomparable[0].kind, "failed");
  EXPECT_THAT(m.incomparable[0].detail, HasSubstr("worker died"));
}

TEST(ReportModel, CurveHoldsQuantilesThatTheStepsCanShow) {
  Record r = decode_record("x", 10, 0);
  // 1 ms, 2 ms, ... 100 ms: the p-quantile by nearest rank is 100 p ms.
  for (uint64_t i = 1; i <= 100; ++i) {
    r.samples.start_ns.push_back(i * 200000000);
    r.samples.host_ns.push_back(i * 1000000);
  }
  const ReportModel m = model_of({r});
  ASSERT_EQ(m.curves.size(), 1U);
  const ReportCurve& c = m.curves[0];
  for (size_t i = 0; i < c.p.size(); ++i) {
    EXPECT_DOUBLE_EQ(c.quantile_ns[i], std::ceil(c.p[i] * 100 - 1e-9) * 1e6) << c.p[i];
    if (c.low[i]) {
      EXPECT_LE(*c.low[i], c.quantile_ns[i]);
    }
    if (c.high[i]) {
      EXPECT_GE(*c.high[i], c.quantile_ns[i]);
    }
  }
  // 100 steps show p99 but no p99.5, and no bound of p99 from above (459 are needed).
  EXPECT_DOUBLE_EQ(c.p.back(), 0.99);
  EXPECT_FALSE(c.high.back());
}

TEST(ReportModel, MarksStallsAndWhatTheHostCaused) {
  Record r = decode_record("x", 10, 100);
  r.samples.host_ns[20] = 30000000;
  r.samples.host_ns[60] = 40000000;
  r.noise.host_gap_start_ns = {r.samples.start_ns[60] + 5000000};
  r.noise.host_gap_ns = {20000000};
  const ReportModel m = model_of({r});
  ASSERT_EQ(m.curves.size(), 1U);
  std::vector<StepMark> marks;
  for (const StepMark mark : m.curves[0].mark) {
    if (mark != StepMark::kNone) marks.push_back(mark);
  }
  EXPECT_THAT(marks, ElementsAre(StepMark::kStall, StepMark::kHostStall));
}

TEST(ReportModel, ListsWhatDiffersInTheEnvironmentOnly) {
  Record a = decode_record("a", 10, 20), b = decode_record("b", 20, 20);
  a.environment = {{"kernel", "6.1"}, {"os", "Debian 12"}, {"loadavg", "0.1"}};
  b.environment = {{"kernel", "6.8"}, {"os", "Debian 12"}, {"loadavg", "0.9"}};
  // What others report says nothing of a machine: no fact differs because of it.
  Record c = decode_record("c", 30, 20);
  c.basis = "reported";
  c.reported.emplace();
  const ReportModel m = model_of({a, b, c});
  ASSERT_EQ(m.environment.size(), 1U);
  EXPECT_EQ(m.environment[0].name, "kernel");
  EXPECT_THAT(m.environment[0].values, ElementsAre(ElementsAre("6.1"), ElementsAre("6.8"), ElementsAre()));
  EXPECT_THAT(m.environment[0].records, ElementsAre(ElementsAre(a.id), ElementsAre(b.id), ElementsAre()));
}

TEST(ReportModel, OfAStoreEqualsThatOfItsRecordsAndAggregatesBeyondTheLimit) {
  std::vector<Record> records;
  for (int i = 0; i < 6; ++i) {
    Record r = decode_record(i % 2 == 0 ? "a" : "b", 10 + i, 30, "2026-11-2" + std::to_string(i));
    r.id.clear();
    records.push_back(std::move(r));
  }
  const ScratchFolder scratch;
  const std::filesystem::path& folder = scratch.path();
  for (Record& r : records) ASSERT_TRUE(write_record(r, folder / "records").ok());
  Result<Store> store = Store::create_or_open(folder / "store.db");
  ASSERT_TRUE(store.ok()) << store.error().message;
  ASSERT_TRUE(store->add(records).ok());
  const Result<ReportModel> whole = report_model(*store, {});
  ASSERT_TRUE(whole.ok());
  EXPECT_EQ(whole->rows.size(), 6U);
  ReportOptions few;
  few.max_rows = 3;
  const Result<ReportModel> aggregated = report_model(*store, few);
  ASSERT_TRUE(aggregated.ok());
  EXPECT_TRUE(aggregated->aggregated);
  EXPECT_EQ(aggregated->records, 6U);
  ASSERT_EQ(aggregated->rows.size(), 2U);
  for (size_t g = 0; g < 2; ++g) {
    const ReportRow &a = aggregated->rows[aggregated->groups[g].row], &b = whole->rows[whole->groups[g].row];
    EXPECT_EQ(a.id, b.id);
    EXPECT_EQ(*a.rate.value, *b.rate.value);
    EXPECT_EQ(a.p50.low, b.p50.low);
    EXPECT_EQ(aggregated->groups[g].records, 3U);
  }
}

// Of a store of these records, none of which has a row or details of its own.
Result<ReportModel> aggregated(const std::vector<Record>& records) {
  const ScratchFolder scratch;
  Result<Store> store = Store::create_or_open(scratch.path() / "store.db");
  if (!store.ok()) return store.error();
  if (const auto added = store->add(records); !added.ok()) return added.error();
  ReportOptions few;
  few.max_rows = few.max_details = 0;
  return report_model(*store, few);
}

// More records than rows: 2 and 4 of 24 layers and the whole model stay three groups of one case.
TEST(ReportModel, OverAStoreKeepsPartsApart) {
  std::vector<Record> records;
  for (const int layers : {24, 24, 2, 4}) {
    records.push_back(decode_record("x", 10, 50));
    records.back().id = std::to_string(records.size());
    records.back().extrapolation.emplace();
    records.back().extrapolation->layers_run = layers;
    records.back().extrapolation->layers_total = 24;
  }
  const Result<ReportModel> m = aggregated(records);
  ASSERT_TRUE(m.ok()) << m.error().message;
  std::map<std::string, size_t> groups;
  for (const ReportGroup& g : m->groups) groups[m->rows[g.row].part] = g.records;
  EXPECT_EQ(groups, (std::map<std::string, size_t>{{"", 2}, {"2/24 layers", 1}, {"4/24 layers", 1}}));
}

// More records than rows: of one case runs with other options stay two groups, each by its own record, also where no
// record is read whole; the newer, slower run with options hides the faster one without in neither.
TEST(ReportModel, OverAStoreKeepsAdapterOptionsApart) {
  std::vector<Record> records{decode_record("x", 10, 50, "2026-11-19"), decode_record("x", 20, 50, "2026-11-20"),
                              decode_record("x", 20, 50, "2026-11-21")};
  for (const size_t i : {1, 2}) records[i].adapter_options.emplace()["products"] = "own";
  for (Record& r : records) r.id = record_id(record_to_json(r));
  const ScratchFolder scratch;
  Result<Store> store = Store::create_or_open(scratch.path() / "store.db");
  ASSERT_TRUE(store.ok() && store->add(records).ok());
  for (const size_t details : {0, 9}) {
    ReportOptions few;
    few.max_rows = 0;
    few.max_details = details;
    const Result<ReportModel> m = report_model(*store, few);
    ASSERT_TRUE(m.ok());
    std::map<std::string, std::pair<size_t, double>> groups;  // records and the rate of the one that stands
    for (const ReportGroup& g : m->groups)
      groups[m->rows[g.row].options] = {g.records, std::round(*m->rows[g.row].rate.value)};
    // 1 token in 10 ms and in 20 ms.
    EXPECT_EQ(groups, (std::map<std::string, std::pair<size_t, double>>{{"", {1, 100}}, {"products=own", {2, 50}}}));
    for (const ReportGroup& g : m->groups) {
      const ReportRow& row = m->rows[g.row];
      EXPECT_EQ(row.warnings.empty(), row.options.empty()) << "the record's page says it, too";
    }
  }
}

// What a case's name says after its shape is another case: pages, routing and flushed caches have hashes of their own.
TEST(ReportModel, OverAStoreKeepsVariantsOfACaseApart) {
  const Result<Catalogue> catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites");
  ASSERT_TRUE(catalogue.ok());
  Case plain;
  plain.suite = "decode";
  plain.kind = StepKind::kDecode;
  plain.model = *catalogue->model("qwen3-30b-a3b");
  plain.dtype = "bf16";
  plain.context = 512;
  Case paged = plain, cold = plain, skewed = plain, drawn_anew = plain;
  paged.page_tokens = 16;
  cold.cold = true;
  skewed.routing = *parse_routing("zipf:1.2");
  drawn_anew.routing = skewed.routing;
  drawn_anew.routing.seed = 2;
  std::vector<Record> records;
  for (const Case& c : {plain, paged, cold, skewed, drawn_anew}) {
    records.push_back(decode_record("x", 10, 50));
    records.back().id = std::to_string(records.size());
    records.back().case_id = c.id();
    records.back().case_hash = c.hash();
    records.back().case_json = c.to_json();
  }
  const Result<ReportModel> m = aggregated(records);
  ASSERT_TRUE(m.ok()) << m.error().message;
  EXPECT_EQ(m->groups.size(), 5U);
  for (const ReportGroup& g : m->groups) EXPECT_EQ(g.records, 1U);
}

}  // namespace
}  // namespace assay
