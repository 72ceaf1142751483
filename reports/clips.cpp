#include "reports/clips.h"

#include "reports/format.h"
#include "reports/text.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

using Row = std::vector<std::string>;

const std::vector<GridColumn>& clip_columns() {
  static const std::vector<GridColumn> kColumns{
      {"clip"},      {"steps x passes", true}, {"denoising", true}, {"text encoder", true},
      {"VAE", true}, {"total", true},          {"clips/h", true},   {"chips for <30 s", true},
      {"basis"}};
  return kColumns;
}

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
          bound + std::to_string(chips_for(e.seconds(), kClipLimitS, 1)),
          e.basis};
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
    for (const std::string& part : e.missing)
      note += "; no record with the time of a whole " + part + ": left out of the sum";
    notes.push_back(note);
  }
  return notes;
}

}  // namespace

std::string render_clips(const std::vector<ClipEstimate>& clips, TableFormat format) {
  if (clips.empty()) return "";
  GridRows rows;
  rows.reserve(clips.size());
  for (const ClipEstimate& e : clips) rows.push_back(row_of(e));
  const bool markdown = format == TableFormat::kMarkdown;
  std::string out = markdown ? markdown_grid(clip_columns(), rows) : text_grid(clip_columns(), rows, false);
  out += "\n";
  for (const std::string& note : notes_of(clips)) out += markdown ? markdown_item(note) : visible(note) + "\n";
  return out;
}

}  // namespace assay
