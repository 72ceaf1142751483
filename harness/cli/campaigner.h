// Runs the cases of a campaign, launch by launch, and keeps their records on disk.
//
// In passes: each pass launches every case once more, in a worker process of its own, so that the launches of one case
// lie spread over the whole campaign. After each launch the record on disk holds all launches of its case so far, so
// that whatever ends the run loses one launch at most. What launches differ by is pooled over the cases at the end, or
// when the run is interrupted.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "harness/cli/common.h"
#include "harness/cli/progress.h"
#include "harness/plan/campaign.h"
#include "harness/plan/selection.h"

namespace assay {

// Everything a run is asked to do, checked.
struct RunRequest {
  std::vector<PlannedCase> cases;
  ChosenDevice device;
  Campaign campaign;
  std::filesystem::path out;
  SupervisorOptions supervisor;
  DeviceInfo device_info;
  bool resume = false, check_numerics = true;
  bool seed_given = false;  // else drawn, or of the run to go on with
};

class Campaigner {
 public:
  // `kept`: what of each case is measured already.
  Campaigner(const RunRequest& request, std::vector<KeptCase> kept, std::unique_ptr<WorkerProcess> worker);

  // Measures what is not finished; an error only where a result can't be kept.
  Status run();

 private:
  // A further launch of case i, for the `pass`th time.
  Status launch(size_t i, int64_t pass);
  Result<Record> measure(size_t i, int64_t pass, const Record* before);
  Status new_worker();
  // Pools what launches differ by into the records.
  Status pool();

  const RunRequest& request_;
  std::vector<KeptCase> kept_;
  std::unique_ptr<WorkerProcess> worker_;
  int64_t passes_ = 1;
  ProgressLine progress_;
};

}  // namespace assay
