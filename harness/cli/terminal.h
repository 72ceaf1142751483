// What stands at the other end of a stream, and tables for it.
#pragma once

#include <string>
#include <vector>

#include "reports/tables.h"
#include "reports/text.h"

namespace assay {

// Width of the terminal behind stdout (0: none) and whether colour is welcome there (NO_COLOR, TERM=dumb).
TableOptions stdout_options();
bool is_terminal(int fd);
int terminal_width(int fd);  // columns; 0 where it is none

// All that a command prints goes through these: text of others is visible in it (suites/base/visible.h).
void put_text(const std::string& text);      // on standard output
void put_table(const std::string& text);     // the same, with the colours of tables, whose cells hold none
void put_note(const std::string& line);      // on standard error, and ends the line
void put_progress(const std::string& line);  // on standard error, over the line that stands there

enum class Mark { kNone, kGood, kWarning, kBad };

// Rows of cells, visible, under a heading, columns aligned; where the terminal is narrow the last column is wrapped,
// and where that leaves it too little it stands below its row.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> heading) : heading_(std::move(heading)) {}
  void align_right(size_t column) { right_.push_back(column); }
  void row(std::vector<std::string> cells, Mark mark = Mark::kNone);  // mark: colour of the first cell
  [[nodiscard]] std::string render(const TableOptions& options) const;

 private:
  struct Row {
    std::vector<std::string> cells;
    Mark mark;
  };
  std::vector<std::string> heading_;
  std::vector<Row> rows_;
  std::vector<size_t> right_;
};

// At most `columns` of them, the last an ellipsis where some were cut.
std::string cut_to(const std::string& text, size_t columns);

}  // namespace assay
