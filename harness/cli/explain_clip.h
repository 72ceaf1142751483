// What a clip takes at least by a device's peaks, from one of its denoising passes.
#pragma once

#include <string>
#include <vector>

#include "suites/profile.h"
#include "suites/suite.h"

namespace assay {

// One schedule of a video model, composed of parts by the roofline; basis projected.
struct ClipBound {
  VideoSchedule schedule;
  int64_t passes_run = 0, prompts = 0, tiles = 0;  // how often each part runs
  double pass_s = 0, prompt_s = 0, tile_s = 0;     // the least time of one
  VideoClip tile;                                  // in pixels
  [[nodiscard]] double seconds() const {
    return static_cast<double>(passes_run) * pass_s + static_cast<double>(prompts) * prompt_s +
           static_cast<double>(tiles) * tile_s;
  }
};

// One bound for each schedule of the model of `dit`, a denoising case whose batch is the passes of one run and no more
// than the schedule's. The text
// encoder takes the case's dtype and the tile of the decoder its activations'; both by the same peaks.
Result<std::vector<ClipBound>> clip_bounds(const Case& dit, const Peaks& peaks);

// "clip of 121f 1088x1920, 50 steps x 2 passes: at least 100 x 5.2 s + ...: 18 chips for under 30 s"
std::string clip_bound_text(const Case& dit, const ClipBound& bound);

}  // namespace assay
