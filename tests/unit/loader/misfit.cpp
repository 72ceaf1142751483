// An adapter that breaks the ABI in the way that ASSAY_TEST_MISFIT names; "" keeps to it and computes nothing.
#include <cstdlib>
#include <cstring>
#include <string>

#include "adapters/abi/assay_adapter.h"

namespace {

bool is(const char* name) {
  const char* misfit = std::getenv("ASSAY_TEST_MISFIT");
  return misfit != nullptr && std::strcmp(misfit, name) == 0;
}

std::string g_option;

assay_status open_adapter(const assay_host* host, assay_ctx** out) {
  if (is("open-fails")) return ASSAY_INTERNAL;
  if (is("open-unknown-status")) return 99;
  const char* colour = host->option(host->ctx, "colour");
  g_option = colour == nullptr ? "none" : colour;
  host->log(host->ctx, ASSAY_LOG_DEBUG, nullptr);
  if (host->now_ns(host->ctx) == 0 || host->option(host->ctx, nullptr) != nullptr) return ASSAY_INTERNAL;
  static int context;
  *out = reinterpret_cast<assay_ctx*>(&context);
  return ASSAY_OK;
}
void close_adapter(assay_ctx*) {}

assay_status device_count(assay_ctx*, uint32_t* out) {
  *out = is("many-devices") ? 4'000'000'000u : 1;
  return is("count-fails") ? ASSAY_DEVICE_LOST : ASSAY_OK;
}

assay_status device_info(assay_ctx*, uint32_t, assay_device_info* out) {
  if (is("info-fails")) return ASSAY_TIMEOUT;
  out->index = 77;  // the harness numbers devices itself
  out->product = g_option.c_str();
  out->arch = nullptr;
  out->basis = is("odd-basis") ? 9 : ASSAY_BASIS_PROJECTED;
  out->support = is("odd-basis") ? 9 : ASSAY_SUPPORT_PLANNED;
  return ASSAY_OK;
}

assay_status supports(assay_ctx*, const assay_program_desc*, char* why, size_t why_cap) {
  if (is("no-reason")) return ASSAY_UNSUPPORTED;
  if (!is("endless-reason")) return ASSAY_OK;
  std::memset(why, 'x', why_cap);  // without an end, against the rule
  return ASSAY_UNSUPPORTED;
}

assay_status prepare(assay_ctx*, const assay_program_desc*, assay_program** out) {
  if (is("prepare-fails")) return ASSAY_OUT_OF_MEMORY;
  static int program;
  *out = is("no-program") ? nullptr : reinterpret_cast<assay_program*>(&program);
  return ASSAY_OK;
}
assay_status write(assay_program*, uint32_t, uint64_t, const void*, uint64_t) { return ASSAY_DEVICE_LOST; }
assay_status read(assay_program*, uint32_t, uint64_t, void*, uint64_t) { return ASSAY_OK; }
assay_status submit(assay_program*, const assay_run_args*, assay_run**) { return ASSAY_OK; }
assay_status wait(assay_run*, assay_run_result*) { return ASSAY_OK; }
void destroy(assay_program*) {}

const void* table(assay_ctx*, const char* id) {
  static assay_program_table program;
  program = {sizeof program, 0, supports, prepare, write, read, submit, wait, destroy, nullptr, nullptr};
  if (is("no-wait")) program.wait = nullptr;
  if (is("short-table")) program.struct_size = offsetof(assay_program_table, wait);
  return std::strcmp(id, "program/1") == 0 && !is("no-table") ? &program : nullptr;
}

const char* last_error(assay_ctx*) { return is("open-fails") ? "the licence has run out" : ""; }

}  // namespace

extern "C" ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) {
  if (is("other-major-refused") || host_abi_major != ASSAY_ABI_MAJOR) return nullptr;
  static assay_adapter core;
  core = {sizeof core,  ASSAY_ABI_MAJOR, ASSAY_ABI_MINOR, "misfit",    "Assay tests", "1",       "{}",
          open_adapter, close_adapter,   device_count,    device_info, table,         last_error};
  if (is("other-major")) core.abi_major = 2;
  if (is("no-close")) core.close = nullptr;
  if (is("short-core")) core.struct_size = offsetof(assay_adapter, device_info);
  if (is("nameless")) core.name = nullptr;
  return &core;
}
