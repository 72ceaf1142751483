// Row-wise and element-wise ops. Launched with one block per row unless it says otherwise.
#pragma once

namespace assay_gpu {

// Grid: elements in chunks of 8 per thread where `n` and the rows are multiples of 8, else one per thread.
ASSAY_KERNEL(gated_act, MapArgs) {
  const i64 f = a.y.cols;
  const i64 t = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (f % 8 == 0) {
    const i64 i = t * 8;
    if (i >= a.n) return;
    float gate[8], up[8];
    const i64 from = i / f * 2 * f + i % f;
    load8(a.a, from, gate);
    load8(a.a, from + f, up);
    for (int j = 0; j < 8; ++j) gate[j] = activated(gate[j], a.function) * up[j];
    store8(a.y, i, gate);
    return;
  }
  for (i64 i = t * 8; i < t * 8 + 8 && i < a.n; ++i) {
    const i64 from = i / f * 2 * f + i % f;
    store(a.y, i, activated(load(a.a, from), a.function) * load(a.a, from + f));
  }
}

ASSAY_KERNEL(activation, MapArgs) {
  const i64 t = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (i64 i = t * 8; i < t * 8 + 8 && i < a.n; ++i) store(a.y, i, activated(load(a.a, i), a.function));
}

ASSAY_KERNEL(add, MapArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  if (i >= a.n) return;
  if (a.mod.p == nullptr && a.n % 8 == 0) {
    float x[8], y[8];
    load8(a.a, i, x);
    load8(a.b, i, y);
    for (int j = 0; j < 8; ++j) x[j] += y[j];
    store8(a.y, i, x);
    return;
  }
  for (i64 e = i; e < i + 8 && e < a.n; ++e) {
    const i64 row = e / a.y.cols;
    const float gate = a.mod.p == nullptr
                           ? 1
                           : load(a.mod, row / a.rows_per_sequence * a.mod.cols + a.gate_col + e % a.y.cols);
    store(a.y, e, load(a.a, e) + gate * load(a.b, e));
  }
}

ASSAY_KERNEL(widen, WidenArgs) {
  const i64 i = (static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
  for (i64 e = i; e < i + 8 && e < a.n; ++e) store(a.y, e, load(a.x, e));
}

// One block per row and group; the columns outside the slice are copied by the first group's block.
ASSAY_KERNEL(rms_norm, NormArgs) {
  const i64 row = blockIdx.x, base = row * a.x.cols;
  const i64 start = base + a.col + static_cast<i64>(blockIdx.y) * a.group;
  float squares = 0;
  for (i64 j = threadIdx.x; j < a.group; j += blockDim.x) {
    const float value = load(a.x, start + j);
    squares += value * value;
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(a.group) + static_cast<float>(a.eps));
  for (i64 j = threadIdx.x; j < a.group; j += blockDim.x) {
    store(a.y, start + j, load(a.x, start + j) * inverse * load(a.gamma, j));
  }
  if (blockIdx.y != 0 || a.x.p == a.y.p) return;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) {
    if (j < a.col || j >= a.col + a.cols) store(a.y, base + j, load(a.x, base + j));
  }
}

ASSAY_KERNEL(layer_norm_modulate, ModNormArgs) {
  const i64 row = blockIdx.x, h = a.x.cols, base = row * h;
  float sum = 0;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) sum += load(a.x, base + j);
  const float mean = block_sum(sum) / static_cast<float>(h);
  float squares = 0;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) {
    const float off = load(a.x, base + j) - mean;
    squares += off * off;
  }
  const float inverse = rsqrtf(block_sum(squares) / static_cast<float>(h) + static_cast<float>(a.eps));
  const i64 mod = a.mod.p == nullptr ? 0 : row / a.rows_per_sequence * a.mod.cols;
  for (i64 j = threadIdx.x; j < h; j += blockDim.x) {
    float value = (load(a.x, base + j) - mean) * inverse;
    if (a.gamma.p != nullptr) value *= load(a.gamma, j);
    if (a.beta.p != nullptr) value += load(a.beta, j);
    if (a.mod.p != nullptr) value = value * (1 + load(a.mod, mod + a.scale_col + j)) + load(a.mod, mod + a.shift_col + j);
    store(a.y, base + j, value);
  }
}

