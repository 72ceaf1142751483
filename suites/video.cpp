// Video shapes: parsing, writing and their sizes.
#include "suites/video.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "suites/base/json_input.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int64_t kMaxVideoLayers = 4096, kMaxVideoWidth = 1 << 20, kMaxVideoVocab = 1 << 26, kMaxTokens = 1 << 20,
                  kMaxSide = 1 << 16;

// Enumerators by the names they have in files.
const std::vector<std::string> kStreams{"cross", "joint", "dual"}, kModulations{"shared", "block"},
    kQkNorms{"none", "rows", "heads"}, kProjections{"linear", "mlp", "refiner"}, kEncoders{"t5", "causal"},
    kNorms{"rms", "group"};

template <typename E>
E read_name(const JsonNode& node, const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), node.text_of(names));
  return static_cast<E>(found == names.end() ? 0 : found - names.begin());
}

std::array<int64_t, 3> read_triple(const JsonNode& node, int64_t min, int64_t max) {
  std::array<int64_t, 3> out{min, min, min};
  const std::vector<JsonNode> items = node.items(3, 3);
  for (size_t i = 0; i < items.size(); ++i) out[i] = items[i].integer(min, max);
  return out;
}

// A member that may be left out.
int64_t optional_integer(const JsonNode& node, const char* name, int64_t min, int64_t max, int64_t absent) {
  return node.has(name) ? node.at(name).integer(min, max) : absent;
}

void check_dit(const JsonNode& node, const VideoDit& d) {
  if (d.heads < 1 || d.hidden % d.heads != 0 || d.head_dim() % 2 != 0) {
    node.at("heads").fail_expected("a divisor of hidden (" + std::to_string(d.hidden) + ") that leaves even heads");
    return;
  }
  const auto& r = d.rope_dims;
  const int64_t sum = r[0] + r[1] + r[2];
  const bool even = r[0] % 2 == 0 && r[1] % 2 == 0 && r[2] % 2 == 0;
  if (sum != 0 && (sum != d.head_dim() || !even)) {
    node.at("rope_dims").fail("expected even sizes with the sum " + std::to_string(d.head_dim()) + " (hidden / heads)");
  }
  if ((d.stream == TextStream::kDual) != (d.single_blocks > 0)) {
    node.fail("expected single_blocks with stream 'dual', and only there");
  }
  if ((d.text_projection == TextProjection::kRefiner) != (d.refiner_blocks > 0)) {
    node.fail("expected refiner_blocks with text_projection 'refiner', and only there");
  }
  if (d.modulation == Modulation::kShared && (d.stream != TextStream::kCross || d.time_width != d.hidden)) {
    node.at("modulation").fail("expected 'block': 'shared' needs stream 'cross' and a time_width equal to hidden");
  }
}

VideoDit read_dit(const JsonNode& node) {
  node.fields({"stream",         "blocks",   "single_blocks",   "hidden",           "ffn",
               "heads",          "channels", "patch",           "rope_dims",        "rope_theta",
               "modulation",     "qk_norm",  "norm_affine",     "time_frequencies", "time_width",
               "pooled_text",    "guidance", "text_projection", "text_tokens",      "text_width",
               "refiner_blocks", "norm_eps"});
  VideoDit d;
  const size_t faults = node.fault_count();
  d.stream = read_name<TextStream>(node.at("stream"), kStreams);
  d.blocks = node.at("blocks").integer(1, kMaxVideoLayers);
  d.single_blocks = optional_integer(node, "single_blocks", 0, kMaxVideoLayers, 0);
  d.hidden = node.at("hidden").integer(2, kMaxVideoWidth);
  d.ffn = node.at("ffn").integer(1, kMaxVideoWidth);
  d.heads = node.at("heads").integer(1, kMaxVideoWidth);
  d.channels = node.at("channels").integer(1, kMaxVideoWidth);
  d.patch = read_triple(node.at("patch"), 1, 64);
  if (node.has("rope_dims")) d.rope_dims = read_triple(node.at("rope_dims"), 2, kMaxVideoWidth);
  if (node.has("rope_theta")) d.rope_theta = node.at("rope_theta").number(1, 1e12);
  d.modulation = read_name<Modulation>(node.at("modulation"), kModulations);
  d.qk_norm = read_name<QkNorm>(node.at("qk_norm"), kQkNorms);
  if (node.has("norm_affine")) d.norm_affine = node.at("norm_affine").boolean();
  d.time_frequencies = node.at("time_frequencies").integer(2, kMaxVideoWidth);
  d.time_width = node.at("time_width").integer(1, kMaxVideoWidth);
  d.pooled_text = optional_integer(node, "pooled_text", 0, kMaxVideoWidth, 0);
  if (node.has("guidance")) d.guidance = node.at("guidance").boolean();
  d.text_projection = read_name<TextProjection>(node.at("text_projection"), kProjections);
  d.text_tokens = node.at("text_tokens").integer(1, kMaxTokens);
  d.text_width = node.at("text_width").integer(1, kMaxVideoWidth);
  d.refiner_blocks = optional_integer(node, "refiner_blocks", 0, kMaxVideoLayers, 0);
  d.norm_eps = node.at("norm_eps").number(1e-12, 1);
  if (node.fault_count() == faults) check_dit(node, d);
  return d;
}

