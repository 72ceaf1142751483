// How many chips a clip needs at least, held against the published feasibility figures of the Vidu-class shapes.
#include "harness/cli/explain_clip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "results/metrics/video_clip.h"
#include "suites/video_case.h"

namespace assay {
namespace {

// 400 TFLOP/s and memory that never binds, so that a pass is its FLOPs alone.
const Peaks kPeaks{400e12, 1e18, "by hand"};

Case pass_of(const std::string& model) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  Case c;
  c.kind = StepKind::kDit;
  c.dtype = "bf16";
  c.video = std::get<VideoShape>(*catalogue.any_model(model));
  c.frames = c.video.clip.frames;
  c.height = c.video.clip.height;
  c.width = c.video.clip.width;
  complete_video_case(&c);
  return c;
}

// Passes alone: 58.58 PFLOP x 100 = 5,858 PFLOP are 14,645 s, 488 chips; x 4 = 234.3 PFLOP are 585.8 s, 20 chips.
// VAE 16x: 4.816 PFLOP x 100 = 481.6 PFLOP are 1,204 s, 40.1 chips; x 4 are 48.2 s, 1.6 chips. The graph also counts
// the projections of patches, text and time (under 0.1 %).
TEST(ClipBounds, ViduClassByHand) {
  for (const auto& [model, pass_s, chips_50, chips_4] : {std::tuple{"vidu-class-1080p-vae8", 146.45, 488.2, 19.5},
                                                         std::tuple{"vidu-class-1080p-vae16", 12.04, 40.1, 1.61}}) {
    const Result<std::vector<ClipBound>> bounds = clip_bounds(pass_of(model), kPeaks);
    ASSERT_TRUE(bounds.ok()) << bounds.error().message;
    ASSERT_EQ(bounds->size(), 2u);
    const ClipBound &slow = (*bounds)[0], &fast = (*bounds)[1];
    EXPECT_EQ(slow.passes_run, 100);
    EXPECT_EQ(fast.passes_run, 4);
    EXPECT_NEAR(slow.pass_s, pass_s, 0.002 * pass_s) << model;
    EXPECT_NEAR(100 * slow.pass_s / kClipLimitS, chips_50, 0.005 * chips_50) << model;
    EXPECT_NEAR(4 * fast.pass_s / kClipLimitS, chips_4, 0.005 * chips_4) << model;
    // 121 frames by tiles of 33, one overlapping: 1 + ceil(88 / 32) = 4; 1088 by 256, 64 overlapping: 1 + ceil(832 /
    // 192) = 6; 1920: 1 + ceil(1664 / 192) = 10.
    EXPECT_EQ(slow.tiles, 4 * 6 * 10);
    EXPECT_EQ(slow.prompts, 2);
    EXPECT_EQ(fast.prompts, 1);
  }
}

// Where memory binds, a tile's weights of one byte take less than those of two; activations are never quantised in it.
TEST(ClipBounds, TilesHaveTheDtypeOfThePass) {
  const Peaks memory{1e30, 1e12, "by hand"};
  std::map<std::string, double> tile_s;
  for (const std::string dtype : {"bf16", "int8", "int8_w8a8"}) {
    Case pass = pass_of("vidu-class-1080p-vae16");
    pass.dtype = dtype;
    const Result<std::vector<ClipBound>> bounds = clip_bounds(pass, memory);
    ASSERT_TRUE(bounds.ok()) << bounds.error().message;
    tile_s[dtype] = bounds->front().tile_s;
  }
  EXPECT_LT(tile_s["int8"], tile_s["bf16"]);
  EXPECT_EQ(tile_s["int8_w8a8"], tile_s["int8"]);
}

TEST(ClipBounds, TheTextAnswersTheQuestion) {
  const Case c = pass_of("vidu-class-1080p-vae8");
  ClipBound b;
  b.schedule = {4, 1};
  b.passes_run = 4;
  b.prompts = 1;
  b.tiles = 240;
  b.pass_s = 100;
  b.prompt_s = 1;
  b.tile_s = 0.5;
  EXPECT_THAT(clip_bound_text(c, b),  // 400 + 1 + 120 = 521 s, 17.4 times 30 s
              testing::AllOf(testing::HasSubstr("clip of 121f 1088x1920, 4 steps x 1 pass: at least 4 passes x "),
                             testing::HasSubstr("under 30 s: at least 18 of this chip (projected)")));
}

}  // namespace
}  // namespace assay
