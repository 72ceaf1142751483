// Row-wise and element-wise ops. Launched with one block per row unless it says otherwise.
#pragma once

namespace assay_gpu {

// Grid: rows, chunks of the row in which each thread has 8 elements.
ASSAY_KERNEL(gated_act, MapArgs) {
  const i64 f = a.y.cols, from = static_cast<i64>(blockIdx.x) * 2 * f, to = static_cast<i64>(blockIdx.x) * f;
  const i64 c = (static_cast<i64>(blockIdx.y) * blockDim.x + threadIdx.x) * 8;
  if (c >= f) return;
  if (f % 8 == 0) {
    float gate[8], up[8];
    const Eight both[2] = {fetch8(a.a, from + c), fetch8(a.a, from + f + c)};
    widen8(a.a, both[0], gate);
    widen8(a.a, both[1], up);
    for (int j = 0; j < 8; ++j) gate[j] = activated(gate[j], a.function) * up[j];
    store8(a.y, to + c, gate);
    return;
  }
  for (i64 i = c; i < c + 8 && i < f; ++i) {
    store(a.y, to + i, activated(load(a.a, from + i), a.function) * load(a.a, from + f + i));
  }
}

ASSAY_KERNEL(activation, MapArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (i + 8 <= a.n) {
    float x[8];
    load8(a.a, i, x);
    for (int j = 0; j < 8; ++j) x[j] = activated(x[j], a.function);
    store8(a.y, i, x);
    return;
  }
  for (i64 e = i; e < a.n; ++e) store(a.y, e, activated(load(a.a, e), a.function));
}

ASSAY_KERNEL(add, MapArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (i >= a.n) return;
  if (a.mod.p == nullptr && a.n % 8 == 0) {
    float x[8], y[8];
    const Eight both[2] = {fetch8(a.a, i), fetch8(a.b, i)};
    widen8(a.a, both[0], x);
    widen8(a.b, both[1], y);
    for (int j = 0; j < 8; ++j) x[j] += y[j];
    store8(a.y, i, x);
    return;
  }
  if (a.mod.p != nullptr && (a.y.cols | a.mod.cols | a.gate_col) % 8 == 0 && a.n <= 0xffffffffll) {
    float x[8], y[8], gate[8];
    const i64 row = static_cast<unsigned>(i) / static_cast<unsigned>(a.y.cols), col = i - row * a.y.cols;
    const i64 sequence = static_cast<unsigned>(row) / static_cast<unsigned>(a.rows_per_sequence);
    const Eight both[2] = {fetch8(a.a, i), fetch8(a.b, i)};
    load8(a.mod, sequence * a.mod.cols + a.gate_col + col, gate);
    widen8(a.a, both[0], x);
    widen8(a.b, both[1], y);
    for (int j = 0; j < 8; ++j) x[j] += gate[j] * y[j];
    store8(a.y, i, x);
    return;
  }
  for (i64 e = i; e < i + 8 && e < a.n; ++e) {
    const i64 row = e / a.y.cols;
    const float gate = a.mod.p == nullptr
                           ? 1
                           : load(a.mod, row / a.rows_per_sequence * a.mod.cols + a.gate_col + e % a.y.cols);
    store(a.y, e, load(a.a, e) + gate * load(a.b, e));
  }
}

ASSAY_KERNEL(add_bias, BiasArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  for (i64 e = i; e < i + 8 && e < a.n; ++e) store(a.y, e, load(a.y, e) + load(a.bias, e % a.y.cols));
}

ASSAY_KERNEL(widen, WidenArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  for (i64 e = i; e < i + 8 && e < a.n; ++e) store(a.y, e, load(a.x, e));
}

// What a thread keeps of a row that a block norms: vectors of 8, so that memory is read once.
constexpr int kNormVectors = 4;

// All tensors have kDtype: where the compiler did not know it, a norm's code would be a branch and four ways for every
// vector, 140 KB, and a step waits for each line of it that is not in the instruction caches. What a thread keeps is
// packed (of f32 half as many vectors), in 72 registers at most: a block of 512 finds room beside four of a product.
template <int kDtype>
constexpr int kKeptVectors = kDtype == kF32 ? kNormVectors / 2 : kNormVectors;
template <int kDtype>
__device__ inline Data known(const Data& d) {
  Data out = d;
  out.dtype = kDtype;
  return out;
}

template <int kDtype>
__device__ inline void norm_eights(const NormArgs& a) {
  const Data from = known<kDtype>(a.x), gamma = known<kDtype>(a.gamma), to = known<kDtype>(a.y);
  const i64 start = static_cast<i64>(blockIdx.x) * a.x.cols + a.col + static_cast<i64>(blockIdx.y) * a.group;
  const i64 step = static_cast<i64>(blockDim.x) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  constexpr int kVectors = kKeptVectors<kDtype>;
  Eight row[kVectors], factors[kVectors];
  if (a.early == 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.group) factors[u] = fetch8(gamma, mine + u * step);
  }
  if (a.early != 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.group) row[u] = fetch8(from, start + mine + u * step);
  }
  float squares = 0;
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.group) {
      float x[8];
      widen8(from, row[u], x);
      for (int j = 0; j < 8; ++j) squares += x[j] * x[j];
    }
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(a.group) + static_cast<float>(a.eps));
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.group) {
      float x[8], factor[8];
      widen8(from, row[u], x);
      widen8(gamma, factors[u], factor);
      for (int j = 0; j < 8; ++j) x[j] *= inverse * factor[j];
      store8(to, start + mine + u * step, x);
    }
  }
  if (blockIdx.y != 0 || a.x.p == a.y.p || a.cols == a.x.cols) return;
  const i64 base = static_cast<i64>(blockIdx.x) * a.x.cols;
  for (i64 j = mine; j < a.x.cols - a.cols; j += step) {
    const i64 at = base + (j < a.col ? j : j + a.cols);
    float other[8];
    load8(from, at, other);
    store8(to, at, other);
  }
}

