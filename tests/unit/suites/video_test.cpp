#include "suites/video.h"

#include <gtest/gtest.h>

#include <cmath>

#include "suites/lower/video.h"
#include "suites/suite.h"
#include "suites/video_case.h"

namespace assay {
namespace {

const Catalogue& catalogue() {
  static const Catalogue kCatalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return kCatalogue;
}

VideoShape shape(const std::string& name) {
  for (const VideoShape& v : catalogue().videos()) {
    if (v.name == name) return v;
  }
  ADD_FAILURE() << name;
  return {};
}

Case dit_case(const VideoShape& v, const VideoClip& clip, const std::string& dtype = "bf16") {
  Case c;
  c.suite = "video-diffusion";
  c.kind = StepKind::kDit;
  c.video = v;
  c.dtype = dtype;
  c.frames = clip.frames;
  c.height = clip.height;
  c.width = clip.width;
  complete_video_case(&c);
  return c;
}

// Published reference runs: tokens, PFLOP of one pass and of a clip by the formula of video.h, worked out by hand.
// Wan2.1-14B at 720 x 1280 x 81: latent 21 x 90 x 160, patches 21 x 45 x 80 = 75,600; per block
// 8 N h^2 = 15.855e12, 4 N h f = 21.404e12, 4 N^2 h = 117.05e12, cross 7.927e12 + 0.054e12 + 0.793e12, sum 163.08e12,
// times 40 = 6.52 PFLOP, times 50 x 2 = 652.
struct Reference {
  const char* name;
  int64_t tokens;
  double pass, clip;              // PFLOP
  double pass_digit, clip_digit;  // half of the last digit given
};
class Published : public testing::TestWithParam<Reference> {};

TEST_P(Published, TokensAndPetaflops) {
  const Reference& r = GetParam();
  const VideoShape v = shape(r.name);
  const Result<VideoGrid> grid = video_grid(v, v.clip);
  ASSERT_TRUE(grid.ok()) << grid.error().message;
  EXPECT_EQ(grid->tokens(), r.tokens);
  const double pass = dit_pass_flops(v.dit, grid->tokens()) / 1e15;
  EXPECT_NEAR(pass, r.pass, r.pass_digit);
  const VideoSchedule& s = v.schedules.front();
  EXPECT_NEAR(pass * static_cast<double>(s.steps * s.passes), r.clip, r.clip_digit);
}

INSTANTIATE_TEST_SUITE_P(Video, Published,
                         testing::Values(Reference{"wan2.1-1.3b", 32760, 0.283, 28, 0.0005, 0.5},
                                         Reference{"wan2.1-14b", 75600, 6.52, 652, 0.005, 0.5},
                                         Reference{"wan2.2-ti2v-5b", 27280, 0.52, 52, 0.005, 0.5},
                                         Reference{"hunyuanvideo", 118800, 12.1, 603, 0.05, 0.5},
                                         Reference{"cogvideox-2b", 17550, 0.12, 12, 0.005, 0.5},
                                         Reference{"cogvideox-5b", 17550, 0.33, 33, 0.005, 0.5},
                                         Reference{"vidu-class-1080p-vae8", 252960, 58.58, 5858, 0.005, 0.5},
                                         Reference{"vidu-class-1080p-vae16", 63240, 4.816, 481.6, 0.005, 0.5}),
                         [](const auto& given) {
                           std::string name = given.param.name;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

// Joint streams attend over text and video together: 17,550 + 226 and 118,800 + 256 rows.
TEST(Video, RowsOfJointStreams) {
  const auto rows = [](const char* name) {
    const VideoShape v = shape(name);
    return video_grid(v, v.clip)->tokens() + v.dit.text_tokens;
  };
  EXPECT_EQ(rows("cogvideox-2b"), 17776);
  EXPECT_EQ(rows("cogvideox-5b"), 17776);
  EXPECT_EQ(rows("hunyuanvideo"), 119056);
}

// The reference runs of facts B2 whose shapes are not shipped, by the same formula. Wan2.2-A14B runs two 14B experts,
// one a step; CogVideoX1.5 pads 21 latent frames to 22 for patches of two: 11 x 48 x 85 = 44,880 patches, with text
// 45,104.
TEST(Video, PetaflopsOfOtherPublishedRuns) {
  const struct {
    const char* name;
    int64_t blocks, hidden, ffn, text, tokens;
    double pass, runs, clip;        // PFLOP
    double pass_digit, clip_digit;  // half of the last digit given
  } published[] = {
      {"CogVideoX1.5-5B", 42, 3072, 4 * 3072, 224, 44880, 1.48, 100, 148, 0.005, 0.5},
      {"Open-Sora 2.0", 57, 3072, 4 * 3072, 512, 76000, 5.1, 150, 764, 0.05, 1},
      {"GLM-Image", 30, 4096, 4 * 4096, 0, 4096, 0.058, 100, 6, 0.0005, 0.5},
  };
  for (const auto& p : published) {
    VideoDit d;
    d.stream = TextStream::kJoint;
    d.blocks = p.blocks;
    d.hidden = p.hidden;
    d.ffn = p.ffn;
    d.text_tokens = p.text;
    const double pass = dit_pass_flops(d, p.tokens) / 1e15;
    EXPECT_NEAR(pass, p.pass, p.pass_digit) << p.name;
    EXPECT_NEAR(pass * p.runs, p.clip, p.clip_digit) << p.name;
  }
  const VideoShape wan = shape("wan2.1-14b");
  const double pass = dit_pass_flops(wan.dit, 75600) / 1e15;
  EXPECT_NEAR(pass * 40 * 2, 522, 0.5);
  EXPECT_NEAR(pass * 20 * 2, 261, 0.5);
}

// PFLOP/s that a Vidu-class clip takes to be denoised in 30 s (facts B2), by VAE and schedule.
TEST(Video, SustainedRateForAClipInThirtySeconds) {
  const auto rate = [](const char* name, size_t schedule) {
    const VideoShape v = shape(name);
    const VideoSchedule& s = v.schedules.at(schedule);
    return dit_pass_flops(v.dit, video_grid(v, v.clip)->tokens()) * static_cast<double>(s.steps * s.passes) / 30 / 1e15;
  };
  EXPECT_NEAR(rate("vidu-class-1080p-vae8", 0), 195, 0.5);
  EXPECT_NEAR(rate("vidu-class-1080p-vae8", 1), 7.8, 0.05);
  EXPECT_NEAR(rate("vidu-class-1080p-vae16", 0), 16, 0.5);
  EXPECT_NEAR(rate("vidu-class-1080p-vae16", 1), 0.64, 0.005);
}

// The transformers' weights count up to the published files: sizes over bytes per element, to the digits published.
TEST(Video, ParametersArePublished) {
  const auto billions = [](const char* name) { return dit_params(shape(name)) / 1e9; };
  EXPECT_NEAR(billions("wan2.1-14b"), 28.577761176 / 2, 0.001);       // wan2.1_t2v_14B_fp16.safetensors, bytes
  EXPECT_NEAR(billions("wan2.1-1.3b"), 5.68 / 4, 0.005 / 4 + 0.001);  // f32 weight files
  EXPECT_NEAR(billions("wan2.2-ti2v-5b"), 5.0, 0.05);                 // 8-bit file
  EXPECT_NEAR(billions("cogvideox-2b"), 3.39 / 2, 0.005 / 2);         // fp16 file
  EXPECT_NEAR(billions("cogvideox-5b"), 5.57, 0.005);                 // 8-bit file
  EXPECT_NEAR(billions("hunyuanvideo"), 25.64 / 2, 0.005);            // three bf16 files of 9.97, 9.97 and 5.70 GB
}

TEST(Video, ShapesSurviveTheirJson) {
  for (const VideoShape& v : catalogue().videos()) {
    const Result<VideoShape> again = parse_video(video_to_json(v), v.name);
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(video_to_json(*again), video_to_json(v));
  }
}

TEST(Video, CasesSurviveTheirJson) {
  Case c = dit_case(shape("hunyuanvideo"), {9, 96, 160, 24});
  c.batch = 2;
  EXPECT_EQ(c.id(), "video-diffusion/dit/hunyuanvideo/bf16/b2/9f96x160");
  EXPECT_EQ(c.tokens, 3 * 6 * 10);
  Result<Case> again = case_from_json(c.to_json(), "case");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->hash(), c.hash());
  EXPECT_EQ(again->tokens, c.tokens);
  c.kind = StepKind::kTextEncoder;
  c.tokens = 226;
  again = case_from_json(c.to_json(), "case");
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(again->id(), "video-diffusion/text-encoder/hunyuanvideo/bf16/b2/t226");
}

TEST(Video, SizesThatDoNotFitAreRefused) {
  const VideoShape v = shape("wan2.1-1.3b");
  EXPECT_EQ(video_grid(v, {80, 480, 832, 16}).error().message,
            "frames: expected 1 more than a multiple of 4, found 80");
  EXPECT_EQ(video_grid(v, {81, 488, 832, 16}).error().message, "height: expected a multiple of 16, found 488");
  EXPECT_EQ(video_grid(v, {81, 480, 8, 16}).error().message, "width: expected a multiple of 16, found 8");
  EXPECT_EQ(video_grid(v, {80, 488, 832, 16}).error().message,
            "frames: expected 1 more than a multiple of 4, found 80; height: expected a multiple of 16, found 488");
  Case tile = dit_case(v, {5, 64, 60, 1}, "int8_w8a8");
  tile.kind = StepKind::kVaeTile;
  complete_video_case(&tile);
  EXPECT_EQ(video_case_faults(tile),
            (std::vector<std::string>{"width: expected a multiple of 8, found 60",
                                      "dtype: expected one without quantised activations, found 'int8_w8a8'"}));
}

TEST(Video, ATileOfInt8HasItsConvolutionsInInt8) {
  Case tile = dit_case(shape("wan2.1-1.3b"), {5, 64, 64, 1}, "int8");
  tile.kind = StepKind::kVaeTile;
  complete_video_case(&tile);
  const Result<Graph> g = lower(tile, {});
  ASSERT_TRUE(g.ok()) << g.error().message;
  size_t convolutions = 0;
  for (const Op& op : g->ops) {
    if (op.kind != ASSAY_OP_CONV3D) continue;
    ++convolutions;
    const Tensor& w = g->tensors[op.in[1]];
    EXPECT_EQ(w.dtype, static_cast<uint32_t>(ASSAY_I8)) << op.name;
    ASSERT_GE(w.scale, 0) << op.name;
    EXPECT_EQ(g->tensors[static_cast<size_t>(w.scale)].dims, (std::vector<int64_t>{w.dims[0], 1})) << op.name;
    EXPECT_EQ(g->tensors[op.in[0]].dtype, static_cast<uint32_t>(ASSAY_BF16)) << op.name;
  }
  EXPECT_GT(convolutions, 10u);
}

// A dtype's fault is told where the dtype stands, once for all tiles.
TEST(Video, ATilesDtypeIsRefusedWhereItStands) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  const Result<Suite> suite = catalogue.suite_from(R"({"name": "mine", "extends": "video-diffusion", "full": {"cases": [
{"kind": "vae-tile", "video_models": ["wan2.1-1.3b"], "tiles": [[5, 64, 64], [9, 64, 64]],
"dtypes": ["int8", "fp8",
"int8_w8a8"]}]}})",
                                                   "mine.json");
  ASSERT_FALSE(suite.ok());
  EXPECT_EQ(
      suite.error().message,
      "mine.json: full.cases[0].dtypes[2]: case mine/vae-tile/wan2.1-1.3b/int8_w8a8/b1/5f64x64: dtype: expected one "
      "without quantised activations, found 'int8_w8a8'");
  ASSERT_EQ(suite.error().faults.size(), 1u);
  EXPECT_EQ(suite.error().faults[0].line, 4);
}

