#include "results/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <optional>

namespace assay {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// `steps` steps of 10 ms, two tokens each: 200 tokens/s.
Record record_at(const std::string& model, int steps, const std::string& created) {
  Record r;
  r.created = created;
  r.basis = "measured";
  r.status = "ok";
  r.suite = "decode";
  r.suite_hash = r.case_hash = std::string(32, 'a');
  r.case_id = "decode/" + model + "/f32/b2/c128";
  r.case_json = "{}";
  r.form = "quick";
  r.model = model;
  r.dtype = "f32";
  r.step_kind = "decode";
  r.token_class = "output";
  r.batch = 2;
  r.tokens = 1;
  r.context = 128;
  r.tokens_per_step = 2;
  r.step_flops = 2e9;
  r.ceiling.flops_per_s = 4e11;
  r.device_product = "chip";
  r.stop.reason = "precision";
  for (int i = 0; i < steps; ++i) {
    r.samples.start_ns.push_back(static_cast<uint64_t>(i) * 10'000'000);
    r.samples.host_ns.push_back(10'000'000);
  }
  return r;
}

class StoreTest : public testing::Test {
 protected:
  StoreTest() : dir_(fs::temp_directory_path() / ("assay-store-" + std::to_string(::getpid()))) {
    fs::create_directories(dir_);
  }
  ~StoreTest() override { fs::remove_all(dir_); }
  void write(const std::string& model, int steps, const std::string& created) {
    Record r = record_at(model, steps, created);
    ASSERT_TRUE(write_record(r, dir_ / "records").ok());
  }
  Store open() {
    Result<Store> store = Store::create_or_open(dir_ / "s.db");
    EXPECT_TRUE(store.ok()) << store.error().message;
    return std::move(store).value();
  }
  fs::path dir_;
};

TEST_F(StoreTest, HoldsEachRecordOnceAndGivesItBackWhole) {
  write("b", 500, "2026-01-01T00:00:00Z");
  write("a", 8, "2026-01-02T00:00:00Z");
  Store store = open();
  const Result<AddReport> first = store.add({dir_ / "records"});
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(first->added, 2U);
  const Result<AddReport> again = store.add({dir_ / "records"});
  EXPECT_EQ(again->added, 0U);
  EXPECT_EQ(again->known, 2U);
  EXPECT_EQ(*store.count(), 2U);

  const Result<std::vector<Record>> files = read_records(dir_ / "records");
  const Result<std::vector<Record>> stored = read_records(dir_ / "s.db");
  ASSERT_TRUE(stored.ok()) << stored.error().message;
  ASSERT_EQ(stored->size(), 2U);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(record_to_json((*stored)[i]), record_to_json((*files)[i]));
}

// 2 tokens / 10 ms = 200 tokens/s; 2e9 / 0.01 s = 2e11, half of 4e11. 500 steps bound p99 (459 needed), 8 do not.
TEST_F(StoreTest, HeadlinesCarryTheMetrics) {
  write("b", 500, "2026-01-01T00:00:00Z");
  write("a", 8, "2026-01-02T00:00:00Z");
  Store store = open();
  ASSERT_TRUE(store.add({dir_ / "records"}).ok());
  const Result<std::vector<Headline>> all = store.headlines();
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].model, "a");
  EXPECT_EQ((*all)[0].n, 8U);
  EXPECT_FALSE((*all)[0].p99_high_ns);
  const Headline& h = (*all)[1];
  EXPECT_DOUBLE_EQ(*h.rate, 200);
  EXPECT_DOUBLE_EQ(*h.mfu, 0.5);
  EXPECT_EQ(h.unit, "tokens/s");
  EXPECT_DOUBLE_EQ(*h.p50_ns, 1e7);
  EXPECT_DOUBLE_EQ(*h.p99_high_ns, 1e7);
  EXPECT_FALSE(h.joules_per_token);

  HeadlineFilter filter;
  filter.model = "a";
  EXPECT_EQ(store.headlines(filter)->size(), 1U);
  filter.status = "failed";
  EXPECT_TRUE(store.headlines(filter)->empty());
  EXPECT_EQ(store.record(h.id)->model, "b");
  EXPECT_THAT(store.record("nothing").error().message, HasSubstr("nothing"));
}

TEST_F(StoreTest, ABadFileIsNamedAndNothingIsAdded) {
  write("a", 8, "2026-01-01T00:00:00Z");
  std::ofstream(dir_ / "records" / "z.record.json") << "{}";
  Store store = open();
  const Result<AddReport> report = store.add({dir_ / "records"});
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, HasSubstr("z.record.json"));
  EXPECT_EQ(*store.count(), 0U);
}

