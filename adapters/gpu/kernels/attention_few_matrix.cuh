// Attention of few query rows on matrix cores, as decoding has it: keys and values go from memory to the products as they
// lie, in vectors of 16 bytes, without a stay in shared memory.
#pragma once

namespace assay_gpu {

#if defined(ASSAY_MATRIX_CORES)
// q, k and v alike in bf16 (kBrain) or f16, dim_qk = dim_v = kDim, all columns multiples of 8; pages of whole runs of
// 16 tokens. The tokens' heads of one KV
// head are the query rows, 8 to a tile; a block takes kTiles tiles and a share of the keys, each of its warps every fourth
// run of 16 of these: scores [rows, keys] = Q K^T and y^T [dims, rows] += V^T P^T, so that the scores lie as the second
// product takes them and 8 rows leave no half of it idle. A dot product's dims and the sums' dims stand in the order in which the lanes hold them: of a key's row
// lane t of 4 has vectors t, t + 4, .., of a value's lane g of 8 vectors g, g + 8, .. The next keys are fetched as soon as
// these are scored, the next values as soon as these are summed. Grid: KV heads' tiles, splits, sequences.
template <int kDim, int kTiles, bool kBrain>
__device__ inline void attention_few_matrix(const AttentionArgs& a) {
  constexpr int kKeys = 16, kWarps = 4, kStep = kWarps * kKeys, kRows = 8 * kTiles;
  constexpr int kKeyVectors = kDim / 32, kValueVectors = kDim / 64, kProducts = kDim / 16, kPitch = kDim + 8;
  __shared__ float merged[kWarps][kRows][kPitch];
  __shared__ float most_of[kWarps][kRows], total_of[kWarps][kRows];
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32, g = lane / 4, t = lane % 4;
  const int per_kv = static_cast<int>(a.heads) / static_cast<int>(a.kv_heads);
  const int all_rows = static_cast<int>(a.tokens) * per_kv, blocks = (all_rows + kRows - 1) / kRows;
  const int head = static_cast<int>(blockIdx.x) / blocks, row0 = static_cast<int>(blockIdx.x) % blocks * kRows;
  const int rows = all_rows - row0 < kRows ? all_rows - row0 : kRows, splits = static_cast<int>(a.splits);
  const i64 b = blockIdx.z;
  // Keys that some row sees, and those that every row sees.
  i64 seen_from, seen_to, all_from, all_to;
  seen_keys(a, row0 / per_kv, &seen_from, &all_to);
  seen_keys(a, (row0 + rows - 1) / per_kv, &all_from, &seen_to);
  const int first = static_cast<int>(seen_from) / kKeys * kKeys, end = static_cast<int>(seen_to);
  const int share = ((end - first + splits - 1) / splits + kStep - 1) / kStep * kStep;
  const int from = first + static_cast<int>(blockIdx.y) * share, to = from + share < end ? from + share : end;
  const int inner_from = static_cast<int>(all_from), inner_to = to < all_to ? to : static_cast<int>(all_to);
  const i64 k_step = a.kv_heads * a.k.cols * 2, v_step = a.kv_heads * a.v.cols * 2;
  const char* keys = a.k.p + (head * a.k.cols + a.col_k + t * 8) * 2;
  const char* values = a.v.p + (head * a.v.cols + a.col_v + g * 8) * 2;
  // Where key k0 lies, and with it the others of its run; in place of one beyond the last, that is read.
  const auto run_at = [&](int k0) { return k0 < to ? cache_row(a.pages, a.slots, b, k0) : 0; };
  const auto within = [&](int k0, int j) { return j < to - k0 ? j : to - k0 - 1; };
  Vector k[2][kKeyVectors], v[4][kValueVectors];
  const auto fetch_keys = [&](i64 run, int k0) {
    const char* first_row = keys + run * k_step;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const char* row = first_row + static_cast<i64>(within(k0, g + half * 8)) * static_cast<int>(k_step);
#pragma unroll
      for (int i = 0; i < kKeyVectors; ++i) k[half][i] = *reinterpret_cast<const Vector*>(row + i * 64);
    }
  };
  const auto fetch_values = [&](i64 run, int k0) {
    const char* first_row = values + run * v_step;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const char* row = first_row + static_cast<i64>(within(k0, 2 * t + j % 2 + j / 2 * 8)) * static_cast<int>(v_step);
#pragma unroll
      for (int i = 0; i < kValueVectors; ++i) v[j][i] = *reinterpret_cast<const Vector*>(row + i * 128);
    }
  };
  int k0 = from + warp * kKeys;
  i64 run = run_at(k0);
  ASSAY_WAIT_FOR_INPUT();
  if (k0 < to) {
    fetch_keys(run, k0);
    fetch_values(run, k0);
  }
  // Queries g of both tiles, each word with the dims of a product's keys; of one tile the second half of the rows has the
  // words of the next product instead: one of the two halves of each product counts.
  unsigned q[kKeyVectors][kTiles][4];
  const auto query_at = [&](int tile) {
    const int row = row0 + tile * 8 + g < all_rows ? row0 + tile * 8 + g : all_rows - 1;
    return a.q.p + 2 * ((b * a.tokens + row / per_kv) * a.q.cols + a.q_col + (head * per_kv + row % per_kv) * kDim + t * 8);
  };
  const char* query[2] = {query_at(0), query_at(kTiles - 1)};
