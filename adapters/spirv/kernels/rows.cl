// Norms, rotations and element-wise ops. A work-group works on one row, or on `span` elements of one.

#define EACH8(i, n) for (int i = (int)get_local_id(0) * 8; i + 8 <= (n); i += (int)get_local_size(0) * 8)
#define EACH_REST(i, n) for (int i = (n) / 8 * 8 + (int)get_local_id(0); i < (n); i += (int)get_local_size(0))
#define EACH(i, n) for (int i = (int)get_local_id(0); i < (n); i += (int)get_local_size(0))

void copy_span(const global float* from, global float* to, int n) {
  EACH8(i, n) vstore8(vload8(0, from + i), 0, to + i);
  EACH_REST(i, n) to[i] = from[i];
}
float part_of_squares(const global float* x, float mean, int n) {
  float8 sum = 0;
  float rest = 0;
  EACH8(i, n) {
    const float8 v = vload8(0, x + i) - mean;
    sum = fma(v, v, sum);
  }
  EACH_REST(i, n) rest += (x[i] - mean) * (x[i] - mean);
  return sum8(sum) + rest;
}
float part_of_sum(const global float* x, int n) {
  float8 sum = 0;
  float rest = 0;
  EACH8(i, n) sum += vload8(0, x + i);
  EACH_REST(i, n) rest += x[i];
  return sum8(sum) + rest;
}

// Groups of `group` columns in [col, col + cols); the rest passes.
void rms_norm_row(const global float* restrict x, const global float* restrict gamma, global float* restrict y, int ld,
                  float eps, int group, int col, int cols, int row, local float* tmp) {
  x += (long)row * ld;
  y += (long)row * ld;
  copy_span(x, y, col);
  copy_span(x + col + cols, y + col + cols, ld - col - cols);
  for (int g = col; g < col + cols; g += group) {
    const float total = group_sum(part_of_squares(x + g, 0, group), tmp);
    const float factor = 1.0f / sqrt(total / (float)group + eps);
    EACH8(i, group) vstore8(vload8(0, x + g + i) * factor * vload8(0, gamma + i), 0, y + g + i);
    EACH_REST(i, group) y[g + i] = x[g + i] * factor * gamma[i];
  }
}
kernel void rms_norm(const global float* restrict x, const global float* restrict gamma, global float* restrict y, int ld,
                     float eps, int group, int col, int cols) {
  local float tmp[kMaxGroup];
  rms_norm_row(x, gamma, y, ld, eps, group, col, cols, (int)get_group_id(0), tmp);
}

// mod: shift and scale of the row's sequence; gamma, beta, mod may be absent.
kernel void layer_norm_modulate(const global float* restrict x, const global float* restrict mod,
                                const global float* restrict gamma, const global float* restrict beta,
                                global float* restrict y, int h, float eps, int rows_per_sequence, int ld_mod,
                                int shift_col, int scale_col) {
  local float tmp[kMaxGroup];
  const int row = (int)get_group_id(0);
  x += (long)row * h;
  y += (long)row * h;
  const float mean = group_sum(part_of_sum(x, h), tmp) / (float)h;
  const float factor = 1.0f / sqrt(group_sum(part_of_squares(x, mean, h), tmp) / (float)h + eps);
  if (mod != 0) mod += (long)(row / rows_per_sequence) * ld_mod;
  EACH(i, h) {
    float v = (x[i] - mean) * factor;
    v = v * (gamma != 0 ? gamma[i] : 1.0f) + (beta != 0 ? beta[i] : 0.0f);
    if (mod != 0) v = v * (1.0f + mod[scale_col + i]) + mod[shift_col + i];
    y[i] = v;
  }
}

