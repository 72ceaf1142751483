#include "harness/measure/telemetry.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"
#include "harness/measure/periodic.h"
#include "harness/measure/powercap.h"
#include "results/metrics/energy.h"
#include "results/metrics/energy_faults.h"

namespace assay {
namespace {

constexpr uint64_t kMaxIdleNs = 1'000'000'000;  // for the idle watts of a sensor that needs it

const char* scope_name(uint32_t scope) {
  switch (scope) {
    case ASSAY_SCOPE_CHIP:
      return "chip";
    case ASSAY_SCOPE_BOARD:
      return "board";
    case ASSAY_SCOPE_NODE:
      return "node";
    default:
      return "unknown scope";
  }
}

// One source and what it has said. Read by one thread at a time.
class Source {
 public:
  virtual ~Source() = default;
  virtual PowerSample read() = 0;  // t_ns is filled by the caller
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual uint64_t averaging_ns() const { return 0; }

  void sample() {
    const uint64_t begin = now_ns();
    PowerSample s = read();
    s.t_ns = begin + (now_ns() - begin) / 2;
    if (s.energy_j || s.power_w) samples.push_back(s);
  }
  std::vector<PowerSample> samples;
};

class AdapterSource : public Source {
 public:
  AdapterSource(const assay_telemetry_table* table, assay_ctx* ctx, uint32_t device, bool neutral_throttle)
      : table_(table), ctx_(ctx), device_(device), neutral_throttle_(neutral_throttle) {}

  PowerSample read() override {
    assay_telemetry t{};
    t.struct_size = sizeof t;
    PowerSample sample;
    if (table_->read(ctx_, device_, &t) != ASSAY_OK) return sample;
    if (!neutral_throttle_ && (t.valid & ASSAY_T_THROTTLE) != 0) {
      t.valid &= ~uint32_t{ASSAY_T_THROTTLE};
      unread_throttle = unread_throttle || t.throttle != 0;
    }
    if ((t.valid & kConditions) != 0) readings.push_back(reading_of(t));
    if ((t.valid & ASSAY_T_ENERGY) != 0) sample.energy_j = t.energy_j;
    if ((t.valid & ASSAY_T_POWER) != 0) sample.power_w = t.power_w;
    scope_ = t.scope;
    estimated_ = estimated_ || (t.valid & t.estimated & (ASSAY_T_ENERGY | ASSAY_T_POWER)) != 0;
    averaging_ns_ = std::max(averaging_ns_, t.window_ns);
    return sample;
  }
  [[nodiscard]] std::string name() const override {
    return std::string("adapter telemetry (") + scope_name(scope_) + (estimated_ ? ", estimated)" : ")");
  }
  [[nodiscard]] uint64_t averaging_ns() const override { return averaging_ns_; }
  std::vector<DeviceReading> readings;
  bool unread_throttle = false;

 private:
  static constexpr uint32_t kConditions = ASSAY_T_TEMP | ASSAY_T_CORE_MHZ | ASSAY_T_MEM_MHZ | ASSAY_T_THROTTLE;
  static DeviceReading reading_of(const assay_telemetry& t) {
    DeviceReading r;
    r.t_ns = now_ns();
    if ((t.valid & ASSAY_T_TEMP) != 0) r.temp_c = t.temp_c;
    if ((t.valid & ASSAY_T_CORE_MHZ) != 0) r.core_mhz = t.core_mhz;
    if ((t.valid & ASSAY_T_MEM_MHZ) != 0) r.mem_mhz = t.mem_mhz;
    if ((t.valid & ASSAY_T_THROTTLE) != 0) r.throttle = t.throttle;
    return r;
  }

  const assay_telemetry_table* table_;
  assay_ctx* ctx_;
  uint32_t device_, scope_ = ASSAY_SCOPE_CHIP;
  bool neutral_throttle_, estimated_ = false;
  uint64_t averaging_ns_ = 0;
};

class PackageSource : public Source {
 public:
  explicit PackageSource(PackageEnergy energy) : energy_(std::move(energy)) {}

  PowerSample read() override {
    PowerSample sample;
    if (const Result<double> joules = energy_.read_j()) sample.energy_j = *joules;
    return sample;
  }
  [[nodiscard]] std::string name() const override {
    std::string names;
    for (const std::string& zone : energy_.names()) names += (names.empty() ? "" : " + ") + zone;
    return "powercap (" + names + ")";
  }

 private:
  PackageEnergy energy_;
};

// The samples with their window on a clock that begins at the first of them, and what follows from both.
void keep_samples(const std::vector<PowerSample>& samples, uint64_t t0_ns, uint64_t t1_ns, Energy* energy) {
  if (samples.empty()) return;
  const uint64_t origin = std::min(samples.front().t_ns, t0_ns);
  energy->samples = samples;
  for (PowerSample& s : energy->samples) s.t_ns -= origin;
  energy->window_start_ns = t0_ns - origin;
  energy->window_end_ns = t1_ns - origin;
  energy->uncertainty_j = energy_again(*energy).uncertainty_j;
}

}  // namespace

struct TelemetrySampler::State {
  std::vector<int> cpus;
  uint64_t period_ns = 0;
  double power_limit_w = 0;                // of the adapter's device
  std::vector<std::string> looked_for;     // what was looked for in vain, with the reason
  mutable std::mutex mutex;                // guards the source: energy() may be asked while sampling
  std::unique_ptr<AdapterSource> adapter;  // nullptr: the adapter has no sensors
  std::unique_ptr<PackageSource> package;  // nullptr: none, or not asked for
  Source* source = nullptr;                // of power and energy: one of the two, or none
  std::optional<double> idle_w;
  std::string idle_reason;
  bool running = false;
  PeriodicThread thread;  // last: it ends before what it writes to does

