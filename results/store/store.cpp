#include "results/store/store.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <fstream>
#include <future>
#include <thread>
#include <utility>

#include "results/record_files.h"
#include "results/record_id.h"
#include "results/store/headline_columns.h"
#include "results/store/sqlite.h"
#include "results/zstd_frame.h"
#include "suites/base/hash.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;
using sqlite::Statement;

constexpr int64_t kApplicationId = 0x41534159;  // "ASAY", so that file(1) and we know a store
constexpr int64_t kStoreVersion = 4;
constexpr int kBlobZstdLevel = 1;
constexpr int kCacheKib = 65536;  // so that the index of ids stays in memory while many records come in
constexpr size_t kChunk = 512;    // records parsed between two rounds of inserts
constexpr uint64_t kMaxRecordBytes = uint64_t{256} << 20;

std::string version_text() { return std::to_string(kStoreVersion) + "." + std::to_string(kMetricsVersion); }

Result<int64_t> pragma(Database& database, const std::string& name) {
  Result<Statement> statement = database.prepare("PRAGMA " + name);
  if (!statement.ok()) return statement.error();
  const Result<bool> row = statement->step();
  if (!row.ok()) return row.error();
  return statement->integer(0);
}

Status make_schema(Database& database) {
  return database.execute("PRAGMA application_id = " + std::to_string(kApplicationId) +
                          "; CREATE TABLE version(version TEXT NOT NULL); INSERT INTO version VALUES('" +
                          version_text() + "'); CREATE TABLE record(number INTEGER PRIMARY KEY, " + headline_schema() +
                          "); CREATE TABLE body(record INTEGER PRIMARY KEY, json BLOB NOT NULL);"
                          " CREATE INDEX record_by_case ON record(case_hash, created)");
}

Status check_version(Database& database) {
  Result<int64_t> application = pragma(database, "application_id");
  if (!application.ok()) return application.error();
  if (*application != kApplicationId)
    return bad_input(database.where() + ": expected a store of records, found another database");
  Result<Statement> statement = database.prepare("SELECT version FROM version");
  if (!statement.ok()) return statement.error();
  const Result<bool> row = statement->step();
  if (!row.ok()) return row.error();
  const std::string found = *row ? statement->text(0) : "none";
  if (found == version_text()) return ok_status();
  return bad_input(database.where() + ": expected a store of version " + version_text() + ", found " + found +
                   "; build it anew from the records: assay store " + database.where() + " --anew FOLDER...");
}

// A record as it goes into the store.
struct Row {
  Headline headline;
  std::string body;
};

Result<std::string> decompressed(const std::string& frame, const std::string& where) {
  std::string why;
  std::optional<std::string> text = zstd_decompress(frame, kMaxRecordBytes, &why);
  if (!text) return bad_input(where + ": " + why);
  return std::move(*text);
}

Row row_of(const Record& record, const std::string& record_json) {
  return {headline(record, metrics(record)), zstd_compress(record_json, kBlobZstdLevel)};
}

// Rows of files [first, last), in order; the first bad file's error.
Result<std::vector<Row>> parse(const std::vector<fs::path>& files, size_t first, size_t last, unsigned threads) {
  std::vector<Result<Row>> rows(last - first, Result<Row>(Row{}));
  std::atomic<size_t> next{first};
  const auto work = [&] {
    for (size_t i = 0; (i = next.fetch_add(1)) < last;) {
      Result<std::string> text = read_text_file(files[i].string());
      if (!text.ok()) {
        rows[i - first] = text.error();
        continue;
      }
      Result<Record> record = record_of_text(*text, files[i]);
      rows[i - first] = record.ok() ? Result<Row>(row_of(*record, *text)) : Result<Row>(record.error());
    }
  };
  std::vector<std::thread> pool;
  for (unsigned t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& thread : pool) thread.join();
  std::vector<Row> out;
  out.reserve(rows.size());
  for (Result<Row>& row : rows) {
    if (!row.ok()) return row.error();
    out.push_back(std::move(row).value());
  }
  return out;
}