// Moments of the groups of channels of x [places, c], in `parts` slabs of places. second 0: sums; 1: squares about the
// mean that the sums give. Group id 0: slab, 1: group of channels.
kernel void group_moments(const global float* restrict x, const global float* restrict sums, global float* restrict out,
                          int places, int c, int width, int second) {
  local float tmp[kMaxGroup];
  const int parts = (int)get_num_groups(0);
  const int part = (int)get_group_id(0);
  const int group = (int)get_group_id(1);
  float mean = 0;
  if (second) {
    for (int i = 0; i < parts; ++i) mean += sums[group * parts + i];
    mean /= (float)places * (float)width;
  }
  const int from = (int)((long)places * part / parts);
  const int to = (int)((long)places * (part + 1) / parts);
  float total = 0;
  for (int i = from + (int)get_local_id(0); i < to; i += (int)get_local_size(0)) {
    const global float* at = x + (long)i * c + group * width;
    float sum = 0;
    for (int j = 0; j < width; ++j) sum += second ? (at[j] - mean) * (at[j] - mean) : at[j];
    total += sum;
  }
  total = group_sum(total, tmp);
  if (get_local_id(0) == 0) out[group * parts + part] = total;
}
kernel void group_norm(const global float* restrict x, const global float* restrict gamma,
                       const global float* restrict beta, const global float* restrict sums,
                       const global float* restrict squares, global float* restrict y, int places, int c, int width,
                       int parts, float eps) {
  const long at = (long)get_group_id(0) * c;
  EACH(j, c) {
    const int group = j / width;
    float mean = 0;
    float square = 0;
    for (int i = 0; i < parts; ++i) {
      mean += sums[group * parts + i];
      square += squares[group * parts + i];
    }
    const float count = (float)places * (float)width;
    y[at + j] = (x[at + j] - mean / count) / sqrt(square / count + eps) * gamma[j] + beta[j];
  }
}

// Turns by (position * turns[i]) / 2^64 of a revolution: integers keep the phase exact at any position.
void rope_row(const global float* restrict x, const global ulong* restrict turns, const global long* restrict scalars,
              global float* restrict y, uint slot, int ld, int tokens, int head_dim, int heads, int col, int rotary_col,
              int interleaved, int dim0, int dim1, int dim2, int grid_h, int grid_w, int text_rows, int row,
              local float* cosines, local float* sines) {
  const int t = row % tokens;
  const int u = t - text_rows;
  x += (long)row * ld;
  y += (long)row * ld;
  if (grid_w > 0 && u < 0) {
    copy_span(x, y, ld);
    return;
  }
  const int pairs0 = dim0 / 2;
  const int pairs1 = dim1 / 2;
  const int pairs = pairs0 + pairs1 + dim2 / 2;
  EACH(i, pairs) {
    long p = position(scalars, slot) + t;
    if (grid_w > 0) p = i < pairs0 ? u / (grid_h * grid_w) : (i < pairs0 + pairs1 ? u / grid_w % grid_h : u % grid_w);
    const float angle = (float)(long)((ulong)p * turns[i]) * 3.4061215800689225e-19f;  // 2 pi / 2^64
    cosines[i] = cos(angle);
    sines[i] = sin(angle);
  }
  SYNC
  copy_span(x, y, col);
  copy_span(x + col + heads * head_dim, y + col + heads * head_dim, ld - col - heads * head_dim);
  for (int h = 0; h < heads; ++h) {
    const int at = col + h * head_dim;
    copy_span(x + at, y + at, rotary_col);
    const int behind = rotary_col + dim0 + dim1 + dim2;
    copy_span(x + at + behind, y + at + behind, head_dim - behind);
    int first = at + rotary_col;
    int turn = 0;
    for (int block = 0; block < 3; ++block) {
      const int dim = block == 0 ? dim0 : (block == 1 ? dim1 : dim2);
      const int n = dim / 2;
      if (interleaved) {
        EACH(i, n) {
          const float a = x[first + 2 * i];
          const float b = x[first + 2 * i + 1];
          y[first + 2 * i] = a * cosines[turn + i] - b * sines[turn + i];
          y[first + 2 * i + 1] = b * cosines[turn + i] + a * sines[turn + i];
        }
      } else {
        EACH(i, n) {
          const float a = x[first + i];
          const float b = x[first + n + i];
          y[first + i] = a * cosines[turn + i] - b * sines[turn + i];
          y[first + n + i] = b * cosines[turn + i] + a * sines[turn + i];
        }
      }
      first += dim;
      turn += n;
    }
  }
}
#define kPairs 2048
kernel void rope(const global float* restrict x, const global ulong* restrict turns, const global long* restrict scalars,
                 global float* restrict y, uint slot, int ld, int tokens, int head_dim, int heads, int col,
                 int rotary_col, int interleaved, int dim0, int dim1, int dim2, int grid_h, int grid_w, int text_rows) {
  local float cosines[kPairs];
  local float sines[kPairs];
  rope_row(x, turns, scalars, y, slot, ld, tokens, head_dim, heads, col, rotary_col, interleaved, dim0, dim1, dim2,
           grid_h, grid_w, text_rows, (int)get_group_id(0), cosines, sines);
}