// One block per row and group of whole vectors, at most kNormVectors per thread; the columns outside the slice are copied
// by the first group's block. All of one dtype.
ASSAY_WAITING_KERNEL(rms_norm_8, NormArgs) {
  if (a.x.dtype == kBF16) {
    norm_eights<kBF16>(a);
  } else if (a.x.dtype == kF16) {
    norm_eights<kF16>(a);
  } else {
    norm_eights<kF32>(a);
  }
}

template <int kDtype>
__device__ inline void add_norm_eights(const AddNormArgs& a) {
  const Data first = known<kDtype>(a.a), second = known<kDtype>(a.b), sum = known<kDtype>(a.sum);
  const Data gamma = known<kDtype>(a.gamma), to = known<kDtype>(a.y);
  const i64 start = static_cast<i64>(blockIdx.x) * a.sum.cols;
  const i64 step = static_cast<i64>(blockDim.x) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  constexpr int kVectors = kKeptVectors<kDtype>;
  Eight left[kVectors], right[kVectors], factors[kVectors];
  if (a.early == 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.sum.cols) factors[u] = fetch8(gamma, mine + u * step);
  }
  if (a.early != 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.sum.cols) {
      left[u] = fetch8(first, start + mine + u * step);
      right[u] = fetch8(second, start + mine + u * step);
    }
  }
  float squares = 0;
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.sum.cols) {
      float x[8], other[8];
      widen8(first, left[u], x);
      widen8(second, right[u], other);
      for (int j = 0; j < 8; ++j) x[j] += other[j];
      left[u] = pack8(sum, x);
      put8(sum, start + mine + u * step, left[u]);
      widen8(sum, left[u], x);
      for (int j = 0; j < 8; ++j) squares += x[j] * x[j];
    }
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(a.sum.cols) + static_cast<float>(a.eps));
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < a.sum.cols) {
      float x[8], factor[8];
      widen8(sum, left[u], x);
      widen8(gamma, factors[u], factor);
      for (int j = 0; j < 8; ++j) x[j] *= inverse * factor[j];
      store8(to, start + mine + u * step, x);
    }
  }
}

// Rows of whole vectors, at most kNormVectors per thread. The sum is normed as it is stored. One block per row. All of
// one dtype.
ASSAY_WAITING_KERNEL(add_rms_norm, AddNormArgs) {
  if (a.sum.dtype == kBF16) {
    add_norm_eights<kBF16>(a);
  } else if (a.sum.dtype == kF16) {
    add_norm_eights<kF16>(a);
  } else {
    add_norm_eights<kF32>(a);
  }
}

