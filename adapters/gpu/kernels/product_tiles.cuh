// Products on matrix cores whose operands lie in whole vectors: experts' groups, and others that no library takes. What
// is multiplied next is on its way to shared memory while this stage is multiplied; weights in codes come as codes.
#pragma once

namespace assay_gpu {

#if defined(ASSAY_MATRIX_CORES)

// What a block works on, in shared memory: rows from m0 on and columns from n0 on, of this z. No rows: on nothing.
struct TilePlace {
  i64 z, m0, n0;
  int rows, cols;
};

template <int kM>
__device__ inline int expert_tiles(const ProductArgs& a, i64 e) {
  const i64 from = a.offsets[e], to = a.offsets[e + 1];
  if ((e == 0 && from != 0) || from < 0 || from > to || to > a.m) {
    note(a.fault, a.op, 0, 0);
    return 0;
  }
  return static_cast<int>((to - from + kM - 1) / kM);
}

// The tiles of all experts stand in one row, so that experts without rows have none; each block counts them itself.
template <int kM>
__device__ inline void grouped_tile(const ProductArgs& a, int tile, TilePlace* place) {
  __shared__ float totals[8];
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const i64 each = (a.experts + threads - 1) / threads, first = thread * each;
  const i64 last = first + each < a.experts ? first + each : a.experts;
  int mine = 0;
  for (i64 e = first; e < last; ++e) mine += expert_tiles<kM>(a, e);
  float before = 0, total = static_cast<float>(mine);  // of the lanes below, and of 1, 2, 4 .. lanes
#pragma unroll
  for (int apart = 1; apart < 32; apart *= 2) {
    const float other = ASSAY_SHUFFLE(total, apart);
    if ((thread & apart) != 0) before += other;
    total += other;
  }
  if (thread % 32 == 0) totals[thread / 32] = total;
  __syncthreads();
  for (int warp = 0; warp < thread / 32; ++warp) before += totals[warp];
  int left = tile - static_cast<int>(before);
  if (left >= 0 && left < mine) {
    i64 e = first;
    for (int tiles = expert_tiles<kM>(a, e); left >= tiles; tiles = expert_tiles<kM>(a, e)) {
      left -= tiles;
      ++e;
    }
    place->z = e;
    place->m0 = a.offsets[e] + static_cast<i64>(left) * kM;
    const i64 rows = a.offsets[e + 1] - place->m0;
    place->rows = static_cast<int>(rows < kM ? rows : kM);
  }
}

// The tiles of a row of them stand one after the other: what they have in common is x, which is less than w.
template <typename Form>
__device__ inline void find_tile(const ProductArgs& a, TilePlace* place) {
  const unsigned across = static_cast<unsigned>((a.n + Form::kN - 1) / Form::kN);
  const int tile = static_cast<int>(blockIdx.x / across);
  if (threadIdx.x == 0) {
    const i64 n0 = static_cast<i64>(blockIdx.x % across) * Form::kN;
    i64 rows = 0;
    place->z = blockIdx.z;
    place->m0 = static_cast<i64>(tile) * Form::kM;
    if (a.mode != kGrouped) {
      i64 first;
      product_rows(a, place->z, &first, &rows);
      rows -= place->m0;
    }
    place->n0 = n0;
    place->rows = static_cast<int>(rows < 0 ? 0 : rows < Form::kM ? rows : Form::kM);
    place->cols = static_cast<int>(a.n - n0 < Form::kN ? a.n - n0 : Form::kN);
  }
  if (a.mode == kGrouped) grouped_tile<Form::kM>(a, tile, place);
  __syncthreads();
}

// Rows in shared memory have no padding. Four lanes read kSpan bytes of a row at once; the vectors of rows that are read
// together are exchanged so that they lie in different banks.
template <int kRowBytes, int kSpan>
__device__ inline int tile_vector(int row, int vector) {
  constexpr int kLine = 128, kRows = kRowBytes < kLine ? kLine / kRowBytes : 1;
  constexpr int kPlaces = (kRowBytes < kLine ? kRowBytes : kLine) / kSpan;
  return vector ^ (row / kRows % kPlaces * (kSpan / 16));
}

// A thread's share of one side: vectors of kRows rows, kRowBytes of each in a stage; rows that there are not are left
// out, and beyond a row's end are zeros.
template <int kRows, int kRowBytes, int kSpan, int kThreads>
struct TileStream {
  static constexpr int kVectors = kRowBytes / 16, kApart = kThreads / kVectors;
  static_assert(kApart % 8 == 0, "all rows of a thread exchange their vectors alike");
  const char* from;
  i64 step;              // from a row of the thread's to its next
  int to, rows, bytes;   // where in a stage; rows from its first on; bytes of a row from its vector on

