// Products that no library of the vendor does for us: few rows against quantised or plain weights, convolutions, experts'
// groups and rows counted by the position that product_tiles.cuh does not take, and everything where there is no library.
#pragma once

namespace assay_gpu {

// Any k of whole eights: one warp per column n, whose weights are read once and meet all rows of x, which the caches
// hold.
template <int kRows>
__device__ inline void matvec_rows(const ProductArgs& a) {
  const i64 n = static_cast<i64>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (n >= a.n) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  float sums[kRows];
  for (int m = 0; m < kRows; ++m) sums[m] = 0;
  constexpr int kAhead = 4;  // loads in flight before the first use
  const i64 base = n * a.k;
  for (i64 k = 0; k < a.k; k += 256 * kAhead) {
    float w[kAhead][8];
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const i64 at = k + u * 256 + lane * 8;
      if (at < a.k) load8(a.w, base + at, w[u]);
    }
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      const i64 at = k + u * 256 + lane * 8;
      if (at >= a.k) continue;
#pragma unroll
      for (int m = 0; m < kRows; ++m) {
        if (m < a.m) {
          float x[8];
          load8(a.x, m * a.x.cols + at, x);
          for (int j = 0; j < 8; ++j) sums[m] += w[u][j] * x[j];
        }
      }
    }
  }
#pragma unroll
  for (int m = 0; m < kRows; ++m) {
    const float sum = warp_sum(sums[m]);
    if (lane != 0 || m >= a.m) continue;
    store(a.y, m * a.y.cols + n, a.bias.p == nullptr ? sum : sum + load(a.bias, n));
  }
}
ASSAY_KERNEL(matvec_1, ProductArgs) { matvec_rows<1>(a); }
ASSAY_KERNEL(matvec_4, ProductArgs) { matvec_rows<4>(a); }
ASSAY_KERNEL(matvec_8, ProductArgs) { matvec_rows<8>(a); }

// Weights in a vector of 16 bytes; and the dtype that x most often has beside them.
template <int kDtype>
constexpr int kVectorElements = kDtype == kF32 ? 4 : kDtype == kF16 || kDtype == kBF16 ? 8 : kDtype >= kI4 ? 32 : 16;
template <int kDtype>
constexpr int kUsualLeft = kDtype == kF32 || kDtype == kF16 ? kDtype : kBF16;

// Eight weights (of f32 four) out of a vector of 16 bytes.
template <int kDtype>
__device__ inline void unpack(const Vector& v, int piece, float* out) {
  if (kDtype == kF32) {
    for (int j = 0; j < 4; ++j) out[j] = float_of(v.word[j]);
  } else if (kDtype == kF16 || kDtype == kBF16) {
    halves<kDtype == kBF16>(v, out);
  } else if (kDtype == kI4 || kDtype == kF4E2M1) {
#pragma unroll
    for (int j = 0; j < 8; ++j) out[j] = small_value(v.word[piece] >> (4 * j) & 15u, kDtype);
  } else if (kDtype == kI8) {  // the code as the last bits of a float of 2^23, which is then taken off
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      out[j] = ASSAY_BYTE_ABOVE_2_23(v.word[piece * 2 + j / 4] ^ 0x80808080u, j % 4) - 8388736.0f;
    }
  } else {
#pragma unroll
    for (int j = 0; j < 8; ++j) out[j] = small_value(v.word[piece * 2 + j / 4] >> (j % 4 * 8) & 255u, kDtype);
  }
}

// What becomes of a product's columns: nothing more, or y = activated(first half) * second half, as gated_act makes it.
struct Ungated {
  static constexpr int kHalves = 1;
};
struct Gated {
  static constexpr int kHalves = 2;
  const Data& y;
  i64 function;
};

