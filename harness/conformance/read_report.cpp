// A report of the kit, read back and held against itself: its form, its hash, and what follows from its findings.
#include "harness/conformance/kit.h"
#include "results/record_parts.h"
#include "suites/base/hash.h"
#include "suites/base/json_input.h"

namespace assay::conformance {
namespace {

using record_parts::amount, record_parts::size_at, record_parts::text_at;

// A text that says something.
std::string said_at(const JsonNode& node, const char* name) {
  std::string text = text_at(node, name);
  if (text.empty() && node.at(name).present()) node.at(name).fail_expected("a text that is not empty");
  return text;
}

// Those of before had no hash, no ABI and no environment: nothing tells whether one was changed.
void check_version(const JsonNode& root) {
  const JsonNode version = root.at("schema_version");
  if (!root.present() || version.integer() == kSchemaVersion) return;
  version.fail_expected("the version " + std::to_string(kSchemaVersion) +
                        " of reports that carry their hash, the ABI and the environment (run assay conformance again)");
}

Outcome outcome_of(const JsonNode& node) {
  const std::string name = node.text_of({"pass", "fail", "unsupported", "advice"});
  for (const Outcome outcome : {Outcome::kPass, Outcome::kUnsupported, Outcome::kAdvice}) {
    if (name == outcome_name(outcome)) return outcome;
  }
  return Outcome::kFail;
}

Finding finding_of(const JsonNode& node, const std::string& check) {
  node.fields({"name", "dtype", "outcome", "detail"});
  Finding f{check, said_at(node, "name"), "", outcome_of(node.at("outcome")), node.at("detail").text(1 << 20)};
  if (node.has("dtype")) f.dtype = text_at(node, "dtype");
  return f;
}

CheckResult check_of(const JsonNode& node) {
  node.fields({"id", "group", "title", "mandatory", "verdict", "seconds", "findings"});
  CheckResult c;
  c.info.id = said_at(node, "id");
  c.info.group = said_at(node, "group");
  c.info.title.en = said_at(node, "title");
  (void)node.at("mandatory").boolean();
  c.seconds = amount(node, "seconds");
  for (const JsonNode& item : node.at("findings").items()) c.findings.push_back(finding_of(item, c.info.id));
  const std::string stated = node.at("verdict").text_of({"pass", "fail", "unsupported"});
  if (stated != verdict_name(c.verdict()))
    node.at("verdict").fail_expected(std::string("\"") + verdict_name(c.verdict()) + "\", which its findings come to");
  return c;
}

void read_adapter(const JsonNode& node, Report* r) {
  node.fields({"name", "vendor", "version"});
  r->options.adapter = said_at(node, "name");
  r->options.vendor = text_at(node, "vendor");
  r->options.version = text_at(node, "version");
}

void read_device(const JsonNode& node, Report* r) {
  node.fields({"index", "product", "arch", "driver", "basis", "support"});
  r->options.device = static_cast<uint32_t>(node.at("index").unsigned_integer(UINT32_MAX));
  r->device.product = text_at(node, "product");
  r->device.arch = text_at(node, "arch");
  r->device.driver = text_at(node, "driver");
  r->device.basis = text_at(node, "basis");
  r->device.support = text_at(node, "support");
}

void read_abi(const JsonNode& node, Report* r) {
  node.fields({"host", "adapter"});
  (void)said_at(node, "host");
  r->device.abi = text_at(node, "adapter");
}

void read_settings(const JsonNode& node, Report* r) {
  for (const JsonNode& pair : node.items()) {
    const std::vector<JsonNode> both = pair.items(2, 2);
    if (both.size() == 2) r->options.settings.emplace_back(both[0].text(), both[1].text());
  }
}

void read_coverage(const JsonNode& node, Report* r) {
  for (const JsonNode& item : node.items()) {
    item.fields({"suite", "supported", "cases"});
    r->coverage.push_back({said_at(item, "suite"), size_at(item, "supported"), size_at(item, "cases")});
  }
}

// What is stated of the checks as a whole follows from them.
void check_sums(const JsonNode& root, const Report& r) {
  const JsonNode score = root.at("score");
  score.fields({"passed", "failed", "unsupported"});
  for (const auto& [name, verdict] : {std::pair{"passed", Verdict::kPass}, std::pair{"failed", Verdict::kFail},
                                      std::pair{"unsupported", Verdict::kUnsupported}}) {
    if (score.present() && size_at(score, name) != r.count(verdict))
      score.at(name).fail_expected(std::to_string(r.count(verdict)) + ", as its checks come to");
  }
  if (root.at("passed").boolean() != r.passed())
    root.at("passed").fail_expected(std::string(r.passed() ? "true" : "false") + ", as its checks come to");
}

std::string summary(const Report& r) {
  const auto n = [&](Verdict verdict) { return std::to_string(r.count(verdict)); };
  return "conformance report " + r.id + ": adapter " + r.options.adapter + " " + r.options.version + " (" +
         r.options.vendor + "), ABI " + (r.device.abi.empty() ? "not known" : r.device.abi) + ", on " +
         (r.device.product.empty() ? "no device" : r.device.product) + ", " + r.when + ", " +
         (r.options.quick ? "quick" : "full") + " form" +
         (r.options.only.empty() ? "" : ", only " + r.options.only + "*") + ": " + n(Verdict::kPass) +
         " checks passed, " + n(Verdict::kFail) + " failed, " + n(Verdict::kUnsupported) +
         " not offered: " + (r.passed() ? "conforms" : "does not conform") +
         (r.options.only.empty() ? "" : " (of the checks that were run)");
}

}  // namespace

Result<std::string> report_summary(const std::string& text, const std::string& where) {
  JsonInput input(text, where);
  const JsonNode root = input.root();
  check_version(root);
  if (!input.ok()) return input.error();
  root.fields({"schema_version", "id", "kind", "tool_version", "tool_commit", "when", "form", "seed", "only", "adapter",
               "abi", "device", "environment", "settings", "passed", "score", "coverage", "seconds", "checks"});
  Report r;
  r.id = text_at(root, "id");
  (void)root.at("kind").text_of({"assay-conformance"});
  r.tool_version = said_at(root, "tool_version");
  r.tool_commit = text_at(root, "tool_commit");
  r.when = said_at(root, "when");
  r.options.quick = root.at("form").text_of({"quick", "full"}) == "quick";
  r.options.seed = size_at(root, "seed");
  r.options.only = text_at(root, "only");
  r.seconds = amount(root, "seconds");
  read_adapter(root.at("adapter"), &r);
  read_abi(root.at("abi"), &r);
  read_device(root.at("device"), &r);
  r.environment = record_parts::text_map(root.at("environment"));
  read_settings(root.at("settings"), &r);
  read_coverage(root.at("coverage"), &r);
  for (const JsonNode& item : root.at("checks").items(1)) r.checks.push_back(check_of(item));
  check_sums(root, r);
  if (!input.ok()) return input.error();
  if (r.id != xxh3_128_hex(root.canonical_without("id"))) {
    root.at("id").fail("expected the hash of the content, found " + (r.id.empty() ? "none" : r.id) +
                       ": the report was changed after it was written");
    return input.error();
  }
  return summary(r);
}

}  // namespace assay::conformance
