// The entry, the core table, and what may be written into the caller's structs.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <nlohmann/json.hpp>
#include <tuple>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

using Entry = const assay_adapter* (*)(uint32_t);

Entry entry_of(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  return handle == nullptr ? nullptr : reinterpret_cast<Entry>(dlsym(handle, "assay_adapter_entry"));
}

void entry_majors(Bench& bench, Entry entry) {
  for (const uint32_t major : {ASSAY_ABI_MAJOR + 1, 0u, UINT32_MAX}) {
    if (entry(major) != nullptr) return bench.fail("serves ABI major " + std::to_string(major) + " too");
  }
  bench.pass();
}

std::string core_fault(const assay_adapter* core) {
  if (core == nullptr) return "does not serve ABI major " + std::to_string(ASSAY_ABI_MAJOR);
  if (core->abi_major != ASSAY_ABI_MAJOR) return "abi_major is " + std::to_string(core->abi_major);
  for (const char* text : {core->name, core->vendor, core->version}) {
    if (text == nullptr || *text == '\0') return "name, vendor and version must be said";
  }
  if (core->build_json == nullptr || !nlohmann::json::accept(core->build_json)) return "build_json is not JSON";
  const bool whole = ASSAY_HAS(core, assay_adapter, open) && ASSAY_HAS(core, assay_adapter, close) &&
                     ASSAY_HAS(core, assay_adapter, device_count) && ASSAY_HAS(core, assay_adapter, device_info) &&
                     ASSAY_HAS(core, assay_adapter, table) && ASSAY_HAS(core, assay_adapter, last_error);
  return whole ? "" : "a function of the core table is missing";
}

std::string device_fault(const Raw& raw) {
  uint32_t count = 0;
  if (raw.core->device_count(raw.ctx, &count) != ASSAY_OK) return "device_count: " + raw.last_error();
  for (uint32_t i = 0; i < count; ++i) {
    assay_device_info info{};
    info.struct_size = sizeof info;
    if (const assay_status s = raw.core->device_info(raw.ctx, i, &info); s != ASSAY_OK) return raw.told(s);
    const std::string which = "device " + std::to_string(i) + ": ";
    for (const char* text : {info.product, info.arch, info.serial, info.driver, info.firmware, info.bus_id}) {
      if (text == nullptr) return which + "a text is NULL; \"\" where unknown";
    }
    if (info.dtypes == 0) return which + "no dtype";
    if (info.basis > ASSAY_BASIS_PROJECTED) return which + "unknown basis " + std::to_string(info.basis);
    if (info.support > ASSAY_SUPPORT_VERIFIED_ON_HARDWARE) return which + "unknown support step";
    if (info.memory_free_bytes > info.memory_bytes) return which + "more memory free than there is";
  }
  return "";
}

// The report names the manifest's, a record the library's: they are one.
std::string manifest_fault(const assay_adapter* core, const KitOptions& manifest) {
  const std::tuple<const char*, const std::string&, const char*> texts[] = {
      {"name", manifest.adapter, core->name},
      {"vendor", manifest.vendor, core->vendor},
      {"version", manifest.version, core->version}};
  for (const auto& [what, expected, found] : texts) {
    if (expected != found)
      return std::string(what) + ": the manifest says '" + expected + "', the library '" + found + "'";
  }
  return "";
}

constexpr int kLooks = 4;

// What never changes of a device while the machine stays as it is, by name.
std::vector<std::pair<const char*, std::string>> fixed_fields(const DeviceInfo& d) {
  return {{"product", d.product},
          {"arch", d.arch},
          {"serial", d.serial},
          {"driver", d.driver},
          {"firmware", d.firmware},
          {"bus_id", d.bus_id},
          {"memory_bytes", std::to_string(d.memory_bytes)},
          {"memory_bandwidth_bytes_per_s", std::to_string(d.memory_bandwidth_bytes_per_s)},
          {"cache_bytes", std::to_string(d.cache_bytes)},
          {"dtypes", std::to_string(d.dtypes)},
          {"basis", d.basis},
          {"support", d.support}};
}

