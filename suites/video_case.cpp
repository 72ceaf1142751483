#include "suites/video_case.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

#include "suites/case.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int64_t kMaxClipSide = 1 << 16, kMaxClipTokens = 1 << 20;
constexpr int64_t kMinShrunkTokens = 16;

std::string size_text(const Case& c) {
  return std::to_string(c.frames) + "f" + std::to_string(c.height) + "x" + std::to_string(c.width);
}

std::string expected(const std::string& what, int64_t found) { return what + ", found " + std::to_string(found); }

std::vector<std::string> tile_faults(const Case& c) {
  std::vector<std::string> out;
  const auto& s = c.video.vae.strides;
  if (c.frames < 1 || (c.frames - 1) % s[0] != 0) {
    out.push_back(expected("frames: expected 1 more than a multiple of " + std::to_string(s[0]), c.frames));
  }
  if (c.height < 1 || c.height % s[1] != 0) {
    out.push_back(expected("height: expected a multiple of " + std::to_string(s[1]), c.height));
  }
  if (c.width < 1 || c.width % s[2] != 0) {
    out.push_back(expected("width: expected a multiple of " + std::to_string(s[2]), c.width));
  }
  if (c.dtypes()->quantize_activations) {
    out.push_back("dtype: expected one without quantised activations, found '" + c.dtype + "'");
  }
  return out;
}

VideoClip clip_of(const Case& c) { return {c.frames, c.height, c.width, 1}; }

std::vector<const VideoShape*> read_models(const JsonNode& block, const std::vector<VideoShape>& videos) {
  std::vector<std::string> names;
  names.reserve(videos.size());
  for (const VideoShape& v : videos) names.push_back(v.name);
  std::vector<const VideoShape*> out;
  for (const JsonNode& item : block.at("video_models").items(1, 1000)) {
    const std::string name = item.text_of(names);
    const auto found = std::find_if(videos.begin(), videos.end(), [&](const auto& v) { return v.name == name; });
    if (found != videos.end()) out.push_back(&*found);
  }
  return out;
}

// A size where it stands in the block; frames 0 stands for "reference".
struct PlacedSize {
  JsonNode at;
  VideoClip clip;
};

VideoClip read_size(const JsonNode& node) {
  const std::vector<JsonNode> sides = node.items(3, 3);
  if (sides.size() != 3) return {};
  return {sides[0].integer(1, kMaxClipSide), sides[1].integer(1, kMaxClipSide), sides[2].integer(1, kMaxClipSide), 1};
}

std::vector<int64_t> axis(const JsonNode& block, const char* name, int64_t max) {
  std::vector<int64_t> values;
  for (const JsonNode& item : block.at(name).items(1, 1000)) values.push_back(item.integer(1, max));
  return values;
}

std::vector<PlacedSize> read_sizes(const JsonNode& block, const char* name, bool reference) {
  std::vector<PlacedSize> sizes;
  for (const JsonNode& item : block.at(name).items(1, 1000)) {
    const size_t faults = item.fault_count();
    PlacedSize size{item, {}};
    if (reference && item.is_text()) {
      (void)item.text_of({"reference"});
    } else {
      size.clip = read_size(item);
    }
    if (item.fault_count() == faults) sizes.push_back(size);
  }
  return sizes;
}

// Where the block names the dtype.
JsonNode dtype_node(const JsonNode& block, const std::string& dtype) {
  for (const JsonNode& item : block.at("dtypes").items()) {
    if (item.text() == dtype) return item;
  }
  return block.at("dtypes");
}

// The axes of a video block.
struct VideoAxes {
  const char* batch_name = "batch";
  std::vector<int64_t> batches{1}, tokens{0};  // tokens 0: the model's
  std::vector<PlacedSize> sizes;
  std::vector<const VideoShape*> models;
};

VideoAxes read_axes(const JsonNode& block, StepKind kind, const std::vector<VideoShape>& videos) {
  VideoAxes axes;
  const bool dit = kind == StepKind::kDit, text = kind == StepKind::kTextEncoder;
  if (dit) block.fields({"kind", "dtypes", "cache", "video_models", "clips", "passes"});
  if (text) block.fields({"kind", "dtypes", "cache", "video_models", "tokens", "batch"});
  if (kind == StepKind::kVaeTile) block.fields({"kind", "dtypes", "cache", "video_models", "tiles"});
  if (dit) axes.batch_name = "passes";
  if (block.has(axes.batch_name)) axes.batches = axis(block, axes.batch_name, 64);
  if (text && block.has("tokens")) axes.tokens = axis(block, "tokens", kMaxClipTokens);
  if (text) {
    axes.sizes.push_back({block, {}});
  } else {
    axes.sizes = read_sizes(block, dit ? "clips" : "tiles", dit);
  }
  axes.models = read_models(block, videos);
  return axes;
}

}  // namespace

bool is_video_step(StepKind kind) {
  return kind == StepKind::kDit || kind == StepKind::kTextEncoder || kind == StepKind::kVaeTile;
}

