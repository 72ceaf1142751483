// The vendor's range profiler in CUPTI's shape: parameters are read at the places and by the sizes that toolkit 13.0's
// headers give them, calls only in their order. What it counts: each kernel that runs within a range moves as many
// bytes as the test says; the other two counters are what the test says.
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include ASSAY_GPU_VENDOR_HEADER
#include "tests/standin/export.h"

namespace {

constexpr int kInvalid = 1, kNoContext = 3, kOrder = 7, kNoMetric = 17, kPrivileges = 35, kUnknown = 999;

struct Range {
  std::string name;
  int64_t kernels = 0;
};
// What has been done, in the order in which it must be.
enum Stage { kNothing, kInitialised, kAvailable, kHost, kChosen, kScheduled, kEnabled, kSized, kReady, kSet, kRead };
Stage stage = kNothing;
bool started = false, inside = false;
int64_t passes = 0;
size_t most = 0, dropped = 0;
std::vector<Range> ranges, first_pass;
char host_object, range_object;

template <typename T>
T& at(void* parameters, size_t place) {
  return *reinterpret_cast<T*>(static_cast<char*>(parameters) + place);
}

// Parameters of that size, where the calls before were made.
int begin(void* parameters, size_t size, bool in_order) {
  if (parameters == nullptr || at<size_t>(parameters, 0) != size || at<void*>(parameters, 8) != nullptr)
    return kInvalid;
  return in_order ? 0 : kOrder;
}

int next(void* parameters, size_t size, Stage before, Stage after) {
  const int code = begin(parameters, size, stage == before);
  if (code == 0) stage = after;
  return code;
}

bool known(const std::string& metric) {
  if (metric.rfind("dram__bytes_", 0) == 0) return standin::setting("no_dram_counters") == 0;
  return metric == "sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active" ||
         metric == "sm__warps_active.avg.pct_of_peak_sustained_active";
}

double value_of(const Range& range, const std::string& metric) {
  const auto kernels = static_cast<double>(range.kernels);
  const auto setting = [](const char* key) { return static_cast<double>(standin::setting(key)); };
  if (metric == "dram__bytes_read.sum") return kernels * setting("kernel_read_bytes");
  if (metric == "dram__bytes_write.sum") return kernels * setting("kernel_write_bytes");
  return metric.rfind("sm__pipe", 0) == 0 ? setting("tensor_percent") : setting("warps_percent");
}

}  // namespace

namespace standin {
void ran_in_range() {
  if (inside) ++ranges.back().kernels;
}
}  // namespace standin

#define RANGE_ENTRY(name) ENTRY_AS(gpuprof##name, standin_prof_##name, void* p)

