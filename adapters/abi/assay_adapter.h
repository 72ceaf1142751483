/* assay_adapter.h - the adapter ABI. C11, no C++ types, no exceptions, no enums as field types.
 *
 * Rules that every release keeps:
 *  - Append fields at the end of a struct; never reorder, retype or remove one within a major.
 *  - The caller fills struct_size of every struct it passes; the callee reads and writes only
 *    fields that lie wholly inside it.
 *  - A function pointer that is NULL, or beyond the table's struct_size, is "not supported".
 *  - Strings are UTF-8, NUL-terminated, owned by the adapter, valid until close().
 *  - Adapters never print, exit, abort, read the environment or loop for timing: they log, return
 *    and report through assay_host.
 *  - Functions of one context are called by one thread at a time unless marked "any thread".
 * What each op computes stands in op_spec.md; each minor's changes stand in CHANGELOG.md.
 */
#ifndef ASSAY_ADAPTER_H_
#define ASSAY_ADAPTER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define ASSAY_STATIC_ASSERT static_assert
#else
#define ASSAY_STATIC_ASSERT _Static_assert
#endif

#if defined(_WIN32)
#define ASSAY_EXPORT __declspec(dllexport)
#else
#define ASSAY_EXPORT __attribute__((visibility("default")))
#endif

#define ASSAY_ABI_MAJOR 1u
#define ASSAY_ABI_MINOR 4u

/* True if `field` of table `t` is inside what the other side was built with, and is set. */
#define ASSAY_HAS(t, type, field) \
  ((t) != NULL && (t)->struct_size >= offsetof(type, field) + sizeof((t)->field) && (t)->field != NULL)

/* ---- status ------------------------------------------------------------------------------- */
typedef int32_t assay_status;
enum {
  ASSAY_OK = 0,
  ASSAY_INVALID_ARGUMENT = 1,
  ASSAY_UNSUPPORTED = 2,
  ASSAY_OUT_OF_MEMORY = 3,
  ASSAY_DEVICE_LOST = 4,
  ASSAY_TIMEOUT = 5,
  ASSAY_CANCELLED = 6,
  ASSAY_INTERNAL = 7
};

/* ---- what the harness gives the adapter ---------------------------------------------------- */
enum { ASSAY_LOG_DEBUG = 0, ASSAY_LOG_INFO, ASSAY_LOG_WARNING, ASSAY_LOG_ERROR };
typedef struct assay_host {
  uint32_t struct_size, abi_minor;
  void* ctx;
  void (*log)(void* ctx, int32_t level, const char* text); /* any thread */
  uint64_t (*now_ns)(void* ctx);                           /* any thread; the run's one host clock */
  const char* (*option)(void* ctx, const char* key);       /* NULL if the user did not set it */
} assay_host;

/* ---- core table: mandatory ----------------------------------------------------------------- */
typedef struct assay_ctx assay_ctx;

/* How this device's numbers come to be; copied into every record, set nowhere else. */
enum { ASSAY_BASIS_MEASURED = 0, ASSAY_BASIS_SIMULATED = 1, ASSAY_BASIS_PROJECTED = 2 };
/* How far this adapter has been proven on this kind of device. */
enum {
  ASSAY_SUPPORT_PLANNED = 0,
  ASSAY_SUPPORT_CHECKED_AGAINST_API = 1,
  ASSAY_SUPPORT_VERIFIED_ON_CPU = 2,
  ASSAY_SUPPORT_VERIFIED_ON_HARDWARE = 3
};

typedef struct assay_device_info {
  uint32_t struct_size, index;
  const char *product, *arch, *serial, *driver, *firmware, *bus_id; /* "" where unknown */
  uint64_t memory_bytes;                                            /* total */
  uint64_t memory_bandwidth_bytes_per_s;                            /* datasheet, 0 = unknown */
  uint64_t dtypes;                                                  /* bit per assay_dtype */
  double board_power_limit_w;                                       /* 0 = unknown */
  uint32_t basis, support;                                          /* ASSAY_BASIS_*, ASSAY_SUPPORT_* */
  uint64_t memory_free_bytes;                                       /* now; 0 = unknown */
  uint64_t cache_bytes;                                             /* largest cache, 0 = unknown */
  /* (since 1.2) Set-up and health now, lines "name: value", "" = unknown; CHANGELOG.md has the names that the harness
   * acts on. Asked for before and after a run, never while steps are timed. */
  const char* state;
} assay_device_info;