void check_vae(const JsonNode& node, const VideoVae& v) {
  if (v.up.size() + 1 != v.widths.size()) {
    return node.at("up").fail("expected " + std::to_string(v.widths.size() - 1) + " entries, one fewer than widths");
  }
  std::array<int64_t, 3> product{1, v.pixel_patch, v.pixel_patch};
  for (const VaeUp& u : v.up) {
    product[0] *= u.t;
    product[1] *= u.h;
    product[2] *= u.w;
  }
  if (product != v.strides) node.at("up").fail("expected factors whose products with pixel_patch are the strides");
  for (const int64_t width : v.widths) {
    if (v.groups > 0 && width % v.groups != 0) {
      node.at("widths").fail("expected multiples of groups (" + std::to_string(v.groups) + ")");
    }
  }
}

VideoVae read_vae(const JsonNode& node) {
  node.fields({"strides", "latent_channels", "out_channels", "widths", "up", "blocks", "up_kernel_t", "time_conv",
               "norm", "groups", "attention", "pixel_patch"});
  VideoVae v;
  const size_t faults = node.fault_count();
  v.strides = read_triple(node.at("strides"), 1, 64);
  v.latent_channels = node.at("latent_channels").integer(1, kMaxVideoWidth);
  v.out_channels = node.at("out_channels").integer(1, kMaxVideoWidth);
  for (const JsonNode& item : node.at("widths").items(1, 16)) v.widths.push_back(item.integer(1, kMaxVideoWidth));
  for (const JsonNode& item : node.at("up").items(0, 15)) {
    item.fields({"t", "h", "w", "width"});
    v.up.push_back({item.at("t").integer(1, 4), item.at("h").integer(1, 4), item.at("w").integer(1, 4),
                    item.at("width").integer(1, kMaxVideoWidth)});
  }
  v.blocks = node.at("blocks").integer(1, 64);
  v.up_kernel_t = node.at("up_kernel_t").integer(1, 7);
  if (node.has("time_conv")) v.time_conv = node.at("time_conv").boolean();
  const std::string norm = node.at("norm").text_of(kNorms);
  if (norm == "group") v.groups = node.at("groups").integer(1, kMaxVideoWidth);
  if (norm == "rms" && node.has("groups")) node.at("groups").fail("RMS norm has no groups");
  if (node.has("attention")) v.attention = node.at("attention").boolean();
  v.pixel_patch = optional_integer(node, "pixel_patch", 1, 64, 1);
  if (node.fault_count() == faults) check_vae(node, v);
  return v;
}

