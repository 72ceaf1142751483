#include "harness/run/supervisor.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <thread>

#include "harness/measure/clock.h"
#include "harness/run/case_run.h"
#include "harness/run/line_channel.h"
#include "harness/run/worker_death.h"
#include "harness/run/worker_spawn.h"

namespace assay {
namespace {

constexpr size_t kMaxLineBytes = size_t{512} << 20;
constexpr size_t kTailBytes = 2000;
constexpr off_t kMaxOutputBytes = off_t{16} << 20;
constexpr double kCloseGraceS = 2;
constexpr double kHangSteps = 5, kStopSteps = 1.5;

double since_s(uint64_t begin_ns) { return static_cast<double>(now_ns() - begin_ns) / 1e9; }

class WorkerProcessImpl : public WorkerProcess {
 public:
  WorkerProcessImpl(SupervisorOptions options, const SpawnedWorker& worker)
      : options_(std::move(options)),
        pid_(worker.pid),
        output_(worker.output),
        page_(worker.page),
        channel_(worker.socket, kMaxLineBytes) {}
  ~WorkerProcessImpl() override;
  WorkerProcessImpl(const WorkerProcessImpl&) = delete;
  WorkerProcessImpl& operator=(const WorkerProcessImpl&) = delete;

  Result<std::vector<DeviceInfo>> devices(const Job& job) override;
  Record run(const Job& job, const std::function<bool(const Progress&)>& on_progress) override;
  Result<std::string> ask(const Job& job, const std::function<bool(const Progress&)>& on_progress) override;
  [[nodiscard]] bool alive() const override { return pid_ > 0; }

 private:
  using OnProgress = std::function<bool(const Progress&)>;
  Result<JobResult> exchange(const Job& job, const OnProgress& on_progress);
  bool reap(bool wait);
  bool reap_within(double seconds);
  void kill_and_reap();
  Error death(WorkerEnd end);
  void trim_output() const;
  [[nodiscard]] Progress progress_since(uint64_t begin_ns, bool stopping) const;

