#include "adapters/gpu/trial.h"

#include <algorithm>
#include <array>

#include "adapters/gpu/fill.h"

namespace assay::gpu {

StepGraph captured(const Runtime& runtime, void* stream, const std::vector<Call>& calls) {
  StepGraph out;
  runtime.check(runtime.StreamBeginCapture(stream, kCaptureThreadLocal), "begin capture");
  void* graph = nullptr;
  std::string failure;
  try {
    for (const Call& call : calls) call.run(stream);
  } catch (const Failure& error) {
    failure = error.what();
  }
  const int ended = runtime.StreamEndCapture(stream, &graph);
  out.graph = Handle(graph, runtime.GraphDestroy);
  if (!failure.empty()) throw Failure(ASSAY_INTERNAL, "while a step was captured: " + failure);
  runtime.check(ended, "end capture");
  void* exec = nullptr;
  runtime.check(runtime.GraphInstantiateWithFlags(&exec, graph, 0), "instantiate graph");
  out.exec = Handle(exec, runtime.GraphExecDestroy);
  return out;
}

Trial::Trial(const Runtime& runtime, uint64_t sweep_bytes)
    : runtime_(runtime),
      stream_(make_stream(runtime)),
      from_(make_event(runtime)),
      to_(make_event(runtime)),
      sweep_(sweep_memory(runtime, sweep_bytes)) {}

template <typename Work>
double Trial::timed(const Work& work) const {
  if (sweep_.data() != nullptr) {
    runtime_.check(runtime_.MemsetAsync(sweep_.data(), 0, sweep_.bytes(), stream_.get()), "sweep");
  }
  runtime_.check(runtime_.EventRecord(from_.get(), stream_.get()), "event");
  work();
  runtime_.check(runtime_.EventRecord(to_.get(), stream_.get()), "event");
  runtime_.check(runtime_.EventSynchronize(to_.get()), "trial");
  float out = 0;
  runtime_.check(runtime_.EventElapsedTime(&out, from_.get(), to_.get()), "elapsed time");
  return out;
}

double Trial::ms(const std::vector<Call>& calls) const {
  return timed([&] {
    for (const Call& call : calls) call.run(stream_.get());
  });
}

double Trial::step_ms(const std::vector<Call>& calls) const {
  const double once = ms(calls);  // loads what is loaded lazily
  if (!runtime_.has_graphs()) return std::min(once, ms(calls));
  const StepGraph step = captured(runtime_, stream_.get(), calls);
  std::array<double, 3> times{};
  for (double& time : times) {
    time = timed([&] { runtime_.check(runtime_.GraphLaunch(step.exec.get(), stream_.get()), "launch graph"); });
  }
  std::sort(times.begin(), times.end());
  return times[1];
}

std::vector<uint16_t> Trial::read(const Slot& slot, uint64_t most_bytes) const {
  std::vector<uint16_t> out(std::min(slot.bytes(), most_bytes) / 2);
  runtime_.check(runtime_.MemcpyAsync(out.data(), slot.data, out.size() * 2, kDeviceToHost, stream_.get()), "read");
  wait();
  return out;
}

}  // namespace assay::gpu
