#include "harness/plan/campaign.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "results/part.h"
#include "results/standing.h"
#include "suites/base/json_input.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr size_t kMaxBytes = size_t{64} << 20;

std::string options_text(const Campaign& campaign) {
  std::string text;
  for (const auto& [key, value] : campaign.options)
    text.append(text.empty() ? "" : " ").append(key).append("=").append(value);
  return text.empty() ? "none" : text;
}

std::string seconds_text(double seconds) { return seconds > 0 ? json(seconds).dump() : "of the suites"; }

std::string launches_text(int64_t launches) { return launches > 0 ? std::to_string(launches) : "of the suites"; }

}  // namespace

bool belongs(const Record& record, const Campaign& campaign, const CampaignCase& c) {
  if (record.case_hash != c.hash) return false;
  if (record.adapter_options) {
    const std::map<std::string, std::string>& of = *record.adapter_options;
    if (kept_options({of.begin(), of.end()}) != kept_options(campaign.options)) return false;
  }
  return record.seed == campaign.seed && record.device == campaign.device && record.form == campaign.form;
}

std::vector<CampaignCase> campaign_cases(const std::vector<PlannedCase>& cases) {
  std::vector<CampaignCase> out;
  out.reserve(cases.size());
  for (const PlannedCase& c : cases) out.push_back({c.work.id(), c.work.hash(), c.work.suite_hash});
  return out;
}

