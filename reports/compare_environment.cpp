#include <algorithm>
#include <map>
#include <set>

#include "reports/compare.h"
#include "results/part.h"

namespace assay {
namespace {

// What is never twice the same and explains nothing.
bool passing(const std::string& name) {
  static const std::set<std::string> kPassing{"loadavg", "memory_available_bytes", "swap_used_bytes", "measured_mhz"};
  return kPassing.count(name) != 0;
}

std::map<std::string, std::string> facts_of(const Record& r) {
  std::map<std::string, std::string> facts;
  for (const auto& [name, value] : r.environment) {
    if (!passing(name)) facts[name] = value;
  }
  facts["device"] = r.device;
  facts["device product"] = r.device_product;
  facts["device driver"] = r.device_driver;
  facts["device architecture"] = r.device_arch;
  facts["adapter"] = r.adapter.empty() ? "" : r.adapter + " " + r.adapter_version;
  if (r.adapter_options) facts["adapter options"] = adapter_options_text(r).empty() ? "none" : adapter_options_text(r);
  facts["executed as"] = r.executed;
  facts["threads"] = r.threads > 0 ? std::to_string(r.threads) : "";
  facts["assay"] = r.tool_version + " " + r.tool_commit;
  facts["build"] = r.build_flags;
  facts["form"] = r.form;
  if (r.reported) facts["source"] = r.reported->producer + " " + r.reported->producer_version;
  return facts;
}

std::string joined_values(const std::set<std::string>& values) {
  std::string out;
  for (const std::string& v : values) out.append(out.empty() ? "" : " / ").append(v.empty() ? "not stated" : v);
  return out;
}

}  // namespace

std::vector<EnvironmentDifference> environment_differences(
    const std::vector<std::pair<const Record*, const Record*>>& pairs) {
  std::map<std::string, std::pair<std::set<std::string>, std::set<std::string>>> found;
  for (const auto& [a, b] : pairs) {
    std::map<std::string, std::string> of_a = facts_of(*a), of_b = facts_of(*b);
    for (const auto& [name, value] : of_b) of_a.try_emplace(name);
    for (const auto& [name, value] : of_a) {
      const std::string& other = of_b[name];
      if (value == other) continue;
      found[name].first.insert(value);
      found[name].second.insert(other);
    }
  }
  std::vector<EnvironmentDifference> out;
  out.reserve(found.size());
  for (const auto& [name, values] : found)
    out.push_back({name, joined_values(values.first), joined_values(values.second)});
  return out;
}

}  // namespace assay
