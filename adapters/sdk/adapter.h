// The C++ SDK: an adapter as one class. Header-only, C++17, needs the ABI header alone. Turns the class into the C
// tables of assay_adapter.h and its exceptions into statuses; no exception crosses the boundary.
//
//   class Mine : public assay::sdk::Adapter { ... };
//   ASSAY_SDK_ADAPTER(Mine, "mine", "My company", "1.0", "{}")
#pragma once

#include <cstring>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adapters/abi/assay_adapter.h"
#include "adapters/sdk/refusal.h"

namespace assay::sdk {

// What the harness gives the adapter.
class Host {
 public:
  explicit Host(const assay_host* host) : host_(host) {}
  // "" where the user did not set it.
  [[nodiscard]] std::string option(const char* key) const {
    const char* value = ASSAY_HAS(host_, assay_host, option) ? host_->option(host_->ctx, key) : nullptr;
    return value == nullptr ? "" : value;
  }
  // "" where it is not set, or one of `values`; anything else is refused.
  [[nodiscard]] std::string option(const char* key, std::initializer_list<const char*> values) const {
    std::string value = option(key), expected;
    for (const char* known : values) {
      if (value.empty() || value == known) return value;
      expected += (expected.empty() ? "" : " or ") + std::string(known);
    }
    throw Failure(ASSAY_INVALID_ARGUMENT,
                  std::string("option ") + key + ": expected " + expected + ", found '" + value + "'");
  }
  [[nodiscard]] uint32_t abi_minor() const { return host_ == nullptr ? 0 : host_->abi_minor; }
  [[nodiscard]] uint64_t now_ns() const { return ASSAY_HAS(host_, assay_host, now_ns) ? host_->now_ns(host_->ctx) : 0; }
  void log(int32_t level, const std::string& text) const {
    if (ASSAY_HAS(host_, assay_host, log)) host_->log(host_->ctx, level, text.c_str());
  }

 private:
  const assay_host* host_;
};

// Fields as in assay_device_info; the SDK keeps the texts alive.
struct Device {
  std::string product, arch, serial, driver, firmware, bus_id;
  uint64_t memory_bytes = 0, memory_bandwidth_bytes_per_s = 0, dtypes = 0, memory_free_bytes = 0, cache_bytes = 0;
  double board_power_limit_w = 0;
  uint32_t basis = ASSAY_BASIS_MEASURED, support = ASSAY_SUPPORT_PLANNED;
  std::string state;  // lines "name: value"
};

struct ProgramInfo {
  uint32_t launches = 0;
  uint64_t device_bytes = 0;
  std::string lowering, executed;
};

// A prepared program. One run is in flight at a time; neither submit nor wait may allocate.
class Program {
 public:
  virtual ~Program() = default;
  virtual void write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) = 0;
  virtual void read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) = 0;
  virtual void submit(const assay_run_args& args) = 0;
  virtual void wait(assay_run_result& result) = 0;  // result comes with ASSAY_CLOCK_NONE set
  virtual ProgramInfo info() { return {}; }
  virtual void flush_caches() {}  // where the adapter says that it can
  // Hardware counters of ops of one step (trace.count); texts live as long as the call of emit.
  virtual void count(const assay_run_args& /*args*/, const std::vector<uint64_t>& /*ops*/,
                     const std::function<void(const assay_op_counter&)>& /*emit*/) {
    throw Failure(ASSAY_UNSUPPORTED, "the adapter has no hardware counters");
  }
};