  __device__ TileStream(const char* tile, i64 pitch, int rows_there, int row_bytes) {
    const int row = static_cast<int>(threadIdx.x) / kVectors, vector = static_cast<int>(threadIdx.x) % kVectors;
    from = tile + row * pitch + vector * 16;
    step = kApart * pitch;
    to = row * kRowBytes + tile_vector<kRowBytes, kSpan>(row, vector) * 16;
    rows = rows_there - row;
    bytes = row_bytes - vector * 16;
  }
  __device__ void fetch(char* stage) {
    const char* at = from;
#pragma unroll
    for (int u = 0; u < kRows / kApart; ++u) {
      if (u * kApart < rows) copy_16_or_zeros(stage + to + u * kThreads * 16, at, bytes > 0);
      at += step;
    }
    from += kRowBytes;
    bytes -= kRowBytes;
  }
};

// Eight codes as pairs of bf16, which hold each of them exactly.
template <int kWeights>
__device__ inline Vector bf16_of_codes(unsigned first, unsigned second) {
  Vector v;
#pragma unroll
  for (int p = 0; p < 4; ++p) {
    if constexpr (kWeights == kI4 || kWeights == kF4E2M1) {
      const unsigned both = first >> (8 * p), pair = (both & 15u) | (both << 12 & 0xf0000u);
      if constexpr (kWeights == kI4) {  // 128 + (code ^ 8) - 136
        v.word[p] = bf16_pair_fma((pair ^ 0x00080008u) | 0x43004300u, 0x3f803f80u, 0xc308c308u);
      } else {  // exponent and fraction in place, times 2^126
        v.word[p] = bf16_pair_fma((pair & 0x00070007u) << 6 | (pair & 0x00080008u) << 12, 0x7e807e80u, 0x80008000u);
      }
    } else if constexpr (kWeights == kI8) {
      const unsigned word = (p < 2 ? first : second) ^ 0x80808080u;
      v.word[p] = upper_halves(bits_of(ASSAY_BYTE_ABOVE_2_23(word, p % 2 * 2) - 8388736.0f),
                               bits_of(ASSAY_BYTE_ABOVE_2_23(word, p % 2 * 2 + 1) - 8388736.0f));
    } else {
      const unsigned codes = (p < 2 ? first : second) >> (p % 2 * 16);
#if defined(ASSAY_HALVES_OF_E4M3)
      const unsigned pair = halves_of_e4m3(static_cast<unsigned short>(codes));
      v.word[p] = upper_halves(bits_of(half_value(static_cast<unsigned short>(pair))),
                               bits_of(half_value(static_cast<unsigned short>(pair >> 16))));
#else
      v.word[p] = upper_halves(bits_of(small_value(codes & 255u, kF8E4M3)),
                               bits_of(small_value(codes >> 8 & 255u, kF8E4M3)));
#endif
    }
  }
  return v;
}

template <int kDtype>
constexpr int kTileBits = kDtype == kF16 || kDtype == kBF16 ? 16 : kDtype == kI4 || kDtype == kF4E2M1 ? 4 : 8;

// A lane of a fragment has eight neighbours of a row in each 32 of k, so that one load serves two matrix instructions:
// their sixteens of k are then not as they lie, but the same on both sides. As pairs; t: lane % 4. As integers sixteen
// neighbours in each 64 of k, for two of 32.
template <int kRowBytes, int kDtype, int kSpan>
__device__ inline Vector tile_eight(const char* tile, int row, int block, int t) {
  constexpr int kBits = kTileBits<kDtype>;
  const int byte = block * kSpan + t * (kSpan / 4);
  const char* at = tile + row * kRowBytes + tile_vector<kRowBytes, kSpan>(row % 8, byte / 16) * 16 + byte % 16;
  if constexpr (kSpan == 64) {
    return *reinterpret_cast<const Vector*>(at);
  } else {
    struct alignas(kBits) Codes {
      unsigned word[kBits / 4];
    };
    const Codes codes = *reinterpret_cast<const Codes*>(at);
    return bf16_of_codes<kDtype>(codes.word[0], codes.word[kBits / 4 - 1]);
  }
}

template <bool kIntegers>
struct TileSum {
  using Type = float;
};
template <>
struct TileSum<true> {
  using Type = int;
};

template <typename Form, int kLeft, int kWeights>
struct Tile {
  using Sum = typename TileSum<Form::kIntegers>::Type;
  static constexpr bool kCodes = kTileBits<kWeights> != 16, kLeftCodes = kTileBits<kLeft> != 16;
  static constexpr int kBits = kTileBits<kWeights>, kLeftBits = kTileBits<kLeft>;
  static constexpr int kThreads = tile_threads<Form>(), kStage = tile_stage_bytes<Form>(kLeftBits, kBits);
  static constexpr int kLeftRow = Form::kDepth * kLeftBits / 8, kRightRow = Form::kDepth * kBits / 8;
  static constexpr int kRight = Form::kM * kLeftRow, kScales = kRight + Form::kN * kRightRow;  // in a stage
  static constexpr int kLeftSpan = Form::kIntegers ? 64 : 4 * kLeftBits, kSpan = Form::kIntegers ? 64 : 4 * kBits;
  static constexpr bool kStaged = kCodes && !Form::kIntegers;  // scales, where blocks of a row have them
  static constexpr int kRowScales = Form::kDepth / kLeastBlock;
  static constexpr int kI = Form::kWarpM / 16, kJ = Form::kWarpN / 8;
  static constexpr int kPitch = tile_sums_pitch<Form>();

