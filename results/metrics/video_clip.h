// What a clip takes, composed openly from the records of its parts: denoising passes, text encoder, VAE tiles.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/metrics/throughput.h"
#include "results/record.h"
#include "suites/video.h"

namespace assay {

inline constexpr double kClipLimitS = 30;  // the time for a clip that the press asks about

// `count` runs of a step that takes seconds_each.
struct ClipPart {
  std::string name;  // "denoising", "text encoder", "VAE tiles"
  double count = 0;
  double seconds_each = 0;
  Interval interval;   // of seconds_each, 95 %; NaN where none is known: of one step, of a projection
  std::string basis;   // of seconds_each
  std::string record;  // id of the record it comes from
  std::string note;    // "10 of 40 blocks ran", "f32", ...
  [[nodiscard]] double seconds() const { return count * seconds_each; }
};

struct ClipEstimate {
  std::string model, device, product, dtype, schedule_text;
  bool assumption = false;  // the model stands for one whose architecture is not public
  VideoClip clip;
  VideoSchedule schedule;
  std::vector<ClipPart> parts;
  std::vector<std::string> missing;  // parts without a record: the sum is a lower bound
  std::string basis;                 // simulated or reported where a part is, else projected
  [[nodiscard]] double seconds() const;
  [[nodiscard]] Interval seconds_interval() const;  // every part at the same end: no narrower than the sum's
  [[nodiscard]] double clips_per_hour() const { return 3600 / seconds(); }
};

// Steps of a denoising run: `passes` of the transformer in each step, `batch` of them at once.
int64_t denoising_runs(const VideoSchedule& schedule, int64_t batch);

// Tiles of `tile` pixels that cover `size`, each overlapping the one before by `overlap`.
int64_t tiles_over(int64_t size, int64_t tile, int64_t overlap);

// Tiles that cover the clip: a quarter of a tile overlaps in height and width, one frame in time.
int64_t vae_tiles(const VideoClip& clip, const VideoClip& tile);

// Chips that bring `seconds` under `limit_s` where n chips are n x efficiency times as fast. efficiency 1 is the ideal.
int64_t chips_for(double seconds, double limit_s, double efficiency);

// One estimate per transformer record that is ok and per schedule of its model, with the encoder and tile records of
// the same model parts on the same device (the same dtype where there is one). Records of other steps are ignored, and
// schedules of fewer passes than the record takes at once: some would be for nothing.
std::vector<ClipEstimate> compose_clips(const std::vector<Record>& records);

}  // namespace assay
