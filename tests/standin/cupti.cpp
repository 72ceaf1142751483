// The vendor's profiler in CUPTI's shape: records of what ran, in buffers of the caller, at the places that CUPTI 12
// and 13 give their fields. Its clock is the host's and an hour ahead.
#include <cstdint>
#include <cstring>
#include <deque>
#include <mutex>
#include <set>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr int kMemcpy = 1, kMemset = 2, kDriver = 4, kRuntime = 5, kKernel = 10, kExternalCorrelation = 39;
constexpr int kInvalid = 1, kEnd = 12, kBusy = 2;
constexpr uint64_t kAheadNs = 3'600'000'000'000;
constexpr size_t kKernelBytes = 216, kMemcpyBytes = 96, kMemsetBytes = 88, kExternalBytes = 24;

using Give = void (*)(uint8_t**, size_t*, size_t*);
using Take = void (*)(void*, uint32_t, uint8_t*, size_t, size_t);

std::mutex lock;
Give give = nullptr;
Take take = nullptr;
std::set<int> enabled;
uint32_t launches = 0;
std::vector<std::vector<uint8_t>> records;
std::deque<std::string> names;  // what records point to
thread_local std::vector<uint64_t> numbers;

size_t bytes_of(int kind) {
  return kind == kKernel   ? kKernelBytes
         : kind == kMemcpy ? kMemcpyBytes
         : kind == kMemset ? kMemsetBytes
                           : kExternalBytes;
}

template <typename T>
void put(std::vector<uint8_t>* record, size_t at, T value) {
  std::memcpy(record->data() + at, &value, sizeof(value));
}

}  // namespace

namespace standin {

uint32_t launched() {
  const std::lock_guard<std::mutex> held(lock);
  ++launches;
  const bool tells = enabled.count(kExternalCorrelation) != 0 && enabled.count(kDriver) + enabled.count(kRuntime) > 0;
  if (tells && !numbers.empty()) {
    std::vector<uint8_t> record(kExternalBytes);
    put(&record, 0, uint32_t{kExternalCorrelation});
    put(&record, 4, uint32_t{3});
    put(&record, 8, numbers.back());
    put(&record, 16, launches);
    records.push_back(std::move(record));
  }
  return launches;
}

void ran(const Ran& what) {
  const std::lock_guard<std::mutex> held(lock);
  if (what.kind == kKernel) ran_in_range();
  if (enabled.count(what.kind) == 0) return;
  int64_t& lose = standin::setting("lose_nodes");  // so many nodes of graphs leave no record
  if (what.node != 0 && lose > 0 && lose-- > 0) return;
  std::vector<uint8_t> record(bytes_of(what.kind));
  put(&record, 0, static_cast<uint32_t>(what.kind));
  put(&record, 16, what.begin_ns + kAheadNs);
  put(&record, 24, what.end_ns + kAheadNs);
  if (what.kind == kKernel) {
    names.push_back(what.name);
    put(&record, 92, what.launch);
    put(&record, 104, names.back().c_str());
    put(&record, 144, what.node);
  } else {
    put(&record, 4, static_cast<uint8_t>(what.copy_kind == 3 ? 8 : what.copy_kind));  // CUPTI's 8: on the device
    put(&record, 8, what.bytes);
    put(&record, 44, what.launch);
    put(&record, 64, what.node);
  }
  records.push_back(std::move(record));
}

}  // namespace standin

#define PROF_ENTRY(name, ...) ENTRY_AS(gpuprof##name, standin_prof_##name, __VA_ARGS__)

extern "C" {

PROF_ENTRY(ActivityRegisterCallbacks, Give given, Take taken) {
  give = given;
  take = taken;
  return 0;
}
PROF_ENTRY(ActivityEnable, int kind) {
  const std::lock_guard<std::mutex> held(lock);
  if (standin::setting("profiler_busy") != 0) return kBusy;
  enabled.insert(kind);
  return give == nullptr ? kInvalid : 0;
}
PROF_ENTRY(ActivityDisable, int kind) {
  const std::lock_guard<std::mutex> held(lock);
  enabled.erase(kind);
  return 0;
}
PROF_ENTRY(ActivityFlushAll, uint32_t) {
  std::vector<std::vector<uint8_t>> out;
  {
    const std::lock_guard<std::mutex> held(lock);
    out.swap(records);
  }
  for (size_t next = 0; next < out.size();) {
    uint8_t* buffer = nullptr;
    size_t size = 0, most = 0, used = 0;
    give(&buffer, &size, &most);
    if (buffer == nullptr) return 0;
    while (next < out.size() && used + out[next].size() <= size) {
      std::memcpy(buffer + used, out[next].data(), out[next].size());
      used += out[next++].size();
    }
    take(nullptr, 0, buffer, size, used);
  }
  return 0;
}
PROF_ENTRY(ActivityGetNextRecord, uint8_t* buffer, size_t valid, void** record) {
  const auto length = [](const uint8_t* at) {
    uint32_t kind = 0;
    std::memcpy(&kind, at, sizeof(kind));
    return bytes_of(static_cast<int>(kind));
  };
  auto* at = static_cast<uint8_t*>(*record);
  at = at == nullptr ? buffer : at + length(at);
  if (at >= buffer + valid) return kEnd;
  *record = at;
  return 0;
}
PROF_ENTRY(ActivityGetNumDroppedRecords, void*, uint32_t, size_t* n) {
  *n = static_cast<size_t>(standin::setting("profiler_drops"));
  return 0;
}
PROF_ENTRY(ActivityPushExternalCorrelationId, int, uint64_t number) {
  numbers.push_back(number);
  return 0;
}
PROF_ENTRY(ActivityPopExternalCorrelationId, int, uint64_t* last) {
  if (numbers.empty()) return kInvalid;
  *last = numbers.back();
  numbers.pop_back();
  return 0;
}
PROF_ENTRY(GetTimestamp, uint64_t* ns) {
  *ns = standin::device_now_ns() + kAheadNs;
  return 0;
}
PROF_ENTRY(GetResultString, int code, const char** text) {
  *text = code == kBusy ? "another profiler is at work" : code == 35 ? "insufficient privileges" : "invalid";
  return 0;
}

}  // extern "C"
