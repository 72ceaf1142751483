#include "adapters/gpu/range_counters.h"

#include <cstring>

#include ASSAY_GPU_VENDOR_HEADER
#include "adapters/gpu/range_params.h"

namespace assay::gpu {

namespace {

using namespace range_params;

#define ASSAY_GPU_RANGES(X)                \
  X(ProfilerInitialize, Profiler)          \
  X(ProfilerDeInitialize, Profiler)        \
  X(DeviceGetChipName, ChipName)           \
  X(GetCounterAvailability, Availability)  \
  X(HostInitialize, HostStart)             \
  X(HostDeinitialize, HostEnd)             \
  X(HostGetMetricProperties, Properties)   \
  X(HostConfigAddMetrics, AddMetrics)      \
  X(HostGetConfigImageSize, ConfigSize)    \
  X(HostGetConfigImage, Config)            \
  X(HostEvaluateToGpuValues, Evaluate)     \
  X(RangeEnable, Enable)                   \
  X(RangeDisable, Ranges)                  \
  X(RangeGetCounterDataSize, DataSize)     \
  X(RangeCounterDataInitialize, DataStart) \
  X(RangeSetConfig, SetUp)                 \
  X(RangeStart, Ranges)                    \
  X(RangeStop, Stop)                       \
  X(RangePush, Push)                       \
  X(RangePop, Ranges)                      \
  X(RangeDecodeData, Decode)               \
  X(RangeGetCounterDataInfo, DataInfo)     \
  X(RangeGetRangeInfo, RangeInfo)

constexpr RangeMetric kMetrics[] = {{"dram__bytes_read.sum", "byte"},
                                    {"dram__bytes_write.sum", "byte"},
                                    {"sm__pipe_tensor_cycles_active.avg.pct_of_peak_sustained_active", "percent"},
                                    {"sm__warps_active.avg.pct_of_peak_sustained_active", "percent"}};
constexpr int kMostPasses = 64;

class CuptiRanges final : public RangeCounters {
 public:
  explicit CuptiRanges(const Library& library) {
    const auto load = [&](auto*& function, const char* name) {
      void* symbol = library.find(name);
      std::memcpy(&function, &symbol, sizeof(symbol));
      if (symbol == nullptr) throw Failure(ASSAY_UNSUPPORTED, library.name() + " lacks " + name);
    };
#define ASSAY_GPU_LOAD(name, Struct) load(name, GPU_TEXT(gpuprof##name));
    ASSAY_GPU_RANGES(ASSAY_GPU_LOAD)
#undef ASSAY_GPU_LOAD
    void* symbol = library.find(GPU_TEXT(gpuprofGetResultString));
    std::memcpy(&result_string_, &symbol, sizeof(symbol));
  }
  CuptiRanges(const CuptiRanges&) = delete;
  CuptiRanges& operator=(const CuptiRanges&) = delete;
  ~CuptiRanges() override { close(); }

  Counted count(uint32_t device, void* context, size_t most_ranges, const std::function<void()>& pass) override {
    try {
      open(device, context, most_ranges);
      run(pass);
      Counted out = values();
      close();
      return out;
    } catch (...) {
      close();
      throw;
    }
  }

  void enter(const std::string& range) override {
    Push push{ASSAY_RANGE_SIZE(Push, name), nullptr, ranges_, range.c_str()};
    check(RangePush(&push), "begin a range");
  }
  void leave() override {
    Ranges pop = of_ranges();
    check(RangePop(&pop), "end a range");
  }

 private:
// NOLINTNEXTLINE(bugprone-macro-parentheses): a declarator
#define ASSAY_GPU_MEMBER(name, Struct) int (*name)(Struct*) = nullptr;
  ASSAY_GPU_RANGES(ASSAY_GPU_MEMBER)
#undef ASSAY_GPU_MEMBER

  void check(int code, const char* what) const {
    if (code == 0) return;
    const char* text = nullptr;
    const bool told = result_string_ != nullptr && result_string_(code, &text) == 0 && text != nullptr;
    std::string reason =
        std::string("hardware counters: ") + what + ": " + (told ? text : "error") + " (" + std::to_string(code) + ")";
    if (code == kInsufficientPrivileges) reason += ": the driver gives them to its administrator alone";
    throw Failure(ASSAY_UNSUPPORTED, reason);
  }

  [[nodiscard]] Ranges of_ranges() const { return {ASSAY_RANGE_SIZE(Ranges, ranges), nullptr, ranges_}; }
  [[nodiscard]] const char** names() { return names_.data(); }

  void open(uint32_t device, void* context, size_t most_ranges) {
    Profiler profiler{ASSAY_RANGE_SIZE(Profiler, reserved), nullptr};
    check(ProfilerInitialize(&profiler), "initialise");
    initialised_ = true;
    ChipName chip{ASSAY_RANGE_SIZE(ChipName, name), nullptr, device, nullptr};
    check(DeviceGetChipName(&chip), "name of the chip");
    // Refused first where counters are not for this process.
    Availability available{ASSAY_RANGE_SIZE(Availability, image), nullptr, context, 0, nullptr};
    check(GetCounterAvailability(&available), "which there are");
    available_.resize(available.image_bytes);
    available.image = available_.data();
    check(GetCounterAvailability(&available), "which there are");
    HostStart host{ASSAY_RANGE_SIZE(HostStart, host), nullptr, kRangeProfiler, chip.name, available_.data(), nullptr};
    check(HostInitialize(&host), "host side");
    host_ = host.host;
    configure();

    Enable enable{ASSAY_RANGE_SIZE(Enable, ranges), nullptr, context, nullptr};
    check(RangeEnable(&enable), "enable");
    ranges_ = enable.ranges;
    DataSize data{ASSAY_RANGE_SIZE(DataSize, bytes),  nullptr, ranges_, names(), names_.size(), most_ranges,
                  static_cast<uint32_t>(most_ranges), 0};
    check(RangeGetCounterDataSize(&data), "size of the data");
    data_.assign(data.bytes, 0);
    DataStart start{ASSAY_RANGE_SIZE(DataStart, data), nullptr, ranges_, data_.size(), data_.data()};
    check(RangeCounterDataInitialize(&start), "memory for the data");
    SetUp set{};
    set.size = ASSAY_RANGE_SIZE(SetUp, level);
    set.ranges = ranges_;
    set.config_bytes = config_.size();
    set.config = config_.data();
    set.data_bytes = data_.size();
    set.data = data_.data();
    set.range = kUserRange;
    set.replay = kUserReplay;
    set.most_ranges = most_ranges;
    set.levels = set.lowest_level = set.level = 1;
    check(RangeSetConfig(&set), "set up");
  }

