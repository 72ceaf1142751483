// The vector code of the CPU adapter, as one table of functions per instruction set.
// The implementations are compiled once per set with their own compiler flags; they never see a header of
// the standard library with inline code, so that no function built for AVX-512 can end up in another file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::cpu {

// Rows that one pass over the weights of a skinny matrix product may serve.
inline constexpr int kMaxSkinnyRows = 8;

// Weights that are read once are read fastest in this many streams far from each other.
inline constexpr int kWeightStreams = 4;

// y[r*ldy + j] = sum_k x[r*ldx + k] * w[j*ldw + k] * scale + bias[j], for r < m <= kMaxSkinnyRows and j < n; with
// `apart` for j < n, apart <= j < apart + n, ..., kWeightStreams times.
struct MatvecArgs {
  const void* w;   // f32, f16, bf16 or i8
  uint32_t dtype;  // assay_dtype of w
  size_t ldw, n, k;
  const float* x;
  size_t ldx;
  int m;
  float* y;
  size_t ldy;
  const float* bias;   // nullptr: none
  const float* scale;  // nullptr: none; else scale[j*ld_scale + k/scale_block]
  size_t ld_scale, scale_block;
  size_t apart = 0;
};

// y[r*ldy + j] = x_scale[r] * w_scale[j] * sum_k x[r*ldx + k] * w[j*ldw + k] + bias[j], sums in int32.
struct IntMatvecArgs {
  const int8_t* w;
  size_t ldw, n, k;
  const int8_t* x;
  size_t ldx;
  int m;
  float* y;
  size_t ldy;
  const float *bias, *w_scale, *x_scale;  // bias: nullptr = none
  size_t apart = 0;                       // as in MatvecArgs
};

// acc[r*ld_acc + j] = sum_k x[r*ldx + k] * w[j*ldw + k] in int32, for j < n <= kIntTileCols; ld_acc is a multiple
// of 16 and at least n, the columns behind n are overwritten. `scratch` holds kIntGemmScratch elements.
inline constexpr size_t kIntTileCols = 256;
inline constexpr size_t kIntGemmScratch = (kIntTileCols + 16) * 512;
struct IntGemmArgs {
  const int8_t* x;
  size_t ldx, m;
  const int8_t* w;
  size_t ldw, n, k;
  int32_t* acc;
  size_t ld_acc;
  int16_t* scratch;
};

// y[r*ldy + j] = x_scale[r] * w_scale[j] * sum_k v[r][k] * w[j*ldw + k] + bias[j], exact in integers before the scales.
// v = 65536 high + 256 middle + low, or 256 high + low, of which x holds the signed bytes: row r at [r*planes*ld], 64
// high ones, the 64 of the next byte beside them ..., the next 64 high ones ...; ld is a multiple of 64, with zeros
// from k on. k <= kMaxFixedDepth.
inline constexpr size_t kMaxFixedDepth = 1u << 16;  // sums of this many products of 255 and -128 fit in 32 bits
struct FixedArgs {
  const int8_t* w;
  size_t ldw, n, k;
  const int8_t* x;
  size_t planes, ld, m;  // 2 or 3 bytes of each element
  const float* x_scale;
  const double* x_sum;  // sum_k v[r][k]
  float* y;
  size_t ldy;
  const float *bias, *w_scale;   // bias: nullptr = none
  size_t apart = 0;              // as in MatvecArgs
  const int8_t* next = nullptr;  // weights that the caller is likely to want after these; nullptr: none
};

// y[r*ldy + j] = sum_k x[r*ldx + k] * w[j*ldw + k], of bf16 summed in f32. `next`: weights that the caller is likely to
// want after these, nullptr: none.
struct Bf16Args {
  const uint16_t* w;
  size_t ldw, n, k;
  const uint16_t* x;
  size_t ldx, m;
  float* y;
  size_t ldy;
  const uint16_t* next;
};
// The ldx that is fastest for k elements: rows that lie whole pages apart would share few sets of L1.
size_t bf16_row_stride(size_t k);

// y[r*ldy + j] = sum_k x(r, k) * w[j*ldw + k], for j < n, r < m; n is at least kLaneCols. Elements are of 4 bytes: f32,
// or two neighbouring bf16, multiplied pair by pair. The rows of x stand in lanes, as pack_lanes puts them: blocks of
// kLaneRows rows, the last of fewer; element (r, k) of a block of rows at [k*lanes + r], where lanes is their number
// rounded up to whole eights. All but the last block are whole, so that block b begins at x + b * kLaneRows * k.
inline constexpr size_t kLaneRows = 48;
inline constexpr size_t kLaneCols = 8;
struct LaneArgs {
  const float* w;
  size_t ldw, n, k;
  const float* x;
  size_t m;
  float* y;
  size_t ldy;
};

// Attention of up to kLaneRows queries to n keys more, in bf16 summed in f32, its softmax in f32. Queries stand in
// lanes: pair i of query r at q[i*lanes + r], those behind dk/2 against k_rope.
inline constexpr size_t kLaneKeys = 128;
struct LaneAttentionArgs {
  const float* q;
  size_t lanes;  // 16, 32 or 48
  const uint16_t *k, *k_rope, *v;
  size_t ldk, ld_rope, ldv;  // elements between two keys
  size_t dk, rope, dv;       // dk and rope are even
  size_t n;                  // at most kLaneKeys
  float scale;
  const int32_t *first, *last;  // query r sees keys [first[r], last[r]) of these; nullptr, both: all
  float *top, *total;           // per query, from tile to tile: largest scaled score, sum of weights (none seen: < 1)
  float* sums;                  // element (d, r) at [d*lanes + r], room for dv rounded up to eights
  float* scratch;               // lane_attention_scratch(lanes, dv) elements
};
constexpr size_t lane_attention_scratch(size_t lanes, size_t dv) {
  return (lanes * 3 + (dv + 31) / 32 * 32) * (kLaneKeys / 2);
}

