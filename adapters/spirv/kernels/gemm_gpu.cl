// Products on a GPU: a work-group of SIDE x SIDE work-items multiplies a tile of rows x 4 SIDE through local memory, each
// work-item TALL x 4 results in registers, with the side that suits the device's sub-groups; single rows are read by
// whole work-groups, four weight rows at a time.
#define kLanes 8           // elements of a vector
#define FETCH(p) (void)(p) // many threads hide the way to memory
#define FETCH_ROW(p, bytes)
// Element k of weight row r of the tile; 0 outside.
#define TILED(NAME, T, TALL, SIDE)                                                                            \
  kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void NAME##_##T(GEMM_ARGS(T)) {                 \
    local float xs[SIDE][SIDE * TALL + 1];                                                                    \
    local float ws[SIDE][4 * SIDE + 1];                                                                       \
    const int limit = limit_slot == kNone ? m : (int)min((long)m, scalars[limit_slot] + limit_add);           \
    const Part p = part_of((int)get_group_id(1), m, high, offsets, experts, limit);                           \
    if (p.m0 >= p.m1) return;                                                                                 \
    const int n0 = (int)get_group_id(0) * 4 * SIDE;                                                           \
    const long batch = (long)get_group_id(2);                                                                 \
    const long from = offsets != 0 ? (long)p.z * n : batch * (w_step / k);                                    \
    const int rows = p.m1 - p.m0;                                                                             \
    const int cols = min(4 * SIDE, n - n0);                                                                   \
    const int lx = (int)get_local_id(0);                                                                      \
    const int ly = (int)get_local_id(1);                                                                      \
    const int blocks = scale != 0 ? k / block : 1;                                                            \
    x += x_at + batch * x_step + p.m0 * ldx;                                                                  \
    y += y_at + batch * y_step + p.m0 * ldy + n0;                                                             \
    w += (from + n0) * k;                                                                                     \
    if (scale != 0) scale += (from + n0) * blocks;                                                            \
    float4 sum[TALL];                                                                                         \
    int4 whole[TALL];                                                                                         \
    for (int i = 0; i < TALL; ++i) {                                                                          \
      sum[i] = 0;                                                                                             \
      whole[i] = 0;                                                                                           \
    }                                                                                                         \
    for (int k0 = 0; k0 < k; k0 += SIDE) {                                                                    \
      const int kk = k0 + lx;                                                                                 \
      for (int i = 0; i < TALL; ++i) {                                                                        \
        const int r = ly + SIDE * i;                                                                          \
        xs[lx][r] = r < rows && kk < k ? x[r * ldx + kk] : 0.0f;                                              \
      }                                                                                                       \
      for (int i = 0; i < 4; ++i) {                                                                           \
        const int c = ly + SIDE * i;                                                                          \
        float v = 0;                                                                                          \
        if (c < cols && kk < k) {                                                                             \
          v = LOAD1_##T(w, (long)c * k + kk);                                                                 \
          if (scale != 0 && x_scale == 0) v *= scale[(long)c * blocks + kk / block];                          \
        }                                                                                                     \
        ws[lx][c] = v;                                                                                        \
      }                                                                                                       \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                           \
      for (int i = 0; i < SIDE; ++i) {                                                                        \
        const float4 e = (float4)(ws[i][lx], ws[i][lx + SIDE], ws[i][lx + 2 * SIDE], ws[i][lx + 3 * SIDE]);   \
        for (int r = 0; r < TALL; ++r) sum[r] = fma((float4)xs[i][ly + SIDE * r], e, sum[r]);                 \
      }                                                                                                       \
      barrier(CLK_LOCAL_MEM_FENCE);                                                                           \
      if (x_scale != 0 && (k0 / SIDE % 32 == 31 || k0 + SIDE >= k)) { /* exact below 2^24 */                  \
        for (int r = 0; r < TALL; ++r) {                                                                      \
          whole[r] += convert_int4_rte(sum[r]);                                                               \
          sum[r] = 0;                                                                                         \
        }                                                                                                     \
      }                                                                                                       \
    }                                                                                                         \
    for (int r = 0; r < TALL; ++r) {                                                                          \
      const int row = ly + SIDE * r;                                                                          \
      if (row >= rows) continue;                                                                              \
      float results[4];                                                                                       \
      vstore4(x_scale != 0 ? convert_float4(whole[r]) * x_scale[p.m0 + row] : sum[r], 0, results);            \
      for (int i = 0; i < 4; ++i) {                                                                           \
        const int c = lx + SIDE * i;                                                                          \
        if (c >= cols) continue;                                                                              \
        y[row * ldy + c] = results[i] * (x_scale != 0 ? scale[c] : 1.0f) + (bias != 0 ? bias[n0 + c] : 0.0f); \
      }                                                                                                       \
    }                                                                                                         \
  }

// Rows one by one (`high` is 1); x_scale is not for this one.
#define SINGLE(T)                                                                                                   \
  kernel void gemm_row_##T(GEMM_ARGS(T)) {                                                                          \
    local float tmp[kMaxGroup];                                                                                     \
    const int limit = limit_slot == kNone ? m : (int)min((long)m, scalars[limit_slot] + limit_add);                 \
    const Part p = part_of((int)get_group_id(1), m, high, offsets, experts, limit);                                 \
    if (p.m0 >= p.m1) return;                                                                                       \
    const int n0 = (int)get_group_id(0) * 4;                                                                        \
    const long batch = (long)get_group_id(2);                                                                       \
    const long from = offsets != 0 ? (long)p.z * n : batch * (w_step / k);                                          \
    const int cols = min(4, n - n0);                                                                                \
    const int blocks = scale != 0 ? k / block : 1;                                                                  \
    const int wide = scale == 0 || block % 8 == 0;                                                                  \
    x += x_at + batch * x_step + p.m0 * ldx;                                                                        \
    y += y_at + batch * y_step + p.m0 * ldy + n0;                                                                   \
    for (int c = 0; c < cols; ++c) {                                                                                \
      const global T_##T* row = w + (from + n0 + c) * k;                                                            \
      const global float* s = scale + (scale != 0 ? (from + n0 + c) * blocks : 0);                                  \
      float8 sum = 0;                                                                                               \
      float rest = 0;                                                                                               \
      if (wide) {                                                                                                   \
        EACH8(i, k) sum += vload8(0, x + i) * LOAD8_##T(row, i) * (scale != 0 ? s[i / block] : 1.0f);               \
        EACH_REST(i, k) rest += x[i] * LOAD1_##T(row, i) * (scale != 0 ? s[i / block] : 1.0f);                      \
      } else {                                                                                                      \
        EACH(i, k) rest += x[i] * LOAD1_##T(row, i) * s[i / block];                                                 \
      }                                                                                                             \
      const float total = group_sum(sum8(sum) + rest, tmp);                                                         \
      if (get_local_id(0) == 0) y[c] = total + (bias != 0 ? bias[n0 + c] : 0.0f);                                   \
    }                                                                                                               \
  }
#define PRODUCTS(T)                                        \
  TILED(gemm_tall, T, 4, 16) TILED(gemm_low, T, 1, 16)     \
  TILED(gemm_tall8, T, 4, 8) TILED(gemm_low8, T, 1, 8) SINGLE(T)
PRODUCTS(f32)
PRODUCTS(f16)
PRODUCTS(bf16)
PRODUCTS(i8)
