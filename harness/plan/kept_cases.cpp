#include <optional>
#include <tuple>

#include "harness/plan/campaign.h"
#include "results/record_files.h"

namespace assay {

namespace {

// An environment's value; "" where it is not known.
std::string known(const Record& r, const char* name) {
  const auto found = r.environment.find(name);
  return found == r.environment.end() || found->second.starts_with("unknown") ? "" : found->second;
}

// What is known to differ between the places where two records were measured; "": nothing.
std::string difference_of_place(const Record& a, const Record& b) {
  const auto differ = [](const std::string& x, const std::string& y) { return !x.empty() && !y.empty() && x != y; };
  if (differ(known(a, "adapter_library_hash"), known(b, "adapter_library_hash"))) return "build of the adapter";
  if (differ(a.device_serial_hash, b.device_serial_hash)) return "card";
  if (differ(a.device_driver, b.device_driver)) return "driver";
  for (const auto& [name, word] :
       {std::pair{"hostname_hash", "host"}, std::pair{"cpu_model", "CPU"}, std::pair{"kernel", "kernel"}}) {
    if (differ(known(a, name), known(b, name))) return word;
  }
  return "";
}

// Whether what the adapter did not support is as it was: asked again, it would say the same.
bool same_adapter(const Record& a, const Record& here) {
  const auto told = [](const Record& r) {
    return std::tie(r.adapter_version, r.tool_commit, r.device_product, r.device_driver);
  };
  return told(a) == told(here);
}

// What a record that stands for its case leaves to do.
Result<KeptCase> kept_by(const std::filesystem::path& file, const Record& record, const Campaign& campaign,
                         const Record& here) {
  if (record.status == "unsupported" && same_adapter(record, here)) return KeptCase{file, 0, true, ""};
  if (record.status != "ok") return KeptCase{};
  if (!record.device_product.empty() && record.device_product != here.device_product) {
    return bad_input(file.string() + " was measured on " + record.device_product + ", " + campaign.device + " is now " +
                     here.device_product + "; expected the same product, or another --out");
  }
  const int64_t launches = record.run_launches ? static_cast<int64_t>(record.run_launches->each.size()) : 1;
  const std::string elsewhere = difference_of_place(record, here);
  if (!elsewhere.empty() && record.run_launches && launches < record.run_launches->planned) {
    return KeptCase{{}, 0, false, elsewhere};
  }
  return KeptCase{file, launches, !record.run_launches, elsewhere};
}

}  // namespace

Result<std::vector<KeptCase>> kept_cases(const Campaign& campaign, const std::filesystem::path& folder,
                                         const Record& here) {
  const Result<std::vector<std::filesystem::path>> files = record_files(folder);
  if (!files.ok()) return files.error();
  struct Stands {
    std::filesystem::path file;
    Record record;
  };
  std::vector<std::optional<Stands>> stand(campaign.cases.size());
  for (const std::filesystem::path& file : *files) {
    const Result<Record> record = read_record(file);
    if (!record.ok()) return record.error();
    for (size_t i = 0; i < stand.size(); ++i) {
      if (!belongs(*record, campaign, campaign.cases[i])) continue;
      if (!stand[i] || stands_before(*record, stand[i]->record)) stand[i] = Stands{file, *record};
    }
  }
  std::vector<KeptCase> kept;
  for (const std::optional<Stands>& s : stand) {
    Result<KeptCase> of = s ? kept_by(s->file, s->record, campaign, here) : Result<KeptCase>(KeptCase{});
    if (!of.ok()) return of.error();
    kept.push_back(std::move(of).value());
  }
  return kept;
}

}  // namespace assay