// y[r*ldy + d] = y[r*ldy + d] * keep[r] + sum_j p[r*ldp + j] * v[j*ldv + d], for d < dim, r < m <= kMaxSkinnyRows.
struct WeightedSumArgs {
  const void* v;
  uint32_t dtype;  // f32, f16 or bf16
  size_t ldv, n, dim;
  const float* p;
  size_t ldp;
  int m;
  const float* keep;
  float* y;
  size_t ldy;
};

// Rows of f32, bf16 or f16, wherever they lie, as panels of panel_cols columns, in f32. Panel p begins at
// to + p * panel_cols * ld_panel and holds element (i, p*panel_cols + c) at i * panel_cols + c; columns behind the
// last are zero.
struct PackArgs {
  const char* const* rows;
  uint32_t dtype;
  size_t n, k;  // columns and depth of the packed matrix
  float* to;
  size_t ld_panel;  // depth that a panel has room for
};

// y[r*ldy + j] = sum_i x[r*ldx + i] * panel(i, j), `add`: plus what y holds; for r < m and j < n rounded up to
// whole panels, which y must have room for.
inline constexpr size_t kMaxPanelCols = 32;
struct PanelArgs {
  const float* x;
  size_t ldx, m;
  const float* panels;
  size_t ld_panel, n, k;
  float* y;
  size_t ldy;
  bool add;
};

// y = ((x - mean(x)) / sqrt(var(x) + eps) * gamma + beta) * (1 + scale) + shift; each vector may be nullptr: absent.
struct LayerNormArgs {
  const float *x, *gamma, *beta, *scale, *shift;
  double eps;
  float* y;
  size_t n;
};

// The heads of one row, whose first `rotary` elements are turned in place by one position's table.
struct RopeArgs {
  float* y;
  const float *cos, *sin;  // rotary/2 each; interleaved: each twice, sin negated the first time
  size_t heads, head_dim, rotary;
  bool interleaved;
};

struct Kernels {
  const char* name;  // "generic", "avx2", "avx512"
  void (*matvec)(const MatvecArgs&);
  void (*int_matvec)(const IntMatvecArgs&);
  void (*int_gemm)(const IntGemmArgs&);
  // One row as FixedArgs wants it, its scale and sum; nullptr, both, where the set has no products of bytes.
  void (*to_fixed)(const float* x, size_t n, int8_t* bytes, size_t planes, size_t ld, float* scale, double* sum);
  void (*fixed_gemm)(const FixedArgs&);
  size_t panel_cols;
  void (*pack_rows)(const PackArgs&);     // n rows of k elements each become columns
  void (*pack_columns)(const PackArgs&);  // k rows of n elements each
  void (*panel_gemm)(const PanelArgs&);
  // m rows of k elements of 4 bytes, ld apart, as LaneArgs wants them, zeros in the lanes behind the last row; and the
  // product in f32. nullptr, both, where the set's vectors are too narrow to gain by it.
  void (*pack_lanes)(const float* rows, size_t ld, size_t m, size_t k, float* to);
  void (*lane_gemm)(const LaneArgs&);
  void (*dot_gemm)(const MatvecArgs&);  // as matvec, for any m, without apart; made for more than a few rows
  void (*weighted_sum)(const WeightedSumArgs&);
  void (*to_f32)(uint32_t dtype, const void* src, float* dst, size_t n);
  void (*from_f32)(uint32_t dtype, const float* src, void* dst, size_t n);
  void (*scale)(const float* x, float a, float* y, size_t n);
  // y[j] = acc[j] * a * b[j] + bias[j]
  void (*rescale_int)(const int32_t* acc, float a, const float* b, const float* bias, float* y, size_t n);
  void (*add)(const float* a, const float* b, float* y, size_t n);
  void (*multiply_add)(const float* a, const float* b, const float* c, float* y, size_t n);  // y = a + b * c
  void (*axpy)(float a, const float* x, float* y, size_t n);                                 // y += a * x
  void (*relu_axpy)(float a, const float* x, float* y, size_t n);                            // y += a * max(0, x)
  void (*rms_norm)(const float* x, const float* gamma, double eps, float* y, size_t n);
  void (*layer_norm)(const LayerNormArgs&);
  // y[j] = (x[j] - mean[j]) * factor[j] + beta[j]
  void (*channel_norm)(const float* x, const float* mean, const float* factor, const float* beta, float* y, size_t n);
  void (*rope)(const RopeArgs&);
  void (*gated_act)(int function, const float* gate, const float* up, float* y, size_t n);
  void (*activation)(int function, const float* x, float* y, size_t n);
  float (*row_max)(const float* x, size_t n);
  // x[j] = exp(x[j]*scale - shift); returns the sum.
  float (*exp_sum)(float* x, float scale, float shift, size_t n);
  // Lowest index of the largest value; *best gets the value.
  size_t (*argmax)(const float* x, size_t n, float* best);
  void (*quantize)(const float* x, int8_t* q, float* scale, size_t n);
};

const Kernels& generic_kernels();
const Kernels& avx2_kernels();                       // needs AVX2, FMA and F16C
const Kernels& avx512_kernels();                     // needs AVX-512 F, BW, DQ, VL and VNNI, too
void bf16_gemm(const Bf16Args& args);                // needs AVX-512 BF16 beside those
void bf16_lane_gemm(const LaneArgs& args);           // the same
void bf16_attention(const LaneAttentionArgs& args);  // the same

}  // namespace assay::cpu
