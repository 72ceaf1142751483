// A sheet: a few small tables and notes, in every format. What commands print that is not a list of records.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "reports/tables.h"

namespace assay {

// `text` for people, `number` (if any) for machines; an empty text is an absent value. `below`, for people: its
// interval, which stands under it on a terminal and in brackets after it elsewhere.
struct SheetCell {
  SheetCell() = default;
  SheetCell(std::string t) : text(std::move(t)) {}  // NOLINT(google-explicit-constructor)
  SheetCell(const char* t) : text(t) {}             // NOLINT(google-explicit-constructor)
  SheetCell(std::string t, std::optional<double> n, std::string b = "")
      : text(std::move(t)), number(n), below(std::move(b)) {}
  std::string text;
  std::optional<double> number;
  std::string below;
};

struct SheetColumn {
  std::string name, title;  // name: for machines, with its unit; an empty title is for machines only
  bool right = false;
  int drop_rank = 0;  // where the terminal is narrow: the highest goes first; 0: never
};

struct SheetTable {
  std::string name, title;
  std::vector<SheetColumn> columns;
  std::vector<std::vector<SheetCell>> rows;
  std::vector<std::string> notes = {};  // for people, right below it
  // For CSV, which has no other table: rows of what is not in this one.
  std::vector<std::vector<SheetCell>> csv_rows = {};
};

struct Sheet {
  std::vector<SheetTable> tables;  // the first is the answer
  std::vector<std::string> notes;
};

// kText: aligned, the last column wrapped to the width; columns that don't fit are left out by their ranks, which is
// said, and what stood in the last of them stands below. kMarkdown: the same. kCsv (RFC 4180): the first table, raw.
// kJson: {"<table>": [rows by column name], ..., "notes": [...]}, raw; an absent value is null.
std::string render_sheet(const Sheet& sheet, TableFormat format, const TableOptions& options);
// Tables with the same columns. CSV and JSON: the rows of all as one list.
std::string render_like_tables(const std::vector<SheetTable>& tables, TableFormat format, const TableOptions& options);

}  // namespace assay
