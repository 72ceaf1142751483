#include "harness/worker_protocol.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>

namespace assay {
namespace {

using nlohmann::json;

constexpr std::array<const char*, 10> kPhaseNames{"starting", "open",   "check", "ceiling", "prepare",
                                                  "load",     "warmup", "timed", "finish",  "idle"};
constexpr std::array<const char*, 7> kErrorNames{"bad-input", "unsupported", "out-of-memory", "io",
                                                 "adapter",   "timeout",     "internal"};

constexpr std::array<const char*, 4> kJobNames{"devices", "run", "profile", "fit"};  // in the order of Job::Kind

// nlohmann's own conversion wraps a negative number and is undefined for a float out of range.
template <typename T>
T integer(const json& object, const char* name) {
  const json& value = object.at(name);
  const bool fits = value.is_number_unsigned()
                        ? value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<T>::max())
                        : value.is_number_integer() && std::is_signed_v<T> &&
                              value.get<int64_t>() >= static_cast<int64_t>(std::numeric_limits<T>::min());
  if (!fits) throw std::invalid_argument(std::string("field \"") + name + "\": expected an integer in range");
  return value.get<T>();
}

json policy_to_json(const RunPolicy& p) {
  return {{"target_half_width", p.target_half_width},
          {"percentiles", p.percentiles},
          {"confidence", p.confidence},
          {"time_limit_s", p.time_limit_s},
          {"launches", p.launches},
          {"min_samples", p.min_samples},
          {"max_step_s", p.max_step_s},
          {"max_layers", p.max_layers}};
}

RunPolicy policy_from_json(const json& j) {
  RunPolicy p;
  p.target_half_width = j.at("target_half_width").get<double>();
  p.percentiles = j.at("percentiles").get<std::vector<double>>();
  p.confidence = j.at("confidence").get<double>();
  p.time_limit_s = j.at("time_limit_s").get<double>();
  p.launches = integer<int64_t>(j, "launches");
  p.min_samples = integer<int64_t>(j, "min_samples");
  p.max_step_s = j.at("max_step_s").get<double>();
  p.max_layers = integer<int64_t>(j, "max_layers");
  return p;
}

json device_to_json(const DeviceInfo& d) {
  return {{"index", d.index},
          {"product", d.product},
          {"arch", d.arch},
          {"serial", d.serial},
          {"driver", d.driver},
          {"firmware", d.firmware},
          {"bus_id", d.bus_id},
          {"basis", d.basis},
          {"support", d.support},
          {"abi", d.abi},
          {"memory_bytes", d.memory_bytes},
          {"memory_free_bytes", d.memory_free_bytes},
          {"memory_bandwidth_bytes_per_s", d.memory_bandwidth_bytes_per_s},
          {"dtypes", d.dtypes},
          {"cache_bytes", d.cache_bytes},
          {"board_power_limit_w", d.board_power_limit_w},
          {"state", d.state}};
}

DeviceInfo device_from_json(const json& j) {
  DeviceInfo d;
  d.index = integer<uint32_t>(j, "index");
  d.product = j.at("product").get<std::string>();
  d.arch = j.at("arch").get<std::string>();
  d.serial = j.at("serial").get<std::string>();
  d.driver = j.at("driver").get<std::string>();
  d.firmware = j.at("firmware").get<std::string>();
  d.bus_id = j.at("bus_id").get<std::string>();
  d.basis = j.at("basis").get<std::string>();
  d.support = j.at("support").get<std::string>();
  d.abi = j.at("abi").get<std::string>();
  d.memory_bytes = integer<uint64_t>(j, "memory_bytes");
  d.memory_free_bytes = integer<uint64_t>(j, "memory_free_bytes");
  d.memory_bandwidth_bytes_per_s = integer<uint64_t>(j, "memory_bandwidth_bytes_per_s");
  d.dtypes = integer<uint64_t>(j, "dtypes");
  d.cache_bytes = integer<uint64_t>(j, "cache_bytes");
  d.board_power_limit_w = j.at("board_power_limit_w").get<double>();
  d.state = j.at("state").get<std::map<std::string, std::string>>();
  return d;
}

// Vendor strings come as they are; a byte that is not UTF-8 must not lose a record.
std::string dump(const json& j) { return j.dump(-1, ' ', false, json::error_handler_t::replace); }

Job parse_job(const json& j) {
  static const std::array<const char*, 13> known{"kind",    "adapter_library", "device", "basis",   "case",
                                                 "form",    "policy",          "seed",   "threads", "check_numerics",
                                                 "earlier", "counted_ops",     "options"};
  for (const auto& item : j.items()) {
    bool is_known = false;
    for (const char* name : known) is_known = is_known || item.key() == name;
    if (!is_known) throw std::invalid_argument("unknown field \"" + item.key() + "\"");
  }
  Job job;
  const std::string kind = j.at("kind").get<std::string>();
  const auto found = std::find(kJobNames.begin(), kJobNames.end(), kind);
  if (found == kJobNames.end()) {
    throw std::invalid_argument("field \"kind\": expected devices, run, profile or fit, found \"" + kind + "\"");
  }
  job.kind = static_cast<Job::Kind>(found - kJobNames.begin());
  job.adapter_library = j.at("adapter_library").get<std::string>();
  job.device = j.at("device").get<std::string>();
  job.basis = j.at("basis").get<std::string>();
  job.case_json = j.at("case").get<std::string>();
  job.form = j.at("form").get<std::string>();
  job.policy = policy_from_json(j.at("policy"));
  job.seed = integer<uint64_t>(j, "seed");
  job.threads = integer<int>(j, "threads");
  job.check_numerics = j.at("check_numerics").get<bool>();
  if (const json& e = j.at("earlier"); !e.is_null()) {
    job.earlier = EarlierLaunch{integer<int64_t>(e, "layers"),     integer<int64_t>(e, "experts"),
                                e.at("flops_per_s").get<double>(), e.at("bytes_per_s").get<double>(),
                                e.at("step_s").get<double>(),      integer<int64_t>(e, "gemm_size"),
                                integer<uint64_t>(e, "read_bytes")};
  }
  job.counted_ops = j.at("counted_ops").get<std::string>();
  job.options = j.at("options").get<std::vector<std::pair<std::string, std::string>>>();
  return job;
}

JobResult parse_result(const json& j) {
  JobResult result;
  if (j.contains("record")) {
    Result<Record> record = record_from_json(j.at("record").get<std::string>(), "worker's record");
    if (!record.ok()) throw std::invalid_argument(record.error().message);
    result.record = std::move(record).value();
  } else if (j.contains("devices")) {
    std::vector<DeviceInfo> devices;
    for (const json& d : j.at("devices")) devices.push_back(device_from_json(d));
    result.devices = std::move(devices);
  } else if (j.contains("text")) {
    result.text = j.at("text").get<std::string>();
  } else if (j.contains("error")) {
    Error error;
    const std::string kind = j.at("error").at("kind").get<std::string>();
    for (size_t i = 0; i < kErrorNames.size(); ++i) {
      if (kind == kErrorNames[i]) error.kind = static_cast<ErrorKind>(i);
    }
    error.message = j.at("error").at("message").get<std::string>();
    result.error = error;
  } else {
    throw std::invalid_argument("expected one of record, devices, text, error");
  }
  return result;
}

}  // namespace

