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

// Prefetchers lose their way between rows, so memory is asked for by hand, where the compiler has a hint.
#if defined(__clang__) && !defined(__SPIR__)
#define FETCH(p) __builtin_prefetch(p, 0, 2)
#else
#define FETCH(p) (void)(p)
#endif
#define FETCH_ROW(p, bytes) \
  for (int at_ = 0; at_ < (int)(bytes); at_ += 64) FETCH((const global char*)(p) + at_);

// One row of x by rows of w as they are stored: what a decode step reads, it reads once, as four streams far apart, one in
// each quarter of w, which neighbouring groups continue. One line of two is asked for: its neighbour comes with it.
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
#define ROWS_APART(T)                                                                                                  \
  float4 rows_apart_##T(const global float* x, const global T_##T* w0, const global T_##T* w1, const global T_##T* w2, \
                        const global T_##T* w3, int n) {                                                               \
    float16 a0 = 0, a1 = 0, a2 = 0, a3 = 0, b0 = 0, b1 = 0, b2 = 0, b3 = 0;                                            \
    int k = 0;                                                                                                         \
    for (; k + STEP_##T <= n; k += STEP_##T) {                                                                         \
      const int ahead = k + kStreamAheadBytes / (int)sizeof(*w0);                                                      \
      FETCH(w0 + ahead);                                                                                               \
      FETCH(w1 + ahead);                                                                                               \
      FETCH(w2 + ahead);                                                                                               \
      FETCH(w3 + ahead);                                                                                               \
      FOUR_APART(T, k, a)                                                                                              \
      FOUR_APART(T, k + 16, b)                                                                                         \
      if (STEP_##T == 64) {                                                                                            \
        FOUR_APART(T, k + 32, a)                                                                                       \
        FOUR_APART(T, k + 48, b)                                                                                       \
      }                                                                                                                \
    }                                                                                                                  \
    for (; k + 16 <= n; k += 16) FOUR_APART(T, k, a)                                                                   \
    float4 total = (float4)(sum16(a0 + b0), sum16(a1 + b1), sum16(a2 + b2), sum16(a3 + b3));                           \
    for (; k < n; ++k) {                                                                                               \
      total += x[k] * (float4)(LOAD1_##T(w0, k), LOAD1_##T(w1, k), LOAD1_##T(w2, k), LOAD1_##T(w3, k));                \
    }                                                                                                                  \
    return total;                                                                                                      \
  }                                                                                                                    \
  /* The same of rows `r` of w, with their scales. */                                                                  \
  float4 four_rows_##T(const global float* x, const global T_##T* w, const global float* scale, int4 r, int k,         \
                       int block) {                                                                                    \
    const int blocks = k / block;                                                                                      \
    float4 total = 0;                                                                                                  \
    for (int s = 0; s < blocks; ++s) {                                                                                 \
      const global T_##T* at = w + s * block;                                                                          \
      const float4 part = rows_apart_##T(x + s * block, at + (long)r.x * k, at + (long)r.y * k, at + (long)r.z * k,    \
                                         at + (long)r.w * k, block);                                                   \
      total += scale == 0 ? part                                                                                       \
                          : part * (float4)(scale[(long)r.x * blocks + s], scale[(long)r.y * blocks + s],              \
                                            scale[(long)r.z * blocks + s], scale[(long)r.w * blocks + s]);             \
    }                                                                                                                  \
    return total;                                                                                                      \
  }                                                                                                                    \
  /* Groups [first, end) of kBlockN of the n rows of w. */                                                             \
  void row_product_##T(const global float* x, const global T_##T* w, const global float* scale, int n, int k,          \
                       int block, int first, int end, global float* y, const global float* bias) {                     \
    const int quarter = (n + 3) / 4;                                                                                   \
    const int to = min(end * kRowsOfQuarter, quarter);                                                                 \
    for (int r = first * kRowsOfQuarter; r < to; ++r) {                                                                \
      const int4 rows = min((int4)(r, r + quarter, r + 2 * quarter, r + 3 * quarter), (int4)(n - 1));                  \
      float4 total = four_rows_##T(x, w, scale, rows, k, scale != 0 ? block : k);                                      \
      if (bias != 0) total += (float4)(bias[rows.x], bias[rows.y], bias[rows.z], bias[rows.w]);                        \
      y[r] = total.x;                                                                                                  \
      if (r + quarter < n) y[r + quarter] = total.y;                                                                   \
      if (r + 2 * quarter < n) y[r + 2 * quarter] = total.z;                                                           \
      if (r + 3 * quarter < n) y[r + 3 * quarter] = total.w;                                                           \
    }                                                                                                                  \
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
      row_product_##T(x, w, scale, n, k, block, (int)get_group_id(0), (int)get_group_id(0) + 1, y, bias);             \
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

// One row by the rows of a gate and of what it opens, [2 f, k], and act(gate) * up of the results: two streams of each.
#define kGated (kBlockN / 2)  // a group's rows of each
#define GATED_ROW(T)                                                                                                   \
  /* Groups [first, end). */                                                                                           \
  void gated_rows_##T(const global float* x, const global T_##T* w, const global float* scale, global float* y,        \
                      global float* gated, int f, int k, int block, int function, int first, int end) {                \
    const int half_f = (f + 1) / 2;                                                                                    \
    const int from = first * kGated / 2;                                                                               \
    const int to = min(end * kGated / 2, half_f);                                                                      \
    for (int r = from; r < to; ++r) {                                                                                  \
      const int next = min(r + half_f, f - 1);                                                                         \
      const float4 total = four_rows_##T(x, w, scale, (int4)(r, next, f + r, f + next), k, scale != 0 ? block : k);    \
      y[r] = total.x;                                                                                                  \
      y[next] = total.y;                                                                                               \
      y[f + r] = total.z;                                                                                              \
      y[f + next] = total.w;                                                                                           \
    }                                                                                                                  \
    for (int at = 0; at < f; at += half_f) {                                                                           \
      const int n = min(at + to, f);                                                                                   \
      int i = at + from;                                                                                               \
      for (; i + 8 <= n; i += 8) vstore8(act8(vload8(0, y + i), function) * vload8(0, y + f + i), 0, gated + i);       \
      for (; i < n; ++i) gated[i] = act1(y[i], function) * y[f + i];                                                   \
    }                                                                                                                  \
  }                                                                                                                    \
  kernel void gated_row_##T(const global float* x, const global T_##T* w, const global float* scale, global float* y,  \
                            global float* gated, int f, int k, int block, int function) {                              \
    gated_rows_##T(x, w, scale, y, gated, f, k, block, function, (int)get_group_id(0), (int)get_group_id(0) + 1);      \
  }
GATED_ROW(f32)
GATED_ROW(f16)
GATED_ROW(bf16)
GATED_ROW(i8)
