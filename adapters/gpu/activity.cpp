#include "adapters/gpu/activity.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/gpu/activity_records.h"

namespace assay::gpu {

namespace {

using namespace activity_records;

#define ASSAY_GPU_PROFILER(X)                                                                     \
  X(ActivityRegisterCallbacks, int,                                                               \
    (void (*)(uint8_t**, size_t*, size_t*), void (*)(void*, uint32_t, uint8_t*, size_t, size_t))) \
  X(ActivityEnable, int, (int kind))                                                              \
  X(ActivityDisable, int, (int kind))                                                             \
  X(ActivityFlushAll, int, (uint32_t))                                                            \
  X(ActivityGetNextRecord, int, (uint8_t*, size_t, void**))                                       \
  X(ActivityGetNumDroppedRecords, int, (void*, uint32_t, size_t*))                                \
  X(ActivityPushExternalCorrelationId, int, (int kind, uint64_t))                                 \
  X(ActivityPopExternalCorrelationId, int, (int kind, uint64_t*))                                 \
  X(GetTimestamp, int, (uint64_t*))                                                               \
  X(GetResultString, int, (int, const char**))

// Launches of the driver and the runtime are recorded only because without them no launch gets its call's number.
constexpr int kKinds[] = {kKernel, kMemcpy, kMemset, kExternalCorrelation, kDriver, kRuntime};
constexpr int kCustom = 3;  // a kind of numbers that no tool uses itself
constexpr uint32_t kForced = 1;
constexpr size_t kBufferBytes = size_t{4} << 20, kBufferAlign = 8;
constexpr int kClockTries = 16;

// The profiler hands over filled buffers on a thread of its own, without saying for whom.
struct Filled {
  std::vector<uint8_t> bytes;
  void* context = nullptr;
  uint32_t stream = 0;
};
std::mutex lock;
std::vector<Filled> filled;
std::atomic<uint64_t> unkept{0};  // buffers that there was no memory for

void give_buffer(uint8_t** buffer, size_t* size, size_t* most) {
  *buffer = static_cast<uint8_t*>(std::aligned_alloc(kBufferAlign, kBufferBytes));
  *size = *buffer == nullptr ? 0 : kBufferBytes;
  *most = 0;  // as many as fit
}

void take_buffer(void* context, uint32_t stream, uint8_t* buffer, size_t /*size*/, size_t valid) {
  try {
    const std::lock_guard<std::mutex> held(lock);
    filled.push_back({{buffer, buffer + valid}, context, stream});
  } catch (const std::exception&) {  // out of memory: how many records it held, nobody knows
    ++unkept;
  }
  std::free(buffer);
}

class Cupti final : public Activity {
 public:
  explicit Cupti(const Library& library) {
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr) throw Failure(ASSAY_UNSUPPORTED, library.name() + " lacks " + name);
    };
#define ASSAY_GPU_LOAD(name, result, parameters) load(name, GPU_TEXT(gpuprof##name));
    ASSAY_GPU_PROFILER(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
  }

  std::string start(const sdk::Host& host) override {
    {
      const std::lock_guard<std::mutex> held(lock);
      filled.clear();
      unkept = 0;
    }
    int code = ActivityRegisterCallbacks(give_buffer, take_buffer);
    for (size_t i = 0; code == 0 && i < std::size(kKinds); ++i) code = ActivityEnable(kKinds[i]);
    if (code == 0) code = match_clocks(host);
    if (code == 0) return "";
    disable();
    const char* text = nullptr;
    const bool told = GetResultString(code, &text) == 0 && text != nullptr;
    return std::string(told ? text : "error") + " (" + std::to_string(code) + ")";
  }

  void begin_call(uint64_t call) override { ActivityPushExternalCorrelationId(kCustom, call); }
  void end_call() override {
    uint64_t last = 0;
    ActivityPopExternalCorrelationId(kCustom, &last);
  }

