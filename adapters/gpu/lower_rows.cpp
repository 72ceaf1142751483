// Row-wise and element-wise ops, experts' routing, video.
#include <algorithm>
#include <cmath>

#include "adapters/gpu/lower.h"

namespace assay::gpu {

using namespace assay_gpu;

namespace {

constexpr int64_t kArgmaxColumns = 8192, kMaxParts = 4096;  // of one part of a row, and of a row
constexpr int64_t kMaxExperts = 1024;                       // what router and dispatch hold in shared memory

constexpr int64_t kNormedByVectors = 16384;  // columns that a block of 512 threads keeps, of f32 half
constexpr int64_t kMostPairs = 512;
constexpr double kPi = 3.14159265358979323846;

// A vector of 8 to a thread where few rows wait for one another's memory, else two; or what the largest block leaves.
unsigned vector_threads(int64_t cols, bool few) {
  const int64_t each = few ? 8 : 16;
  return static_cast<unsigned>(std::clamp<int64_t>(((cols + each - 1) / each + 31) / 32 * 32, 32, 512));
}

bool known_function(int64_t f) { return f >= ASSAY_ACT_SILU && f <= ASSAY_ACT_GELU_ERF; }

}  // namespace

void Lower::rms_norm() {
  const int64_t group = op_.integer(ASSAY_RMS_NORM_GROUP), col = op_.integer(ASSAY_RMS_NORM_COL);
  const int64_t asked = op_.integer(ASSAY_RMS_NORM_COLS), cols = asked == 0 ? in(0).cols : asked;
  same_shape();
  slice(col, cols, in(0).cols);
  need(group >= 1 && cols % group == 0, "group does not divide the columns");
  need(in(1).elements() == group, "gamma is not [group]");
  need(op_.attr[ASSAY_RMS_NORM_EPS] >= 0, "eps must not be negative");
  floats({&in(1)});
  const int64_t rows = in(0).rows;
  const bool alike = in(0).dtype == in(1).dtype && in(0).dtype == out(0).dtype;
  const int64_t most = in(0).dtype == ASSAY_F32 ? kNormedByVectors / 2 : kNormedByVectors;
  const bool eights = alike && (group | col | in(0).cols) % 8 == 0 && group <= most;
  const unsigned threads = eights        ? vector_threads(group, rows < plan_.device->multiprocessors)
                           : group > 512 ? 256u
                                         : 64u;
  launch(eights ? "rms_norm_8" : "rms_norm", {rows, cols / group, 1, threads, 0},
         NormArgs{in_data(0), in_data(1), data(out(0)), rows, group, col, cols, in(1).role == ASSAY_ROLE_WEIGHT ? 1 : 0,
                  op_.attr[ASSAY_RMS_NORM_EPS]});
}

void Lower::layer_norm_modulate() {
  same_shape();
  const int64_t n = op_.integer(ASSAY_LAYER_NORM_MODULATE_BATCH);
  const int64_t shift = op_.integer(ASSAY_LAYER_NORM_MODULATE_SHIFT_COL);
  const int64_t scale = op_.integer(ASSAY_LAYER_NORM_MODULATE_SCALE_COL);
  if (op_.has_in(1)) modulation(in(1), n, {shift, scale});
  for (const size_t i : {size_t{2}, size_t{3}}) {
    if (!op_.has_in(i)) continue;
    need(in(i).elements() == in(0).cols, "gamma or beta is not [h]");
    floats({&in(i)});
  }
  need(op_.attr[ASSAY_LAYER_NORM_MODULATE_EPS] >= 0, "eps must not be negative");
  bool alike = in(0).dtype == out(0).dtype;
  for (const size_t i : {size_t{1}, size_t{2}, size_t{3}}) {
    alike = alike && (!op_.has_in(i) || in(i).dtype == in(0).dtype);
  }
  const int64_t most = in(0).dtype == ASSAY_F32 ? kNormedByVectors / 2 : kNormedByVectors;
  const bool eights =
      alike && (in(0).cols | shift | scale) % 8 == 0 && (!op_.has_in(1) || in(1).cols % 8 == 0) && in(0).cols <= most;
  launch(
      eights ? "layer_norm_modulate_8" : "layer_norm_modulate",
      {in(0).rows, 1, 1, eights ? vector_threads(in(0).cols, in(0).rows < plan_.device->multiprocessors) : 256u, 0},
      ModNormArgs{in_data(0), in_data(1), in_data(2), in_data(3), data(out(0)),
                  op_.has_in(1) ? in(0).rows / n : in(0).rows, shift, scale, op_.attr[ASSAY_LAYER_NORM_MODULATE_EPS]});
}

void Lower::rope() {
  const int64_t dim = op_.integer(ASSAY_ROPE_HEAD_DIM), rotary = op_.integer(ASSAY_ROPE_ROTARY_DIM);
  const int64_t cols = op_.integer(ASSAY_ROPE_COLS), from = op_.integer(ASSAY_ROPE_ROTARY_COL);
  const int64_t t = op_.integer(ASSAY_ROPE_GRID_DIM_T), h = op_.integer(ASSAY_ROPE_GRID_DIM_H);
  same_shape();
  batch(in(0).rows, op_.integer(ASSAY_ROPE_BATCH));
  slice(op_.integer(ASSAY_ROPE_COL), cols, in(0).cols);
  need(dim >= 2 && cols % dim == 0, "head_dim does not divide the columns");
  need(rotary >= 2 && rotary % 2 == 0 && rotary <= dim, "rotary_dim must be even and at most head_dim");
  need(from >= 0 && from <= dim - rotary, "the rotated elements lie outside the head");
  need(op_.attr[ASSAY_ROPE_THETA] > 0, "theta must be above 0");
  const bool grid = op_.attr[ASSAY_ROPE_GRID_W] > 0;
  need(!grid || (op_.integer(ASSAY_ROPE_GRID_H) >= 1 && t >= 0 && h >= 0 && t % 2 == 0 && h % 2 == 0 && t <= rotary &&
                 h <= rotary - t && op_.integer(ASSAY_ROPE_TEXT_ROWS) >= 0),
       "the grid's dimensions must be even and fit rotary_dim");
  RopeArgs args{};
  args.x = in_data(0);
  args.y = data(out(0));
  args.pos = pos();
  args.rows = in(0).rows;
  args.tokens = in(0).rows / op_.integer(ASSAY_ROPE_BATCH);
  args.head_dim = dim;
  args.rotary_dim = rotary;
  args.rotary_col = from;
  args.interleaved = op_.integer(ASSAY_ROPE_INTERLEAVED);
  args.col = op_.integer(ASSAY_ROPE_COL);
  args.cols = cols;
  args.grid_h = op_.integer(ASSAY_ROPE_GRID_H);
  args.grid_w = op_.integer(ASSAY_ROPE_GRID_W);
  args.dim_t = t;
  args.dim_h = h;
  args.text_rows = op_.integer(ASSAY_ROPE_TEXT_ROWS);
  can(rotary / 2 <= kMostPairs, "more than 1024 rotated elements");
  can(in(0).cols <= 0x7fffffff, "more columns than an i32 counts");
  const bool eights = in(0).dtype == out(0).dtype && (dim | cols | from | args.col | in(0).cols) % 8 == 0;
  const bool halves = rotary % 16 == 0 && (!grid || (t | h) % 16 == 0);
  args.wide = eights && (args.interleaved != 0 ? rotary % 8 == 0 : halves) ? 1 : 0;
  args.frequency = frequencies();
  launch("rope", {in(0).rows, shares(in(0).rows, cols / dim), 1, 128, 0}, args);
}

// Of each pair, by the op's theta and scaling; grid positions have a theta per axis.
const double* Lower::frequencies() {
  const int64_t rotary = op_.integer(ASSAY_ROPE_ROTARY_DIM);
  const double theta = op_.attr[ASSAY_ROPE_THETA], factor = op_.attr[ASSAY_ROPE_SCALING_FACTOR];
  const double low = op_.attr[ASSAY_ROPE_SCALING_LOW], high = op_.attr[ASSAY_ROPE_SCALING_HIGH];
  const double original = op_.attr[ASSAY_ROPE_SCALING_ORIGINAL];
  int64_t axes[3] = {rotary, 0, 0};
  if (op_.attr[ASSAY_ROPE_GRID_W] > 0) {
    axes[0] = op_.integer(ASSAY_ROPE_GRID_DIM_T);
    axes[1] = op_.integer(ASSAY_ROPE_GRID_DIM_H);
    axes[2] = rotary - axes[0] - axes[1];
  }
  std::vector<double> out;
  for (const int64_t size : axes) {
    for (int64_t i = 0; i < size / 2; ++i) {
      double f = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(size));
      const double wavelength = 2 * kPi / f;
      if (factor > 0 && wavelength > original / low) {
        f /= factor;
      } else if (factor > 0 && wavelength >= original / high) {
        const double g = (original / wavelength - low) / (high - low);
        f = (1 - g) * f / factor + g * f;
      }
      out.push_back(f);
    }
  }
  return plan_.table(out);
}

