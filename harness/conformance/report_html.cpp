// The report as one page: the verdict first, then coverage, the ops by dtype, and every finding.
#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <sstream>

#include "harness/conformance/kit.h"
#include "harness/conformance/report_style.h"
#include "results/part.h"
#include "suites/base/visible.h"
#include "suites/suite.h"

namespace assay::conformance {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : visible_lines(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string both(const Text& text) {
  return "<span lang=\"zh\">" + escaped(text.zh) + "</span><span lang=\"en\">" + escaped(text.en) + "</span>";
}

std::string tag(const std::string& name, const std::string& classes, const std::string& inner) {
  return "<" + name + (classes.empty() ? "" : " class=\"" + classes + "\"") + ">" + inner + "</" + name + ">";
}

Text verdict_text(Verdict verdict) {
  if (verdict == Verdict::kPass) return {"pass", "通过"};
  return verdict == Verdict::kFail ? Text{"fail", "未通过"} : Text{"not offered", "不支持"};
}
const char* verdict_class(Verdict verdict) {
  if (verdict == Verdict::kPass) return "pass";
  return verdict == Verdict::kFail ? "fail" : "unsupported";
}
Text outcome_text(Outcome outcome) {
  static const std::array<Text, 4> kTexts{
      {{"pass", "通过"}, {"fail", "未通过"}, {"unsupported", "不支持"}, {"advice", "建议"}}};
  return kTexts[static_cast<size_t>(outcome)];
}

std::string tile(const std::string& value, const Text& label, const char* classes = "") {
  return tag("div", std::string("tile ") + classes, tag("b", "", value) + both(label));
}

std::string heading(const Report& r) {
  const bool ok = r.passed();
  std::string head = tag("h1", "", both({"Conformance of an adapter", "适配器符合性报告"}));
  const Text verdict = ok ? Text{"Every mandatory check passed", "全部强制检查通过"}
                          : Text{"A mandatory check failed", "存在未通过的强制检查"};
  head += tag("p", std::string("stamp ") + (ok ? "pass" : "fail"), both(verdict));
  const std::string name = escaped(r.options.adapter + " " + r.options.version + " · " + r.options.vendor);
  const std::string device = escaped(r.device.product + (r.device.driver.empty() ? "" : " · " + r.device.driver));
  head += tag("p", "who",
              tag("b", "", name) + "<br>" + device + "<br>" + escaped(r.when) + " · Assay " + escaped(r.tool_version) +
                  " · " + both(r.options.quick ? Text{"quick form", "快速版"} : Text{"full form", "完整版"}) +
                  (r.device.basis.empty() ? "" : " · " + escaped(r.device.basis)));
  if (!r.options.only.empty()) {
    head +=
        tag("p", "fail", both({"Only a part of the checks was run: ", "仅运行了部分检查："}) + escaped(r.options.only));
  }
  return tag("header", "", head);
}

std::string tiles(const Report& r) {
  size_t tried = 0, right = 0;
  for (const CheckResult& c : r.checks) {
    if (c.info.group != "ops") continue;
    right += c.count(Outcome::kPass);
    tried += c.count(Outcome::kPass) + c.count(Outcome::kFail);
  }
  return tag("section", "tiles",
             tile(std::to_string(r.count(Verdict::kPass)), {"checks passed", "项检查通过"}, "pass") +
                 tile(std::to_string(r.count(Verdict::kFail)), {"checks failed", "项未通过"},
                      r.count(Verdict::kFail) > 0 ? "fail" : "") +
                 tile(std::to_string(r.count(Verdict::kUnsupported)), {"not offered", "项不支持"}) +
                 tile(std::to_string(right) + "/" + std::to_string(tried),
                      {"op cases right of those offered", "算子用例正确/已支持"}));
}

// Empty: nobody said.
std::string fact(const Text& name, const std::string& value) {
  return tag(
      "tr", "",
      tag("th", "", both(name)) + tag("td", "", value.empty() ? both({"not stated", "未说明"}) : escaped(value)));
}

std::string options_text(const Report& r) {
  std::string out;
  for (const auto& [key, value] : kept_options(r.options.settings))
    out.append(out.empty() ? "" : ", ").append(key).append("=").append(value);
  return out;
}

// What was judged, where, and by which hash the JSON of this report is known.
std::string origin(const Report& r) {
  const auto environment = [&](const char* name) {
    const auto found = r.environment.find(name);
    return found == r.environment.end() ? "" : found->second;
  };
  const std::string options = options_text(r);
  std::string rows = fact({"Report (hash of its JSON)", "报告（JSON 的哈希）"}, r.id);
  rows += tag("tr", "",
              tag("th", "", both({"Options of the adapter", "适配器选项"})) +
                  tag("td", "", options.empty() ? both({"none", "无"}) : escaped(options)));
  rows += fact({"ABI of the adapter", "适配器的 ABI"}, r.device.abi);
  rows += fact({"ABI of Assay", "Assay 的 ABI"}, host_abi());
  rows += fact({"Adapter's library, XXH3-128", "适配器动态库 XXH3-128"}, environment("adapter_library_hash"));
  rows += fact({"Driver", "驱动"}, r.device.driver);
  rows += fact({"Host (hash of its name)", "主机（名称的哈希）"}, environment("hostname_hash"));
  rows += fact({"OS", "操作系统"}, environment("os"));
  rows += fact({"Kernel", "内核"}, environment("kernel"));
  rows += fact({"Seed of the inputs", "输入的随机种子"}, std::to_string(r.options.seed));
  std::string all;
  for (const auto& [name, value] : r.environment)
    all += tag("tr", "", tag("td", "", escaped(name)) + tag("td", "", escaped(value)));
  return tag("section", "",
             tag("h2", "", both({"What was judged, and where", "检测对象与环境"})) +
                 tag("div", "scroll", tag("table", "origin", rows)) +
                 tag("details", "",
                     tag("summary", "", both({"The whole environment", "完整环境"})) +
                         tag("div", "scroll", tag("table", "findings", all))));
}

// Each failed check by what failed first in it; all of it stands with the check, further down.
std::string failures(const Report& r) {
  std::string rows;
  for (const CheckResult& c : r.checks) {
    const auto first = std::find_if(c.findings.begin(), c.findings.end(),
                                    [](const Finding& f) { return f.outcome == Outcome::kFail; });
    if (first == c.findings.end()) continue;
    rows += tag("tr", "fail",
                tag("td", "mark", escaped(c.info.id)) + tag("td", "", escaped(first->name)) +
                    tag("td", "", escaped(first->detail)));
  }
  if (rows.empty()) return "";
  return tag(
      "section", "",
      tag("h2", "", both({"What failed", "未通过的检查"})) + tag("div", "scroll", tag("table", "findings", rows)));
}

std::string coverage(const Report& r) {
  if (r.coverage.empty()) return "";
  std::string rows;
  for (const Coverage& c : r.coverage) {
    const std::string share = std::to_string(c.total == 0 ? 0 : 100 * c.supported / c.total);
    rows += tag("tr", "",
                tag("td", "", escaped(c.suite)) +
                    tag("td", "bar", c.supported == 0 ? "" : "<i style=\"width:" + share + "%\"></i>") +
                    tag("td", "number", std::to_string(c.supported) + "/" + std::to_string(c.total)));
  }
  return tag(
      "section", "",
      tag("h2", "", both({"Cases of the suites that it takes", "可运行的套件用例"})) + tag("table", "coverage", rows));
}

// Worst of a cell's findings: a failure, then a pass, then unsupported.
using Cell = std::array<size_t, 4>;

std::string cell_html(const Cell& n) {
  const size_t failed = n[static_cast<size_t>(Outcome::kFail)], passed = n[static_cast<size_t>(Outcome::kPass)];
  const size_t unsupported = n[static_cast<size_t>(Outcome::kUnsupported)];
  if (failed > 0) return tag("td", "fail", std::to_string(failed) + " ✗");
  if (passed > 0)
    return tag("td", "pass",
               unsupported > 0 ? std::to_string(passed) + "/" + std::to_string(passed + unsupported) : "✓");
  return tag("td", "unsupported", unsupported > 0 ? "–" : "");
}

std::string matrix(const Report& r) {
  const std::vector<std::string> dtypes = dtype_plan_names();
  std::set<std::string> used;
  std::map<std::string, std::map<std::string, Cell>> cells;
  bool offered = false;
  for (const CheckResult& c : r.checks) {
    if (c.info.group != "ops") continue;
    for (const Finding& f : c.findings) {
      if (f.dtype.empty()) continue;
      used.insert(f.dtype);
      offered = offered || f.outcome != Outcome::kUnsupported;
      ++cells[c.info.title.en][f.dtype][static_cast<size_t>(f.outcome)];
    }
  }
  if (!offered) return "";
  std::string head = "<th></th>", rows;
  for (const std::string& d : dtypes) head += used.count(d) != 0 ? tag("th", "", d) : "";
  for (const CheckResult& c : r.checks) {
    if (c.info.group != "ops") continue;
    std::string row = tag("th", "", escaped(c.info.title.en));
    for (const std::string& d : dtypes) {
      if (used.count(d) != 0) row += cell_html(cells[c.info.title.en][d]);
    }
    rows += tag("tr", "", row);
  }
  return tag("section", "",
             tag("h2", "", both({"Ops by dtype", "算子 × 数据类型"})) +
                 tag("p", "note",
                     both({"✓ every case right; 3/4: one of four not offered; – not offered",
                           "✓ 全部正确；3/4：四例中一例不支持；– 不支持"})) +
                 tag("div", "scroll", tag("table", "matrix", tag("tr", "", head) + rows)));
}

std::string check_html(const CheckResult& c) {
  std::string rows;
  for (const Outcome outcome : {Outcome::kFail, Outcome::kAdvice, Outcome::kPass, Outcome::kUnsupported}) {
    for (const Finding& f : c.findings) {
      if (f.outcome != outcome) continue;
      rows += tag("tr", outcome_name(outcome),
                  tag("td", "mark", both(outcome_text(outcome))) + tag("td", "", escaped(f.name)) +
                      tag("td", "", escaped(f.detail)));
    }
  }
  const std::string summary =
      tag("span", std::string("mark ") + verdict_class(c.verdict()), both(verdict_text(c.verdict()))) +
      tag("b", "", both(c.info.title)) + tag("code", "", escaped(c.info.id)) + tag("span", "asks", both(c.info.asks));
  return std::string("<details") + (c.verdict() == Verdict::kFail ? " open" : "") + ">" + tag("summary", "", summary) +
         tag("div", "scroll", tag("table", "findings", rows)) + "</details>";
}

std::string checks(const Report& r) {
  std::string out, group;
  for (const CheckResult& c : r.checks) {
    if (c.info.group != group) out += tag("h2", "", both(group_title(group = c.info.group)));
    out += check_html(c);
  }
  return tag("section", "", out);
}

}  // namespace

std::string report_html(const Report& r) {
  std::ostringstream page;
  page << "<!doctype html>\n<html lang=\"zh\"><head><meta charset=\"utf-8\">"
       << "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Assay · "
       << escaped(r.options.adapter) << "</title><style>" << kReportStyle << "</style></head><body>"
       << "<button type=\"button\" id=\"language\">English</button>" << heading(r) << tiles(r) << failures(r)
       << coverage(r) << matrix(r) << origin(r) << checks(r) << "<script>" << kReportScript
       << "</script></body></html>\n";
  return page.str();
}

}  // namespace assay::conformance
