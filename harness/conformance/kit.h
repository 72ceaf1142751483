// The conformance kit: does an adapter keep the contract of assay_adapter.h and op_spec.md? Every check runs in a
// worker process of its own, so that a crash, a hang or an exit of the vendor's code is a failed check and the kit goes
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harness/loader/adapter.h"
#include "suites/base/result.h"

namespace assay::conformance {

inline constexpr int kSchemaVersion = 2;  // of the JSON report

// kUnsupported: the adapter says that it can't do this; a result, not a failure. kAdvice: worth mending, does not
// count.
enum class Outcome { kPass, kFail, kUnsupported, kAdvice };
const char* outcome_name(Outcome outcome);  // "pass", "fail", "unsupported", "advice"

// One thing that was tried.
struct Finding {
  std::string check;  // "ops.matmul"
  std::string name;   // "bf16 [17,130]x[33,130]"
  std::string dtype;  // of an op's case: "f32", "int8" ...; "" elsewhere
  Outcome outcome = Outcome::kFail;
  std::string detail;  // what was measured or went wrong
};

struct Text {
  std::string en, zh;
};

// A check as the reader sees it.
struct CheckInfo {
  std::string id;     // "timing.work"
  std::string group;  // "timing"
  Text title, asks;
};
const std::vector<CheckInfo>& check_infos();
Text group_title(const std::string& group);

// A suite's cases by name, as JSON: what share of them the adapter takes.
struct SuiteCases {
  std::string suite;
  std::vector<std::string> cases;  // Case::to_json()
};

struct KitOptions {
  std::string library;  // path of the shared module
  std::string adapter, vendor, version;
  uint32_t device = 0;
  Adapter::Options settings;
  bool quick = false;
  uint64_t seed = 1;
  double hang_timeout_s = 20;
  std::string only;        // checks whose id begins with it; "": all
  std::string executable;  // to run as worker; "": this program
  std::vector<SuiteCases> suites;
};

enum class Verdict { kPass, kFail, kUnsupported };
const char* verdict_name(Verdict verdict);  // "pass", "fail", "unsupported"
// A check passes when something was tried and nothing failed.
struct CheckResult {
  CheckInfo info;
  std::vector<Finding> findings;
  double seconds = 0;
  [[nodiscard]] size_t count(Outcome outcome) const;
  [[nodiscard]] Verdict verdict() const;
};

struct Coverage {
  std::string suite;
  size_t supported = 0, total = 0;
};

struct Report {
  KitOptions options;
  DeviceInfo device;
  std::string id;  // hash of the JSON report without it
  std::string when, tool_version, tool_commit;
  std::map<std::string, std::string> environment;  // of the host, and the hash of the adapter's library
  std::vector<CheckResult> checks;
  std::vector<Coverage> coverage;
  double seconds = 0;
  // No mandatory check failed, at least one op or request was right, and the adapter opened.
  [[nodiscard]] bool passed() const;
  [[nodiscard]] size_t count(Verdict verdict) const;
};

// Called before each check with its number and their count; false ends the kit.
using Progress = std::function<bool(const CheckInfo& check, size_t index, size_t count)>;
// kBadInput when the device does not exist, no check is called `only`, or the adapter refuses its settings;
// kUnsupported, with what is missing, when it can't be opened on this machine. An adapter that breaks while it is
// opened is a failed check, not an error.
Result<Report> run_kit(const KitOptions& options, const Progress& progress);

// Checks from `fd` until it closes; returns the process's exit code. `shared_fd` holds a SharedPage.
int conformance_worker_main(int fd, int shared_fd);

std::string host_abi();  // "1.4": of this program
// The id that the report's content gives it, whatever stands in report.id.
std::string report_id(const Report& report);
std::string report_json(const Report& report);
// What a JSON report says, on one line, once its form, its hash and what follows from its findings have been checked.
Result<std::string> report_summary(const std::string& text, const std::string& where);
// One file in Chinese and English that asks nothing of a network.
std::string report_html(const Report& report);

}  // namespace assay::conformance