class Adapter {
 public:
  virtual ~Adapter() = default;
  virtual std::vector<Device> devices() = 0;
  // What changes while the adapter is open: free memory, state. Called before each device_info.
  virtual void refresh(uint32_t index, Device& device) {
    (void)index;
    (void)device;
  }
  // "" or why this graph can't run on this device.
  virtual std::string unsupported(const assay_program_desc& graph) = 0;
  virtual std::unique_ptr<Program> prepare(const assay_program_desc& graph) = 0;
  // Whether programs flush the device's caches when asked, so that the next step runs cold.
  [[nodiscard]] virtual bool flushes_caches() const { return false; }
  // A device that does not run in real time keeps its own clock (table clock/1); its basis must be simulated.
  [[nodiscard]] virtual bool keeps_time() const { return false; }
  // Sensors (table telemetry/1); telemetry() is called from any thread, also while a step runs, with t_ns set.
  [[nodiscard]] virtual bool has_telemetry() const { return false; }
  virtual void telemetry(uint32_t /*device*/, assay_telemetry& /*out*/) {}
  [[nodiscard]] virtual uint64_t now_ns() const { return 0; }
  // Table trace/1: what ran between start and stop, given out by drain, once. Steps may be slower meanwhile.
  [[nodiscard]] virtual bool has_trace() const { return false; }
  virtual void start_trace(uint32_t /*device*/) {}
  virtual uint64_t stop_trace(uint32_t /*device*/) { return 0; }  // records that were lost
  virtual void drain_trace(const std::function<void(const assay_activity&)>& /*emit*/) {}
};

