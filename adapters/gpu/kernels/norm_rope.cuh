// The RMS norms of queries and keys, RoPE behind them and the KV append behind that in one kernel: a row is read and
// written once. It computes what the kernels of its parts do one after the other, to the last bit.
#pragma once

namespace assay_gpu {

__device__ inline void keep8(const Data& to, i64 at, const Eight& e) {
  if (to.p != nullptr) put8(to, at, e);
}

template <int kDtype>
__device__ inline NormRopeArgs norm_rope_known(const NormRopeArgs& args) {
  NormRopeArgs a = args;
  a.rope.x.dtype = a.rope.y.dtype = a.append.k.dtype = a.append.v.dtype = kDtype;
  a.q_gamma.dtype = a.k_gamma.dtype = a.q_normed.dtype = a.k_normed.dtype = kDtype;
  return a;
}

// Eight elements from `inside` on of a head, normed, turned. Where pairs are halves of a head, the other half of these
// is another lane's: all lanes of a warp come here together.
__device__ inline void turn8(const RopeArgs& a, int inside, const float* x, const float* cosine, const float* sine,
                             float* y) {
  const int at = inside - static_cast<int>(a.rotary_col), half = static_cast<int>(a.rotary_dim) / 2;
  const bool turns = at >= 0 && at < 2 * half;
  if (a.interleaved != 0) {
    const int p = at / 2;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      y[2 * j] = turns ? x[2 * j] * cosine[p + j] - x[2 * j + 1] * sine[p + j] : x[2 * j];
      y[2 * j + 1] = turns ? x[2 * j + 1] * cosine[p + j] + x[2 * j] * sine[p + j] : x[2 * j + 1];
    }
    return;
  }
  const bool second = at >= half;
  const int p = second ? at - half : at;
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const float other = ASSAY_SHUFFLE(x[j], half / 8);
    if (!turns) {
      y[j] = x[j];
    } else {
      y[j] = second ? x[j] * cosine[p + j] + other * sine[p + j] : x[j] * cosine[p + j] - other * sine[p + j];
    }
  }
}

// A vector of queries, or of keys, from column `col` of the block's row on, which is `inside` its head. All lanes of a
// warp come here, also those that have none.
__device__ inline void norm_turn8(const NormRopeArgs& a, bool there, bool key, i64 col, int inside, const Eight& raw,
                                  const Eight& gamma, float inverse, const float* cosine, const float* sine) {
  const i64 row = blockIdx.x, at = row * a.rope.x.cols + col;
  float x[8], factor[8], turned[8];
  widen8(a.rope.x, raw, x);
  widen8(a.q_gamma, gamma, factor);
  for (int j = 0; j < 8; ++j) x[j] *= inverse * factor[j];
  const Eight normed = pack8(a.rope.x, x);  // it is turned as it would have been stored
  widen8(a.rope.x, normed, x);
  turn8(a.rope, inside, x, cosine, sine, turned);
  if (!there) return;
  if (key) {
    keep8(a.q_normed, at, raw);
  } else {
    keep8(a.q_normed, at, normed);
  }
  keep8(a.k_normed, at, normed);
  store8(a.rope.y, at, turned);
  if (a.append.k.p != nullptr) append8(a.append, row, col, turned);
}

// Of the columns that are neither queries nor keys the vectors [from, until) in steps.
__device__ inline void pass_others(const NormRopeArgs& a, i64 from, i64 until, i64 step) {
  const i64 row = blockIdx.x, base = row * a.rope.x.cols;
  const bool moves = a.rope.x.p != a.rope.y.p;
  if (!moves && a.append.k.p == nullptr) return;
  for (i64 v = from; v < until; v += step) {
    const i64 col = v * 8 < a.rope.col ? v * 8 : v * 8 + a.rope.cols;
    const Eight e = fetch8(a.rope.x, base + col);
    keep8(a.q_normed, base + col, e);
    keep8(a.k_normed, base + col, e);
    if (moves) put8(a.rope.y, base + col, e);
    if (a.append.k.p == nullptr) continue;
    float x[8];
    widen8(a.rope.x, e, x);
    append8(a.append, row, col, x);
  }
}

