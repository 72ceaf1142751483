#include "results/metrics/reported_rate.h"

#include <algorithm>
#include <cstdlib>

namespace assay {
namespace {

std::optional<double> stated_number(const Reported& r, const char* name) {
  const auto found = r.stated.find(name);
  if (found == r.stated.end()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  return end != found->second.c_str() && *end == '\0' && value > 0 ? std::optional<double>(value) : std::nullopt;
}

ReportedFigure per_accelerator(ReportedFigure f, double accelerators) {
  f.value /= accelerators;
  if (f.low) *f.low /= accelerators;
  if (f.high) *f.high /= accelerators;
  return f;
}

}  // namespace

// MLPerf says accelerators per node ("a#") and nodes, llama-bench the names of its devices.
std::optional<double> stated_accelerators(const Reported& r) {
  if (const auto each = stated_number(r, "a#")) return *each * stated_number(r, "Nodes").value_or(1);
  const auto devices = r.stated.find("gpu_info");
  if (devices == r.stated.end() || devices->second.empty()) return stated_number(r, kGivenAccelerators);
  return 1 + static_cast<double>(std::count(devices->second.begin(), devices->second.end(), ','));
}

ReportedRates reported_rates(const Record& record) {
  ReportedRates out;
  if (!record.reported || record.status != "ok") return out;
  out.serving = record.tier == "request";
  const std::optional<double> stated = stated_accelerators(*record.reported);
  bool any = false;
  for (const ReportedFigure& f : record.reported->figures) {
    if (f.name == "tpot" && f.statistic == "p99") out.tpot_p99_ms = f.value * 1e3;
    if (f.name == "ttft" && f.statistic == "p99") out.ttft_p99_ms = f.value * 1e3;
    if (f.definition == "mlperf-power/mean-of-system" && stated) out.wall_watts = f.value / *stated;
    if (f.unit != "tokens/s" || f.statistic == "std" || f.name == "interactivity") continue;
    const bool each = f.name.find("_per_chip") != std::string::npos;
    const std::optional<double> count = each ? 1 : stated;
    any = true;
    if (!count) continue;
    out.accelerators = count;
    const auto take = [&](const char* name, std::optional<ReportedFigure>* rate) {
      if (!*rate && f.name.rfind(name, 0) == 0) *rate = per_accelerator(f, *count);
    };
    take("output_tokens_per_s", &out.output);
    take("total_tokens_per_s", &out.total);
    if (!out.serving) take("input_tokens_per_s", &out.input);
  }
  if (out.lead()) return out;
  out.reason = any ? "the source doesn't say of how many accelerators its rate is" : "no rate of tokens is stated";
  return out;
}

}  // namespace assay
