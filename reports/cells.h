// The one set of cells that every form of the table shows.
#pragma once

#include <string>
#include <vector>

#include "results/metrics/metrics.h"
#include "results/record.h"

namespace assay {

// Stands beside every figure that was not measured here.
inline constexpr const char* kReportedMark = "†";
inline constexpr const char* kAbsent = "–";

struct Column {
  const char* title;
  bool right;     // aligned right
  int drop_rank;  // the highest goes first where the terminal is narrow; 0: never
};

struct TableCells {
  std::vector<Column> columns;                 // with chip and date where rows would be alike without
  std::vector<std::vector<std::string>> rows;  // one per record, one cell per column
  std::vector<std::string> notes;              // below the table
};
// A product's name without what tells no product from another: "AMD EPYC 9B14"; "not named" where a source has none.
std::string short_product(const std::string& product);
TableCells table_cells(const std::vector<Record>& records, const std::vector<Metrics>& metrics);

// "GEMM bf16 2048 x 2048 x 2048", "argmax f32 256 MiB": what a ceiling was measured with; "" where a record of before
// doesn't say.
std::string ceiling_gemm_text(const Ceiling& ceiling);
std::string ceiling_read_text(const Ceiling& ceiling);
// "2026-11-26 03:12" of ISO 8601 UTC.
std::string minute_text(const std::string& created);
// Whether several of the records are of one case and chip, so that a table must say when each was made.
bool need_dates(const std::vector<Record>& records);
// What dtypes like "int8-f32" are; "" of others.
std::string old_int8_note(const std::string& dtype);

// The same figures raw: name with its unit, and the value, "" where absent. Order is fixed.
struct RawValue {
  std::string name, text;
  bool number = false;
};
std::vector<RawValue> raw_values(const Record& record, const Metrics& metrics);

}  // namespace assay
