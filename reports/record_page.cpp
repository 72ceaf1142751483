#include <algorithm>
#include <array>
#include <cmath>

#include "reports/cells.h"
#include "reports/format.h"
#include "reports/tables.h"
#include "results/import/definitions.h"
#include "results/metrics/roofline.h"
#include "results/metrics/skew.h"
#include "results/part.h"
#include "suites/base/visible.h"

namespace assay {
namespace {

constexpr size_t kPlotWidth = 64;
constexpr std::array<const char*, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};

class Page {
 public:
  void heading(const std::string& text) { out_ += "\n" + text + "\n"; }
  // On one line; a record's texts are anyone's.
  void text(const std::string& line) { out_ += visible(line) + "\n"; }
  void line(const std::string& name, const std::string& value) {
    if (!value.empty()) text("  " + name + std::string(name.size() < 20 ? 20 - name.size() : 1, ' ') + value);
  }
  void raw(const std::string& text) { out_ += text; }
  [[nodiscard]] std::string take() && { return std::move(out_); }

 private:
  std::string out_;
};

const char* bar(double share) {
  const auto level = static_cast<size_t>(std::lround(std::clamp(share, 0.0, 1.0) * (kBars.size() - 1)));
  return kBars[level];
}

// The longest step of each of up to 64 stretches of the run: a stall stays visible whatever n is.
std::string series(const std::vector<uint64_t>& x) {
  const uint64_t high = *std::max_element(x.begin(), x.end());
  const uint64_t low = *std::min_element(x.begin(), x.end());
  const size_t columns = std::min(kPlotWidth, x.size());
  std::string out;
  for (size_t c = 0; c < columns; ++c) {
    const size_t begin = c * x.size() / columns, end = (c + 1) * x.size() / columns;
    const uint64_t peak =
        *std::max_element(x.begin() + static_cast<std::ptrdiff_t>(begin), x.begin() + static_cast<std::ptrdiff_t>(end));
    out += bar(high > low ? static_cast<double>(peak - low) / static_cast<double>(high - low) : 0);
  }
  return out;
}

// Counts in 12 equal bins from the fastest step to p99 (the rest in the last), one bar a line.
std::string histogram(std::vector<uint64_t> x) {
  std::sort(x.begin(), x.end());
  const auto low = static_cast<double>(x.front());
  const auto high = static_cast<double>(x[x.size() - 1 - x.size() / 100]);
  constexpr size_t kBins = 12;
  std::array<size_t, kBins> counts{};
  for (const uint64_t v : x) {
    const double share = high > low ? (static_cast<double>(v) - low) / (high - low) : 0;
    ++counts[std::min(kBins - 1, static_cast<size_t>(share * kBins))];
  }
  const size_t most = *std::max_element(counts.begin(), counts.end());
  std::string out;
  for (size_t b = 0; b < kBins; ++b) {
    const std::string from = time_text(low + (high - low) * static_cast<double>(b) / kBins);
    std::string blocks;
    for (size_t i = 0; i < counts[b] * 40 / most; ++i) blocks += "█";
    if (blocks.empty() && counts[b] > 0) blocks = "▏";
    out.append(from.size() < 14 ? 14 - from.size() : 0, ' ').append(from).append("  ").append(blocks);
    out.append(" ").append(std::to_string(counts[b])).append("\n");
  }
  return out;
}

std::string with_bounds(const Quantile& q) {
  std::string out = q.value ? time_text(*q.value) : "–";
  out += "  (" + (q.low ? time_text(*q.low) : std::string("–")) + " to " +
         (q.high ? time_text(*q.high) : std::string("–")) + ")";
  return q.note.empty() ? out : out + "  " + q.note;
}

// "3 of 3: 16.31 ms, 18.72 ms, 16.4 ms a step; ..."
std::string launches_line(const RunLaunches& launches) {
  std::string text = std::to_string(launches.each.size()) + " of " + std::to_string(launches.planned) + ": ";
  for (const RunLaunch& l : launches.each)
    text += (&l == &launches.each.front() ? "" : ", ") + time_text(l.mean_step_ns);
  text += " a step; ";
  if (!launches.between) return text + "the interval knows nothing of what changes between launches";
  const BetweenLaunches& b = *launches.between;
  return text + percent_text(b.relative_sd) + " between launches (standard deviation, " + number_text(b.dof, 4) +
         " degrees of freedom over " + std::to_string(b.cases) + (b.cases == 1 ? " case" : " cases") +
         "), which the interval contains";
}

// "415.8 GFLOP/s (GEMM bf16 2048 x 2048 x 2048), 49.9 GB/s (argmax f32 256 MiB), 2026-11-26T18:20:11Z"
void add_ceilings(const Record& r, Page* page) {
  const Ceiling& c = r.ceiling;
  const auto how = [](const std::string& text, const std::string& unknown) {
    return " (" + (text.empty() ? unknown + ", size not recorded" : text) + ")";
  };
  const auto rates = [&](const std::optional<double>& flops, const std::optional<double>& bytes, bool with_how) {
    std::string text;
    if (flops)
      text += rate_text(*flops, 0, "FLOP/s") + (with_how ? how(ceiling_gemm_text(c), "GEMM " + c.flops_dtype) : "");
    if (bytes) {
      text += (text.empty() ? "" : ", ") + rate_text(*bytes, 0, "bytes/s") +
              (with_how ? how(ceiling_read_text(c), "read") : "");
    }
    return text;
  };
  const std::string first = rates(c.flops_per_s, c.read_bytes_per_s, true);
  if (first.empty()) return page->line("ceilings", c.reason.empty() ? "" : "absent: " + c.reason);
  page->line("ceilings", first + ", " + c.when + (c.measured.empty() ? "" : ", " + c.measured));
  for (size_t i = 0; i < c.of_launches.size(); ++i) {
    const LaunchCeiling& l = c.of_launches[i];
    page->line("", "launch " + std::to_string(i + 1) + ": " + rates(l.flops_per_s, l.read_bytes_per_s, false) + ", " +
                       l.measured);
  }
  const size_t launches = r.run_launches ? r.run_launches->each.size() : 0;
  if (launches > 1 && !attainable(r).of_each_launch)
    page->line("", "not measured beside each of " + std::to_string(launches) +
                       " launches: of what one lacks, the first's counts for all");
  if (!c.reason.empty()) page->line("", c.reason);
}

void add_result(const Record& r, const Metrics& m, Page* page) {
  page->text(r.case_id + " on " + r.device + " (" + r.device_product + "), " + r.basis + ", " + r.status);
  if (!r.reason.empty()) page->text("  " + r.reason);
  if (const std::string old = old_int8_note(r.dtype); !old.empty()) page->text("  " + old);
  if (m.rate) {
    const double half = (m.rate->interval.high - m.rate->interval.low) / 2;
    const std::string unit = m.unit == "tokens/s" ? " tokens/s" : "";
    page->raw("\n");
    page->text("  " + rate_text(m.rate->per_s, half, m.unit) + unit + "   95 % interval " +
               interval_text(*m.rate, m.unit) + ", " + std::to_string(m.rate->n) + " steps");
    if (r.run_launches) page->line("launches", launches_line(*r.run_launches));
  }
  add_ceilings(r, page);
  if (m.mfu_attainable) page->line("MFU", percent_text(*m.mfu_attainable) + " of the GEMM measured beside it");
  if (m.mbu_attainable) page->line("MBU", percent_text(*m.mbu_attainable) + " of the read measured beside it");
  if (m.joules_per_token) page->line("energy", number_text(*m.joules_per_token, 3) + " J/token, " + r.energy.source);
  if (!m.joules_per_token) page->line("energy", "absent: " + (r.energy.reason.empty() ? "no source" : r.energy.reason));
  if (r.extrapolation) {
    const Extrapolation& e = *r.extrapolation;
    page->line("layers", std::to_string(e.layers_run) + " of " + std::to_string(e.layers_total) + " ran. " + e.reason);
    if (m.projected_rate)
      page->line("whole model", rate_text(*m.projected_rate, 0, m.unit) + " " + m.unit +
                                    ", projected without an interval: " + e.method);
  }
}

// "zipf:1.2, seed 1: 49 of 128 experts with a token (50.93 expected), 8 a token; an expert's weights 4.73 MB"
std::string routing_line(const RoutingReport& r) {
  const std::string expected = r.expected_active ? " (" + number_text(*r.expected_active, 4) + " expected)" : "";
  return r.distribution + (r.expected_active ? ", seed " + std::to_string(r.seed) : "") + ": " +
         number_text(active_experts(r), 4) + " of " + std::to_string(r.experts) + " experts with a token" + expected +
         ", " + std::to_string(r.top_k) + " a token; an expert's weights " + number_text(r.expert_bytes / 1e6, 4) +
         " MB a layer";
}

void add_work(const Record& r, Page* page) {
  page->heading("What ran");
  page->line("suite", r.suite + " (" + r.form + "), case " + r.case_hash);
  page->line("work of a step", number_text(r.step_flops / 1e9, 4) + " GFLOP, weights " +
                                   number_text(r.step_weight_bytes / 1e6, 4) + " MB, KV cache " +
                                   number_text(r.step_kv_bytes / 1e6, 4) + " MB");
  if (const std::string pages = pages_text(r); !pages.empty()) page->line("KV cache", pages);
  if (r.routing) page->line("routing", routing_line(*r.routing));
  page->line("adapter", r.adapter + " " + r.adapter_version + " (" + r.adapter_vendor + "), ABI " + r.adapter_abi +
                            ", " + r.support);
  if (r.adapter_options) {
    const std::string options = adapter_options_text(r);
    page->line("options", options.empty() ? "none" : options);
  }
  page->line("executed", r.executed.empty() ? r.dtype + ", as asked" : r.executed);
  page->line("threads, seed", std::to_string(r.threads) + ", " + std::to_string(r.seed));
  page->line("prepare, load", number_text(r.prepare_s, 3) + " s, " + number_text(r.load_s, 3) + " s");
  page->line("tool", r.tool_version + " " + r.tool_commit + ", " + r.build_flags);
  page->line("created", r.created + ", record " + r.id);
}

void add_steps(const Record& r, const Metrics& m, Page* page) {
  if (!m.step) return;
  const Latency& s = *m.step;
  page->heading("Step times");
  page->raw("  " + series(r.samples.host_ns) + "\n  each bar: the longest step of its stretch, " + time_text(s.min) +
            " to " + time_text(s.max) + "\n\n");
  page->raw(histogram(r.samples.host_ns));
  const std::array<const char*, 4> names{"p50", "p90", "p99", "p99.9"};
  for (size_t i = 0; i < s.quantiles.size() && i < names.size(); ++i) page->line(names[i], with_bounds(s.quantiles[i]));
  page->line("max", time_text(s.max));
  if (s.jitter_p99) page->line("jitter p99", time_text(*s.jitter_p99));
  if (s.tail_ratio) page->line("tail ratio", number_text(*s.tail_ratio, 4));
  page->line("cov, qcd", percent_text(s.cov) + ", " + percent_text(s.qcd));
  page->line("drift", s.n < 8 ? std::string("– fewer than 8 steps")
                              : percent_text(s.drift_per_s) + " a second (" + percent_text(s.drift_low) + " to " +
                                    percent_text(s.drift_high) + ")");
  page->line("stalls", std::to_string(m.stalls) + " over 2 x median, " + std::to_string(m.stalls_from_host) +
                           " of them beside a gap of the host");
  if (s.period_steps) page->line("period", number_text(*s.period_steps, 4) + " steps");
  if (s.bimodal) page->line("shape", "two groups of step times");
  page->line("device clock", r.samples.device_clock);
}

std::string mib_text(uint64_t bytes) { return number_text(static_cast<double>(bytes) / 0x1p20, 4) + " MiB"; }

void add_trust(const Record& r, Page* page) {
  page->heading("Why to believe it");
  page->line("numbers", r.numerics.verdict + (r.numerics.reason.empty() ? "" : ": " + r.numerics.reason));
  const auto worst =
      std::max_element(r.numerics.ops.begin(), r.numerics.ops.end(),
                       [](const OpNumerics& a, const OpNumerics& b) { return a.error * b.limit < b.error * a.limit; });
  if (worst != r.numerics.ops.end()) {
    page->line("worst op", worst->op + " (" + worst->dtype + "): error " + number_text(worst->error, 3) + ", limit " +
                               number_text(worst->limit, 3));
  }
  if (r.numerics.whole)
    page->line("whole depth", "error " + number_text(r.numerics.whole->error, 3) + ", limit " +
                                  number_text(r.numerics.whole->limit, 3));
  for (const auto& [name, outcome] : r.timing_truth) page->line(name, outcome);
  page->line("warm-up", std::to_string(r.stop.warmup_steps) + " steps, " + number_text(r.stop.warmup_s, 3) + " s, " +
                            r.stop.warmup_end);
  std::string width = "half-width asked " + percent_text(r.stop.target_half_width);
  if (r.stop.achieved_half_width) width += ", reached " + percent_text(*r.stop.achieved_half_width);
  page->line("stopped by", r.stop.reason + " after " + number_text(r.stop.timed_s, 3) + " s, " + width);
  page->line("disturbed", r.noise.disturbed ? "yes" : "no");
  for (const std::string& cause : r.noise.causes) page->line("", cause);
  const auto throttled = r.noise.values.find("throttled_steps");
  if (throttled != r.noise.values.end()) {
    page->line("throttled", number_text(throttled->second, 6) + " of " + std::to_string(r.samples.host_ns.size()) +
                                " steps ran while the device held its clocks down");
  }
  for (const std::string& warning : r.warnings) page->line("warning", warning);
  if (r.planned_bytes == 0) return;
  page->line("memory", mib_text(r.planned_bytes) + " planned, " + mib_text(r.program_bytes) + " allocated" +
                           (r.taken_bytes ? ", the device's free memory fell by " + mib_text(*r.taken_bytes) : ""));
}

void add_surroundings(const Record& r, Page* page) {
  page->heading("Counters");
  for (const Counter& c : r.counters) page->line(c.name, c.value ? number_text(*c.value, 6) : "absent: " + c.reason);
  page->heading("Environment");
  for (const auto& [name, value] : r.environment) page->line(name, value);
}

// What someone else published: their figures with their definitions, and nothing of ours.
void add_reported(const Record& r, Page* page) {
  const Reported& s = *r.reported;
  page->text(r.case_id + (r.device.empty() ? "" : " on " + r.device) +
             (r.device_product.empty() ? "" : " (" + r.device_product + ")") + ", " + r.basis + ", " + r.status);
  if (!r.reason.empty()) page->text("  " + r.reason);
  page->raw(std::string("  ") + kReportedMark + " as the source states it; neither measured nor checked here\n");
  page->heading("Figures");
  for (const ReportedFigure& f : s.figures) {
    std::string value = reported_text(f);
    if (f.low && f.high) value += "  (" + number_text(*f.low, 6) + " to " + number_text(*f.high, 6) + ")";
    if (f.n) value += "  n = " + std::to_string(*f.n);
    page->line(f.name + " " + f.statistic, value + "  [" + f.definition + ", " + f.source_field + "]");
  }
  page->heading("Definitions");
  std::vector<std::string> shown;
  for (const ReportedFigure& f : s.figures) {
    const FigureDefinition* definition = find_definition(f.definition);
    if (definition == nullptr || std::find(shown.begin(), shown.end(), f.definition) != shown.end()) continue;
    shown.push_back(f.definition);
    page->text("  " + f.definition + ": " + definition->formula);
  }
  page->heading("Source");
  page->line("file", s.source_file + (s.source_place.empty() ? "" : ", " + s.source_place));
  page->line("XXH3-128", s.source_xxh3);
  page->line("written by", s.producer + (s.producer_version.empty() ? "" : " " + s.producer_version));
  page->line("dated", s.source_date);
  page->line("read as", s.format);
  for (const std::string& warning : r.warnings) page->line("warning", warning);
  page->heading("Stated by the source");
  for (const auto& [name, value] : s.stated) page->line(name, value);
  page->line("record", r.id);
}

}  // namespace

std::string render_record_page(const Record& record, const TableOptions& options) {
  Page page;
  if (record.reported) {
    add_reported(record, &page);
    return std::move(page).take();
  }
  const Metrics m = metrics(record);
  if (options.color) page.raw("\033[1m");
  add_result(record, m, &page);
  if (options.color) page.raw("\033[0m");
  add_work(record, &page);
  add_steps(record, m, &page);
  add_trust(record, &page);
  add_surroundings(record, &page);
  return std::move(page).take();
}

}  // namespace assay