TextEncoderShape read_text_encoder(const JsonNode& node) {
  node.fields(
      {"name", "kind", "layers", "hidden", "ffn", "heads", "kv_heads", "head_dim", "vocab", "tokens", "rope_theta"});
  TextEncoderShape t;
  const size_t faults = node.fault_count();
  t.name = node.at("name").text(64);
  t.causal = node.at("kind").text_of(kEncoders) == "causal";
  t.layers = node.at("layers").integer(1, kMaxVideoLayers);
  t.hidden = node.at("hidden").integer(1, kMaxVideoWidth);
  t.ffn = node.at("ffn").integer(1, kMaxVideoWidth);
  t.heads = node.at("heads").integer(1, kMaxVideoWidth);
  t.kv_heads = optional_integer(node, "kv_heads", 1, kMaxVideoWidth, t.heads);
  t.head_dim = node.at("head_dim").integer(2, kMaxVideoWidth);
  t.vocab = node.at("vocab").integer(2, kMaxVideoVocab);
  t.tokens = node.at("tokens").integer(1, kMaxTokens);
  if (node.has("rope_theta")) t.rope_theta = node.at("rope_theta").number(1, 1e12);
  if (node.fault_count() != faults) return t;
  if (t.heads % t.kv_heads != 0) node.at("heads").fail_expected("a multiple of kv_heads");
  if (t.head_dim % 2 != 0) node.at("head_dim").fail_expected("an even number");
  return t;
}

VideoClip read_clip(const JsonNode& node) {
  node.fields({"frames", "height", "width", "fps"});
  return {node.at("frames").integer(1, kMaxSide), node.at("height").integer(1, kMaxSide),
          node.at("width").integer(1, kMaxSide), node.at("fps").number(0.1, 1000)};
}

json dit_json(const VideoDit& d) {
  json j = {{"stream", kStreams[static_cast<size_t>(d.stream)]},
            {"blocks", d.blocks},
            {"hidden", d.hidden},
            {"ffn", d.ffn},
            {"heads", d.heads},
            {"channels", d.channels},
            {"patch", d.patch},
            {"modulation", kModulations[static_cast<size_t>(d.modulation)]},
            {"qk_norm", kQkNorms[static_cast<size_t>(d.qk_norm)]},
            {"norm_affine", d.norm_affine},
            {"time_frequencies", d.time_frequencies},
            {"time_width", d.time_width},
            {"guidance", d.guidance},
            {"text_projection", kProjections[static_cast<size_t>(d.text_projection)]},
            {"text_tokens", d.text_tokens},
            {"text_width", d.text_width},
            {"norm_eps", d.norm_eps}};
  if (d.single_blocks > 0) j["single_blocks"] = d.single_blocks;
  if (d.pooled_text > 0) j["pooled_text"] = d.pooled_text;
  if (d.refiner_blocks > 0) j["refiner_blocks"] = d.refiner_blocks;
  if (d.rope_dims[0] > 0) {
    j["rope_dims"] = d.rope_dims;
    j["rope_theta"] = d.rope_theta;
  }
  return j;
}

json vae_json(const VideoVae& v) {
  json up = json::array();
  for (const VaeUp& u : v.up) up.push_back({{"t", u.t}, {"h", u.h}, {"w", u.w}, {"width", u.width}});
  json j = {{"strides", v.strides},
            {"latent_channels", v.latent_channels},
            {"out_channels", v.out_channels},
            {"widths", v.widths},
            {"up", up},
            {"blocks", v.blocks},
            {"up_kernel_t", v.up_kernel_t},
            {"time_conv", v.time_conv},
            {"norm", v.groups > 0 ? "group" : "rms"},
            {"attention", v.attention},
            {"pixel_patch", v.pixel_patch}};
  if (v.groups > 0) j["groups"] = v.groups;
  return j;
}

json text_json(const TextEncoderShape& t) {
  return {{"name", t.name},
          {"kind", t.causal ? "causal" : "t5"},
          {"layers", t.layers},
          {"hidden", t.hidden},
          {"ffn", t.ffn},
          {"heads", t.heads},
          {"kv_heads", t.kv_heads},
          {"head_dim", t.head_dim},
          {"vocab", t.vocab},
          {"tokens", t.tokens},
          {"rope_theta", t.rope_theta}};
}

}  // namespace

