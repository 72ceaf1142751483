// Shapes of the diffusion transformer's and the video decoder's own ops.
#include "suites/reference/shape_checks.h"

namespace assay::reference {

Status check_layer_norm_modulate(const OpContext& c) {
  const Dims& x = in(c, 0);
  if (x.size() != 2) return wrong(c, "x [M,h]", text(x));
  if (given(c, 1)) {
    const int64_t batch = whole(c, ASSAY_LAYER_NORM_MODULATE_BATCH);
    if (Status s = expect_sequences(c, batch); !s) return s;
    if (in(c, 1).size() != 2 || in(c, 1)[0] != batch) return wrong(c, "mod [B,ld]", text(in(c, 1)));
    if (Status s = expect_columns(c, "shift", 1, whole(c, ASSAY_LAYER_NORM_MODULATE_SHIFT_COL), x[1]); !s) return s;
    if (Status s = expect_columns(c, "scale", 1, whole(c, ASSAY_LAYER_NORM_MODULATE_SCALE_COL), x[1]); !s) return s;
  }
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (!given(c, i)) continue;
    if (Status s = expect(c, i == 2 ? "gamma" : "beta", in(c, i), {x[1]}); !s) return s;
  }
  return expect(c, "y", out(c, 0), x);
}

Status check_patchify3d(const OpContext& c) {
  const bool inverse = whole(c, ASSAY_PATCHIFY3D_INVERSE) != 0;
  const Dims &video = inverse ? out(c, 0) : in(c, 0), &rows = inverse ? in(c, 0) : out(c, 0);
  const int64_t t = whole(c, ASSAY_PATCHIFY3D_T), h = whole(c, ASSAY_PATCHIFY3D_H), w = whole(c, ASSAY_PATCHIFY3D_W);
  if (video.size() != 5) return wrong(c, "a video [B,C,T,H,W]", text(video));
  if (t < 1 || h < 1 || w < 1 || video[2] % t != 0 || video[3] % h != 0 || video[4] % w != 0) {
    return wrong(c, "T, H and W in whole patches of " + text({t, h, w}), text(video));
  }
  const int64_t patches = (video[2] / t) * (video[3] / h) * (video[4] / w);
  return expect(c, "patch rows", rows, {video[0] * patches, video[1] * t * h * w});
}

Status check_conv3d(const OpContext& c) {
  const Dims &x = in(c, 0), &w = in(c, 1);
  const int64_t kt = whole(c, ASSAY_CONV3D_KERNEL_T), kh = whole(c, ASSAY_CONV3D_KERNEL_H);
  const int64_t kw = whole(c, ASSAY_CONV3D_KERNEL_W);
  const auto up = [&](size_t i) { return std::max<int64_t>(1, whole(c, i)); };
  if (x.size() != 4 || w.size() != 2) return wrong(c, "x [T,H,W,C] and w [O,kt*kh*kw*C]", text(x) + " and " + text(w));
  if (kt < 1 || kh < 1 || kw < 1 || kh % 2 == 0 || kw % 2 == 0) {
    return wrong(c, "kernel sizes of at least 1, odd in space", text({kt, kh, kw}));
  }
  if (Status s = expect(c, "w", w, {w[0], kt * kh * kw * x[3]}); !s) return s;
  if (given(c, 2)) {
    if (Status s = expect(c, "bias", in(c, 2), {w[0]}); !s) return s;
  }
  const int64_t frames = (x[0] - 1) * up(ASSAY_CONV3D_UP_T) + 1;
  return expect(c, "y", out(c, 0), {frames, x[1] * up(ASSAY_CONV3D_UP_H), x[2] * up(ASSAY_CONV3D_UP_W), w[0]});
}

Status check_group_norm(const OpContext& c) {
  const Dims& x = in(c, 0);
  const int64_t groups = whole(c, ASSAY_GROUP_NORM_GROUPS);
  if (x.size() != 4 || groups < 1 || x[3] % groups != 0) {
    return wrong(c, "x [T,H,W,C] with C in " + std::to_string(groups) + " equal groups", text(x));
  }
  if (Status s = expect(c, "gamma", in(c, 1), {x[3]}); !s) return s;
  if (Status s = expect(c, "beta", in(c, 2), {x[3]}); !s) return s;
  return expect(c, "y", out(c, 0), x);
}

}  // namespace assay::reference
