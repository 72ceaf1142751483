// A run as a file: campaign.json in the output folder holds the plan, so that a run can go on after it was cut off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "harness/plan/selection.h"
#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

inline constexpr int kCampaignVersion = 1;
inline constexpr const char* kCampaignFile = "campaign.json";
inline constexpr const char* kCampaignLock = "campaign.lock";  // beside it, while a run is at it

struct CampaignCase {
  std::string id, hash, suite_hash;
};

struct Campaign {
  int version = kCampaignVersion;
  std::string tool_version, tool_commit, created;  // created: UTC, ISO 8601
  std::vector<std::string> arguments;              // of `assay run`, without --out and --resume
  std::string device, form;
  uint64_t seed = 0;
  int threads = 0;
  double time_limit_s = 0;  // 0: of the suites
  int64_t launches = 0;     // of each case, 0: of the suites
  std::vector<std::pair<std::string, std::string>> options;
  std::vector<CampaignCase> cases;
};

std::vector<CampaignCase> campaign_cases(const std::vector<PlannedCase>& cases);

std::string campaign_to_json(const Campaign& campaign);
Result<Campaign> campaign_from_json(const std::string& text, const std::string& where);
Result<Campaign> read_campaign(const std::filesystem::path& folder);

// What would make going on with `before` as `now` another run: "seed: 1 before, 2 now"; "" where nothing would.
std::string campaign_difference(const Campaign& before, const Campaign& now);

// Records are compared as the plan names them: by the case's hash on the campaign's device, in its form, with its seed
// and, where the record tells them, its options of the adapter.
bool belongs(const Record& record, const Campaign& campaign, const CampaignCase& c);

// What of a case is on disk.
struct KeptCase {
  std::filesystem::path file;  // "": nothing, or nothing to go on with
  int64_t launches = 0;        // in it
  bool over = false;           // no further launch: it can't run, or was kept before launches were counted
  std::string elsewhere;       // what was another where it was measured ("driver"); "" where nothing is known to be
};

// Of each case of the plan by the record below `folder` that stands for it; others of it are not gone on with. `here`
// tells device and environment of this run. A case finished on another card or host, or under another driver, stands;
// one that was only begun there is measured anew, as launches of one record differ by nothing but chance, and so is one
// that this adapter or driver did not support when it was another. Another product than here is bad input.
Result<std::vector<KeptCase>> kept_cases(const Campaign& campaign, const std::filesystem::path& folder,
                                         const Record& here);

// Of the records of one case: the last finished one stands before what failed or was interrupted; without one the last.
bool stands_before(const Record& a, const Record& b);

// Of each record whether another of the same case of this campaign stands before it. What does not belong to the
// campaign is none of its leftovers.
std::vector<bool> superseded(const Campaign& campaign, const std::vector<Record>& records);

// The record that stands for each case of the plan, in its order; a case without one is left out.
std::vector<Record> last_records(const Campaign& campaign, const std::vector<Record>& records);

}  // namespace assay
