// A step's launches as one, on a device whose groups see each other's writes behind a fence. A group takes tasks, in order,
// until none is left; one is ready when those that it depends on are done. A group that has waited long leaves, so that
// none spins while the core that it needs is another's: who holds the task that was waited for goes on with the rest.

// A compiler may move reads over an atomic of OpenCL 1.2 and take mem_fence for nothing.
#if defined(__clang__) && !defined(__SPIR__)
#define DEVICE_FENCE __atomic_thread_fence(__ATOMIC_ACQ_REL);
#else
#define DEVICE_FENCE mem_fence(CLK_GLOBAL_MEM_FENCE);
#endif
#if defined(__clang__) && !defined(__SPIR__) && defined(__x86_64__)
#define BREATHE __builtin_ia32_pause(); // 10 to 40 ns
#else
#define BREATHE
#endif

// Counters, a cache line each: tasks taken, tasks done, groups that left.
#define kTaken 0
#define kDone 32
#define kLeft 64
#define kPatience 10000  // looks at a task that is not ready: longer than tasks take, shorter than a time slice

// adapters/spirv/chain.cpp writes each launch as kWords words: its kernel, its groups along dimensions 0 and 1, and its
// arguments: bytes from `base` on (-1: absent), integers, bits of a float.
#define kWords 40
#define LINK_ROW_PRODUCT 0
#define LINK_GATED_ROW 1
#define LINK_ROPE 2
#define LINK_KV_APPEND 3
#define LINK_ATTENTION 4
#define LINK_ATTENTION_JOIN 5
#define LINK_RMS_NORM 6
#define LINK_ADD_RMS_NORM 7
#define LINK_ADD 8
#define LINK_GATED_ACT 9
#define LINK_EMBEDDING 10
#define LINK_ARGMAX_PARTS 11
#define LINK_ARGMAX_JOIN 12
#define P(T, i) (a[i] < 0 ? (global T*)0 : (global T*)(base + a[i]))
#define I(i) ((int)a[i])
#define F(i) as_float((int)a[i])

