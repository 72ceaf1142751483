#include "reports/trend.h"

#include <fnmatch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <tuple>

#include "results/metrics/launches.h"
#include "results/metrics/metrics.h"
#include "results/part.h"

namespace assay {
namespace {

// What must be equal for records to be one series: the work, as in a comparison, and the chip.
using SeriesKey = std::tuple<std::string, std::string, std::string, std::string, std::string, std::string, std::string,
                             std::string, std::string>;

std::string chip_of(const Record& r) { return r.device_product.empty() ? r.device : r.device_product; }

SeriesKey series_key(const Record& r) {
  return {r.case_id, r.case_hash, chip_of(r), r.adapter, r.dtype, r.tier, r.basis, part_text(r), setup_text(r)};
}

// Days since 1970 of "2026-11-26T03:12:59Z"; none where it is no such date.
std::optional<double> day_of(const std::string& created) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  double second = 0;
  if (std::sscanf(created.c_str(), "%d-%d-%dT%d:%d:%lf", &year, &month, &day, &hour, &minute, &second) < 3)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count()) +
         (hour + (minute + second / 60) / 60) / 24;
}

TrendPoint point_of(const Record& r) {
  const Throughput rate = record_rate(r, work_units(r).per_step, 0.95);
  TrendPoint out{day_of(r.created).value_or(0), {rate.per_s, {}, {}}};
  if (rate.n > 1) {
    out.rate.low = rate.interval.low;
    out.rate.high = rate.interval.high;
  }
  return out;
}

// What stands behind a rate and may change from night to night.
std::vector<std::pair<std::string, std::string>> behind(const Record& r) {
  const auto fact = [&](const char* name) {
    const auto found = r.environment.find(name);
    return found == r.environment.end() ? std::string() : found->second;
  };
  return {{"assay", r.tool_version + (r.tool_commit.empty() ? "" : " ") + r.tool_commit},
          {"adapter", r.adapter + " " + r.adapter_version},
          {"driver", r.device_driver},
          {"card", r.device_serial_hash},
          {"host", fact("hostname_hash")},
          {"kernel", fact("kernel")},
          {"executed", r.executed},
          {"form", r.form}};
}

std::vector<std::string> changes_since(const Record& before, const Record& now) {
  std::vector<std::string> out;
  const auto of_before = behind(before), of_now = behind(now);
  for (size_t i = 0; i < of_now.size(); ++i) {
    if (of_now[i].second == of_before[i].second) continue;
    const auto told = [](const std::string& value) { return value.empty() ? "not known" : value; };
    out.push_back(of_now[i].first + " " + told(of_now[i].second) + ", before " + told(of_before[i].second));
  }
  return out;
}

bool dated_run(const Record& r) {
  return r.status == "ok" && !r.samples.host_ns.empty() && day_of(r.created) && work_units(r).per_step > 0;
}

std::vector<TrendPoint> points_of(const std::vector<const Record*>& records) {
  std::vector<TrendPoint> out;
  out.reserve(records.size());
  for (const Record* r : records) out.push_back(point_of(*r));
  return out;
}

// As --case of other commands: a part of the id, or a pattern of it.
bool chosen(const std::string& case_id, const std::string& filter) {
  if (filter.find_first_of("*?[") == std::string::npos) return case_id.find(filter) != std::string::npos;
  return ::fnmatch(filter.c_str(), case_id.c_str(), 0) == 0;
}

using RecordsOfSeries = std::map<SeriesKey, std::vector<const Record*>>;

// By date within each; a record that lies in two places is one.
RecordsOfSeries series_of(const std::vector<Record>& records, const std::string& filter) {
  RecordsOfSeries out;
  std::set<std::string> known;
  for (const Record& r : records) {
    if (!dated_run(r) || !chosen(r.case_id, filter)) continue;
    if (r.id.empty() || known.insert(r.id).second) out[series_key(r)].push_back(&r);
  }
  for (auto& [key, group] : out) {
    std::sort(group.begin(), group.end(), [](const Record* a, const Record* b) {
      return std::tuple(*day_of(a->created), a->id) < std::tuple(*day_of(b->created), b->id);
    });
  }
  return out;
}

// Records of the series' work and chip that gave no figures, and what the newest of all was if it is one of them.
void add_failures(const std::vector<Record>& records, const Record& last, TrendSeries* series) {
  const Record* newest = &last;
  for (const Record& r : records) {
    const bool same = r.case_id == last.case_id && r.case_hash == last.case_hash && r.adapter == last.adapter &&
                      setup_text(r) == setup_text(last) && (r.device_product.empty() || chip_of(r) == chip_of(last));
    if (r.status == "ok" || !same) continue;
    ++series->without_figures;
    if (r.created > newest->created && r.status != "interrupted") newest = &r;  // that one its user ended
  }
  if (newest != &last) series->newest_without = newest->created + ": " + newest->status + ": " + newest->reason;
}

TrendSeries evaluated(const std::vector<const Record*>& records, const std::vector<const Record*>* baseline,
                      const TrendOptions& options) {
  TrendSeries out;
  const Record& r = *records.front();
  out.case_id = r.case_id;
  out.dtype = r.dtype;
  out.tier = r.tier;
  out.basis = r.basis;
  out.device = chip_of(r);
  out.unit = work_units(r).unit;
  const std::vector<TrendPoint> points = points_of(records);
  size_t best = 0;
  for (size_t i = 0; i < points.size(); ++i) {
    TrendRow row{records[i], points[i], {}, {}, {}};
    if (i > 0) {
      row.to_first = ratio_of(points[0].rate, points[i].rate);
      row.to_best = ratio_of(points[best].rate, points[i].rate);
      row.changed = changes_since(*records[i - 1], *records[i]);
      if (points[i].rate.value > points[best].rate.value) best = i;
    }
    out.rows.push_back(std::move(row));
  }
  out.changes = change_points(points, options.margin, options.confidence);
  // Of records of one day a drift a day would be a guess.
  if (points.back().day - points.front().day >= 1) out.slope = trend_slope(points, options.confidence);
  if (baseline == nullptr) {
    out.ends = last_against_first(points, options.edge, options.margin, options.confidence);
    return out;
  }
  out.against_baseline = true;
  const std::span<const TrendPoint> last = std::span(points).last(std::min(options.edge, points.size()));
  if (!baseline->empty()) out.ends = level_difference(points_of(*baseline), last, options.margin, options.confidence);
  return out;
}

}  // namespace

std::vector<TrendSeries> trends(const std::vector<Record>& records, const std::vector<Record>& baseline,
                                const TrendOptions& options) {
  const Setups setups(records);
  const RecordsOfSeries of_records = series_of(records, options.case_filter), of_baseline = series_of(baseline, "");
  std::vector<TrendSeries> out;
  for (const auto& [key, group] : of_records) {
    const auto held = of_baseline.find(key);
    const std::vector<const Record*> none;
    const std::vector<const Record*>* against = held != of_baseline.end() ? &held->second : &none;
    out.push_back(evaluated(group, baseline.empty() ? nullptr : against, options));
    out.back().setup = setups.of(*group.front());
    add_failures(records, *group.back(), &out.back());
  }
  return out;
}

}  // namespace assay
