#include <algorithm>
#include <map>

#include "results/plan/plan.h"

namespace assay {
namespace {

struct Vertex {
  double x = 0, y = 0;
};

// Linear between points sorted by x; below the first its y, beyond the last none.
std::optional<double> on_line(const std::vector<Vertex>& points, double x) {
  if (points.empty() || x > points.back().x) return std::nullopt;
  if (x <= points.front().x) return points.front().y;
  const auto above =
      std::lower_bound(points.begin(), points.end(), x, [](const Vertex& p, double at) { return p.x < at; });
  const Vertex &b = *above, &a = *(above - 1);
  return a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x);
}

// Time of a step by batch at one context: the batches that were measured so far out.
std::vector<Vertex> steps_at(const PlanUnit& unit, double context) {
  std::map<double, std::vector<Vertex>> by_batch;
  for (const DecodePoint& p : unit.decode) by_batch[p.batch].push_back({p.context, p.step_ms});
  std::vector<Vertex> out;
  for (auto& [batch, line] : by_batch) {
    std::sort(line.begin(), line.end(), [](const Vertex& a, const Vertex& b) { return a.x < b.x; });
    if (const std::optional<double> ms = on_line(line, context)) out.push_back({batch, *ms});
  }
  return out;
}

}  // namespace

std::optional<double> prefill_rate(const PlanUnit& unit, double prompt_tokens) {
  std::vector<Vertex> points;
  for (const PrefillPoint& p : unit.prefill) points.push_back({p.prompt_tokens, p.per_s});
  std::sort(points.begin(), points.end(), [](const Vertex& a, const Vertex& b) { return a.x < b.x; });
  return on_line(points, prompt_tokens);
}

std::optional<double> decode_step_ms(const PlanUnit& unit, double batch, double context) {
  return on_line(steps_at(unit, context), batch);
}

std::optional<double> decode_batch(const PlanUnit& unit, double context, std::optional<double> limit_ms) {
  const std::vector<Vertex> steps = steps_at(unit, context);
  if (steps.empty()) return std::nullopt;
  if (!limit_ms) return steps.back().x;
  if (steps.front().y > *limit_ms) return std::nullopt;
  double best = steps.front().x;
  for (size_t i = 1; i < steps.size(); ++i) {
    const Vertex &a = steps[i - 1], &b = steps[i];
    if (b.y <= *limit_ms) {
      best = b.x;
      continue;
    }
    if (a.y <= *limit_ms) best = a.x + (b.x - a.x) * (*limit_ms - a.y) / (b.y - a.y);
    break;
  }
  return best;
}

}  // namespace assay