// "" or what is not as it was.
std::string list_change(const std::vector<DeviceInfo>& before, const std::vector<DeviceInfo>& now) {
  if (before.size() != now.size())
    return "device_count was " + std::to_string(before.size()) + ", is " + std::to_string(now.size());
  for (size_t i = 0; i < now.size(); ++i) {
    const auto was = fixed_fields(before[i]), is = fixed_fields(now[i]);
    for (size_t f = 0; f < is.size(); ++f) {
      if (was[f] == is[f]) continue;
      return "device " + std::to_string(i) + ": " + is[f].first + " was '" + was[f].second + "', is '" + is[f].second +
             "'";
    }
  }
  return "";
}

// Asked again in the same context, and in the next one.
void same_devices(Bench& bench, std::unique_ptr<Adapter> adapter) {
  std::vector<DeviceInfo> first;
  for (int look = 0; look < 2 * kLooks; ++look) {
    if (look == kLooks) {
      bench.close(std::move(adapter));
      adapter = bench.open();
      if (adapter == nullptr) return;
    }
    const Result<std::vector<DeviceInfo>> found = adapter->devices();
    if (!found.ok()) return bench.fail(found.error().message);
    if (look == 0) first = *found;
    const std::string change = list_change(first, *found);
    if (!change.empty())
      return bench.fail(change + (look < kLooks ? " when it is asked again" : " when the adapter is opened again"));
  }
  bench.close(std::move(adapter));
  bench.pass(std::to_string(first.size()) + " devices");
}

off_t printed() {
  std::fflush(stdout);
  std::fflush(stderr);
  struct stat info {};
  return fstat(STDERR_FILENO, &info) == 0 ? info.st_size : 0;
}

void quiet_log(void* /*ctx*/, int32_t /*level*/, const char* /*text*/) {}
uint64_t quiet_now(void* /*ctx*/) { return now_ns(); }
const char* quiet_option(void* ctx, const char* key) {
  for (const auto& [name, value] : *static_cast<const Adapter::Options*>(ctx)) {
    if (key != nullptr && name == key) return value.c_str();
  }
  return nullptr;
}

// One program with a host that swallows the log: what is still printed, the adapter printed itself.
assay_status run_silently(const assay_adapter* core, assay_ctx* ctx, uint32_t device) {
  const auto* table = static_cast<const assay_program_table*>(core->table(ctx, "program/1"));
  if (table == nullptr) return ASSAY_UNSUPPORTED;
  const OpCase add = add_case(3, 5);
  const ProgramView view(add.graph, device);
  assay_program* program = nullptr;
  assay_status status = table->prepare(ctx, view.desc(), &program);
  if (status != ASSAY_OK) return status;
  const assay_run_args args{sizeof(assay_run_args), 1, add.scalars.data()};
  assay_run* run = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof result;
  status = table->submit(program, &args, &run);
  if (status == ASSAY_OK) status = table->wait(run, &result);
  table->destroy(program);
  return status;
}

void prints_nothing(Bench& bench, const assay_adapter* core) {
  const off_t before = printed();
  Adapter::Options settings = bench.options().settings;
  const assay_host host{sizeof(assay_host), ASSAY_ABI_MINOR, &settings, quiet_log, quiet_now, quiet_option};
  assay_ctx* ctx = nullptr;
  assay_status status = ASSAY_OK;
  {
    InAdapter inside(bench.pulse(), "open to destroy");
    status = core->open(&host, &ctx);
    if (status == ASSAY_OK) {
      (void)run_silently(core, ctx, bench.device());
      core->close(ctx);
    }
  }
  if (status != ASSAY_OK) return bench.fail(std::string("open: ") + status_text(status));
  const off_t bytes = printed() - before;
  bytes == 0 ? bench.pass() : bench.fail("printed " + std::to_string(bytes) + " bytes; adapters log through the host");
}

void table_ids(Bench& bench, const Adapter& adapter) {
  const Raw raw(adapter);
  if (raw.core->table(raw.ctx, "nonsense/9") != nullptr) return bench.fail("a table called nonsense/9 is given out");
  const bool requests = raw.core->table(raw.ctx, "request/1") != nullptr;
  raw.table != nullptr || requests ? bench.pass()
                                   : bench.fail("neither program/1 nor request/1, or program/1 is not whole");
}