typedef struct assay_adapter {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  const char *name, *vendor, *version, *build_json; /* build_json: SDK, compiler, libraries */
  assay_status (*open)(const assay_host* host, assay_ctx** out);
  void (*close)(assay_ctx*);
  assay_status (*device_count)(assay_ctx*, uint32_t* out);
  assay_status (*device_info)(assay_ctx*, uint32_t device, assay_device_info* out);
  const void* (*table)(assay_ctx*, const char* id); /* "program/1" ...; NULL = not provided */
  const char* (*last_error)(assay_ctx*);            /* of the calling thread; ctx may be NULL after a failed open */
} assay_adapter;

/* The one exported symbol. Returns NULL if it cannot serve that major. */
ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major);

/* ---- program/1: one step of a model, as a closed list of ops ------------------------------- */
typedef uint32_t assay_dtype;
enum {
  ASSAY_F32 = 0,
  ASSAY_F16,
  ASSAY_BF16,
  ASSAY_F8E4M3,
  ASSAY_F8E5M2,
  ASSAY_I8,
  ASSAY_I4,
  ASSAY_F4E2M1,
  ASSAY_I32,
  ASSAY_I64
};
/* INPUT: written by the host before a step. WEIGHT: written once. STATE: kept between steps.
 * OUTPUT: readable after a step. SCRATCH: may be fused away; never read or written by the host. */
enum { ASSAY_ROLE_INPUT = 0, ASSAY_ROLE_WEIGHT, ASSAY_ROLE_STATE, ASSAY_ROLE_OUTPUT, ASSAY_ROLE_SCRATCH };

typedef struct assay_tensor {
  uint32_t struct_size, dtype, role, rank;
  int64_t dim[6];      /* dense, row-major, as the host sees it; the device layout is the adapter's */
  int32_t scale;       /* index of the F32 tensor holding quantisation scales, -1 = none */
  int32_t scale_block; /* elements per scale along the last axis (scales: [..., last/scale_block]) */
} assay_tensor;

/* Op kinds. Append only; op_spec.md gives inputs, outputs, attributes and the formula of each. */
enum {
  ASSAY_OP_MATMUL = 1,
  ASSAY_OP_ATTENTION = 2,
  ASSAY_OP_KV_APPEND = 3,
  ASSAY_OP_RMS_NORM = 4,
  ASSAY_OP_ROPE = 5,
  ASSAY_OP_GATED_ACT = 6,
  ASSAY_OP_ADD = 7,
  ASSAY_OP_EMBEDDING = 8,
  ASSAY_OP_ARGMAX = 9,
  ASSAY_OP_QUANTIZE = 10,
  /* since 1.1 */
  ASSAY_OP_GROUPED_MATMUL = 11,
  ASSAY_OP_ROUTER_TOPK = 12,
  ASSAY_OP_MOE_DISPATCH = 13,
  ASSAY_OP_MOE_COMBINE = 14,
  ASSAY_OP_LAYER_NORM_MODULATE = 15,
  ASSAY_OP_ACTIVATION = 16,
  ASSAY_OP_PATCHIFY3D = 17,
  ASSAY_OP_CONV3D = 18,
  ASSAY_OP_GROUP_NORM = 19,
  ASSAY_OP_HEAD_MATMUL = 20,
  ASSAY_OP_KV_EXPAND = 21,
  ASSAY_OP_INDEX_TOPK = 22
};