// One block per row and group; the columns outside the slice are copied by the first group's block.
ASSAY_KERNEL(rms_norm, NormArgs) {
  const i64 row = blockIdx.x, base = row * a.x.cols;
  const i64 start = base + a.col + static_cast<i64>(blockIdx.y) * a.group;
  float squares = 0;
  for (i64 j = threadIdx.x; j < a.group; j += blockDim.x) {
    const float value = load(a.x, start + j);
    squares += value * value;
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(a.group) + static_cast<float>(a.eps));
  for (i64 j = threadIdx.x; j < a.group; j += blockDim.x) {
    store(a.y, start + j, load(a.x, start + j) * inverse * load(a.gamma, j));
  }
  if (blockIdx.y != 0 || a.x.p == a.y.p) return;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) {
    if (j < a.col || j >= a.col + a.cols) store(a.y, base + j, load(a.x, base + j));
  }
}

// A row of which each thread keeps every step-th vector from `mine` on, normed, modulated and stored.
template <int kDtype>
__device__ inline void layer_norm_eights(const ModNormArgs& a, const Eight* kept) {
  const Data to = known<kDtype>(a.y), mod = known<kDtype>(a.mod);
  const i64 row = blockIdx.x, h = a.y.cols, base = row * h;
  const i64 step = static_cast<i64>(blockDim.x) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  const i64 of_row = a.mod.p == nullptr ? 0 : row / a.rows_per_sequence * a.mod.cols;
  float sum = 0, squares = 0;
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    if (mine + u * step >= h) continue;
    float x[8];
    widen8(to, kept[u], x);
    for (int j = 0; j < 8; ++j) sum += x[j];
  }
  const float mean = block_sum(sum) / static_cast<float>(h);
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    if (mine + u * step >= h) continue;
    float x[8];
    widen8(to, kept[u], x);
    for (int j = 0; j < 8; ++j) squares += (x[j] - mean) * (x[j] - mean);
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(h) + static_cast<float>(a.eps));
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    const i64 at = mine + u * step;
    if (at >= h) continue;
    float x[8], factor[8], shift[8];
    widen8(to, kept[u], x);
    for (int j = 0; j < 8; ++j) x[j] = (x[j] - mean) * inverse;
    if (a.gamma.p != nullptr) {
      load8(known<kDtype>(a.gamma), at, factor);
      for (int j = 0; j < 8; ++j) x[j] *= factor[j];
    }
    if (a.beta.p != nullptr) {
      load8(known<kDtype>(a.beta), at, shift);
      for (int j = 0; j < 8; ++j) x[j] += shift[j];
    }
    if (a.mod.p != nullptr) {
      load8(mod, of_row + a.scale_col + at, factor);
      load8(mod, of_row + a.shift_col + at, shift);
      for (int j = 0; j < 8; ++j) x[j] = x[j] * (1 + factor[j]) + shift[j];
    }
    store8(to, base + at, x);
  }
}

template <int kDtype>
__device__ inline void layer_norm_row(const ModNormArgs& a) {
  const Data from = known<kDtype>(a.x);
  const i64 base = static_cast<i64>(blockIdx.x) * a.x.cols;
  const i64 step = static_cast<i64>(blockDim.x) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  Eight kept[kKeptVectors<kDtype>];
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    if (mine + u * step < a.x.cols) kept[u] = fetch8(from, base + mine + u * step);
  }
  layer_norm_eights<kDtype>(a, kept);
}

// The same of a sum, gated where add.mod is: it is normed as it is stored.
template <int kDtype>
__device__ inline void add_layer_norm_row(const AddModNormArgs& a) {
  const MapArgs& add = a.add;
  const Data first = known<kDtype>(add.a), second = known<kDtype>(add.b), sum = known<kDtype>(add.y);
  const i64 row = blockIdx.x, h = add.y.cols, base = row * h;
  const i64 step = static_cast<i64>(blockDim.x) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  const i64 gate = add.mod.p == nullptr ? 0 : row / add.rows_per_sequence * add.mod.cols + add.gate_col;
  Eight kept[kKeptVectors<kDtype>], right[kKeptVectors<kDtype>];
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    if (mine + u * step >= h) continue;
    kept[u] = fetch8(first, base + mine + u * step);
    right[u] = fetch8(second, base + mine + u * step);
  }
