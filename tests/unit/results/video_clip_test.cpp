#include "results/metrics/video_clip.h"

#include <gtest/gtest.h>

#include <cmath>

#include "suites/suite.h"
#include "suites/video_case.h"

namespace assay {
namespace {

Record record_of(StepKind kind, const std::string& model, const std::string& dtype, const VideoClip& size,
                 std::vector<uint64_t> steps_ns) {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  Case c;
  c.suite = "video-diffusion";
  c.kind = kind;
  c.dtype = dtype;
  for (const VideoShape& v : kCatalogue.videos()) {
    if (v.name == model) c.video = v;
  }
  c.frames = size.frames;
  c.height = size.height;
  c.width = size.width;
  complete_video_case(&c);
  if (kind == StepKind::kTextEncoder) c.tokens = 512;
  Record r;
  r.id = std::string(step_kind_name(kind)) + "-" + dtype;
  r.status = "ok";
  r.basis = "measured";
  r.device = "cpu:0";
  r.dtype = dtype;
  r.step_kind = step_kind_name(kind);
  r.case_id = c.id();
  r.case_json = c.to_json();
  r.samples.host_ns = std::move(steps_ns);
  return r;
}

TEST(VideoClip, TilesByHand) {
  EXPECT_EQ(tiles_over(256, 256, 64), 1);
  // Tiles at 0, 192, 384, 576 of 720: 576 + 256 = 832 >= 720; three end at 384 + 256 = 640 < 720.
  EXPECT_EQ(tiles_over(720, 256, 64), 4);
  EXPECT_EQ(tiles_over(640, 256, 64), 3);
  // 1280: 0, 192 .. 1152: six end at 960 + 256 = 1216, so seven. 81 frames by 33: 33, then 32 new ones each: 33,
  // 65, 97.
  EXPECT_EQ(vae_tiles({81, 720, 1280, 16}, {33, 256, 256, 1}), 3 * 4 * 7);
}

TEST(VideoClip, RunsAndChipsByHand) {
  EXPECT_EQ(denoising_runs({50, 2}, 1), 100);
  EXPECT_EQ(denoising_runs({50, 2}, 2), 50);
  EXPECT_EQ(denoising_runs({50, 3}, 2), 100);
  // 5,858 PFLOP at 400 TFLOP/s are 14,645 s: 488.2 chips for 30 s, at 80 % efficiency 610.2.
  EXPECT_EQ(chips_for(5858.0 / 0.4, 30, 1), 489);
  EXPECT_EQ(chips_for(5858.0 / 0.4, 30, 0.8), 611);
  EXPECT_EQ(chips_for(30, 30, 1), 1);
}

TEST(VideoClip, IsTheSumOfItsParts) {
  // Wan2.1-14B at 720p: 50 x 2 passes of 2 s (mean of 1.5 and 2.5), two prompts of 0.5 s, 84 tiles of 0.25 s:
  // 200 + 1 + 21 = 222 s, 16.2 clips an hour, 8 chips for 30 s.
  const std::vector<Record> records{
      record_of(StepKind::kDit, "wan2.1-14b", "bf16", {81, 720, 1280, 16}, {1'500'000'000, 2'500'000'000}),
      record_of(StepKind::kTextEncoder, "wan2.1-1.3b", "bf16", {}, {500'000'000}),
      record_of(StepKind::kVaeTile, "wan2.1-14b", "f32", {33, 256, 256, 1}, {9'000'000'000}),
      record_of(StepKind::kVaeTile, "wan2.1-14b", "bf16", {33, 256, 256, 1}, {250'000'000})};
  const std::vector<ClipEstimate> clips = compose_clips(records);
  ASSERT_EQ(clips.size(), 1u);
  const ClipEstimate& e = clips[0];
  EXPECT_TRUE(e.missing.empty());
  ASSERT_EQ(e.parts.size(), 3u);
  EXPECT_EQ(e.parts[0].count, 100);
  EXPECT_DOUBLE_EQ(e.parts[1].seconds(), 1);
  EXPECT_DOUBLE_EQ(e.parts[2].seconds(), 21);
  EXPECT_EQ(e.parts[2].record, "vae-tile-bf16") << "the tile of the same dtype";
  EXPECT_DOUBLE_EQ(e.seconds(), 222);
  EXPECT_NEAR(e.clips_per_hour(), 16.216, 0.001);
  EXPECT_EQ(chips_for(e.seconds(), 30, 1), 8);
  EXPECT_EQ(e.basis, "projected");
}

// Two passes at once are no step of a schedule with one: 50 x 2 of the model's two schedules is left.
TEST(VideoClip, PassesAtOnceFitTheSchedule) {
  Record dit = record_of(StepKind::kDit, "vidu-class-1080p-vae16", "bf16", {121, 1088, 1920, 24}, {1'000'000'000});
  Case both = *case_from_json(dit.case_json, "case");
  both.batch = 2;
  dit.case_json = both.to_json();
  const std::vector<ClipEstimate> clips = compose_clips({dit});
  ASSERT_EQ(clips.size(), 1u);
  EXPECT_EQ(clips[0].schedule_text, "50 x 2");
  EXPECT_EQ(clips[0].parts[0].count, 50);
}

TEST(VideoClip, SaysWhatIsMissingAndHowItWasProjected) {
  Record dit = record_of(StepKind::kDit, "vidu-class-1080p-vae16", "bf16", {121, 1088, 1920, 24}, {1'000'000'000});
  dit.extrapolation = Extrapolation{};
  dit.extrapolation->layers_run = 4;
  dit.extrapolation->layers_total = 40;
  EXPECT_TRUE(compose_clips({dit}).empty()) << "4 of 40 blocks without a projection say nothing of a clip";
  dit.extrapolation->projected_step_ns = 9e9;
  Record other = record_of(StepKind::kVaeTile, "vidu-class-1080p-vae16", "bf16", {33, 256, 256, 1}, {1'000'000'000});
  other.device = "gpu:0";
  const std::vector<ClipEstimate> clips = compose_clips({dit, other});
  ASSERT_EQ(clips.size(), 2u) << "50 x 2 and 4 x 1";
  EXPECT_EQ(clips[0].missing, (std::vector<std::string>{"text encoder", "VAE tile"}));
  EXPECT_DOUBLE_EQ(clips[0].seconds(), 900);
  EXPECT_DOUBLE_EQ(clips[1].seconds(), 36);
  EXPECT_EQ(clips[0].parts[0].note, "4/40 layers ran");
  EXPECT_TRUE(clips[0].assumption);
  EXPECT_TRUE(std::isnan(clips[0].seconds_interval().low)) << "one step has no interval";
  dit.samples.host_ns = {1'000'000'000, 1'000'000'000};
  dit.samples.start_ns = {0, 1'000'000'000};
  EXPECT_TRUE(std::isnan(compose_clips({dit})[0].seconds_interval().low)) << "nor has a projection by two points";
  dit.extrapolation->layers_run = 40;
  dit.extrapolation->experts_run = 4;
  dit.extrapolation->experts_total = 8;
  dit.extrapolation->projected_step_ns.reset();
  EXPECT_TRUE(compose_clips({dit}).empty()) << "half of the experts say nothing of a clip either";
  dit.extrapolation->projected_step_ns = 9e9;
  dit.case_id += "/cold";
  EXPECT_TRUE(compose_clips({dit, other}).empty());
}

TEST(VideoClip, FailedAndSimulatedRecords) {
  Record dit = record_of(StepKind::kDit, "wan2.1-1.3b", "f32", {9, 128, 256, 16}, {1'000'000});
  dit.basis = "simulated";
  ASSERT_EQ(compose_clips({dit}).size(), 1u);
  EXPECT_EQ(compose_clips({dit})[0].basis, "simulated");
  dit.status = "failed";
  EXPECT_TRUE(compose_clips({dit}).empty());
}

}  // namespace
}  // namespace assay
