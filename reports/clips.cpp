#include "reports/clips.h"

#include <algorithm>
#include <array>

#include "reports/format.h"

namespace assay {
namespace {

constexpr double kLimitS = 30;  // the time for a clip that the press asks about
constexpr size_t kColumns = 9;
constexpr std::array<const char*, kColumns> kTitles{"clip",  "steps x passes", "denoising",       "text encoder", "VAE",
                                                    "total", "clips/h",        "chips for <30 s", "basis"};
using Row = std::array<std::string, kColumns>;

std::string seconds_text(double s) { return time_text(s * 1e9); }

std::string part_text(const ClipEstimate& e, const std::string& name) {
  for (const ClipPart& p : e.parts) {
    if (p.name == name) return number_text(p.count, 6) + " x " + seconds_text(p.seconds_each);
  }
  return "–";
}

Row row_of(const ClipEstimate& e) {
  const std::string bound = e.missing.empty() ? "" : "> ";
  const std::string size =
      std::to_string(e.clip.frames) + "f " + std::to_string(e.clip.height) + "x" + std::to_string(e.clip.width);
  return {e.model + (e.assumption ? " (assumed shape) " : " ") + e.dtype + ", " + size,
          e.schedule_text,
          part_text(e, "denoising"),
          part_text(e, "text encoder"),
          part_text(e, "VAE tiles"),
          bound + seconds_text(e.seconds()),
          (e.missing.empty() ? "" : "< ") + number_text(e.clips_per_hour(), 3),
          bound + std::to_string(chips_for(e.seconds(), kLimitS, 1)),
          e.basis};
}

size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string text_rows(const std::vector<Row>& rows) {
  std::array<size_t, kColumns> widths{};
  for (size_t c = 0; c < kColumns; ++c) {
    widths[c] = width_of(kTitles[c]);
    for (const Row& row : rows) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string out;
  const auto line = [&](const auto& cell) {
    for (size_t c = 0; c < kColumns; ++c) {
      const std::string text = cell(c);
      const std::string blanks(widths[c] - width_of(text), ' ');
      const bool left = c == 0 || c + 1 == kColumns;
      out += (c == 0 ? "" : "  ") + (left ? text + (c + 1 == kColumns ? "" : blanks) : blanks + text);
    }
    out += "\n";
  };
  line([](size_t c) { return std::string(kTitles[c]); });
  for (const Row& row : rows) line([&](size_t c) { return row[c]; });
  return out;
}

std::string markdown_rows(const std::vector<Row>& rows) {
  std::string out = "|", rule = "|";
  for (size_t c = 0; c < kColumns; ++c) {
    out += std::string(" ") + kTitles[c] + " |";
    rule += c == 0 || c + 1 == kColumns ? "---|" : "---:|";
  }
  out += "\n" + rule + "\n";
  for (const Row& row : rows) {
    out += "|";
    for (const std::string& cell : row) out += " " + cell + " |";
    out += "\n";
  }
  return out;
}

std::vector<std::string> notes_of(const std::vector<ClipEstimate>& clips) {
  std::vector<std::string> notes{
      "a clip: steps x passes x the transformer's step, the text encoder once a pass, VAE tiles that overlap by a "
      "quarter; a sum of steps is projected, never measured",
      "chips for <30 s: total / 30 s at a parallel efficiency of 1.0, the ideal; at efficiency e divide by e"};
  for (const ClipEstimate& e : clips) {
    std::string note = e.model + ", " + e.schedule_text + " on " + e.device + ":";
    for (const ClipPart& p : e.parts) {
      note += (p.name == e.parts.front().name ? " " : "; ") + p.name + " " + seconds_text(p.seconds()) + ", " +
              p.basis + (p.note.empty() ? "" : " (" + p.note + ")") + ", record " + p.record.substr(0, 8);
    }
    for (const std::string& part : e.missing) note += "; no record of a " + part + ": left out of the sum";
    notes.push_back(note);
  }
  return notes;
}

}  // namespace

std::string render_clips(const std::vector<ClipEstimate>& clips, TableFormat format) {
  if (clips.empty()) return "";
  std::vector<Row> rows;
  rows.reserve(clips.size());
  for (const ClipEstimate& e : clips) rows.push_back(row_of(e));
  const bool markdown = format == TableFormat::kMarkdown;
  std::string out = markdown ? markdown_rows(rows) : text_rows(rows);
  out += "\n";
  for (const std::string& note : notes_of(clips)) out += (markdown ? "- " : "") + note + "\n";
  return out;
}

}  // namespace assay