#pragma unroll
  for (int u = 0; u < kKeptVectors<kDtype>; ++u) {
    const i64 at = mine + u * step;
    if (at >= h) continue;
    float x[8], other[8];
    widen8(first, kept[u], x);
    widen8(second, right[u], other);
    if (add.mod.p != nullptr) {
      float factor[8];
      load8(known<kDtype>(add.mod), gate + at, factor);
      for (int j = 0; j < 8; ++j) x[j] += factor[j] * other[j];
    } else {
      for (int j = 0; j < 8; ++j) x[j] += other[j];
    }
    kept[u] = pack8(sum, x);
    put8(sum, base + at, kept[u]);
  }
  layer_norm_eights<kDtype>(a.norm, kept);
}

// Rows of whole vectors, at most kNormVectors per thread. One block per row. All of one dtype.
ASSAY_KERNEL(layer_norm_modulate_8, ModNormArgs) {
  if (a.x.dtype == kBF16) {
    layer_norm_row<kBF16>(a);
  } else if (a.x.dtype == kF16) {
    layer_norm_row<kF16>(a);
  } else {
    layer_norm_row<kF32>(a);
  }
}
ASSAY_KERNEL(add_layer_norm_modulate, AddModNormArgs) {
  if (a.add.y.dtype == kBF16) {
    add_layer_norm_row<kBF16>(a);
  } else if (a.add.y.dtype == kF16) {
    add_layer_norm_row<kF16>(a);
  } else {
    add_layer_norm_row<kF32>(a);
  }
}

ASSAY_KERNEL(layer_norm_modulate, ModNormArgs) {
  const i64 row = blockIdx.x, h = a.x.cols, base = row * h;
  float sum = 0;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) sum += load(a.x, base + j);
  const float mean = block_sum(sum) / static_cast<float>(h);
  float squares = 0;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) {
    const float off = load(a.x, base + j) - mean;
    squares += off * off;
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(h) + static_cast<float>(a.eps));
  const i64 mod = a.mod.p == nullptr ? 0 : row / a.rows_per_sequence * a.mod.cols;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) {
    float value = (load(a.x, base + j) - mean) * inverse;
    if (a.gamma.p != nullptr) value *= load(a.gamma, j);
    if (a.beta.p != nullptr) value += load(a.beta, j);
    if (a.mod.p != nullptr) value = value * (1 + load(a.mod, mod + a.scale_col + j)) + load(a.mod, mod + a.shift_col + j);
    store(a.y, base + j, value);
  }
}

constexpr int kMostPairs = 512;

// Where pair p lies: the axis of the grid that its place counts along, and the axis' elements [first, first + size).
__device__ inline i64 rope_axis(const RopeArgs& a, i64 p, i64 t, i64* first, i64* size) {
  *first = 0;
  *size = a.rotary_dim;
  if (a.grid_w <= 0) return position(a.pos) + t;
  const i64 u = t - a.text_rows;
  *size = a.dim_t;
  if (2 * p < a.dim_t) return u / (a.grid_h * a.grid_w);
  if (2 * p < a.dim_t + a.dim_h) {
    *first = a.dim_t;
    *size = a.dim_h;
    return u / a.grid_w % a.grid_h;
  }
  *first = a.dim_t + a.dim_h;
  *size = a.rotary_dim - *first;
  return u % a.grid_w;
}

// Columns of the heads' rotated elements.
__device__ inline bool rope_turns(const RopeArgs& a, unsigned j) {
  const auto col = static_cast<unsigned>(a.col), inside = (j - col) % static_cast<unsigned>(a.head_dim);
  return j >= col && j < col + a.cols && inside >= a.rotary_col && inside < a.rotary_col + a.rotary_dim;
}

// Eight columns of x from `col` on into the caches, where they belong there.
__device__ inline void append8(const AppendArgs& a, i64 row, i64 col, const float* x) {
  const i64 slot = position(a.pos) + row % a.tokens;
  const i64 keys = a.heads * a.dim_k, values = a.heads * a.dim_v;
  if (slot >= a.slots) return;
  const i64 at = cache_row(a.pages, a.slots, row / a.tokens, slot);
  if (col >= a.col_k && col < a.col_k + keys) store8(a.k, at * keys + col - a.col_k, x);
  if (col >= a.col_v && col < a.col_v + values) store8(a.v, at * values + col - a.col_v, x);
}