#pragma unroll
  for (int i = 0; i < kKeyVectors; ++i) {
    const Vector x = *reinterpret_cast<const Vector*>(query[0] + i * 64);
    const Vector y = kTiles == 1 ? x : *reinterpret_cast<const Vector*>(query[1] + i * 64);
#pragma unroll
    for (int half = 0; half < kTiles; ++half) {
      q[i][half][0] = x.word[2 * half];
      q[i][half][1] = kTiles == 1 ? x.word[2] : y.word[2 * half];
      q[i][half][2] = x.word[2 * half + 1];
      q[i][half][3] = kTiles == 1 ? x.word[3] : y.word[2 * half + 1];
    }
  }
  Data like{}, parts{};  // dtypes that the compiler knows
  like.dtype = kBrain ? kBF16 : kF16;
  parts.dtype = kF32;
  const float scale = static_cast<float>(a.scale) * 1.4426950409f;  // powers of two in place of e
  float sums[kTiles][kProducts][4], most[kTiles], total[kTiles];  // sums of rows 2 t and 2 t + 1 of a tile, others of g
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    most[tile] = -INFINITY;
    total[tile] = 0;
#pragma unroll
    for (int j = 0; j < kProducts; ++j) {
      for (int e = 0; e < 4; ++e) sums[tile][j][e] = 0;
    }
  }
  for (; k0 < to; k0 += kStep) {
    float s[2][2][4];  // keys 2 t and 2 t + 1 of each half of the run; sums of even and of odd products
#pragma unroll
    for (int e = 0; e < 16; ++e) s[e / 8][e / 4 % 2][e % 4] = 0;
#pragma unroll
    for (int i = 0; i < kKeyVectors; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const unsigned* rows_of = q[i][kTiles == 1 ? 0 : half];
#pragma unroll
        for (int run_half = 0; run_half < 2; ++run_half) {
          matrix_16x8x16(s[run_half][half], rows_of, &k[run_half][i].word[2 * half], kBrain);
        }
      }
    }
    const int next = k0 + kStep;
    run = run_at(next);
    if (next < to) fetch_keys(run, next);
    const bool all_seen = k0 >= inner_from && k0 + kKeys <= inner_to;
    unsigned p[kTiles][2];
#pragma unroll
    for (int tile = 0; tile < kTiles; ++tile) {
      float x[4];  // keys 2 t and 2 t + 1 of both halves, row g
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        x[e] = (s[e / 2][0][tile * 2 + e % 2] + s[e / 2][1][(kTiles == 1 ? 2 : tile * 2) + e % 2]) * scale;
      }
      if (!all_seen) {
        const int row = row0 + tile * 8 + g;
        i64 row_first, row_end;
        seen_keys(a, (row < all_rows ? row : all_rows - 1) / per_kv, &row_first, &row_end);
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int key = k0 + 2 * t + e % 2 + e / 2 * 8;
          if (key < row_first || key >= row_end || key >= to) x[e] = -INFINITY;
        }
      }
      float now = fmaxf(most[tile], fmaxf(fmaxf(x[0], x[1]), fmaxf(x[2], x[3])));
      now = fmaxf(now, ASSAY_SHUFFLE(now, 1));
      now = fmaxf(now, ASSAY_SHUFFLE(now, 2));
      const float base = now == -INFINITY ? 0 : now, correction = power_of_2(most[tile] - base);
      most[tile] = now;
