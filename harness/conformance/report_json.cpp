// The question to a worker, and the report, as JSON.
#include <nlohmann/json.hpp>

#include "harness/conformance/kit_protocol.h"
#include "results/part.h"
#include "results/record_id.h"

namespace assay::conformance {
namespace {

using nlohmann::json;

std::string dump(const json& j, int indent) {
  return j.dump(indent, ' ', false, json::error_handler_t::replace);  // a vendor's text may be no UTF-8
}

json check_json(const CheckResult& check) {
  json findings = json::array();
  for (const Finding& f : check.findings) {
    json one = {{"name", f.name}, {"outcome", outcome_name(f.outcome)}, {"detail", f.detail}};
    if (!f.dtype.empty()) one["dtype"] = f.dtype;
    findings.push_back(one);
  }
  return {{"id", check.info.id},
          {"group", check.info.group},
          {"title", check.info.title.en},
          {"mandatory", check.info.id != "coverage"},
          {"verdict", verdict_name(check.verdict())},
          {"seconds", check.seconds},
          {"findings", findings}};
}

}  // namespace

std::string question_to_json(const Question& q) {
  json suites = json::array();
  for (const SuiteCases& s : q.options.suites) suites.push_back({{"suite", s.suite}, {"cases", s.cases}});
  return dump({{"check", q.check},
               {"first", q.first},
               {"library", q.options.library},
               {"device", q.options.device},
               {"settings", q.options.settings},
               {"quick", q.options.quick},
               {"seed", q.options.seed},
               {"suites", suites}},
              -1);
}

Result<Question> question_from_json(const std::string& text) {
  try {
    const json j = json::parse(text);
    Question q;
    q.check = j.at("check").get<std::string>();
    q.first = j.at("first").get<size_t>();
    q.options.library = j.at("library").get<std::string>();
    q.options.device = j.at("device").get<uint32_t>();
    q.options.settings = j.at("settings").get<Adapter::Options>();
    q.options.quick = j.at("quick").get<bool>();
    q.options.seed = j.at("seed").get<uint64_t>();
    for (const json& s : j.at("suites")) {
      q.options.suites.push_back({s.at("suite").get<std::string>(), s.at("cases").get<std::vector<std::string>>()});
    }
    return q;
  } catch (const std::exception& e) {
    return bad_input(std::string("question: ") + e.what());
  }
}

namespace {

json body_of(const Report& r) {
  json checks = json::array();
  for (const CheckResult& c : r.checks) checks.push_back(check_json(c));
  json coverage = json::array();
  for (const Coverage& c : r.coverage) {
    coverage.push_back({{"suite", c.suite}, {"supported", c.supported}, {"cases", c.total}});
  }
  const std::map<std::string, std::string> kept = kept_options(r.options.settings);
  return {{"schema_version", kSchemaVersion},
          {"kind", "assay-conformance"},
          {"tool_version", r.tool_version},
          {"tool_commit", r.tool_commit},
          {"when", r.when},
          {"form", r.options.quick ? "quick" : "full"},
          {"only", r.options.only},
          {"seed", r.options.seed},
          {"adapter", {{"name", r.options.adapter}, {"vendor", r.options.vendor}, {"version", r.options.version}}},
          {"abi", {{"host", host_abi()}, {"adapter", r.device.abi}}},
          {"device",
           {{"index", r.options.device},
            {"product", r.device.product},
            {"arch", r.device.arch},
            {"driver", r.device.driver},
            {"basis", r.device.basis},
            {"support", r.device.support}}},
          {"environment", r.environment},
          {"settings", Adapter::Options(kept.begin(), kept.end())},
          {"passed", r.passed()},
          {"score",
           {{"passed", r.count(Verdict::kPass)},
            {"failed", r.count(Verdict::kFail)},
            {"unsupported", r.count(Verdict::kUnsupported)}}},
          {"coverage", coverage},
          {"seconds", r.seconds},
          {"checks", checks}};
}

}  // namespace

const char* verdict_name(Verdict verdict) {
  if (verdict == Verdict::kPass) return "pass";
  return verdict == Verdict::kFail ? "fail" : "unsupported";
}

std::string host_abi() { return std::to_string(ASSAY_ABI_MAJOR) + "." + std::to_string(ASSAY_ABI_MINOR); }

std::string report_id(const Report& report) { return record_id(dump(body_of(report), -1)); }

std::string report_json(const Report& report) {
  json out = body_of(report);
  out["id"] = report.id;
  return dump(out, 1) + "\n";
}

}  // namespace assay::conformance