// Where rope's columns go. The caches get what y has once it is stored, which is of their dtype. What is not turned
// is already there where x and y are the same memory.
struct RopeOnly {
  __device__ bool leaves(const RopeArgs& a) const { return a.x.p == a.y.p; }
  __device__ void store(const RopeArgs& a, i64 at, const float* x) const { store8(a.y, at, x); }
  __device__ void keep(const RopeArgs& a, i64 at, const float* x) const { store8(a.y, at, x); }
};
struct RopeAndAppend {
  const AppendArgs& append;
  __device__ bool leaves(const RopeArgs&) const { return false; }
  __device__ void store(const RopeArgs& a, i64 at, const float* x) const {
    store8(a.y, at, x);
    const i64 row = blockIdx.x;
    append8(append, row, at - row * a.y.cols, x);
  }
  __device__ void keep(const RopeArgs& a, i64 at, const float* x) const {
    if (a.x.p != a.y.p) store8(a.y, at, x);
    const i64 row = blockIdx.x;
    append8(append, row, at - row * a.y.cols, x);
  }
};

// Vector v of a head: 8 first halves of pairs and their second halves, or 4 neighbouring pairs.
template <typename To>
__device__ inline void rope_vector(const RopeArgs& a, const To& to, i64 head, i64 v, i64 t, const float* cosine,
                                   const float* sine) {
  float x[8], y[8], low[8], high[8];
  if (a.interleaved != 0) {
    load8(a.x, head + v * 8, x);
    for (int j = 0; j < 4; ++j) {
      y[2 * j] = x[2 * j] * cosine[v * 4 + j] - x[2 * j + 1] * sine[v * 4 + j];
      y[2 * j + 1] = x[2 * j + 1] * cosine[v * 4 + j] + x[2 * j] * sine[v * 4 + j];
    }
    to.store(a, head + v * 8, y);
    return;
  }
  i64 first, size;
  const i64 p = v * 8;
  rope_axis(a, p, t, &first, &size);
  const i64 at = head + first + p - first / 2;
  const Eight both[2] = {fetch8(a.x, at), fetch8(a.x, at + size / 2)};
  widen8(a.x, both[0], x);
  widen8(a.x, both[1], y);
  for (int j = 0; j < 8; ++j) {
    low[j] = x[j] * cosine[p + j] - y[j] * sine[p + j];
    high[j] = y[j] * cosine[p + j] + x[j] * sine[p + j];
  }
  to.store(a, at, low);
  to.store(a, at + size / 2, high);
}

// Of the pairs in the block's row. The angle is reduced in double precision: a long context's position times a
// frequency leaves a float too few bits of it.
__device__ inline void rope_angles(const RopeArgs& a, float* cosine, float* sine) {
  const i64 row = blockIdx.x, t = row % a.tokens;
  const auto pairs = static_cast<unsigned>(a.rotary_dim / 2);
  const bool turns = a.grid_w <= 0 || t >= a.text_rows;
  i64 first, size;
  for (unsigned p = threadIdx.x; p < pairs; p += blockDim.x) {
    const double angle = turns ? static_cast<double>(rope_axis(a, p, t, &first, &size)) * a.frequency[p] : 0;
    const auto turned = static_cast<float>(angle - 6.283185307179586 * floor(angle * 0.15915494309189535));
    cosine[p] = cosf(turned);
    sine[p] = sinf(turned);
  }
}

