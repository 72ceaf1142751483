#include "harness/measure/host_noise.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "harness/measure/affinity.h"
#include "harness/measure/clock.h"
#include "harness/measure/cpu_time.h"
#include "harness/measure/files.h"
#include "harness/measure/noise_judge.h"
#include "harness/measure/periodic.h"

namespace assay {
namespace {

constexpr uint64_t kSlowLookNs = 1'000'000'000;  // /proc/stat and new threads: once a second
constexpr size_t kMaxLateness = 1u << 20;

uint64_t percentile(std::vector<uint64_t> values, double p) {  // nearest rank
  const auto rank = static_cast<size_t>(std::lround(p * static_cast<double>(values.size() - 1)));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(rank), values.end());
  return values[rank];
}

// Everything that the sampler's thread writes; read by others only before it starts and after it has ended.
class TimedSampler {
 public:
  TimedSampler(const SystemRoot& root, std::vector<int> cpus) : root_(root), cpus_(std::move(cpus)) {
    lateness_.reserve(4096);
    part_.gaps.reserve(256);
  }
  ~TimedSampler() {
    if (own_fd_ >= 0) close(own_fd_);
  }
  TimedSampler(const TimedSampler&) = delete;
  TimedSampler& operator=(const TimedSampler&) = delete;

  void tick(uint64_t deadline_ns, uint64_t woken_ns) {
    if (deadline_ns == 0) {
      begin();
      return;
    }
    ++part_.wakes;
    note_lateness(deadline_ns, woken_ns);
    note_waits(woken_ns);
    if (woken_ns - slow_ns_ >= kSlowLookNs) slow_look(woken_ns);
  }

  // After the thread has ended.
  TimedPart finish(uint64_t sampler_cpu_ns) {
    if (!waits_) return part_;  // the thread never ran
    const uint64_t now = now_ns();
    waits_->rescan();
    const ThreadWaits::Sum sum = waits_->poll();
    part_.window_ns = now - begin_ns_;
    const auto window = static_cast<double>(part_.window_ns);
    part_.tick_share = static_cast<double>(tick_ns()) / window;
    if (waits_->available() && sum.run_ns + sum.wait_ns > 0) {
      part_.run_queue_wait_share = static_cast<double>(sum.wait_ns) / static_cast<double>(sum.run_ns + sum.wait_ns);
    }
    const OwnUse use = own_use();
    part_.involuntary_switches = use.involuntary_switches - begin_use_.involuntary_switches;
    const Result<CpuTicks> ticks = read_cpu_ticks(root_, cpus_);
    if (ticks && begin_ticks_) {
      shares(*begin_ticks_, *ticks, use.cpu_ns - begin_use_.cpu_ns, window, part_.steal_share, part_.foreign_share);
    }
    // A run of under a second has one window: itself.
    raise(part_.steal_share_max_1s, part_.steal_share);
    raise(part_.foreign_share_max_1s, part_.foreign_share);
    if (!lateness_.empty()) {
      part_.lateness_p50_ns = percentile(lateness_, 0.50);
      part_.lateness_p99_ns = percentile(lateness_, 0.99);
      part_.lateness_max_ns = *std::max_element(lateness_.begin(), lateness_.end());
    }
    part_.sampler_cpu_share = static_cast<double>(sampler_cpu_ns) / window;
    return part_;
  }

 private:
  void begin() {
    waits_.emplace(root_, gettid());
    own_fd_ = open(below(root_, "proc/thread-self/schedstat").c_str(), O_RDONLY | O_CLOEXEC);
    if (own_fd_ >= 0) own_wait_ = read_schedstat(own_fd_);
    if (const Result<CpuTicks> ticks = read_cpu_ticks(root_, cpus_)) begin_ticks_ = slow_ticks_ = *ticks;
    begin_use_ = slow_use_ = own_use();
    begin_ns_ = slow_ns_ = tick_ns_ = now_ns();
  }

  void add_gap(uint64_t start_ns, uint64_t length_ns) {
    if (part_.gaps.size() < kMaxHostGaps) {
      part_.gaps.push_back({start_ns, length_ns});
    } else {
      ++part_.gaps_dropped;
    }
  }

  // Lateness that this machine's own run queue explains is our threads' doing, not the host's: it is taken off.
  void note_lateness(uint64_t deadline_ns, uint64_t woken_ns) {
    if (!own_wait_) return;
    const auto now = read_schedstat(own_fd_);
    if (!now) return;
    const uint64_t queued = now->wait_ns - own_wait_->wait_ns;
    own_wait_ = now;
    const uint64_t late = woken_ns > deadline_ns ? woken_ns - deadline_ns : 0;
    const uint64_t host = late > queued ? late - queued : 0;
    if (lateness_.size() < kMaxLateness) lateness_.push_back(host);
    if (host < noise_limits::kLateWakeGapNs) return;
    ++part_.late_wakes;
    add_gap(deadline_ns, host);
  }