// A row's columns from `at` on into the caches [batch, capacity, n] behind what they hold; v may be absent.
#define KV_APPEND(T)                                                                                                  \
  void append_row_##T(const global float* restrict x, const global long* restrict scalars, global T_##T* restrict k,  \
                      global T_##T* restrict v, uint slot, int ld, int k_at, int n_k, int v_at, int n_v, int tokens,  \
                      int capacity, const global int* restrict pages, int page, int row) {                            \
    const int b = row / tokens;                                                                                       \
    const int key = (int)position(scalars, slot) + row % tokens;                                                      \
    const long to = PLACE_OF(key);                                                                                    \
    x += (long)row * ld;                                                                                              \
    EACH(i, n_k) { STORE1_##T(k, to * n_k + i, x[k_at + i]); }                                                        \
    EACH(i, n_v) { STORE1_##T(v, to * n_v + i, x[v_at + i]); }                                                        \
  }                                                                                                                   \
  kernel void kv_append_##T(const global float* restrict x, const global long* restrict scalars,                      \
                            global T_##T* restrict k, global T_##T* restrict v, uint slot, int ld, int k_at, int n_k, \
                            int v_at, int n_v, int tokens, int capacity, const global int* restrict pages, int page) {\
    append_row_##T(x, scalars, k, v, slot, ld, k_at, n_k, v_at, n_v, tokens, capacity, pages, page,                   \
                   (int)get_group_id(0));                                                                             \
  }
KV_APPEND(f32)
KV_APPEND(f16)
KV_APPEND(bf16)

// Columns [at, at + n) of rows of `ld` as f32, row after row.
#define WIDEN_ROWS(T)                                                                                               \
  kernel void widen_rows_##T(const global T_##T* restrict x, global float* restrict y, int ld, int at, int n) {     \
    x += (long)get_group_id(0) * ld + at;                                                                           \
    y += (long)get_group_id(0) * n;                                                                                 \
    EACH8(i, n) vstore8(LOAD8_##T(x, i), 0, y + i);                                                                 \
    EACH_REST(i, n) y[i] = LOAD1_##T(x, i);                                                                         \
  }
WIDEN_ROWS(f32)
WIDEN_ROWS(f16)
WIDEN_ROWS(bf16)
WIDEN_ROWS(i8)

// Rows of a table; an index outside it reads row 0.
#define EMBEDDING(T)                                                                                                   \
  void embed_row_##T(const global int* restrict index, const global T_##T* restrict table,                             \
                     const global float* restrict scale, global float* restrict y, int rows, int h, int block, int at) {\
    const int found = index[at];                                                                                       \
    const long row = found >= 0 && found < rows ? found : 0;                                                           \
    y += (long)at * h;                                                                                                 \
    EACH(i, h) y[i] = LOAD1_##T(table, row * h + i) * (scale != 0 ? scale[row * (h / block) + i / block] : 1.0f);      \
  }                                                                                                                    \
  kernel void embedding_##T(const global int* restrict index, const global T_##T* restrict table,                      \
                            const global float* restrict scale, global float* restrict y, int rows, int h, int block) {\
    embed_row_##T(index, table, scale, y, rows, h, block, (int)get_group_id(0));                                       \
  }
