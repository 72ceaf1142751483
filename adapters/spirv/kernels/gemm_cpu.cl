// Products on a CPU: a work-group is one work-item that multiplies a block of rows by a block of weight rows, in tiles of
// 4 x 3 dot products that fill 16 vector registers. Narrow weights are widened into local memory once a block.
#define kBlockN 48
#define kChunkK 512
#define kLanes 16  // elements of a vector: compilers split what a device has not

// Elements behind the last eight, zeros behind them.
#define TAIL8(LOAD, p, k, n, to)                             \
  {                                                          \
    float part_[8] = {0, 0, 0, 0, 0, 0, 0, 0};               \
    for (int i_ = 0; i_ < (n); ++i_) part_[i_] = LOAD((p), (k) + i_); \
    to = vload8(0, part_);                                   \
  }

// One result of a tile: the first chunk of k sets it, later ones add to it. Integer products are exact: a chunk's sum
// stays below 2^24, and the chunks are added as int32 in the place of the result.
void put(global float* y, float sum, int first, int last, int exact, float scale, float bias) {
  if (exact) {
    const int total = convert_int_rte(sum) + (first ? 0 : as_int(*y));
    *y = last ? (float)total * scale + bias : as_float(total);
  } else {
    *y = sum + (first ? bias : *y);
  }
}

#define STEP4x3(LX, LW)                                               \
  {                                                                   \
    float8 w0_, w1_, w2_, x_;                                         \
    LW(w0, w0_) LW(w1, w1_) LW(w2, w2_)                               \
    LX(x0, x_) a0 = fma(x_, w0_, a0); a1 = fma(x_, w1_, a1); a2 = fma(x_, w2_, a2); \
    LX(x1, x_) b0 = fma(x_, w0_, b0); b1 = fma(x_, w1_, b1); b2 = fma(x_, w2_, b2); \
    LX(x2, x_) c0 = fma(x_, w0_, c0); c1 = fma(x_, w1_, c1); c2 = fma(x_, w2_, c2); \
    LX(x3, x_) d0 = fma(x_, w0_, d0); d1 = fma(x_, w1_, d1); d2 = fma(x_, w2_, d2); \
  }
#define WHOLE8(p, to) to = vload8(0, p + k);
#define REST8(p, to) TAIL8(LOAD1_f32, p, k, n_k - k, to)

// rows (1 to 4) of x by cols (1 to 3) rows of w over n_k elements.
#define TILE(NAME, SPACE)                                                                                       \
  void NAME(const global float* x, long ldx, int rows, const SPACE float* w, long ldw, int cols, int n_k,       \
            global float* y, long ldy, const global float* bias, const global float* x_scale,                   \
            const global float* w_scale, int first, int last) {                                                 \
    const global float* x0 = x;                                                                                 \
    const global float* x1 = x + (rows > 1 ? ldx : 0);                                                          \
    const global float* x2 = x + (rows > 2 ? 2 * ldx : 0);                                                      \
    const global float* x3 = x + (rows > 3 ? 3 * ldx : 0);                                                      \
    const SPACE float* w0 = w;                                                                                  \
    const SPACE float* w1 = w + (cols > 1 ? ldw : 0);                                                           \
    const SPACE float* w2 = w + (cols > 2 ? 2 * ldw : 0);                                                       \
    float8 a0 = 0, a1 = 0, a2 = 0, b0 = 0, b1 = 0, b2 = 0, c0 = 0, c1 = 0, c2 = 0, d0 = 0, d1 = 0, d2 = 0;      \
    int k = 0;                                                                                                  \
    for (; k + 8 <= n_k; k += 8) STEP4x3(WHOLE8, WHOLE8)                                                        \
    if (k < n_k) STEP4x3(REST8, REST8)                                                                          \
    const float sums[12] = {sum8(a0), sum8(a1), sum8(a2), sum8(b0), sum8(b1), sum8(b2),                         \
                            sum8(c0), sum8(c1), sum8(c2), sum8(d0), sum8(d1), sum8(d2)};                        \
    const int exact = x_scale != 0;                                                                             \
    for (int r = 0; r < rows; ++r) {                                                                            \
      for (int c = 0; c < cols; ++c) {                                                                          \
        put(y + r * ldy + c, sums[3 * r + c], first, last, exact, exact ? x_scale[r] * w_scale[c] : 1,          \
            bias != 0 ? bias[c] : 0);                                                                           \
      }                                                                                                         \
    }                                                                                                           \
  }