void Lower::gated_act() {
  need(in(0).cols == 2 * out(0).cols && in(0).rows == out(0).rows, "x is not [M,2F] for y [M,F]");
  can(known_function(op_.integer(ASSAY_GATED_ACT_FUNCTION)), "unknown function");
  floats({&in(0), &out(0)});
  launch("gated_act", {out(0).rows, (out(0).cols + 2047) / 2048},
         MapArgs{in_data(0), {}, {}, data(out(0)), out(0).elements(), op_.integer(ASSAY_GATED_ACT_FUNCTION), 1, 0});
}

void Lower::activation() {
  same_shape();
  can(known_function(op_.integer(ASSAY_ACTIVATION_FUNCTION)), "unknown function");
  launch("activation", flat(out(0).elements(), 8),
         MapArgs{in_data(0), {}, {}, data(out(0)), out(0).elements(), op_.integer(ASSAY_ACTIVATION_FUNCTION), 1, 0});
}

void Lower::add() {
  same_shape();
  need(in(1).rows == in(0).rows && in(1).cols == in(0).cols, "a and b differ in shape");
  floats({&in(1)});
  const int64_t n = op_.integer(ASSAY_ADD_BATCH), gate = op_.integer(ASSAY_ADD_GATE_COL);
  if (op_.has_in(2)) modulation(in(2), n, {gate});
  launch("add", flat(out(0).elements(), 8),
         MapArgs{in_data(0), in_data(1), in_data(2), data(out(0)), out(0).elements(), 0,
                 op_.has_in(2) ? in(0).rows / n : 1, gate});
}

