#include "harness/plan/found_records.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <tuple>

#include "harness/plan/campaign.h"
#include "results/record_files.h"
#include "results/store/store.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// "1 record", "3 records"
std::string counted(size_t n, const std::string& what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); }

// A file of a record, with the record where it had to be read to know whether it stands.
struct Entry {
  fs::path file;
  std::optional<Record> record;
  size_t position = SIZE_MAX;  // of its case in the plan
};

// The folder of the run that a file below `place` belongs to; "" where it is of none.
fs::path run_of(const fs::path& file, const fs::path& place) {
  for (fs::path folder = file.parent_path();; folder = folder.parent_path()) {
    std::error_code code;
    if (fs::exists(folder / kCampaignFile, code)) return folder;
    if (folder == place || folder == folder.parent_path()) return {};
  }
}

// Of one run those that stand, and how many do not.
Result<std::vector<Entry>> standing_entries(const fs::path& folder, const std::vector<fs::path>& files,
                                            size_t* left_out) {
  const Result<Campaign> campaign = read_campaign(folder);
  if (!campaign.ok()) return campaign.error();
  std::vector<Record> records;
  for (const fs::path& file : files) {
    Result<Record> record = read_record(file);
    if (!record.ok()) return record.error();
    records.push_back(std::move(record).value());
  }
  const std::vector<bool> out = superseded(*campaign, records);
  std::vector<Entry> entries;
  for (size_t i = 0; i < files.size(); ++i) {
    if (out[i]) {
      ++*left_out;
      continue;
    }
    const auto at = std::find_if(campaign->cases.begin(), campaign->cases.end(),
                                 [&](const CampaignCase& c) { return belongs(records[i], *campaign, c); });
    entries.push_back({files[i], std::move(records[i]), static_cast<size_t>(at - campaign->cases.begin())});
  }
  return entries;
}

// What stands below a folder, or the file itself.
Result<std::vector<Entry>> entries_of(const fs::path& named, std::vector<std::string>* notes) {
  const fs::path place = named.has_filename() ? named : named.parent_path();  // without a slash at its end
  const Result<std::vector<fs::path>> files = record_files(place);
  if (!files.ok()) return files.error();
  if (!fs::is_directory(place)) return std::vector<Entry>{{place, std::nullopt}};
  std::map<fs::path, std::vector<fs::path>> of_run;
  std::map<fs::path, fs::path> runs;  // by folder
  for (const fs::path& file : *files) {
    const auto [run, added] = runs.try_emplace(file.parent_path());
    if (added) run->second = run_of(file, place);
    of_run[run->second].push_back(file);
  }
  std::vector<Entry> out;
  size_t left_out = 0;
  for (const auto& [folder, of_folder] : of_run) {
    if (folder.empty()) {
      for (const fs::path& file : of_folder) out.push_back({file, std::nullopt});
      continue;
    }
    Result<std::vector<Entry>> standing = standing_entries(folder, of_folder, &left_out);
    if (!standing.ok()) return standing.error();
    for (Entry& entry : *standing) {
      if (of_run.size() > 1) entry.position = SIZE_MAX;  // plans of several runs have no common order
      out.push_back(std::move(entry));
    }
  }
  if (left_out > 0) {
    notes->push_back(place.string() + ": " + counted(left_out, "record") +
                     " left out: of their cases others of the same run stand");
  }
  return out;
}

// `FOLDER/*.json` names a run's plan, too: it is no record, and passed over.
bool is_plan(const std::string& place) {
  return fs::path(place).filename() == kCampaignFile && !fs::is_directory(place);
}

Status records_beside(const std::vector<std::string>& places) {
  const bool plans = !places.empty() && std::all_of(places.begin(), places.end(), is_plan);
  if (!plans) return ok_status();
  const fs::path folder = fs::path(places.front()).parent_path();
  return bad_input(places.front() + ": expected records (*.record.json), found the plan of a run; its records: " +
                   (folder.empty() ? "." : folder.string()));
}

Result<std::vector<Record>> records_at(const fs::path& place, std::vector<std::string>* notes) {
  if (is_store_file(place)) return read_records(place);
  Result<std::vector<Entry>> entries = entries_of(place, notes);
  if (!entries.ok()) return entries.error();
  for (Entry& entry : *entries) {
    if (entry.record) continue;
    Result<Record> record = read_record(entry.file);
    if (!record.ok()) return record.error();
    entry.record = std::move(record).value();
  }
  std::stable_sort(entries->begin(), entries->end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.position, a.record->case_id, a.record->created, a.record->id) <
           std::tie(b.position, b.record->case_id, b.record->created, b.record->id);
  });
  std::vector<Record> out;
  for (Entry& entry : *entries) out.push_back(std::move(*entry.record));
  return out;
}

}  // namespace

Result<FoundRecords> found_records(const std::vector<std::string>& places) {
  if (const Status some = records_beside(places); !some.ok()) return some.error();
  FoundRecords out;
  for (const std::string& place : places) {
    if (is_plan(place)) continue;
    Result<std::vector<Record>> found = records_at(place, &out.notes);
    if (!found.ok()) return found.error();
    if (found->empty()) return bad_input(place + ": expected records (*.record.json), found none");
    std::move(found->begin(), found->end(), std::back_inserter(out.records));
  }
  if (const size_t copies = drop_copies(&out.records); copies > 0) {
    out.notes.push_back(counted(copies, "record") + " left out: copies of others here (equal id), no repeats of a run");
  }
  return out;
}

Result<FoundFiles> found_files(const std::vector<std::string>& places) {
  if (const Status some = records_beside(places); !some.ok()) return some.error();
  FoundFiles out;
  for (const std::string& place : places) {
    if (is_plan(place)) continue;
    const Result<std::vector<Entry>> entries = entries_of(place, &out.notes);
    if (!entries.ok()) return entries.error();
    for (const Entry& entry : *entries) out.files.push_back(entry.file);
  }
  return out;
}

}  // namespace assay
