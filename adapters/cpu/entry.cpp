// The CPU adapter's C tables. Failures thrown inside end here as a status and a text of the calling thread.
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/cpu/failure.h"
#include "adapters/cpu/isa.h"
#include "adapters/cpu/memory.h"
#include "adapters/cpu/pool.h"
#include "adapters/cpu/program.h"

struct assay_ctx {
  std::string product;
  assay::cpu::Isa isa = assay::cpu::Isa::kGeneric;
  std::unique_ptr<assay::cpu::Pool> pool;
  assay::cpu::Trace trace;
  std::vector<const char*> trace_names;  // of each span: what kind of op it is
  bool tracing = false;
};

struct assay_program {
  assay_program(assay_ctx& context, const assay_program_desc& desc)
      : ctx(context), impl(*context.pool, context.isa, desc) {}
  assay_ctx& ctx;
  assay::cpu::Program impl;
  assay_run* pending = nullptr;  // made in prepare, so that submit need not
  assay_status status = ASSAY_OK;
  std::string text;  // of the last run
};

// A run is done when submit returns; wait tells how it went.
struct assay_run {
  assay_program* program;
};

namespace {

using assay::cpu::Failure;

thread_local std::string last_error_text;

template <typename F>
assay_status guarded(F f) noexcept {
  try {
    f();
    return ASSAY_OK;
  } catch (const Failure& failure) {
    last_error_text = failure.what();
    return failure.status();
  } catch (const std::bad_alloc&) {
    last_error_text = "out of memory";
    return ASSAY_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    last_error_text = error.what();
    return ASSAY_INTERNAL;
  }
}

template <typename T>
T& required(T* pointer, const char* what) {
  if (pointer == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, std::string(what) + " is null");
  return *pointer;
}

// Copies as many bytes of `value` as the caller's struct has room for, by its struct_size.
template <typename T>
void fill(T* out, T value) {
  const uint32_t size = required(out, "out").struct_size;
  value.struct_size = size;
  __builtin_memcpy(out, &value, size < sizeof(T) ? size : sizeof(T));
}

std::string option(const assay_host& host, const char* key) {
  const char* value = host.option == nullptr ? nullptr : host.option(host.ctx, key);
  return value == nullptr ? "" : value;
}

unsigned thread_count(const std::string& text, size_t cpus) {
  if (text.empty()) return static_cast<unsigned>(cpus);
  size_t used = 0;
  unsigned long value = 0;
  try {
    value = std::stoul(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used != text.size() || text[0] == '-' || value < 1 || value > cpus) {
    throw Failure(ASSAY_INVALID_ARGUMENT, "option threads: expected 1 to " + std::to_string(cpus) +
                                              " (the CPUs allowed to this process), found '" + text + "'");
  }
  return static_cast<unsigned>(value);
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

assay_status open_adapter(const assay_host* host, assay_ctx** out) {
  return guarded([&] {
    const assay_host& h = required(host, "host");
    assay_ctx*& result = required(out, "out");
    auto ctx = std::make_unique<assay_ctx>();
    ctx->isa = assay::cpu::choose_isa(option(h, "isa"));
    ctx->product = cpu_model();
    if (!assay::cpu::limit_onednn(ctx->isa) && ctx->isa != assay::cpu::best_isa() && h.log != nullptr) {
      h.log(h.ctx, ASSAY_LOG_WARNING, "oneDNN is in use already and keeps its instruction set; see info.executed");
    }
    const std::vector<int> cpus = assay::cpu::allowed_cpus();
    const assay_host times = h;
    ctx->trace.now_ns = [times] { return times.now_ns == nullptr ? 0 : times.now_ns(times.ctx); };
    ctx->pool = std::make_unique<assay::cpu::Pool>(cpus, thread_count(option(h, "threads"), cpus.size()));
    result = ctx.release();
  });
}

void close_adapter(assay_ctx* ctx) { delete ctx; }

assay_status device_count(assay_ctx* ctx, uint32_t* out) {
  return guarded([&] {
    required(ctx, "ctx");
    required(out, "out") = 1;
  });
}

assay_status device_info(assay_ctx* ctx, uint32_t device, assay_device_info* out) {
  return guarded([&] {
    required(ctx, "ctx");
    if (device != 0)
      throw Failure(ASSAY_INVALID_ARGUMENT, "no device " + std::to_string(device) + ": the CPU is device 0");
    const assay::cpu::MemoryState memory = assay::cpu::memory_state();
    assay_device_info info{};
    info.index = 0;
    info.product = ctx->product.c_str();
    info.arch = assay::cpu::isa_name(ctx->isa);
    info.serial = info.driver = info.firmware = info.bus_id = "";
    info.memory_bytes = memory.total_bytes;
    info.memory_free_bytes = memory.available_bytes;
    info.dtypes = 1u << ASSAY_F32 | 1u << ASSAY_F16 | 1u << ASSAY_BF16 | 1u << ASSAY_I8 | 1u << ASSAY_I32;
    info.basis = ASSAY_BASIS_MEASURED;
    info.support = ASSAY_SUPPORT_VERIFIED_ON_HARDWARE;
    info.cache_bytes = assay::cpu::last_level_cache_bytes();
    fill(out, info);
  });
}

assay_status supports(assay_ctx* ctx, const assay_program_desc* desc, char* why, size_t why_cap) {
  const assay_status status = guarded([&] {
    required(ctx, "ctx");
    assay::cpu::read_program(required(desc, "desc"));
  });
  if (why != nullptr && why_cap > 0)
    std::snprintf(why, why_cap, "%s", status == ASSAY_OK ? "" : last_error_text.c_str());
  return status;
}

assay_status prepare(assay_ctx* ctx, const assay_program_desc* desc, assay_program** out) {
  return guarded([&] {
    assay_program*& result = required(out, "out");
    auto program = std::make_unique<assay_program>(required(ctx, "ctx"), required(desc, "desc"));
    program->pending = new assay_run{program.get()};
    result = program.release();
  });
}

assay_status write_tensor(assay_program* program, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  return guarded([&] { required(program, "program").impl.write(tensor, offset, src, bytes); });
}

assay_status read_tensor(assay_program* program, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  return guarded([&] { required(program, "program").impl.read(tensor, offset, dst, bytes); });
}

assay_status submit(assay_program* program, const assay_run_args* args, assay_run** out) {
  return guarded([&] {
    assay_program& p = required(program, "program");
    const assay_run_args& a = required(args, "args");
    assay_run*& run = required(out, "out");
    if (a.struct_size < sizeof(assay_run_args)) throw Failure(ASSAY_INVALID_ARGUMENT, "submit: args are too short");
    if (a.repeat < 1) throw Failure(ASSAY_INVALID_ARGUMENT, "submit: repeat must be at least 1");
    if (!p.ctx.tracing) {
      p.impl.run(a.scalars, a.repeat);
    } else {
      for (uint32_t r = 0; r < a.repeat; ++r) p.impl.run_traced(a.scalars, p.ctx.trace);
      while (p.ctx.trace_names.size() < p.ctx.trace.spans.size()) {
        p.ctx.trace_names.push_back(p.impl.kind_of(p.ctx.trace.spans[p.ctx.trace_names.size()].op));
      }
    }
    run = p.pending;
  });
}

assay_status wait_run(assay_run* run, assay_run_result* out) {
  return guarded([&] {
    required(run, "run");
    assay_run_result result{};
    result.device_clock = ASSAY_CLOCK_NONE;
    if (out != nullptr) fill(out, result);
  });
}

void destroy(assay_program* program) {
  if (program == nullptr) return;
  delete program->pending;
  delete program;
}

assay_status program_info(assay_program* program, assay_program_info* out) {
  return guarded([&] {
    const assay_program& p = required(program, "program");
    assay_program_info info{};
    info.device_bytes = p.impl.device_bytes();
    info.lowering = "library";
    info.executed = p.impl.executed().c_str();
    fill(out, info);
  });
}

assay_status flush_caches(assay_program* program) {
  return guarded([&] { required(program, "program").impl.flush_caches(); });
}

assay_status start_trace(assay_ctx* ctx, uint32_t) {
  return guarded([&] {
    assay_ctx& c = required(ctx, "ctx");
    c.trace.spans.clear();
    c.trace_names.clear();
    c.tracing = true;
  });
}

assay_status stop_trace(assay_ctx* ctx, uint32_t, uint64_t* dropped) {
  return guarded([&] {
    required(ctx, "ctx").tracing = false;
    if (dropped != nullptr) *dropped = 0;
  });
}

assay_status drain_trace(assay_ctx* ctx, void (*emit)(void*, const assay_activity*), void* arg) {
  return guarded([&] {
    assay_ctx& c = required(ctx, "ctx");
    if (emit == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "emit is null");
    for (size_t i = 0; i < c.trace.spans.size(); ++i) {
      const assay::cpu::Span& span = c.trace.spans[i];
      const assay_activity activity{sizeof(assay_activity), 0, 0, 0, span.begin_ns, span.end_ns, 0, span.op,
                                    c.trace_names[i]};
      emit(arg, &activity);
    }
    c.trace.spans.clear();
    c.trace_names.clear();
  });
}

const void* table(assay_ctx*, const char* id) {
  static constexpr assay_program_table kProgram = {sizeof(assay_program_table),
                                                   0,
                                                   supports,
                                                   prepare,
                                                   write_tensor,
                                                   read_tensor,
                                                   submit,
                                                   wait_run,
                                                   destroy,
                                                   program_info,
                                                   flush_caches};
  static constexpr assay_trace_table kTrace = {
      sizeof(assay_trace_table), 0, start_trace, stop_trace, drain_trace, nullptr};
  if (id == nullptr) return nullptr;
  if (std::string(id) == "trace/1") return &kTrace;
  return std::string(id) == "program/1" ? &kProgram : nullptr;
}

const char* last_error(assay_ctx*) { return last_error_text.c_str(); }

}  // namespace

extern "C" ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) {
  if (host_abi_major != ASSAY_ABI_MAJOR) return nullptr;
  static const std::string kBuild =
      "{\"compiler\":\"" __VERSION__ "\",\"libraries\":[\"" + assay::cpu::onednn_text() + "\"]}";
  static const assay_adapter kAdapter = {
      sizeof(assay_adapter), ASSAY_ABI_MAJOR, ASSAY_ABI_MINOR, "cpu",         "Assay project",
      ASSAY_CPU_VERSION,     kBuild.c_str(),  open_adapter,    close_adapter, device_count,
      device_info,           table,           last_error};
  return &kAdapter;
}