void Lower::kv_append() {
  const int64_t b = op_.integer(ASSAY_KV_APPEND_BATCH), kh = op_.integer(ASSAY_KV_APPEND_KV_HEADS);
  const int64_t dims[] = {op_.integer(ASSAY_KV_APPEND_DIM_K), op_.integer(ASSAY_KV_APPEND_DIM_V)};
  const int64_t cols[] = {op_.integer(ASSAY_KV_APPEND_K_COL), op_.integer(ASSAY_KV_APPEND_V_COL)};
  batch(in(0).rows, b);
  floats({&in(0)});
  need(kh >= 1 && dims[0] >= 1 && dims[1] >= 0, "kv_heads and dim_k must be at least 1, dim_v not negative");
  need(dims[1] > 0 || op_.in[1] == op_.in[2], "with dim_v 0, v must be the same tensor as k");
  need(op_.out[0] == op_.in[1] && op_.out[1] == op_.in[2], "the outputs must be the KV cache itself");
  const int64_t tokens = in(0).rows / b;
  for (size_t i = 0; i < 2; ++i) {
    if (dims[i] == 0) continue;
    const Slot& k = in(1 + i);
    slice(cols[i], kh * dims[i], in(0).cols);
    cache(k, b, kh, 0, dims[i]);
    need(k.dims[3] == dims[i] && k.dims[1] == in(1).dims[1] && capacity() >= tokens, "the KV cache does not fit");
    need(k.role == ASSAY_ROLE_STATE, "the KV cache must be STATE");
  }
  page_table(b);
  launch("kv_append", {in(0).rows, dims[1] > 0 ? 2 : 1, 1, 128, 0},
         AppendArgs{in_data(0), in_data(1), in_data(2), pos(), tokens, capacity(), kh, dims[0], dims[1], cols[0],
                    cols[1], pages()});
}

