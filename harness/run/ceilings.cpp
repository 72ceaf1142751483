#include "harness/run/ceilings.h"

#include <algorithm>
#include <cmath>

#include "harness/measure/clock.h"
#include "harness/run/load.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr double kBudgetNs = 200e6;
constexpr double kRunNs = 50e6;  // a GEMM is made about this long
constexpr int64_t kProbeSize = 512;
constexpr int64_t kMaxSize = 16384;
constexpr int64_t kReadBytes = int64_t{256} << 20;  // where the cache's size is not known
constexpr int64_t kMinReadBytes = int64_t{64} << 20;
constexpr int64_t kMaxReadBytes = int64_t{4} << 30;
constexpr double kReadNs = 2e6;  // a read is made about this long: beside a shorter one, starting it counts
constexpr size_t kMaxRuns = 200;
constexpr const char* kReadDtype = "f32";

// Step time of a case at its attainable best, ns.
Result<double> attainable_step_ns(const Bench& bench, const Case& c) {
  Result<Graph> graph = lower(c, {});
  if (!graph.ok()) return graph.error();
  Status supported = bench.adapter.supports(*graph, bench.device);
  if (!supported.ok()) return supported.error();
  std::unique_ptr<Program> program;
  {
    InAdapter inside(bench.pulse, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = bench.adapter.prepare(*graph, bench.device);
    if (!prepared.ok()) return prepared.error();
    program = std::move(prepared).value();
  }
  Status loaded = load_repeated(*graph, *program, bench.seed, bench.pulse);
  if (!loaded.ok()) return loaded.error();
  const std::vector<int64_t> scalars = scalars_of(c, *graph);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  std::vector<uint64_t> times;
  times.reserve(kMaxRuns);
  const uint64_t begin = now_ns();
  // The first step is warm-up unless it already used the time up.
  for (size_t i = 0; i < kMaxRuns && (i < 2 || static_cast<double>(now_ns() - begin) < kBudgetNs); ++i) {
    Step step;
    const StepFailure failure = run_step(*program, args, bench.pulse, &step);
    if (failure.status != ASSAY_OK) return program->last_error(failure.call, failure.status);
    bench.pulse.step(i + 1);
    times.push_back(step.host_ns);
    if (bench.pulse.stop_asked()) return Error{ErrorKind::kTimeout, "stopped"};
  }
  std::sort(times.begin() + 1, times.end());
  const size_t half = times.size() / 2;  // of the runs after the first
  return static_cast<double>(times[1 + (half - 1) / 2]);
}

Case ceiling_case(StepKind kind, const std::string& dtype) {
  Case c;
  c.suite = "ceilings";
  c.kind = kind;
  c.dtype = dtype;
  return c;
}

Case gemm_case(const std::string& dtype, int64_t size) {
  Case c = ceiling_case(StepKind::kGemm, dtype);
  c.m = c.n = c.k = size;
  return c;
}

double gemm_flops(int64_t size) { return 2.0 * std::pow(static_cast<double>(size), 3); }

// A rate, and the size it was measured at: the side of a GEMM, the bytes of a read.
struct Peak {
  double per_s = 0;
  int64_t size = 0;
};

Result<Peak> gemm_peak(const Bench& bench, const std::string& dtype, int64_t size) {
  const Result<double> ns = attainable_step_ns(bench, gemm_case(dtype, size));
  if (!ns.ok()) return ns.error();
  return Peak{gemm_flops(size) / *ns * 1e9, size};
}

Result<Peak> read_peak(const Bench& bench, int64_t bytes) {
  Case c = ceiling_case(StepKind::kRead, kReadDtype);
  c.buffer_bytes = bytes;
  const Result<double> ns = attainable_step_ns(bench, c);
  if (!ns.ok()) return ns.error();
  return Peak{static_cast<double>(bytes) / *ns * 1e9, bytes};
}

Peak faster(const Peak& a, const Peak& b) { return b.per_s > a.per_s ? b : a; }

// Attainable FLOP/s: a small product sizes a large one that lasts about kRunNs.
Result<Peak> gemm_rate(const Bench& bench, const std::string& dtype, const DeviceInfo& device) {
  const Result<Peak> probe = gemm_peak(bench, dtype, kProbeSize);
  if (!probe.ok()) return probe.error();
  const double scale = std::cbrt(kRunNs / std::max(gemm_flops(kProbeSize) / probe->per_s * 1e9, 1.0));
  int64_t size = std::clamp<int64_t>(static_cast<int64_t>(kProbeSize * scale) / 256 * 256, kProbeSize, kMaxSize);
  const std::optional<uint64_t> usable = usable_bytes(device);
  while (usable && size > kProbeSize && static_cast<uint64_t>(12 * size * size) > *usable / 2) size -= 256;
  if (size == kProbeSize) return *probe;
  const Result<Peak> large = gemm_peak(bench, dtype, size);
  if (!large.ok()) return large.error();
  return faster(*probe, *large);
}

Result<Peak> read_rate(const Bench& bench, const DeviceInfo& device) {
  int64_t bytes = kReadBytes;
  if (device.cache_bytes > 0) {
    const auto beyond_cache = static_cast<int64_t>(std::min<uint64_t>(4 * device.cache_bytes, kMaxReadBytes));
    bytes = std::max(kMinReadBytes, beyond_cache);
  }
  const std::optional<uint64_t> usable = usable_bytes(device);
  if (usable && static_cast<uint64_t>(bytes) > *usable) {
    return Error{ErrorKind::kOutOfMemory, "read needs " + bytes_text(static_cast<uint64_t>(bytes)) + ", " +
                                              bytes_text(device.memory_free_bytes) + " free"};
  }
  const Result<Peak> first = read_peak(bench, bytes);
  if (!first.ok()) return first.error();
  int64_t longer = bytes;
  while (static_cast<double>(longer) * 1e9 < first->per_s * kReadNs && longer < kMaxReadBytes) longer *= 2;
  if (longer == bytes || !usable || static_cast<uint64_t>(longer) > *usable / 2) return *first;
  const Result<Peak> second = read_peak(bench, longer);
  if (!second.ok()) return second.error();
  return faster(*first, *second);
}

Ceiling ceiling_of(const Result<Peak>& gemm, const Result<Peak>& read, const std::string& dtype) {
  Ceiling out;
  out.when = "before this case, same worker";
  out.flops_dtype = dtype;
  out.measured = utc_now();
  if (gemm.ok()) {
    out.flops_per_s = gemm->per_s;
    out.gemm_size = gemm->size;
  } else if (const std::string& why = gemm.error().message; !why.empty()) {
    out.reason = "GEMM: " + why;
  }
  if (read.ok()) {
    out.read_bytes_per_s = read->per_s;
    out.read_bytes = static_cast<uint64_t>(read->size);
    out.read_dtype = kReadDtype;
  } else if (const std::string& why = read.error().message; !why.empty()) {
    out.reason += (out.reason.empty() ? "read: " : "; read: ") + why;
  }
  return out;
}

}  // namespace

Ceiling measure_ceilings(const Bench& bench, const std::string& dtype, const DeviceInfo& device) {
  bench.pulse.phase(Phase::kCeiling);
  const Result<Peak> gemm = gemm_rate(bench, dtype, device);
  return ceiling_of(gemm, read_rate(bench, device), dtype);
}

Ceiling measure_ceilings_again(const Bench& bench, const std::string& dtype, const EarlierLaunch& earlier) {
  bench.pulse.phase(Phase::kCeiling);
  const Result<Peak> none = Error{ErrorKind::kUnsupported, ""};  // the first launch said why
  const Result<Peak> gemm = earlier.gemm_size > 0 ? gemm_peak(bench, dtype, earlier.gemm_size) : none;
  const auto bytes = static_cast<int64_t>(earlier.read_bytes);
  return ceiling_of(gemm, bytes > 0 ? read_peak(bench, bytes) : none, dtype);
}

Rates rates_of(const Ceiling& ceiling) {
  return {ceiling.flops_per_s.value_or(0), ceiling.read_bytes_per_s.value_or(0)};
}

}  // namespace assay
