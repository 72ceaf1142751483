// A small table of its own, rendered in every format of records' tables.
#pragma once

#include <string>
#include <vector>

#include "reports/tables.h"

namespace assay {

struct PlainCell {
  std::string text;     // for people
  std::string raw;      // for programs; "" is absent
  bool number = false;  // raw is a number
};

struct PlainColumn {
  std::string title;  // for people
  std::string name;   // for programs, with its unit
  bool right = false;
};

struct PlainTable {
  std::string title;
  std::vector<PlainColumn> columns;
  std::vector<std::vector<PlainCell>> rows;
  std::vector<std::string> notes;
};

PlainCell text_cell(const std::string& text);
PlainCell number_cell(const std::string& text, double raw);
PlainCell absent_cell();

// Text and Markdown: title, table, notes. CSV and JSON: raw values by name, no notes; of several tables with the same
// columns one list.
std::string render_plain(const std::vector<PlainTable>& tables, TableFormat format, const TableOptions& options);

}  // namespace assay