  std::vector<ActivityRecord> stop(uint64_t* dropped) override {
    ActivityFlushAll(kForced);
    disable();
    const std::lock_guard<std::mutex> held(lock);
    std::vector<ActivityRecord> out;
    std::vector<uint32_t> correlations;
    std::map<uint32_t, uint64_t> calls;
    for (Filled& buffer : filled) {
      read(buffer, &out, &correlations, &calls);
      size_t lost = 0;
      if (ActivityGetNumDroppedRecords(buffer.context, buffer.stream, &lost) == 0) *dropped += lost;
    }
    filled.clear();
    *dropped += unkept;
    for (size_t i = 0; i < out.size(); ++i) {
      const auto found = calls.find(correlations[i]);
      if (out[i].launch != 0) {
        out[i].launch = correlations[i];
      } else if (found != calls.end()) {
        out[i].call = found->second;
      }
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const ActivityRecord& a, const ActivityRecord& b) { return a.begin_ns < b.begin_ns; });
    return out;
  }

 private:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, result, parameters) result(*name) parameters = nullptr;
  ASSAY_GPU_PROFILER(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  void disable() {
    for (const int kind : kKinds) ActivityDisable(kind);
  }

  // The profiler's clock and the host's, read together: the closest pair counts.
  int match_clocks(const sdk::Host& host) {
    uint64_t narrowest = ~uint64_t{0};
    for (int i = 0; i < kClockTries; ++i) {
      uint64_t theirs = 0;
      const uint64_t before = host.now_ns();
      if (const int code = GetTimestamp(&theirs); code != 0) return code;
      const uint64_t after = host.now_ns();
      if (after - before >= narrowest) continue;
      narrowest = after - before;
      ahead_ns_ = static_cast<int64_t>(theirs) - static_cast<int64_t>(before + narrowest / 2);
    }
    return 0;
  }

  [[nodiscard]] uint64_t host_ns(uint64_t theirs) const {
    return static_cast<uint64_t>(static_cast<int64_t>(theirs) - ahead_ns_);
  }

  void read(Filled& buffer, std::vector<ActivityRecord>* out, std::vector<uint32_t>* correlations,
            std::map<uint32_t, uint64_t>* calls) const {
    const auto add = [&](const auto& r, const char* name, uint32_t kind, uint64_t bytes) {
      out->push_back({host_ns(r.start), host_ns(r.end), 0, r.graph_node, name, kind, bytes});
      correlations->push_back(r.correlation);
    };
    void* record = nullptr;
    while (ActivityGetNextRecord(buffer.bytes.data(), buffer.bytes.size(), &record) == 0) {
      uint32_t kind = 0;
      std::memcpy(&kind, record, sizeof(kind));
      if (kind == kExternalCorrelation) {
        const auto r = as<ExternalCorrelation>(record);
        if (r.external_kind == kCustom) (*calls)[r.correlation] = r.external_id;
      } else if (kind == kKernel) {
        const auto r = as<Kernel>(record);
        add(r, r.name == nullptr ? "?" : r.name, ASSAY_ACTIVITY_KERNEL, 0);
      } else if (kind == kMemcpy) {
        const auto r = as<Memcpy>(record);
        add(r, copy_name(r.copy_kind), ASSAY_ACTIVITY_COPY, r.bytes);
      } else if (kind == kMemset) {
        const auto r = as<Memset>(record);
        add(r, "memset", ASSAY_ACTIVITY_FILL, r.bytes);
      }
    }
  }

  static const char* copy_name(uint8_t kind) {
    return kind == kToDevice ? "copy to device"
           : kind == kToHost ? "copy to host"
                             : (kind == kOnDevice ? "copy on device" : "copy");
  }

  template <typename T>
  static T as(const void* record) {
    T out{};
    std::memcpy(&out, record, sizeof(out));
    return out;
  }

  int64_t ahead_ns_ = 0;
};

}  // namespace

std::unique_ptr<Activity> Activity::load(const std::string& folder, std::string* why) {
  const Library library({GPU_PROFILER_LIBRARIES}, folder);
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  try {
    return std::make_unique<Cupti>(library);
  } catch (const Failure& failure) {
    *why = failure.what();
    return nullptr;
  }
}

}  // namespace assay::gpu
