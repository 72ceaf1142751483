#include "harness/measure/papi_events.h"

#include <papi.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "harness/measure/files.h"

namespace assay {
namespace {

struct Wanted {
  const char* name;      // as it stands in the record
  const char* names[2];  // what PAPI may call it, best first
  double at_least;       // what the probe's work must raise it to
};
constexpr int64_t kProbeTurns = 1'000'000;
constexpr Wanted kWanted[] = {
    {"PAPI_TOT_CYC", {"PAPI_TOT_CYC", nullptr}, 0.1 * kProbeTurns},
    {"PAPI_TOT_INS", {"PAPI_TOT_INS", nullptr}, kProbeTurns},
    {"PAPI_L3_TCM", {"PAPI_L3_TCM", "perf::CACHE-MISSES"}, 0},  // the work may well miss nothing
};

std::string failure(const char* call, int code) { return std::string(call) + ": " + PAPI_strerror(code); }

// "" or why the library can't be used.
std::string library_problem() {
  static const std::string problem = [] {
    const int version = PAPI_library_init(PAPI_VER_CURRENT);
    if (version != PAPI_VER_CURRENT) {
      return version < 0 ? failure("PAPI_library_init", version)
                         : std::string("PAPI_library_init: the library is of another version than its header");
    }
    const int code = PAPI_thread_init([] { return static_cast<unsigned long>(gettid()); });
    return code == PAPI_OK ? std::string() : failure("PAPI_thread_init", code);
  }();
  return problem;
}

// An empty event set whose counts include threads made later.
Result<int> new_set() {
  int set = PAPI_NULL;
  if (const int code = PAPI_create_eventset(&set); code != PAPI_OK) {
    return Error{ErrorKind::kUnsupported, failure("PAPI_create_eventset", code)};
  }
  if (const int code = PAPI_assign_eventset_component(set, 0); code != PAPI_OK) {
    PAPI_destroy_eventset(&set);
    return Error{ErrorKind::kUnsupported, failure("PAPI_assign_eventset_component", code)};
  }
  return set;
}

std::optional<std::string> inherit_problem(int set) {
  PAPI_option_t option{};
  option.inherit.eventset = set;
  option.inherit.inherit = PAPI_INHERIT_ALL;
  const int code = PAPI_set_opt(PAPI_INHERIT, &option);
  if (code == PAPI_OK) return std::nullopt;
  return failure("PAPI_set_opt(PAPI_INHERIT)", code);
}

void drop_set(int set) {
  PAPI_cleanup_eventset(set);
  PAPI_destroy_eventset(&set);
}

// Turns of one addition at least, in a thread of its own: only an inherited count sees them.
void probe_work() {
  std::thread([] {
    uint64_t x = 0;
    for (int64_t i = 0; i < kProbeTurns; ++i) {
      x += static_cast<uint64_t>(i);
      asm volatile("" : "+r"(x));
    }
  }).join();
}

std::string count_once(int set, int code, double at_least) {
  if (const int status = PAPI_add_event(set, code); status != PAPI_OK) return failure("PAPI_add_event", status);
  if (const auto problem = inherit_problem(set)) return *problem;
  if (const int status = PAPI_start(set); status != PAPI_OK) return failure("PAPI_start", status);
  probe_work();
  long long value = 0;
  if (const int status = PAPI_stop(set, &value); status != PAPI_OK) return failure("PAPI_stop", status);
  if (static_cast<double>(value) < at_least) {
    return "counted " + std::to_string(value) + " over work that raises it by " +
           std::to_string(static_cast<int64_t>(at_least)) + " or more";
  }
  return "";
}

// Really counts; "" when the event is worth having.
std::string probe(const char* name, double at_least) {
  int code = 0;
  if (const int status = PAPI_event_name_to_code(name, &code); status != PAPI_OK) {
    return failure("PAPI_event_name_to_code", status);
  }
  const Result<int> set = new_set();
  if (!set) return set.error().message;
  std::string problem = count_once(*set, code, at_least);
  drop_set(*set);
  return problem;
}

std::string hint(const SystemRoot& root) {
  std::error_code error;
  const bool pmu = std::filesystem::exists(below(root, "sys/bus/event_source/devices/cpu"), error) ||
                   std::filesystem::exists(below(root, "sys/bus/event_source/devices/armv8_pmuv3_0"), error) ||
                   std::filesystem::exists(below(root, "sys/bus/event_source/devices/cpu_core"), error);
  if (pmu) return "";
  const Result<std::string> cpuinfo = read_text(root, "proc/cpuinfo");
  const bool vm = cpuinfo && cpuinfo->find(" hypervisor") != std::string::npos;
  return vm ? "; no PMU in this VM" : "; the kernel shows no PMU";
}

}  // namespace

HardwareEvents::HardwareEvents(const SystemRoot& root) {
  const std::string problem = library_problem();
  const Result<int> set = problem.empty() ? new_set() : Result<int>(Error{ErrorKind::kUnsupported, problem});
  for (const Wanted& wanted : kWanted) {
    Event event{wanted.name, set ? "" : set.error().message, -1};
    const char* found = nullptr;
    for (const char* name : wanted.names) {
      if (!set || name == nullptr || found != nullptr) continue;
      const std::string why = probe(name, wanted.at_least);
      if (why.empty()) found = name;
      if (event.reason.empty() && !why.empty()) event.reason = why;
    }
    if (found != nullptr) {
      event.name = found;
      const int code = PAPI_add_named_event(*set, found);
      event.reason = code == PAPI_OK ? "" : "beside the others, " + failure("PAPI_add_event", code);
      if (code == PAPI_OK) event.position = static_cast<int>(base_.size());
      if (code == PAPI_OK) base_.push_back(0);
    } else if (set) {
      event.reason += hint(root);
    }
    events_.push_back(std::move(event));
  }
  if (!set) return;
  if (base_.empty()) {
    drop_set(*set);
    return;
  }
  set_ = *set;
  if (const auto refused = inherit_problem(set_)) {
    for (Event& event : events_) event.reason = event.position >= 0 ? *refused : event.reason;
  }
}

HardwareEvents::~HardwareEvents() {
  if (set_ >= 0) drop_set(set_);
}

void HardwareEvents::start() {
  if (set_ < 0) return;
  // Counts of threads that have ended survive PAPI's reset: subtract a first reading instead.
  const int code = PAPI_start(set_);
  if (code == PAPI_OK) {
    PAPI_read(set_, base_.data());
    return;
  }
  for (Event& event : events_) event.reason = event.position >= 0 ? failure("PAPI_start", code) : event.reason;
}

void HardwareEvents::peek(std::vector<double>& out) {
  now_.assign(base_.size(), 0);
  const bool read = set_ >= 0 && PAPI_read(set_, now_.data()) == PAPI_OK;
  for (const Event& event : events_) {
    const auto at = static_cast<size_t>(event.position);
    out.push_back(read && event.position >= 0 ? static_cast<double>(now_[at] - base_[at]) : 0);
  }
}

void HardwareEvents::stop(std::vector<Counter>& out) {
  std::vector<long long> now(base_.size(), 0);
  const int code = set_ < 0 ? PAPI_OK : PAPI_stop(set_, now.data());
  for (const Event& event : events_) {
    Counter counter{event.name, std::nullopt, event.reason};
    if (event.reason.empty() && code != PAPI_OK) counter.reason = failure("PAPI_stop", code);
    if (counter.reason.empty()) {
      const auto at = static_cast<size_t>(event.position);
      counter.value = static_cast<double>(now[at] - base_[at]);
    }
    out.push_back(std::move(counter));
  }
}

}  // namespace assay
