// Attention in memory linear in the number of tokens.
#pragma once

namespace assay_gpu {

// The keys that token t may see: [first, end).
__device__ inline void seen_keys(const AttentionArgs& a, i64 t, i64* first, i64* end) {
  const i64 pos = position(a.pos);
  *first = 0;
  if (a.mask == 3) {
    *end = a.slots;
  } else if (a.mask == 0) {
    *end = pos + a.tokens;
  } else {
    *end = pos + t + 1;
    if (a.mask == 2 && *end > a.window) *first = *end - a.window;
  }
  if (*end > a.slots) *end = a.slots;
}

constexpr int kTileKeys = 32, kGroupRows = 8, kAttentionThreads = 128;

// The score of the key in row `place` of the cache for the rows in shared memory, shared among the lanes of a warp.
__device__ inline void score_key(const AttentionArgs& a, i64 g, i64 place, const float* q, int rows, int lane,
                                 float* out) {
  float sums[kGroupRows];
  for (int r = 0; r < kGroupRows; ++r) sums[r] = 0;
  const i64 plain = a.dim_qk - a.dim_rope;
  const i64 at = (place * a.kv_heads + g) * a.k.cols + a.col_k;
  const bool eights = plain % 8 == 0 && a.col_k % 8 == 0 && a.k.cols % 8 == 0;
  for (i64 d = lane * 8; d < plain; d += 256) {
    float k[8];
    const int n = plain - d < 8 ? static_cast<int>(plain - d) : 8;
    if (eights) {
      load8(a.k, at + d, k);
    } else {
      for (int j = 0; j < n; ++j) k[j] = load(a.k, at + d + j);
    }
#pragma unroll
    for (int r = 0; r < kGroupRows; ++r) {
      if (r >= rows) continue;
      for (int j = 0; j < n; ++j) sums[r] += k[j] * q[r * a.dim_qk + d + j];
    }
  }
  for (i64 d = lane; d < a.dim_rope; d += 32) {
    const float k = load(a.rope, place * a.rope.cols + d);
    for (int r = 0; r < kGroupRows; ++r) {
      if (r < rows) sums[r] += k * q[r * a.dim_qk + plain + d];
    }
  }
  for (int r = 0; r < kGroupRows; ++r) out[r] = warp_sum(sums[r]);
}

// Any shape: a block takes one token's query heads of one KV head, 8 at a time, and a share of the keys, so that each key
// is read once for the group. Grid: tokens, heads' groups, sequences x splits. Shared: q [8, dim_qk].
ASSAY_KERNEL(attention_rows, AttentionArgs) {
  ASSAY_DYNAMIC_SHARED(float, q);
  __shared__ float score[kGroupRows][kTileKeys];
  __shared__ float correction[kGroupRows], total[kGroupRows], most[kGroupRows];
  __shared__ i64 places[kTileKeys];  // rows of the cache; -1: no key
  const i64 per_kv = a.heads / a.kv_heads, groups = (per_kv + kGroupRows - 1) / kGroupRows;
  const i64 g = blockIdx.y / groups, h0 = g * per_kv + blockIdx.y % groups * kGroupRows;
  const i64 left = (g + 1) * per_kv - h0;
  const int rows = left < kGroupRows ? static_cast<int>(left) : kGroupRows;
  const i64 t = blockIdx.x, b = blockIdx.z / a.splits, split = blockIdx.z % a.splits, m = b * a.tokens + t;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  for (i64 i = thread; i < rows * a.dim_qk; i += kAttentionThreads) {
    q[i] = load(a.q, m * a.q.cols + a.q_col + h0 * a.dim_qk + i) * static_cast<float>(a.scale);
  }
  if (thread < kGroupRows) {
    total[thread] = 0;
    most[thread] = -INFINITY;
  }
  i64 first, end;
  seen_keys(a, t, &first, &end);
  const i64 listed = a.index.p == nullptr ? 0 : a.index.cols;
  i64 from = a.index.p == nullptr ? first : 0, to = a.index.p == nullptr ? end : listed;
  const i64 share = (to - from + a.splits - 1) / a.splits;
  from += split * share;
  if (from + share < to) to = from + share;
  constexpr int kColumns = 4;  // of the value that a thread sums: dim_v is at most 4 x 128
  float sums[kGroupRows][kColumns];
  for (int r = 0; r < kGroupRows; ++r) {
    for (int c = 0; c < kColumns; ++c) sums[r][c] = 0;
  }
  for (i64 k0 = from; k0 < to; k0 += kTileKeys) {
    const int n = to - k0 < kTileKeys ? static_cast<int>(to - k0) : kTileKeys;
    __syncthreads();
    if (thread < n) {
      const i64 key = a.index.p == nullptr ? k0 + thread : reinterpret_cast<const int*>(a.index.p)[m * listed + k0 + thread];
      places[thread] = key >= first && key < end ? cache_row(a.pages, a.slots, b, key) : -1;
    }
    __syncthreads();
    for (int j = warp; j < n; j += kAttentionThreads / 32) {
      float out[kGroupRows];
      if (places[j] >= 0) score_key(a, g, places[j], q, rows, lane, out);
      if (lane == 0) {
#pragma unroll
        for (int r = 0; r < kGroupRows; ++r) score[r][j] = places[j] >= 0 ? out[r] : -INFINITY;
      }
    }
    __syncthreads();
    for (int r = warp; r < rows; r += kAttentionThreads / 32) {
      const float mine = lane < n ? score[r][lane] : -INFINITY;
      const float old = most[r], now = fmaxf(old, warp_max(mine));
      const float p = mine == -INFINITY ? 0 : expf(mine - now);
      const float sum = warp_sum(p);
      if (lane < n) score[r][lane] = p;
      if (lane == 0) {
        correction[r] = old == -INFINITY ? 0 : expf(old - now);
        total[r] = total[r] * correction[r] + sum;
        most[r] = now;
      }
    }
    __syncthreads();
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const i64 d = thread + c * kAttentionThreads;
      if (d >= a.dim_v) continue;
#pragma unroll
      for (int r = 0; r < kGroupRows; ++r) sums[r][c] *= r < rows ? correction[r] : 0;
      for (int j = 0; j < n; ++j) {
        if (places[j] < 0) continue;
        const float v = load(a.v, (places[j] * a.kv_heads + g) * a.v.cols + a.col_v + d);
#pragma unroll
        for (int r = 0; r < kGroupRows; ++r) {
          if (r < rows) sums[r][c] += score[r][j] * v;
        }
      }
    }
  }
  __syncthreads();
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const i64 d = thread + c * kAttentionThreads;
    if (d >= a.dim_v) continue;
#pragma unroll
    for (int r = 0; r < kGroupRows; ++r) {
      if (r >= rows) continue;
      if (a.splits == 1) {
        store(a.y, m * a.y.cols + (h0 + r) * a.dim_v + d, total[r] > 0 ? sums[r][c] / total[r] : 0);
      } else {
        a.part[((m * a.heads + h0 + r) * a.splits + split) * a.dim_v + d] = sums[r][c];
      }
    }
  }
  if (a.splits > 1 && thread < rows) {
    float* stats = a.stats + ((m * a.heads + h0 + thread) * a.splits + split) * 2;
    stats[0] = most[thread];
    stats[1] = total[thread];
  }
}

