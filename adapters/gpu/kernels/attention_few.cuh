// Attention of few query rows against many keys, as decoding has it: every key and value is read once, in whole
// vectors, and the keys of a sequence are shared among so many blocks that the memory is kept busy.
#pragma once

namespace assay_gpu {

constexpr int kFewThreads = 128;

// k and v alike in kDtype, dim_qk = dim_v = kDim, all columns multiples of 8. A key is shared among kDim / 8
// neighbouring lanes; each such group keeps a softmax of its own until all keys are through. The next keys are fetched
// as soon as these are scored, the next values as soon as these are summed: memory answers while the rest is computed.
// Which keys there are is found out while the op before still runs. Grid: splits, heads' groups of kRows per KV head,
// rows.
template <int kDim, int kRows, int kDtype>
__device__ inline void attention_few(const AttentionArgs& a) {
  constexpr int kLanes = kDim / 8, kKeys = 32 / kLanes, kWarps = kFewThreads / 32;
  constexpr int kBytes = kDtype == kF32 ? 4 : 2, kVectors = kBytes / 2;
  constexpr int kAhead = 4 / kVectors, kStep = kWarps * kKeys * kAhead;  // keys and values in flight per thread
  __shared__ float merged[kWarps][kRows][kDim];
  __shared__ float most_of[kWarps][kRows], total_of[kWarps][kRows];
  const i64 per_kv = a.heads / a.kv_heads, groups = (per_kv + kRows - 1) / kRows;
  const i64 g = blockIdx.y / groups, h0 = g * per_kv + blockIdx.y % groups * kRows, left = (g + 1) * per_kv - h0;
  const int rows = left < kRows ? static_cast<int>(left) : kRows;
  const i64 m = blockIdx.z, b = m / a.tokens, split = blockIdx.x;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int sub = lane / kLanes, part = lane % kLanes;
  Data like{};  // known to the compiler, so that widen8 is
  like.dtype = kDtype;
  i64 first, end;
  seen_keys(a, m % a.tokens, &first, &end);
  const i64 share = ((end - first + a.splits - 1) / a.splits + kStep - 1) / kStep * kStep;
  const i64 from = first + split * share, to = from + share < end ? from + share : end;
  ASSAY_WAIT_FOR_INPUT();
  const i64 k_step = a.kv_heads * a.k.cols * kBytes, v_step = a.kv_heads * a.v.cols * kBytes;
  const bool paged = a.pages.table != nullptr;
  const i64 start = paged ? 0 : b * a.slots * a.kv_heads;
  const char* keys = a.k.p + ((start + g) * a.k.cols + a.col_k + part * 8) * kBytes;
  const char* values = a.v.p + ((start + g) * a.v.cols + a.col_v + part * 8) * kBytes;
  Eight k[kAhead], v[kAhead];
  const auto fetch = [&](const char* from_row, i64 row_bytes, i64 key0, Eight* into) {
    i64 place[kAhead];  // before the loads, so that they stay side by side
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const i64 key = key0 + u * kKeys + sub;
      place[u] = key < to ? key : to - 1;
    }
    if (paged) {
#pragma unroll
      for (int u = 0; u < kAhead; ++u) place[u] = cache_row(a.pages, a.slots, b, place[u]);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
#pragma unroll
      for (int half = 0; half < kVectors; ++half) {
        into[u].half[half] = reinterpret_cast<const Vector*>(from_row + place[u] * row_bytes)[half];
      }
    }
  };
  i64 k0 = from + warp * kKeys * kAhead;
  if (k0 < to) {
    fetch(keys, k_step, k0, k);
    fetch(values, v_step, k0, v);
  }
  float q[kRows][8], sums[kRows][8], most[kRows], total[kRows];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    most[r] = -INFINITY;
    total[r] = 0;
    for (int j = 0; j < 8; ++j) q[r][j] = sums[r][j] = 0;
    if (r < rows) load8(a.q, m * a.q.cols + a.q_col + (h0 + r) * kDim + part * 8, q[r]);
    for (int j = 0; j < 8; ++j) q[r][j] *= static_cast<float>(a.scale) * 1.4426950409f;  // powers of two in place of e
  }
  for (; k0 < to; k0 += kStep) {
    const bool more = k0 + kStep < to;
    float s[kAhead][kRows];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      float x[8];
      widen8(like, k[u], x);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        float dot = 0;
#pragma unroll
        for (int j = 0; j < 8; ++j) dot += x[j] * q[r][j];
#pragma unroll
        for (int other = kLanes / 2; other > 0; other /= 2) dot += ASSAY_SHUFFLE(dot, other);
        s[u][r] = k0 + u * kKeys + sub < to ? dot : -INFINITY;
      }
    }
    if (more) fetch(keys, k_step, k0 + kStep, k);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float now = most[r];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) now = fmaxf(now, s[u][r]);
      const float correction = most[r] == -INFINITY ? 0 : exp2f(most[r] - now);
      most[r] = now;
      total[r] *= correction;
#pragma unroll
      for (int j = 0; j < 8; ++j) sums[r][j] *= correction;
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        s[u][r] = s[u][r] == -INFINITY ? 0 : exp2f(s[u][r] - now);
        total[r] += s[u][r];
      }
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      float x[8];
      widen8(like, v[u], x);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
#pragma unroll
        for (int j = 0; j < 8; ++j) sums[r][j] += s[u][r] * x[j];
      }
    }
    if (more) fetch(values, v_step, k0 + kStep, v);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
