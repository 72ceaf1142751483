// Attention in a latent space (MLA's decoding) on matrix cores: all heads share one key per token, and its first columns
// are the value.
#pragma once

namespace assay_gpu {

#if defined(ASSAY_MATRIX_CORES)
// q, k and v alike in bf16 (kBrain) or f16, v the first 512 of k's 576 columns, all columns multiples of 8. A block takes
// 8 kTiles heads of a token and a share of its keys, 64 at a time: each of the 4 warps scores 16 of them and sums 128
// columns of the values of all 64, which the caches near the multiprocessor still hold. Operands lie in lanes as in
// attention_few_matrix. A key's next vectors are on their way all the time, also while values are summed. Grid: heads'
// groups, splits, rows.
template <int kTiles, bool kBrain>
__device__ inline void attention_latent(const AttentionArgs& a) {
  constexpr int kDim = 576, kDimV = 512, kWarps = 4, kKeys = 64, kRows = 8 * kTiles, kSteps = kDim / 32;
  constexpr int kAhead = kTiles == 2 ? 6 : 3;  // what the registers leave room for
  constexpr int kColumns = kDimV / kWarps, kValueVectors = kColumns / 64, kProducts = kColumns / 16;
  constexpr int kPitch = kDim / 8 + 4;  // so that no two lanes of a quarter of a warp share a bank
  __shared__ Vector queries[kRows][kPitch];
  __shared__ unsigned weights[kWarps][kTiles][2][32];
  __shared__ float most_of[kWarps][kRows], total_of[kWarps][kRows];
  __shared__ i64 places[3][kKeys];  // rows of the cache of these keys, the next and the ones after; ~row: not seen
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32, g = lane / 4, t = lane % 4;
  const int per_kv = static_cast<int>(a.heads) / static_cast<int>(a.kv_heads), groups = (per_kv + kRows - 1) / kRows;
  const int kv_head = static_cast<int>(blockIdx.x) / groups, head0 = static_cast<int>(blockIdx.x) % groups * kRows;
  const int rows = per_kv - head0 < kRows ? per_kv - head0 : kRows, splits = static_cast<int>(a.splits);
  const i64 m = blockIdx.z, b = m / a.tokens, h0 = static_cast<i64>(kv_head) * per_kv + head0;
  ASSAY_WAIT_FOR_INPUT();
  i64 first, end;
  seen_keys(a, m % a.tokens, &first, &end);
  const int* list = a.index.p == nullptr ? nullptr : reinterpret_cast<const int*>(a.index.p) + m * a.index.cols;
  const int begin = list == nullptr ? static_cast<int>(first) : 0;
  const int last = list == nullptr ? static_cast<int>(end) : static_cast<int>(a.index.cols);
  const int share = ((last - begin + splits - 1) / splits + kKeys - 1) / kKeys * kKeys;
  const int from = begin + static_cast<int>(blockIdx.y) * share, to = from + share < last ? from + share : last;
  const auto locate = [&](int slot, int k0) {
    if (thread >= kKeys) return;
    const i64 key = k0 + thread >= to ? -1 : list == nullptr ? k0 + thread : list[k0 + thread];
    const bool seen = key >= first && key < end;
    const i64 row = cache_row(a.pages, a.slots, b, seen ? key : first);
    places[slot][thread] = seen ? row : ~row;
  };
  const i64 step = a.kv_heads * a.k.cols * 2;
  const char* cache = a.k.p + (kv_head * a.k.cols + a.col_k) * 2;
  const auto row_at = [&](int slot, int key) {
    const i64 place = places[slot][key];
    return cache + (place < 0 ? ~place : place) * step;
  };
  for (int i = thread; i < kRows * (kDim / 8); i += kWarps * 32) {
    const int r = i / (kDim / 8), c = i % (kDim / 8);
    const Vector nothing = {{0, 0, 0, 0}};
    const i64 at = m * a.q.cols + a.q_col + (h0 + r) * kDim + c * 8;
    queries[r][c] = r < rows ? *reinterpret_cast<const Vector*>(a.q.p + at * 2) : nothing;
  }
  locate(0, from);
  locate(1, from + kKeys);
  __syncthreads();
  Data like{}, parts{};  // dtypes that the compiler knows
  like.dtype = kBrain ? kBF16 : kF16;
  parts.dtype = kF32;
  const float scale = static_cast<float>(a.scale) * 1.4426950409f;  // powers of two in place of e
  float sums[kTiles][kProducts][4], most[kTiles][2], total[kTiles][2];  // of rows 2 t and 2 t + 1 of a tile
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    for (int c = 0; c < 2; ++c) {
      most[tile][c] = -INFINITY;
      total[tile][c] = 0;
    }
#pragma unroll
    for (int j = 0; j < kProducts; ++j) {
      for (int e = 0; e < 4; ++e) sums[tile][j][e] = 0;
    }
  }
  const int mine = warp * 16 + g;  // and 8 more
  Vector k[2][kAhead];
  const char* row[2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    row[half] = row_at(0, mine + half * 8) + t * 16;
#pragma unroll
    for (int u = 0; u < kAhead; ++u) k[half][u] = *reinterpret_cast<const Vector*>(row[half] + u * 64);
  }
  int slot = 0;
  for (int k0 = from; k0 < to; k0 += kKeys) {
    const int next = slot == 2 ? 0 : slot + 1;
    const char* next_row[2] = {row_at(next, mine) + t * 16, row_at(next, mine + 8) + t * 16};
    float s[kTiles][4];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      for (int e = 0; e < 4; ++e) s[tile][e] = 0;
    }
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
      const int u = i % kAhead;
      const unsigned lower[4] = {k[0][u].word[0], k[1][u].word[0], k[0][u].word[1], k[1][u].word[1]};
      const unsigned upper[4] = {k[0][u].word[2], k[1][u].word[2], k[0][u].word[3], k[1][u].word[3]};
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        const Vector q = queries[tile * 8 + g][i * 4 + t];
        matrix_16x8x16(s[tile], lower, q.word, kBrain);
        matrix_16x8x16(s[tile], upper, q.word + 2, kBrain);
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const char* from_row = i + kAhead < kSteps ? row[half] + (i + kAhead) * 64 : next_row[half] + (i + kAhead - kSteps) * 64;
        k[half][u] = *reinterpret_cast<const Vector*>(from_row);
      }
    }
    const bool seen[2] = {places[slot][mine] >= 0, places[slot][mine + 8] >= 0};
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        s[tile][c] = seen[0] ? s[tile][c] * scale : -INFINITY;
        s[tile][2 + c] = seen[1] ? s[tile][2 + c] * scale : -INFINITY;
        float now = fmaxf(s[tile][c], s[tile][2 + c]);