EMBEDDING(f32)
EMBEDDING(f16)
EMBEDDING(bf16)
EMBEDDING(i8)

// Part `part` of a row.
void gated_act_span(const global float* restrict x, global float* restrict y, int f, int function, int span, int part,
                    int row) {
  const int from = part * span;
  const int n = min(span, f - from);
  const global float* gate = x + (long)row * 2 * f + from;
  const global float* up = gate + f;
  y += (long)row * f + from;
  EACH8(i, n) vstore8(act8(vload8(0, gate + i), function) * vload8(0, up + i), 0, y + i);
  EACH_REST(i, n) y[i] = act1(gate[i], function) * up[i];
}
kernel void gated_act(const global float* restrict x, global float* restrict y, int f, int function, int span) {
  gated_act_span(x, y, f, function, span, (int)get_group_id(0), (int)get_group_id(1));
}

kernel void activation(const global float* restrict x, global float* restrict y, long count, int function, int span) {
  const long from = (long)get_group_id(0) * span;
  const int n = (int)min((long)span, count - from);
  x += from;
  y += from;
  EACH8(i, n) vstore8(act8(vload8(0, x + i), function), 0, y + i);
  EACH_REST(i, n) y[i] = act1(x[i], function);
}

void add_span(const global float* restrict a, const global float* restrict b, global float* restrict y, long count,
              int span, int part) {
  const long from = (long)part * span;
  const int n = (int)min((long)span, count - from);
  EACH8(i, n) vstore8(vload8(0, a + from + i) + vload8(0, b + from + i), 0, y + from + i);
  EACH_REST(i, n) y[from + i] = a[from + i] + b[from + i];
}
kernel void add(const global float* restrict a, const global float* restrict b, global float* restrict y, long count,
                int span) {
  add_span(a, b, y, count, span, (int)get_group_id(0));
}
// One row's sum, and its norm, which may lie where a or b lay.
void add_rms_norm_row(const global float* a, const global float* b, const global float* gamma, global float* sum,
                      global float* y, int n, float eps, local float* tmp) {
  EACH8(i, n) vstore8(vload8(0, a + i) + vload8(0, b + i), 0, sum + i);
  EACH_REST(i, n) sum[i] = a[i] + b[i];
  const float factor = 1.0f / sqrt(group_sum(part_of_squares(sum, 0, n), tmp) / (float)n + eps);
  EACH8(i, n) vstore8(vload8(0, sum + i) * factor * vload8(0, gamma + i), 0, y + i);
  EACH_REST(i, n) y[i] = sum[i] * factor * gamma[i];
}
kernel void add_rms_norm(const global float* a, const global float* b, const global float* gamma, global float* sum,
                         global float* y, int n, float eps) {
  local float tmp[kMaxGroup];
  add_rms_norm_row(a, b, gamma, sum, y, n, eps, tmp);
}
kernel void add_gated(const global float* restrict a, const global float* restrict b, const global float* restrict mod,
                      global float* restrict y, int h, int rows_per_sequence, int ld_mod, int gate_col) {
  const int row = (int)get_group_id(0);
  mod += (long)(row / rows_per_sequence) * ld_mod + gate_col;
  a += (long)row * h;
  b += (long)row * h;
  y += (long)row * h;
  EACH(i, h) y[i] = a[i] + mod[i] * b[i];
}