__device__ inline float rope_frequency(const RopeArgs& a, i64 pair, i64 rotary) {
  double f = pow(a.theta, -2.0 * static_cast<double>(pair) / static_cast<double>(rotary));
  if (a.factor > 0) {
    const double wavelength = 6.283185307179586 / f;
    if (wavelength > a.original / a.low) {
      f /= a.factor;
    } else if (wavelength >= a.original / a.high) {
      const double g = (a.original / wavelength - a.low) / (a.high - a.low);
      f = (1 - g) * f / a.factor + g * f;
    }
  }
  return static_cast<float>(f);
}

// The angle of pair `i` of a head's rotated elements at token t. The product is reduced in double precision: the
// positions of a long context times a frequency leave a float too few bits of the angle.
__device__ inline double rope_angle(const RopeArgs& a, i64 i, i64 t, i64* first, i64* size) {
  *first = 0;
  *size = a.rotary_dim;
  if (a.grid_w <= 0) return static_cast<double>(position(a.pos) + t) * rope_frequency(a, i, a.rotary_dim);
  const i64 u = t - a.text_rows;
  i64 place = u / (a.grid_h * a.grid_w);
  *size = a.dim_t;
  if (2 * i >= a.dim_t + a.dim_h) {
    *first = a.dim_t + a.dim_h;
    *size = a.rotary_dim - *first;
    place = u % a.grid_w;
  } else if (2 * i >= a.dim_t) {
    *first = a.dim_t;
    *size = a.dim_h;
    place = u / a.grid_w % a.grid_h;
  }
  return static_cast<double>(place) * rope_frequency(a, i - *first / 2, *size);
}

// Threads take pairs; what is not rotated is copied.
ASSAY_KERNEL(rope, RopeArgs) {
  const i64 row = blockIdx.x, base = row * a.x.cols, t = row % a.tokens;
  const i64 pairs = a.rotary_dim / 2, heads = a.cols / a.head_dim;
  const bool turns = a.grid_w <= 0 || t >= a.text_rows;
  for (i64 p = threadIdx.x; turns && p < pairs; p += blockDim.x) {
    i64 first, size;
    const double angle = rope_angle(a, p, t, &first, &size);
    const double turned = angle - 6.283185307179586 * floor(angle / 6.283185307179586);
    const float c = cosf(static_cast<float>(turned)), s = sinf(static_cast<float>(turned));
    const i64 i = p - first / 2;
    const i64 low = a.interleaved != 0 ? first + 2 * i : first + i;
    const i64 high = a.interleaved != 0 ? low + 1 : low + size / 2;
    for (i64 head = 0; head < heads; ++head) {
      const i64 at = base + a.col + head * a.head_dim + a.rotary_col;
      const float x = load(a.x, at + low), y = load(a.x, at + high);
      store(a.y, at + low, x * c - y * s);
      store(a.y, at + high, y * c + x * s);
    }
  }
  if (a.x.p == a.y.p) return;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) {
    const i64 inside = (j - a.col) % a.head_dim - a.rotary_col;
    const bool rotated = j >= a.col && j < a.col + a.cols && inside >= 0 && inside < a.rotary_dim;
    if (!rotated || !turns) store(a.y, base + j, load(a.x, base + j));
  }
}

ASSAY_KERNEL(kv_append, AppendArgs) {
  const i64 row = blockIdx.x, b = row / a.tokens, slot = position(a.pos) + row % a.tokens;
  if (slot >= a.slots) return;
  const i64 n = a.heads * a.dim;
  for (i64 j = threadIdx.x; j < n; j += blockDim.x) {
    store(a.cache, (b * a.slots + slot) * n + j, load(a.x, row * a.x.cols + a.col + j));
  }
}

