#include "results/import/serving.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace assay::import {
namespace {

constexpr size_t kMaxStated = 1024;  // longer texts are prompts and outputs, not facts of the run
constexpr double kRateTolerance = 0.01;

struct LatencyName {
  const char* field;
  const char* name;
  const char* definition;
};
constexpr std::array<LatencyName, 5> kLatencies{{{"ttft", "ttft", "ttft/send-interpolated"},
                                                 {"tpot", "tpot", "tpot/after-first-interpolated"},
                                                 {"itl", "itl", "itl/gaps-interpolated"},
                                                 {"e2el", "e2e", "e2e/send-interpolated"},
                                                 {"intvty", "interactivity", "interactivity/inverse-tpot"}}};

struct LatencyField {
  const LatencyName* latency = nullptr;
  std::string statistic;
  double percentile = -1;  // median and pN; below 0 otherwise
  double scale = 1;        // to s
};

// "p99.9" is 99.9; "median" is 50; other statistics have none.
double percentile_of(const std::string& statistic) {
  if (statistic == "median") return 50;
  if (statistic.size() < 2 || statistic[0] != 'p') return -1;
  return parse_number(std::string_view(statistic).substr(1)).value_or(-1);
}

std::optional<LatencyField> latency_field(const std::string& member) {
  const size_t bar = member.find('_');
  if (bar == std::string::npos) return std::nullopt;
  LatencyField out;
  out.statistic = member.substr(0, bar);
  out.percentile = percentile_of(out.statistic);
  static constexpr std::array<const char*, 4> kOthers{"mean", "std", "min", "max"};
  const bool known =
      std::any_of(kOthers.begin(), kOthers.end(), [&](const char* other) { return out.statistic == other; });
  if (!known && out.percentile < 0) return std::nullopt;
  std::string rest = member.substr(bar + 1);
  if (rest.size() > 3 && rest.compare(rest.size() - 3, 3, "_ms") == 0) {
    rest.resize(rest.size() - 3);
    out.scale = 1e-3;
  }
  for (const LatencyName& latency : kLatencies) {
    if (rest == latency.field) out.latency = &latency;
  }
  if (out.latency == nullptr) return std::nullopt;
  return out;
}

struct Point {
  double percentile = 0, value = 0;
  JsonNode node;
};

// Of one latency: a higher percentile is never less (of interactivity: its latency's percentile, so never more).
void check_order(std::vector<Point> points, bool falling) {
  std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.percentile < b.percentile; });
  for (size_t i = 1; i < points.size(); ++i) {
    const double before = points[i - 1].value, after = points[i].value;
    if (falling ? after > before : after < before) {
      points[i].node.fail("expected the percentiles in order, found p" + std::to_string(points[i].percentile) +
                          (falling ? " above p" : " below p") + std::to_string(points[i - 1].percentile));
    }
  }
}

}  // namespace

std::vector<std::string> add_latency_figures(const JsonNode& object, std::optional<uint64_t> n, Record* record) {
  std::vector<std::string> used;
  std::array<std::vector<Point>, kLatencies.size()> points;
  for (const auto& [member, node] : object.members()) {
    const std::optional<LatencyField> field = latency_field(member);
    if (!field) continue;
    used.push_back(member);
    if (!object.has(member.c_str())) continue;
    const bool rate = field->latency == &kLatencies.back();
    const double value = node.number(0, rate ? kMaxRate : kMaxSeconds / field->scale) * (rate ? 1 : field->scale);
    if (value == 0 && field->statistic != "std") {
      record->warnings.push_back(member + " is 0: these tools write 0 where they had no values; left out");
      continue;
    }
    add_figure(record, field->latency->name, rate ? "tokens/s" : "s", field->statistic, field->latency->definition,
               member, value, field->latency->name == std::string("itl") ? std::nullopt : n);
    if (field->percentile >= 0)
      points[static_cast<size_t>(field->latency - kLatencies.data())].push_back({field->percentile, value, node});
  }
  for (size_t i = 0; i < points.size(); ++i) check_order(points[i], i + 1 == points.size());
  return used;
}

void state_the_rest(const JsonNode& object, const std::vector<std::string>& used, Record* record) {
  for (const auto& [member, node] : object.members()) {
    if (std::find(used.begin(), used.end(), member) != used.end()) continue;
    const std::string json = node.canonical();
    if (json.empty() || json.front() == '{' || json.front() == '[' || json.size() > kMaxStated) continue;
    state(record, member, text_or_empty(object, member.c_str()));
  }
}

void check_rate(const JsonNode& object, const char* rate, const char* count, double seconds) {
  if (!object.has(rate) || !object.has(count) || seconds <= 0) return;
  const double stated = object.at(rate).number(), counted = object.at(count).number() / seconds;
  if (std::abs(stated - counted) <= kRateTolerance * counted + 1 / seconds) return;
  object.at(rate).fail("expected about " + std::to_string(counted) + ", " + count + " over the duration, found " +
                       std::to_string(stated) + ": the file contradicts itself");
}

}  // namespace assay::import