// Codes of the values that a reader of x sees: those of the dtype it was asked for in.
#define QUANTIZE(T)                                                                                                 \
  float rounded_##T(float v) {                                                                                      \
    uint stored;                                                                                                    \
    STORE1_##T((T_##T*)&stored, 0, v);                                                                              \
    return LOAD1_##T((const T_##T*)&stored, 0);                                                                     \
  }                                                                                                                 \
  kernel void quantize_##T(const global float* restrict x, global char* restrict q, global float* restrict scale,   \
                           int k) {                                                                                 \
    local float tmp[kMaxGroup];                                                                                     \
    x += (long)get_group_id(0) * k;                                                                                 \
    q += (long)get_group_id(0) * k;                                                                                 \
    float most = 0;                                                                                                 \
    EACH(i, k) most = max(most, fabs(rounded_##T(x[i])));                                                           \
    most = group_max(most, tmp);                                                                                    \
    const float s = most > 0 ? most / 127.0f : 1.0f;                                                                \
    EACH(i, k) q[i] = convert_char_sat_rte(rounded_##T(x[i]) / s);                                                  \
    if (get_local_id(0) == 0) scale[get_group_id(0)] = s;                                                           \
  }
QUANTIZE(f32)
QUANTIZE(f16)
QUANTIZE(bf16)

// Head h's n columns from x_at + h * x_step on, to y_at + h * y_step. Group id 0: row.
kernel void copy_columns(const global float* restrict x, global float* restrict y, int heads, long ldx, long x_at,
                         long x_step, long ldy, long y_at, long y_step, int n) {
  for (int h = 0; h < heads; ++h) {
    copy_span(x + get_group_id(0) * ldx + x_at + h * x_step, y + get_group_id(0) * ldy + y_at + h * y_step, n);
  }
}

// [B,C,T,H,W] to [B*N, C*t*h*w], or back where inverse. `w` etc. are of the image, `pw` etc. of a patch.
kernel void patchify(const global float* restrict x, global float* restrict y, long count, int c, int t, int h, int w,
                     int pt, int ph, int pw, int inverse, int span) {
  const long from = (long)get_group_id(0) * span;
  const int n = (int)min((long)span, count - from);
  EACH(i, n) {
    long r = from + i;  // place in the image
    const int iw = (int)(r % w);
    r /= w;
    const int ih = (int)(r % h);
    r /= h;
    const int it = (int)(r % t);
    r /= t;
    const int ic = (int)(r % c);
    const long b = r / c;
    const long patch = ((b * (t / pt) + it / pt) * (h / ph) + ih / ph) * (w / pw) + iw / pw;
    const long at = ((patch * c + ic) * pt + it % pt) * ph * pw + (long)(ih % ph) * pw + iw % pw;
    if (inverse) {
      y[from + i] = x[at];
    } else {
      y[at] = x[from + i];
    }
  }
}

// The places [first, ..) of a causal convolution as rows of its taps' channels. x [t,h,w,c] is enlarged by up_*.
kernel void conv_rows(const global float* restrict x, global float* restrict y, long first, int t, int h, int w, int c,
                      int kt, int kh, int kw, int up_t, int up_h, int up_w) {
  const int high = h * up_h;
  const int wide = w * up_w;
  const long place = first + (long)get_group_id(0);
  const int pc = (int)(place % wide);
  const int pb = (int)(place / wide % high);
  const int pa = (int)(place / wide / high);
  y += (long)get_group_id(0) * kt * kh * kw * c;
  for (int i = 0; i < kt; ++i) {
    for (int j = 0; j < kh; ++j) {
      for (int l = 0; l < kw; ++l) {
        const int a = pa + i - (kt - 1);
        const int b = pb + j - (kh - 1) / 2;
        const int d = pc + l - (kw - 1) / 2;
        if (a < 0 || b < 0 || b >= high || d < 0 || d >= wide) {
          EACH(ch, c) y[ch] = 0;
        } else {
          // Frame 0 stands once, every later one up_t times.
          const int frame = a == 0 ? 0 : (a - 1) / up_t + 1;
          copy_span(x + (((long)frame * h + b / up_h) * w + d / up_w) * c, y, c);
        }
        y += c;
      }
    }
  }
}