// Rolls back unless it was committed.
class Transaction {
 public:
  static Result<Transaction> begin(Database& database) {
    const Status begun = database.execute("BEGIN IMMEDIATE");
    if (!begun.ok()) return begun.error();
    return Transaction(&database);
  }
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction() {
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
  }
  Status commit() {
    Status done = database_->execute("COMMIT");
    if (done.ok()) database_ = nullptr;
    return done;
  }

 private:
  explicit Transaction(Database* database) : database_(database) {}
  Database* database_;
};

class Inserter {
 public:
  static Result<Inserter> make(Database& database) {
    Result<Statement> record = database.prepare(headline_insert());
    if (!record.ok()) return record.error();
    Result<Statement> body = database.prepare("INSERT OR IGNORE INTO body SELECT number, ?2 FROM record WHERE id = ?1");
    if (!body.ok()) return body.error();
    return Inserter(std::move(record).value(), std::move(body).value(), database);
  }
  Status add(const Row& row) {
    bind_headline(row.headline, record_);
    if (Status done = record_.run(); !done.ok()) return done;
    body_.bind(0, std::string_view(row.headline.id)).bind_blob(1, row.body);
    return body_.run();
  }

 private:
  Inserter(Statement record, Statement body, Database&) : record_(std::move(record)), body_(std::move(body)) {}
  Statement record_, body_;
};

Result<uint64_t> count_of(Database& database) {
  Result<Statement> statement = database.prepare("SELECT count(*) FROM record");
  if (!statement.ok()) return statement.error();
  const Result<bool> row = statement->step();
  if (!row.ok()) return row.error();
  return static_cast<uint64_t>(statement->integer(0));
}

// Whether a record's text is the one that its id was made of. As we write it that is seen without parsing.
bool has_id(const std::string& text, const std::string& id) {
  const std::string member = "\"id\":\"" + id + "\",";
  const size_t at = text.find(member);
  if (at == std::string::npos) return record_id(text) == id;
  std::string rest = text.substr(0, at) + text.substr(at + member.size());
  while (!rest.empty() && rest.back() == '\n') rest.pop_back();
  return xxh3_128_hex(rest) == id || record_id(text) == id;
}

struct Where {
  std::string clause;
  std::vector<std::string> values;
};

Where where_of(const HeadlineFilter& filter) {
  const std::pair<const char*, const std::string&> parts[] = {{"suite", filter.suite},
                                                              {"model", filter.model},
                                                              {"device_product", filter.device_product},
                                                              {"status", filter.status},
                                                              {"case_hash", filter.case_hash}};
  Where out;
  for (const auto& [column, value] : parts) {
    if (value.empty()) continue;
    out.clause += (out.values.empty() ? " WHERE " : " AND ") + std::string(column) + " = ?";
    out.values.push_back(value);
  }
  return out;
}

Result<Statement> select(Database& database, const std::string& sql, const HeadlineFilter& filter) {
  const Where where = where_of(filter);
  Result<Statement> statement = database.prepare(sql + where.clause + " ORDER BY case_id, created, record.id");
  if (!statement.ok()) return statement;
  for (size_t i = 0; i < where.values.size(); ++i) {
    statement->bind(static_cast<int>(i), std::string_view(where.values[i]));
  }
  return statement;
}

}  // namespace

struct Store::Impl {
  mutable Database database;
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;
Store::~Store() = default;

Result<Store> Store::create_or_open(const fs::path& file) {
  Result<Database> database = Database::open(file, Database::Mode::kCreate);
  if (!database.ok()) return database.error();
  Status ready = database->execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -" +
                                   std::to_string(kCacheKib));
  if (!ready.ok()) return ready.error();
  Result<int64_t> tables = pragma(*database, "schema_version");
  if (!tables.ok()) return tables.error();
  ready = *tables == 0 ? make_schema(*database) : check_version(*database);
  if (!ready.ok()) return ready.error();
  return Store(std::make_unique<Impl>(Impl{std::move(database).value()}));
}

