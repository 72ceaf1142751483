// What the products of both kinds of device share.

// What a work-group of a product works on: rows [m0, m1) of expert or batch entry z.
typedef struct {
  int m0, m1, z;
} Part;

// Work-group row `tile` of blocks of `high` rows. With offsets: of the experts' ragged rows, one expert after another.
Part part_of(int tile, int m, int high, const global int* offsets, int experts, int limit) {
  Part p = {tile * high, 0, 0};
  int end = min(m, limit);
  if (offsets != 0) {
    for (; p.z < experts; ++p.z) {
      const int from = clamp(offsets[p.z], 0, m);
      const int to = clamp(offsets[p.z + 1], from, m);
      const int tiles = (to - from + high - 1) / high;
      if (tile < tiles) {
        p.m0 = from + tile * high;
        end = to;
        break;
      }
      tile -= tiles;
    }
    if (p.z == experts) end = p.m0 = 0;
  }
  p.m1 = min(p.m0 + high, end);
  return p;
}

// y[m, n] = sum_k x[m, k] w[n, k] + bias[n]. Ragged: offsets given, a w an expert. Batched: dimension 2, with steps from
// one entry to the next. limit_slot: only rows below scalars[limit_slot] + limit_add. exact: integer codes in x, whose
// scales are x_scale.
#define GEMM_ARGS(T)                                                                                                  \
  const global float *x, const global T_##T *w, const global float *scale, const global float *bias,                  \
      const global float *x_scale, const global int *offsets, const global long *scalars, global float *y, int m,     \
      int n, int k, int block, int high, int experts, long ldx, long x_at, long x_step, long w_step, long ldy,        \
      long y_at, long y_step, uint limit_slot, int limit_add