  const ProductArgs& a;
  const TilePlace& place;
  TileStream<Form::kM, kLeftRow, kLeftSpan, kThreads> left;
  TileStream<Form::kN, kRightRow, kSpan, kThreads> right;
  int shift = 4, scaled = 0;  // log2 of the weights that share a scale in a stage; k of the next stage's scales
  bool blocks = false;        // scales are shared by less than a row

  __device__ Tile(const ProductArgs& args, const TilePlace& at)
      : a(args),
        place(at),
        left(args.x.p + ((at.m0 + (args.mode == kCache ? at.z * args.slots : 0)) * args.x.cols + args.x_col +
                         (args.mode == kPlain ? at.z * args.x_stride : 0)) * kLeftBits / 8,
             args.x.cols * kLeftBits / 8, at.rows, static_cast<int>(args.k * kLeftBits / 8)),
        right(args.w.p + w_row() * (args.k * kBits / 8), args.k * kBits / 8, at.cols,
              static_cast<int>(args.k * kBits / 8)) {
    if constexpr (kStaged) {
      blocks = args.w.block != args.k;
      while ((1 << shift) < args.w.block && (1 << shift) < Form::kDepth) ++shift;
    }
  }
  __device__ i64 w_row() const { return (a.mode == kCache ? 0 : place.z * a.n) + place.n0; }

  __device__ void fetch_right(char* stage) {
    right.fetch(stage + kRight);
    if constexpr (kStaged) {
      if (!blocks) return;
      const int each = Form::kDepth >> shift, block = static_cast<int>(a.w.block), all = static_cast<int>(a.k) / block;
#pragma unroll 1
      for (int e = static_cast<int>(threadIdx.x); e < Form::kN * each; e += kThreads) {
        const int row = e / each, s = e % each;
        char* to = stage + kScales + (row * kRowScales + s) * 4;
        if (row >= place.cols || scaled + (s << shift) >= a.k) {
          *reinterpret_cast<float*>(to) = 0;  // its codes are 0, and 0 times what lay there need not be
        } else {
          copy_4_ahead(to, a.w.scale + (w_row() + row) * all + scaled / block + s);
        }
      }
      scaled += Form::kDepth;
    }
  }

