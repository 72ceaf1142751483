// What ran when (trace/1): of the ops asked for, within the time of the step, each told once; and what was counted.
#include <algorithm>
#include <cstring>
#include <vector>

#include "harness/conformance/bench.h"

namespace assay::conformance {
namespace {

constexpr uint64_t kSteps = 4;
constexpr uint64_t kClockErrorNs = 50'000;  // of a device's clock held against the host's

struct Told {
  std::vector<assay_activity> activities;
  bool nameless = false;
};

void keep(void* self, const assay_activity* a) {
  Told& told = *static_cast<Told*>(self);
  assay_activity copy{};
  std::memcpy(&copy, a, std::min<size_t>(a->struct_size, sizeof copy));
  told.nameless = told.nameless || copy.name == nullptr || *copy.name == '\0';
  copy.name = nullptr;  // lives as long as the call
  told.activities.push_back(copy);
}

class Tracer {
 public:
  Tracer(Bench& bench, const Raw& raw, const assay_trace_table* table) : bench_(bench), raw_(raw), table_(table) {}
  Status start() {
    InAdapter inside(bench_.pulse(), "trace.start");
    return told("start", table_->start(raw_.ctx, bench_.device()));
  }
  Status stop(uint64_t* dropped) {
    InAdapter inside(bench_.pulse(), "trace.stop");
    return told("stop", table_->stop(raw_.ctx, bench_.device(), dropped));
  }
  Status drain(Told* out) {
    InAdapter inside(bench_.pulse(), "trace.drain");
    return told("drain", table_->drain(raw_.ctx, keep, out));
  }

 private:
  Status told(const char* call, assay_status status) {
    if (status == ASSAY_OK) return ok_status();
    return Error{ErrorKind::kAdapter, std::string(call) + ": " + raw_.told(status)};
  }
  Bench& bench_;
  const Raw& raw_;
  const assay_trace_table* table_;
};

// "" or what can't be true of these activities of `steps` equal steps between two host times.
std::string fault(const Told& told, uint64_t begin_ns, uint64_t end_ns, uint32_t device, size_t ops) {
  if (told.activities.empty()) return "nothing was told of " + std::to_string(kSteps) + " steps";
  if (told.nameless) return "an activity without a name";
  const auto of_ops = static_cast<uint64_t>(std::count_if(told.activities.begin(), told.activities.end(),
                                                          [](const auto& a) { return a.correlation != ASSAY_NO_OP; }));
  if (of_ops == 0 || of_ops % kSteps != 0) {
    return std::to_string(of_ops) + " activities of " + std::to_string(kSteps) + " equal steps";
  }
  for (const assay_activity& a : told.activities) {
    if (a.end_ns < a.begin_ns) return "an activity ends before it begins";
    if (a.begin_ns + kClockErrorNs < begin_ns || a.end_ns > end_ns + kClockErrorNs) {
      const double off_s = (static_cast<double>(a.begin_ns) - static_cast<double>(begin_ns)) / 1e9;
      return number("an activity lies outside of its steps: it begins %.6g s behind them", off_s) +
             number(", they took %.6g s", static_cast<double>(end_ns - begin_ns) / 1e9);
    }
    if (a.device != device) return "an activity of device " + std::to_string(a.device);
    if (a.correlation >= ops && a.correlation != ASSAY_NO_OP)
      return "an activity of op " + std::to_string(a.correlation) + ", which is not there";
  }
  return "";
}

void true_times(Bench& bench, Tracer& tracer, SmallProgram& program) {
  Status done = tracer.start();
  const uint64_t begin = now_ns();
  for (uint64_t i = 0; i < kSteps && done.ok(); ++i) done = program.run();
  const uint64_t end = now_ns();
  uint64_t dropped = 0;
  Told told;
  if (done.ok()) done = tracer.stop(&dropped);
  if (done.ok()) done = tracer.drain(&told);
  if (!done.ok()) return bench.fail(done.error().message);
  if (dropped > 0) return bench.fail(std::to_string(dropped) + " activities of four small steps were dropped");
  const std::string wrong = fault(told, begin, end, bench.device(), program.graph().ops.size());
  wrong.empty() ? bench.pass(std::to_string(told.activities.size()) + " activities") : bench.fail(wrong);
}

void told_once(Bench& bench, Tracer& tracer, SmallProgram& program) {
  Told told;
  Status done = program.run();  // not traced
  if (done.ok()) done = tracer.drain(&told);
  if (!done.ok()) return bench.fail(done.error().message);
  told.activities.empty() ? bench.pass()
                          : bench.fail(std::to_string(told.activities.size()) +
                                       " activities were told again, or of a step that was not traced");
}

// Hardware counters (trace.count), where there are any: named numbers of the op that was asked for.
void counters(Bench& bench, SmallProgram& program) {
  constexpr uint64_t kAsked = 0;
  std::string wrong;
  size_t n = 0;
  const auto take = [&](const assay_op_counter& c) {
    ++n;
    if (c.struct_size < sizeof(assay_op_counter) || c.name == nullptr || *c.name == '\0' || c.unit == nullptr) {
      wrong = "a counter without name or unit";
    } else if (c.correlation != kAsked) {
      wrong = "a counter of op " + std::to_string(c.correlation) + ", which was not asked for";
    }
  };
  const Status counted = program.count({kAsked}, take);
  if (!counted.ok() && counted.error().kind == ErrorKind::kUnsupported)
    return bench.pass("none: " + counted.error().message);
  if (!counted.ok()) return bench.fail(counted.error().message);
  if (n == 0) wrong = "no counter was told, and no reason";
  wrong.empty() ? bench.pass(std::to_string(n) + " counters") : bench.fail(wrong);
}

}  // namespace

void check_trace(Bench& bench) {
  (void)bench.begin("times and ops");
  std::unique_ptr<Adapter> adapter = bench.open();
  if (adapter == nullptr) return;
  const Raw raw(*adapter);
  const assay_trace_table* table = adapter->trace_table();
  if (table == nullptr) return bench.unsupported("no table trace/1");
  const std::optional<OpCase> plain = plain_case(bench, *adapter);
  if (!plain) return bench.unsupported("no op of the kit is supported");
  {
    SmallProgram program(bench, *plain);
    if (const Status s = run_whole(program, *adapter, bench.seed()); !s.ok()) return bench.fail(s.error().message);
    Tracer tracer(bench, raw, table);
    true_times(bench, tracer, program);
    if (bench.begin("told once")) told_once(bench, tracer, program);
    if (bench.begin("counters")) counters(bench, program);
    if (bench.begin("the traced program is right")) {
      const Status right = program.verify();
      right.ok() ? bench.pass() : bench.fail(right.error().message);
    }
  }
  bench.close(std::move(adapter));
}

}  // namespace assay::conformance
