// Can its times be believed?
#include <algorithm>
#include <cmath>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

constexpr double kTimedNs = 1e6;            // a step this long is timed well enough
constexpr double kImplausibleFlops = 2e16;  // no chip's f32 rate
constexpr int kTrials = 7;
constexpr uint64_t kPatienceNs = 6'000'000'000;          // how long a busy host is given
constexpr double kLeastSlope = 0.75, kMostSlope = 1.15;  // device time per host time
constexpr double kReadShare = 0.15;                      // of the step, that may not lie in the first read ...
constexpr double kReadNs = 2e5, kReadNoise = 0.1;        // ... beyond what a read, or that share of it, may vary by
constexpr double kReturnNs = 2e6;                        // the shortest step whose reads are compared
constexpr size_t kReturnSizes = 2;
constexpr int64_t kProducts[][3] = {{16, 512, 512},   {64, 512, 512},     {256, 512, 512},   {1024, 512, 512},
                                    {4096, 512, 512}, {4096, 2048, 2048}, {8192, 4096, 4096}};
// Much work and a small output: a read that is slow for its bytes hides nothing.
constexpr int64_t kDeepProducts[][3] = {{16, 512, 512},   {16, 512, 2048},    {64, 512, 2048},
                                        {64, 1024, 4096}, {128, 1024, 16384}, {256, 2048, 32768}};
constexpr int64_t kAdditions[][3] = {{0, 256, 256}, {0, 1024, 1024}, {0, 2048, 2048}, {0, 4096, 4096}};

struct Times {
  double host_ns = 0, device_ns = 0;
  uint32_t clock = ASSAY_CLOCK_NONE;
  uint64_t clock_step_ns = 0;
};

// The fastest of some runs; a stall of the host only ever lengthens one.
Result<Times> fastest(SmallProgram& program, uint32_t repeat, int trials) {
  Times best;
  for (int i = 0; i < trials; ++i) {
    Step step;
    if (Status s = program.run(repeat, &step); !s.ok()) return s.error();
    if (i > 0 && static_cast<double>(step.host_ns) >= best.host_ns) continue;
    best = {static_cast<double>(step.host_ns), static_cast<double>(step.result.device_ns), step.result.device_clock,
            step.result.device_clock_step_ns};
  }
  return best;
}

Result<double> timed_read(SmallProgram& program, uint32_t tensor) {
  const uint64_t begin = program.program().now_ns();
  if (Result<std::vector<uint8_t>> raw = program.read(tensor); !raw.ok()) return raw.error();
  return static_cast<double>(program.program().now_ns() - begin);
}

Result<double> try_work(Bench& bench, Adapter& adapter, const OpCase& c, bool with_read) {
  SmallProgram program(bench, c);
  Status ready = program.prepare(adapter);
  if (ready.ok()) ready = program.write(bench.seed());
  if (!ready.ok()) return ready.error();
  double best = 0;
  for (int i = 0; i < 3; ++i) {
    Step step;
    if (Status s = program.run(1, &step); !s.ok()) return s.error();
    double ns = static_cast<double>(step.host_ns);
    if (with_read) {
      const Result<double> read = timed_read(program, c.graph.ops[0].out[0]);
      if (!read.ok()) return read.error();
      ns += *read;
    }
    best = i == 0 ? ns : std::min(best, ns);
  }
  return best;
}

double ratio_of(double a, double b) { return b > 0 ? a / b : 0; }

struct Range {
  double least, most;
};
constexpr Range kGrowth{1.5, 2.7};   // of twice the work
constexpr Range kRepeats{2.6, 5.4};  // of four steps

// The fastest of a and of b, taken in turn so that a slow moment meets both. On a busy host it takes more rounds until
// both were left alone once; what is out of range by itself stays so.
struct Pair {
  double a = 0, b = 0;
  [[nodiscard]] double ratio() const { return ratio_of(b, a); }
  [[nodiscard]] bool in(const Range& range) const { return ratio() >= range.least && ratio() <= range.most; }
};
template <typename RunA, typename RunB>
Result<Pair> compare(const Range& range, RunA run_a, RunB run_b) {
  Pair pair;
  const uint64_t begin = now_ns();
  for (int round = 0; round < kTrials || (!pair.in(range) && now_ns() - begin < kPatienceNs); ++round) {
    const Result<Times> a = run_a(), b = run_b();
    if (!a.ok()) return a.error();
    if (!b.ok()) return b.error();
    pair.a = round == 0 ? a->host_ns : std::min(pair.a, a->host_ns);
    pair.b = round == 0 ? b->host_ns : std::min(pair.b, b->host_ns);
  }
  return pair;
}

