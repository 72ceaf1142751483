// Arguments of the kernels, as host and device both see them: plain structs of 8-byte members. Compiled by the host, by
// the vendor's compiler and by its compiler at run time, so it includes nothing.
#pragma once

#ifndef ASSAY_GPU_ARGS_H_
#define ASSAY_GPU_ARGS_H_

namespace assay_gpu {

typedef long long i64;

// A tensor on the device. dtype: ASSAY_F32 and so on. cols: its last axis. scale: f32, one per `block` elements of a
// row.
struct Data {
  char* p;
  const float* scale;
  i64 dtype, cols, block;
};

// How a KV cache lies: in pages of `tokens` tokens, found by a table [B, per_sequence]; no table: one block a sequence.
struct Pages {
  const int* table;
  i64 per_sequence, tokens;
};

// Where a bad index of the input is noted: [0] 1 + op, [1] the index, [2] the bound. Host memory that the device sees.
typedef i64* Fault;

struct NormArgs {
  Data x, gamma, y;
  i64 rows, group, col, cols, early;  // early: gamma is constant
  double eps;
};
struct ModNormArgs {
  Data x, mod, gamma, beta, y;  // p null: absent
  i64 rows_per_sequence, shift_col, scale_col;
  double eps;
};
struct RopeArgs {
  Data x, y;
  const i64* pos;
  i64 rows, tokens, head_dim, rotary_dim, rotary_col, interleaved, col, cols;
  i64 grid_h, grid_w, dim_t, dim_h, text_rows, wide;
  const double* frequency;  // of each pair, radians per place
};
struct MapArgs {  // gated_act, activation, add
  Data a, b, mod, y;
  i64 n, function, rows_per_sequence, gate_col;
};
struct GatherArgs {  // embedding; moe_dispatch's copy
  Data index, table, y;
  i64 rows, table_rows, op, divide;  // y[place] = table[index], or with divide > 0 y[index[i]] = table[i / divide]
  Fault fault;
};
struct AppendArgs {
  Data x, k, v;
  const i64* pos;
  i64 tokens, slots, heads, dim_k, dim_v, col_k, col_v;
  Pages pages;
};
// Neighbouring ops in one kernel: each of these does what the kernels of its parts do one after the other.
struct AddNormArgs {  // sum = a + b; y = RMS norm of the whole rows of sum
  Data a, b, sum, gamma, y;
  i64 early;  // gamma is constant
  double eps;
};
struct AddModNormArgs {  // norm.x is add.y; whole vectors of 8
  MapArgs add;
  ModNormArgs norm;
};
struct RopeAppendArgs {  // append.x is rope.y, of the caches' dtype; whole vectors of 8
  RopeArgs rope;
  AppendArgs append;
};
struct NormRopeArgs {  // rope.x is what the first norm reads; append.k null: no append; all of one dtype
  RopeArgs rope;       // its first q_cols columns are queries, its others keys
  AppendArgs append;
  Data q_gamma, k_gamma, q_normed, k_normed;  // what each norm writes, null: nobody reads it
  i64 q_cols, q_threads, k_threads, early;    // threads that a norm of rows adds up in; early: gammas are constant
  double q_eps, k_eps;
};
struct ReduceArgs {  // quantize
  Data x, y;
  float* scale;
};
struct ArgmaxArgs {
  Data x, y;
  i64 rows, parts, part_cols;  // parts of a row, each of so many columns
  float* values;               // of each part the largest and its column
  i64* places;
};
struct RouterArgs {
  Data logits, plan, index, weight;
  i64 k, function, normalise, groups, top_groups;
  double factor;
};
struct PlaceArgs {
  Data index;
  int *offsets, *place;
  i64 pairs, experts, op;
  Fault fault;
};
struct CombineArgs {
  Data x, place, weight, y;
  i64 k;
};
// y(m, n) = sum_k x(m, k) w(n, k) + bias[n]; what m, n and k mean is the mode's.
struct ProductArgs {
  Data x, w, bias, y;
  i64 mode, m, n, k, x_col, y_col, x_stride, w_stride, y_stride;  // strides: elements from one z to the next
  const int* offsets;                                             // grouped: rows of expert z
  const i64* pos;                                                 // rows counted by the position: pos + tokens
  i64 tokens, slots, op, early;                                   // early: w is constant
  i64 experts;                                                    // grouped
  Fault fault;
  i64 t, h, w_in, c, kt, kh, kw, up_t, up_h, up_w, out_t, out_h, out_w;  // convolution
};
struct GatedProductArgs {  // product.y [m, n] and from it y [m, n / 2], as gated_act makes it
  ProductArgs product;
  Data y;
  i64 function;
};
enum { kPlain = 0, kGrouped = 1, kCache = 2, kConvolution = 3 };

// What a block of the tiles' kernels works on (product_tiles.cuh): sums of kM rows and kN columns, of which a warp has
// kWarpM x kWarpN; kDepth elements of every row are a stage, and kStages of them are on their way or in use.
struct Tiles16 {
  static constexpr int kM = 16, kN = 64, kWarpM = 16, kWarpN = 16, kDepth = 128, kStages = 4, kBlocks = 2;
  static constexpr bool kIntegers = false;
};
struct Tiles64 {
  static constexpr int kM = 64, kN = 128, kWarpM = 64, kWarpN = 32, kDepth = 64, kStages = 3, kBlocks = 3;
  static constexpr bool kIntegers = false;
};
struct Tiles128 {
  static constexpr int kM = 128, kN = 128, kWarpM = 64, kWarpN = 64, kDepth = 64, kStages = 3, kBlocks = 2;
  static constexpr bool kIntegers = false;
};
// i8 multiplied as integers: a stage has as many bytes of a row as one of 16 bits and no scales, which meet whole sums.
template <typename Form>
struct IntegerTiles : Form {
  static constexpr int kDepth = 128;
  static constexpr bool kIntegers = true;
};
constexpr i64 kMostIntegerDepth = 0x1ffff;  // of sums that an i32 holds: products of two codes are at most 2^14
constexpr int kLeastBlock = 16;             // of weights that share a scale, unless the row does
template <typename Form>
constexpr int tile_threads() {
  return Form::kM / Form::kWarpM * (Form::kN / Form::kWarpN) * 32;
}
// Of shared memory: rows of the left side in elements of so many bits, of the right, and the scales of codes there.
template <typename Form>
constexpr int tile_stage_bytes(int left_bits, int bits) {
  return Form::kM * Form::kDepth * left_bits / 8 + Form::kN * Form::kDepth * bits / 8 +
         (bits == 16 || Form::kIntegers ? 0 : Form::kN * (Form::kDepth / kLeastBlock) * 4);
}
template <typename Form>
constexpr int tile_sums_pitch() {  // no two rows of a fragment share a bank
  return Form::kN + 8;
}
template <typename Form>
constexpr int tile_shared_bytes(int left_bits, int bits) {  // stages, and after them the sums
  const int stages = tile_stage_bytes<Form>(left_bits, bits) * Form::kStages;
  const int sums = Form::kM * tile_sums_pitch<Form>() * 4;
  return stages > sums ? stages : sums;
}
struct PassArgs {  // head_matmul: columns that pass
  Data x, y;
  i64 rows, heads, from, x_stride, to, y_stride, pass;
};
struct AttentionArgs {
  Data q, k, v, rope, index, y;
  const i64* pos;
  i64 rows, tokens, heads, kv_heads, dim_qk, dim_v, dim_rope, mask, window, q_col, col_k, col_v, slots, splits;
  float *part, *stats;  // of each split: weighted sums [rows, heads, splits, dim_v]; maximum and sum [.., 2]
  double scale;
  Pages pages;
};
struct JoinArgs {  // y [B,S,KH,D+R]: a head's part of each key and the part that all heads share
  Data k, rope, y;
  const i64* pos;
  i64 tokens, slots, heads, col;
};
struct PatchArgs {
  Data x, y;
  i64 n, c, t, h, w, pt, ph, pw, inverse;
};
struct GroupNormArgs {
  Data x, gamma, beta, y;
  i64 places, groups;
  double eps;
};
struct IndexArgs {
  Data q, k, weight, index;
  const i64* pos;
  float* scores;
  i64 tokens, heads, dim, q_col, slots, n;
  double scale;
};
struct WidenArgs {
  Data x, y;
  i64 n;
};
struct BiasArgs {  // each row of y + bias, in place
  Data bias, y;
  i64 n;
};
struct LengthArgs {  // of each sequence: queries, and keys of a cache that has pos before them
  const i64* pos;
  int *queries, *keys;
  i64 batch, tokens;
};
struct ScaleArgs {  // of a product of codes: y = sums * x.scale[m] * w.scale[n] + bias[n]
  const char* sums;
  Data x, w, bias, y;
  i64 m, n, integer;  // integer: sums are int32, else f32
};

}  // namespace assay_gpu

#endif
