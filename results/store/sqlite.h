// SQLite behind RAII and Result: what the store needs of it, no more.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "suites/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace assay::sqlite {

// kBadInput: what is damaged of a file, and how its store is made whole again.
Error damaged(const std::string& file, const std::string& what);

// A prepared statement; parameters and columns count from 0. Not shared between threads.
class Statement {
 public:
  Statement& bind(int at, int64_t value);
  Statement& bind(int at, double value);
  Statement& bind(int at, std::string_view text);
  Statement& bind(int at, const std::optional<double>& value);
  Statement& bind_blob(int at, std::string_view bytes);

  // True where a row is there; false at the end, after which the statement may be bound and run again.
  Result<bool> step();
  // For a statement without rows.
  Status run();

  [[nodiscard]] int64_t integer(int column) const;
  [[nodiscard]] std::optional<double> number(int column) const;
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::string blob(int column) const;

 private:
  friend class Database;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Statement(sqlite3* database, sqlite3_stmt* statement, std::string where)
      : database_(database), statement_(statement), where_(std::move(where)) {}
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  std::string where_;
};

class Database {
 public:
  enum class Mode { kCreate, kReadOnly };
  static Result<Database> open(const std::filesystem::path& file, Mode mode);
  Status execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  explicit Database(std::string where) : where_(std::move(where)) {}
  std::unique_ptr<sqlite3, Close> database_;
  std::string where_;
};

}  // namespace assay::sqlite