TEST_F(StoreTest, StoppedAddsNothing) {
  write("a", 8, "2026-01-01T00:00:00Z");
  Store store = open();
  EXPECT_FALSE(store.add({dir_ / "records"}, [](uint64_t, uint64_t) { return false; }).ok());
  EXPECT_EQ(*store.count(), 0U);
}

// What `read` counts as a user who may write nothing here; -1 where nobody can be made one.
int as_another_user(const std::function<int()>& read) {
  constexpr int kNotOne = 255;
  constexpr uid_t kNobody = 65534;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(::geteuid() == 0 && ::setuid(kNobody) != 0 ? kNotOne : read());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status) == kNotOne ? -1 : WEXITSTATUS(status);
}

// Readers of a store in WAL mode make two files beside it; none stays, also where the reader may not write.
TEST_F(StoreTest, ReadingLeavesNothingBeside) {
  constexpr int kFailed = 99;
  write("a", 8, "2026-01-01T00:00:00Z");
  const fs::path file = dir_ / "odd?name#1%.db";
  std::optional<Store> writer;
  const auto write_more = [&] {
    Result<Store> store = Store::create_or_open(file);
    ASSERT_TRUE(store.ok()) << store.error().message;
    writer = std::move(store).value();
    ASSERT_TRUE(writer->add({dir_ / "records"}, nullptr).ok());
  };
  const auto read = [&] {
    const Result<Store> store = Store::open_read_only(file);
    if (!store.ok()) return kFailed;
    const auto lines = store->headlines({});
    return lines.ok() ? static_cast<int>(lines->size()) : kFailed;
  };
  const auto expect_nothing_beside = [&] {
    for (const auto& entry : fs::directory_iterator(dir_)) {
      EXPECT_EQ(entry.path().string().find(".db-"), std::string::npos) << entry.path();
    }
  };
  write_more();
  writer.reset();
  EXPECT_EQ(read(), 1);
  expect_nothing_beside();
  const fs::perms before = fs::status(dir_).permissions();
  constexpr fs::perms kAllEnter = fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec;
  const fs::perms all_read = fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read;
  for (const fs::perms folder : {before, all_read | kAllEnter}) {
    fs::permissions(file, all_read);
    fs::permissions(dir_, folder);
    const int seen = as_another_user(read);
    fs::permissions(dir_, before);
    if (seen == -1) GTEST_SKIP() << "no other user can be made here";
    EXPECT_EQ(seen, 1);
    expect_nothing_beside();
  }
  fs::permissions(file, all_read | fs::perms::owner_write);
  write("b", 8, "2026-01-01T00:00:00Z");
  write_more();
  fs::permissions(file, all_read);
  EXPECT_EQ(as_another_user(read), 2) << "of a writer's WAL, too";
}

TEST_F(StoreTest, OtherFilesAreRefused) {
  std::ofstream(dir_ / "text.db") << "this is no database, and long enough to be looked at as one might be: "
                                  << std::string(4096, '.');
  const Result<Store> text = Store::create_or_open(dir_ / "text.db");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(text.error().message, HasSubstr("text.db"));
  EXPECT_FALSE(Store::open_read_only(dir_ / "missing.db").ok());
  EXPECT_FALSE(is_store_file(dir_ / "text.db"));
}

// 23514.8 tokens/s of 8 accelerators: 2939.35 of each. Without their number there is no rate to rank by.
TEST(StoreHeadline, OfAReportedRecordIsTheRateOfOneAccelerator) {
  Record r;
  r.basis = "reported";
  r.status = "ok";
  r.reported.emplace();
  ReportedFigure f;
  f.name = "output_tokens_per_s";
  f.unit = "tokens/s";
  f.statistic = "total";
  f.value = 23514.8;
  r.reported->figures = {f};
  EXPECT_FALSE(headline(r, metrics(r)).rate);
  r.reported->stated = {{"a#", "8.0"}, {"Nodes", "1"}};
  const Headline h = headline(r, metrics(r));
  EXPECT_DOUBLE_EQ(h.rate.value_or(0), 2939.35);
  EXPECT_EQ(h.unit, "tokens/s");
  EXPECT_EQ(h.basis, "reported");
  EXPECT_FALSE(h.rate_low) << "the source states no interval";
}

}  // namespace
}  // namespace assay