#if defined(ASSAY_MATRIX_CORES)
// bf16 or f16 alike in q, k and v; dim_qk and dim_v multiples of 16, dim_v at most 128. A block takes 64 tokens of one
// query head, each of 4 warps 16 of them, against tiles of 64 keys. Grid: tiles of tokens (the longest first), heads,
// sequences. Shared: q [64, pitch], k [64, pitch], v transposed [dim_v, 72].
ASSAY_KERNEL(attention_matrix, AttentionArgs) {
  ASSAY_DYNAMIC_SHARED(unsigned, memory);
  constexpr int kValuePitch = 36;  // words of 64 halves and padding
  const int dim = static_cast<int>(a.dim_qk), pitch = dim / 2 + 4, dim_v = static_cast<int>(a.dim_v);
  unsigned* q = memory;
  unsigned* k = q + 64 * pitch;
  unsigned short* v = reinterpret_cast<unsigned short*>(k + 64 * pitch);
  const bool bf16 = a.q.dtype == kBF16;
  const i64 t0 = (static_cast<i64>(gridDim.x) - 1 - blockIdx.x) * 64, h = blockIdx.y, b = blockIdx.z;
  const i64 g = h / (a.heads / a.kv_heads);
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32, gr = lane / 4, tc = lane % 4;
  const Vector nothing = {{0, 0, 0, 0}};
  for (int e = thread; e < 64 * dim / 8; e += kAttentionThreads) {
    const int r = e / (dim / 8), c = e % (dim / 8);
    const i64 at = (b * a.tokens + t0 + r) * a.q.cols + a.q_col + h * dim + c * 8;
    *reinterpret_cast<Vector*>(q + r * pitch + c * 4) =
        t0 + r < a.tokens ? *reinterpret_cast<const Vector*>(a.q.p + at * 2) : nothing;
  }
  float out[16][4], most[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};
#pragma unroll
  for (int j = 0; j < 16; ++j) {
    for (int e = 0; e < 4; ++e) out[j][e] = 0;
  }
  i64 first, end, last_first, last_end, row_first[2], row_end[2];
  const i64 last = t0 + 63 < a.tokens ? t0 + 63 : a.tokens - 1;
  seen_keys(a, t0, &first, &end);
  seen_keys(a, last, &last_first, &last_end);
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const i64 t = t0 + warp * 16 + gr + half * 8;
    seen_keys(a, t < a.tokens ? t : last, &row_first[half], &row_end[half]);
  }
  const float scale = static_cast<float>(a.scale) * 1.4426950409f;  // powers of two in place of e
  for (i64 k0 = first / 64 * 64; k0 < last_end; k0 += 64) {
    __syncthreads();
    for (int e = thread; e < 64 * dim / 8; e += kAttentionThreads) {
      const int r = e / (dim / 8), c = e % (dim / 8);
      const i64 place = k0 + r < last_end ? cache_row(a.pages, a.slots, b, k0 + r) : 0;
      const i64 at = (place * a.kv_heads + g) * a.k.cols + a.col_k + c * 8;
      *reinterpret_cast<Vector*>(k + r * pitch + c * 4) =
          k0 + r < last_end ? *reinterpret_cast<const Vector*>(a.k.p + at * 2) : nothing;
    }
    for (int e = thread; e < 64 * dim_v / 8; e += kAttentionThreads) {
      const int r = e % 64, c = e / 64;
      const i64 place = k0 + r < last_end ? cache_row(a.pages, a.slots, b, k0 + r) : 0;
      const i64 at = (place * a.kv_heads + g) * a.v.cols + a.col_v + c * 8;
      const Vector eight = k0 + r < last_end ? *reinterpret_cast<const Vector*>(a.v.p + at * 2) : nothing;
      for (int j = 0; j < 8; ++j) {
        v[(c * 8 + j) * kValuePitch * 2 + r] = static_cast<unsigned short>(eight.word[j / 2] >> (j % 2 * 16));
      }
    }
    __syncthreads();
    float s[8][4];
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      for (int e = 0; e < 4; ++e) s[j][e] = 0;
    }
    for (int d = 0; d < dim / 16; ++d) {
      const unsigned* from = q + (warp * 16 + gr) * pitch + d * 8 + tc;
      const unsigned rows[4] = {from[0], from[8 * pitch], from[4], from[8 * pitch + 4]};
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        const unsigned* key = k + (j * 8 + gr) * pitch + d * 8 + tc;
        const unsigned column[2] = {key[0], key[4]};
        matrix_16x8x16(s[j], rows, column, bf16);
      }
    }
    float now[2] = {most[0], most[1]};
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const i64 key = k0 + j * 8 + tc * 2 + e % 2;
        const int half = e / 2;
        s[j][e] = key >= row_first[half] && key < row_end[half] ? s[j][e] * scale : -INFINITY;
        now[half] = fmaxf(now[half], s[j][e]);
      }
    }
    // Four neighbouring lanes hold a row.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      now[half] = fmaxf(now[half], ASSAY_SHUFFLE(now[half], 1));
      now[half] = fmaxf(now[half], ASSAY_SHUFFLE(now[half], 2));
      const float correction = most[half] == -INFINITY ? 0 : exp2f(most[half] - now[half]);
      most[half] = now[half];
      total[half] *= correction;
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        out[j][half * 2] *= correction;
        out[j][half * 2 + 1] *= correction;
      }
    }
