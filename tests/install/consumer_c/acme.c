/* An adapter in plain C: the sum of two F32 tensors, and an honest "no" to everything else. */
#include <stdlib.h>
#include <string.h>

#include <adapters/abi/assay_adapter.h>

struct assay_ctx {
  const char* error;
};

struct assay_program {
  assay_ctx* ctx;
  uint64_t elements;
  uint32_t a, b, y, repeat;
  float* data[3];
};

static const char* last_error(assay_ctx* ctx) { return ctx == NULL ? "" : ctx->error; }

static assay_status open_adapter(const assay_host* host, assay_ctx** out) {
  assay_ctx* ctx = calloc(1, sizeof(*ctx));
  if (ctx == NULL) return ASSAY_OUT_OF_MEMORY;
  ctx->error = "";
  if (ASSAY_HAS(host, assay_host, log)) host->log(host->ctx, ASSAY_LOG_DEBUG, "acme: opened");
  *out = ctx;
  return ASSAY_OK;
}
static void close_adapter(assay_ctx* ctx) { free(ctx); }

static assay_status device_count(assay_ctx* ctx, uint32_t* out) {
  (void)ctx;
  *out = 1;
  return ASSAY_OK;
}

static assay_status device_info(assay_ctx* ctx, uint32_t device, assay_device_info* out) {
  assay_device_info info = {0};
  const uint32_t size = out->struct_size;
  if (device != 0) {
    ctx->error = "there is one device";
    return ASSAY_INVALID_ARGUMENT;
  }
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

static assay_status supports(assay_ctx* ctx, const assay_program_desc* graph, char* why, size_t why_cap) {
  static const char kWhy[] = "acme adds two F32 tensors and does nothing else";
  (void)ctx;
  if (graph->n_tensors == 3 && graph->n_ops == 1 && graph->ops[0].kind == ASSAY_OP_ADD && graph->ops[0].n_in == 2 &&
      graph->tensors[0].dtype == ASSAY_F32) {
    return ASSAY_OK;
  }
  if (why_cap > 0) {
    const size_t n = sizeof(kWhy) <= why_cap ? sizeof(kWhy) : why_cap;
    memcpy(why, kWhy, n);
    why[n - 1] = '\0';
  }
  return ASSAY_UNSUPPORTED;
}

static void destroy(assay_program* p) {
  for (int t = 0; t < 3; ++t) free(p->data[t]);
  free(p);
}

static assay_status prepare(assay_ctx* ctx, const assay_program_desc* graph, assay_program** out) {
  char why[64];
  if (supports(ctx, graph, why, sizeof(why)) != ASSAY_OK) return ASSAY_UNSUPPORTED;
  assay_program* p = calloc(1, sizeof(*p));
  if (p == NULL) return ASSAY_OUT_OF_MEMORY;
  p->ctx = ctx;
  p->a = graph->ops[0].in[0];
  p->b = graph->ops[0].in[1];
  p->y = graph->ops[0].out[0];
  p->elements = 1;
  for (uint32_t i = 0; i < graph->tensors[p->y].rank; ++i) p->elements *= (uint64_t)graph->tensors[p->y].dim[i];
  for (int t = 0; t < 3; ++t) {
    p->data[t] = calloc(p->elements, sizeof(float));
    if (p->data[t] == NULL) {
      destroy(p);
      return ASSAY_OUT_OF_MEMORY;
    }
  }
  *out = p;
  return ASSAY_OK;
}

static float* place(assay_program* p, uint32_t tensor, uint64_t offset, uint64_t bytes) {
  if (tensor < 3 && offset % sizeof(float) == 0 && offset + bytes <= p->elements * sizeof(float)) {
    return p->data[tensor] + offset / sizeof(float);
  }
  p->ctx->error = "outside the tensor";
  return NULL;
}

static assay_status write_tensor(assay_program* p, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  float* at = place(p, tensor, offset, bytes);
  if (at == NULL) return ASSAY_INVALID_ARGUMENT;
  memcpy(at, src, bytes);
  return ASSAY_OK;
}

static assay_status read_tensor(assay_program* p, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  const float* at = place(p, tensor, offset, bytes);
  if (at == NULL) return ASSAY_INVALID_ARGUMENT;
  memcpy(dst, at, bytes);
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
  static const assay_adapter kCore = {sizeof(assay_adapter),
                                      ASSAY_ABI_MAJOR,
                                      ASSAY_ABI_MINOR,
                                      "acme",
                                      "Acme",
                                      "3.2.1",
                                      "{}",
                                      open_adapter,
                                      close_adapter,
                                      device_count,
                                      device_info,
                                      table,
                                      last_error};
  return host_abi_major == ASSAY_ABI_MAJOR ? &kCore : NULL;
}
