// Elements of tensors as floats, whatever their dtype: one at a time, and eight at once where rows allow it.
#pragma once

namespace assay_gpu {

enum { kF32 = 0, kF16, kBF16, kF8E4M3, kF8E5M2, kI8, kI4, kF4E2M1, kI32 };

#if !defined(ASSAY_BF16_CODE)  // the compiler may have an instruction
__device__ inline unsigned short bf16_code(float value) {
  const unsigned bits = bits_of(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<unsigned short>(bits >> 16 | 0x40u);  // stays a NaN
  return static_cast<unsigned short>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}
#endif
__device__ inline float bf16_value(unsigned short code) { return float_of(static_cast<unsigned>(code) << 16); }

// The small formats are shifted into the exponent and fraction of an f32, whose bias is then made up for.
__device__ inline float small_value(unsigned code, i64 dtype) {
  switch (dtype) {
    case kF8E4M3: {
      const float magnitude = float_of((code & 0x7fu) << 20) * 0x1p120f;
      return (code & 0x7fu) == 0x7fu ? float_of(0x7fc00000u) : (code & 0x80u) != 0 ? -magnitude : magnitude;
    }
    case kF8E5M2:
      return half_value(static_cast<unsigned short>(code << 8));
    case kI8:
      return static_cast<float>(static_cast<signed char>(code));
    case kI4:
      return static_cast<float>(static_cast<int>(code & 15u ^ 8u) - 8);
    default: {
      const float magnitude = float_of((code & 7u) << 22) * 0x1p126f;
      return (code & 8u) != 0 ? -magnitude : magnitude;
    }
  }
}

// The nearest of E4M3, ties to even; beyond its largest, that.
__device__ inline unsigned e4m3_code(float value) {
  const unsigned sign = bits_of(value) >> 24 & 0x80u;
  const float magnitude = fminf(fabsf(value), 448);
  if (magnitude < 0x1p-6f) return sign | static_cast<unsigned>(rintf(magnitude * 512));
  const unsigned bits = bits_of(magnitude);
  return sign | ((bits + 0x7ffffu + (bits >> 20 & 1u)) >> 20) - (120u << 3);
}

__device__ inline float code_at(const Data& d, i64 i) {
  switch (d.dtype) {
    case kF32:
      return reinterpret_cast<const float*>(d.p)[i];
    case kF16:
      return half_value(reinterpret_cast<const unsigned short*>(d.p)[i]);
    case kBF16:
      return bf16_value(reinterpret_cast<const unsigned short*>(d.p)[i]);
    case kI4:
    case kF4E2M1: {
      const unsigned both = reinterpret_cast<const unsigned char*>(d.p)[i / 2];
      return small_value((i & 1) != 0 ? both >> 4 : both & 15u, d.dtype);
    }
    case kI32:
      return static_cast<float>(reinterpret_cast<const int*>(d.p)[i]);
    default:
      return small_value(reinterpret_cast<const unsigned char*>(d.p)[i], d.dtype);
  }
}

// Rows are whole numbers of blocks, so the scale of element i of the whole tensor is i / block.
__device__ inline float load(const Data& d, i64 i) {
  const float code = code_at(d, i);
  return d.scale == nullptr ? code : code * d.scale[i / d.block];
}

__device__ inline void store(const Data& d, i64 i, float value) {
  switch (d.dtype) {
    case kF32:
      reinterpret_cast<float*>(d.p)[i] = value;
      break;
    case kF16:
      reinterpret_cast<unsigned short*>(d.p)[i] = half_code(value);
      break;
    default:
      reinterpret_cast<unsigned short*>(d.p)[i] = bf16_code(value);
  }
}

// What is left of a value once it is stored.
__device__ inline float rounded(const Data& d, float value) {
  if (d.dtype == kF32) return value;
  return d.dtype == kF16 ? half_value(half_code(value)) : bf16_value(bf16_code(value));
}

template <int kWords>
struct alignas(4 * kWords) Words {
  unsigned word[kWords];
};
using Vector = Words<4>;

// The eight bf16 (else f16) of a vector.
template <bool kBrain>
__device__ inline void halves(const Vector& v, float* out) {
#pragma unroll
  for (int j = 0; j < 8; ++j) {
    const auto code = static_cast<unsigned short>(v.word[j / 2] >> (j % 2 * 16));
    out[j] = kBrain ? bf16_value(code) : half_value(code);
  }
}

// Eight elements from i on, a multiple of 8, as they lie in memory; the row is one of 8 too and a scale's block, where
// there is one. Apart from their use, so that several are on their way at once.
struct Eight {
  Vector half[2];
};
__device__ inline Eight fetch8(const Data& d, i64 i) {
  Eight e;
  if (d.dtype == kF32) {
    const auto* at = reinterpret_cast<const Vector*>(d.p + i * 4);
    e.half[0] = at[0];
    e.half[1] = at[1];
  } else if (d.dtype == kF16 || d.dtype == kBF16) {
    e.half[0] = *reinterpret_cast<const Vector*>(d.p + i * 2);
  } else if (d.dtype == kI4 || d.dtype == kF4E2M1) {
    e.half[0].word[0] = *reinterpret_cast<const unsigned*>(d.p + i / 2);
  } else {
    const auto* at = reinterpret_cast<const unsigned*>(d.p + i);
    e.half[0].word[0] = at[0];
    e.half[0].word[1] = at[1];
  }
  return e;
}

__device__ inline void widen8(const Data& d, const Eight& e, float* out) {
  if (d.dtype == kF32) {
    for (int j = 0; j < 8; ++j) out[j] = float_of(e.half[j / 4].word[j % 4]);
  } else if (d.dtype == kBF16) {
    halves<true>(e.half[0], out);
  } else if (d.dtype == kF16) {
    halves<false>(e.half[0], out);
  } else if (d.dtype == kI4 || d.dtype == kF4E2M1) {
    for (int j = 0; j < 8; ++j) out[j] = small_value(e.half[0].word[0] >> (4 * j) & 15u, d.dtype);
  } else {
    for (int j = 0; j < 8; ++j) out[j] = small_value(e.half[0].word[j / 4] >> (j % 4 * 8) & 255u, d.dtype);
  }
}

__device__ inline void load8(const Data& d, i64 i, float* out) {
  widen8(d, fetch8(d, i), out);
  if (d.scale == nullptr) return;
  const float scale = d.scale[i / d.block];
  for (int j = 0; j < 8; ++j) out[j] *= scale;
}

// Eight floats as they lie in memory in a float dtype.
__device__ inline Eight pack8(const Data& d, const float* in) {
  Eight e;
  if (d.dtype == kF32) {
    for (int j = 0; j < 8; ++j) e.half[j / 4].word[j % 4] = bits_of(in[j]);
    return e;
  }
  for (int j = 0; j < 4; ++j) {
    const unsigned low = d.dtype == kBF16 ? bf16_code(in[2 * j]) : half_code(in[2 * j]);
    const unsigned high = d.dtype == kBF16 ? bf16_code(in[2 * j + 1]) : half_code(in[2 * j + 1]);
    e.half[0].word[j] = low | high << 16;
  }
  return e;
}
__device__ inline void put8(const Data& d, i64 i, const Eight& e) {
  if (d.dtype == kF32) {
    *reinterpret_cast<Vector*>(d.p + i * 4) = e.half[0];
    *reinterpret_cast<Vector*>(d.p + (i + 4) * 4) = e.half[1];
  } else {
    *reinterpret_cast<Vector*>(d.p + i * 2) = e.half[0];
  }
}
__device__ inline void store8(const Data& d, i64 i, const float* in) { put8(d, i, pack8(d, in)); }

__device__ inline i64 position(const i64* pos) { return pos == nullptr ? 0 : *pos; }

// The row of token j of sequence b in a cache of `slots` tokens a sequence.
__device__ inline i64 cache_row(const Pages& pages, i64 slots, i64 b, i64 j) {
  if (pages.table == nullptr) return b * slots + j;
  const unsigned size = static_cast<unsigned>(pages.tokens), token = static_cast<unsigned>(j), page = token / size;
  return static_cast<i64>(pages.table[b * pages.per_sequence + page]) * size + (token - page * size);
}

__device__ inline void note(Fault fault, i64 op, i64 index, i64 bound) {
  fault[1] = index;
  fault[2] = bound;
  fault[0] = op + 1;
}

// Sums or maxima over a block of up to 1024 threads; every thread gets the result.
__device__ inline float block_sum(float value) {
  __shared__ float part[32];
  value = warp_sum(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  float total = 0;
  for (unsigned i = 0; i < blockDim.x / 32; ++i) total += part[i];
  return total;
}
__device__ inline float block_max(float value) {
  __shared__ float part[32];
  value = warp_max(value);
  __syncthreads();
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  float most = part[0];
  for (unsigned i = 1; i < blockDim.x / 32; ++i) most = fmaxf(most, part[i]);
  return most;
}

__device__ inline float activated(float x, i64 function) {
  if (function == 0) return ASSAY_DIVIDE(x, 1 + ASSAY_EXP(-x));
  if (function == 1) {  // (1 + tanh u) / 2 = 1 / (1 + exp -2u)
    return ASSAY_DIVIDE(x, 1 + ASSAY_EXP(-1.5957691216f * (x + 0.044715f * x * x * x)));
  }
  return 0.5f * x * erfcf(x * -0.7071067812f);  // 1 + erf loses its digits where erf is near -1
}

}  // namespace assay_gpu