#pragma unroll
        for (int other = 4; other < 32; other *= 2) now = fmaxf(now, ASSAY_SHUFFLE(now, other));
        if (g == 0) most_of[warp][tile * 8 + 2 * t + c] = now;
      }
    }
    __syncthreads();
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        float now = most[tile][c];
#pragma unroll
        for (int w = 0; w < kWarps; ++w) now = fmaxf(now, most_of[w][tile * 8 + 2 * t + c]);
        const float base = now == -INFINITY ? 0 : now, correction = power_of_2(most[tile][c] - base);
        most[tile][c] = now;
        s[tile][c] = power_of_2(s[tile][c] - base);
        s[tile][2 + c] = power_of_2(s[tile][2 + c] - base);
        total[tile][c] = total[tile][c] * correction + s[tile][c] + s[tile][2 + c];
#pragma unroll
        for (int j = 0; j < kProducts; ++j) {
          sums[tile][j][c] *= correction;
          sums[tile][j][2 + c] *= correction;
        }
      }
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        weights[warp][tile][half][lane] = matrix_transposed_8x8(pair_code(like, s[tile][2 * half], s[tile][2 * half + 1]));
      }
    }
    locate(next == 2 ? 0 : next + 1, k0 + 2 * kKeys);
    __syncthreads();
#pragma unroll 1
    for (int w = 0; w < kWarps; ++w) {
      Vector v[4][kValueVectors];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const char* value = row_at(slot, w * 16 + 2 * t + j % 2 + j / 2 * 8) + (warp * kColumns + g * 8) * 2;
#pragma unroll
        for (int i = 0; i < kValueVectors; ++i) v[j][i] = *reinterpret_cast<const Vector*>(value + i * 128);
      }
      unsigned p[kTiles][2];
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) {
        for (int half = 0; half < 2; ++half) p[tile][half] = weights[w][tile][half][lane];
      }
#pragma unroll
      for (int j = 0; j < kProducts; ++j) {
        const int i = j / 4, x = j % 4;
        const unsigned left[4] = {
            lower_halves(v[0][i].word[x], v[1][i].word[x]), upper_halves(v[0][i].word[x], v[1][i].word[x]),
            lower_halves(v[2][i].word[x], v[3][i].word[x]), upper_halves(v[2][i].word[x], v[3][i].word[x])};
#pragma unroll
        for (int tile = 0; tile < kTiles; ++tile) matrix_16x8x16(sums[tile][j], left, p[tile], kBrain);
      }
    }
    row[0] = next_row[0];
    row[1] = next_row[1];
    slot = next;
  }
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int other = 4; other < 32; other *= 2) total[tile][c] += ASSAY_SHUFFLE(total[tile][c], other);
      if (g == 0) total_of[warp][tile * 8 + 2 * t + c] = total[tile][c];
    }
  }
  __syncthreads();
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
#pragma unroll
    for (int c = 0; c < 2; ++c) {
      const int r = tile * 8 + 2 * t + c;
      if (r >= rows) continue;
      float all = 0;
      for (int w = 0; w < kWarps; ++w) all += total_of[w][r];
      const i64 at = (m * a.heads + h0 + r) * splits + blockIdx.y;
      const float part = splits > 1 ? 1 : all > 0 ? 1 / all : 0;
#pragma unroll
      for (int i = 0; i < kValueVectors; ++i) {
        const int d = warp * kColumns + (i * 8 + g) * 8;
        float out[8];
#pragma unroll
        for (int e = 0; e < 8; ++e) out[e] = sums[tile][4 * i + e / 2][e % 2 * 2 + c] * part;
        if (splits == 1) {
          like.p = a.y.p;
          store8(like, m * a.y.cols + (h0 + r) * kDimV + d, out);
        } else {
          parts.p = reinterpret_cast<char*>(a.part);
          store8(parts, at * kDimV + d, out);
        }
      }
      if (splits > 1 && warp == 0 && g == 0) {
        a.stats[at * 2] = most[tile][c] * 0.6931471806f;
        a.stats[at * 2 + 1] = all;
      }
    }
  }
}

#define ASSAY_ATTENTION_LATENT(name, brain)                                                              \
  ASSAY_EARLY_KERNEL(attention_latent_16_##name, AttentionArgs, 2) { attention_latent<2, brain>(a); }     \
  ASSAY_EARLY_KERNEL(attention_latent_32_##name, AttentionArgs, 2) { attention_latent<4, brain>(a); }
ASSAY_ATTENTION_LATENT(bf16, true)
ASSAY_ATTENTION_LATENT(f16, false)
#endif

}  // namespace assay_gpu