TEST(Video, AShapeFilesFaultsAreNamed) {
  const std::string good = video_to_json(shape("cogvideox-5b"));
  const auto fault = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const Result<VideoShape> v = parse_video(text, "v.json");
    return v.ok() ? "" : v.error().message;
  };
  EXPECT_EQ(fault("\"rope_dims\":[16,24,24]", "\"rope_dims\":[16,24,22]"),
            "v.json: dit.rope_dims: expected even sizes with the sum 64 (hidden / heads)");
  EXPECT_EQ(fault("\"stream\":\"joint\"", "\"stream\":\"jiont\""),
            "v.json: dit.stream: unknown value 'jiont'; did you mean 'joint'?");
  EXPECT_EQ(fault("\"strides\":[4,8,8]", "\"strides\":[4,8,16]"),
            "v.json: vae.up: expected factors whose products with pixel_patch are the strides");
  EXPECT_EQ(fault("\"height\":480", "\"height\":484"), "v.json: clip: height: expected a multiple of 16, found 484");
}

TEST(Video, ShrinkingEndsAtOnePatch) {
  Case c = dit_case(shape("wan2.1-14b"), shape("wan2.1-14b").clip);
  c.batch = 2;
  int64_t before = c.tokens_per_step();
  while (shrink_video_case(&c)) {
    EXPECT_EQ(video_case_faults(c), std::vector<std::string>{});
    EXPECT_LT(c.tokens_per_step(), before);
    before = c.tokens_per_step();
  }
  EXPECT_EQ(c.tokens, 1);
}

}  // namespace
}  // namespace assay