  // Takes the candidate for the source if it gives power or energy now.
  void offer(Source& candidate, const std::string& refusal) {
    if (source != nullptr) return;
    candidate.sample();
    if (candidate.samples.empty()) looked_for.push_back(refusal);
    if (!candidate.samples.empty()) source = &candidate;
    candidate.samples.clear();
  }
  [[nodiscard]] double limit_w() const { return source == adapter.get() ? power_limit_w : 0; }
  [[nodiscard]] bool reads_anything() const { return source != nullptr || adapter != nullptr; }
  void sample() {
    const std::lock_guard lock(mutex);
    if (source != nullptr) source->sample();
    if (adapter != nullptr && source != adapter.get()) adapter->sample();
  }
  void clear() {
    const std::lock_guard lock(mutex);
    if (source != nullptr) source->samples.clear();
    if (adapter != nullptr) adapter->readings.clear();
  }
};

TelemetrySampler::TelemetrySampler(const assay_telemetry_table* table, assay_ctx* ctx, uint32_t device,
                                   const TelemetryOptions& options)
    : state_(std::make_unique<State>()) {
  state_->period_ns = std::max(options.period_ns, kMinTelemetryPeriodNs);
  state_->power_limit_w = options.power_limit_w;
  if (const Result<std::vector<int>> cpus = allowed_cpus()) state_->cpus = *cpus;
  if (ASSAY_HAS(table, assay_telemetry_table, read)) {
    state_->adapter = std::make_unique<AdapterSource>(table, ctx, device, options.neutral_throttle);
    state_->offer(*state_->adapter, "adapter telemetry (gives neither power nor energy)");
  } else {
    state_->looked_for.emplace_back("adapter telemetry (the adapter has none)");
  }
  if (!options.cpu_device) return;
  Result<PackageEnergy> package = PackageEnergy::open(options.root);
  if (package) {
    state_->package = std::make_unique<PackageSource>(std::move(*package));
    state_->offer(*state_->package, "powercap (unreadable)");
  } else {
    state_->looked_for.push_back("powercap (" + package.error().message + ")");
  }
}

TelemetrySampler::~TelemetrySampler() = default;

bool TelemetrySampler::has_source() const { return state_->source != nullptr; }

void TelemetrySampler::measure_idle(uint64_t duration_ns) {
  if (!has_source()) return;
  stop();
  state_->source->samples.clear();  // no thread runs now
  Source& source = *state_->source;
  const uint64_t begin = now_ns();
  // No thread runs now. A slow sensor needs longer.
  for (uint64_t at = begin; at <= begin + std::max(duration_ns, kMaxIdleNs); at += state_->period_ns) {
    sleep_until_ns(at);
    state_->sample();
    if (at < begin + duration_ns || source.samples.empty()) continue;
    const Energy energy = energy_of_source(source.name(), source.samples, source.samples.front().t_ns,
                                           source.samples.back().t_ns, source.averaging_ns(), state_->limit_w());
    state_->idle_w = energy.watts_mean;
    state_->idle_reason = energy.reason;
    if (energy.code != energy_code_name(EnergyCode::kTooFew)) break;
  }
  source.samples.clear();
}

void TelemetrySampler::start() {
  if (!state_->reads_anything()) return;
  stop();
  state_->clear();
  state_->sample();  // so that a window which begins now is covered
  State* state = state_.get();
  state_->running = true;
  state_->thread.start(state_->period_ns, state_->cpus, [state](uint64_t, uint64_t) { state->sample(); });
}

void TelemetrySampler::stop() {
  if (!state_->running) return;
  state_->running = false;
  state_->thread.stop();
  state_->sample();
}

Energy TelemetrySampler::energy(uint64_t t0_ns, uint64_t t1_ns) const {
  Energy energy;
  if (!has_source()) {
    std::string names;
    for (const std::string& name : state_->looked_for) names += (names.empty() ? "" : ", ") + name;
    energy.reason = "no energy source; looked for " + names;
    energy.code = energy_code_name(EnergyCode::kNoSource);
    return energy;
  }
  const std::lock_guard lock(state_->mutex);
  const Source& source = *state_->source;
  energy = energy_of_source(source.name(), source.samples, t0_ns, t1_ns, source.averaging_ns(), state_->limit_w());
  // A source that is caught said no better while nothing ran.
  const auto caught = {EnergyCode::kImpossible, EnergyCode::kJump, EnergyCode::kDisagrees};
  if (std::none_of(caught.begin(), caught.end(), [&](EnergyCode c) { return energy.code == energy_code_name(c); }))
    energy.idle_watts = state_->idle_w;
  // A record has no form for readings that can't be.
  const std::vector<PowerSample> sane = sane_around(source.samples, t0_ns, t1_ns);
  if (reading_fault(sane).empty()) keep_samples(sane, t0_ns, t1_ns, &energy);
  if (energy.joules && !state_->idle_w && !state_->idle_reason.empty()) {
    energy.reason = "idle watts absent: " + state_->idle_reason;
  }
  return energy;
}

std::vector<DeviceReading> TelemetrySampler::readings() const {
  const std::lock_guard lock(state_->mutex);
  return state_->adapter == nullptr ? std::vector<DeviceReading>{} : state_->adapter->readings;
}

bool TelemetrySampler::unread_throttle() const {
  const std::lock_guard lock(state_->mutex);
  return state_->adapter != nullptr && state_->adapter->unread_throttle;
}

}  // namespace assay