// `wide`: vectors of 8 columns hold whole pairs, or lie within one half of one axis, so that whole vectors are turned.
// What is not turned is copied. Grid: rows, shares of the row's heads.
template <typename To>
__device__ inline void rope_rows(const RopeArgs& a, const To& to) {
  __shared__ float cosine[kMostPairs], sine[kMostPairs];
  const i64 row = blockIdx.x, base = row * a.x.cols, t = row % a.tokens;
  const unsigned part = blockIdx.y, parts = gridDim.y, cols = static_cast<unsigned>(a.x.cols);
  const auto pairs = static_cast<unsigned>(a.rotary_dim / 2), heads = static_cast<unsigned>(a.cols / a.head_dim);
  i64 first, size;
  rope_angles(a, cosine, sine);
  ASSAY_WAIT_FOR_INPUT();  // the position and the frequencies are there before the step begins
  __syncthreads();
  const unsigned each = a.wide != 0 ? 8 : 1;
  const unsigned per_head = a.wide == 0 ? pairs : a.interleaved != 0 ? pairs / 4 : pairs / 8;
  const unsigned from = part * heads / parts * per_head, until = (part + 1) * heads / parts * per_head;
  for (unsigned e = from + threadIdx.x; e < until; e += blockDim.x) {
    const unsigned head = e / per_head, p = e % per_head;
    const i64 at = base + a.col + head * a.head_dim + a.rotary_col;
    if (a.wide != 0) {
      rope_vector(a, to, at, p, t, cosine, sine);
      continue;
    }
    rope_axis(a, p, t, &first, &size);
    const i64 i = p - first / 2, low = at + first + (a.interleaved != 0 ? 2 * i : i);
    const i64 high = low + (a.interleaved != 0 ? 1 : size / 2);
    const float x = load(a.x, low), y = load(a.x, high);
    store(a.y, low, x * cosine[p] - y * sine[p]);
    store(a.y, high, y * cosine[p] + x * sine[p]);
  }
  if (to.leaves(a)) return;
  const unsigned begin = part * (cols / each) / parts * each, end = (part + 1) * (cols / each) / parts * each;
  for (unsigned j = begin + threadIdx.x * each; j < end; j += blockDim.x * each) {
    if (rope_turns(a, j)) continue;
    if (a.wide != 0) {
      float x[8];
      load8(a.x, base + j, x);
      to.keep(a, base + j, x);
    } else {
      store(a.y, base + j, load(a.x, base + j));
    }
  }
}
template <int kDtype>
__device__ inline void rope_known(const RopeArgs& args) {
  RopeArgs a = args;
  a.x.dtype = a.y.dtype = kDtype;
  a.wide = 1;
  rope_rows(a, RopeOnly{});
}
ASSAY_WAITING_KERNEL(rope, RopeArgs) {
  if (a.wide == 0) {
    rope_rows(a, RopeOnly{});
  } else if (a.x.dtype == kBF16) {
    rope_known<kBF16>(a);
  } else if (a.x.dtype == kF16) {
    rope_known<kF16>(a);
  } else {
    rope_known<kF32>(a);
  }
}

template <int kDtype>
__device__ inline void rope_append_known(const RopeAppendArgs& args) {
  RopeAppendArgs a = args;
  a.rope.x.dtype = a.rope.y.dtype = a.append.k.dtype = a.append.v.dtype = kDtype;
  a.rope.wide = 1;
  rope_rows(a.rope, RopeAndAppend{a.append});
}
ASSAY_WAITING_KERNEL(rope_kv_append, RopeAppendArgs) {
  if (a.rope.x.dtype == kBF16) {
    rope_append_known<kBF16>(a);
  } else if (a.rope.x.dtype == kF16) {
    rope_append_known<kF16>(a);
  } else {
    rope_append_known<kF32>(a);
  }
}

// Grid: rows, the caches.
ASSAY_KERNEL(kv_append, AppendArgs) {
  const i64 row = blockIdx.x, b = row / a.tokens, slot = position(a.pos) + row % a.tokens;
  if (slot >= a.slots) return;
  const bool second = blockIdx.y != 0;
  const Data& cache = second ? a.v : a.k;
  const i64 n = a.heads * (second ? a.dim_v : a.dim_k), to = cache_row(a.pages, a.slots, b, slot) * n;
  const i64 from = row * a.x.cols + (second ? a.col_v : a.col_k);
  if ((n | a.x.cols | a.col_k | a.col_v) % 8 == 0) {
    for (i64 j = threadIdx.x * 8; j < n; j += blockDim.x * 8) {
      float x[8];
      load8(a.x, from + j, x);
      store8(cache, to + j, x);
    }
    return;
  }
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) store(cache, to + j, load(a.x, from + j));
}

ASSAY_KERNEL(gather, GatherArgs) {
  const i64 row = blockIdx.x;
  i64 index = reinterpret_cast<const int*>(a.index.p)[row];
  const i64 bound = a.table_rows;
  if (a.divide == 0 && (index < 0 || index >= bound)) {
    if (threadIdx.x == 0) note(a.fault, a.op, index, bound);
    index = 0;
  }
  const i64 from = a.divide == 0 ? index : row / a.divide, to = a.divide == 0 ? row : index;
  for (i64 j = threadIdx.x; j < a.y.cols; j += blockDim.x) {
    store(a.y, to * a.y.cols + j, load(a.table, from * a.y.cols + j));
  }
}