void Lower::embedding() {
  const Slot& y = out(0);
  can(in(0).dtype == ASSAY_I32, "the index must be i32");
  need(y.cols == in(1).cols && y.rows == in(0).elements(), "y is not [n,h]");
  readable(in(1));
  floats({&y});
  launch("gather", {y.rows, 1, 1, 128, 0},
         GatherArgs{in_data(0), in_data(1), data(y), y.rows, in(1).rows, op_.index, 0, plan_.fault});
}

void Lower::argmax() {
  floats({&in(0)});
  integers(out(0), in(0).rows);
  need(in(0).cols <= 0x7fffffff, "more columns than an i32 counts");
  const int64_t rows = in(0).rows, cols = in(0).cols;
  const int64_t part =
      std::max<int64_t>(kArgmaxColumns, (cols / kMaxParts + kArgmaxColumns) / kArgmaxColumns * kArgmaxColumns);
  const int64_t parts = (cols + part - 1) / part;
  ArgmaxArgs args{in_data(0), data(out(0)), rows, parts, part, nullptr, nullptr};
  args.values = reinterpret_cast<float*>(workspace(static_cast<uint64_t>(rows * parts) * 4));
  args.places = reinterpret_cast<i64*>(workspace(static_cast<uint64_t>(rows * parts) * 8));
  launch("argmax_parts", {rows, parts}, args);
  launch("argmax", {rows}, args);
}

void Lower::quantize() {
  floats({&in(0)});
  need((out(0).dtype == ASSAY_I8 || out(0).dtype == ASSAY_F8E4M3) && out(0).rows == in(0).rows &&
           out(0).cols == in(0).cols,
       "q is not I8 or F8E4M3 [M,K]");
  need(out(1).dtype == ASSAY_F32 && out(1).elements() == in(0).rows, "scale is not F32 [M,1]");
  need(out(0).scale == static_cast<int32_t>(op_.out[1]) && out(0).block == out(0).cols,
       "q must name the scale output as its scale, one per row");
  launch("quantize", {in(0).rows}, ReduceArgs{in_data(0), data(out(0)), reinterpret_cast<float*>(out(1).data)});
}

void Lower::router_topk() {
  const Slot& logits = in(0);
  const int64_t k = op_.integer(ASSAY_ROUTER_TOPK_K), groups = op_.integer(ASSAY_ROUTER_TOPK_GROUPS);
  const int64_t top = op_.integer(ASSAY_ROUTER_TOPK_TOP_GROUPS), f = op_.integer(ASSAY_ROUTER_TOPK_FUNCTION);
  floats({&logits, &out(1)});
  can(logits.cols <= kMaxExperts, "more than 1024 experts");
  can(f >= ASSAY_ROUTER_SOFTMAX && f <= ASSAY_ROUTER_SOFTMAX_OF_TOPK, "unknown function");
  need(k >= 1 && k <= logits.cols, "k must be 1 to the number of experts");
  need(groups <= 1 || (logits.cols % groups == 0 && top >= 1 && top <= groups && k <= top * (logits.cols / groups)),
       "the groups leave fewer than k experts");
  integers(out(0), logits.rows * k);
  need(out(1).elements() == logits.rows * k, "weight is not [M,k]");
  if (op_.has_in(1)) {
    need(in(1).rows == logits.rows && in(1).cols == logits.cols, "plan is not [M,E]");
    floats({&in(1)});
  }
  launch("router_topk", {logits.rows, 1, 1, 128, 0},
         RouterArgs{in_data(0), in_data(1), data(out(0)), data(out(1)), k, f, op_.integer(ASSAY_ROUTER_TOPK_NORMALISE),
                    groups, top, op_.attr[ASSAY_ROUTER_TOPK_FACTOR]});
}