extern "C" {

ENTRY_AS(gpuCtxGetCurrent, standin_current, void** context) {
  *context = &range_object;
  return 0;
}

RANGE_ENTRY(ProfilerInitialize) { return next(p, 16, kNothing, kInitialised); }
RANGE_ENTRY(ProfilerDeInitialize) {
  const bool closed = !started && stage <= kInitialised;
  stage = kNothing;
  return begin(p, 16, closed);
}
RANGE_ENTRY(DeviceGetChipName) {
  at<const char*>(p, 24) = "GH100";
  return begin(p, 32, stage >= kInitialised);
}
RANGE_ENTRY(GetCounterAvailability) {
  if (standin::setting("counters_refused") != 0) return kPrivileges;
  if (at<void*>(p, 16) != &range_object) return kNoContext;
  if (at<void*>(p, 32) == nullptr) {
    at<size_t>(p, 24) = 8;
    return begin(p, 40, stage == kInitialised);
  }
  std::memset(at<uint8_t*>(p, 32), 0x5a, at<size_t>(p, 24));
  return next(p, 40, kInitialised, kAvailable);
}
RANGE_ENTRY(HostInitialize) {
  const bool whole =
      at<int>(p, 16) == 0 && std::string(at<const char*>(p, 24)) == "GH100" && at<uint8_t*>(p, 32)[0] == 0x5a;
  at<void*>(p, 40) = &host_object;
  return whole ? next(p, 48, kAvailable, kHost) : kInvalid;
}
RANGE_ENTRY(HostDeinitialize) {
  stage = kInitialised;
  return begin(p, 24, at<void*>(p, 16) == &host_object);
}
RANGE_ENTRY(HostGetMetricProperties) {
  const int code = begin(p, 60, stage >= kHost);
  return code == 0 && !known(at<const char*>(p, 24)) ? kNoMetric : code;
}
RANGE_ENTRY(HostConfigAddMetrics) {
  for (size_t i = 0; i < at<size_t>(p, 32); ++i) {
    if (!known(at<const char**>(p, 24)[i])) return kNoMetric;
  }
  return next(p, 40, kHost, kChosen);
}
RANGE_ENTRY(HostGetConfigImageSize) {
  at<size_t>(p, 24) = 4;
  return begin(p, 32, stage == kChosen);
}
RANGE_ENTRY(HostGetConfigImage) {
  if (at<size_t>(p, 24) != 4) return kInvalid;
  std::memcpy(at<uint8_t*>(p, 32), "plan", 4);
  return next(p, 40, kChosen, kScheduled);
}
RANGE_ENTRY(RangeEnable) {
  if (at<void*>(p, 16) != &range_object) return kNoContext;
  at<void*>(p, 24) = &range_object;
  return next(p, 32, kScheduled, kEnabled);
}
RANGE_ENTRY(RangeDisable) {
  stage = kScheduled;
  started = inside = false;
  return begin(p, 24, at<void*>(p, 16) == &range_object);
}
RANGE_ENTRY(RangeGetCounterDataSize) {
  if (at<uint32_t>(p, 48) < at<size_t>(p, 40)) return kInvalid;
  at<size_t>(p, 56) = 16 * at<size_t>(p, 40);
  return next(p, 64, kEnabled, kSized);
}
RANGE_ENTRY(RangeCounterDataInitialize) { return next(p, 40, kSized, kReady); }
RANGE_ENTRY(RangeSetConfig) {
  const bool whole = at<size_t>(p, 24) == 4 && std::memcmp(at<uint8_t*>(p, 32), "plan", 4) == 0 &&
                     at<uint32_t>(p, 56) == 2 && at<uint32_t>(p, 60) == 3 && at<uint16_t>(p, 72) == 1 &&
                     at<uint16_t>(p, 74) == 1 && at<size_t>(p, 80) == 0 && at<uint16_t>(p, 88) == 1;
  most = at<size_t>(p, 64);
  passes = 0;
  first_pass.clear();
  return whole ? next(p, 90, kReady, kSet) : kInvalid;
}
RANGE_ENTRY(RangeStart) {
  const int code = begin(p, 24, stage == kSet && !started);
  if (code != 0) return code;
  started = true;
  dropped = 0;
  ranges.clear();
  return 0;
}
// All passes do the same work, or what they add up to means nothing.
RANGE_ENTRY(RangeStop) {
  const int code = begin(p, 41, started && !inside);
  if (code != 0) return code;
  started = false;
  if (passes == 0) first_pass = ranges;
  bool same = ranges.size() == first_pass.size();
  for (size_t i = 0; same && i < ranges.size(); ++i) {
    same = ranges[i].name == first_pass[i].name && ranges[i].kernels == first_pass[i].kernels;
  }
  at<uint8_t>(p, 40) = static_cast<uint8_t>(++passes > standin::setting("more_passes"));
  return same ? 0 : kUnknown;
}
RANGE_ENTRY(RangePush) {
  const int code = begin(p, 32, started && !inside);
  if (code != 0) return code;
  inside = true;
  ranges.push_back({at<const char*>(p, 24)});
  return 0;
}
RANGE_ENTRY(RangePop) {
  const int code = begin(p, 24, inside);
  inside = false;
  return code;
}
RANGE_ENTRY(RangeDecodeData) {
  for (; ranges.size() > most; ++dropped) ranges.pop_back();
  at<size_t>(p, 24) = dropped;
  return passes > standin::setting("more_passes") ? next(p, 32, kSet, kRead) : kOrder;
}
RANGE_ENTRY(RangeGetCounterDataInfo) {
  at<size_t>(p, 32) = ranges.size();
  return begin(p, 40, stage == kRead);
}
RANGE_ENTRY(RangeGetRangeInfo) {
  const auto range = at<size_t>(p, 32);
  if (range >= ranges.size()) return kInvalid;
  at<const char*>(p, 48) = ranges[range].name.c_str();
  return begin(p, 56, stage == kRead);
}
RANGE_ENTRY(HostEvaluateToGpuValues) {
  const auto range = at<size_t>(p, 40);
  if (range >= ranges.size()) return kInvalid;
  for (size_t i = 0; i < at<size_t>(p, 56); ++i) {
    at<double*>(p, 64)[i] = value_of(ranges[range], at<const char**>(p, 48)[i]);
  }
  return begin(p, 72, stage == kRead);
}

}  // extern "C"