// The larger value, of equal ones the lower place. A place below 0 is none.
__device__ inline void keep_larger(float value, i64 place, float* best, i64* best_place) {
  if (place < 0) return;
  if (*best_place < 0 || value > *best || (value == *best && place < *best_place)) {
    *best = value;
    *best_place = place;
  }
}

__device__ inline void block_largest(float* best, i64* place) {
  __shared__ float values[256];
  __shared__ i64 places[256];
  values[threadIdx.x] = *best;
  places[threadIdx.x] = *place;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      keep_larger(values[threadIdx.x + half], places[threadIdx.x + half], &values[threadIdx.x], &places[threadIdx.x]);
    }
  }
  __syncthreads();
  *best = values[0];
  *place = places[0];
}

// Of eight neighbours of a row in ascending order.
__device__ inline void keep_largest_of(const float* values, i64 at, float* best, i64* place) {
  float most = values[0];
#pragma unroll
  for (int j = 1; j < 8; ++j) most = fmaxf(most, values[j]);
  if (most > *best || *place < 0) {  // seldom: places are looked at only then
    for (int j = 0; j < 8; ++j) keep_larger(values[j], at + j, best, place);
  }
}

// Several blocks per row, because one could not read a long row at the memory's speed. Grid: rows, parts.
ASSAY_KERNEL(argmax_parts, ArgmaxArgs) {
  constexpr int kAhead = 4;
  const i64 row = blockIdx.x, part = blockIdx.y, base = row * a.x.cols;
  const i64 from = part * a.part_cols, to = from + a.part_cols < a.x.cols ? from + a.part_cols : a.x.cols;
  const i64 step = static_cast<i64>(blockDim.x) * 8;
  float best = 0;
  i64 place = -1;
  i64 c = from + threadIdx.x * 8;
  if (a.x.cols % 8 == 0) {
    for (; a.x.dtype == kF32 && c + (kAhead - 1) * step < to; c += kAhead * step) {
      Vector halves_of[kAhead][2];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const auto* at = reinterpret_cast<const Vector*>(a.x.p + (base + c + u * step) * 4);
        halves_of[u][0] = at[0];
        halves_of[u][1] = at[1];
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        float values[8];
#pragma unroll
        for (int j = 0; j < 8; ++j) values[j] = float_of(halves_of[u][j / 4].word[j % 4]);
        keep_largest_of(values, c + u * step, &best, &place);
      }
    }
    for (; c < to; c += step) {
      float values[8];
      load8(a.x, base + c, values);
      keep_largest_of(values, c, &best, &place);
    }
  } else {
    for (i64 j = from + threadIdx.x; j < to; j += blockDim.x) keep_larger(load(a.x, base + j), j, &best, &place);
  }
  block_largest(&best, &place);
  if (threadIdx.x != 0) return;
  a.values[row * a.parts + part] = best;
  a.places[row * a.parts + part] = place;
}

// One block per row.
ASSAY_KERNEL(argmax, ArgmaxArgs) {
  float best = 0;
  i64 place = -1;
  for (i64 j = threadIdx.x; j < a.parts; j += blockDim.x) {
    const i64 at = static_cast<i64>(blockIdx.x) * a.parts + j;
    keep_larger(a.values[at], a.places[at], &best, &place);
  }
  block_largest(&best, &place);
  if (threadIdx.x == 0) reinterpret_cast<int*>(a.y.p)[blockIdx.x] = static_cast<int>(place);
}

ASSAY_KERNEL(quantize, ReduceArgs) {
  const i64 base = static_cast<i64>(blockIdx.x) * a.x.cols;
  float most = 0;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) most = fmaxf(most, fabsf(load(a.x, base + j)));
  most = block_max(most);
  const bool real = a.y.dtype == kF8E4M3;
  const float scale = most > 0 ? most / (real ? 448 : 127) : 1;
  if (threadIdx.x == 0) a.scale[blockIdx.x] = scale;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) {
    const float value = load(a.x, base + j) / scale;
    const float code = fminf(fmaxf(rintf(value), -127), 127);
    reinterpret_cast<signed char*>(a.y.p)[base + j] =
        static_cast<signed char>(real ? static_cast<int>(e4m3_code(value)) : static_cast<int>(code));
  }
}

#if defined(ASSAY_OVERLAPS)
ASSAY_KERNEL(overlaps, WidenArgs) { (void)a; }  // its being there says that all wait for their input
#endif

}  // namespace assay_gpu
