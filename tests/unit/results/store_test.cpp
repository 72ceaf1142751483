#include "results/store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "results/file_lock.h"
#include "results/store/sqlite.h"
#include "results/store/write_store.h"

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

// Two who make the same store: one waits for the other, and it holds what both brought.
TEST_F(StoreTest, WritersFollowEachOther) {
  write("a", 8, "2026-01-01T00:00:00Z");
  Record other = record_at("b", 8, "2026-01-01T00:00:00Z");
  ASSERT_TRUE(write_record(other, dir_ / "others").ok());
  std::string holder;
  std::optional<FileLock> held = FileLock::try_take(dir_ / "s.db.lock", &holder).value();
  ASSERT_TRUE(held);
  std::vector<std::string> waited_for(2);
  std::vector<Result<AddReport>> reports(2, Result<AddReport>(AddReport{}));
  std::vector<std::thread> writers;
  std::atomic<int> waiting{0};
  for (size_t i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] {
      StoreWriting writing;
      writing.waiting = [&, i](const std::string& whom) {
        if (waited_for[i].empty()) ++waiting;
        waited_for[i] = whom;
        return true;
      };
      reports[i] = write_store(dir_ / "s.db", {dir_ / (i == 0 ? "records" : "others")}, writing);
    });
  }
  while (waiting < 2) std::this_thread::yield();
  EXPECT_FALSE(fs::exists(dir_ / "s.db"));
  held.reset();
  for (std::thread& writer : writers) writer.join();
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(reports[i].ok()) << reports[i].error().message;
    EXPECT_EQ(reports[i]->added, 1U);
    EXPECT_EQ(waited_for[i], "process " + std::to_string(::getpid()));
  }
  EXPECT_EQ(*open().count(), 2U);
  EXPECT_FALSE(fs::exists(dir_ / "s.db.lock"));
}

TEST_F(StoreTest, AWriterDoesNotWaitForEver) {
  write("a", 8, "2026-01-01T00:00:00Z");
  std::string holder;
  const auto held = FileLock::try_take(dir_ / "s.db.lock", &holder);
  StoreWriting writing;
  writing.patience_s = 0.1;
  const Result<AddReport> report = write_store(dir_ / "s.db", {dir_ / "records"}, writing);
  ASSERT_FALSE(report.ok());
  EXPECT_THAT(report.error().message, HasSubstr("s.db: process " + std::to_string(::getpid()) + " has been writing"));
  writing.waiting = [](const std::string&) { return false; };
  EXPECT_THAT(write_store(dir_ / "s.db", {dir_ / "records"}, writing).error().message, HasSubstr("nothing was added"));
  EXPECT_FALSE(fs::exists(dir_ / "s.db"));
}

// A lock ends with its holder, also where its file stays behind.
TEST_F(StoreTest, ALockOfADeadProcessHoldsNothing) {
  const fs::path file = dir_ / "s.db.lock";
  const pid_t child = ::fork();
  if (child == 0) {
    std::string holder;
    const auto held = FileLock::try_take(file, &holder);
    ::_exit(held.ok() && *held ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(file));
  std::string holder;
  EXPECT_TRUE(*FileLock::try_take(file, &holder)) << holder;
  EXPECT_FALSE(fs::exists(file));
}

// What fails, is stopped or is killed half way leaves the store as it was, and nothing beside it.
TEST_F(StoreTest, MadeAnewOrAsItWas) {
  write("a", 8, "2026-01-01T00:00:00Z");
  ASSERT_TRUE(open().add({dir_ / "records"}).ok());
  Record other = record_at("b", 8, "2026-01-01T00:00:00Z");
  ASSERT_TRUE(write_record(other, dir_ / "others").ok());
  std::ofstream(dir_ / "s.db.new") << "somebody's own";
  StoreWriting writing;
  writing.anew = true;
  writing.progress = [](uint64_t, uint64_t) { return false; };
  EXPECT_FALSE(write_store(dir_ / "s.db", {dir_ / "others"}, writing).ok());
  EXPECT_EQ(open().headlines()->at(0).model, "a");
  writing.progress = nullptr;
  ASSERT_TRUE(write_store(dir_ / "s.db", {dir_ / "others"}, writing).ok());
  EXPECT_EQ(open().headlines()->at(0).model, "b");
  EXPECT_EQ(*open().count(), 1U);
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(dir_)) names.push_back(entry.path().filename());
  EXPECT_THAT(names, testing::UnorderedElementsAre("records", "others", "s.db", "s.db.new"));
}