  __device__ Vector weights(const char* stage, int row, int block, int t) const {
    Vector v = tile_eight<kRightRow, kWeights, kSpan>(stage + kRight, row, block, t);
    if constexpr (kStaged) {
      if (!blocks) return v;
      const int s = (block * 32 + t * 8) >> shift;
      const float scale = reinterpret_cast<const float*>(stage + kScales)[row * kRowScales + s];
#pragma unroll
      for (int p = 0; p < 4; ++p) {
        v.word[p] = bf16_pair(float_of(v.word[p] << 16) * scale, float_of(v.word[p] & 0xffff0000u) * scale);
      }
    }
    return v;
  }

  // One stage; `parts`: sixteens of rows that the warp has.
  __device__ void multiply(const char* stage, int parts, int wm, int wn, Sum (*d)[kJ][4]) const {
    const int lane = static_cast<int>(threadIdx.x) % 32, g = lane / 4, t = lane % 4;
#pragma unroll
    for (int block = 0; block < kLeftRow / kLeftSpan; ++block) {
      Vector w[kJ];
#pragma unroll
      for (int j = 0; j < kJ; ++j) w[j] = weights(stage, wn + j * 8 + g, block, t);
#pragma unroll
      for (int i = 0; i < kI; ++i) {
        if (i >= parts) continue;
        const Vector low = tile_eight<kLeftRow, kLeft, kLeftSpan>(stage, wm + i * 16 + g, block, t);
        const Vector high = tile_eight<kLeftRow, kLeft, kLeftSpan>(stage, wm + i * 16 + 8 + g, block, t);
#pragma unroll
        for (int half = 0; half < 4; half += 2) {
          const unsigned x[4] = {low.word[half], high.word[half], low.word[half + 1], high.word[half + 1]};
#pragma unroll
          for (int j = 0; j < kJ; ++j) {
            if constexpr (Form::kIntegers) {
              matrix_16x8x32(d[i][j], x, w[j].word + half);
            } else {
              matrix_16x8x16(d[i][j], x, w[j].word + half, kLeft != kF16);
            }
          }
        }
      }
    }
  }

  // The sums, through shared memory, so that they are written as whole vectors where y's columns allow it.
  __device__ void write(float* sums, int wm, int wn, const Sum (*d)[kJ][4]) const {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % 32;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kI; ++i) {
#pragma unroll
      for (int j = 0; j < kJ; ++j) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          sums[(wm + i * 16 + lane / 4 + e / 2 * 8) * kPitch + wn + j * 8 + lane % 4 * 2 + e % 2] =
              static_cast<float>(d[i][j][e]);
        }
      }
    }
    __syncthreads();
    constexpr int kAcross = Form::kN / 8;
    const int col = thread % kAcross * 8, there = place.cols - col < 8 ? place.cols - col : 8;
    float factor[8], bias[8];
    for (int j = 0; j < 8; ++j) {
      factor[j] = kCodes && !blocks && j < there ? a.w.scale[w_row() + col + j] : 1;
      bias[j] = a.bias.p != nullptr && j < there ? load(a.bias, place.n0 + col + j) : 0;
    }
#pragma unroll 1
    for (int m = thread / kAcross; m < place.rows; m += kThreads / kAcross) {
      const i64 row = place.m0 + m + (a.mode == kCache ? place.z * a.slots : 0);
      const i64 at = row * a.y.cols + a.y_col + (a.mode == kPlain ? place.z * a.y_stride : 0) + place.n0 + col;
      float y[8];
      const float scale = kLeftCodes ? a.x.scale[row] : 1;
      for (int j = 0; j < 8; ++j) y[j] = sums[m * kPitch + col + j] * scale * factor[j] + bias[j];
      if (there == 8 && at % 8 == 0) {
        store8(a.y, at, y);
      } else {
        for (int j = 0; j < 8; ++j) {
          if (j < there) store(a.y, at + j, y[j]);
        }
      }
    }
  }
};