Result<Store> Store::open_read_only(const fs::path& file) {
  if (std::error_code code; !fs::is_regular_file(file, code)) {
    return bad_input(file.string() + ": expected a store, found " +
                     (fs::exists(file, code) ? "no regular file" : "no such file") +
                     "; to make one, name the records that go in");
  }
  Result<Database> database = Database::open(file, Database::Mode::kReadOnly);
  if (!database.ok()) return database.error();
  const Status known = check_version(*database);
  if (!known.ok()) return known.error();
  return Store(std::make_unique<Impl>(Impl{std::move(database).value()}));
}

Result<AddReport> Store::add(const std::vector<fs::path>& places,
                             const std::function<bool(uint64_t, uint64_t)>& progress, unsigned threads) {
  std::vector<fs::path> files;
  for (const fs::path& place : places) {
    Result<std::vector<fs::path>> found = record_files(place);
    if (!found.ok()) return found.error();
    files.insert(files.end(), found->begin(), found->end());
  }
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  Result<uint64_t> before = count_of(impl_->database);
  if (!before.ok()) return before.error();
  Result<Transaction> transaction = Transaction::begin(impl_->database);
  if (!transaction.ok()) return transaction.error();
  Result<Inserter> inserter = Inserter::make(impl_->database);
  if (!inserter.ok()) return inserter.error();
  // While one chunk goes in, the next is parsed.
  const auto parse_from = [&](size_t first) {
    const size_t last = std::min(first + kChunk, files.size());
    return std::async(std::launch::async,
                      [&files, first, last, threads] { return parse(files, first, last, threads); });
  };
  std::future<Result<std::vector<Row>>> ahead = parse_from(0);
  for (size_t first = 0; first < files.size(); first += kChunk) {
    const size_t last = std::min(first + kChunk, files.size());
    const Result<std::vector<Row>> rows = ahead.get();
    if (!rows.ok()) return rows.error();
    if (last < files.size()) ahead = parse_from(last);
    for (const Row& row : *rows) {
      if (Status added = inserter->add(row); !added.ok()) return added.error();
    }
    if (progress && !progress(last, files.size())) return Error{ErrorKind::kTimeout, "stopped; nothing was added"};
  }
  if (Status done = transaction->commit(); !done.ok()) return done.error();
  const Result<uint64_t> after = count_of(impl_->database);
  if (!after.ok()) return after.error();
  return AddReport{*after - *before, files.size() - (*after - *before)};
}

Result<AddReport> Store::add(const std::vector<Record>& records) {
  Result<uint64_t> before = count_of(impl_->database);
  if (!before.ok()) return before.error();
  Result<Transaction> transaction = Transaction::begin(impl_->database);
  if (!transaction.ok()) return transaction.error();
  Result<Inserter> inserter = Inserter::make(impl_->database);
  if (!inserter.ok()) return inserter.error();
  for (const Record& record : records) {
    if (Status added = inserter->add(row_of(record, record_to_json(record))); !added.ok()) return added.error();
  }
  if (Status done = transaction->commit(); !done.ok()) return done.error();
  const Result<uint64_t> after = count_of(impl_->database);
  if (!after.ok()) return after.error();
  return AddReport{*after - *before, records.size() - (*after - *before)};
}