/* Attribute positions per op; op_spec.md explains each. */
enum {
  ASSAY_ATTENTION_BATCH = 0,
  ASSAY_ATTENTION_HEADS,
  ASSAY_ATTENTION_KV_HEADS,
  ASSAY_ATTENTION_DIM_QK,
  ASSAY_ATTENTION_DIM_V,
  ASSAY_ATTENTION_SCALE,
  ASSAY_ATTENTION_MASK,
  ASSAY_ATTENTION_WINDOW,
  ASSAY_ATTENTION_Q_COL,
  ASSAY_ATTENTION_N_ATTR,
  ASSAY_ATTENTION_DIM_ROPE = ASSAY_ATTENTION_N_ATTR, /* (optional, since 1.1) */
  ASSAY_ATTENTION_KV_COL_K,                          /* (optional, since 1.1) */
  ASSAY_ATTENTION_KV_COL_V,                          /* (optional, since 1.1) */
  ASSAY_ATTENTION_N_ATTR_1_1
};
enum { ASSAY_MASK_FULL = 0, ASSAY_MASK_CAUSAL = 1, ASSAY_MASK_WINDOW = 2, ASSAY_MASK_CROSS = 3 };
enum {
  ASSAY_KV_APPEND_BATCH = 0,
  ASSAY_KV_APPEND_KV_HEADS,
  ASSAY_KV_APPEND_DIM_K,
  ASSAY_KV_APPEND_DIM_V,
  ASSAY_KV_APPEND_K_COL,
  ASSAY_KV_APPEND_V_COL,
  ASSAY_KV_APPEND_N_ATTR
};
enum { ASSAY_RMS_NORM_EPS = 0, ASSAY_RMS_NORM_GROUP, ASSAY_RMS_NORM_COL, ASSAY_RMS_NORM_COLS, ASSAY_RMS_NORM_N_ATTR };
enum {
  ASSAY_ROPE_BATCH = 0,
  ASSAY_ROPE_HEAD_DIM,
  ASSAY_ROPE_ROTARY_DIM,
  ASSAY_ROPE_THETA,
  ASSAY_ROPE_INTERLEAVED,
  ASSAY_ROPE_COL,
  ASSAY_ROPE_COLS,
  ASSAY_ROPE_SCALING_FACTOR,
  ASSAY_ROPE_SCALING_LOW,
  ASSAY_ROPE_SCALING_HIGH,
  ASSAY_ROPE_SCALING_ORIGINAL,
  ASSAY_ROPE_N_ATTR,
  ASSAY_ROPE_ROTARY_COL = ASSAY_ROPE_N_ATTR, /* (optional, since 1.1) */
  ASSAY_ROPE_GRID_H,                         /* (optional, since 1.1) */
  ASSAY_ROPE_GRID_W,                         /* (optional, since 1.1) */
  ASSAY_ROPE_GRID_DIM_T,                     /* (optional, since 1.1) */
  ASSAY_ROPE_GRID_DIM_H,                     /* (optional, since 1.1) */
  ASSAY_ROPE_TEXT_ROWS,                      /* (optional, since 1.1) */
  ASSAY_ROPE_N_ATTR_1_1
};
enum { ASSAY_GATED_ACT_FUNCTION = 0, ASSAY_GATED_ACT_N_ATTR };
enum { ASSAY_ACT_SILU = 0, ASSAY_ACT_GELU_TANH = 1, ASSAY_ACT_GELU_ERF = 2 };

