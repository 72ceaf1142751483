/* An adapter in plain C: the sum of two F32 tensors, and an honest "no" to everything else. */
#include <stdlib.h>
#include <string.h>

#include <adapters/abi/assay_adapter.h>

struct assay_ctx {
  int opened;
};

struct assay_program {
  uint64_t elements;
  uint32_t a, b, y, repeat;
  float* data[3];
};

static _Thread_local const char* error_text = "";

static assay_status refuse(assay_status status, const char* why) {
  error_text = why;
  return status;
}

static assay_status open_adapter(const assay_host* host, assay_ctx** out) {
  assay_ctx* ctx = calloc(1, sizeof(*ctx));
  if (ctx == NULL) return ASSAY_OUT_OF_MEMORY;
  ctx->opened = 1;
  if (ASSAY_HAS(host, assay_host, log)) host->log(host->ctx, ASSAY_LOG_DEBUG, "acme: opened");
  *out = ctx;
  return ASSAY_OK;
}
static void close_adapter(assay_ctx* ctx) { free(ctx); }

static assay_status device_count(assay_ctx* ctx, uint32_t* out) {
  (void)ctx;
  if (out == NULL) return refuse(ASSAY_INVALID_ARGUMENT, "out is NULL");
  *out = 1;
  return ASSAY_OK;
}

static assay_status device_info(assay_ctx* ctx, uint32_t device, assay_device_info* out) {
  assay_device_info info = {0};
  uint32_t size;
  (void)ctx;
  if (out == NULL) return refuse(ASSAY_INVALID_ARGUMENT, "out is NULL");
  if (device != 0) return refuse(ASSAY_INVALID_ARGUMENT, "there is one device");
  size = out->struct_size;
  info.struct_size = size;
  info.product = "Acme Adder";
  info.arch = info.serial = info.driver = info.firmware = info.bus_id = "";
  info.memory_bytes = info.memory_free_bytes = UINT64_C(1) << 30;
  info.dtypes = UINT64_C(1) << ASSAY_F32;
  info.basis = ASSAY_BASIS_SIMULATED;
  info.support = ASSAY_SUPPORT_CHECKED_AGAINST_API;
  memcpy(out, &info, size < sizeof(info) ? size : sizeof(info));
  return ASSAY_OK;
}

/* Elements of a tensor that acme can hold; 0: not one. */
static uint64_t elements_of(const assay_tensor* t) {
  uint64_t n = 1;
  if (t->dtype != ASSAY_F32 || t->scale >= 0 || t->rank < 1 || t->rank > 6) return 0;
  for (uint32_t i = 0; i < t->rank; ++i) {
    if (t->dim[i] < 1 || (uint64_t)t->dim[i] > (UINT64_C(1) << 56) / n) return 0;
    n *= (uint64_t)t->dim[i];
  }
  return n;
}

/* NULL, or why this graph is not the sum of two tensors. */
static const char* why_not(const assay_program_desc* graph) {
  static const char kWhy[] = "acme adds two F32 tensors and does nothing else";
  const assay_op* op;
  uint64_t n;
  if (graph->device != 0) return "there is one device";
  if (graph->tensors == NULL || graph->ops == NULL) return "tensors or ops are NULL";
  if (graph->n_tensors != 3 || graph->n_ops != 1) return kWhy;
  op = &graph->ops[0];
  if (op->kind != ASSAY_OP_ADD || op->n_in != 2 || op->n_out != 1) return kWhy;
  if (op->in[0] > 2 || op->in[1] > 2 || op->out[0] > 2) return "a tensor that the program does not have";
  n = elements_of(&graph->tensors[op->out[0]]);
  for (int i = 0; i < 2; ++i) {
    const assay_tensor *x = &graph->tensors[op->in[i]], *y = &graph->tensors[op->out[0]];
    if (n == 0 || elements_of(x) != n || x->rank != y->rank) return "shapes or dtypes that acme can't add";
    if (memcmp(x->dim, y->dim, x->rank * sizeof(x->dim[0])) != 0) return "a, b and y differ in shape";
  }
  return NULL;
}