const char* phase_name(Phase phase) {
  const auto index = static_cast<size_t>(phase);
  return index < kPhaseNames.size() ? kPhaseNames[index] : "?";
}

std::string job_to_json(const Job& job) {
  json earlier;
  if (const std::optional<EarlierLaunch>& e = job.earlier) {
    earlier = {{"layers", e->layers},           {"experts", e->experts}, {"flops_per_s", e->flops_per_s},
               {"bytes_per_s", e->bytes_per_s}, {"step_s", e->step_s},   {"gemm_size", e->gemm_size},
               {"read_bytes", e->read_bytes}};
  }
  return dump({{"kind", kJobNames[static_cast<size_t>(job.kind)]},
               {"adapter_library", job.adapter_library},
               {"device", job.device},
               {"basis", job.basis},
               {"case", job.case_json},
               {"form", job.form},
               {"policy", policy_to_json(job.policy)},
               {"seed", job.seed},
               {"threads", job.threads},
               {"check_numerics", job.check_numerics},
               {"earlier", std::move(earlier)},
               {"counted_ops", job.counted_ops},
               {"options", job.options}});
}

Result<Job> job_from_json(const std::string& text) {
  try {
    return parse_job(json::parse(text));
  } catch (const std::exception& e) {
    return bad_input(std::string("job: ") + e.what());
  }
}

std::string job_result_to_json(const JobResult& result) {
  if (result.record) return dump({{"record", record_to_json(*result.record)}});
  if (result.devices) {
    json list = json::array();
    for (const DeviceInfo& d : *result.devices) list.push_back(device_to_json(d));
    return dump({{"devices", list}});
  }
  if (result.text) return dump({{"text", *result.text}});
  const Error error = result.error.value_or(Error{ErrorKind::kInternal, "empty answer"});
  return dump({{"error", {{"kind", kErrorNames[static_cast<size_t>(error.kind)]}, {"message", error.message}}}});
}

Result<JobResult> job_result_from_json(const std::string& text) {
  try {
    return parse_result(json::parse(text));
  } catch (const std::exception& e) {
    return Error{ErrorKind::kInternal, std::string("worker's answer: ") + e.what()};
  }
}

}  // namespace assay