#pragma unroll
    for (int other = kLanes; other < 32; other *= 2) {
      const float theirs = ASSAY_SHUFFLE(most[r], other), now = fmaxf(most[r], theirs);
      const float own = most[r] == -INFINITY ? 0 : exp2f(most[r] - now);
      const float foreign = theirs == -INFINITY ? 0 : exp2f(theirs - now);
      most[r] = now;
      total[r] = total[r] * own + ASSAY_SHUFFLE(total[r], other) * foreign;
#pragma unroll
      for (int j = 0; j < 8; ++j) sums[r][j] = sums[r][j] * own + ASSAY_SHUFFLE(sums[r][j], other) * foreign;
    }
    if (sub != 0) continue;
    for (int j = 0; j < 8; ++j) merged[warp][r][part * 8 + j] = sums[r][j];
    most_of[warp][r] = most[r];
    total_of[warp][r] = total[r];
  }
  __syncthreads();
  for (int i = thread; i < rows * kDim; i += kFewThreads) {
    const int r = i / kDim, d = i % kDim;
    float now = -INFINITY, all = 0, sum = 0;
    for (int w = 0; w < kWarps; ++w) now = fmaxf(now, most_of[w][r]);
    for (int w = 0; w < kWarps; ++w) {
      const float weight = most_of[w][r] == -INFINITY ? 0 : exp2f(most_of[w][r] - now);
      all += total_of[w][r] * weight;
      sum += merged[w][r][d] * weight;
    }
    const i64 at = (m * a.heads + h0 + r) * a.splits + split;
    if (a.splits == 1) {
      store(a.y, m * a.y.cols + (h0 + r) * kDim + d, all > 0 ? sum / all : 0);
    } else {
      a.part[at * kDim + d] = sum;
      if (d == 0) {
        a.stats[at * 2] = now * 0.6931471806f;
        a.stats[at * 2 + 1] = all;
      }
    }
  }
}

#define ASSAY_ATTENTION_FEW(name, dtype)                                                               \
  ASSAY_WAITING_KERNEL(attention_few_64_4_##name, AttentionArgs) { attention_few<64, 4, dtype>(a); }   \
  ASSAY_WAITING_KERNEL(attention_few_64_8_##name, AttentionArgs) { attention_few<64, 8, dtype>(a); }   \
  ASSAY_WAITING_KERNEL(attention_few_128_4_##name, AttentionArgs) { attention_few<128, 4, dtype>(a); } \
  ASSAY_WAITING_KERNEL(attention_few_128_8_##name, AttentionArgs) { attention_few<128, 8, dtype>(a); }
ASSAY_ATTENTION_FEW(bf16, kBF16)
ASSAY_ATTENTION_FEW(f16, kF16)
ASSAY_ATTENTION_FEW(f32, kF32)

// Each warp sums its share of the splits for 128 columns at a time; the first parts are on their way while the weights
// are made. Grid: rows, heads. Threads: 256.
ASSAY_KERNEL(attention_combine, AttentionArgs) {
  constexpr int kWarps = 8, kAhead = 4, kColumns = 4;
  __shared__ float merged[kWarps][32 * kColumns];
  const i64 m = blockIdx.x, at = (m * a.heads + blockIdx.y) * a.splits;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  float part[kAhead][kColumns], peak[kAhead];
  const auto fetch = [&](i64 c0, i64 s0) {
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const i64 s = s0 + u * kWarps;
      peak[u] = s < a.splits ? a.stats[(at + s) * 2] : -INFINITY;
#pragma unroll
      for (int i = 0; i < kColumns; ++i) {
        const i64 c = c0 + lane + 32 * i;
        part[u][i] = s < a.splits && c < a.dim_v ? a.part[(at + s) * a.dim_v + c] : 0;
      }
    }
  };
  fetch(0, warp);
  float most = -INFINITY, total = 0;
  for (i64 s = lane; s < a.splits; s += 32) most = fmaxf(most, a.stats[(at + s) * 2]);
  most = warp_max(most);
  for (i64 s = lane; s < a.splits; s += 32) {
    const float own = a.stats[(at + s) * 2];
    total += own == -INFINITY ? 0 : a.stats[(at + s) * 2 + 1] * expf(own - most);
  }
  total = warp_sum(total);
  for (i64 c0 = 0; c0 < a.dim_v; c0 += 32 * kColumns) {
    if (c0 > 0) fetch(c0, warp);
    float sums[kColumns] = {0, 0, 0, 0};
    for (i64 s0 = warp; s0 < a.splits; s0 += kWarps * kAhead) {
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const float weight = peak[u] == -INFINITY ? 0 : expf(peak[u] - most);
#pragma unroll
        for (int i = 0; i < kColumns; ++i) sums[i] += weight > 0 ? part[u][i] * weight : 0;
      }
      if (s0 + kWarps * kAhead < a.splits) fetch(c0, s0 + kWarps * kAhead);
    }
#pragma unroll
    for (int i = 0; i < kColumns; ++i) merged[warp][lane + 32 * i] = sums[i];
    __syncthreads();
    const i64 c = c0 + thread;
    if (thread < 32 * kColumns && c < a.dim_v) {
      float sum = 0;
      for (int w = 0; w < kWarps; ++w) sum += merged[w][thread];
      store(a.y, m * a.y.cols + blockIdx.y * a.dim_v + c, total > 0 ? sum / total : 0);
    }
    __syncthreads();
  }
}

}  // namespace assay_gpu
