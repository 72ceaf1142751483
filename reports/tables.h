// Tables and pages of records: one set of cells and one way to write a value, in every format.
#pragma once

#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

enum class TableFormat { kText, kMarkdown, kCsv, kJson };

struct TableOptions {
  int width = 0;       // columns of the terminal; 0: as wide as the table needs
  bool color = false;  // ANSI colour, text only
};

// One row per record, in the order given, of several products by case and chip (a column of its own); a record that is
// not ok is a row with its reason. UTF-8, ends in a newline. kText and kMarkdown explain each mark and each absent
// value below the table; kCsv (RFC 4180, CRLF) and kJson carry the same cells by column name, plus the raw numbers.
std::string render_table(const std::vector<Record>& records, TableFormat format, const TableOptions& options);

// All a reader needs to judge one record, as text: result, what ran, step times drawn, numerics, noise, environment.
std::string render_record_page(const Record& record, const TableOptions& options);

}  // namespace assay
