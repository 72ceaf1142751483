// How much of a model a device can run: all L layers, or k of them, and what that says about the whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/loader/adapter.h"
#include "results/record.h"
#include "suites/base/result.h"
#include "suites/suite.h"

namespace assay {

// Peaks by which a step's time is estimated before it is run; 0: unknown.
struct Rates {
  double flops_per_s = 0, bytes_per_s = 0;
};

// "148.2 GiB", "512 B"
std::string bytes_text(uint64_t bytes);

// What of the device's free memory a program may take: all but a margin for the adapter's own needs (3 %, at least
// 64 MiB). nullopt where the device doesn't say what is free.
std::optional<uint64_t> usable_bytes(const DeviceInfo& device);

// 0 for a case without layers (gemm, read, copy).
int64_t case_layers(const Case& c);
bool has_layers(const Case& c);
// A case that measures a peak itself: gemm, read, copy.
bool is_ceiling(const Case& c);

struct LayerPlan {
  int64_t run = 0, total = 0;                  // run == total: whole
  std::string reason;                          // why fewer
  int64_t experts_run = 0, experts_total = 0;  // routed experts of each layer; 0 of 0: has none
  [[nodiscard]] bool whole() const { return run == total && experts_run == experts_total; }
  [[nodiscard]] LowerOptions options() const;
};

// The most layers whose tensors fit, at most max_layers (0: no such limit). Where not even two layers fit, their routed
// experts are halved until they do, as far as each row keeps its choice. kOutOfMemory when not even one does: "needs
// 148.2 GiB, 21.3 GiB free". Lowers, but allocates nothing on the device.
Result<LayerPlan> layers_by_memory(const Case& c, const DeviceInfo& device, int64_t max_layers = 0);

// A measured step by which others are estimated: `layers` of `measured` took step_s.
struct MeasuredStep {
  Case measured;
  int64_t layers = 1;
  double step_s = 0;
  int64_t experts = 0;  // of each layer, 0: all
};
// Seconds of one step of k layers of c (with so many experts, 0: all): the measured step scaled by the costs of both
// under `rates` (by FLOPs alone where rates are unknown).
Result<double> estimate_step_s(const Case& c, int64_t layers, const MeasuredStep& measured, const Rates& rates,
                               int64_t experts = 0);
// The same from rates alone; 0 where they are unknown.
Result<double> estimate_step_s(const Case& c, int64_t layers, const Rates& rates, int64_t experts = 0);

// Narrows `plan` so that a step lasts at most max_step_s; keeps at least two layers where two are planned, because the
// projection needs a second point.
Status layers_by_time(const Case& c, const MeasuredStep& measured, const Rates& rates, double max_step_s,
                      LayerPlan* plan);

// Narrows `plan` to what an earlier launch of the case ran; an error where that does not fit any more.
Status run_as_before(int64_t layers, int64_t experts, LayerPlan* plan);

// Layers of the second point of the projection: half, at least 1; 0 when `run` is 1 (no projection).
int64_t fewer_layers(int64_t run);

// Whether the whole model follows from layers and from them alone: all alike, with all their experts.
bool layers_tell_all(const Case& c, const LayerPlan& plan);
// How often the step from `fewer` to `run` layers fits between what runs and the whole model: by
// the costs under `rates`, because layers differ (dense and with experts, windowed and not) or experts are left
// out.
Result<double> projection_span(const Case& c, const LayerPlan& plan, int64_t fewer, const Rates& rates);
// run + (run - fewer) * span; none when more layers did not take longer.
std::optional<double> project_span_ns(double run_ns, double fewer_ns, double span);

// t(run) + (t(run) - t(fewer)) / (run - fewer) * (total - run); none when the slope is not positive.
std::optional<double> project_step_ns(double run_ns, int64_t run, double fewer_ns, int64_t fewer, int64_t total);

}  // namespace assay
