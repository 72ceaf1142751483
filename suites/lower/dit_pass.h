// One pass of a video diffusion transformer as it is built: the state that its two sources share.
#pragma once

#include <string>

#include "suites/lower/parts.h"
#include "suites/suite.h"

namespace assay {

// Weights of one stream in a block; streams that share them hold the same indices.
struct StreamWeights {
  Linear qkv, o, fc1, fc2;
  int64_t q_gamma = -1, k_gamma = -1;
  int64_t norm_gamma[2] = {-1, -1}, norm_beta[2] = {-1, -1};  // before attention, before the MLP
};

// Rows that run through the blocks. Modulations: [0] around attention, [1] around the MLP.
struct Stream {
  std::string name;
  uint32_t x = 0;
  int64_t rows = 0;  // of all sequences
  StreamWeights w;
  ModColumns mod[2];
};

inline double number(int64_t n) { return static_cast<double>(n); }

class DitPass {
 public:
  DitPass(const Case& c, DtypePlan plan, int64_t layers, bool expose)
      : d_(c.video.dit),
        grid_(video_grid(c.video, {c.frames, c.height, c.width, 1}).value()),
        batch_(c.batch),
        layers_(layers),
        h_(d_.hidden),
        nv_(grid_.tokens()),
        nt_(d_.text_tokens),
        g_(std::move(plan), expose),
        parts_(&g_, batch_, d_.norm_eps) {}

  Graph lower();

 private:
  uint32_t input(const std::string& name, std::vector<int64_t> dims) {
    return g_.tensor(name, g_.plan().activation, ASSAY_ROLE_INPUT, std::move(dims), {Fill::Kind::kNormal, 0, 1, 0});
  }
  Linear plain(const std::string& name, int64_t in, int64_t out) {
    return parts_.linear(name, in, out, Parts::plain_stddev(in));
  }
  Linear residual(const std::string& name, int64_t in) {
    return parts_.linear(name, in, h_, Parts::residual_stddev(in, d_.layers()));
  }
  // Shifts, scales and gates of a trained model are small.
  Linear modulation(const std::string& name, int64_t columns) {
    return parts_.linear(name, d_.time_width, columns, 0.3 * Parts::plain_stddev(d_.time_width));
  }
  uint32_t two_layers(uint32_t x, const std::string& p, int64_t in, int64_t width, int function) {
    const uint32_t wide = parts_.apply(plain(p + ".in", in, width), x, p + ".in");
    return parts_.apply(plain(p + ".out", width, width), parts_.activation(wide, p + ".act", function), p + ".out");
  }
  void norm_weights(const std::string& p, StreamWeights* w, int i) {
    if (!d_.norm_affine) return;
    w->norm_gamma[i] = parts_.vector(p + ".gamma", h_, 1, 0.1);
    w->norm_beta[i] = parts_.vector(p + ".beta", h_, 0, 0.1);
  }

  uint32_t patches();
  uint32_t time_embedding(const std::string& p, bool conditions);
  uint32_t text_rows();
  uint32_t refined(uint32_t text);
  uint32_t refiner_block(uint32_t x, uint32_t act, const std::string& p, const KvPair& kv);
  StreamWeights stream_weights(const std::string& p);
  uint32_t qk_normed(uint32_t x, const StreamWeights& w, const std::string& p);
  uint32_t rope(uint32_t qkv, const std::string& p);
  uint32_t qkv_of(const Stream& s, uint32_t normed, const std::string& p);
  uint32_t attended(uint32_t qkv, const KvPair& kv, int mask, const std::string& p);
  uint32_t mlp(const Stream& s, uint32_t normed, const std::string& p);
  uint32_t normed(const Stream& s, int i, const std::string& p);
  void self_block(const std::string& p, Stream* video);
  void cross_attention(const std::string& p, Stream* video);
  void joint_attention(const std::string& p, Stream* video, Stream* text, uint32_t normed_rows[2], uint32_t out[2],
                       const KvPair& kv);
  void joint_block(const std::string& p, Stream* video, Stream* text);
  void single_block(const std::string& p, Stream* video, Stream* text);
  void shared_modulation(const std::string& p, Stream* video);
  void final_layer(uint32_t x);
  void blocks(Stream* video, Stream* text);

  const VideoDit& d_;
  VideoGrid grid_;
  int64_t batch_, layers_, h_, nv_, nt_;
  GraphBuilder g_;
  Parts parts_;
  KvPair self_kv_, cross_kv_, single_kv_;
  uint32_t text_pos_ = ASSAY_NO_SCALAR;
  uint32_t text_ = 0;        // kCross: [B*Nt, h]
  uint32_t time_act_ = 0;    // silu of the time embedding [B, time_width]
  uint32_t shared_mod_ = 0;  // kShared: [B, 6h]
  uint32_t first_row_ = 0;   // kShared, B > 1: I32 [B] of zeros
};

}  // namespace assay