// Norms of heads, whose vectors are neighbouring lanes', a power of 2 of them. Grid: rows, shares of the row's heads.
template <int kDtype>
__device__ inline void norm_rope_of_heads(const NormRopeArgs& args) {
  const NormRopeArgs a = norm_rope_known<kDtype>(args);
  __shared__ float cosine[kMostPairs], sine[kMostPairs];
  const i64 base = static_cast<i64>(blockIdx.x) * a.rope.x.cols;
  const auto dim = static_cast<unsigned>(a.rope.head_dim);
  const unsigned lanes = dim / 8, inside = threadIdx.x % lanes * 8, each = blockDim.x / lanes;
  const unsigned heads = static_cast<unsigned>(a.rope.cols) / dim, queries = static_cast<unsigned>(a.q_cols) / dim;
  const unsigned from = blockIdx.y * heads / gridDim.y, until = (blockIdx.y + 1) * heads / gridDim.y;
  if (a.early == 0) ASSAY_WAIT_FOR_INPUT();
  const Eight of_queries = fetch8(a.q_gamma, inside), of_keys = fetch8(a.k_gamma, inside);
  rope_angles(a.rope, cosine, sine);
  if (a.early != 0) ASSAY_WAIT_FOR_INPUT();
  __syncthreads();
  for (unsigned first = from; first < until; first += each) {
    const unsigned head = first + threadIdx.x / lanes;
    const bool there = head < until, key = head >= queries;
    const i64 col = a.rope.col + static_cast<i64>(head) * dim + inside;
    Eight raw = {};
    if (there) raw = fetch8(a.rope.x, base + col);
    float x[8], squares = 0;
    widen8(a.rope.x, raw, x);
    for (int j = 0; j < 8; ++j) squares += x[j] * x[j];
    for (int apart = static_cast<int>(lanes) / 2; apart > 0; apart /= 2) squares += ASSAY_SHUFFLE(squares, apart);
    const auto eps = static_cast<float>(key ? a.k_eps : a.q_eps);
    const float inverse = rsqrtf(squares / static_cast<float>(dim) + eps);
    Eight gamma = of_queries;
    if (key) gamma = of_keys;
    norm_turn8(a, there, key, col, static_cast<int>(inside), raw, gamma, inverse, cosine, sine);
  }
  const i64 others = (a.rope.x.cols - a.rope.cols) / 8;
  pass_others(a, blockIdx.y * others / gridDim.y + threadIdx.x, (blockIdx.y + 1) * others / gridDim.y, blockDim.x);
}

// Norms of all queries and of all keys of a row, each by as many threads of a block as rms_norm_8 has for it. Grid:
// rows; queries, keys and, where they are not left as they are, the other columns.
template <int kDtype>
__device__ inline void norm_rope_of_rows(const NormRopeArgs& args) {
  const NormRopeArgs a = norm_rope_known<kDtype>(args);
  if (blockIdx.y == 2) {
    ASSAY_WAIT_FOR_INPUT();
    pass_others(a, threadIdx.x, (a.rope.x.cols - a.rope.cols) / 8, blockDim.x);
    return;
  }
  __shared__ float cosine[kMostPairs], sine[kMostPairs];
  const bool key = blockIdx.y != 0;
  const i64 group = key ? a.rope.cols - a.q_cols : a.q_cols, start = a.rope.col + (key ? a.q_cols : 0);
  const i64 base = static_cast<i64>(blockIdx.x) * a.rope.x.cols + start;
  const i64 step = (key ? a.k_threads : a.q_threads) * 8, mine = static_cast<i64>(threadIdx.x) * 8;
  const i64 end = mine < step ? group : 0;  // threads beyond have no vectors
  Data gamma = a.q_gamma;
  if (key) gamma.p = a.k_gamma.p;
  constexpr int kVectors = kKeptVectors<kDtype>;
  Eight row[kVectors] = {}, factors[kVectors] = {};
  if (a.early == 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < end) factors[u] = fetch8(gamma, mine + u * step);
  }
  rope_angles(a.rope, cosine, sine);
  if (a.early != 0) ASSAY_WAIT_FOR_INPUT();
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < end) row[u] = fetch8(a.rope.x, base + mine + u * step);
  }
  float squares = 0;
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (mine + u * step < end) {
      float x[8];
      widen8(a.rope.x, row[u], x);
      for (int j = 0; j < 8; ++j) squares += x[j] * x[j];
    }
  }
  const auto eps = static_cast<float>(key ? a.k_eps : a.q_eps);
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(group) + eps);
#pragma unroll
  for (int u = 0; u < kVectors; ++u) {
    if (u * step >= group) continue;
    const i64 col = mine + u * step;
    const unsigned inside = static_cast<unsigned>(col) % static_cast<unsigned>(a.rope.head_dim);
    norm_turn8(a, col < end, key, start + col, static_cast<int>(inside), row[u], factors[u], inverse, cosine, sine);
  }
}

#define ASSAY_NORM_ROPE(name, threads, blocks)                           \
  ASSAY_BOUNDED_KERNEL(norm_rope_##name, NormRopeArgs, threads, blocks) { \
    if (a.rope.x.dtype == kBF16) {                                       \
      norm_rope_of_##name<kBF16>(a);                                     \
    } else if (a.rope.x.dtype == kF16) {                                 \
      norm_rope_of_##name<kF16>(a);                                      \
    } else {                                                             \
      norm_rope_of_##name<kF32>(a);                                      \
    }                                                                    \
  }
ASSAY_NORM_ROPE(heads, 128, 8)
ASSAY_NORM_ROPE(rows, 512, 1)

}  // namespace assay_gpu
