// Routing, the ops around experts, and the choice of keys and of the next token.

// One work-item a row. `select` and `value`: E floats of work a row; `group_value`: one a group.
kernel void router_topk(const global float* restrict logits, const global float* restrict plan, global int* restrict index,
                        global float* restrict weight, global float* restrict value, global float* restrict choice,
                        global float* restrict group_value, int rows, int experts, int k, int function, int normalise,
                        float factor, int groups, int top_groups) {
  const int row = (int)get_global_id(0);
  if (row >= rows) return;
  logits += (long)row * experts;
  value += (long)row * experts;
  choice += (long)row * experts;
  group_value += (long)row * groups;
  index += (long)row * k;
  weight += (long)row * k;
  float most = -INFINITY;
  for (int e = 0; e < experts; ++e) most = max(most, logits[e]);
  float total = 0;
  for (int e = 0; e < experts; ++e) {
    const float v = function == 0 ? exp(logits[e] - most) : (function == 1 ? 1.0f / (1.0f + exp(-logits[e])) : logits[e]);
    value[e] = v;
    total += v;
  }
  for (int e = 0; e < experts; ++e) {
    if (function == 0) value[e] /= total;
    choice[e] = value[e] + (plan != 0 ? plan[(long)row * experts + e] : 0.0f);
  }
  if (groups > 1) {
    const int size = experts / groups;
    for (int g = 0; g < groups; ++g) {
      float first = -INFINITY;
      float second = -INFINITY;
      for (int e = g * size; e < (g + 1) * size; ++e) {
        second = max(second, min(first, choice[e]));
        first = max(first, choice[e]);
      }
      group_value[g] = size == 1 ? first : first + second;
    }
    for (int g = 0; g < groups; ++g) {
      int before = 0;  // groups that are chosen before this one
      for (int o = 0; o < groups; ++o) {
        before += group_value[o] > group_value[g] || (group_value[o] == group_value[g] && o < g);
      }
      if (before < top_groups) continue;
      for (int e = g * size; e < (g + 1) * size; ++e) choice[e] = -INFINITY;
    }
  }
  float sum = 0;
  float top = 0;
  for (int j = 0; j < k; ++j) {
    int best = 0;
    for (int e = 1; e < experts; ++e) best = choice[e] > choice[best] ? e : best;
    choice[best] = -INFINITY;
    if (j == 0) top = value[best];
    if (function == 2 && j > 0) top = max(top, value[best]);
    index[j] = best;
    weight[j] = value[best];
  }
  for (int j = 0; j < k; ++j) {
    if (function == 2) weight[j] = exp(weight[j] - top);
    sum += weight[j];
  }
  const float share = (normalise || function == 2 ? 1.0f / sum : 1.0f) * factor;
  for (int j = 0; j < k; ++j) weight[j] *= share;
}

int expert_of(const global int* index, int pair, int experts) {
  const int e = index[pair];
  return e >= 0 && e < experts ? e : 0;
}
// One work-item an expert: its first row, and the rows of its pairs. An index outside the experts counts as expert 0.
kernel void dispatch_order(const global int* restrict index, global int* restrict offsets, global int* restrict place,
                           int pairs, int experts) {
  const int e = (int)get_global_id(0);
  if (e > experts) return;
  int next = 0;
  for (int i = 0; i < pairs; ++i) next += expert_of(index, i, experts) < e;
  offsets[e] = next;
  for (int i = 0; i < pairs; ++i) {
    if (expert_of(index, i, experts) == e) place[i] = next++;
  }
}
// Group id 0: pair.
kernel void dispatch_rows(const global float* restrict x, const global int* restrict place, global float* restrict y, int k,
                          int h) {
  const int pair = (int)get_group_id(0);
  copy_span(x + (long)(pair / k) * h, y + (long)place[pair] * h, h);
}
// Group id 0: row. A place outside x reads row 0.
kernel void moe_combine(const global float* restrict x, const global int* restrict place,
                        const global float* restrict weight, global float* restrict y, int k, int h, int rows) {
  const long row = (long)get_group_id(0);
  y += row * h;
  EACH(i, h) {
    float sum = 0;
    for (int j = 0; j < k; ++j) {
      const int at = place[row * k + j];
      sum += weight[row * k + j] * x[(long)(at >= 0 && at < rows ? at : 0) * h + i];
    }
    y[i] = sum;
  }
}