void growth(Bench& bench, Adapter& adapter, const Work& work) {
  const OpCase once = work.make(), twice = work.make(2);
  SmallProgram small(bench, once), large(bench, twice);
  for (SmallProgram* p : {&small, &large}) {
    Status ready = p->prepare(adapter);
    if (ready.ok()) ready = p->write(bench.seed());
    if (ready.ok()) ready = p->run();
    if (!ready.ok()) return bench.fail(ready.error().message);
  }
  const Result<Pair> pair = compare(
      kGrowth, [&] { return fastest(small, 1, 1); }, [&] { return fastest(large, 1, 1); });
  if (!pair.ok()) return bench.fail(pair.error().message);
  const std::string text = once.name + number(": %.3f ms, ", pair->a / 1e6) +
                           number("twice the work %.3f ms, ", pair->b / 1e6) + number("ratio %.2f", pair->ratio());
  pair->in(kGrowth) ? bench.pass(text) : bench.fail(text);
}

void repeats(Bench& bench, Adapter& adapter, const Work& work) {
  const OpCase c = work.make();
  SmallProgram program(bench, c);
  Status ready = program.prepare(adapter);
  if (ready.ok()) ready = program.write(bench.seed());
  if (ready.ok()) ready = program.run();
  if (!ready.ok()) return bench.fail(ready.error().message);
  const Result<Pair> pair = compare(
      kRepeats, [&] { return fastest(program, 1, 1); }, [&] { return fastest(program, 4, 1); });
  if (!pair.ok()) return bench.fail(pair.error());
  const std::string text = number("four steps in one submission take %.2f times one step", pair->ratio());
  if (!pair->in(kRepeats)) return bench.fail(text);
  const Status right = program.verify();
  right.ok() ? bench.pass(text) : bench.fail("after four steps: " + right.error().message);
}

void within_interval(Bench& bench, SmallProgram& program) {
  double share = 0;
  for (int i = 0; i < 10; ++i) {
    Step step;
    if (Status s = program.run(1, &step); !s.ok()) return bench.fail(s.error().message);
    const uint64_t device = step.result.device_ns, room = step.host_ns + step.result.device_clock_step_ns;
    share = std::max(share, ratio_of(static_cast<double>(device), static_cast<double>(step.host_ns)));
    if (device > room) {
      return bench.fail("device_ns " + std::to_string(device) + " is more than the host's interval of " +
                        std::to_string(step.host_ns) + " ns");
    }
  }
  bench.pass(number("at most %.2f of the host's interval", share));
}

void clock_slope(Bench& bench, SmallProgram& once, SmallProgram& twice) {
  const Result<Times> a = fastest(once, 1, kTrials), b = fastest(twice, 1, kTrials);
  if (!a.ok() || !b.ok()) return bench.fail((a.ok() ? b.error() : a.error()).message);
  const double slope = ratio_of(b->device_ns - a->device_ns, b->host_ns - a->host_ns);
  const std::string text =
      number("with twice the work the device clock grows by %.0f ns, ", b->device_ns - a->device_ns) +
      number("the host's by %.0f ns: ", b->host_ns - a->host_ns) + number("ratio %.4f", slope);
  if (slope < kLeastSlope || slope > kMostSlope) {
    const bool unit = slope > 0 && (slope < 0.02 || slope > 50);
    return bench.fail(text + (unit ? "; device_ns is in another unit than ns" : ""));
  }
  if (a->clock_step_ns == 0) return bench.advise(text + "; device_clock_step_ns is not said");
  bench.pass(text);
}

// The first work that takes `min_ns`, with reading its output or without, and larger ones, `count` in all; the largest
// where none takes so long. Empty, with a finding: neither matmul nor add at f32 is supported, or a step fails.
template <size_t kCount>
std::vector<Work> find_works(Bench& bench, Adapter& adapter, const int64_t (&products)[kCount][3], double min_ns,
                             size_t count, bool with_read) {
  const OpCase product = matmul_case(16, 512, 512);
  bool has_product = false;
  {
    InAdapter inside(bench.pulse(), "program.supports");
    has_product = adapter.supports(product.graph, bench.device()).ok();
  }
  std::vector<Work> found;
  const auto grow = [&](const auto& sizes) {
    Work work;
    for (const auto& s : sizes) {
      work.m = s[0];
      work.n = s[1];
      work.k = s[2];
      if (found.empty()) {
        const Result<double> ns = try_work(bench, adapter, work.make(), with_read);
        if (!ns.ok()) return bench.fail(ns.error());
        work.step_ns = *ns;
        const double flops = 2.0 * static_cast<double>(s[0] * s[1] * s[2]);
        work.implausible = s[0] >= 1024 && flops > kImplausibleFlops * work.step_ns / 1e9;
      }
      const bool last = &s == std::end(sizes) - 1;
      if (!found.empty() || last || work.step_ns >= min_ns || work.implausible) found.push_back(work);
      if (found.size() == count) return;
    }
  };
  has_product ? grow(products) : grow(kAdditions);
  return found;
}