ASSAY_KERNEL(gather, GatherArgs) {
  const i64 row = blockIdx.x;
  i64 index = reinterpret_cast<const int*>(a.index.p)[row];
  const i64 bound = a.table_rows;
  if (a.divide == 0 && (index < 0 || index >= bound)) {
    if (threadIdx.x == 0) note(a.fault, a.op, index, bound);
    index = 0;
  }
  const i64 from = a.divide == 0 ? index : row / a.divide, to = a.divide == 0 ? row : index;
  for (i64 j = threadIdx.x; j < a.y.cols; j += blockDim.x) {
    store(a.y, to * a.y.cols + j, load(a.table, from * a.y.cols + j));
  }
}

// The larger value, of equal ones the lower place. A place below 0 is none.
__device__ inline void keep_larger(float value, i64 place, float* best, i64* best_place) {
  if (place < 0) return;
  if (*best_place < 0 || value > *best || (value == *best && place < *best_place)) {
    *best = value;
    *best_place = place;
  }
}

__device__ inline void block_largest(float* best, i64* place) {
  __shared__ float values[256];
  __shared__ i64 places[256];
  values[threadIdx.x] = *best;
  places[threadIdx.x] = *place;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) {
      keep_larger(values[threadIdx.x + half], places[threadIdx.x + half], &values[threadIdx.x], &places[threadIdx.x]);
    }
  }
  __syncthreads();
  *best = values[0];
  *place = places[0];
}

// Several blocks per row, because one could not read a long row at the memory's speed. Grid: rows, parts.
ASSAY_KERNEL(argmax_parts, ArgmaxArgs) {
  const i64 row = blockIdx.x, part = blockIdx.y, base = row * a.x.cols;
  const i64 from = part * a.part_cols, to = from + a.part_cols < a.x.cols ? from + a.part_cols : a.x.cols;
  float best = 0;
  i64 place = -1;
  if (a.x.cols % 8 == 0) {
    constexpr int kAhead = 4;
    for (i64 c = from; c < to; c += 2048 * kAhead) {
      float values[kAhead][8];
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const i64 at = c + u * 2048 + threadIdx.x * 8;
        if (at < to) load8(a.x, base + at, values[u]);
      }
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const i64 at = c + u * 2048 + threadIdx.x * 8;
#pragma unroll
        for (int j = 0; j < 8; ++j) keep_larger(values[u][j], at < to ? at + j : -1, &best, &place);
      }
    }
  } else {
    for (i64 j = from + threadIdx.x; j < to; j += blockDim.x) keep_larger(load(a.x, base + j), j, &best, &place);
  }
  block_largest(&best, &place);
  if (threadIdx.x != 0) return;
  a.values[row * a.parts + part] = best;
  a.places[row * a.parts + part] = place;
}

// One block per row.
ASSAY_KERNEL(argmax, ArgmaxArgs) {
  float best = 0;
  i64 place = -1;
  for (i64 j = threadIdx.x; j < a.parts; j += blockDim.x) {
    const i64 at = static_cast<i64>(blockIdx.x) * a.parts + j;
    keep_larger(a.values[at], a.places[at], &best, &place);
  }
  block_largest(&best, &place);
  if (threadIdx.x == 0) reinterpret_cast<int*>(a.y.p)[blockIdx.x] = static_cast<int>(place);
}

ASSAY_KERNEL(quantize, ReduceArgs) {
  const i64 base = static_cast<i64>(blockIdx.x) * a.x.cols;
  float most = 0;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) most = fmaxf(most, fabsf(load(a.x, base + j)));
  most = block_max(most);
  const bool real = a.y.dtype == kF8E4M3;
  const float scale = most > 0 ? most / (real ? 448 : 127) : 1;
  if (threadIdx.x == 0) a.scale[blockIdx.x] = scale;
  for (i64 j = threadIdx.x; j < a.x.cols; j += blockDim.x) {
    const float value = load(a.x, base + j) / scale;
    const float code = fminf(fmaxf(rintf(value), -127), 127);
    reinterpret_cast<signed char*>(a.y.p)[base + j] =
        static_cast<signed char>(real ? static_cast<int>(e4m3_code(value)) : static_cast<int>(code));
  }
}

}  // namespace assay_gpu