Result<VideoGrid> video_grid(const VideoShape& v, const VideoClip& clip) {
  const auto& s = v.vae.strides;
  const auto& p = v.dit.patch;
  std::string faults;
  if ((clip.frames - 1) % s[0] != 0 || ((clip.frames - 1) / s[0] + 1) % p[0] != 0) {
    faults = "frames: expected 1 more than a multiple of " + std::to_string(s[0]) +
             (p[0] > 1 ? " that fills patches of " + std::to_string(p[0]) : "") + ", found " +
             std::to_string(clip.frames);
  }
  VideoGrid grid;
  grid.latent = {(clip.frames - 1) / s[0] + 1, clip.height / s[1], clip.width / s[2]};
  const std::array<int64_t, 3> size{grid.latent[0] * s[0], clip.height, clip.width};
  for (size_t i = 1; i < 3; ++i) {
    if (size[i] < 1 || size[i] % (s[i] * p[i]) != 0) {
      faults += (faults.empty() ? "" : "; ") + std::string(i == 1 ? "height" : "width") + ": expected a multiple of " +
                std::to_string(s[i] * p[i]) + ", found " + std::to_string(size[i]);
    }
  }
  if (!faults.empty()) return bad_input(faults);
  for (size_t i = 0; i < 3; ++i) grid.patches[i] = grid.latent[i] / p[i];
  return grid;
}

double dit_pass_flops(const VideoDit& dit, int64_t tokens) {
  const auto h = static_cast<double>(dit.hidden), f = static_cast<double>(dit.ffn);
  const auto nt = static_cast<double>(dit.text_tokens);
  const bool cross = dit.stream == TextStream::kCross;
  const double n = static_cast<double>(tokens) + (cross ? 0 : nt);
  double block = 8 * n * h * h + 4 * n * h * f + 4 * n * n * h;
  if (cross) block += 4 * n * h * h + 4 * nt * h * h + 4 * n * nt * h;
  return static_cast<double>(dit.layers()) * block;
}

Result<VideoShape> parse_video(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"name", "family", "source", "note", "assumption", "dit", "vae", "text_encoder", "clip", "schedules",
               "published_params"});
  VideoShape v;
  v.name = root.at("name").text(64);
  v.family = root.at("family").text(64);
  v.source = root.at("source").text();
  if (root.has("note")) v.note = root.at("note").text();
  if (root.has("assumption")) v.assumption = root.at("assumption").boolean();
  v.dit = read_dit(root.at("dit"));
  v.vae = read_vae(root.at("vae"));
  v.text = read_text_encoder(root.at("text_encoder"));
  v.clip = read_clip(root.at("clip"));
  for (const JsonNode& item : root.at("schedules").items(1, 16)) {
    item.fields({"steps", "passes"});
    v.schedules.push_back({item.at("steps").integer(1, 10000), item.at("passes").integer(1, 8)});
  }
  if (root.has("published_params")) v.published_params = root.at("published_params").number(1, 1e15);
  if (input.ok() && v.name.empty()) root.at("name").fail_expected("a name");
  if (input.ok() && v.vae.latent_channels != v.dit.channels) {
    root.at("dit")
        .at("channels")
        .fail_expected("the VAE's latent_channels (" + std::to_string(v.vae.latent_channels) + ")");
  }
  if (input.ok()) {
    if (const Result<VideoGrid> grid = video_grid(v, v.clip); !grid) root.at("clip").fail(grid.error().message);
  }
  if (!input.ok()) return input.error();
  return v;
}

std::string video_to_json(const VideoShape& v) {
  json schedules = json::array();
  for (const VideoSchedule& s : v.schedules) schedules.push_back({{"steps", s.steps}, {"passes", s.passes}});
  json j = {
      {"name", v.name},
      {"family", v.family},
      {"source", v.source},
      {"assumption", v.assumption},
      {"dit", dit_json(v.dit)},
      {"vae", vae_json(v.vae)},
      {"text_encoder", text_json(v.text)},
      {"clip", {{"frames", v.clip.frames}, {"height", v.clip.height}, {"width", v.clip.width}, {"fps", v.clip.fps}}},
      {"schedules", schedules}};
  if (!v.note.empty()) j["note"] = v.note;
  if (v.published_params > 0) j["published_params"] = v.published_params;
  return j.dump();
}

}  // namespace assay
