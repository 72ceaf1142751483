#include "harness/plan/campaign.h"
#include "results/record_files.h"

namespace assay {

Result<std::vector<KeptCase>> kept_cases(const Campaign& campaign, const std::filesystem::path& folder) {
  const Result<std::vector<std::filesystem::path>> files = record_files(folder);
  if (!files.ok()) return files.error();
  std::vector<KeptCase> kept(campaign.cases.size());
  std::vector<std::string> created(kept.size());
  for (const std::filesystem::path& file : *files) {
    const Result<Record> record = read_record(file);
    if (!record.ok()) return record.error();
    for (size_t i = 0; i < kept.size(); ++i) {
      if (record->status != "ok" || record->created < created[i] || !belongs(*record, campaign, campaign.cases[i])) {
        continue;
      }
      created[i] = record->created;
      const int64_t launches = record->run_launches ? static_cast<int64_t>(record->run_launches->each.size()) : 1;
      kept[i] = {file, launches, !record->run_launches};
    }
  }
  return kept;
}

}  // namespace assay
