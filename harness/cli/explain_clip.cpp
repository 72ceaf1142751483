#include "harness/cli/explain_clip.h"

#include "reports/clips.h"
#include "reports/format.h"
#include "results/metrics/video_clip.h"
#include "suites/video_case.h"

namespace assay {
namespace {

const VideoClip kTile{33, 256, 256, 1};  // as in the full suite

Result<double> least_s(const Case& c, const Peaks& peaks) {
  const Result<Graph> graph = lower(c, {});
  if (!graph.ok()) return graph.error();
  double seconds = 0;
  for (const OpGroup& g : op_groups(*graph, step_scalars(c, *graph), false)) {
    seconds += static_cast<double>(g.count) * roofline(g, peaks).seconds;
  }
  return seconds;
}

std::string count_text(int64_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : what.ends_with("s") ? "es" : "s");
}

std::string times_text(int64_t count, const std::string& what, double seconds) {
  return count_text(count, what) + " x " + time_text(seconds * 1e9);
}

}  // namespace

Result<std::vector<ClipBound>> clip_bounds(const Case& dit, const Peaks& peaks) {
  const Result<DtypePlan> plan = dit.dtypes();
  if (!plan.ok()) return plan.error();
  Case text = dit, tile = dit;
  text.kind = StepKind::kTextEncoder;
  text.batch = 1;
  text.tokens = dit.video.text.tokens;
  tile.kind = StepKind::kVaeTile;
  tile.batch = 1;
  if (plan->quantize_activations) tile.dtype.resize(tile.dtype.find("_w8a8"));  // a tile has none such (tile_faults)
  tile.frames = kTile.frames;
  tile.height = kTile.height;
  tile.width = kTile.width;
  complete_video_case(&tile);
  const Result<double> pass_s = least_s(dit, peaks), prompt_s = least_s(text, peaks), tile_s = least_s(tile, peaks);
  if (!pass_s.ok()) return pass_s.error();
  if (!prompt_s.ok()) return prompt_s.error();
  if (!tile_s.ok()) return tile_s.error();
  std::vector<ClipBound> out;
  for (const VideoSchedule& s : dit.video.schedules) {
    if (dit.batch > s.passes) continue;  // a part of the run would be for nothing
    const int64_t tiles = vae_tiles({dit.frames, dit.height, dit.width, 1}, kTile);
    out.push_back({s, denoising_runs(s, dit.batch), s.passes, tiles, *pass_s, *prompt_s, *tile_s, kTile});
  }
  return out;
}

std::string clip_bound_text(const Case& dit, const ClipBound& b) {
  const std::string size =
      std::to_string(dit.frames) + "f " + std::to_string(dit.height) + "x" + std::to_string(dit.width);
  const std::string passes = dit.batch == 1 ? times_text(b.passes_run, "pass", b.pass_s)
                                            : count_text(b.passes_run, "run") + " of " + count_text(dit.batch, "pass") +
                                                  " x " + time_text(b.pass_s * 1e9);
  return "clip of " + size + ", " + count_text(b.schedule.steps, "step") + " x " +
         count_text(b.schedule.passes, "pass") + ": at least " + passes + " + " +
         times_text(b.prompts, "prompt", b.prompt_s) + " + " + times_text(b.tiles, "VAE tile", b.tile_s) + " = " +
         time_text(b.seconds() * 1e9) + "; under " + number_text(kClipLimitS, 3) + " s: at least " +
         std::to_string(chips_for(b.seconds(), kClipLimitS, 1)) + " of this chip (projected)";
}

}  // namespace assay
