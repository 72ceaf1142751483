#include "results/metrics/video_clip.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "results/metrics/launches.h"
#include "results/metrics/metrics.h"
#include "results/part.h"
#include "suites/suite.h"

namespace assay {
namespace {

constexpr double kClipConfidence = 0.95;
constexpr uint64_t kClipSeed = 1;

struct Part {
  const Record* record;
  Case work;
};

// The record's mean step, or the whole model's projected from it.
ClipPart part_of(const std::string& name, double count, const Part& part, const std::string& dtype) {
  const Record& r = *part.record;
  ClipPart out;
  out.name = name;
  out.count = count;
  const auto& steps = r.samples.host_ns;
  const double total_ns = std::accumulate(steps.begin(), steps.end(), 0.0);
  const double mean_ns = total_ns / static_cast<double>(steps.size());
  const Interval rate = record_rate(r, 1, kClipConfidence).interval;
  out.seconds_each = mean_ns / 1e9;
  out.basis = r.basis;
  out.record = r.id;
  if (r.dtype != dtype) out.note = r.dtype;
  const bool projected = r.extrapolation && r.extrapolation->projected_step_ns;
  if (projected) {
    out.seconds_each = *r.extrapolation->projected_step_ns / 1e9;
    if (out.basis == "measured") out.basis = "projected";
    out.note += (out.note.empty() ? "" : ", ") + part_text(r) + " ran";
  }
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  out.interval = {1 / rate.high, 1 / rate.low};
  if (steps.size() < 2 || projected) out.interval = {kUnknown, kUnknown};  // a projection by two points has none
  return out;
}

// Whether a record's step time speaks for its whole case.
bool usable(const Record& r) {
  if (r.status != "ok" || r.samples.host_ns.empty() || cold_cache(r)) return false;
  return !is_part(r) || r.extrapolation->projected_step_ns;
}

template <typename Same>
std::optional<Part> find(const std::vector<Part>& parts, const Part& dit, StepKind kind, const Same& same) {
  std::optional<Part> best;
  for (const Part& p : parts) {
    if (p.work.kind != kind || p.record->device != dit.record->device || !same(p.work)) continue;
    if (!best || p.record->dtype == dit.record->dtype) best = p;
  }
  return best;
}

std::string basis_of(const std::vector<ClipPart>& parts) {
  for (const char* basis : {"simulated", "reported"}) {
    if (std::any_of(parts.begin(), parts.end(), [&](const ClipPart& p) { return p.basis == basis; })) return basis;
  }
  return "projected";  // a sum of measured steps is not itself measured
}

ClipEstimate compose(const Part& dit, const VideoSchedule& schedule, const std::vector<Part>& parts) {
  const VideoShape& v = dit.work.video;
  ClipEstimate out;
  out.model = v.name;
  out.device = dit.record->device;
  out.product = dit.record->device_product.empty() ? out.device : dit.record->device_product;
  out.dtype = dit.record->dtype;
  out.assumption = v.assumption;
  out.clip = {dit.work.frames, dit.work.height, dit.work.width, v.clip.fps};
  out.schedule = schedule;
  out.schedule_text = std::to_string(schedule.steps) + " x " + std::to_string(schedule.passes);
  out.parts.push_back(
      part_of("denoising", static_cast<double>(denoising_runs(schedule, dit.work.batch)), dit, out.dtype));
  const auto text =
      find(parts, dit, StepKind::kTextEncoder, [&](const Case& c) { return c.video.text == v.text && c.batch == 1; });
  if (text) {  // guidance needs the text and an empty one
    out.parts.push_back(part_of("text encoder", static_cast<double>(schedule.passes), *text, out.dtype));
  } else {
    out.missing.emplace_back("text encoder");
  }
  const auto tile =
      find(parts, dit, StepKind::kVaeTile, [&](const Case& c) { return c.video.vae == v.vae && c.batch == 1; });
  if (tile) {
    const VideoClip size{tile->work.frames, tile->work.height, tile->work.width, 1};
    out.parts.push_back(part_of("VAE tiles", static_cast<double>(vae_tiles(out.clip, size)), *tile, out.dtype));
  } else {
    out.missing.emplace_back("VAE tile");
  }
  out.basis = basis_of(out.parts);
  return out;
}

}  // namespace

double ClipEstimate::seconds() const {
  return std::accumulate(parts.begin(), parts.end(), 0.0,
                         [](double sum, const ClipPart& p) { return sum + p.seconds(); });
}

Interval ClipEstimate::seconds_interval() const {
  Interval out{0, 0};
  for (const ClipPart& p : parts) {
    out.low += p.count * p.interval.low;
    out.high += p.count * p.interval.high;
  }
  return out;
}

int64_t denoising_runs(const VideoSchedule& schedule, int64_t batch) {
  return schedule.steps * ((schedule.passes + batch - 1) / batch);
}

int64_t tiles_over(int64_t size, int64_t tile, int64_t overlap) {
  if (size <= tile) return 1;
  const int64_t stride = std::max<int64_t>(tile - overlap, 1);
  return (size - overlap + stride - 1) / stride;
}

int64_t vae_tiles(const VideoClip& clip, const VideoClip& tile) {
  return tiles_over(clip.frames, tile.frames, 1) * tiles_over(clip.height, tile.height, tile.height / 4) *
         tiles_over(clip.width, tile.width, tile.width / 4);
}

int64_t chips_for(double seconds, double limit_s, double efficiency) {
  return static_cast<int64_t>(std::ceil(seconds / (limit_s * efficiency)));
}

std::vector<ClipEstimate> compose_clips(const std::vector<Record>& records) {
  std::vector<Part> parts;
  for (const Record& r : records) {
    if (r.step_kind != "dit" && r.step_kind != "text-encoder" && r.step_kind != "vae-tile") continue;
    Result<Case> work = case_from_json(r.case_json, r.case_id);
    if (work && usable(r)) parts.push_back({&r, std::move(work).value()});
  }
  std::vector<ClipEstimate> out;
  for (const Part& p : parts) {
    if (p.work.kind != StepKind::kDit) continue;
    for (const VideoSchedule& schedule : p.work.video.schedules) {
      if (p.work.batch <= schedule.passes) out.push_back(compose(p, schedule, parts));
    }
  }
  return out;
}

}  // namespace assay