  void note_waits(uint64_t woken_ns) {
    const uint64_t waited = waits_->poll().wait_ns;
    const uint64_t since = waited - waited_;
    // The kernel books a wait when it ends, so it may have begun before this period.
    if (since >= noise_limits::kRunQueueGapNs) {
      const uint64_t length = std::max(woken_ns - tick_ns_, std::min(since, woken_ns - begin_ns_));
      add_gap(woken_ns - length, length);
    }
    waited_ = waited;
    tick_ns_ = woken_ns;
  }

  void slow_look(uint64_t woken_ns) {
    waits_->rescan();
    const OwnUse use = own_use();
    if (const Result<CpuTicks> ticks = read_cpu_ticks(root_, cpus_); ticks && slow_ticks_) {
      std::optional<double> steal, foreign;
      shares(*slow_ticks_, *ticks, use.cpu_ns - slow_use_.cpu_ns, static_cast<double>(woken_ns - slow_ns_), steal,
             foreign);
      raise(part_.steal_share_max_1s, steal);
      raise(part_.foreign_share_max_1s, foreign);
      slow_ticks_ = *ticks;
    }
    slow_use_ = use;
    slow_ns_ = woken_ns;
  }

  static void raise(std::optional<double>& top, const std::optional<double>& value) {
    if (value) top = std::max(top.value_or(0), *value);
  }

  void shares(const CpuTicks& from, const CpuTicks& to, uint64_t own_ns, double window_ns, std::optional<double>& steal,
              std::optional<double>& foreign) const {
    const double capacity = window_ns * static_cast<double>(cpus_.size());
    if (capacity <= 0) return;
    steal = static_cast<double>(to.steal_ns - from.steal_ns) / capacity;
    const double busy = static_cast<double>(to.busy_ns - from.busy_ns);
    foreign = std::max(0.0, busy - static_cast<double>(own_ns)) / capacity;
  }

  SystemRoot root_;
  std::vector<int> cpus_;
  TimedPart part_;
  std::vector<uint64_t> lateness_;
  std::optional<ThreadWaits> waits_;
  int own_fd_ = -1;
  std::optional<ThreadWaits::Sum> own_wait_;
  uint64_t waited_ = 0, begin_ns_ = 0, slow_ns_ = 0, tick_ns_ = 0;
  std::optional<CpuTicks> begin_ticks_, slow_ticks_;
  OwnUse begin_use_, slow_use_;
};

}  // namespace

SpinGaps spin_gaps(uint64_t window_ns, uint64_t threshold_ns) {
  constexpr size_t kMaxGaps = 1u << 16;
  std::vector<uint64_t> gaps;
  gaps.reserve(kMaxGaps);  // before the loop: a page fault would be a gap of our own making
  SpinGaps found;
  const uint64_t begin = now_ns();
  uint64_t last = begin;
  while (last - begin < window_ns) {
    const uint64_t now = now_ns();
    const uint64_t step = now - last;
    last = now;
    if (step <= threshold_ns) continue;
    ++found.count;
    found.lost_ns += step;
    found.max_ns = std::max(found.max_ns, step);
    if (gaps.size() < kMaxGaps) gaps.push_back(step);
  }
  found.window_ns = last - begin;
  if (!gaps.empty()) found.p99_ns = percentile(std::move(gaps), 0.99);
  return found;
}

struct HostNoise::State {
  HostNoiseOptions options;
  std::vector<int> cpus;
  int spin_cpu = -1;
  NoiseMeasured measured;
  std::unique_ptr<TimedSampler> sampler;
  PeriodicThread thread;  // last: it ends before what it writes to does
};

HostNoise::HostNoise(HostNoiseOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  if (const Result<std::vector<int>> cpus = allowed_cpus()) state_->cpus = *cpus;
}

HostNoise::~HostNoise() = default;

void HostNoise::before(int cpu) {
  state_->spin_cpu = cpu;
  const ScopedPin pin(cpu);
  state_->measured.gaps_before = spin_gaps(state_->options.spin_ns);
  state_->measured.mhz_before = measure_clock_mhz();
}

void HostNoise::start() {
  stop();
  state_->sampler = std::make_unique<TimedSampler>(state_->options.root, state_->cpus);
  TimedSampler* sampler = state_->sampler.get();
  const bool running = state_->thread.start(
      state_->options.period_ns, state_->cpus,
      [sampler](uint64_t deadline_ns, uint64_t woken_ns) { sampler->tick(deadline_ns, woken_ns); });
  if (!running) state_->sampler.reset();
}

void HostNoise::stop() {
  if (!state_->sampler) return;
  state_->thread.stop();
  state_->measured.timed = state_->sampler->finish(state_->thread.cpu_ns());
  state_->sampler.reset();
}

void HostNoise::after() {
  const ScopedPin pin(state_->spin_cpu);
  state_->measured.gaps_after = spin_gaps(state_->options.spin_ns);
  state_->measured.mhz_after = measure_clock_mhz();
}

NoiseReport HostNoise::report(uint64_t samples_zero_ns, double host_share) const {
  NoiseMeasured measured = state_->measured;
  measured.host_share = host_share;
  return judge_noise(measured, samples_zero_ns);
}

}  // namespace assay