/* since 1.1 */
enum { ASSAY_ADD_BATCH = 0, ASSAY_ADD_GATE_COL, ASSAY_ADD_N_ATTR_1_1 };
enum {
  ASSAY_ROUTER_TOPK_K = 0,
  ASSAY_ROUTER_TOPK_FUNCTION,
  ASSAY_ROUTER_TOPK_NORMALISE,
  ASSAY_ROUTER_TOPK_FACTOR,
  ASSAY_ROUTER_TOPK_GROUPS,
  ASSAY_ROUTER_TOPK_TOP_GROUPS,
  ASSAY_ROUTER_TOPK_N_ATTR
};
enum { ASSAY_ROUTER_SOFTMAX = 0, ASSAY_ROUTER_SIGMOID = 1, ASSAY_ROUTER_SOFTMAX_OF_TOPK = 2 };
enum { ASSAY_MOE_DISPATCH_EXPERTS = 0, ASSAY_MOE_DISPATCH_N_ATTR };
enum {
  ASSAY_LAYER_NORM_MODULATE_BATCH = 0,
  ASSAY_LAYER_NORM_MODULATE_EPS,
  ASSAY_LAYER_NORM_MODULATE_SHIFT_COL,
  ASSAY_LAYER_NORM_MODULATE_SCALE_COL,
  ASSAY_LAYER_NORM_MODULATE_N_ATTR
};
enum { ASSAY_ACTIVATION_FUNCTION = 0, ASSAY_ACTIVATION_N_ATTR };
enum {
  ASSAY_PATCHIFY3D_T = 0, /* patch sizes */
  ASSAY_PATCHIFY3D_H,
  ASSAY_PATCHIFY3D_W,
  ASSAY_PATCHIFY3D_INVERSE,
  ASSAY_PATCHIFY3D_N_ATTR
};
enum {
  ASSAY_CONV3D_KERNEL_T = 0,
  ASSAY_CONV3D_KERNEL_H,
  ASSAY_CONV3D_KERNEL_W,
  ASSAY_CONV3D_UP_T,
  ASSAY_CONV3D_UP_H,
  ASSAY_CONV3D_UP_W,
  ASSAY_CONV3D_N_ATTR
};
enum { ASSAY_GROUP_NORM_EPS = 0, ASSAY_GROUP_NORM_GROUPS, ASSAY_GROUP_NORM_N_ATTR };
enum {
  ASSAY_HEAD_MATMUL_HEADS = 0,
  ASSAY_HEAD_MATMUL_COL,
  ASSAY_HEAD_MATMUL_STRIDE,
  ASSAY_HEAD_MATMUL_PASS,
  ASSAY_HEAD_MATMUL_N_ATTR
};
enum { ASSAY_KV_EXPAND_TOKENS = 0, ASSAY_KV_EXPAND_HEADS, ASSAY_KV_EXPAND_COL, ASSAY_KV_EXPAND_N_ATTR };
enum {
  ASSAY_INDEX_TOPK_BATCH = 0,
  ASSAY_INDEX_TOPK_HEADS,
  ASSAY_INDEX_TOPK_DIM,
  ASSAY_INDEX_TOPK_Q_COL,
  ASSAY_INDEX_TOPK_SCALE,
  ASSAY_INDEX_TOPK_N_ATTR
};

/* (since 1.4) Where the optional page table stands among an op's inputs: int32 [batch, pages per sequence], INPUT. With
 * it the op's caches are [pages, tokens per page, kv_heads, dim], and a sequence's pages lie anywhere in them
 * (op_spec.md, "Pages"). No attribute changes; without it nothing does. */
enum { ASSAY_ATTENTION_IN_PAGES = 5, ASSAY_KV_APPEND_IN_PAGES = 3 };

typedef struct assay_op {
  uint32_t struct_size, kind;
  const uint32_t *in, *out; /* tensor indices; meaning per kind is fixed by the op spec */
  uint32_t n_in, n_out, n_attr;
  uint32_t scalar_slot; /* index into assay_run_args.scalars; ASSAY_NO_SCALAR = none */
  const double* attr;   /* positional, fixed by the op spec */
} assay_op;
#define ASSAY_NO_SCALAR 0xffffffffu

typedef struct assay_program_desc {
  uint32_t struct_size, device, n_tensors, n_ops, n_scalars, flags;
  const assay_tensor* tensors;
  const assay_op* ops;    /* topological order */
  const char* accumulate; /* "f32": minimum accumulation precision */
} assay_program_desc;

typedef struct assay_run_args {
  uint32_t struct_size, repeat; /* repeat > 1: back-to-back steps, one completion */
  const int64_t* scalars;       /* n_scalars values, e.g. tokens already in the KV cache */
} assay_run_args;

enum { ASSAY_CLOCK_NONE = 0, ASSAY_CLOCK_DEVICE_EVENT, ASSAY_CLOCK_DEVICE_TIMESTAMP };
typedef struct assay_run_result {
  uint32_t struct_size, device_clock; /* what device_ns was taken with */
  uint64_t device_ns;                 /* of all repeats; valid unless device_clock is ASSAY_CLOCK_NONE */
  uint64_t device_clock_step_ns;
} assay_run_result;