// A writer that died left records in its WAL: they are not taken for those of the store that replaces it.
TEST_F(StoreTest, AnOldWalIsNoPartOfANewStore) {
  write("a", 8, "2026-01-01T00:00:00Z");
  const pid_t child = ::fork();
  if (child == 0) {
    Result<Store> store = Store::create_or_open(dir_ / "s.db");
    const bool added = store.ok() && store->add({dir_ / "records"}, {}, 1).ok();
    ::_exit(added ? 0 : 1);  // without closing it
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(dir_ / "s.db-wal"));
  Record other = record_at("b", 8, "2026-01-01T00:00:00Z");
  ASSERT_TRUE(write_record(other, dir_ / "others").ok());
  StoreWriting writing;
  writing.anew = true;
  const Result<AddReport> report = write_store(dir_ / "s.db", {dir_ / "others"}, writing);
  ASSERT_TRUE(report.ok()) << report.error().message;
  ASSERT_EQ(*open().count(), 1U);
  EXPECT_EQ(open().records()->front().model, "b");
}

// A reader's two files would be taken for the new store's.
TEST_F(StoreTest, AReaderIsWaitedFor) {
  write("a", 8, "2026-01-01T00:00:00Z");
  ASSERT_TRUE(open().add({dir_ / "records"}).ok());
  std::optional<Store> reader;
  {
    Result<Store> store = Store::open_read_only(dir_ / "s.db");
    ASSERT_TRUE(store.ok() && store->count().ok());
    reader = std::move(store).value();
  }
  std::atomic<bool> done{false};
  Result<AddReport> report = AddReport{};
  std::thread writer([&] {
    StoreWriting writing;
    writing.anew = true;
    report = write_store(dir_ / "s.db", {dir_ / "records"}, writing);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  EXPECT_FALSE(done);
  EXPECT_EQ(*reader->count(), 1U);
  reader.reset();
  writer.join();
  EXPECT_TRUE(report.ok()) << report.error().message;
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

// The header's application id tells ours from every other database, also where its version is another.
TEST_F(StoreTest, AnotherDatabaseIsNotReplaced) {
  write("a", 8, "2026-01-01T00:00:00Z");
  const auto database = [&](const std::string& name, const std::string& sql) {
    Result<sqlite::Database> made = sqlite::Database::open(dir_ / name, sqlite::Database::Mode::kCreate);
    return made.ok() && made->execute(sql).ok();
  };
  ASSERT_TRUE(database("other.db", "CREATE TABLE mine(x)"));
  ASSERT_TRUE(open().add({dir_ / "records"}).ok());
  ASSERT_TRUE(database("s.db", "UPDATE version SET version = '0.0'"));
  StoreWriting writing;
  const Result<AddReport> old = write_store(dir_ / "s.db", {dir_ / "records"}, writing);
  ASSERT_FALSE(old.ok());
  EXPECT_THAT(old.error().message, HasSubstr("found 0.0; build it anew from the records: assay store "));
  EXPECT_THAT(old.error().message, HasSubstr("s.db --anew FOLDER..."));
  writing.anew = true;
  const Result<AddReport> other = write_store(dir_ / "other.db", {dir_ / "records"}, writing);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().kind, ErrorKind::kBadInput);
  EXPECT_THAT(other.error().message, HasSubstr("found another database"));
  EXPECT_TRUE(write_store(dir_ / "s.db", {dir_ / "records"}, writing).ok());
  EXPECT_EQ(*open().count(), 1U);
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
