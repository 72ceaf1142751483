#include "harness/cli/campaigner.h"

#include <algorithm>
#include <chrono>

#include "harness/cli/interrupt.h"
#include "harness/run/device_fields.h"
#include "harness/run/launches.h"
#include "results/metrics/launches.h"

namespace assay {
namespace {

// Of all launches, pass by pass; a launch that a case does not have takes no time.
std::vector<double> limits(const RunRequest& request, int64_t passes) {
  std::vector<double> out;
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (const PlannedCase& c : request.cases) {
      const auto launches = static_cast<double>(c.policy.launches);
      out.push_back(pass < c.policy.launches ? c.policy.time_limit_s / launches : 0);
    }
  }
  return out;
}

int64_t most_launches(const RunRequest& request) {
  int64_t most = 1;
  for (const PlannedCase& c : request.cases) most = std::max(most, c.policy.launches);
  return most;
}

}  // namespace

Campaigner::Campaigner(const RunRequest& request, std::vector<KeptCase> kept, std::unique_ptr<WorkerProcess> worker)
    : request_(request),
      kept_(std::move(kept)),
      worker_(std::move(worker)),
      passes_(most_launches(request)),
      progress_(limits(request, passes_), request.cases.size()) {}

Status Campaigner::run() {
  for (int64_t pass = 0; pass < passes_ && !interrupted(); ++pass) {
    if (pass > 0) {
      if (Status started = new_worker(); !started.ok()) return started;
    }
    for (size_t i = 0; i < request_.cases.size() && !interrupted(); ++i) {
      const size_t position = static_cast<size_t>(pass) * request_.cases.size() + i;
      if (kept_[i].over || kept_[i].launches != pass || pass >= request_.cases[i].policy.launches) {
        progress_.finished(position, 0);
        continue;
      }
      const auto begin = std::chrono::steady_clock::now();
      if (Status kept = launch(i, pass); !kept.ok()) return kept;
      progress_.finished(position, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    }
  }
  return pool();
}

Status Campaigner::new_worker() {
  worker_.reset();
  Result<std::unique_ptr<WorkerProcess>> next = WorkerProcess::start(request_.supervisor);
  if (!next.ok()) return next.error();
  worker_ = std::move(next).value();
  return ok_status();
}

Status Campaigner::launch(size_t i, int64_t pass) {
  KeptCase& kept = kept_[i];
  std::optional<Record> record;
  if (pass > 0) {
    Result<Record> before = read_record(kept.file);
    if (!before.ok()) return before.error();
    record = std::move(before).value();
  }
  Result<Record> launched = measure(i, pass, record ? &*record : nullptr);
  progress_.clear();
  if (!launched.ok()) return launched.error();
  if (record) {
    if (launched->status == "interrupted") return ok_status();  // the launches before it stand
    add_launch(*launched, &*record);
  } else {
    record = std::move(launched).value();
  }
  const Result<std::filesystem::path> file = write_record(*record, request_.out, kept.file);
  if (!file.ok()) return file.error();
  kept = {*file, pass + 1, record->status != "ok", ""};
  return ok_status();
}

Result<Record> Campaigner::measure(size_t i, int64_t pass, const Record* before) {
  if (!worker_->alive()) {
    if (Status started = new_worker(); !started.ok()) return started.error();
  }
  const PlannedCase& c = request_.cases[i];
  Job job = job_for(Job::Kind::kRun, c.work, request_.device, request_.campaign.options);
  job.basis = request_.device_info.basis;
  job.form = request_.campaign.form;
  job.policy = c.policy;
  job.policy.time_limit_s /= static_cast<double>(c.policy.launches);
  job.seed = request_.campaign.seed;
  job.threads = request_.campaign.threads;
  job.check_numerics = request_.check_numerics && before == nullptr;
  if (before != nullptr) job.earlier = earlier_launch(*before);
  const std::string id = c.work.id();
  const size_t position = static_cast<size_t>(pass) * request_.cases.size() + i;
  Result<Record> record = worker_->run(job, [&](const Progress& progress) {
    progress_.show(position, id, progress);
    return !interrupted();
  });
  // A worker that died can't say any more which device it had.
  if (record.ok() && record->device_product.empty()) set_device_fields(request_.device_info, &*record);
  return record;
}

Status Campaigner::pool() {
  std::vector<std::vector<RunLaunch>> launches;
  std::vector<size_t> owners;
  for (size_t i = 0; i < kept_.size(); ++i) {
    if (kept_[i].over || kept_[i].launches < 1) continue;
    const Result<Record> record = read_record(kept_[i].file);
    if (!record.ok()) return record.error();
    if (!record->run_launches) continue;
    launches.push_back(record->run_launches->each);
    owners.push_back(i);
  }
  const std::optional<BetweenLaunches> between = between_launches(launches);
  if (!between) return ok_status();
  for (const size_t i : owners) {
    Result<Record> record = read_record(kept_[i].file);
    if (!record.ok()) return record.error();
    record->run_launches->between = between;
    const Result<std::filesystem::path> file = write_record(*record, request_.out, kept_[i].file);
    if (!file.ok()) return file.error();
    kept_[i].file = *file;
  }
  return ok_status();
}

}  // namespace assay
