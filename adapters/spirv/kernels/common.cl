// What the kernels share. OpenCL C 1.2, one source for OpenCL and Level Zero. Activations are f32; weights and caches are
// read as they are stored. A work-group of a row kernel may have any size up to kMaxGroup.
#define kNone 0xffffffffu

typedef float T_f32;
typedef half T_f16;
typedef ushort T_bf16;
typedef char T_i8;

// Eight elements from p + i on, sixteen, and one, as f32.
#define LOAD8_f32(p, i) vload8(0, (p) + (i))
#define LOAD8_f16(p, i) vload_half8(0, (p) + (i))
#define LOAD8_bf16(p, i) as_float8(convert_uint8(vload8(0, (p) + (i))) << 16)
#define LOAD8_i8(p, i) convert_float8(vload8(0, (p) + (i)))
#define LOAD16_f32(p, i) vload16(0, (p) + (i))
#define LOAD16_f16(p, i) vload_half16(0, (p) + (i))
#define LOAD16_bf16(p, i) as_float16(convert_uint16(vload16(0, (p) + (i))) << 16)
#define LOAD16_i8(p, i) convert_float16(vload16(0, (p) + (i)))
#define LOAD1_f32(p, i) ((p)[i])
#define LOAD1_f16(p, i) vload_half((i), (p))
#define LOAD1_bf16(p, i) as_float((uint)(p)[i] << 16)
#define LOAD1_i8(p, i) ((float)(p)[i])

// Rounds to nearest even.
#define STORE1_f32(p, i, v) ((p)[i] = (v))
#define STORE1_f16(p, i, v) vstore_half_rte((v), (i), (p))
#define STORE1_bf16(p, i, v) ((p)[i] = (ushort)((as_uint(v) + 0x7fffu + ((as_uint(v) >> 16) & 1u)) >> 16))

float sum8(float8 v) {
  const float4 a = v.lo + v.hi;
  const float2 b = a.lo + a.hi;
  return b.x + b.y;
}
float sum16(float16 v) { return sum8(v.lo + v.hi); }

// Sum and maximum over a work-group; every work-item gets the result. `tmp`: kMaxGroup floats, free before and after.
float group_sum(float value, local float* tmp) {
  const int lid = (int)get_local_id(0);
  const int size = (int)get_local_size(0);
  tmp[lid] = value;
  SYNC
  for (int half_size = size / 2; half_size > 0; half_size /= 2) {
    if (lid < half_size) tmp[lid] += tmp[lid + half_size];
    SYNC
  }
  const float result = tmp[0];
  SYNC
  return result;
}
float group_max(float value, local float* tmp) {
  const int lid = (int)get_local_id(0);
  const int size = (int)get_local_size(0);
  tmp[lid] = value;
  SYNC
  for (int half_size = size / 2; half_size > 0; half_size /= 2) {
    if (lid < half_size) tmp[lid] = fmax(tmp[lid], tmp[lid + half_size]);
    SYNC
  }
  const float result = tmp[0];
  SYNC
  return result;
}

// The same of four values at once.
float4 group_sum4(float4 value, local float4* tmp) {
  const int lid = (int)get_local_id(0);
  tmp[lid] = value;
  SYNC
  for (int half_size = (int)get_local_size(0) / 2; half_size > 0; half_size /= 2) {
    if (lid < half_size) tmp[lid] += tmp[lid + half_size];
    SYNC
  }
  const float4 result = tmp[0];
  SYNC
  return result;
}
float4 group_max4(float4 value, local float4* tmp) {
  const int lid = (int)get_local_id(0);
  tmp[lid] = value;
  SYNC
  for (int half_size = (int)get_local_size(0) / 2; half_size > 0; half_size /= 2) {
    if (lid < half_size) tmp[lid] = fmax(tmp[lid], tmp[lid + half_size]);
    SYNC
  }
  const float4 result = tmp[0];
  SYNC
  return result;
}

// ASSAY_ACT_*: 0 silu, 1 gelu by tanh, 2 gelu by erf.
float8 act8(float8 x, int function) {
  if (function == 0) return x / (1.0f + exp(-x));
  if (function == 1) {
    const float8 u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp(-2.0f * u));
  }
  return 0.5f * x * erfc(x * -0.7071067811865476f);  // 1 + erf loses its digits where erf is near -1
}
float act1(float x, int function) {
  if (function == 0) return x / (1.0f + exp(-x));
  if (function == 1) {
    const float u = 0.7978845608028654f * (x + 0.044715f * x * x * x);
    return x / (1.0f + exp(-2.0f * u));
  }
  return 0.5f * x * erfc(x * -0.7071067811865476f);  // 1 + erf loses its digits where erf is near -1
}

long position(const global long* scalars, uint slot) { return slot == kNone ? 0 : scalars[slot]; }

// The row of a key of sequence b in the caches: in one block a sequence, or in pages of `page` tokens.
#define PLACE_OF(key) \
  (pages != 0 ? pages[(long)b * (capacity / page) + (key) / page] * page + (key) % page : b * capacity + (key))
