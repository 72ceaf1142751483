// Text in columns, for terminals and Markdown.
#pragma once

#include <string>
#include <vector>

namespace assay {

// Columns that the text takes: its UTF-8 characters, each taken as one wide.
size_t display_width(const std::string& text);
// With blanks to `width`, before it where `right`.
std::string padded(const std::string& text, size_t width, bool right);
// Without trailing blanks, and ended.
std::string line_of(const std::string& text);
// Lines of at most `width` columns, broken at blanks; a longer word stays whole. At least one line. Words are visible.
std::vector<std::string> wrap(const std::string& text, size_t width);
// Visible, on one line, and what Markdown would take for markup escaped.
std::string markdown_escaped(const std::string& text);
// An item of a list, and its line's end.
std::string markdown_item(const std::string& text);

// A column of a table that may be too wide.
struct FitColumn {
  std::string title;
  size_t width = 0;    // its widest cell
  int drop_rank = 0;   // the highest goes first, with its equals; 0: never
  bool empty = false;  // no row has a value in it: it goes before all that have one
};
// The columns that fit `limit` (0: all) with two blanks between, and the titles of those that were left out, joined.
std::vector<size_t> fitting(const std::vector<FitColumn>& columns, int limit, std::string* left_out);

struct GridColumn {
  std::string title;
  bool right = false;
};
using GridRows = std::vector<std::vector<std::string>>;  // as many cells each as there are columns
// Titles and rows, visible and aligned, two blanks between columns; with color the titles stand out.
std::string text_grid(const std::vector<GridColumn>& columns, const GridRows& rows, bool color);
// A Markdown table; cells are escaped here.
std::string markdown_grid(const std::vector<GridColumn>& columns, const GridRows& rows);

}  // namespace assay