Status Store::check() const {
  const auto damaged = [&](const std::string& what) {
    const std::string& file = impl_->database.where();
    return bad_input(file + ": " + what + ": the store is damaged; build it anew from the records: assay store " +
                     file + " --anew FOLDER...");
  };
  Result<Statement> pages = impl_->database.prepare("PRAGMA quick_check(1)");
  if (!pages.ok()) return pages.error();
  const Result<bool> told = pages->step();
  if (!told.ok()) return told.error();
  if (!*told || pages->text(0) != "ok") return damaged(*told ? pages->text(0) : "expected a check of its pages");
  Result<Statement> texts =
      impl_->database.prepare("SELECT record.id, json FROM record LEFT JOIN body ON body.record = record.number");
  if (!texts.ok()) return texts.error();
  for (;;) {
    const Result<bool> row = texts->step();
    if (!row.ok()) return row.error();
    if (!*row) return ok_status();
    std::string why = "expected its hash to be that, found another text";
    const std::string id = texts->text(0);
    const std::optional<std::string> text = zstd_decompress(texts->blob(1), kMaxRecordBytes, &why);
    if (!text || !has_id(*text, id)) return damaged(std::string("record ").append(id).append(": ").append(why));
  }
}

Result<uint64_t> Store::count() const { return count_of(impl_->database); }

Result<std::vector<Headline>> Store::headlines(const HeadlineFilter& filter) const {
  Result<Statement> statement = select(impl_->database, headline_select(), filter);
  if (!statement.ok()) return statement.error();
  std::vector<Headline> out;
  for (;;) {
    const Result<bool> row = statement->step();
    if (!row.ok()) return row.error();
    if (!*row) return out;
    out.push_back(read_headline(*statement));
  }
}

Result<std::vector<Record>> Store::records(const HeadlineFilter& filter) const {
  Result<Statement> statement =
      select(impl_->database, "SELECT record.id, json FROM record JOIN body ON body.record = record.number", filter);
  if (!statement.ok()) return statement.error();
  std::vector<Record> out;
  for (;;) {
    const Result<bool> row = statement->step();
    if (!row.ok()) return row.error();
    if (!*row) return out;
    const std::string where = impl_->database.where() + ": record " + statement->text(0);
    const Result<std::string> text = decompressed(statement->blob(1), where);
    if (!text.ok()) return text.error();
    Result<Record> record = record_of_text(*text, where);
    if (!record.ok()) return record.error();
    out.push_back(std::move(record).value());
  }
}

Result<Record> Store::record(const std::string& id) const {
  Result<Statement> statement =
      impl_->database.prepare("SELECT json FROM record JOIN body ON body.record = record.number WHERE id = ?");
  if (!statement.ok()) return statement.error();
  statement->bind(0, std::string_view(id));
  const std::string where = impl_->database.where() + ": record " + id;
  const Result<bool> row = statement->step();
  if (!row.ok()) return row.error();
  if (!*row) return bad_input(where + ": expected a record of this store, found none with that id");
  const Result<std::string> text = decompressed(statement->blob(0), where);
  if (!text.ok()) return text.error();
  return record_of_text(*text, where);
}

namespace {

constexpr size_t kHeaderBytes = 100, kApplicationIdAt = 68;  // of every SQLite file; the number is big-endian

std::optional<std::array<char, kHeaderBytes>> header_of(const fs::path& file) {
  static constexpr std::string_view kMagic("SQLite format 3\0", 16);
  std::error_code code;
  if (!fs::is_regular_file(file, code)) return std::nullopt;
  std::array<char, kHeaderBytes> head{};
  std::ifstream in(file, std::ios::binary);
  if (!in.read(head.data(), head.size()) || std::string_view(head.data(), kMagic.size()) != kMagic) return std::nullopt;
  return head;
}

}  // namespace

bool is_store_file(const fs::path& file) { return header_of(file).has_value(); }

bool is_store_of_records(const fs::path& file) {
  const auto head = header_of(file);
  int64_t id = 0;
  for (size_t i = 0; head && i < 4; ++i) id = id << 8 | static_cast<unsigned char>((*head)[kApplicationIdAt + i]);
  if (!head || id == kApplicationId) return head.has_value();
  // What a writer that was killed left may still lie in its WAL.
  Result<Database> database = Database::open(file, Database::Mode::kReadOnly);
  const Result<int64_t> told = database.ok() ? pragma(*database, "application_id") : database.error();
  return told.ok() && *told == kApplicationId;
}

}  // namespace assay