  // Metrics that the chip has, scheduled.
  void configure() {
    metrics_.clear();
    names_.clear();
    missing_.clear();
    for (const RangeMetric& metric : kMetrics) {
      Properties properties{};
      properties.size = ASSAY_RANGE_SIZE(Properties, type);
      properties.host = host_;
      properties.metric = metric.name;
      if (HostGetMetricProperties(&properties) != 0) {
        missing_ += (missing_.empty() ? "" : ", ") + std::string(metric.name);
        continue;
      }
      metrics_.push_back(metric);
      names_.push_back(metric.name);
    }
    if (metrics_.empty()) throw Failure(ASSAY_UNSUPPORTED, "hardware counters: the chip has none of " + missing_);
    AddMetrics add{ASSAY_RANGE_SIZE(AddMetrics, n), nullptr, host_, names(), names_.size()};
    check(HostConfigAddMetrics(&add), "choose");
    ConfigSize size{ASSAY_RANGE_SIZE(ConfigSize, bytes), nullptr, host_, 0};
    check(HostGetConfigImageSize(&size), "size of the schedule");
    config_.assign(size.bytes, 0);
    Config config{ASSAY_RANGE_SIZE(Config, image), nullptr, host_, config_.size(), config_.data()};
    check(HostGetConfigImage(&config), "schedule");
  }

  void run(const std::function<void()>& pass) {
    for (int i = 0; i < kMostPasses; ++i) {
      Ranges start = of_ranges();
      check(RangeStart(&start), "start");
      pass();
      Stop stop{};
      stop.size = ASSAY_RANGE_SIZE(Stop, all_passes);
      stop.ranges = ranges_;
      check(RangeStop(&stop), "stop");
      if (stop.all_passes != 0) return;
    }
    throw Failure(ASSAY_UNSUPPORTED,
                  "hardware counters: not all read after " + std::to_string(kMostPasses) + " passes");
  }

  Counted values() {
    Decode decode{ASSAY_RANGE_SIZE(Decode, dropped), nullptr, ranges_, 0};
    check(RangeDecodeData(&decode), "read");
    if (decode.dropped > 0) {
      throw Failure(ASSAY_INTERNAL, "hardware counters: " + std::to_string(decode.dropped) + " ranges were lost");
    }
    DataInfo info{ASSAY_RANGE_SIZE(DataInfo, n), nullptr, data_.data(), data_.size(), 0};
    check(RangeGetCounterDataInfo(&info), "number of ranges");
    Counted out;
    out.metrics = metrics_;
    out.missing = missing_;
    for (size_t i = 0; i < info.n; ++i) {
      RangeInfo range{ASSAY_RANGE_SIZE(RangeInfo, name), nullptr, data_.data(), data_.size(), i, "/", nullptr};
      check(RangeGetRangeInfo(&range), "name of a range");
      Values values{range.name == nullptr ? "" : range.name, std::vector<double>(names_.size())};
      Evaluate evaluate{ASSAY_RANGE_SIZE(Evaluate, values),
                        nullptr,
                        host_,
                        data_.data(),
                        data_.size(),
                        i,
                        names(),
                        names_.size(),
                        values.of.data()};
      check(HostEvaluateToGpuValues(&evaluate), "values");
      out.ranges.push_back(std::move(values));
    }
    return out;
  }

  void close() {
    Ranges ranges = of_ranges();
    if (ranges_ != nullptr) RangeDisable(&ranges);
    ranges_ = nullptr;
    HostEnd host{ASSAY_RANGE_SIZE(HostEnd, host), nullptr, host_};
    if (host_ != nullptr) HostDeinitialize(&host);
    host_ = nullptr;
    Profiler profiler{ASSAY_RANGE_SIZE(Profiler, reserved), nullptr};
    if (initialised_) ProfilerDeInitialize(&profiler);
    initialised_ = false;
  }

  int (*result_string_)(int, const char**) = nullptr;
  bool initialised_ = false;
  void *host_ = nullptr, *ranges_ = nullptr;
  std::vector<uint8_t> available_, config_, data_;
  std::vector<RangeMetric> metrics_;
  std::vector<const char*> names_;
  std::string missing_;
};

}  // namespace

std::unique_ptr<RangeCounters> RangeCounters::load(const std::string& folder, std::string* why) {
  const Library library({GPU_PROFILER_LIBRARIES}, folder);
  if (!library.loaded()) {
    *why = library.why();
    return nullptr;
  }
  try {
    return std::make_unique<CuptiRanges>(library);
  } catch (const Failure& failure) {
    *why = failure.what();
    return nullptr;
  }
}

}  // namespace assay::gpu
