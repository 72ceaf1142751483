#include "harness/cli/progress.h"

#include <unistd.h>

#include "harness/cli/terminal.h"
#include "harness/run/layers.h"

namespace assay {

namespace {
constexpr double kLongStepS = 10;
}

ProgressLine::ProgressLine(const std::vector<double>& limits_s, size_t cases)
    : eta_(limits_s), count_(limits_s.size()), cases_(cases), terminal_(is_terminal(STDERR_FILENO)) {}

void ProgressLine::show(size_t index, const std::string& case_id, const Progress& progress) {
  if (!terminal_) {
    if (progress.step_s < kLongStepS || index < told_ || index >= cases_) return;
    told_ = index + 1;
    const size_t launches = count_ / cases_;
    put_note(case_id + ": a step takes about " + duration_text(progress.step_s) + ", the case about " +
             duration_text(eta_.expected_s(index, progress.step_s) * static_cast<double>(launches)));
    return;
  }
  std::string line = "[" + std::to_string(index % cases_ + 1) + "/" + std::to_string(cases_);
  if (count_ > cases_) {
    line += ", launch " + std::to_string(index / cases_ + 1) + "/" + std::to_string(count_ / cases_);
  }
  line += "] " + case_id + "  " + phase_name(progress.phase);
  if (progress.phase == Phase::kTimed || progress.phase == Phase::kWarmup) {
    line += " " + std::to_string(progress.steps) + " steps";
  }
  if (progress.phase_share > 0) line += " " + std::to_string(static_cast<int>(progress.phase_share * 100)) + " %";
  const bool allocates = progress.phase == Phase::kPrepare || progress.phase == Phase::kLoad;
  if (allocates && progress.planned_bytes > 0) line += ", " + bytes_text(progress.planned_bytes) + " planned";
  if (progress.step_s >= kLongStepS) line += ", a step about " + duration_text(progress.step_s);
  if (progress.stopping) {
    line += "  ending after this step; Ctrl-C again: at once";
  } else {
    line += "  about " + duration_text(eta_.remaining_s(index, progress.elapsed_s, progress.step_s)) + " to go";
  }
  const int width = terminal_width(STDERR_FILENO);
  if (width > 1) line = cut_to(line, static_cast<size_t>(width - 1));
  put_progress(line);
  shown_ = true;
}

void ProgressLine::clear() {
  if (!shown_) return;
  put_progress("");
  shown_ = false;
}

}  // namespace assay
