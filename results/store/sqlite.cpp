#include "results/store/sqlite.h"

#include <sqlite3.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <fstream>

namespace assay::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 10000;

// A file that is no database is the user's; everything else is the disk's.
Error error_of(sqlite3* database, const std::string& where) {
  const int code = sqlite3_errcode(database);
  if (code == SQLITE_CORRUPT) return damaged(where, sqlite3_errmsg(database));
  const bool input = code == SQLITE_NOTADB || code == SQLITE_CANTOPEN;
  return {input ? ErrorKind::kBadInput : ErrorKind::kIo, where + ": " + sqlite3_errmsg(database)};
}

// What a URI would read as its own is escaped.
std::string uri_path(const std::filesystem::path& path) {
  std::string out;
  for (const char c : path.string()) {
    if (c == '%' || c == '?' || c == '#') {
      constexpr const char* kDigits = "0123456789ABCDEF";
      out += {'%', kDigits[static_cast<unsigned char>(c) >> 4], kDigits[c & 15]};
    } else {
      out += c;
    }
  }
  return out;
}

bool has_wal(const std::filesystem::path& file) { return std::filesystem::exists(file.string() + "-wal"); }

bool on_read_only_disk(const std::filesystem::path& file) {
  struct statvfs disk = {};
  return ::statvfs(file.c_str(), &disk) == 0 && (disk.f_flag & ST_RDONLY) != 0;
}

// The whole file as it is between two writers; none where it can't be read so, or one came meanwhile. In WAL mode the
// file changes only while the WAL is there.
sqlite3* copy_in_memory(const std::filesystem::path& file) {
  constexpr size_t kWriteVersion = 18, kReadVersion = 19;  // bytes of the header; 2: with a WAL, 1: without
  std::error_code failed;
  const auto written = std::filesystem::last_write_time(file, failed);
  const auto size = static_cast<size_t>(failed ? 0 : std::filesystem::file_size(file, failed));
  if (failed || size <= kReadVersion) return nullptr;
  auto* bytes = static_cast<unsigned char*>(sqlite3_malloc64(size));
  std::ifstream stream(file, std::ios::binary);
  if (bytes == nullptr || !stream.read(reinterpret_cast<char*>(bytes), static_cast<std::streamsize>(size)) ||
      has_wal(file) || std::filesystem::last_write_time(file, failed) != written) {
    sqlite3_free(bytes);
    return nullptr;
  }
  if (bytes[kWriteVersion] == 2 && bytes[kReadVersion] == 2) bytes[kWriteVersion] = bytes[kReadVersion] = 1;
  sqlite3* handle = nullptr;
  const auto length = static_cast<sqlite3_int64>(size);
  const bool opened = sqlite3_open(":memory:", &handle) == SQLITE_OK;
  if (!opened) sqlite3_free(bytes);
  if (opened && sqlite3_deserialize(handle, "main", bytes, length, length,
                                    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY) == SQLITE_OK) {
    return handle;
  }
  sqlite3_close(handle);
  return nullptr;
}

}  // namespace

Error damaged(const std::string& file, const std::string& what) {
  return bad_input(file + ": " + what + ": the store is damaged; build it anew from the records: assay store " + file +
                   " --anew FOLDER...");
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
void Database::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

Statement& Statement::bind(int at, int64_t value) {
  sqlite3_bind_int64(statement_.get(), at + 1, value);
  return *this;
}
Statement& Statement::bind(int at, double value) {
  sqlite3_bind_double(statement_.get(), at + 1, value);
  return *this;
}
Statement& Statement::bind(int at, std::string_view text) {
  sqlite3_bind_text64(statement_.get(), at + 1, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind(int at, const std::optional<double>& value) {
  if (value) return bind(at, *value);
  sqlite3_bind_null(statement_.get(), at + 1);
  return *this;
}
Statement& Statement::bind_blob(int at, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), at + 1, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  const Error error = error_of(database_, where_);
  sqlite3_reset(statement_.get());
  if (code != SQLITE_DONE) return error;
  return false;
}

Status Statement::run() {
  const Result<bool> row = step();
  if (!row.ok()) return row.error();
  return ok_status();
}

int64_t Statement::integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }

std::optional<double> Statement::number(int column) const {
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_double(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? "" : std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
}

std::string Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? "" : std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

Result<Database> Database::open(const std::filesystem::path& file, Mode mode) {
  Database out(file.string());
  // A reader that may not write leaves a WAL's two files behind, or can't read where it may not make them. So a reader
  // opens as a writer, whose end takes them away, and asks for nothing to be changed. Where it may not write and no
  // writer is there, it reads in place what can't change, else a copy, as a writer may come.
  const bool reads = mode == Mode::kReadOnly;
  const bool writable = ::access(file.c_str(), W_OK) == 0;
  const bool alone = reads && !writable && !has_wal(file);
  const bool fixed = alone && on_read_only_disk(file);
  if (alone && !fixed) {
    out.database_.reset(copy_in_memory(file));
    if (out.database_) return out;
  }
  const std::string name = fixed ? "file:" + uri_path(std::filesystem::absolute(file)) + "?immutable=1" : file.string();
  const int flags = fixed      ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI
                    : !reads   ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                    : writable ? SQLITE_OPEN_READWRITE
                               : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
  out.database_.reset(handle);
  if (code != SQLITE_OK) return error_of(handle, out.where_);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  if (reads) sqlite3_exec(handle, "PRAGMA query_only = 1", nullptr, nullptr, nullptr);
  return out;
}

Status Database::execute(const std::string& sql) {
  if (sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return ok_status();
  return error_of(database_.get(), where_);
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    return error_of(database_.get(), where_);
  }
  return Statement(database_.get(), statement, where_);
}

}  // namespace assay::sqlite
