// Attention in memory that grows with the keys alone: blocks of keys, a running maximum and sum (online softmax). A
// work-group works on kRows query rows that share a KV head, over one of `splits` parts of the keys; more than one part
// leaves sums, maxima and weights in `parts`, [M, heads, splits, dv + 2], for attention_join.
#define kKeys 64
#define kMaxSplits 256


// Keys that token t sees: [x, y). Masks: 0 full, 1 causal, 2 window, 3 cross.
int2 seen(int mask, int window, int capacity, int tokens, long pos, int t) {
  if (mask == 3) return (int2)(0, capacity);
  if (mask == 0) return (int2)(0, (int)pos + tokens);
  const int end = (int)pos + t + 1;
  return (int2)(mask == 2 ? max(0, end - window) : 0, end);
}

#define DOT_STEP(W, q_, a_) a_ = fma(vload##W(0, q_ + d), kv_, a_);
#define DOT_REST(q_, s_) s_ += q_[d] * k1_;
#define DOTS_OF(W, T, q_at, kp, n, s0, s1, s2, s3)                      \
  {                                                                     \
    float##W a0_ = 0, a1_ = 0, a2_ = 0, a3_ = 0;                        \
    for (; d + W <= (n); d += W) {                                      \
      const float##W kv_ = LOAD##W##_##T((kp), d);                      \
      DOT_STEP(W, (q0 + q_at), a0_)                                     \
      DOT_STEP(W, (q1 + q_at), a1_)                                     \
      DOT_STEP(W, (q2 + q_at), a2_)                                     \
      DOT_STEP(W, (q3 + q_at), a3_)                                     \
    }                                                                   \
    s0 += sum##W(a0_); s1 += sum##W(a1_); s2 += sum##W(a2_); s3 += sum##W(a3_); \
  }

// Products of n elements of four query rows with one key.
#define DOTS(T, q_at, kp, n, s0, s1, s2, s3)              \
  {                                                       \
    int d = 0;                                            \
    if (kLanes == 16) DOTS_OF(16, T, q_at, kp, n, s0, s1, s2, s3) \
    if (kLanes == 8 || d + 8 <= (n)) DOTS_OF(8, T, q_at, kp, n, s0, s1, s2, s3) \
    for (; d < (n); ++d) {                                \
      const float k1_ = LOAD1_##T((kp), d);               \
      DOT_REST((q0 + q_at), s0)                           \
      DOT_REST((q1 + q_at), s1)                           \
      DOT_REST((q2 + q_at), s2)                           \
      DOT_REST((q3 + q_at), s3)                           \
    }                                                     \
  }
