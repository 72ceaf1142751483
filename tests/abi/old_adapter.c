/* An adapter as if built against an older minor: every table and struct ends before its newest fields, and memory ends
 * there too, so that a sanitizer sees a host that reads or a library that writes beyond. Adds two F32 tensors. */
#include <stdlib.h>
#include <string.h>

#include "adapters/abi/assay_adapter.h"

/* The core table without last_error. */
typedef struct old_core {
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  const char *name, *vendor, *version, *build_json;
  assay_status (*open)(const assay_host* host, assay_ctx** out);
  void (*close)(assay_ctx*);
  assay_status (*device_count)(assay_ctx*, uint32_t* out);
  assay_status (*device_info)(assay_ctx*, uint32_t device, assay_device_info* out);
  const void* (*table)(assay_ctx*, const char* id);
} old_core;
_Static_assert(sizeof(old_core) == offsetof(assay_adapter, last_error), "the newer table begins with the older one");

/* The program table without its optional entries info and flush_caches. */
typedef struct old_program_table {
  uint32_t struct_size, flags;
  assay_status (*supports)(assay_ctx*, const assay_program_desc*, char* why, size_t why_cap);
  assay_status (*prepare)(assay_ctx*, const assay_program_desc*, assay_program** out);
  assay_status (*write)(assay_program*, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes);
  assay_status (*read)(assay_program*, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes);
  assay_status (*submit)(assay_program*, const assay_run_args*, assay_run** out);
  assay_status (*wait)(assay_run*, assay_run_result* out);
  void (*destroy)(assay_program*);
} old_program_table;
_Static_assert(sizeof(old_program_table) == offsetof(assay_program_table, info), "as above");

struct assay_program {
  uint64_t elements;
  uint32_t a, b, y, n_tensors;
  uint32_t repeat;
  float** data;
};

static assay_status open_adapter(const assay_host* host, assay_ctx** out) {
  static int context;
  (void)host;
  *out = (assay_ctx*)&context;
  return ASSAY_OK;
}
static void close_adapter(assay_ctx* ctx) { (void)ctx; }

static assay_status device_count(assay_ctx* ctx, uint32_t* out) {
  (void)ctx;
  *out = 1;
  return ASSAY_OK;
}

/* Knows nothing of memory_free_bytes and cache_bytes; leaves struct_size as the caller set it. */
static assay_status device_info(assay_ctx* ctx, uint32_t device, assay_device_info* out) {
  (void)ctx;
  if (device != 0) return ASSAY_INVALID_ARGUMENT;
  out->index = 0;
  out->product = "adder";
  out->arch = out->serial = out->driver = out->firmware = out->bus_id = "";
  out->memory_bytes = UINT64_C(1) << 30;
  out->memory_bandwidth_bytes_per_s = 0;
  out->dtypes = UINT64_C(1) << ASSAY_F32;
  out->board_power_limit_w = 0;
  out->basis = ASSAY_BASIS_SIMULATED;
  out->support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
  return ASSAY_OK;
}

static assay_status supports(assay_ctx* ctx, const assay_program_desc* graph, char* why, size_t why_cap) {
  (void)ctx;
  if (graph->n_ops == 1 && graph->ops[0].kind == ASSAY_OP_ADD && graph->ops[0].n_in == 2 &&
      graph->tensors[graph->ops[0].in[0]].dtype == ASSAY_F32) {
    return ASSAY_OK;
  }
  if (why_cap > 0) {
    why[0] = '\0';
    strncat(why, "only one ADD of F32 tensors", why_cap - 1);
  }
  return ASSAY_UNSUPPORTED;
}

static uint64_t elements_of(const assay_tensor* tensor) {
  uint64_t n = 1;
  for (uint32_t i = 0; i < tensor->rank; ++i) n *= (uint64_t)tensor->dim[i];
  return n;
}

static void destroy(assay_program* p) {
  for (uint32_t t = 0; t < p->n_tensors; ++t) free(p->data[t]);
  free(p->data);
  free(p);
}

static assay_status prepare(assay_ctx* ctx, const assay_program_desc* graph, assay_program** out) {
  if (supports(ctx, graph, NULL, 0) != ASSAY_OK) return ASSAY_UNSUPPORTED;
  assay_program* p = calloc(1, sizeof(*p));
  if (p == NULL) return ASSAY_OUT_OF_MEMORY;
  p->a = graph->ops[0].in[0];
  p->b = graph->ops[0].in[1];
  p->y = graph->ops[0].out[0];
  p->elements = elements_of(&graph->tensors[p->y]);
  p->data = calloc(graph->n_tensors, sizeof(*p->data));
  if (p->data != NULL) p->n_tensors = graph->n_tensors;
  for (uint32_t t = 0; t < p->n_tensors; ++t) {
    p->data[t] = calloc(elements_of(&graph->tensors[t]), sizeof(float));
    if (p->data[t] == NULL) p->elements = 0;
  }
  if (p->n_tensors == 0 || p->elements == 0) {
    destroy(p);
    return ASSAY_OUT_OF_MEMORY;
  }
  *out = p;
  return ASSAY_OK;
}

static assay_status write_tensor(assay_program* p, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  if (tensor >= p->n_tensors || offset + bytes > p->elements * sizeof(float)) return ASSAY_INVALID_ARGUMENT;
  memcpy((char*)p->data[tensor] + offset, src, bytes);
  return ASSAY_OK;
}

static assay_status read_tensor(assay_program* p, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  if (tensor >= p->n_tensors || offset + bytes > p->elements * sizeof(float)) return ASSAY_INVALID_ARGUMENT;
  memcpy(dst, (const char*)p->data[tensor] + offset, bytes);
  return ASSAY_OK;
}

static assay_status submit(assay_program* p, const assay_run_args* args, assay_run** out) {
  p->repeat = args->repeat;
  *out = (assay_run*)p;
  return ASSAY_OK;
}

static assay_status wait_run(assay_run* run, assay_run_result* out) {
  assay_program* p = (assay_program*)run;
  const float *a = p->data[p->a], *b = p->data[p->b];
  volatile float* y = p->data[p->y]; /* volatile: a repeat does the work again */
  for (uint32_t r = 0; r < p->repeat; ++r) {
    for (uint64_t i = 0; i < p->elements; ++i) y[i] = a[i] + b[i];
  }
  out->device_clock = ASSAY_CLOCK_NONE;
  return ASSAY_OK;
}

static const void* table(assay_ctx* ctx, const char* id) {
  static const old_program_table kProgram = {
      sizeof(old_program_table), 0, supports, prepare, write_tensor, read_tensor, submit, wait_run, destroy};
  (void)ctx;
  return strcmp(id, "program/1") == 0 ? &kProgram : NULL;
}

ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) {
  static const old_core kCore = {
      sizeof(old_core), 1,           0,    "old", "Assay tests", "0.1", "{}", open_adapter, close_adapter,
      device_count,     device_info, table};
  return host_abi_major == 1 ? (const assay_adapter*)&kCore : NULL;
}
