#include "harness/cli/progress.h"

#include <unistd.h>

#include <cstdio>

#include "harness/cli/terminal.h"

namespace assay {

ProgressLine::ProgressLine(const std::vector<double>& limits_s)
    : eta_(limits_s), count_(limits_s.size()), terminal_(is_terminal(STDERR_FILENO)) {}

void ProgressLine::show(size_t index, const std::string& case_id, const Progress& progress) {
  if (!terminal_) return;
  std::string line = "[" + std::to_string(index + 1) + "/" + std::to_string(count_) + "] " + case_id + "  " +
                     phase_name(progress.phase);
  if (progress.phase == Phase::kTimed || progress.phase == Phase::kWarmup) {
    line += " " + std::to_string(progress.steps) + " steps";
  }
  if (progress.phase_share > 0) line += " " + std::to_string(static_cast<int>(progress.phase_share * 100)) + " %";
  line += "  about " + duration_text(eta_.remaining_s(index, progress.elapsed_s)) + " to go";
  const int width = terminal_width(STDERR_FILENO);
  if (width > 1) line = cut_to(line, static_cast<size_t>(width - 1));
  std::fprintf(stderr, "\r%s\033[K", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace assay
