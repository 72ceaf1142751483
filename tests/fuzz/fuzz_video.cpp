// A video model: refused with a message, or the same again after being written, its clip divided into patches.
#include <cmath>

#include "suites/video.h"
#include "tests/fuzz/fuzz_input.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const Result<VideoShape> video = parse_video(fuzz::text_of(data, size), "fuzz");
  if (!video.ok()) {
    fuzz::must_explain(video.error());
    return 0;
  }
  const std::string text = video_to_json(*video);
  const Result<VideoShape> back = parse_video(text, "fuzz");
  fuzz::must(back.ok() && video_to_json(*back) == text, "a shape survives the way");
  const Result<VideoGrid> grid = video_grid(*video, video->clip);
  if (!grid.ok()) {
    fuzz::must_explain(grid.error());
    return 0;
  }
  fuzz::must(grid->tokens() > 0, "a clip has tokens");
  fuzz::must(std::isfinite(dit_pass_flops(video->dit, grid->tokens())), "FLOPs are counted");
  return 0;
}