typedef struct assay_program_info {
  uint32_t struct_size, n_launches; /* device launches a step costs after fusion */
  uint64_t device_bytes;            /* allocated for this program */
  const char* lowering;             /* "library", "graph", "compiled:stablehlo" ... */
  const char* executed;             /* what really ran where it differs from the graph, "" = as asked */
} assay_program_info;

typedef struct assay_program assay_program;
typedef struct assay_run assay_run;
typedef struct assay_program_table {
  uint32_t struct_size, flags;
  /* OK, or UNSUPPORTED with the reason in why (always NUL-terminated when why_cap > 0). */
  assay_status (*supports)(assay_ctx*, const assay_program_desc*, char* why, size_t why_cap);
  assay_status (*prepare)(assay_ctx*, const assay_program_desc*, assay_program** out);
  /* Bytes [offset, offset + bytes) of the tensor's dense row-major image. */
  assay_status (*write)(assay_program*, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes);
  assay_status (*read)(assay_program*, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes);
  assay_status (*submit)(assay_program*, const assay_run_args*, assay_run** out);
  assay_status (*wait)(assay_run*, assay_run_result* out); /* also frees the run */
  void (*destroy)(assay_program*);
  assay_status (*info)(assay_program*, assay_program_info* out); /* (optional) */
  assay_status (*flush_caches)(assay_program*);                  /* (optional) cold runs */
} assay_program_table;

/* ---- request/1: whole requests to an engine, local or remote ------------------------------- */
typedef struct assay_engine_desc {
  uint32_t struct_size, n_devices;
  const uint32_t* devices;
  const char *model, *precision, *config_json; /* remote: endpoint lives in config_json */
} assay_engine_desc;

typedef struct assay_request {
  uint32_t struct_size, kind; /* 0 text, 1 video */
  uint64_t id, seed;
  const int32_t* prompt_tokens;
  uint32_t n_prompt, max_new_tokens;
  const char* params_json;
} assay_request;

typedef struct assay_usage {
  uint32_t struct_size, estimated; /* 1: counts are not from the engine */
  uint64_t prompt_tokens, cached_tokens, output_tokens;
} assay_usage;

typedef struct assay_sink { /* any thread; bounded; harness stamps time */
  uint32_t struct_size, reserved;
  void* ctx;
  void (*on_output)(void* ctx, uint64_t id, uint32_t n_units);
  void (*on_done)(void* ctx, uint64_t id, assay_status, const assay_usage*);
} assay_sink;

typedef struct assay_engine assay_engine;
typedef struct assay_request_table {
  uint32_t struct_size, flags;
  assay_status (*load)(assay_ctx*, const assay_engine_desc*, const assay_sink*, assay_engine** out);
  assay_status (*submit)(assay_engine*, const assay_request*); /* must not wait for the answer */
  assay_status (*drain)(assay_engine*, uint64_t timeout_ns);
  void (*unload)(assay_engine*); /* ends what is under way, CANCELLED; nothing is called behind it */
  assay_status (*cancel)(assay_engine*, uint64_t id); /* (optional) */
} assay_request_table;

/* ---- telemetry/1 --------------------------------------------------------------------------- */
enum {
  ASSAY_T_POWER = 1u << 0,
  ASSAY_T_ENERGY = 1u << 1,
  ASSAY_T_TEMP = 1u << 2,
  ASSAY_T_CORE_MHZ = 1u << 3,
  ASSAY_T_MEM_MHZ = 1u << 4,
  ASSAY_T_MEM_USED = 1u << 5,
  ASSAY_T_UTIL = 1u << 6,
  ASSAY_T_THROTTLE = 1u << 7
};
enum { ASSAY_SCOPE_CHIP = 0, ASSAY_SCOPE_BOARD, ASSAY_SCOPE_NODE };
/* Why clocks are held down, since 1.2 (before: the vendor's own bits): power cap, heat, a protection of the hardware,
 * a setting. */