// Grid: for each tile of rows the tiles of columns; z. x in bf16 or f16, w in the same or, beside bf16, in codes; or
// both in codes of eight bits, x with a scale per row; integers with a scale per row of w, too. Rows of both are whole
// vectors of 16 bytes.
template <typename Form, int kLeft, int kWeights>
__device__ inline void product_tiles(const ProductArgs& a) {
  using T = Tile<Form, kLeft, kWeights>;
  constexpr int kAhead = Form::kStages - 1;
  ASSAY_DYNAMIC_SHARED(Vector, staged);
  char* stages = reinterpret_cast<char*>(staged);
  const bool early = a.early != 0;
  if (!early) ASSAY_WAIT_FOR_INPUT();
  __shared__ TilePlace place;
  find_tile<Form>(a, &place);
  if (place.rows == 0) return;
  T tile(a, place);
  const int steps = static_cast<int>((a.k + Form::kDepth - 1) / Form::kDepth);
  if (early) {
#pragma unroll 1
    for (int s = 0; s < kAhead && s < steps; ++s) tile.fetch_right(stages + s * T::kStage);
    ASSAY_WAIT_FOR_INPUT();
  }
#pragma unroll 1
  for (int s = 0; s < kAhead; ++s) {
    if (s < steps && !early) tile.fetch_right(stages + s * T::kStage);
    if (s < steps) tile.left.fetch(stages + s * T::kStage);
    end_copies();  // also none: what is counted is groups
  }
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const int wm = warp / (Form::kN / Form::kWarpN) * Form::kWarpM, wn = warp % (Form::kN / Form::kWarpN) * Form::kWarpN;
  const int parts = (place.rows - wm + 15) / 16;
  typename T::Sum d[T::kI][T::kJ][4] = {};
  int now = 0, next = kAhead;  // stages
#pragma unroll 1
  for (int s = 0; s < steps; ++s) {
    wait_for_copies<kAhead - 1>();
    __syncthreads();  // what was read last is free, too
    if (s + kAhead < steps) {
      tile.fetch_right(stages + next * T::kStage);
      tile.left.fetch(stages + next * T::kStage);
    }
    end_copies();
    tile.multiply(stages + now * T::kStage, parts, wm, wn, d);
    now = now + 1 < Form::kStages ? now + 1 : 0;
    next = next + 1 < Form::kStages ? next + 1 : 0;
  }
  tile.write(reinterpret_cast<float*>(staged), wm, wn, d);
}

#define ASSAY_TILES(rows, name, left, weights)                                                              \
  ASSAY_BOUNDED_KERNEL(tiles_##rows##_##name, ProductArgs, tile_threads<Tiles##rows>(), Tiles##rows::kBlocks) { \
    product_tiles<Tiles##rows, left, weights>(a);                                                           \
  }
#define ASSAY_TILES_OF(rows)                          \
  ASSAY_TILES(rows, f16, kF16, kF16)                  \
  ASSAY_TILES(rows, bf16, kBF16, kBF16)               \
  ASSAY_TILES(rows, f8e4m3, kBF16, kF8E4M3)           \
  ASSAY_TILES(rows, i8, kBF16, kI8)                   \
  ASSAY_TILES(rows, i4, kBF16, kI4)                   \
  ASSAY_TILES(rows, f4e2m1, kBF16, kF4E2M1)           \
  ASSAY_TILES(rows, f8e4m3_codes, kF8E4M3, kF8E4M3)   \
  ASSAY_TILES(rows, i8_codes, kI8, kI8)
ASSAY_TILES_OF(16)
ASSAY_TILES_OF(64)
ASSAY_TILES_OF(128)

#if defined(ASSAY_INTEGER_MATRIX)
#define ASSAY_INTEGER_TILES(rows)                                                                            \
  ASSAY_BOUNDED_KERNEL(tiles_##rows##_i8_imma, ProductArgs, tile_threads<Tiles##rows>(), Tiles##rows::kBlocks) { \
    product_tiles<IntegerTiles<Tiles##rows>, kI8, kI8>(a);                                                   \
  }
ASSAY_INTEGER_TILES(16)
ASSAY_INTEGER_TILES(64)
ASSAY_INTEGER_TILES(128)
#endif
#endif

}  // namespace assay_gpu
