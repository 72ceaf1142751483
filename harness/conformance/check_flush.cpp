// Does flush_caches() flush? Steps on a working set that fits into the caches, in turn warm, behind a flush, and behind
// a program of the kit that sweeps more than the caches hold: what the sweep costs a step, the flush must cost it too.
#include <algorithm>
#include <cmath>

#include "harness/conformance/op_cases.h"

namespace assay::conformance {
namespace {

constexpr double kLeastSet = 1e6, kMostSet = 32e6;  // bytes of the working set's table
constexpr double kLeastSweep = 128e6;               // bytes of the sweep's three tensors
constexpr int kRounds = 24, kQuickRounds = 16;
constexpr double kVisible = 1.15;  // a swept step over a warm one, else nothing can be told
constexpr double kShare = 0.5;     // of what the sweep costs, that a flush must cost

OpCase filled(OpCase c) {
  for (Tensor& t : c.graph.tensors) t.fill = {Fill::Kind::kConstant, 1, 0, 0};
  return c;
}

// Rows of 64 bytes from all over a table, each once: no prefetcher hides whether they are in a cache.
OpCase gather_of(double bytes) {
  constexpr int64_t kWidth = 16;
  constexpr uint64_t kStride = 0x9e3779b1;  // odd: i * kStride visits each row of 2^n once
  int64_t rows = 1;
  while (2 * rows * kWidth * static_cast<int64_t>(sizeof(float)) <= static_cast<int64_t>(bytes)) rows *= 2;
  Values index(static_cast<size_t>(rows / 2));
  for (size_t i = 0; i < index.size(); ++i) {
    index[i] = static_cast<double>(i * kStride % static_cast<uint64_t>(rows));
  }
  Maker m(DtypePlan{"f32"});
  const uint32_t chosen = m.integers({rows / 2}, std::move(index));
  const uint32_t table = m.weight({rows, kWidth});
  m.op(ASSAY_OP_EMBEDDING, {chosen, table}, {m.out({rows / 2, kWidth})});
  return filled(m.take("rows of a table"));
}

OpCase sweep_of(double bytes) {
  constexpr int64_t kCols = 4096;
  return filled(add_case(std::llround(bytes / (3 * sizeof(float) * kCols)), kCols));
}

// What disturbs a step only ever lengthens it.
double fastest(const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); }

struct Series {
  std::vector<double> warm, flushed, swept;  // ns
};

Status timed(SmallProgram& program, std::vector<double>* out) {
  Step step;
  if (Status s = program.run(1, &step); !s.ok()) return s;
  const bool own_clock = step.result.device_clock != ASSAY_CLOCK_NONE;
  out->push_back(static_cast<double>(own_clock ? step.result.device_ns : step.host_ns));
  return ok_status();
}

Status flush(Bench& bench, SmallProgram& program) {
  InAdapter inside(bench.pulse(), "program.flush_caches");
  const assay_status status = program.program().flush_caches();
  return status == ASSAY_OK ? ok_status() : Status(program.program().last_error("program.flush_caches", status));
}

Status round(Bench& bench, SmallProgram& program, SmallProgram& sweep, Series* out) {
  Status s = program.run();
  if (s.ok()) s = timed(program, &out->warm);
  if (s.ok()) s = flush(bench, program);
  if (s.ok()) s = timed(program, &out->flushed);
  if (s.ok()) s = sweep.run();
  if (s.ok()) s = timed(program, &out->swept);
  return s;
}

void judge(Bench& bench, const Series& series) {
  const double warm = fastest(series.warm), flushed = fastest(series.flushed), swept = fastest(series.swept);
  const std::string text = number("warm %.1f us, ", warm / 1e3) + number("behind a flush %.1f us, ", flushed / 1e3) +
                           number("behind a sweep of memory %.1f us", swept / 1e3);
  if (swept < kVisible * warm) return bench.unsupported(text + ": the caches make no difference to this step");
  flushed - warm < kShare*(swept - warm) ? bench.fail(text + ": flush_caches() leaves the caches warm")
                                         : bench.pass(text);
}

}  // namespace

void check_flush(Bench& bench) {
  (void)bench.begin("a flush makes the next step cold");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  if (!ASSAY_HAS(adapter->program_table(), assay_program_table, flush_caches)) {
    return bench.unsupported("no flush_caches in program/1");
  }
  const Result<DeviceInfo> device = adapter->device(bench.device());
  if (!device.ok()) return bench.fail(device.error().message);
  const auto cache = static_cast<double>(device->cache_bytes);
  const OpCase small = gather_of(std::clamp(cache / 4, kLeastSet, kMostSet));
  const OpCase large = sweep_of(std::max(kLeastSweep, 2 * cache));
  {
    SmallProgram program(bench, small), sweep(bench, large);
    for (SmallProgram* p : {&program, &sweep}) {
      Status ready = p->prepare(*adapter);
      if (ready.ok()) ready = p->write(bench.seed());
      if (ready.ok()) ready = p->run();
      if (!ready.ok()) return bench.fail(ready.error());
    }
    if (const assay_status s = program.program().flush_caches(); s != ASSAY_OK) {
      return bench.fail(program.program().last_error("program.flush_caches", s));
    }
    Series series;
    const int rounds = bench.quick() ? kQuickRounds : kRounds;
    for (int i = 0; i < rounds; ++i) {
      if (const Status s = round(bench, program, sweep, &series); !s.ok()) return bench.fail(s.error().message);
    }
    judge(bench, series);
  }
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