// Scores of the keys that each row sees, [M, capacity]. Group id 0: part of the keys, 1: row.
#define INDEX_SCORES(T)                                                                                                 \
  kernel void index_scores_##T(const global float* restrict q, const global T_##T* restrict k,                          \
                               const global float* restrict weight, const global long* restrict scalars,                \
                               global float* restrict scores, uint slot, int tokens, int heads, int dim, int ldq,       \
                               int q_at, float scale, int capacity, int span) {                                         \
    const int row = (int)get_group_id(1);                                                                               \
    const int keys = (int)position(scalars, slot) + row % tokens + 1;                                                   \
    const int from = (int)get_group_id(0) * span;                                                                       \
    const int n = min(span, keys - from);                                                                               \
    EACH(i, n) {                                                                                                        \
      const global T_##T* at = k + ((long)(row / tokens) * capacity + from + i) * dim;                                  \
      float score = 0;                                                                                                  \
      for (int h = 0; h < heads; ++h) {                                                                                 \
        const global float* head = q + (long)row * ldq + q_at + h * dim;                                                \
        float8 a = 0;                                                                                                   \
        int d = 0;                                                                                                      \
        for (; d + 8 <= dim; d += 8) a = fma(vload8(0, head + d), LOAD8_##T(at, d), a);                                 \
        float product = sum8(a);                                                                                        \
        for (; d < dim; ++d) product += head[d] * LOAD1_##T(at, d);                                                     \
        score += weight[(long)row * heads + h] * max(0.0f, product);                                                    \
      }                                                                                                                 \
      scores[(long)row * capacity + from + i] = score * scale + 0.0f; /* no -0: it would tie with 0 but sort below */   \
    }                                                                                                                   \
  }
INDEX_SCORES(f32)
INDEX_SCORES(f16)
INDEX_SCORES(bf16)

// Codes that sort as the floats do.
uint sortable(float value) {
  const uint bits = as_uint(value);
  return bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
}
// The n largest of each row by radix selection, in descending order. `chosen`: n keys of work a row. Group id 0: row.
kernel void index_select(const global float* restrict scores, const global long* restrict scalars,
                         global int* restrict chosen, global int* restrict index, uint slot, int tokens, int capacity,
                         int n) {
  local int counts[256];
  local uint threshold;
  local int ties;
  local int found;
  const int row = (int)get_group_id(0);
  const int keys = (int)position(scalars, slot) + row % tokens + 1;
  const int lid = (int)get_local_id(0);
  scores += (long)row * capacity;
  chosen += (long)row * n;
  index += (long)row * n;
  if (lid == 0) {
    threshold = 0;
    ties = n;
  }
  SYNC
  for (int shift = 24; shift >= 0 && keys > n; shift -= 8) {
    EACH(i, 256) counts[i] = 0;
    SYNC
    EACH(i, keys) {
      const uint code = sortable(scores[i]);
      if (shift == 24 || (code >> (shift + 8)) == (threshold >> (shift + 8))) {
        atomic_inc(&counts[(code >> shift) & 255u]);
      }
    }
    SYNC
    if (lid == 0) {
      int digit = 255;
      for (; digit > 0 && counts[digit] < ties; --digit) ties -= counts[digit];
      threshold |= (uint)digit << shift;
    }
    SYNC
  }
  if (lid == 0) {
    int count = 0;
    int left = ties;
    for (int i = 0; i < keys && count < n; ++i) {
      const uint code = sortable(scores[i]);
      if (code > threshold || (code == threshold && left-- > 0)) chosen[count++] = i;
    }
    found = count;
  }
  barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
  EACH(i, n) {
    if (i >= found) {
      index[i] = -1;
      continue;
    }
    const float mine = scores[chosen[i]];
    int before = 0;
    for (int j = 0; j < found; ++j) {
      const float other = scores[chosen[j]];
      before += other > mine || (other == mine && j < i);
    }
    index[before] = chosen[i];
  }
}

// The largest of each part of a row and the lowest index it has; one part: the row's answer. Group id 0: part, 1: row. A
// work-item reads blocks of 32, and remembers where the run of kRun blocks with the largest begins.
#define kRun 64
void argmax_part(const global float* restrict x, global float* restrict value, global int* restrict index, int n,
                 int span, int part, int parts, int of_row, local float* tmp, local int* best) {
  const int from = part * span;
  const int count = min(span, n - from);
  const global float* row = x + (long)of_row * n + from;
  const int lid = (int)get_local_id(0);
  const int step = (int)get_local_size(0) * 32;
  const int rest = count / 32 * 32 + lid;
  float most = -INFINITY;
  int run = lid * 32;
  for (int begin = run; begin + 32 <= count; begin += kRun * step) {
    const int end = min(begin + kRun * step, count - 31);
    float8 m0 = -INFINITY, m1 = -INFINITY, m2 = -INFINITY, m3 = -INFINITY;
    for (int i = begin; i < end; i += step) {
      FETCH(row + i + 512);
      m0 = max(m0, vload8(0, row + i));
      m1 = max(m1, vload8(1, row + i));
      m2 = max(m2, vload8(2, row + i));
      m3 = max(m3, vload8(3, row + i));
    }
    m0 = max(max(m0, m1), max(m2, m3));
    const float4 q = max(m0.lo, m0.hi);
    const float2 d = max(q.lo, q.hi);
    const float largest = max(d.x, d.y);
    if (largest > most) {
      most = largest;
      run = begin;
    }
  }
  float of_rest = -INFINITY;
  for (int i = rest; i < count; i += (int)get_local_size(0)) of_rest = max(of_rest, row[i]);
  const float largest = group_max(max(most, of_rest), tmp);
  int first = 0x7fffffff;
  if (most == largest) {
    for (int i = run; i + 32 <= count && first == 0x7fffffff; i += step) {
      for (int j = i + 31; j >= i; --j) first = row[j] == largest ? j : first;
    }
  }
  for (int i = rest; i < count; i += (int)get_local_size(0)) first = row[i] == largest ? min(first, i) : first;
  best[lid] = first;
  SYNC
  if (lid == 0) {
    for (int i = 1; i < (int)get_local_size(0); ++i) first = min(first, best[i]);
    const long at = (long)of_row * parts + part;
    value[at] = largest;
    index[at] = from + (first == 0x7fffffff ? 0 : first);
  }
}
kernel void argmax_parts(const global float* restrict x, global float* restrict value, global int* restrict index, int n,
                         int span) {
  local float tmp[kMaxGroup];
  local int best[kMaxGroup];
  argmax_part(x, value, index, n, span, (int)get_group_id(0), (int)get_num_groups(0), (int)get_group_id(1), tmp, best);
}
void argmax_of_parts(const global float* restrict value, const global int* restrict index, global int* restrict y,
                     int parts, long row) {
  long best = row * parts;
  for (long i = best + 1; i < (row + 1) * parts; ++i) best = value[i] > value[best] ? i : best;
  y[row] = index[best];
}
kernel void argmax_join(const global float* restrict value, const global int* restrict index, global int* restrict y,
                        int parts) {
  argmax_of_parts(value, index, y, parts, (long)get_global_id(0));
}
