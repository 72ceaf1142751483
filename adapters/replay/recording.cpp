#include "adapters/replay/recording.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "adapters/sdk/adapter.h"

namespace assay::replay {
namespace {

constexpr size_t kMostSamples = size_t{1} << 24;
constexpr uint64_t kLongestNs = 3'600'000'000'000;
constexpr size_t kMostBytes = size_t{512} << 20;  // 2^24 steps, host and device, of up to 14 digits and a comma

[[noreturn]] void refuse(const std::string& message) { throw sdk::Failure(ASSAY_INVALID_ARGUMENT, message); }

std::vector<uint64_t> times(const nlohmann::json& file, const char* name, uint64_t least, const std::string& where) {
  const auto found = file.find(name);
  if (found == file.end()) return {};
  const std::string field = where + ": " + name;
  if (!found->is_array() || found->size() > kMostSamples) refuse(field + ": expected a list of at most 2^24 times");
  std::vector<uint64_t> out;
  for (const nlohmann::json& item : *found) {
    const bool time = item.is_number_unsigned() && item.get<uint64_t>() >= least && item.get<uint64_t>() <= kLongestNs;
    if (!time) {
      refuse(field + "[" + std::to_string(out.size()) + "]: expected nanoseconds, " + std::to_string(least) +
             " to an hour, found " + item.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
    }
    out.push_back(item.get<uint64_t>());
  }
  return out;
}

}  // namespace

Recording parse(const std::string& text, const std::string& where) {
  const nlohmann::json file = nlohmann::json::parse(text, nullptr, false);
  if (!file.is_object())
    refuse(where + ": expected a JSON object with host_ns, as 'assay show RECORD --samples' prints");
  Recording out;
  out.host_ns = times(file, "host_ns", 1, where);
  out.device_ns = times(file, "device_ns", 0, where);
  if (out.host_ns.empty()) refuse(where + ": host_ns: expected at least one time, found none");
  if (!out.device_ns.empty() && out.device_ns.size() != out.host_ns.size()) {
    refuse(where + ": device_ns: expected as many times as host_ns, " + std::to_string(out.host_ns.size()) +
           ", found " + std::to_string(out.device_ns.size()));
  }
  return out;
}

Recording read(const std::string& file) {
  if (file.empty()) refuse("needs a recording: --adapter-option samples=FILE");
  std::error_code code;
  const uintmax_t size = std::filesystem::file_size(file, code);
  if (code) refuse(file + ": can't be read: " + code.message());
  if (size > kMostBytes) refuse(file + ": expected at most 512 MiB, found " + std::to_string(size) + " bytes");
  std::ifstream in(file, std::ios::binary);
  std::string text(size, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(size))) refuse(file + ": can't be read");
  return parse(text, file);
}

}  // namespace assay::replay