#pragma unroll
      for (int e = 0; e < 4; ++e) x[e] = power_of_2(x[e] - base);
      total[tile] = total[tile] * correction + (x[0] + x[1]) + (x[2] + x[3]);
      p[tile][0] = pair_code(like, x[0], x[1]);
      p[tile][1] = pair_code(like, x[2], x[3]);
#pragma unroll
      for (int c = 0; c < 2; ++c) {
        const float of_row = from_lane(correction, (2 * t + c) * 4);
#pragma unroll
        for (int j = 0; j < kProducts; ++j) {
          sums[tile][j][c] *= of_row;
          sums[tile][j][2 + c] *= of_row;
        }
      }
    }
#pragma unroll
    for (int j = 0; j < kProducts; ++j) {
      const int i = j / 4, w = j % 4;
      const unsigned left[4] = {lower_halves(v[0][i].word[w], v[1][i].word[w]), upper_halves(v[0][i].word[w], v[1][i].word[w]),
                                lower_halves(v[2][i].word[w], v[3][i].word[w]), upper_halves(v[2][i].word[w], v[3][i].word[w])};
#pragma unroll
      for (int tile = 0; tile < kTiles; ++tile) matrix_16x8x16(sums[tile][j], left, p[tile], kBrain);
    }
    if (next < to) fetch_values(run, next);
  }
#pragma unroll
  for (int tile = 0; tile < kTiles; ++tile) {
    total[tile] += ASSAY_SHUFFLE(total[tile], 1);
    total[tile] += ASSAY_SHUFFLE(total[tile], 2);
    if (t == 0) {
      most_of[warp][tile * 8 + g] = most[tile];
      total_of[warp][tile * 8 + g] = total[tile];
    }
#pragma unroll
    for (int c = 0; c < 2; ++c) {
#pragma unroll
      for (int i = 0; i < kValueVectors; ++i) {
#pragma unroll
        for (int e = 0; e < 8; ++e) {
          merged[warp][tile * 8 + 2 * t + c][(i * 8 + g) * 8 + e] = sums[tile][4 * i + e / 2][e % 2 * 2 + c];
        }
      }
    }
  }
  __syncthreads();
  for (int i = thread; i < rows * (kDim / 8); i += kFewThreads) {
    const int r = i / (kDim / 8), d = i % (kDim / 8) * 8, row = row0 + r;
    float now = -INFINITY, all = 0, sum[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int w = 0; w < kWarps; ++w) now = fmaxf(now, most_of[w][r]);
    for (int w = 0; w < kWarps; ++w) {
      const float weight = most_of[w][r] == -INFINITY ? 0 : power_of_2(most_of[w][r] - now);
      all += total_of[w][r] * weight;
      for (int e = 0; e < 8; ++e) sum[e] += merged[w][r][d + e] * weight;
    }
    const i64 m = b * a.tokens + row / per_kv, h = head * per_kv + row % per_kv, at = (m * a.heads + h) * splits + blockIdx.y;
    if (splits == 1) {
      const float part = all > 0 ? 1 / all : 0;
      for (int e = 0; e < 8; ++e) sum[e] *= part;
      like.p = a.y.p;
      store8(like, m * a.y.cols + h * kDim + d, sum);
    } else {
      parts.p = reinterpret_cast<char*>(a.part);
      store8(parts, at * kDim + d, sum);
      if (d == 0) {
        a.stats[at * 2] = now * 0.6931471806f;
        a.stats[at * 2 + 1] = all;
      }
    }
  }
}

#define ASSAY_ATTENTION_FEW_MATRIX(name, brain)                                                                      \
  ASSAY_EARLY_KERNEL(attention_few_matrix_64_8_##name, AttentionArgs, 4) { attention_few_matrix<64, 1, brain>(a); }   \
  ASSAY_EARLY_KERNEL(attention_few_matrix_64_16_##name, AttentionArgs, 3) { attention_few_matrix<64, 2, brain>(a); }  \
  ASSAY_EARLY_KERNEL(attention_few_matrix_128_8_##name, AttentionArgs, 3) { attention_few_matrix<128, 1, brain>(a); } \
  ASSAY_EARLY_KERNEL(attention_few_matrix_128_16_##name, AttentionArgs, 2) { attention_few_matrix<128, 2, brain>(a); }
ASSAY_ATTENTION_FEW_MATRIX(bf16, true)
ASSAY_ATTENTION_FEW_MATRIX(f16, false)
#endif

}  // namespace assay_gpu