// One program whose outputs are read right after wait(), and again: the shortest time of each.
class ReadTwice {
 public:
  ReadTwice(Bench& bench, const Work& work) : case_(work.make()), program_(bench, case_) {}
  Status prepare(Adapter& adapter) { return program_.prepare(adapter); }
  Status once(uint64_t seed) {
    Step step;
    Status ready = program_.write(seed, tries_ > 0);
    if (ready.ok()) ready = program_.run(1, &step);
    if (!ready.ok()) return ready;
    const Result<double> first = timed_read(program_, case_.graph.ops[0].out[0]);
    if (!first.ok()) return first.error();
    const Result<double> again = timed_read(program_, case_.graph.ops[0].out[0]);
    if (!again.ok()) return again.error();
    const auto least = [&](double* best, double value) { *best = tries_ == 0 ? value : std::min(*best, value); };
    least(&step_ns_, static_cast<double>(step.host_ns));
    least(&first_ns_, *first);
    least(&again_ns_, *again);
    ++tries_;
    return ok_status();
  }
  [[nodiscard]] double late_ns() const { return std::max(0.0, first_ns_ - again_ns_); }
  [[nodiscard]] double share() const { return ratio_of(late_ns(), step_ns_ + late_ns()); }
  [[nodiscard]] bool late() const {
    return late_ns() > std::max(kReadNs, kReadNoise * again_ns_) && share() > kReadShare;
  }
  [[nodiscard]] std::string text() const {
    return number("step %.3f ms, ", step_ns_ / 1e6) + number("first read %.3f ms, ", first_ns_ / 1e6) +
           number("second read %.3f ms", again_ns_ / 1e6) + number(": %.0f %% of the work", 100 * share());
  }

 private:
  OpCase case_;
  SmallProgram program_;
  double step_ns_ = 0, first_ns_ = 0, again_ns_ = 0;
  int tries_ = 0;
};

// Late is what is late at every size: what a first read costs more by itself shrinks beside a larger step.
void reads_again(Bench& bench, Adapter& adapter, const std::vector<Work>& works) {
  std::vector<std::unique_ptr<ReadTwice>> sizes;
  for (const Work& work : works) {
    sizes.push_back(std::make_unique<ReadTwice>(bench, work));
    if (Status s = sizes.back()->prepare(adapter); !s.ok()) return bench.fail(s.error().message);
  }
  const auto all_late = [&] {
    return std::all_of(sizes.begin(), sizes.end(), [](const auto& s) { return s->late(); });
  };
  const uint64_t begin = now_ns();
  for (int round = 0; round < kTrials || (all_late() && now_ns() - begin < kPatienceNs); ++round) {
    for (const auto& size : sizes) {
      if (Status s = size->once(bench.seed() + static_cast<uint64_t>(round)); !s.ok())
        return bench.fail(s.error().message);
    }
  }
  const auto least = std::min_element(sizes.begin(), sizes.end(),
                                      [](const auto& a, const auto& b) { return a->share() < b->share(); });
  const std::string text = (*least)->text();
  all_late() ? bench.fail(text + " is done after wait()") : bench.pass(text + " at most is late");
}

}  // namespace

OpCase Work::make(int64_t times) const { return m == 0 ? add_case(n * times, k) : matmul_case(m, n * times, k); }

std::optional<Work> find_work(Bench& bench, Adapter& adapter, double min_ns) {
  const std::vector<Work> found = find_works(bench, adapter, kProducts, min_ns, 1, false);
  return found.empty() ? std::nullopt : std::optional<Work>(found.front());
}

void check_work(Bench& bench) {
  (void)bench.begin("twice the work");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const std::optional<Work> work = find_work(bench, *adapter, kTimedNs);
  if (work && work->implausible) {
    bench.fail(work->make().name + number(" in %.0f ns: no chip is that fast", work->step_ns));
  } else if (work) {
    growth(bench, *adapter, *work);
  }
  if (work && bench.begin("four steps in one submission")) repeats(bench, *adapter, *work);
  bench.close(std::move(adapter));
}

void check_return(Bench& bench) {
  (void)bench.begin("reading right after wait()");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const std::vector<Work> works = find_works(bench, *adapter, kDeepProducts, kReturnNs, kReturnSizes, true);
  if (works.empty()) return;
  reads_again(bench, *adapter, works);
  bench.close(std::move(adapter));
}

void check_clock(Bench& bench) {
  (void)bench.begin("within the host's interval");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const std::optional<Work> work = find_work(bench, *adapter, kTimedNs);
  if (!work) return;
  const OpCase c = work->make(), doubled = work->make(2);
  {
    SmallProgram once(bench, c), twice(bench, doubled);
    Step step;
    for (SmallProgram* p : {&once, &twice}) {
      Status ready = p->prepare(*adapter);
      if (ready.ok()) ready = p->write(bench.seed());
      if (ready.ok()) ready = p->run(1, &step);
      if (!ready.ok()) return bench.fail(ready.error().message);
    }
    if (step.result.device_clock == ASSAY_CLOCK_NONE) {
      bench.unsupported("no device clock; the harness times the steps");
    } else if (step.result.device_clock > ASSAY_CLOCK_DEVICE_TIMESTAMP) {
      bench.fail("unknown device_clock " + std::to_string(step.result.device_clock));
    } else {
      within_interval(bench, once);
      if (bench.begin("grows as the host's")) clock_slope(bench, once, twice);
    }
  }
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