TILE(tile_global, global)
TILE(tile_local, local)

// One row of x by up to 4 rows of w as they are stored: what a decode step reads, it reads once. Prefetchers lose their way
// between rows, so memory is asked for by hand, where the compiler has a hint.
#if defined(__clang__) && !defined(__SPIR__)
#define FETCH(p) __builtin_prefetch(p)
#else
#define FETCH(p) (void)(p)
#endif
#define FETCH_ROW(p, bytes) \
  for (int at_ = 0; at_ < (int)(bytes); at_ += 64) FETCH((const global char*)(p) + at_);
#define kFewBytes 4096  // four rows that a page holds are read at once, longer ones one after another
#define kAheadBytes 2048
#define ONE_ROW(T)                                                                                                    \
  void four_rows_##T(const global float* x, const global T_##T* w, long ldw, int cols, int from, int end, float* t) { \
    const global T_##T* w0 = w;                                                                                       \
    const global T_##T* w1 = w + (cols > 1 ? ldw : 0);                                                                \
    const global T_##T* w2 = w + (cols > 2 ? 2 * ldw : 0);                                                            \
    const global T_##T* w3 = w + (cols > 3 ? 3 * ldw : 0);                                                            \
    float8 a0 = 0, a1 = 0, a2 = 0, a3 = 0;                                                                            \
    int k = from;                                                                                                     \
    for (; k + 8 <= end; k += 8) {                                                                                    \
      FETCH(w0 + 8 * ldw + 4 * k); /* the four behind the next ones */                                                \
      const float8 v = vload8(0, x + k);                                                                              \
      a0 = fma(v, LOAD8_##T(w0, k), a0);                                                                              \
      a1 = fma(v, LOAD8_##T(w1, k), a1);                                                                              \
      a2 = fma(v, LOAD8_##T(w2, k), a2);                                                                              \
      a3 = fma(v, LOAD8_##T(w3, k), a3);                                                                              \
    }                                                                                                                 \
    t[0] = sum8(a0), t[1] = sum8(a1), t[2] = sum8(a2), t[3] = sum8(a3);                                               \
    for (; k < end; ++k) {                                                                                            \
      t[0] += x[k] * LOAD1_##T(w0, k);                                                                                \
      t[1] += x[k] * LOAD1_##T(w1, k);                                                                                \
      t[2] += x[k] * LOAD1_##T(w2, k);                                                                                \
      t[3] += x[k] * LOAD1_##T(w3, k);                                                                                \
    }                                                                                                                 \
  }                                                                                                                   \
  float long_row_##T(const global float* x, const global T_##T* w, int from, int end) {                               \
    float8 a0 = 0, a1 = 0, a2 = 0, a3 = 0;                                                                            \
    int k = from;                                                                                                     \
    for (; k + 32 <= end; k += 32) {                                                                                  \
      FETCH_ROW(w + k + kAheadBytes / sizeof(*w), 32 * sizeof(*w))                                                    \
      a0 = fma(vload8(0, x + k), LOAD8_##T(w, k), a0);                                                                \
      a1 = fma(vload8(0, x + k + 8), LOAD8_##T(w, k + 8), a1);                                                        \
      a2 = fma(vload8(0, x + k + 16), LOAD8_##T(w, k + 16), a2);                                                      \
      a3 = fma(vload8(0, x + k + 24), LOAD8_##T(w, k + 24), a3);                                                      \
    }                                                                                                                 \
    float t = sum8((a0 + a1) + (a2 + a3));                                                                            \
    for (; k < end; ++k) t += x[k] * LOAD1_##T(w, k);                                                                 \
    return t;                                                                                                         \
  }                                                                                                                   \
  void one_row_##T(const global float* x, const global T_##T* w, long ldw, int cols, const global float* scale,       \
                   int n_k, int block, global float* y, const global float* bias) {                                   \
    const int blocks = n_k / block;                                                                                   \
    const int few = 4 * ldw * (long)sizeof(*w) <= kFewBytes;                                                          \
    float sums[4] = {0, 0, 0, 0};                                                                                     \
    float t[4];                                                                                                       \
    if (few) {                                                                                                        \
      for (int s = 0; s < blocks; ++s) {                                                                              \
        four_rows_##T(x, w, ldw, cols, s * block, (s + 1) * block, t);                                                \
        for (int c = 0; c < cols; ++c) sums[c] += t[c] * (scale != 0 ? scale[(long)c * blocks + s] : 1);              \
      }                                                                                                               \
    } else {                                                                                                          \
      for (int c = 0; c < cols; ++c) {                                                                                \
        for (int s = 0; s < blocks; ++s) {                                                                            \
          sums[c] += long_row_##T(x, w + c * ldw, s * block, (s + 1) * block) *                                       \
                     (scale != 0 ? scale[(long)c * blocks + s] : 1);                                                  \
        }                                                                                                             \
      }                                                                                                               \
    }                                                                                                                 \
    for (int c = 0; c < cols; ++c) y[c] = sums[c] + (bias != 0 ? bias[c] : 0);                                        \
  }                                                                                                                   \
  /* Rows [first, end) of w, one after another. */                                                                    \
  void rows_##T(const global float* x, const global T_##T* w, const global float* scale, int first, int end, int k,   \
                int block, global float* y, const global float* bias) {                                               \
    for (int r = first; r < end; r += 4) {                                                                            \
      one_row_##T(x, w + (long)r * k, k, min(4, end - r), scale != 0 ? scale + (long)r * (k / block) : 0, k, block,   \
                  y + r, bias != 0 ? bias + r : 0);                                                                   \
    }                                                                                                                 \
  }
ONE_ROW(f32)
ONE_ROW(f16)
ONE_ROW(bf16)
ONE_ROW(i8)

// Few rows are read as four streams far apart, one in each quarter of w, which neighbouring groups continue: one stream
// takes as long to come to pace as such a matrix takes.
#define kFewRows 4096
#define kStreamAheadBytes 1024
#define kRowsOfQuarter (kBlockN / 4)
#define STEP_f32 32
#define STEP_f16 64
#define STEP_bf16 64
#define STEP_i8 64
#define FOUR_APART(T, at, a)                                  \
  {                                                           \
    const float16 v_ = vload16(0, x + (at));                  \
    a##0 = fma(v_, LOAD16_##T(w0, (at)), a##0);               \
    a##1 = fma(v_, LOAD16_##T(w1, (at)), a##1);               \
    a##2 = fma(v_, LOAD16_##T(w2, (at)), a##2);               \
    a##3 = fma(v_, LOAD16_##T(w3, (at)), a##3);               \
  }
#define ROWS_APART(T)                                                                                                 \
  float4 rows_apart_##T(const global float* x, const global T_##T* w0, const global T_##T* w1, const global T_##T* w2,\
                        const global T_##T* w3, int n) {                                                              \
    float16 a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;                                           \
    int k = 0;                                                                                                        \
    for (; k + STEP_##T <= n; k += STEP_##T) {                                                                        \
      const int ahead = k + kStreamAheadBytes / (int)sizeof(*w0);                                                     \
      FETCH_ROW(w0 + ahead, STEP_##T * sizeof(*w0))                                                                   \
      FOUR_APART(T, k, a)                                                                                             \
      FETCH_ROW(w1 + ahead, STEP_##T * sizeof(*w0))                                                                   \
      FOUR_APART(T, k + 16, b)                                                                                        \
      FETCH_ROW(w2 + ahead, STEP_##T * sizeof(*w0))                                                                   \
      if (STEP_##T == 64) FOUR_APART(T, k + 32, a)                                                                    \
      FETCH_ROW(w3 + ahead, STEP_##T * sizeof(*w0))                                                                   \
      if (STEP_##T == 64) FOUR_APART(T, k + 48, b)                                                                    \
    }                                                                                                                 \
    for (; k + 16 <= n; k += 16) FOUR_APART(T, k, a)                                                                  \
    float4 total = (float4)(sum16(a0 + b0), sum16(a1 + b1), sum16(a2 + b2), sum16(a3 + b3));                          \
    for (; k < n; ++k) {                                                                                              \
      total += x[k] * (float4)(LOAD1_##T(w0, k), LOAD1_##T(w1, k), LOAD1_##T(w2, k), LOAD1_##T(w3, k));               \
    }                                                                                                                 \
    return total;                                                                                                     \
  }                                                                                                                   \
  /* Rows [group, group + 1) * kRowsOfQuarter of each quarter of the n rows of w. */                                  \
  void quarters_##T(const global float* x, const global T_##T* w, const global float* scale, int n, int n_k, int block,\
                   int group, global float* y, const global float* bias) {                                            \
    const int blocks = n_k / block;                                                                                   \
    const int quarter = (n + 3) / 4;                                                                                  \
    const int end = min((group + 1) * kRowsOfQuarter, quarter);                                                       \
    for (int r = group * kRowsOfQuarter; r < end; ++r) {                                                              \
      const int r1 = min(r + quarter, n - 1), r2 = min(r + 2 * quarter, n - 1), r3 = min(r + 3 * quarter, n - 1);     \
      float4 total = 0;                                                                                               \
      for (int s = 0; s < blocks; ++s) {                                                                              \
        const global T_##T* at = w + s * block;                                                                       \
        const float4 part = rows_apart_##T(x + s * block, at + (long)r * n_k, at + (long)r1 * n_k,                    \
                                           at + (long)r2 * n_k, at + (long)r3 * n_k, block);                                 \
        total += scale == 0 ? part                                                                                    \
                            : part * (float4)(scale[(long)r * blocks + s], scale[(long)r1 * blocks + s],              \
                                              scale[(long)r2 * blocks + s], scale[(long)r3 * blocks + s]);            \
      }                                                                                                               \
      if (bias != 0) total += (float4)(bias[r], bias[r1], bias[r2], bias[r3]);                                        \
      y[r] = total.x;                                                                                                 \
      if (r + quarter < n) y[r + quarter] = total.y;                                                                  \
      if (r + 2 * quarter < n) y[r + 2 * quarter] = total.z;                                                          \
      if (r + 3 * quarter < n) y[r + 3 * quarter] = total.w;                                                          \
    }                                                                                                                 \
  }
ROWS_APART(f32)
ROWS_APART(f16)
ROWS_APART(bf16)
ROWS_APART(i8)

// Rows [from, to) of weights over chunk [k0, k0 + n_k) as f32; scales only where `scale` is given.
#define WIDEN(T)                                                                                                  \
  void widen_##T(const global T_##T* w, long ldw, int rows, int k0, int n_k, const global float* scale, int block, \
                 local float* to) {                                                                               \
    for (int r = 0; r < rows; ++r) {                                                                              \
      const global T_##T* from = w + r * ldw + k0;                                                                \
      local float* row = to + r * kChunkK;                                                                        \
      const global float* s = scale + (scale != 0 ? r * (ldw / block) : 0);                                       \
      int k = 0;                                                                                                  \
      if (scale == 0 || block % 8 == 0) {                                                                         \
        for (; k + 8 <= n_k; k += 8) {                                                                            \
          vstore8(LOAD8_##T(from, k) * (scale != 0 ? s[(k0 + k) / block] : 1), 0, row + k);                       \
        }                                                                                                         \
      }                                                                                                           \
      for (; k < n_k; ++k) row[k] = LOAD1_##T(from, k) * (scale != 0 ? s[(k0 + k) / block] : 1);                  \
    }                                                                                                             \
  }
WIDEN(f16)
WIDEN(bf16)
WIDEN(i8)

#define GEMM(T, NARROW_BUFFER, MULTIPLY)                                                                              \
  kernel void gemm_##T(GEMM_ARGS(T)) {                                                                                \
    NARROW_BUFFER                                                                                                     \
    const int limit = limit_slot == kNone ? m : (int)min((long)m, scalars[limit_slot] + limit_add);                   \
    Part p = part_of((int)get_group_id(1), m, high, offsets, experts, limit);                                         \
    if (p.m0 >= p.m1) return;                                                                                         \
    const int n0 = (int)get_group_id(0) * kBlockN;                                                                    \
    const int cols = min(kBlockN, n - n0);                                                                            \
    const long batch = (long)get_group_id(2);                                                                         \
    const long from = offsets != 0 ? (long)p.z * n : batch * (w_step / k);                                            \
    x += x_at + batch * x_step + p.m0 * ldx;                                                                          \
    y += y_at + batch * y_step + p.m0 * ldy;                                                                          \
    w += from * k;                                                                                                    \
    if (scale != 0) scale += from * (k / block);                                                                      \
    const int rows = p.m1 - p.m0;                                                                                     \
    if (rows == 1 && x_scale == 0) {                                                                                  \
      const int of_scale = scale != 0 ? block : k;                                                                    \
      if (n <= kFewRows) {                                                                                            \
        quarters_##T(x, w, scale, n, k, of_scale, (int)get_group_id(0), y, bias);                                     \
      } else {                                                                                                        \
        rows_##T(x, w, scale, n0, n0 + cols, k, of_scale, y, bias);                                                   \
      }                                                                                                               \
      return;                                                                                                         \
    }                                                                                                                 \
    y += n0;                                                                                                          \
    w += (long)n0 * k;                                                                                                \
    if (scale != 0) scale += (long)n0 * (k / block);                                                                  \
    if (bias != 0) bias += n0;                                                                                        \
    for (int k0 = 0; k0 < k; k0 += kChunkK) {                                                                         \
      const int n_k = min(kChunkK, k - k0);                                                                           \
      const int last = k0 + n_k == k;                                                                                 \
      MULTIPLY(T)                                                                                                     \
    }                                                                                                                 \
  }
#define TILES(TILE_NAME, W_ROWS, LDW)                                                                                \
  for (int r = 0; r < rows; r += 4) {                                                                                \
    for (int c = 0; c < cols; c += 3) {                                                                              \
      TILE_NAME(x + r * ldx + k0, ldx, min(4, rows - r), (W_ROWS) + (long)c * (LDW), LDW, min(3, cols - c), n_k,     \
                y + r * ldy + c, ldy, bias != 0 ? bias + c : 0, x_scale != 0 ? x_scale + p.m0 + r : 0,               \
                x_scale != 0 ? scale + c : 0, k0 == 0, last);                                                        \
    }                                                                                                                \
  }
#define MULTIPLY_DIRECT(T) TILES(tile_global, w + k0, k)
#define MULTIPLY_WIDENED(T)                                                           \
  widen_##T(w, k, cols, k0, n_k, x_scale != 0 ? 0 : scale, block, wide);              \
  TILES(tile_local, wide, kChunkK)
#define WIDE_BUFFER local float wide[kBlockN * kChunkK];
GEMM(f32, , MULTIPLY_DIRECT)
GEMM(f16, WIDE_BUFFER, MULTIPLY_WIDENED)
GEMM(bf16, WIDE_BUFFER, MULTIPLY_WIDENED)
GEMM(i8, WIDE_BUFFER, MULTIPLY_WIDENED)

// One row by the rows of a gate and of what it opens, [2 f, k], and act(gate) * up of the results.
#define kGated (kBlockN / 2)  // a group's rows of each
#define GATED_ROW(T)                                                                                                  \
  kernel void gated_row_##T(const global float* x, const global T_##T* w, const global float* scale, global float* y, \
                            global float* gated, int f, int k, int block, int function) {                             \
    const int first = (int)get_group_id(0) * kGated;                                                                  \
    const int end = min(first + kGated, f);                                                                           \
    const int of_scale = scale != 0 ? block : k;                                                                      \
    rows_##T(x, w, scale, first, end, k, of_scale, y, 0);                                                             \
    rows_##T(x, w, scale, f + first, f + end, k, of_scale, y, 0);                                                     \
    int i = first;                                                                                                    \
    for (; i + 8 <= end; i += 8) vstore8(act8(vload8(0, y + i), function) * vload8(0, y + f + i), 0, gated + i);      \
    for (; i < end; ++i) gated[i] = act1(y[i], function) * y[f + i];                                                  \
  }
GATED_ROW(f32)
GATED_ROW(f16)
GATED_ROW(bf16)
GATED_ROW(i8)

// One row's product, and by the group that is done last its sum with a row and the norm of it, which may lie where a row
// that is read lay. `done` counts the groups that are, and is 0 again behind them.
#define NORMED_ROW(T)                                                                                                 \
  kernel void normed_row_##T(const global float* x, const global T_##T* w, const global float* scale, global float* y,\
                             const global float* a, const global float* gamma, global float* sum, global float* normed,\
                             volatile global int* done, int n, int k, int block, float eps) {                         \
    const int group = (int)get_group_id(0);                                                                           \
    const int of_scale = scale != 0 ? block : k;                                                                      \
    if (n <= kFewRows) {                                                                                              \
      quarters_##T(x, w, scale, n, k, of_scale, group, y, 0);                                                         \
    } else {                                                                                                          \
      rows_##T(x, w, scale, group * kBlockN, min((group + 1) * kBlockN, n), k, of_scale, y, 0);                       \
    }                                                                                                                 \
    mem_fence(CLK_GLOBAL_MEM_FENCE);                                                                                  \
    if (atomic_inc(done) + 1 < (int)get_num_groups(0)) return;                                                        \
    *done = 0;                                                                                                        \
    mem_fence(CLK_GLOBAL_MEM_FENCE);                                                                                  \
    norm_of_sum(a, y, gamma, sum, normed, n, eps);                                                                    \
  }
NORMED_ROW(f32)
NORMED_ROW(f16)
NORMED_ROW(bf16)
NORMED_ROW(i8)