#pragma unroll
    for (int j = 0; j < 8; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        s[j][e] = s[j][e] == -INFINITY ? 0 : exp2f(s[j][e] - most[e / 2]);
        total[e / 2] += s[j][e];
      }
    }
    const unsigned* values = reinterpret_cast<const unsigned*>(v);
#pragma unroll
    for (int step = 0; step < 4; ++step) {
      unsigned p[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) p[e] = pair_code(a.q, s[2 * step + e / 2][e % 2 * 2], s[2 * step + e / 2][e % 2 * 2 + 1]);
#pragma unroll
      for (int j = 0; j < 16; ++j) {
        if (j * 8 >= dim_v) continue;
        const unsigned* from = values + (j * 8 + gr) * kValuePitch + step * 8 + tc;
        const unsigned column[2] = {from[0], from[4]};
        matrix_16x8x16(out[j], p, column, bf16);
      }
    }
  }
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    total[half] += ASSAY_SHUFFLE(total[half], 1);
    total[half] += ASSAY_SHUFFLE(total[half], 2);
    const i64 t = t0 + warp * 16 + gr + half * 8;
    if (t >= a.tokens) continue;
    const i64 at = (b * a.tokens + t) * a.y.cols + h * dim_v + tc * 2;
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      if (j * 8 >= dim_v) continue;
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        store(a.y, at + j * 8 + e, total[half] > 0 ? out[j][half * 2 + e] / total[half] : 0);
      }
    }
  }
}
#endif