// A block takes a few columns, its threads shares of k in vectors of 16 bytes, which are all on their way before the
// first is used: what a product of few rows costs is reading the weights. k is a whole number of vectors. With `early`
// the first weights, which nothing writes, are fetched while the op before still runs. With `Gated`
// a block takes one column of either half. Grid: columns' groups. Threads: at most 128.
template <int kDtype, int kRows, typename Gate = Ungated>
__device__ inline void matvec_vectors(const ProductArgs& a, const Data& left, const Gate& gate = Gate{}) {
  constexpr int kElements = kVectorElements<kDtype>;
  constexpr int kPiece = kElements < 8 ? kElements : 8, kCols = kRows == 1 ? Gate::kHalves : 4, kAhead = kRows == 1 ? 4 : 2;
  __shared__ float shared[4][kCols * kRows];
  const int thread = static_cast<int>(threadIdx.x), warps = static_cast<int>(blockDim.x) / 32;
  const i64 n0 = static_cast<i64>(blockIdx.x) * (kCols / Gate::kHalves), step = static_cast<i64>(blockDim.x) * kElements;
  const i64 apart = Gate::kHalves == 1 ? 1 : a.n / 2;  // of columns
  const bool grouped = a.w.scale != nullptr && a.w.block != a.k;
  float sums[kCols][kRows];
#pragma unroll
  for (int c = 0; c < kCols; ++c) {
    for (int m = 0; m < kRows; ++m) sums[c][m] = 0;
  }
  bool waits = a.early != 0;
  if (!waits) ASSAY_WAIT_FOR_INPUT();
  for (i64 k = static_cast<i64>(thread) * kElements; k < a.k; k += step * kAhead) {
    Vector w[kCols][kAhead];
#pragma unroll
    for (int c = 0; c < kCols; ++c) {
      const char* row = a.w.p + (n0 + c * apart < a.n ? n0 + c * apart : a.n - 1) * (a.k / kElements) * 16;
#pragma unroll
      for (int u = 0; u < kAhead; ++u) {
        const i64 at = k + u * step < a.k ? k + u * step : k;
        w[c][u] = *reinterpret_cast<const Vector*>(row + at / kElements * 16);
      }
    }
    if (waits) ASSAY_WAIT_FOR_INPUT();
    waits = false;
#pragma unroll
    for (int u = 0; u < kAhead; ++u) {
      if (k + u * step >= a.k) continue;
#pragma unroll
      for (int piece = 0; piece < kElements / kPiece; ++piece) {
        const i64 at = k + u * step + piece * kPiece;
        float values[kCols][kPiece];
#pragma unroll
        for (int c = 0; c < kCols; ++c) {
          unpack<kDtype>(w[c][u], piece, values[c]);
          if (!grouped || n0 + c * apart >= a.n) continue;
          const auto block = static_cast<unsigned>(at) / static_cast<unsigned>(a.w.block);
          const float scale = a.w.scale[(n0 + c * apart) * (a.k / a.w.block) + block];
          for (int j = 0; j < kPiece; ++j) values[c][j] *= scale;
        }
#pragma unroll
        for (int m = 0; m < kRows; ++m) {
          if (m < a.m) {
            float x[kPiece];
            if (kPiece == 8) {
              widen8(left, fetch8(left, m * left.cols + at), x);
            } else {
              for (int j = 0; j < kPiece; ++j) x[j] = code_at(left, m * left.cols + at + j);
            }
#pragma unroll
            for (int c = 0; c < kCols; ++c) {
              for (int j = 0; j < kPiece; ++j) sums[c][m] += values[c][j] * x[j];
            }
          }
        }
      }
    }
  }
#pragma unroll
  for (int c = 0; c < kCols; ++c) {
#pragma unroll
    for (int m = 0; m < kRows; ++m) {
      const float sum = m < a.m ? warp_sum(sums[c][m]) : 0;
      if (thread % 32 == 0) shared[thread / 32][c * kRows + m] = sum;
    }
  }
  __syncthreads();
  const auto stored = [&](int column, int m) {
    const i64 n = n0 + column * apart;
    float sum = 0;
    for (int warp = 0; warp < warps; ++warp) sum += shared[warp][column * kRows + m];
    if (a.w.scale != nullptr && !grouped) sum *= a.w.scale[n];
    if (a.bias.p != nullptr) sum += load(a.bias, n);
    store(a.y, m * a.y.cols + n, sum);
    return rounded(a.y, sum);
  };
  if constexpr (Gate::kHalves == 2) {
    if (thread != 0) return;
    const float first = stored(0, 0), second = stored(1, 0);
    store(gate.y, n0, activated(first, gate.function) * second);
  } else {
    if (thread < kCols * kRows && n0 + thread / kRows < a.n && thread % kRows < a.m) stored(thread / kRows, thread % kRows);
  }
}
// The compiler knows x's dtype, so that loads of x do not wait for one another: matvec_1 and its like take another.
template <int kDtype, int kRows, typename Gate = Ungated>
__device__ inline void matvec_usual(const ProductArgs& a, const Gate& gate = Gate{}) {
  Data left = a.x;
  left.dtype = kUsualLeft<kDtype>;
  matvec_vectors<kDtype, kRows>(a, left, gate);
}
#define ASSAY_MATVEC(name, dtype)                                                          \
  ASSAY_EARLY_KERNEL(matvec_##name##_1, ProductArgs, 8) { matvec_usual<dtype, 1>(a); }     \
  ASSAY_EARLY_KERNEL(matvec_##name##_4, ProductArgs, 4) { matvec_usual<dtype, 4>(a); }     \
  ASSAY_EARLY_KERNEL(matvec_##name##_8, ProductArgs, 3) { matvec_usual<dtype, 8>(a); }
ASSAY_MATVEC(f32, kF32)
ASSAY_MATVEC(f16, kF16)
ASSAY_MATVEC(bf16, kBF16)
ASSAY_MATVEC(f8e4m3, kF8E4M3)
ASSAY_MATVEC(f8e5m2, kF8E5M2)
ASSAY_MATVEC(i8, kI8)
ASSAY_MATVEC(i4, kI4)
ASSAY_MATVEC(f4e2m1, kF4E2M1)

// Of the dtypes that weights of one row are most often in.
#define ASSAY_GATED(name, dtype)                                  \
  ASSAY_EARLY_KERNEL(gated_##name##_1, GatedProductArgs, 6) {     \
    matvec_usual<dtype, 1>(a.product, Gated{a.y, a.function});    \
  }
ASSAY_GATED(f16, kF16)
ASSAY_GATED(bf16, kBF16)
ASSAY_GATED(i8, kI8)
ASSAY_GATED(i4, kI4)

// The rows that this z works on: [first, end) of x and y.
__device__ inline void product_rows(const ProductArgs& a, i64 z, i64* first, i64* end) {
  *first = 0;
  *end = a.m;
  if (a.mode == kGrouped) {
    const i64 from = a.offsets[z], to = a.offsets[z + 1];
    const bool ascends = (z > 0 || from == 0) && from >= 0 && from <= to && to <= a.m;
    if (!ascends && threadIdx.x == 0) note(a.fault, a.op, 0, 0);
    *first = ascends ? from : 0;
    *end = ascends ? to : 0;
  } else if (a.mode == kCache) {
    const i64 rows = position(a.pos) + a.tokens;
    *end = rows < a.slots ? rows : a.slots;
  }
}

// Element k of row m of the left side.
__device__ inline float product_left(const ProductArgs& a, i64 z, i64 m, i64 k) {
  if (a.mode == kCache) m += z * a.slots;
  if (a.mode != kConvolution) return load(a.x, m * a.x.cols + a.x_col + (a.mode == kPlain ? z * a.x_stride : 0) + k);
  const i64 ch = k % a.c, tap = k / a.c;
  const i64 l = tap % a.kw, j = tap / a.kw % a.kh, i = tap / a.kw / a.kh;
  const i64 col = m % a.out_w + l - (a.kw - 1) / 2;
  const i64 row = m / a.out_w % a.out_h + j - (a.kh - 1) / 2;
  const i64 frame = m / a.out_w / a.out_h + i - (a.kt - 1);
  if (col < 0 || col >= a.out_w || row < 0 || row >= a.out_h || frame < 0) return 0;
  const i64 from_t = a.up_t > 1 ? (frame + a.up_t - 1) / a.up_t : frame;
  return load(a.x, ((from_t * a.h + row / a.up_h) * a.w_in + col / a.up_w) * a.c + ch);
}

__device__ inline void product_store(const ProductArgs& a, i64 z, i64 m, i64 n, float sum) {
  if (a.mode == kCache) m += z * a.slots;
  if (a.bias.p != nullptr) sum += load(a.bias, n);
  store(a.y, m * a.y.cols + a.y_col + (a.mode == kPlain ? z * a.y_stride : 0) + n, sum);
}

// Tiles of 64 x 64 by 256 threads, each 4 x 4, sums in f32. Grid: m, n, z.
ASSAY_KERNEL(product_f32, ProductArgs) {
  __shared__ float left[16][68];
  __shared__ float right[16][68];
  const i64 z = blockIdx.z;
  i64 first, end;
  product_rows(a, z, &first, &end);
  const i64 m0 = first + static_cast<i64>(blockIdx.x) * 64, n0 = static_cast<i64>(blockIdx.y) * 64;
  if (m0 >= end) return;
  const int tm = static_cast<int>(threadIdx.x / 16) * 4, tn = static_cast<int>(threadIdx.x % 16) * 4;
  float sums[4][4];
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) sums[i][j] = 0;
  }
  const i64 w_base = a.mode == kCache ? 0 : z * a.w_stride;
  for (i64 k0 = 0; k0 < a.k; k0 += 16) {
    for (int e = static_cast<int>(threadIdx.x); e < 64 * 16; e += 256) {
      const int r = e / 16, c = e % 16;
      const i64 k = k0 + c;
      left[c][r] = m0 + r < end && k < a.k ? product_left(a, z, m0 + r, k) : 0;
      right[c][r] = n0 + r < a.n && k < a.k ? load(a.w, w_base + (n0 + r) * a.k + k) : 0;
    }
    __syncthreads();
    for (int c = 0; c < 16; ++c) {
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < 4; ++j) sums[i][j] += left[c][tm + i] * right[c][tn + j];
      }
    }
    __syncthreads();
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      if (m0 + tm + i < end && n0 + tn + j < a.n) product_store(a, z, m0 + tm + i, n0 + tn + j, sums[i][j]);
    }
  }
}