namespace detail {

inline thread_local std::string error_text;

template <typename F>
assay_status guarded(F f) noexcept {
  try {
    f();
    return ASSAY_OK;
  } catch (const Failure& failure) {
    error_text = failure.what();
    return failure.status();
  } catch (const std::bad_alloc&) {
    error_text = "out of memory";
    return ASSAY_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    error_text = error.what();
  } catch (...) {
    error_text = "an exception of unknown type";
  }
  return ASSAY_INTERNAL;
}

template <typename T>
void demand(const T* pointer, const char* what) {
  if (pointer == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, std::string(what) + " is null");
}

// As many bytes of `value` as the caller's struct has room for.
template <typename T>
void copy_out(T* out, T value) {
  demand(out, "out");
  const uint32_t size = out->struct_size;
  value.struct_size = size;
  std::memcpy(out, &value, size < sizeof(T) ? size : sizeof(T));
}

struct Context {
  Host host;
  std::unique_ptr<Adapter> adapter;
  std::vector<Device> devices;
  std::set<std::string> states;  // what was handed out stays valid
};

struct Loaded {
  std::unique_ptr<Program> program;
  ProgramInfo info;
  uint32_t n_scalars = 0;
  bool in_flight = false;
};

inline Context& context(assay_ctx* ctx) {
  demand(ctx, "ctx");
  return *reinterpret_cast<Context*>(ctx);
}
inline Loaded& loaded(assay_program* program) {
  demand(program, "program");
  return *reinterpret_cast<Loaded*>(program);
}

inline void close(assay_ctx* ctx) { delete reinterpret_cast<Context*>(ctx); }

inline assay_status device_count(assay_ctx* ctx, uint32_t* out) {
  return guarded([&] {
    demand(out, "out");
    *out = static_cast<uint32_t>(context(ctx).devices.size());
  });
}

inline assay_status device_info(assay_ctx* ctx, uint32_t index, assay_device_info* out) {
  return guarded([&] {
    std::vector<Device>& devices = context(ctx).devices;
    if (index >= devices.size()) throw Failure(ASSAY_INVALID_ARGUMENT, "no device " + std::to_string(index));
    Device& d = devices[index];
    context(ctx).adapter->refresh(index, d);
    const std::string& state = *context(ctx).states.insert(d.state).first;
    copy_out(out, assay_device_info{0, index, d.product.c_str(), d.arch.c_str(), d.serial.c_str(), d.driver.c_str(),
                                    d.firmware.c_str(), d.bus_id.c_str(), d.memory_bytes,
                                    d.memory_bandwidth_bytes_per_s, d.dtypes, d.board_power_limit_w, d.basis, d.support,
                                    d.memory_free_bytes, d.cache_bytes, state.c_str()});
  });
}

inline assay_status supports(assay_ctx* ctx, const assay_program_desc* graph, char* why, size_t why_cap) {
  return guarded([&] {
    demand(graph, "graph");
    const auto answer = [&](const std::string& text) {
      if (why == nullptr || why_cap == 0) return;
      const size_t n = text.size() < why_cap - 1 ? text.size() : why_cap - 1;
      std::memcpy(why, text.data(), n);
      why[n] = '\0';
    };
    std::string reason;
    try {
      check_graph(*graph, context(ctx).devices.size());
      reason = context(ctx).adapter->unsupported(*graph);
    } catch (const Failure& failure) {
      answer(failure.what());
      throw;
    }
    answer(reason);
    if (!reason.empty()) throw Failure(ASSAY_UNSUPPORTED, reason);
  });
}

inline assay_status prepare(assay_ctx* ctx, const assay_program_desc* graph, assay_program** out) {
  return guarded([&] {
    demand(graph, "graph");
    demand(out, "out");
    check_graph(*graph, context(ctx).devices.size());
    auto made = std::make_unique<Loaded>();
    made->n_scalars = graph->n_scalars;
    made->program = context(ctx).adapter->prepare(*graph);
    *out = reinterpret_cast<assay_program*>(made.release());
  });
}

inline assay_status write(assay_program* p, uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  return guarded([&] {
    if (bytes > 0) demand(src, "src");
    loaded(p).program->write(tensor, offset, src, bytes);
  });
}

inline assay_status read(assay_program* p, uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  return guarded([&] {
    if (bytes > 0) demand(dst, "dst");
    loaded(p).program->read(tensor, offset, dst, bytes);
  });
}

inline assay_status submit(assay_program* p, const assay_run_args* args, assay_run** out) {
  return guarded([&] {
    demand(args, "args");
    demand(out, "out");
    Loaded& l = loaded(p);
    if (l.n_scalars > 0) demand(args->scalars, "scalars");
    if (l.in_flight) throw Failure(ASSAY_INVALID_ARGUMENT, "a run is in flight; wait for it first");
    l.program->submit(*args);
    l.in_flight = true;
    *out = reinterpret_cast<assay_run*>(p);
  });
}

inline assay_status wait(assay_run* run, assay_run_result* out) {
  return guarded([&] {
    Loaded& l = loaded(reinterpret_cast<assay_program*>(run));
    if (!l.in_flight) throw Failure(ASSAY_INVALID_ARGUMENT, "no run is in flight");
    l.in_flight = false;
    assay_run_result result{};
    result.device_clock = ASSAY_CLOCK_NONE;
    l.program->wait(result);
    copy_out(out, result);
  });
}

inline void destroy(assay_program* p) { delete reinterpret_cast<Loaded*>(p); }

inline assay_status info(assay_program* p, assay_program_info* out) {
  return guarded([&] {
    Loaded& l = loaded(p);
    l.info = l.program->info();
    copy_out(out, assay_program_info{0, l.info.launches, l.info.device_bytes, l.info.lowering.c_str(),
                                     l.info.executed.c_str()});
  });
}

inline assay_status flush_caches(assay_program* p) {
  return guarded([&] {
    Loaded& l = loaded(p);
    if (l.in_flight) throw Failure(ASSAY_INVALID_ARGUMENT, "a run is in flight; wait for it first");
    l.program->flush_caches();
  });
}

inline assay_status telemetry(assay_ctx* ctx, uint32_t device, assay_telemetry* out) {
  return guarded([&] {
    demand(out, "out");
    Context& c = context(ctx);
    if (device >= c.devices.size()) throw Failure(ASSAY_INVALID_ARGUMENT, "no device " + std::to_string(device));
    assay_telemetry reading{};
    reading.t_ns = c.host.now_ns();
    c.adapter->telemetry(device, reading);
    copy_out(out, reading);
  });
}

inline assay_status start_trace(assay_ctx* ctx, uint32_t device) {
  return guarded([&] { context(ctx).adapter->start_trace(device); });
}
inline assay_status stop_trace(assay_ctx* ctx, uint32_t device, uint64_t* dropped) {
  return guarded([&] {
    const uint64_t lost = context(ctx).adapter->stop_trace(device);
    if (dropped != nullptr) *dropped = lost;
  });
}

inline assay_status drain_trace(assay_ctx* ctx, void (*emit)(void*, const assay_activity*), void* arg) {
  return guarded([&] {
    if (emit == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "emit is null");
    context(ctx).adapter->drain_trace([&](const assay_activity& activity) { emit(arg, &activity); });
  });
}

inline assay_status count_ops(assay_program* p, const assay_run_args* args, const uint64_t* ops, uint64_t n_ops,
                              void (*emit)(void*, const assay_op_counter*), void* arg) {
  return guarded([&] {
    demand(args, "args");
    Loaded& l = loaded(p);
    if (l.in_flight) throw Failure(ASSAY_INVALID_ARGUMENT, "a run is in flight; wait for it first");
    if (emit == nullptr || (ops == nullptr && n_ops > 0)) throw Failure(ASSAY_INVALID_ARGUMENT, "ops or emit is null");
    l.program->count(*args, std::vector<uint64_t>(ops, ops + n_ops),
                     [&](const assay_op_counter& counter) { emit(arg, &counter); });
  });
}

inline uint64_t clock_now(assay_ctx* ctx) { return context(ctx).adapter->now_ns(); }

inline const void* table(assay_ctx* ctx, const char* id) {
  static const assay_telemetry_table kTelemetry{sizeof(assay_telemetry_table), 0, telemetry};
  static const assay_clock_table kClock{sizeof(assay_clock_table), 0, clock_now};
  static const assay_program_table kProgram{
      sizeof(assay_program_table), 0, supports, prepare, write, read, submit, wait, destroy, info, nullptr};
  static const assay_program_table kFlushing{
      sizeof(assay_program_table), 0, supports, prepare, write, read, submit, wait, destroy, info, flush_caches};
  static const assay_trace_table kTrace{sizeof(assay_trace_table), 0, start_trace, stop_trace, drain_trace, count_ops};
  if (id == nullptr || ctx == nullptr) return nullptr;
  if (std::strcmp(id, "program/1") == 0) return context(ctx).adapter->flushes_caches() ? &kFlushing : &kProgram;
  if (std::strcmp(id, "trace/1") == 0 && context(ctx).adapter->has_trace()) return &kTrace;
  if (std::strcmp(id, "clock/1") == 0 && context(ctx).adapter->keeps_time()) return &kClock;
  if (std::strcmp(id, "telemetry/1") == 0 && context(ctx).adapter->has_telemetry()) return &kTelemetry;
  return nullptr;
}

inline const char* last_error(assay_ctx*) { return error_text.c_str(); }

template <typename T>
assay_status open(const assay_host* host, assay_ctx** out) {
  return guarded([&] {
    demand(host, "host");
    demand(out, "out");
    auto made = std::make_unique<Context>(Context{Host(host), nullptr, {}, {}});
    made->adapter = std::make_unique<T>(Host(host));
    made->devices = made->adapter->devices();
    *out = reinterpret_cast<assay_ctx*>(made.release());
  });
}

}  // namespace detail

// The core table of an adapter class that is made from a Host.
template <typename T>
const assay_adapter* adapter_table(const char* name, const char* vendor, const char* version, const char* build_json) {
  static const assay_adapter kTable{sizeof(assay_adapter),
                                    ASSAY_ABI_MAJOR,
                                    ASSAY_ABI_MINOR,
                                    name,
                                    vendor,
                                    version,
                                    build_json,
                                    detail::open<T>,
                                    detail::close,
                                    detail::device_count,
                                    detail::device_info,
                                    detail::table,
                                    detail::last_error};
  return &kTable;
}

}  // namespace assay::sdk

// Exports the adapter; at namespace scope of one source file.
#define ASSAY_SDK_ADAPTER(Type, name, vendor, version, build_json)                            \
  extern "C" ASSAY_EXPORT const assay_adapter* assay_adapter_entry(uint32_t host_abi_major) { \
    if (host_abi_major != ASSAY_ABI_MAJOR) return nullptr;                                    \
    return assay::sdk::adapter_table<Type>(name, vendor, version, build_json);                \
  }
