#include "harness/run/device_fields.h"

#include <array>
#include <cinttypes>
#include <cstdio>

#include "suites/base/json_input.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace assay {
namespace {

std::string text(const char* s) { return s == nullptr ? "" : s; }

std::string hash_text(const std::string& s) {
  if (s.empty()) return "";
  const XXH128_hash_t hash = XXH3_128bits(s.data(), s.size());
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
  return out.data();
}

}  // namespace

std::string no_such_device(const std::string& adapter, size_t count) {
  const std::string range = adapter + ":0" + (count > 1 ? " to " + adapter + ":" + std::to_string(count - 1) : "");
  const std::string has = count == 0 ? "none" : std::to_string(count) + " (" + range + ")";
  return "adapter " + adapter + " has no such device; it has " + has;
}

void set_adapter_fields(const assay_adapter& core, Record* record) {
  record->adapter = text(core.name);
  record->adapter_version = text(core.version);
  record->adapter_vendor = text(core.vendor);
  record->adapter_build_json = text(core.build_json);
  record->adapter_abi = std::to_string(core.abi_major) + "." + std::to_string(core.abi_minor);
}

void set_device_fields(const DeviceInfo& device, Record* record) {
  record->basis = device.basis;
  record->support = device.support;
  record->device_product = device.product;
  record->device_arch = device.arch;
  record->device_driver = device.driver;
  record->device_serial_hash = hash_text(device.serial);
  record->device_memory_bytes = device.memory_bytes;
  if (!device.firmware.empty()) record->environment["device_firmware"] = device.firmware;
}

std::string library_hash(const std::string& library) {
  constexpr size_t kMostBytes = size_t{1} << 30;
  const Result<std::string> bytes = read_text_file(library, kMostBytes);
  return bytes.ok() ? hash_text(*bytes) : "";
}

void set_library_hash(const std::string& library, Record* record) {
  if (const std::string hash = library_hash(library); !hash.empty()) record->environment["adapter_library_hash"] = hash;
}

void set_program_fields(const assay_program_info& info, Record* record) {
  record->lowering = text(info.lowering);
  record->launches = info.n_launches;
  record->program_bytes = info.device_bytes;
  record->executed = text(info.executed);
  if (record->executed.empty()) record->executed = "as asked";
}

}  // namespace assay