#if defined(ASSAY_MATRIX_CORES)
__device__ inline unsigned pair_code(const Data& like, float low, float high) {
  const unsigned a = like.dtype == kBF16 ? bf16_code(low) : half_code(low);
  const unsigned b = like.dtype == kBF16 ? bf16_code(high) : half_code(high);
  return a | b << 16;
}

// Eight elements of a tile's row as four pairs; weights of another format become x's.
__device__ inline Vector product_eight(const ProductArgs& a, const Data& from, i64 at) {
  if (from.dtype == a.x.dtype && from.scale == nullptr) return *reinterpret_cast<const Vector*>(from.p + at * 2);
  float values[8];
  load8(from, at, values);
  Vector v;
  for (int j = 0; j < 4; ++j) v.word[j] = pair_code(a.x, values[2 * j], values[2 * j + 1]);
  return v;
}

// Eight k of row m of the left side, k a multiple of 8; channels of a convolution are one too.
__device__ inline Vector product_left8(const ProductArgs& a, i64 z, i64 m, i64 k) {
  const Vector nothing = {{0, 0, 0, 0}};
  if (a.mode == kCache) m += z * a.slots;
  if (a.mode != kConvolution) {
    return product_eight(a, a.x, m * a.x.cols + a.x_col + (a.mode == kPlain ? z * a.x_stride : 0) + k);
  }
  const i64 ch = k % a.c, tap = k / a.c;
  const i64 l = tap % a.kw, j = tap / a.kw % a.kh, i = tap / a.kw / a.kh;
  const i64 col = m % a.out_w + l - (a.kw - 1) / 2;
  const i64 row = m / a.out_w % a.out_h + j - (a.kh - 1) / 2;
  const i64 frame = m / a.out_w / a.out_h + i - (a.kt - 1);
  if (col < 0 || col >= a.out_w || row < 0 || row >= a.out_h || frame < 0) return nothing;
  const i64 from_t = a.up_t > 1 ? (frame + a.up_t - 1) / a.up_t : frame;
  return product_eight(a, a.x, ((from_t * a.h + row / a.up_h) * a.w_in + col / a.up_w) * a.c + ch);
}