// Whole keys in vectors of 8; those that there are not yet become 0. Grid: keys of all sequences.
ASSAY_KERNEL(join_keys, JoinArgs) {
  const i64 row = blockIdx.x, there = position(a.pos) + a.tokens, plain = a.y.cols - a.rope.cols;
  for (i64 j = static_cast<i64>(threadIdx.x) * 8; j < a.heads * a.y.cols; j += static_cast<i64>(blockDim.x) * 8) {
    const i64 head = j / a.y.cols, d = j % a.y.cols;
    float x[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    if (row % a.slots < there && d < plain) {
      load8(a.k, (row * a.heads + head) * a.k.cols + a.col + d, x);
    } else if (row % a.slots < there) {
      load8(a.rope, row * a.rope.cols + d - plain, x);
    }
    store8(a.y, row * a.heads * a.y.cols + j, x);
  }
}

// Scores of all keys for one row, then the n largest one after the other. Grid: rows.
ASSAY_KERNEL(index_topk, IndexArgs) {
  __shared__ float values[256];
  __shared__ int places[256];
  __shared__ int chosen;
  const i64 m = blockIdx.x, b = m / a.tokens, t = m % a.tokens;
  i64 seen = position(a.pos) + t + 1;
  if (seen > a.slots) seen = a.slots;
  float* scores = a.scores + m * a.slots;
  for (i64 key = threadIdx.x; key < seen; key += blockDim.x) {
    float sum = 0;
    for (i64 h = 0; h < a.heads; ++h) {
      float dot = 0;
      for (i64 d = 0; d < a.dim; ++d) {
        dot += load(a.q, m * a.q.cols + a.q_col + h * a.dim + d) * load(a.k, (b * a.slots + key) * a.dim + d);
      }
      sum += load(a.weight, m * a.heads + h) * fmaxf(dot, 0);
    }
    scores[key] = sum * static_cast<float>(a.scale);
  }
  for (i64 i = 0; i < a.n; ++i) {
    float best = -INFINITY;
    int place = -1;
    __syncthreads();
    for (i64 key = threadIdx.x; key < seen; key += blockDim.x) {
      if (scores[key] > best) {
        best = scores[key];
        place = static_cast<int>(key);
      }
    }
    values[threadIdx.x] = best;
    places[threadIdx.x] = place;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (unsigned j = 1; j < blockDim.x; ++j) {
        const bool lower = values[j] == best && places[j] >= 0 && places[j] < place;
        if (values[j] > best || lower) {
          best = values[j];
          place = places[j];
        }
      }
      reinterpret_cast<int*>(a.index.p)[m * a.n + i] = place;
      chosen = place;
      if (place >= 0) scores[place] = -INFINITY;
    }
    __syncthreads();
    if (chosen < 0) {
      for (i64 j = i + 1 + threadIdx.x; j < a.n; j += blockDim.x) reinterpret_cast<int*>(a.index.p)[m * a.n + j] = -1;
      return;
    }
  }
}

ASSAY_KERNEL(sequence_lengths, LengthArgs) {
  const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= a.batch) return;
  a.queries[i] = static_cast<int>(a.tokens);
  a.keys[i] = static_cast<int>(position(a.pos) + a.tokens);
}

}  // namespace assay_gpu
