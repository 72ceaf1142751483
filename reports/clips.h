// The table of what clips take, beside the table of their records.
#pragma once

#include <string>
#include <vector>

#include "reports/tables.h"
#include "results/metrics/video_clip.h"

namespace assay {

// One row per estimate, and below it where each part comes from. kText or kMarkdown. "" for no estimates.
std::string render_clips(const std::vector<ClipEstimate>& clips, TableFormat format);

}  // namespace assay