  SupervisorOptions options_;
  pid_t pid_;
  int output_;
  SharedPage* page_;
  LineChannel channel_;
  WorkerEnd end_;
};

WorkerProcessImpl::~WorkerProcessImpl() {
  channel_.close();  // the worker ends by itself when it sees that
  reap_within(kCloseGraceS);
  kill_and_reap();
  munmap(page_, sizeof(SharedPage));
  ::close(output_);
}

// True when the child is gone.
bool WorkerProcessImpl::reap(bool wait) {
  if (pid_ <= 0) return true;
  int status = 0;
  pid_t got = 0;
  do {
    got = waitpid(pid_, &status, wait ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  end_.known = got == pid_;
  end_.wait_status = status;
  pid_ = -1;
  return true;
}

bool WorkerProcessImpl::reap_within(double seconds) {
  const uint64_t begin = now_ns();
  while (!reap(false)) {
    if (since_s(begin) > seconds) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void WorkerProcessImpl::kill_and_reap() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

Error WorkerProcessImpl::death(WorkerEnd end) {
  kill_and_reap();
  end.known = end_.known;
  end.wait_status = end_.wait_status;
  return {ErrorKind::kAdapter, death_reason(end, *page_, output_tail(output_, kTailBytes))};
}

// A worker that prints without end must not fill the memory: its output lies in a memory file.
void WorkerProcessImpl::trim_output() const {
  struct stat info {};
  if (fstat(output_, &info) == 0 && info.st_size > kMaxOutputBytes) (void)!ftruncate(output_, 0);
}

Progress WorkerProcessImpl::progress_since(uint64_t begin_ns, bool stopping) const {
  Progress p;
  p.phase = static_cast<Phase>(page_->phase.load(std::memory_order_relaxed));
  p.steps = page_->steps.load(std::memory_order_relaxed);
  p.phase_share = static_cast<double>(page_->phase_share.load(std::memory_order_relaxed)) / 1000;
  p.elapsed_s = since_s(begin_ns);
  p.step_s = static_cast<double>(page_->step_ns.load(std::memory_order_relaxed)) / 1e9;
  p.planned_bytes = page_->planned.load(std::memory_order_relaxed);
  p.stopping = stopping;
  return p;
}

Result<JobResult> WorkerProcessImpl::exchange(const Job& job, const OnProgress& on_progress) {
  if (!alive()) return Error{ErrorKind::kInternal, "the worker process is gone"};
  page_->stop.store(0, std::memory_order_relaxed);
  page_->steps.store(0, std::memory_order_relaxed);
  page_->step_ns.store(0, std::memory_order_relaxed);
  page_->planned.store(0, std::memory_order_relaxed);
  const Status sent = channel_.send(job_to_json(job));
  if (!sent.ok()) return death({});
  const uint64_t begin = now_ns();
  uint64_t beat_at = begin;
  uint64_t beat = page_->heartbeat.load(std::memory_order_relaxed);
  std::optional<uint64_t> stop_at;
  while (true) {
    pollfd ready{channel_.fd(), POLLIN, 0};
    ::poll(&ready, 1, std::max(1, static_cast<int>(options_.poll_interval_s * 1000)));
    Result<std::optional<std::string>> line = channel_.receive(LineChannel::Wait::kPoll);
    WorkerEnd end;
    if (line.ok() && line->has_value()) {
      Result<JobResult> result = job_result_from_json(**line);
      if (result.ok()) return result;
      end.garbled = result.error().message;
      return death(end);
    }
    if (!line.ok()) end.garbled = line.error().message;
    if (!line.ok() || channel_.closed()) {
      if (!reap_within(kCloseGraceS)) end.garbled = "it closed its socket and lived on";
      return death(end);
    }
    // Seldom: it is gone, but a process that it started still holds the socket.
    if (reap(false)) return death(end);

    const uint64_t new_beat = page_->heartbeat.load(std::memory_order_relaxed);
    if (new_beat != beat) beat_at = now_ns();
    beat = new_beat;
    end.silent_s = since_s(beat_at);
    const Progress progress = progress_since(begin, stop_at.has_value());
    end.killed_hung =
        end.silent_s > std::max(patience_s(*page_, options_.hang_timeout_s), kHangSteps * progress.step_s);
    const bool keeps = (progress.phase == Phase::kTimed && progress.steps > 0) || progress.phase == Phase::kFinish;
    const double grace_s = std::max(options_.stop_grace_s, keeps ? kStopSteps * progress.step_s : 0);
    end.killed_stop = stop_at && since_s(*stop_at) > grace_s;
    if (end.killed_hung || end.killed_stop) return death(end);
    trim_output();
    if (on_progress && !on_progress(progress) && !stop_at) {
      page_->stop.store(1, std::memory_order_relaxed);
      stop_at = now_ns();
    }
  }
}

Result<std::vector<DeviceInfo>> WorkerProcessImpl::devices(const Job& job) {
  Job question = job;
  question.kind = Job::Kind::kDevices;
  Result<JobResult> result = exchange(question, nullptr);
  if (!result.ok()) return result.error();
  if (result->devices) return *result->devices;
  return result->error.value_or(Error{ErrorKind::kInternal, "the worker answered something else than devices"});
}

Record WorkerProcessImpl::run(const Job& job, const OnProgress& on_progress) {
  Job question = job;
  question.kind = Job::Kind::kRun;
  Result<JobResult> result = exchange(question, on_progress);
  if (result.ok() && result->record) return std::move(*result->record);
  // A signal to the whole group may take a worker that has just begun before the parent has asked it to stop.
  const bool stopped =
      page_->stop.load(std::memory_order_relaxed) != 0 || (!result.ok() && on_progress && !on_progress(Progress{}));
  std::string reason = "the worker answered something else than a record";
  if (!result.ok()) reason = result.error().message;
  if (result.ok() && result->error) reason = result->error->message;
  Record record = blank_record(job, reason);
  if (stopped) {
    record.status = "interrupted";
    record.stop.reason = "interrupted";
  }
  return record;
}

Result<std::string> WorkerProcessImpl::ask(const Job& job, const OnProgress& on_progress) {
  Result<JobResult> result = exchange(job, on_progress);
  if (!result.ok()) return result.error();
  if (result->text) return std::move(*result->text);
  return result->error.value_or(Error{ErrorKind::kInternal, "the worker answered something else than asked"});
}

}  // namespace

Result<std::unique_ptr<WorkerProcess>> WorkerProcess::start(const SupervisorOptions& options) {
  Result<SpawnedWorker> worker = spawn_worker(options.executable);
  if (!worker.ok()) return worker.error();
  return std::unique_ptr<WorkerProcess>(std::make_unique<WorkerProcessImpl>(options, *worker));
}

}  // namespace assay