// Columns from `first` on, W at a time, of four rows' weighted sums of the values.
#define VALUES(W, T, first)                                                                                          \
  for (int d = (first) + lid * W; d + W <= dv; d += lanes * W) {                                                     \
    float##W a0 = vload##W(0, o0 + d) * shrink.x;                                                                    \
    float##W a1 = vload##W(0, o1 + d) * shrink.y;                                                                    \
    float##W a2 = vload##W(0, o2 + d) * shrink.z;                                                                    \
    float##W a3 = vload##W(0, o3 + d) * shrink.w;                                                                    \
    for (int j = 0; j < n; ++j) {                                                                                    \
      const int at = places[j];                                                                                      \
      if (at < 0) continue;                                                                                          \
      const float##W e = LOAD##W##_##T(vp + at * v_step, d);                                                         \
      a0 = fma((float##W)p[j], e, a0);                                                                               \
      a1 = fma((float##W)p[kKeys + j], e, a1);                                                                       \
      a2 = fma((float##W)p[2 * kKeys + j], e, a2);                                                                   \
      a3 = fma((float##W)p[3 * kKeys + j], e, a3);                                                                   \
    }                                                                                                                \
    vstore##W(a0, 0, o0 + d);                                                                                        \
    if (rows > 1) vstore##W(a1, 0, o1 + d);                                                                          \
    if (rows > 2) vstore##W(a2, 0, o2 + d);                                                                          \
    if (rows > 3) vstore##W(a3, 0, o3 + d);                                                                          \
  }
#define ROW_POINTER(r) (q + (((long)b * tokens + (r) / group) * ldq + q_at + (long)(g * group + (r) % group) * dk))
#define OUT_POINTER(r) (out + (((long)b * tokens + (r) / group) * heads + g * group + (r) % group) * out_step)
#define KEY_OF(j) (index != 0 ? index[((long)b * tokens + row0 / group) * n_index + (j)] : (j))

// A work-item's part of the largest of a row's scores.
float most8(const local float* scores, int lid, int lanes) {
  float8 most = -INFINITY;
  for (int j = lid * 8; j < kKeys; j += lanes * 8) most = max(most, vload8(0, scores + j));
  const float4 h = max(most.lo, most.hi);
  return max(max(h.x, h.y), max(h.z, h.w));
}
// Scores become weights; a work-item's part of their sum.
float soften8(local float* scores, float base, int lid, int lanes) {
  float8 sum = 0;
  for (int j = lid * 8; j < kKeys; j += lanes * 8) {
    const float8 e = exp(vload8(0, scores + j) - base);
    sum += e;
    vstore8(e, 0, scores + j);
  }
  return sum8(sum);
}

// A work-group takes `high` rows (1 to 4; 1 where keys are chosen by index). Group id 0: rows (`tile`), 1: KV head (g),
// 2: batch and part.
#define ATTENTION(T)                                                                                                   \
  void attend_##T(const global float* restrict q, const global T_##T* restrict k,                                      \
                  const global T_##T* restrict v, const global T_##T* restrict k_rope,                                 \
                  const global int* restrict index, const global long* restrict scalars,                               \
                  global float* restrict y, global float* restrict parts, uint slot, int tokens, int heads,            \
                  int kv_heads, int dk, int dv, int rope, int mask, int window, float scale, int ldq,                  \
                  int q_at, int capacity, int k_wide, int k_at, int v_wide, int v_at, int n_index,                     \
                  int splits, int high, const global int* restrict pages, int page, int tile, int g, int of_batch,     \
                  local float* p, local int* places, local float4* tmp) {                                              \
    const int lid = (int)get_local_id(0);                                                                              \
    const int lanes = (int)get_local_size(0);                                                                          \
    const int group = heads / kv_heads;                                                                                \
    const int b = of_batch / splits;                                                                                   \
    const int split = of_batch % splits;                                                                               \
    const int row0 = tile * high;                                                                                      \
    const int rows = min(high, group * tokens - row0);                                                                 \
    const int row1 = row0 + min(1, rows - 1);                                                                          \
    const int row2 = row0 + min(2, rows - 1);                                                                          \
    const int row3 = row0 + min(3, rows - 1);                                                                          \
    const long pos = position(scalars, slot);                                                                          \
    const int2 see0 = seen(mask, window, capacity, tokens, pos, row0 / group);                                         \
    const int2 see1 = seen(mask, window, capacity, tokens, pos, row1 / group);                                         \
    const int2 see2 = seen(mask, window, capacity, tokens, pos, row2 / group);                                         \
    const int2 see3 = seen(mask, window, capacity, tokens, pos, row3 / group);                                         \
    int from = index != 0 ? 0 : see0.x; /* rows ascend in their tokens: row 0 sees the first key, row 3 the last */    \
    int to = index != 0 ? n_index : see3.y;                                                                            \
    const int part = ((to - from) + splits - 1) / splits;                                                              \
    from += split * part;                                                                                              \
    to = min(to, from + part);                                                                                         \
    const global float* q0 = ROW_POINTER(row0);                                                                        \
    const global float* q1 = ROW_POINTER(row1);                                                                        \
    const global float* q2 = ROW_POINTER(row2);                                                                        \
    const global float* q3 = ROW_POINTER(row3);                                                                        \
    const int out_step = splits == 1 ? dv : splits * (dv + 2);                                                         \
    global float* out = splits == 1 ? y : parts + split * (dv + 2);                                                    \
    global float* o0 = OUT_POINTER(row0);                                                                              \
    global float* o1 = OUT_POINTER(row1);                                                                              \
    global float* o2 = OUT_POINTER(row2);                                                                              \
    global float* o3 = OUT_POINTER(row3);                                                                              \
    for (int d = lid; d < dv; d += lanes) o0[d] = o1[d] = o2[d] = o3[d] = 0;                                           \
    float4 most = -INFINITY;                                                                                           \
    float4 sum = 0;                                                                                                    \
    for (int j0 = from; j0 < to; j0 += kKeys) {                                                                        \
      const int n = min(kKeys, to - j0);                                                                               \
      for (int j = lid; j < kKeys; j += lanes) {                                                                       \
        const int key = j < n ? KEY_OF(j0 + j) : -1;                                                                   \
        int at = -1;                                                                                                   \
        float4 s = -INFINITY;                                                                                          \
        if (key >= 0 && key < capacity) {                                                                              \
          float s0 = 0, s1 = 0, s2 = 0, s3 = 0;                                                                        \
          at = PLACE_OF(key);                                                                                          \
          const global T_##T* kp = k + ((long)at * kv_heads + g) * k_wide + k_at;                                      \
          const int ahead = PLACE_OF(min(key + 8, capacity - 1)); (void)ahead; /* a GPU fetches nothing */             \
          FETCH_ROW(k + ((long)ahead * kv_heads + g) * k_wide + k_at, (dk - rope) * sizeof(*kp))                       \
          FETCH_ROW(v + ((long)at * kv_heads + g) * v_wide + v_at, dv * sizeof(*v))                                    \
          DOTS(T, 0, kp, dk - rope, s0, s1, s2, s3)                                                                    \
          if (rope > 0) {                                                                                              \
            const global T_##T* rp = k_rope + (long)at * rope;                                                         \
            DOTS(T, (dk - rope), rp, rope, s0, s1, s2, s3)                                                             \
          }                                                                                                            \
          s.x = key >= see0.x && key < see0.y ? s0 * scale : -INFINITY;                                                \
          s.y = key >= see1.x && key < see1.y ? s1 * scale : -INFINITY;                                                \
          s.z = key >= see2.x && key < see2.y ? s2 * scale : -INFINITY;                                                \
          s.w = key >= see3.x && key < see3.y ? s3 * scale : -INFINITY;                                                \
        }                                                                                                              \
        places[j] = at; /* -1: no key */                                                                               \
        p[j] = s.x;                                                                                                    \
        p[kKeys + j] = s.y;                                                                                            \
        p[2 * kKeys + j] = s.z;                                                                                        \
        p[3 * kKeys + j] = s.w;                                                                                        \
      }                                                                                                                \
      SYNC                                                                                                             \
      const float4 old = most;                                                                                         \
      most = fmax(old, group_max4((float4)(most8(p, lid, lanes), most8(p + kKeys, lid, lanes),                         \
                                           most8(p + 2 * kKeys, lid, lanes), most8(p + 3 * kKeys, lid, lanes)), tmp)); \
      /* Where no key was seen yet, exp(-inf - 0) gives the zeros that are meant. */                                   \
      const float4 base = select(most, (float4)0.0f, most == (float4)(-INFINITY));                                     \
      const float4 shrink = exp(old - base);                                                                           \
      sum = sum * shrink +                                                                                             \
            group_sum4((float4)(soften8(p, base.x, lid, lanes), soften8(p + kKeys, base.y, lid, lanes),                \
                                soften8(p + 2 * kKeys, base.z, lid, lanes),                                            \
                                soften8(p + 3 * kKeys, base.w, lid, lanes)), tmp);                                     \
      SYNC                                                                                                             \
      const global T_##T* vp = v + (long)g * v_wide + v_at;                                                            \
      const long v_step = (long)kv_heads * v_wide;                                                                     \
      if (kLanes == 16) VALUES(16, T, 0)                                                                               \
      VALUES(8, T, kLanes == 16 ? dv / 16 * 16 : 0)                                                                    \
      for (int d = dv / 8 * 8 + lid; d < dv; d += lanes) {                                                             \
        float4 a = (float4)(o0[d], o1[d], o2[d], o3[d]) * shrink;                                                      \
        for (int j = 0; j < n; ++j) {                                                                                  \
          const int at = places[j];                                                                                    \
          if (at < 0) continue;                                                                                        \
          a += (float4)(p[j], p[kKeys + j], p[2 * kKeys + j], p[3 * kKeys + j]) * LOAD1_##T(vp, at * v_step + d);      \
        }                                                                                                              \
        o0[d] = a.x;                                                                                                   \
        if (rows > 1) o1[d] = a.y;                                                                                     \
        if (rows > 2) o2[d] = a.z;                                                                                     \
        if (rows > 3) o3[d] = a.w;                                                                                     \
      }                                                                                                                \
      SYNC                                                                                                             \
    }                                                                                                                  \
    if (splits > 1) {                                                                                                  \
      if (lid == 0) {                                                                                                  \
        o0[dv] = most.x, o0[dv + 1] = sum.x;                                                                           \
        o1[dv] = rows > 1 ? most.y : most.x, o1[dv + 1] = rows > 1 ? sum.y : sum.x;                                    \
        o2[dv] = rows > 2 ? most.z : o1[dv], o2[dv + 1] = rows > 2 ? sum.z : o1[dv + 1];                               \
        o3[dv] = rows > 3 ? most.w : o2[dv], o3[dv + 1] = rows > 3 ? sum.w : o2[dv + 1];                               \
      }                                                                                                                \
      return;                                                                                                          \
    }                                                                                                                  \
    const float4 share = select((float4)0.0f, 1.0f / sum, sum > 0.0f);                                                 \
    for (int d = lid; d < dv; d += lanes) {                                                                            \
      o0[d] *= share.x;                                                                                                \
      if (rows > 1) o1[d] *= share.y;                                                                                  \
      if (rows > 2) o2[d] *= share.z;                                                                                  \
      if (rows > 3) o3[d] *= share.w;                                                                                  \
    }                                                                                                                  \
  }                                                                                                                    \
  kernel void attention_##T(const global float* restrict q, const global T_##T* restrict k,                            \
                            const global T_##T* restrict v, const global T_##T* restrict k_rope,                       \
                            const global int* restrict index, const global long* restrict scalars,                     \
                            global float* restrict y, global float* restrict parts, uint slot, int tokens, int heads,  \
                            int kv_heads, int dk, int dv, int rope, int mask, int window, float scale, int ldq,        \
                            int q_at, int capacity, int k_wide, int k_at, int v_wide, int v_at, int n_index,           \
                            int splits, int high, const global int* restrict pages, int page) {                        \
    local float p[4 * kKeys];                                                                                          \
    local int places[kKeys];                                                                                           \
    local float4 tmp[kMaxGroup];                                                                                       \
    attend_##T(q, k, v, k_rope, index, scalars, y, parts, slot, tokens, heads, kv_heads, dk, dv, rope, mask, window,   \
               scale, ldq, q_at, capacity, k_wide, k_at, v_wide, v_at, n_index, splits, high, pages, page,             \
               (int)get_group_id(0), (int)get_group_id(1), (int)get_group_id(2), p, places, tmp);                      \
  }
ATTENTION(f32)
ATTENTION(f16)
ATTENTION(bf16)

// The parts of one row and head as one.
void join_parts(const global float* restrict parts, global float* restrict y, int dv, int splits, int row,
                local float* share) {
  parts += (long)row * splits * (dv + 2);
  y += (long)row * dv;
  if (get_local_id(0) == 0) {
    float most = -INFINITY;
    for (int s = 0; s < splits; ++s) most = max(most, parts[s * (dv + 2) + dv]);
    const float base = most == -INFINITY ? 0.0f : most;
    float sum = 0;
    for (int s = 0; s < splits; ++s) {
      share[s] = exp(parts[s * (dv + 2) + dv] - base);
      sum += parts[s * (dv + 2) + dv + 1] * share[s];
    }
    for (int s = 0; s < splits; ++s) share[s] = sum > 0 ? share[s] / sum : 0.0f;
  }
  SYNC
  for (int d = (int)get_local_id(0); d < dv; d += (int)get_local_size(0)) {
    float total = 0;
    for (int s = 0; s < splits; ++s) total += parts[s * (dv + 2) + d] * share[s];
    y[d] = total;
  }
}
kernel void attention_join(const global float* restrict parts, global float* restrict y, int dv, int splits) {
  local float share[kMaxSplits];
  join_parts(parts, y, dv, splits, (int)get_group_id(0), share);
}