static assay_status supports(assay_ctx* ctx, const assay_program_desc* graph, char* why, size_t why_cap) {
  const char* reason = graph == NULL ? "graph is NULL" : why_not(graph);
  (void)ctx;
  if (reason == NULL) return ASSAY_OK;
  if (why != NULL && why_cap > 0) {
    const size_t n = strlen(reason) < why_cap ? strlen(reason) : why_cap - 1;
    memcpy(why, reason, n);
    why[n] = '\0';
  }
  return refuse(graph == NULL ? ASSAY_INVALID_ARGUMENT : ASSAY_UNSUPPORTED, reason);
}

static void destroy(assay_program* p) {
  for (int t = 0; t < 3; ++t) free(p->data[t]);
  free(p);
}

static assay_status prepare(assay_ctx* ctx, const assay_program_desc* graph, assay_program** out) {
  const assay_status status = supports(ctx, graph, NULL, 0);
  assay_program* p;
  if (status != ASSAY_OK) return status;
  if (out == NULL) return refuse(ASSAY_INVALID_ARGUMENT, "out is NULL");
  p = calloc(1, sizeof(*p));
  if (p == NULL) return refuse(ASSAY_OUT_OF_MEMORY, "out of memory");
  p->a = graph->ops[0].in[0];
  p->b = graph->ops[0].in[1];
  p->y = graph->ops[0].out[0];
  p->elements = elements_of(&graph->tensors[p->y]);
  for (int t = 0; t < 3; ++t) {
    p->data[t] = calloc(p->elements, sizeof(float));
    if (p->data[t] == NULL) {
      destroy(p);
      return refuse(ASSAY_OUT_OF_MEMORY, "out of memory");
    }
  }
  *out = p;
  return ASSAY_OK;
}

static float* place(assay_program* p, uint32_t tensor, uint64_t offset, const void* host, uint64_t bytes) {
  error_text = "outside the tensor, or a NULL";
  if (p == NULL || host == NULL) return NULL;
  if (tensor < 3 && offset % sizeof(float) == 0 && offset <= p->elements * sizeof(float) &&
      bytes <= p->elements * sizeof(float) - offset) {
    return p->data[tensor] + offset / sizeof(float);
  }
  return NULL;
}

static assay_status write_tensor(assay_program* p, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  float* at = place(p, tensor, offset, src, bytes);
  if (at == NULL) return ASSAY_INVALID_ARGUMENT;
  memcpy(at, src, bytes);
  return ASSAY_OK;
}

static assay_status read_tensor(assay_program* p, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  const float* at = place(p, tensor, offset, dst, bytes);
  if (at == NULL) return ASSAY_INVALID_ARGUMENT;
  memcpy(dst, at, bytes);
  return ASSAY_OK;
}

static assay_status submit(assay_program* p, const assay_run_args* args, assay_run** out) {
  if (p == NULL || args == NULL || out == NULL) {
    return refuse(ASSAY_INVALID_ARGUMENT, "an argument of submit is NULL");
  }
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

static const char* last_error(assay_ctx* ctx) {
  (void)ctx;
  return error_text;
}

static const void* table(assay_ctx* ctx, const char* id) {
  static const assay_program_table kProgram = {sizeof(assay_program_table),
                                               0,
                                               supports,
                                               prepare,
                                               write_tensor,
                                               read_tensor,
                                               submit,
                                               wait_run,
                                               destroy,
                                               NULL,
                                               NULL};
  (void)ctx;
  return strcmp(id, "program/1") == 0 ? &kProgram : NULL;
}

ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) {
  static const assay_adapter kCore = {
      sizeof(assay_adapter), ASSAY_ABI_MAJOR, ASSAY_ABI_MINOR, "acme",      "Acme", "3.2.1",   "{}",
      open_adapter,          close_adapter,   device_count,    device_info, table,  last_error};
  return host_abi_major == ASSAY_ABI_MAJOR ? &kCore : NULL;
}
