// The worker's side: one check per line in, lines of what was begun and found out.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>

#include "harness/conformance/bench.h"
#include "harness/conformance/kit_protocol.h"
#include "harness/run/line_channel.h"

namespace assay::conformance {
namespace {

// The kernel takes this process before the kit, and none of it outlives the kit.
void become_worker() {
  std::signal(SIGINT, SIG_IGN);  // these two go to the whole group, and what ends the run is the parent's to say
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  std::ofstream("/proc/self/oom_score_adj") << 1000;
}

void run_check(const Question& question, Pulse& pulse, LineChannel& channel) {
  Bench bench(question.options, question.first, pulse, [&](const std::string& line) { (void)channel.send(line).ok(); });
  const CheckFunction check = check_function(question.check);
  if (check_needs_programs(question.check)) bench.require_programs();
  try {
    if (check != nullptr) check(bench);
  } catch (const std::exception& e) {
    bench.fail(std::string("the kit: ") + e.what());
  }
}

}  // namespace

int conformance_worker_main(int fd, int shared_fd) {
  become_worker();
  void* memory = mmap(nullptr, sizeof(SharedPage), PROT_READ | PROT_WRITE, MAP_SHARED, shared_fd, 0);
  if (memory == MAP_FAILED) return 2;
  Pulse pulse(static_cast<SharedPage*>(memory));
  LineChannel channel(fd, kMaxLineBytes);
  pulse.phase(Phase::kCheck);
  const Result<std::optional<std::string>> line = channel.receive(LineChannel::Wait::kBlock);
  if (!line.ok() || !line->has_value()) return 1;
  const Result<Question> question = question_from_json(**line);
  if (!question.ok()) {
    std::fprintf(stderr, "worker: %s\n", question.error().message.c_str());
    return 2;
  }
  run_check(*question, pulse, channel);
  return channel.send(kDoneLine).ok() ? 0 : 1;
}

}  // namespace assay::conformance