std::vector<std::string> video_case_faults(const Case& c) {
  std::vector<std::string> out;
  if (c.kind == StepKind::kVaeTile) out = tile_faults(c);
  if (c.batch < 1 || c.batch > case_limits::kBatch) {
    out.push_back(expected("batch: expected 1 to " + std::to_string(case_limits::kBatch), c.batch));
  }
  if (c.context != 0) out.push_back(expected("context: expected 0 (a video model has no cache)", c.context));
  if (c.kind == StepKind::kTextEncoder && (c.tokens < 1 || c.tokens > kMaxClipTokens)) {
    out.push_back(expected("tokens: expected 1 to " + std::to_string(kMaxClipTokens), c.tokens));
  }
  if (c.kind != StepKind::kDit) return out;
  const Result<VideoGrid> grid = video_grid(c.video, clip_of(c));
  if (!grid) {
    out.push_back(grid.error().message);
  } else if (c.tokens != grid->tokens()) {
    out.push_back(expected("tokens: expected " + std::to_string(grid->tokens()), c.tokens));
  }
  return out;
}

std::string video_case_id(const Case& c) {
  const std::string id = c.video.name + "/" + c.dtype_label() + "/b" + std::to_string(c.batch) + "/";
  return id + (c.kind == StepKind::kTextEncoder ? "t" + std::to_string(c.tokens) : size_text(c));
}

std::string video_case_json(const Case& c) {
  json j = {{"video_model", json::parse(video_to_json(c.video))}, {"batch", c.batch}};
  if (c.kind == StepKind::kTextEncoder) {
    j["tokens"] = c.tokens;
  } else {
    j["frames"] = c.frames;
    j["height"] = c.height;
    j["width"] = c.width;
  }
  return j.dump();
}

Status read_video_case(const JsonNode& root, const std::string& where, Case* c) {
  Result<VideoShape> video = parse_video(root.at("video_model").canonical(), where + ": video_model");
  if (!video) return video.error();
  c->video = std::move(video).value();
  c->batch = root.at("batch").integer();
  if (c->kind == StepKind::kTextEncoder) {
    c->tokens = root.at("tokens").integer();
  } else {
    c->frames = root.at("frames").integer(1, kMaxClipSide);
    c->height = root.at("height").integer(1, kMaxClipSide);
    c->width = root.at("width").integer(1, kMaxClipSide);
    complete_video_case(c);
  }
  return ok_status();
}

void complete_video_case(Case* c) {
  if (c->kind == StepKind::kDit) {
    const Result<VideoGrid> grid = video_grid(c->video, clip_of(*c));
    c->tokens = grid ? grid->tokens() : 0;
  } else if (c->kind == StepKind::kVaeTile) {
    c->tokens = c->frames * c->height * c->width;
  }
}

std::vector<Case> read_video_block(const JsonNode& block, StepKind kind, const std::string& suite,
                                   const std::vector<std::string>& dtypes, const std::vector<VideoShape>& videos) {
  const VideoAxes axes = read_axes(block, kind, videos);
  std::vector<Case> out;
  std::set<std::string> told;
  Case c;
  c.suite = suite;
  c.kind = kind;
  const auto add = [&](const JsonNode& at) {
    complete_video_case(&c);
    const std::vector<std::string> faults = case_faults(c);
    if (faults.empty()) out.push_back(c);
    for (const std::string& fault : faults) {
      const JsonNode place = fault.rfind("dtype: ", 0) == 0 ? dtype_node(block, c.dtype) : at;
      if (told.insert(place.where() + fault).second) place.fail("case " + c.id() + ": " + fault);
    }
  };
  for (const VideoShape* model : axes.models) {
    c.video = *model;
    for (const PlacedSize& size : axes.sizes) {
      const VideoClip& clip = kind == StepKind::kDit && size.clip.frames == 0 ? model->clip : size.clip;
      std::tie(c.frames, c.height, c.width) = std::tuple{clip.frames, clip.height, clip.width};
      for (const int64_t batch : axes.batches) {
        c.batch = batch;
        for (const int64_t t : axes.tokens) {
          if (kind == StepKind::kTextEncoder) c.tokens = t == 0 ? model->text.tokens : t;
          for (const std::string& dtype : dtypes) {
            c.dtype = dtype;
            add(size.at);
          }
        }
      }
    }
  }
  return out;
}

bool shrink_video_case(Case* c) {
  if (c->batch > 1) {
    c->batch /= 2;
    return true;
  }
  if (c->kind == StepKind::kTextEncoder) {
    if (c->tokens <= kMinShrunkTokens) return false;
    c->tokens = std::max(kMinShrunkTokens, c->tokens / 2);
    return true;
  }
  const bool dit = c->kind == StepKind::kDit;
  const auto& s = c->video.vae.strides;
  const std::array<int64_t, 3> patch = dit ? c->video.dit.patch : std::array<int64_t, 3>{1, 1, 1};
  // Frames first: the largest number of whole patches in time that is at most half.
  const int64_t patches_t = ((c->frames - 1) / s[0] + 1) / patch[0];
  const int64_t unit_h = s[1] * patch[1], unit_w = s[2] * patch[2];
  if (patches_t > 1) {
    c->frames = (patches_t / 2 * patch[0] - 1) * s[0] + 1;
    complete_video_case(c);
    return true;
  }
  // Then the longer side of the frame, or the one that still has two patches.
  const bool tall = c->height >= 2 * unit_h, wide = c->width >= 2 * unit_w;
  if (!tall && !wide) return false;
  if (tall && (c->height >= c->width || !wide)) {
    c->height = c->height / 2 / unit_h * unit_h;
  } else {
    c->width = c->width / 2 / unit_w * unit_w;
  }
  complete_video_case(c);
  return true;
}

}  // namespace assay
