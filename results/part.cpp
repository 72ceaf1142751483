#include "results/part.h"

#include "results/metrics/metrics.h"
#include "suites/base/words.h"
#include "suites/pages.h"

namespace assay {

bool is_part(const Record& r) {
  return r.extrapolation && (r.extrapolation->layers_run != r.extrapolation->layers_total ||
                             r.extrapolation->experts_run != r.extrapolation->experts_total);
}

std::string part_text(const Record& r) {
  if (!is_part(r)) return "";
  const Extrapolation& e = *r.extrapolation;
  std::string part;
  if (e.layers_run != e.layers_total) {
    part = std::to_string(e.layers_run) + "/" + std::to_string(e.layers_total) + " layers";
  }
  if (e.experts_run != e.experts_total) {
    part +=
        (part.empty() ? "" : ", ") + std::to_string(e.experts_run) + "/" + std::to_string(e.experts_total) + " experts";
  }
  return part;
}

bool is_chunk(const Record& r) { return !r.reported && r.step_kind == "prefill" && r.context > 0; }

std::string piece_text(const std::string& step_kind, int64_t tokens, int64_t context) {
  if (step_kind == "prefill" && context > 0)
    return "chunk of " + std::to_string(tokens) + " tokens of a prompt, behind " + std::to_string(context);
  if (step_kind == "dit") return "denoising pass of a clip";
  if (step_kind == "text-encoder") return "text encoder's pass of a clip";
  if (step_kind == "vae-tile") return "VAE tile of a clip";
  return "";
}

std::string piece_text(const Record& r) { return r.reported ? "" : piece_text(r.step_kind, r.tokens, r.context); }

std::string disturbance(const Record& record) {
  return record.noise.disturbed ? joined(record.noise.causes, ", ") : "";
}

std::string pages_text(const Record& record) {
  if (record.case_json.find("\"kv_layout\"") == std::string::npos) return "";
  const Result<Case> work = case_from_json(record.case_json, record.case_id);
  return work.ok() ? pages_text(*work) : "";
}

std::map<std::string, std::string> kept_options(const std::vector<std::pair<std::string, std::string>>& options) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : options) {
    if (key == "cache_dir" && value != "off") continue;
    const size_t last = value.find_last_not_of('/');
    const std::string path = last == std::string::npos ? "" : value.substr(0, last + 1);
    out.emplace(key, value.find('/') == std::string::npos ? value : path.substr(path.rfind('/') + 1));
  }
  return out;
}

std::string adapter_options_text(const Record& record) {
  std::string text;
  if (!record.adapter_options) return text;
  for (const auto& [key, value] : kept_options({record.adapter_options->begin(), record.adapter_options->end()})) {
    text.append(text.empty() ? "" : " ").append(key).append("=").append(value);
  }
  return text;
}

std::optional<int> compute_threads(const Record& r) {
  return r.adapter == "cpu" && r.threads > 0 ? std::optional(r.threads) : std::nullopt;
}

namespace {

std::string with_threads(std::string options, const std::string& threads) {
  if (threads.empty()) return options;
  return options + (options.empty() ? "" : " ") + "threads=" + threads;
}

const std::string& device_of(const Record& r) { return r.device_product.empty() ? r.device : r.device_product; }

}  // namespace

std::string setup_text(const Record& r) {
  const std::optional<int> threads = compute_threads(r);
  return with_threads(adapter_options_text(r), threads ? std::to_string(*threads) : "");
}

Setups::Setups(const std::vector<Record>& records) {
  for (const Record& r : records) add(r);
}

Setups::Setups(const std::vector<const Record*>& records) {
  for (const Record* r : records) add(*r);
}

Setups::Setups(const std::vector<MeasuredRecord>& records) {
  for (const MeasuredRecord& m : records) add(*m.record);
}

void Setups::add(const Record& r) {
  if (const std::optional<int> threads = compute_threads(r)) threads_[device_of(r)].insert(*threads);
}

std::string Setups::threads(const Record& r) const {
  const std::optional<int> threads = compute_threads(r);
  if (!threads) return "";
  const auto found = threads_.find(device_of(r));
  return found != threads_.end() && found->second.size() > 1 ? std::to_string(*threads) : "";
}

std::string Setups::of(const Record& r) const { return with_threads(adapter_options_text(r), threads(r)); }

}  // namespace assay
