#include "harness/loader/adapter.h"

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <sstream>

namespace assay {
namespace {

const char* status_name(assay_status status) {
  constexpr std::array kNames = {"OK",          "INVALID_ARGUMENT", "UNSUPPORTED", "OUT_OF_MEMORY",
                                 "DEVICE_LOST", "TIMEOUT",          "CANCELLED",   "INTERNAL"};
  return status >= 0 && static_cast<size_t>(status) < kNames.size() ? kNames[static_cast<size_t>(status)] : "unknown";
}

ErrorKind error_kind(assay_status status) {
  if (status == ASSAY_UNSUPPORTED) return ErrorKind::kUnsupported;
  if (status == ASSAY_OUT_OF_MEMORY) return ErrorKind::kOutOfMemory;
  return status == ASSAY_TIMEOUT ? ErrorKind::kTimeout : ErrorKind::kAdapter;
}

Error adapter_error(std::string message) { return {ErrorKind::kAdapter, std::move(message)}; }

Error call_error(const assay_adapter* core, assay_ctx* ctx, const char* call, assay_status status) {
  std::string message = std::string(call) + ": " + status_name(status) + " (" + std::to_string(status) + ")";
  if (ASSAY_HAS(core, assay_adapter, last_error)) {
    const char* text = core->last_error(ctx);
    if (text != nullptr && *text != '\0') message += ": " + std::string(text);
  }
  return {error_kind(status), message};
}

// All that open is given are the user's options: what it refuses is the user's to mend, in the adapter's own words.
Error options_error(const assay_adapter* core) {
  const char* text = ASSAY_HAS(core, assay_adapter, last_error) ? core->last_error(nullptr) : nullptr;
  return bad_input(text != nullptr && *text != '\0' ? text : "the adapter refuses its options and says nothing more");
}

std::string text_of(const char* s) { return s == nullptr ? "" : s; }

std::string basis_name(uint32_t basis) {
  constexpr std::array kNames = {"measured", "simulated", "projected"};
  return basis < kNames.size() ? kNames[basis] : "unknown";
}

std::string support_name(uint32_t support) {
  constexpr std::array kNames = {"planned", "checked against the API", "verified on a CPU", "verified on hardware"};
  return support < kNames.size() ? kNames[support] : "unknown";
}

// Lines "name: value"; others are not understood and left out.
std::map<std::string, std::string> state_of(const std::string& text) {
  std::map<std::string, std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (colon != std::string::npos && colon > 0) out[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return out;
}

DeviceInfo device_of(const assay_device_info& info) {
  DeviceInfo d;
  d.index = info.index;
  d.product = text_of(info.product);
  d.arch = text_of(info.arch);
  d.serial = text_of(info.serial);
  d.driver = text_of(info.driver);
  d.firmware = text_of(info.firmware);
  d.bus_id = text_of(info.bus_id);
  d.basis = basis_name(info.basis);
  d.support = support_name(info.support);
  d.memory_bytes = info.memory_bytes;
  d.memory_free_bytes = info.memory_free_bytes;
  d.memory_bandwidth_bytes_per_s = info.memory_bandwidth_bytes_per_s;
  d.dtypes = info.dtypes;
  d.cache_bytes = info.cache_bytes;
  d.board_power_limit_w = info.board_power_limit_w;
  d.state = state_of(text_of(info.state));
  return d;
}

// Where an adapter may keep what it found out: "" where no user's folder is known.
std::string cache_folder() {
  const auto variable = [](const char* name) { return std::string(text_of(std::getenv(name))); };
  const std::string chosen = variable("XDG_CACHE_HOME"), home = variable("HOME");
  if (!chosen.empty() && chosen.front() == '/') return chosen + "/assay";
  return home.empty() ? "" : home + "/.cache/assay";
}

// What the adapter gets of the host: a log (its worker's stderr), the clock and the user's options.
class Host {
 public:
  explicit Host(Adapter::Options options) : options_(std::move(options)) {
    options_.emplace_back("cache_dir", cache_folder());  // one of the user's stands before it
    host_ = {sizeof(assay_host), ASSAY_ABI_MINOR, this, log, now, option};
  }
  [[nodiscard]] const assay_host* table() const { return &host_; }
  std::function<void(uint64_t)> on_now;

 private:
  static void log(void* /*ctx*/, int32_t level, const char* text) {
    if (level >= ASSAY_LOG_WARNING && text != nullptr) std::fprintf(stderr, "%s\n", text);
  }
  static uint64_t now(void* ctx) {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    const uint64_t ns = static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
    if (static_cast<Host*>(ctx)->on_now) static_cast<Host*>(ctx)->on_now(ns);
    return ns;
  }
  static const char* option(void* ctx, const char* key) {
    for (const auto& [name, value] : static_cast<Host*>(ctx)->options_) {
      if (key != nullptr && name == key) return value.c_str();
    }
    return nullptr;
  }

  Adapter::Options options_;
  assay_host host_{};
};

class LoadedProgram : public Program {
 public:
  LoadedProgram(const assay_adapter* core, assay_ctx* ctx, const assay_program_table* table,
                const assay_trace_table* trace, const assay_clock_table* clock, assay_program* program)
      : core_(core), ctx_(ctx), table_(table), trace_(trace), clock_(clock), program_(program) {}
  ~LoadedProgram() override { table_->destroy(program_); }
  LoadedProgram(const LoadedProgram&) = delete;
  LoadedProgram& operator=(const LoadedProgram&) = delete;

  Status write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override {
    return checked("program.write", table_->write(program_, tensor, offset, src, bytes));
  }
  Status read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override {
    return checked("program.read", table_->read(program_, tensor, offset, dst, bytes));
  }
  assay_status submit(const assay_run_args* args, assay_run** run) override {
    return table_->submit(program_, args, run);
  }
  assay_status wait(assay_run* run, assay_run_result* result) override { return table_->wait(run, result); }
  [[nodiscard]] uint64_t now_ns() const override { return clock_ == nullptr ? assay::now_ns() : clock_->now_ns(ctx_); }
  [[nodiscard]] Error last_error(const char* call, assay_status status) const override {
    return call_error(core_, ctx_, call, status);
  }
  [[nodiscard]] assay_status flush_caches() override {
    return ASSAY_HAS(table_, assay_program_table, flush_caches) ? table_->flush_caches(program_) : ASSAY_UNSUPPORTED;
  }
  [[nodiscard]] Status count(const assay_run_args& args, const std::vector<uint64_t>& ops,
                             const std::function<void(const assay_op_counter&)>& emit) override {
    if (!ASSAY_HAS(trace_, assay_trace_table, count)) return Program::count(args, ops, emit);
    const auto one = [](void* to, const assay_op_counter* counter) {
      (*static_cast<const std::function<void(const assay_op_counter&)>*>(to))(*counter);
    };
    void* to = const_cast<void*>(static_cast<const void*>(&emit));
    return checked("trace.count", trace_->count(program_, &args, ops.data(), ops.size(), one, to));
  }
  [[nodiscard]] assay_program_info info() const override {
    assay_program_info info{};
    info.struct_size = sizeof info;
    if (ASSAY_HAS(table_, assay_program_table, info)) (void)table_->info(program_, &info);
    return info;
  }

 private:
  Status checked(const char* call, assay_status status) {
    if (status == ASSAY_OK) return ok_status();
    return last_error(call, status);
  }

  const assay_adapter* core_;
  assay_ctx* ctx_;
  const assay_program_table* table_;
  const assay_trace_table* trace_;
  const assay_clock_table* clock_;
  assay_program* program_;
};

class LoadedAdapter : public Adapter {
 public:
  LoadedAdapter(std::unique_ptr<Host> host, const assay_adapter* core, assay_ctx* ctx)
      : host_(std::move(host)), core_(core), ctx_(ctx) {}
  // The library stays loaded: threads of the vendor may still live in it.
  ~LoadedAdapter() override { core_->close(ctx_); }
  LoadedAdapter(const LoadedAdapter&) = delete;
  LoadedAdapter& operator=(const LoadedAdapter&) = delete;

  [[nodiscard]] const assay_adapter* core() const override { return core_; }
  [[nodiscard]] assay_ctx* ctx() const override { return ctx_; }

  Result<std::vector<DeviceInfo>> devices() override {
    uint32_t count = 0;
    const assay_status status = core_->device_count(ctx_, &count);
    if (status != ASSAY_OK) return call_error(core_, ctx_, "device_count", status);
    constexpr uint32_t kMostDevices = 4096;
    if (count > kMostDevices) return adapter_error("device_count: found " + std::to_string(count) + " devices");
    std::vector<DeviceInfo> devices;
    for (uint32_t i = 0; i < count; ++i) {
      Result<DeviceInfo> info = device(i);
      if (!info.ok()) return info.error();
      devices.push_back(std::move(info).value());
    }
    return devices;
  }

  Result<DeviceInfo> device(uint32_t index) override {
    assay_device_info info{};
    info.struct_size = sizeof info;
    const assay_status status = core_->device_info(ctx_, index, &info);
    if (status != ASSAY_OK) return call_error(core_, ctx_, "device_info", status);
    info.index = index;
    DeviceInfo found = device_of(info);
    found.abi = std::to_string(core_->abi_major) + "." + std::to_string(core_->abi_minor);
    return found;
  }

  [[nodiscard]] const assay_program_table* program_table() const override {
    const auto* table = static_cast<const assay_program_table*>(find("program/1"));
    const bool whole = ASSAY_HAS(table, assay_program_table, prepare) && ASSAY_HAS(table, assay_program_table, write) &&
                       ASSAY_HAS(table, assay_program_table, read) && ASSAY_HAS(table, assay_program_table, submit) &&
                       ASSAY_HAS(table, assay_program_table, wait) && ASSAY_HAS(table, assay_program_table, destroy);
    return whole ? table : nullptr;
  }
  [[nodiscard]] const assay_telemetry_table* telemetry_table() const override {
    const auto* table = static_cast<const assay_telemetry_table*>(find("telemetry/1"));
    return ASSAY_HAS(table, assay_telemetry_table, read) ? table : nullptr;
  }
  [[nodiscard]] const assay_trace_table* trace_table() const override {
    const auto* table = static_cast<const assay_trace_table*>(find("trace/1"));
    const bool whole = ASSAY_HAS(table, assay_trace_table, start) && ASSAY_HAS(table, assay_trace_table, stop) &&
                       ASSAY_HAS(table, assay_trace_table, drain);
    return whole ? table : nullptr;
  }

  [[nodiscard]] const assay_clock_table* clock_table() const override {
    const auto* table = static_cast<const assay_clock_table*>(find("clock/1"));
    return ASSAY_HAS(table, assay_clock_table, now_ns) ? table : nullptr;
  }

  void watch_clock(const std::function<void(uint64_t)>& on_now) override { host_->on_now = on_now; }

  Status supports(const Graph& graph, uint32_t device) override {
    const assay_program_table* table = program_table();
    if (table == nullptr) return no_programs();
    if (!ASSAY_HAS(table, assay_program_table, supports)) return ok_status();
    const ProgramView view(graph, device);
    std::array<char, 1024> why{};
    const assay_status status = table->supports(ctx_, view.desc(), why.data(), why.size());
    if (status == ASSAY_OK) return ok_status();
    why.back() = '\0';
    if (status == ASSAY_UNSUPPORTED && why[0] != '\0') return Error{ErrorKind::kUnsupported, why.data()};
    return call_error(core_, ctx_, "program.supports", status);
  }

  Result<std::unique_ptr<Program>> prepare(const Graph& graph, uint32_t device) override {
    const assay_program_table* table = program_table();
    if (table == nullptr) return no_programs();
    const ProgramView view(graph, device);
    assay_program* program = nullptr;
    const assay_status status = table->prepare(ctx_, view.desc(), &program);
    if (status != ASSAY_OK) return call_error(core_, ctx_, "program.prepare", status);
    if (program == nullptr) return adapter_error("program.prepare: OK without a program");
    return std::unique_ptr<Program>(
        std::make_unique<LoadedProgram>(core_, ctx_, table, trace_table(), clock_table(), program));
  }

 private:
  const void* find(const char* id) const {
    return ASSAY_HAS(core_, assay_adapter, table) ? core_->table(ctx_, id) : nullptr;
  }
  Error no_programs() const {
    return {ErrorKind::kUnsupported, "adapter '" + text_of(core_->name) + "' has no whole table program/1"};
  }

  std::unique_ptr<Host> host_;
  const assay_adapter* core_;
  assay_ctx* ctx_;
};

// nullopt, or what is wrong with the core table.
std::optional<std::string> core_problem(const assay_adapter* core) {
  if (core->abi_major != ASSAY_ABI_MAJOR) {
    return "made for ABI major " + std::to_string(core->abi_major) + ", this host serves " +
           std::to_string(ASSAY_ABI_MAJOR);
  }
  if (!ASSAY_HAS(core, assay_adapter, open) || !ASSAY_HAS(core, assay_adapter, close) ||
      !ASSAY_HAS(core, assay_adapter, device_count) || !ASSAY_HAS(core, assay_adapter, device_info)) {
    return "open, close, device_count and device_info are mandatory; one is missing";
  }
  return std::nullopt;
}

}  // namespace

Result<DeviceInfo> Adapter::device(uint32_t index) {
  Result<std::vector<DeviceInfo>> all = devices();
  if (!all.ok()) return all.error();
  if (index >= all->size()) return Error{ErrorKind::kAdapter, "no device " + std::to_string(index)};
  return (*all)[index];
}

Result<std::unique_ptr<Adapter>> Adapter::open(const std::string& library, Options options, const std::string& name) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return adapter_error(text_of(dlerror()));
  using Entry = const assay_adapter* (*)(uint32_t);
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "assay_adapter_entry"));
  if (entry == nullptr) return adapter_error(library + ": exports no assay_adapter_entry");
  const assay_adapter* core = entry(ASSAY_ABI_MAJOR);
  if (core == nullptr) {
    return adapter_error(library + ": does not serve ABI major " + std::to_string(ASSAY_ABI_MAJOR));
  }
  if (const auto problem = core_problem(core)) return adapter_error(library + ": " + *problem);
  if (!name.empty() && text_of(core->name) != name) {
    return bad_input(library + ": expected the adapter '" + name + "' that the manifest names, found '" +
                     text_of(core->name) + "' by '" + text_of(core->vendor) + "'");
  }
  auto host = std::make_unique<Host>(std::move(options));
  assay_ctx* ctx = nullptr;
  const assay_status status = core->open(host->table(), &ctx);
  if (status == ASSAY_INVALID_ARGUMENT) return options_error(core);
  if (status != ASSAY_OK) return call_error(core, nullptr, "open", status);
  return std::unique_ptr<Adapter>(std::make_unique<LoadedAdapter>(std::move(host), core, ctx));
}

}  // namespace assay