// Tiles of 128 x 128 by 8 warps of 64 x 32 on matrix cores, 32 deep, the next tile on its way while this one is
// multiplied. x in bf16 or f16; k, x_col and the rows' lengths are multiples of 8. Grid: m, n, z.
ASSAY_KERNEL(product_matrix, ProductArgs) {
  constexpr int kPitch = 20;  // words of a row of 32 halves and padding: no two lanes of a fragment share a bank
  __shared__ unsigned tiles[256 * kPitch];
  unsigned *left = tiles, *right = tiles + 128 * kPitch;
  const i64 z = blockIdx.z;
  i64 first, end;
  product_rows(a, z, &first, &end);
  const i64 m0 = first + static_cast<i64>(blockIdx.x) * 128, n0 = static_cast<i64>(blockIdx.y) * 128;
  if (m0 >= end) return;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / 32, lane = thread % 32;
  const int wm = warp / 4 * 64, wn = warp % 4 * 32, g = lane / 4, t = lane % 4;
  const i64 w_base = a.mode == kCache ? 0 : z * a.w_stride;
  const Vector nothing = {{0, 0, 0, 0}};
  float d[4][4][4];
  for (int i = 0; i < 4; ++i) {
    for (int j = 0; j < 4; ++j) {
      for (int e = 0; e < 4; ++e) d[i][j][e] = 0;
    }
  }
  Vector next[4];
  const auto fetch = [&](i64 k0) {
#pragma unroll
    for (int u = 0; u < 4; ++u) {
      const int e = thread + u % 2 * 256, r = e / 4;
      const i64 k = k0 + e % 4 * 8;
      if (u < 2) {
        next[u] = m0 + r < end && k < a.k ? product_left8(a, z, m0 + r, k) : nothing;
      } else {
        next[u] = n0 + r < a.n && k < a.k ? product_eight(a, a.w, w_base + (n0 + r) * a.k + k) : nothing;
      }
    }
  };
  fetch(0);
  for (i64 k0 = 0; k0 < a.k; k0 += 32) {
    __syncthreads();
#pragma unroll
    for (int u = 0; u < 4; ++u) {
      const int e = thread + u % 2 * 256;
      unsigned* to = (u < 2 ? left : right) + e / 4 * kPitch + e % 4 * 4;
      *reinterpret_cast<Vector*>(to) = next[u];
    }
    __syncthreads();
    if (k0 + 32 < a.k) fetch(k0 + 32);
#pragma unroll
    for (int s = 0; s < 2; ++s) {
      unsigned b[4][2];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const unsigned* from = right + (wn + j * 8 + g) * kPitch + s * 8 + t;
        b[j][0] = from[0];
        b[j][1] = from[4];
      }
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const unsigned* from = left + (wm + i * 16 + g) * kPitch + s * 8 + t;
        const unsigned rows[4] = {from[0], from[8 * kPitch], from[4], from[8 * kPitch + 4]};
#pragma unroll
        for (int j = 0; j < 4; ++j) matrix_16x8x16(d[i][j], rows, b[j], a.x.dtype == kBF16);
      }
    }
  }
  float* sums = reinterpret_cast<float*>(tiles) + warp * 512;  // 16 rows of the warp's at a time, so that lanes are columns
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    __syncthreads();
#pragma unroll
    for (int j = 0; j < 4; ++j) {
#pragma unroll
      for (int e = 0; e < 4; ++e) sums[(g + e / 2 * 8) * 32 + j * 8 + t * 2 + e % 2] = d[i][j][e];
    }
    __syncthreads();
#pragma unroll 1
    for (int row = 0; row < 16; ++row) {
      const i64 m = m0 + wm + i * 16 + row, n = n0 + wn + lane;
      if (m < end && n < a.n) product_store(a, z, m, n, sums[row * 32 + lane]);
    }
  }
}
#endif

ASSAY_KERNEL(scale_sums, ScaleArgs) {
  const i64 i = static_cast<i64>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= a.m * a.n) return;
  const i64 m = i / a.n, n = i % a.n;
  const float sum = a.integer != 0 ? static_cast<float>(reinterpret_cast<const int*>(a.sums)[i])
                                   : reinterpret_cast<const float*>(a.sums)[i];
  float value = sum * a.x.scale[m] * a.w.scale[n];
  if (a.bias.p != nullptr) value += load(a.bias, n);
  store(a.y, i, value);
}

ASSAY_KERNEL(head_pass, PassArgs) {
  const i64 row = blockIdx.x, head = blockIdx.y;
  for (i64 j = threadIdx.x; j < a.pass; j += blockDim.x) {
    store(a.y, row * a.y.cols + a.to + head * a.y_stride + j, load(a.x, row * a.x.cols + a.from + head * a.x_stride + j));
  }
}

}  // namespace assay_gpu
