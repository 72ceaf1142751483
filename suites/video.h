// Shape of a text-to-video model: the diffusion transformer, the VAE's decoder and the text encoder, as plain data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

// How text reaches the transformer. kCross: keys and values of a cross-attention in every block. kJoint: text rows run
// beside the video rows through the same weights. kDual: the double blocks have weights for each stream, the single
// blocks (attention and MLP side by side) share them.
enum class TextStream { kCross, kJoint, kDual };
// kShared: one projection of the time embedding for all blocks and a table per block. kBlock: a projection per block.
enum class Modulation { kShared, kBlock };
// Of queries and keys. kRows: over all heads together; kHeads: over each head.
enum class QkNorm { kNone, kRows, kHeads };
// From the text encoder's width to the transformer's. kRefiner: a projection and small transformer blocks.
enum class TextProjection { kLinear, kMlp, kRefiner };

struct VideoDit {
  TextStream stream = TextStream::kCross;
  int64_t blocks = 0;         // kCross, kJoint; of kDual the double ones
  int64_t single_blocks = 0;  // kDual
  int64_t hidden = 0, ffn = 0, heads = 0;
  int64_t channels = 0;            // of the latent, in and out
  std::array<int64_t, 3> patch{};  // t, h, w
  std::array<int64_t, 3>
      rope_dims{};  // elements of a head that turn by t, h, w; all 0: position is added to the tokens
  double rope_theta = 10000;
  Modulation modulation = Modulation::kShared;
  QkNorm qk_norm = QkNorm::kNone;
  bool norm_affine = false;                      // gamma and beta in the modulated norms
  int64_t time_frequencies = 0, time_width = 0;  // sinusoids in, width of the time embedding
  int64_t pooled_text = 0;                       // width of a pooled text vector added to the time embedding; 0: none
  bool guidance = false;                         // guidance scale as an embedding: one pass serves
  TextProjection text_projection = TextProjection::kMlp;
  int64_t text_tokens = 0, text_width = 0;
  int64_t refiner_blocks = 0;
  double norm_eps = 1e-6;

  [[nodiscard]] int64_t layers() const { return blocks + single_blocks; }
  [[nodiscard]] int64_t head_dim() const { return hidden / heads; }
};

// One step up in the decoder: nearest repeat, then a convolution to `width` channels.
struct VaeUp {
  int64_t t = 1, h = 1, w = 1, width = 0;
  bool operator==(const VaeUp&) const = default;
};

struct VideoVae {
  std::array<int64_t, 3> strides{};  // pixels per latent element: t, h, w
  int64_t latent_channels = 0, out_channels = 3;
  std::vector<int64_t> widths;  // channels of the decoder's levels, from the latent outwards
  std::vector<VaeUp> up;        // between the levels: one fewer
  int64_t blocks = 0;           // residual blocks per level
  int64_t up_kernel_t = 1;      // 3: the convolution after the repeat also spans time
  bool time_conv = false;       // a convolution of its own (3, 1, 1) where frames are doubled
  int64_t groups = 0;           // of group norm; 0: RMS norm over channels
  bool attention = false;       // between the two residual blocks at the latent's size, frame by frame
  int64_t pixel_patch = 1;      // the last convolution gives patches of pixels this wide
  bool operator==(const VideoVae&) const = default;
};

struct TextEncoderShape {
  std::string name;
  bool causal = false;  // a decoder-only model (rotary, causal, silu); else T5 (unscaled, both ways, gelu)
  int64_t layers = 0, hidden = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0, tokens = 0;
  double rope_theta = 10000;
  bool operator==(const TextEncoderShape&) const = default;
};

struct VideoClip {
  int64_t frames = 0, height = 0, width = 0;
  double fps = 0;
};

// Denoising steps, and passes of the transformer in each (2: classifier-free guidance).
struct VideoSchedule {
  int64_t steps = 0, passes = 0;
};

struct VideoShape {
  std::string name, family, source, note;
  bool assumption = false;  // made by us to stand for a model whose architecture is not public
  VideoDit dit;
  VideoVae vae;
  TextEncoderShape text;
  VideoClip clip;  // the publisher's reference run
  std::vector<VideoSchedule> schedules;
  double published_params = 0;  // of the transformer, to the digits published; 0: not stated
};

// Size of a clip in the transformer's patches and tokens.
struct VideoGrid {
  std::array<int64_t, 3> latent{}, patches{};  // t, h, w
  [[nodiscard]] int64_t tokens() const { return patches[0] * patches[1] * patches[2]; }
};
// kBadInput where frames are not 1 more than a multiple of the VAE's stride, or a side is no multiple of stride and
// patch.
Result<VideoGrid> video_grid(const VideoShape& v, const VideoClip& clip);

// FLOPs of one pass over `tokens` video tokens by the published formula of attention, projections and MLP alone:
// L [8 N h^2 + 4 N h f + 4 N^2 h (+ cross: 4 N h^2 + 4 Nt h^2 + 4 N Nt h)], N with the text rows where they run beside.
double dit_pass_flops(const VideoDit& dit, int64_t tokens);

Result<VideoShape> parse_video(const std::string& text, const std::string& where);
std::string video_to_json(const VideoShape& v);  // canonical, as parse_video reads it

}  // namespace assay