void Lower::moe_dispatch() {
  const Slot& x = in(0);
  const int64_t experts = op_.integer(ASSAY_MOE_DISPATCH_EXPERTS), pairs = in(1).elements();
  floats({&x, &out(0)});
  can(in(1).dtype == ASSAY_I32, "an index must be i32");
  need(in(1).rows == x.rows, "index is not [M,k]");
  can(experts >= 1 && experts <= kMaxExperts && pairs <= 0x7fffffff, "experts must be 1 to 1024");
  need(out(0).rows == pairs && out(0).cols == x.cols, "y is not [M*k,h]");
  integers(out(1), experts + 1);
  integers(out(2), pairs);
  launch("moe_place", {1, 1, 1, 1024, 0},
         PlaceArgs{in_data(1), reinterpret_cast<int*>(out(1).data), reinterpret_cast<int*>(out(2).data), pairs, experts,
                   op_.index, plan_.fault});
  launch("gather", {pairs, 1, 1, 128, 0},
         GatherArgs{data(out(2)), in_data(0), data(out(0)), pairs, pairs, op_.index, in(1).cols, plan_.fault});
}

void Lower::moe_combine() {
  const Slot& y = out(0);
  const int64_t k = in(1).cols;
  floats({&in(0), &in(2), &y});
  integers(in(1), y.rows * k);
  need(in(0).rows == y.rows * k && in(0).cols == y.cols && in(2).elements() == y.rows * k, "x is not [M*k,h]");
  launch("moe_combine", {y.rows}, CombineArgs{in_data(0), in_data(1), in_data(2), data(y), k});
}

void Lower::patchify3d() {
  const bool inverse = op_.integer(ASSAY_PATCHIFY3D_INVERSE) != 0;
  const Slot& video = inverse ? out(0) : in(0);
  const Slot& patches = inverse ? in(0) : out(0);
  floats({&video, &patches});
  need(video.dims.size() == 5, "the video is not [B,C,T,H,W]");
  PatchArgs args{in_data(0),
                 data(out(0)),
                 video.elements(),
                 video.dims[1],
                 video.dims[2],
                 video.dims[3],
                 video.dims[4],
                 op_.integer(ASSAY_PATCHIFY3D_T),
                 op_.integer(ASSAY_PATCHIFY3D_H),
                 op_.integer(ASSAY_PATCHIFY3D_W),
                 inverse ? 1 : 0};
  need(args.pt >= 1 && args.ph >= 1 && args.pw >= 1 && args.t % args.pt == 0 && args.h % args.ph == 0 &&
           args.w % args.pw == 0,
       "T, H and W must be multiples of the patch");
  need(patches.elements() == video.elements() && patches.cols == args.c * args.pt * args.ph * args.pw,
       "the patches are not [B*N, C*t*h*w]");
  launch("patchify3d", flat(args.n, 1), args);
}

void Lower::group_norm() {
  same_shape();
  const int64_t groups = op_.integer(ASSAY_GROUP_NORM_GROUPS);
  need(groups >= 1 && in(0).cols % groups == 0, "groups do not divide the channels");
  need(in(1).elements() == in(0).cols && in(2).elements() == in(0).cols, "gamma or beta is not [C]");
  need(op_.attr[ASSAY_GROUP_NORM_EPS] >= 0, "eps must not be negative");
  floats({&in(1), &in(2)});
  launch("group_norm", {groups, 1, 1, 1024, 0},
         GroupNormArgs{in_data(0), in_data(1), in_data(2), data(out(0)), in(0).rows, groups,
                       op_.attr[ASSAY_GROUP_NORM_EPS]});
}

}  // namespace assay::gpu
