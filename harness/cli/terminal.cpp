#include "harness/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr const char *kBold = "\033[1m", *kPlain = "\033[0m";
constexpr const char *kGreen = "\033[32m", *kYellow = "\033[33m", *kRed = "\033[31m";

constexpr size_t kGap = 2;
constexpr size_t kNarrowestLast = 24;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

void write_to(std::FILE* stream, const std::string& text) { std::fwrite(text.data(), 1, text.size(), stream); }

// Of our own; "" where something else stands there.
std::string_view style_at(std::string_view text, size_t at) {
  for (const std::string_view style : {kBold, kPlain, kGreen, kYellow, kRed}) {
    if (text.substr(at, style.size()) == style) return style;
  }
  return {};
}

const char* colour_of(Mark mark) {
  switch (mark) {
    case Mark::kGood:
      return kGreen;
    case Mark::kWarning:
      return kYellow;
    case Mark::kBad:
      return kRed;
    case Mark::kNone:
      break;
  }
  return "";
}

}  // namespace

void put_text(const std::string& text) { write_to(stdout, visible_lines(text)); }

void put_table(const std::string& text) {
  if (!stdout_options().color) return put_text(text);
  std::string out;
  size_t begin = 0;
  for (size_t at = 0; (at = text.find('\033', at)) != std::string::npos;) {
    const std::string_view style = style_at(text, at);
    if (style.empty()) {
      ++at;
      continue;
    }
    out.append(visible_lines(std::string_view(text).substr(begin, at - begin))).append(style);
    begin = at += style.size();
  }
  write_to(stdout, out + visible_lines(std::string_view(text).substr(begin)));
}

void put_note(const std::string& line) { write_to(stderr, visible_lines(line) + "\n"); }

void put_progress(const std::string& line) {
  write_to(stderr, "\r" + visible(line) + "\033[K");
  std::fflush(stderr);
}

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

int terminal_width(int fd) {
  winsize size{};
  if (!is_terminal(fd) || ::ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

TableOptions stdout_options() {
  TableOptions options;
  options.width = terminal_width(STDOUT_FILENO);
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string(term) == "dumb";
  options.color = is_terminal(STDOUT_FILENO) && !dumb && (no_color == nullptr || *no_color == '\0');
  return options;
}

std::string cut_to(const std::string& text, size_t columns) {
  if (display_width(text) <= columns) return text;
  if (columns == 0) return "";
  size_t end = 0;
  for (size_t seen = 0; end < text.size(); ++end) {
    if (starts_character(text[end]) && ++seen == columns) break;
  }
  return text.substr(0, end) + "…";
}

void TextTable::row(std::vector<std::string> cells, Mark mark) {
  for (std::string& cell : cells) cell = visible(cell);
  rows_.push_back({std::move(cells), mark});
}

std::string TextTable::render(const TableOptions& options) const {
  std::vector<size_t> widths;
  for (const std::string& cell : heading_) widths.push_back(display_width(cell));
  for (const Row& r : rows_) {
    for (size_t i = 0; i < widths.size() && i < r.cells.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(r.cells[i]));
    }
  }
  size_t before_last = 0;
  for (size_t i = 0; i + 1 < widths.size(); ++i) before_last += widths[i] + kGap;
  const auto width = static_cast<size_t>(std::max(options.width, 0));
  const bool wraps = width > 0 && before_last + widths.back() > width;
  const bool below = wraps && before_last + kNarrowestLast > width;
  const size_t indent = below ? widths[0] + kGap : before_last;
  const size_t last = wraps ? std::max(kNarrowestLast, width > indent ? width - indent : 0) : widths.back();
  std::string out;
  const auto add = [&](const std::vector<std::string>& cells, const std::string& begin, const std::string& end) {
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = i < cells.size() ? cells[i] : "";
      const bool right = std::find(right_.begin(), right_.end(), i) != right_.end();
      if (i + 1 < widths.size()) {
        if (i == 0) out += begin;
        out += padded(cell, widths[i], right);
        out.append(kGap, ' ');
        if (i == 0) out += end;
        continue;
      }
      const std::vector<std::string> lines = wrap(cell, last);
      if (below) {
        out.erase(out.find_last_not_of(' ') + 1);
        if (!cell.empty()) out += "\n" + std::string(indent, ' ');
      }
      out += right && !below ? padded(lines[0], last, true) : lines[0];
      for (size_t l = 1; l < lines.size(); ++l) out += "\n" + std::string(indent, ' ') + lines[l];
    }
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
  };
  add(heading_, options.color ? kBold : "", options.color ? kPlain : "");
  for (const Row& r : rows_) {
    const std::string begin = options.color ? colour_of(r.mark) : "";
    add(r.cells, begin, begin.empty() ? "" : kPlain);
  }
  return out;
}

}  // namespace assay