constexpr unsigned char kMark = 0xa5;

// Bytes of a struct behind `size` that changed.
template <typename T, typename Call>
std::string written_beyond(uint32_t size, Call call) {
  struct Room {
    alignas(T) unsigned char bytes[sizeof(T) + 64];
  } room;
  std::memset(room.bytes, kMark, sizeof room.bytes);
  std::memcpy(room.bytes, &size, sizeof size);
  const assay_status status = call(reinterpret_cast<T*>(room.bytes));
  if (status != ASSAY_OK) return std::string("struct_size ") + std::to_string(size) + ": " + status_text(status);
  for (size_t i = std::min<size_t>(size, sizeof(T)); i < sizeof room.bytes; ++i) {
    if (room.bytes[i] != kMark)
      return "struct_size " + std::to_string(size) + ": byte " + std::to_string(i) + " was written";
  }
  return "";
}

void told(Bench& bench, const std::string& fault) { fault.empty() ? bench.pass() : bench.fail(fault); }

void device_info_sizes(Bench& bench, const Raw& raw) {
  const auto call = [&](assay_device_info* out) {
    InAdapter inside(bench.pulse(), "device_info");
    return raw.core->device_info(raw.ctx, bench.device(), out);
  };
  constexpr size_t kFull = sizeof(assay_device_info);
  for (const size_t size : {size_t{8}, offsetof(assay_device_info, memory_bytes), kFull, kFull + 32}) {
    const std::string fault = written_beyond<assay_device_info>(static_cast<uint32_t>(size), call);
    if (!fault.empty()) return bench.fail(fault);
  }
  bench.pass();
}

}  // namespace

void check_entry(Bench& bench) {
  const Entry entry = entry_of(bench.options().library);
  if (bench.begin("serves its major alone")) {
    entry == nullptr ? bench.fail("no assay_adapter_entry") : entry_majors(bench, entry);
  }
  const assay_adapter* core = entry == nullptr ? nullptr : entry(ASSAY_ABI_MAJOR);
  if (bench.begin("core table")) told(bench, core_fault(core));
  if (core == nullptr || !core_fault(core).empty()) return;
  if (bench.begin("is what its manifest says")) told(bench, manifest_fault(core, bench.options()));
  if (bench.begin("prints nothing")) prints_nothing(bench, core);
  if (!bench.begin("devices")) return;
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  told(bench, device_fault(Raw(*adapter)));
  if (bench.begin("tables by id")) table_ids(bench, *adapter);
  if (bench.begin("devices stay the same")) return same_devices(bench, std::move(adapter));
  bench.close(std::move(adapter));
}

void check_struct_sizes(Bench& bench) {
  if (!bench.begin("device_info")) return;
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const Raw raw(*adapter);
  device_info_sizes(bench, raw);
  const std::optional<OpCase> plain = plain_case(bench, *adapter);
  if (!plain || !bench.begin("run_result and program_info")) return;
  const ProgramView view(plain->graph, bench.device());
  assay_program* handle = nullptr;
  InAdapter inside(bench.pulse(), "program.wait");
  if (raw.table->prepare(raw.ctx, view.desc(), &handle) != ASSAY_OK) return bench.fail("prepare: " + raw.last_error());
  std::string fault =
      written_beyond<assay_run_result>(offsetof(assay_run_result, device_ns), [&](assay_run_result* out) {
        const assay_run_args args{sizeof(assay_run_args), 1, plain->scalars.data()};
        assay_run* run = nullptr;
        const assay_status status = raw.table->submit(handle, &args, &run);
        return status == ASSAY_OK ? raw.table->wait(run, out) : status;
      });
  if (fault.empty() && ASSAY_HAS(raw.table, assay_program_table, info)) {
    fault = written_beyond<assay_program_info>(offsetof(assay_program_info, device_bytes),
                                               [&](assay_program_info* out) { return raw.table->info(handle, out); });
  }
  raw.table->destroy(handle);
  told(bench, fault);
}

}  // namespace assay::conformance