std::string campaign_to_json(const Campaign& c) {
  json cases = json::array();
  for (const CampaignCase& one : c.cases) {
    cases.push_back({{"id", one.id}, {"hash", one.hash}, {"suite_hash", one.suite_hash}});
  }
  json options = json::array();
  for (const auto& [key, value] : c.options) options.push_back({key, value});
  const json j = {{"campaign_version", c.version},
                  {"tool_version", c.tool_version},
                  {"tool_commit", c.tool_commit},
                  {"created", c.created},
                  {"arguments", c.arguments},
                  {"device", c.device},
                  {"form", c.form},
                  {"seed", c.seed},
                  {"threads", c.threads},
                  {"time_limit_s", c.time_limit_s},
                  {"launches", c.launches},
                  {"options", options},
                  {"cases", cases}};
  return j.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<Campaign> campaign_from_json(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  root.fields({"campaign_version", "tool_version", "tool_commit", "created", "arguments", "device", "form", "seed",
               "threads", "time_limit_s", "launches", "options", "cases"});
  Campaign c;
  c.version = static_cast<int>(root.at("campaign_version").integer(kCampaignVersion, kCampaignVersion));
  c.tool_version = root.at("tool_version").text(64);
  c.tool_commit = root.at("tool_commit").text(128);
  c.created = root.at("created").text(64);
  for (const JsonNode& word : root.at("arguments").items()) c.arguments.push_back(word.text());
  c.device = root.at("device").text();
  c.form = root.at("form").text_of({"quick", "full"});
  c.seed = root.at("seed").unsigned_integer();
  c.threads = static_cast<int>(root.at("threads").integer(0, INT32_MAX));
  c.time_limit_s = root.at("time_limit_s").number(0, 1e9);
  if (root.has("launches")) c.launches = root.at("launches").integer(0, kMaxLaunches);
  for (const JsonNode& option : root.at("options").items()) {
    const std::vector<JsonNode> pair = option.items(2, 2);
    if (pair.size() == 2) c.options.emplace_back(pair[0].text(), pair[1].text());
  }
  for (const JsonNode& one : root.at("cases").items()) {
    one.fields({"id", "hash", "suite_hash"});
    c.cases.push_back({one.at("id").text(), one.at("hash").text(64), one.at("suite_hash").text(64)});
  }
  if (!input.ok()) return input.error();
  return c;
}

Result<Campaign> read_campaign(const std::filesystem::path& folder) {
  const std::string file = (folder / kCampaignFile).string();
  if (std::error_code code; !std::filesystem::is_directory(folder, code)) {
    return bad_input(folder.string() + ": expected the folder of a run, found " +
                     (std::filesystem::exists(folder, code) ? "a file" : "no such folder"));
  }
  if (std::error_code code; !std::filesystem::exists(file, code)) {
    return bad_input(folder.string() + ": expected the folder of a run, found one without " + kCampaignFile);
  }
  Result<std::string> text = read_text_file(file, kMaxBytes);
  if (!text.ok()) return text.error();
  return campaign_from_json(*text, file);
}

std::string campaign_difference(const Campaign& before, const Campaign& now) {
  const auto differs = [](const char* what, const std::string& was, const std::string& is) {
    return std::string(what) + ": " + was + " before, " + is + " now";
  };
  if (before.tool_version != now.tool_version) return differs("assay", before.tool_version, now.tool_version);
  if (before.device != now.device) return differs("--device", before.device, now.device);
  if (before.form != now.form) return differs("form", "--" + before.form, "--" + now.form);
  if (before.seed != now.seed) return differs("--seed", std::to_string(before.seed), std::to_string(now.seed));
  if (before.threads != now.threads) {
    return differs("threads", std::to_string(before.threads), std::to_string(now.threads));
  }
  if (before.time_limit_s != now.time_limit_s) {
    return differs("--time-limit", seconds_text(before.time_limit_s), seconds_text(now.time_limit_s));
  }
  if (before.launches != now.launches) {
    return differs("--launches", launches_text(before.launches), launches_text(now.launches));
  }
  if (before.options != now.options) return differs("--adapter-option", options_text(before), options_text(now));
  const size_t count = std::min(before.cases.size(), now.cases.size());
  for (size_t i = 0; i < count; ++i) {
    const CampaignCase& a = before.cases[i];
    const CampaignCase& b = now.cases[i];
    const std::string name = "case " + std::to_string(i + 1);
    if (a.id != b.id) return differs(name.c_str(), a.id, b.id);
    if (a.hash != b.hash) return name + " (" + a.id + "): its definition has changed since";
    if (a.suite_hash != b.suite_hash) return name + " (" + a.id + "): its suite has changed since";
  }
  if (before.cases.size() != now.cases.size()) {
    return differs("cases", std::to_string(before.cases.size()), std::to_string(now.cases.size()));
  }
  return "";
}

bool stands_before(const Record& a, const Record& b) {
  // Whether it was disturbed says nothing here: of two finished records the newer was measured to replace the older.
  return standing(a.status, false, a.created, a.id) > standing(b.status, false, b.created, b.id);
}

namespace {

// Of each case of the plan the index of the record that stands for it.
std::vector<std::optional<size_t>> standing_of(const Campaign& campaign, const std::vector<Record>& records) {
  std::vector<std::optional<size_t>> out(campaign.cases.size());
  for (size_t c = 0; c < out.size(); ++c) {
    for (size_t i = 0; i < records.size(); ++i) {
      if (!belongs(records[i], campaign, campaign.cases[c])) continue;
      if (!out[c] || stands_before(records[i], records[*out[c]])) out[c] = i;
    }
  }
  return out;
}

}  // namespace

std::vector<bool> superseded(const Campaign& campaign, const std::vector<Record>& records) {
  const std::vector<std::optional<size_t>> stand = standing_of(campaign, records);
  std::vector<bool> out(records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    for (size_t c = 0; c < stand.size(); ++c) {
      // A copy of the one that stands is told as a copy.
      const bool other =
          stand[c] && *stand[c] != i && (records[i].id.empty() || records[*stand[c]].id != records[i].id);
      if (other && belongs(records[i], campaign, campaign.cases[c])) out[i] = true;
    }
  }
  return out;
}

std::vector<Record> last_records(const Campaign& campaign, const std::vector<Record>& records) {
  std::vector<Record> out;
  for (const std::optional<size_t>& i : standing_of(campaign, records)) {
    if (i) out.push_back(records[*i]);
  }
  return out;
}

}  // namespace assay