#define CHAIN(T, C)                                                                                                    \
  /* Groups [from, to) of a launch. */                                                                                 \
  void link_##T##_##C(global char* base, const global long* launch, int from, int to, local float* tmp, local float4* tmp4,\
                      local int* best, local float* u, local float* v) {                                               \
    const global long* a = launch + 3;                                                                                 \
    const int wide = (int)launch[1];                                                                                   \
    if (launch[0] == LINK_ROW_PRODUCT) {                                                                               \
      row_product_##T(P(float, 0) + a[15], P(T_##T, 1), P(float, 2), I(9), I(10), I(11), from, to, P(float, 7) + a[19],\
                      P(float, 3));                                                                                    \
      return;                                                                                                          \
    }                                                                                                                  \
    if (launch[0] == LINK_GATED_ROW) {                                                                                 \
      gated_rows_##T(P(float, 0), P(T_##T, 1), P(float, 2), P(float, 3), P(float, 4), I(5), I(6), I(7), I(8), from, to);\
      return;                                                                                                          \
    }                                                                                                                  \
    for (int i = from; i < to; ++i) {                                                                                  \
      const int g0 = i % wide;                                                                                         \
      const int g1 = i / wide % (int)launch[2];                                                                        \
      switch (launch[0]) {                                                                                             \
        case LINK_ROPE:                                                                                                \
          rope_row(P(float, 0), P(ulong, 1), P(long, 2), P(float, 3), (uint)a[4], I(5), I(6), I(7), I(8), I(9), I(10), \
                   I(11), I(12), I(13), I(14), I(15), I(16), I(17), i, u, v);                                          \
          break;                                                                                                       \
        case LINK_KV_APPEND:                                                                                           \
          append_row_##C(P(float, 0), P(long, 1), P(T_##C, 2), P(T_##C, 3), (uint)a[4], I(5), I(6), I(7), I(8), I(9),  \
                         I(10), I(11), P(int, 12), I(13), i);                                                          \
          break;                                                                                                       \
        case LINK_ATTENTION:                                                                                           \
          attend_##C(P(float, 0), P(T_##C, 1), P(T_##C, 2), P(T_##C, 3), P(int, 4), P(long, 5), P(float, 6),           \
                     P(float, 7), (uint)a[8], I(9), I(10), I(11), I(12), I(13), I(14), I(15), I(16), F(17), I(18), I(19),\
                     I(20), I(21), I(22), I(23), I(24), I(25), I(26), I(27), P(int, 28), I(29), g0, g1,                \
                     i / wide / (int)launch[2], u, (local int*)v, tmp4);                                               \
          break;                                                                                                       \
        case LINK_ATTENTION_JOIN:                                                                                      \
          join_parts(P(float, 0), P(float, 1), I(2), I(3), i, u);                                                      \
          break;                                                                                                       \
        case LINK_RMS_NORM:                                                                                            \
          rms_norm_row(P(float, 0), P(float, 1), P(float, 2), I(3), F(4), I(5), I(6), I(7), i, tmp);                   \
          break;                                                                                                       \
        case LINK_ADD_RMS_NORM:                                                                                        \
          add_rms_norm_row(P(float, 0), P(float, 1), P(float, 2), P(float, 3), P(float, 4), I(5), F(6), tmp);          \
          break;                                                                                                       \
        case LINK_ADD:                                                                                                 \
          add_span(P(float, 0), P(float, 1), P(float, 2), a[3], I(4), i);                                              \
          break;                                                                                                       \
        case LINK_GATED_ACT:                                                                                           \
          gated_act_span(P(float, 0), P(float, 1), I(2), I(3), I(4), g0, g1);                                          \
          break;                                                                                                       \
        case LINK_EMBEDDING:                                                                                           \
          embed_row_##T(P(int, 0), P(T_##T, 1), P(float, 2), P(float, 3), I(4), I(5), I(6), i);                        \
          break;                                                                                                       \
        case LINK_ARGMAX_PARTS:                                                                                        \
          argmax_part(P(float, 0), P(float, 1), P(int, 2), I(3), I(4), g0, wide, g1, tmp, best);                       \
          break;                                                                                                       \
        case LINK_ARGMAX_JOIN:                                                                                         \
          argmax_of_parts(P(float, 0), P(int, 1), P(int, 2), I(3), i);                                                 \
          break;                                                                                                       \
      }                                                                                                                \
    }                                                                                                                  \
  }                                                                                                                    \
  /* A task: launch, groups [from, to), tasks that must be done before. */                                             \
  kernel void chain_##T##_##C(global char* base, const global long* launches, const global int4* tasks,                \
                              volatile global int* counters, int n_tasks) {                                            \
    local float tmp[kMaxGroup];                                                                                        \
    local float4 tmp4[kMaxGroup];                                                                                      \
    local int best[kMaxGroup];                                                                                         \
    local float u[kPairs];                                                                                             \
    local float v[kPairs];                                                                                             \
    for (int waited = 0; waited < kPatience;) {                                                                        \
      const int t = counters[kTaken];                                                                                  \
      if (t >= n_tasks) break;                                                                                         \
      const int4 task = tasks[t];                                                                                      \
      if (counters[kDone] < task.w) {                                                                                  \
        ++waited;                                                                                                      \
        BREATHE                                                                                                        \
        continue;                                                                                                      \
      }                                                                                                                \
      if (atomic_cmpxchg(counters + kTaken, t, t + 1) != t) continue;                                                  \
      waited = 0;                                                                                                      \
      DEVICE_FENCE                                                                                                     \
      link_##T##_##C(base, launches + kWords * (long)task.x, task.y, task.z, tmp, tmp4, best, u, v);                   \
      DEVICE_FENCE                                                                                                     \
      atomic_inc(counters + kDone);                                                                                    \
    }                                                                                                                  \
    DEVICE_FENCE                                                                                                       \
    if (atomic_inc(counters + kLeft) + 1 < (int)get_num_groups(0)) return;                                             \
    DEVICE_FENCE                                                                                                       \
    counters[kTaken] = counters[kDone] = counters[kLeft] = 0; /* for the next launch */                                \
  }
CHAIN(f32, f32)
CHAIN(f32, f16)
CHAIN(f32, bf16)
CHAIN(f16, f32)
CHAIN(f16, f16)
CHAIN(f16, bf16)
CHAIN(bf16, f32)
CHAIN(bf16, f16)
CHAIN(bf16, bf16)
CHAIN(i8, f32)
CHAIN(i8, f16)
CHAIN(i8, bf16)