enum {
  ASSAY_THROTTLE_POWER = 1u << 0,
  ASSAY_THROTTLE_THERMAL = 1u << 1,
  ASSAY_THROTTLE_HARDWARE = 1u << 2,
  ASSAY_THROTTLE_SETTING = 1u << 3
};
typedef struct assay_telemetry {
  uint32_t struct_size, valid, estimated, scope; /* valid, estimated: ASSAY_T_* masks */
  uint64_t t_ns, window_ns;                      /* window_ns: averaging window, 0 = instant */
  double power_w, energy_j, temp_c, core_mhz, mem_mhz, mem_used_bytes, util;
  uint64_t throttle; /* ASSAY_THROTTLE_* */
} assay_telemetry;
typedef struct assay_telemetry_table {
  uint32_t struct_size, flags;
  assay_status (*read)(assay_ctx*, uint32_t device, assay_telemetry* out); /* any thread */
} assay_telemetry_table;

/* ---- trace/1: activity records (CUPTI, msprof, CNPAPI, roctracer, Level Zero tracing) ------- */
enum {
  ASSAY_ACTIVITY_KERNEL = 0,
  ASSAY_ACTIVITY_COPY = 1,
  ASSAY_ACTIVITY_FILL = 2,
  ASSAY_ACTIVITY_SYNC = 3,
  ASSAY_ACTIVITY_COMM = 4
};
/* The correlation of an activity that belongs to no op (since 1.3: hosts before it refuse one). */
#define ASSAY_NO_OP 0xffffffffffffffffu
typedef struct assay_activity {
  uint32_t struct_size, kind, device, queue;     /* kind: ASSAY_ACTIVITY_* */
  uint64_t begin_ns, end_ns, bytes, correlation; /* host clock, after calibration; the op's index in its program */
  const char* name;
} assay_activity;
/* (since 1.3) One hardware counter of one op in one run of the step, under the vendor's name. */
typedef struct assay_op_counter {
  uint32_t struct_size, flags;
  uint64_t correlation; /* the op's index in its program */
  double value;
  const char *name, *unit; /* unit: "byte", "percent", "" */
} assay_op_counter;
typedef struct assay_trace_table {
  uint32_t struct_size, flags;
  assay_status (*start)(assay_ctx*, uint32_t device);
  assay_status (*stop)(assay_ctx*, uint32_t device, uint64_t* dropped);
  assay_status (*drain)(assay_ctx*, void (*emit)(void*, const assay_activity*), void* arg);
  /* (since 1.3, optional) Runs the step as often as its counters need, in whatever way they can be had, with no run in
   * flight, and tells the counters of the `n_ops` ops. UNSUPPORTED with the reason in last_error where there are none.
   */
  assay_status (*count)(assay_program*, const assay_run_args*, const uint64_t* ops, uint64_t n_ops,
                        void (*emit)(void*, const assay_op_counter*), void* arg);
} assay_trace_table;

/* ---- clock/1 (since 1.1): the time of a device that does not run in real time ---------------- */
/* Only where every device's basis is ASSAY_BASIS_SIMULATED. The harness then takes the times of steps from it instead
 * of from its own clock. Never goes back. */
typedef struct assay_clock_table {
  uint32_t struct_size, flags;
  uint64_t (*now_ns)(assay_ctx*); /* any thread */
} assay_clock_table;

/* ---- layout pins: LP64; tests/abi/layout.golden holds the offset of every field ------------- */
ASSAY_STATIC_ASSERT(sizeof(void*) == 8, "64-bit only");
ASSAY_STATIC_ASSERT(sizeof(assay_adapter) == 88, "assay_adapter changed: append only");
ASSAY_STATIC_ASSERT(sizeof(assay_program_table) == 80, "assay_program_table changed: append only");
ASSAY_STATIC_ASSERT(sizeof(assay_request_table) == 48, "assay_request_table changed: append only");

#ifdef __cplusplus
}
#endif
#endif /* ASSAY_ADAPTER_H_ */
