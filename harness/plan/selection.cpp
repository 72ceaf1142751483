#include "harness/plan/selection.h"

#include <algorithm>
#include <functional>
#include <set>

#include "harness/plan/glob.h"
#include "suites/base/nearest.h"
#include "suites/case.h"
#include "suites/routing_trace.h"
#include "suites/video_case.h"

namespace assay {
namespace {

bool is_model_step(const Case& c) { return c.kind == StepKind::kPrefill || c.kind == StepKind::kDecode; }

// One axis on which the user gave a value.
struct Axis {
  const char* option;
  std::function<bool(const Case&)> applies;
  std::function<bool(const Case&)> has;
  std::function<void(Case*)> set;
};

std::vector<Axis> axes_of(const Selection& s) {
  std::vector<Axis> axes;
  if (s.model) {
    axes.push_back({"--model", is_model_step, [&](const Case& c) { return c.model.name == s.model->name; },
                    [&](Case* c) { c->model = *s.model; }});
  }
  if (s.video) {
    axes.push_back({"--model", [](const Case& c) { return is_video_step(c.kind); },
                    [&](const Case& c) { return c.video.name == s.video->name; },
                    [&](Case* c) {
                      c->video = *s.video;
                      if (c->kind == StepKind::kTextEncoder) c->tokens = s.video->text.tokens;
                      complete_video_case(c);
                    }});
  }
  if (!s.dtype.empty()) {
    axes.push_back({"--dtype", [](const Case&) { return true; }, [&](const Case& c) { return c.dtype == s.dtype; },
                    [&](Case* c) { c->dtype = s.dtype; }});
  }
  if (s.batch) {
    axes.push_back({"--batch", is_model_step, [&](const Case& c) { return c.batch == *s.batch; },
                    [&](Case* c) { c->batch = *s.batch; }});
  }
  if (s.tokens) {
    axes.push_back({"--tokens", [](const Case& c) { return c.kind == StepKind::kPrefill; },
                    [&](const Case& c) { return c.tokens == *s.tokens; }, [&](Case* c) { c->tokens = *s.tokens; }});
  }
  if (s.context) {
    axes.push_back({"--context", is_model_step, [&](const Case& c) { return c.context == *s.context; },
                    [&](Case* c) { c->context = *s.context; }});
  }
  if (s.routing) {
    const auto same = [&](const Routing& r) {
      return r.kind == s.routing->kind && r.parameter == s.routing->parameter && r.hash == s.routing->hash;
    };
    axes.push_back({"--routing", [](const Case& c) { return is_model_step(c) && c.model.has_moe(); },
                    [same](const Case& c) { return same(c.routing); },
                    [&](Case* c) {
                      const uint64_t seed = c->routing.seed;
                      c->routing = *s.routing;
                      if (s.routing->kind != Routing::Kind::kTrace) c->routing.seed = seed;
                    }});
  }
  return axes;
}

// Narrows to the cases that have the axis' value; makes them where none has it.
void choose(const Axis& axis, std::vector<PlannedCase>* cases) {
  std::vector<PlannedCase> with_value;
  for (const PlannedCase& c : *cases) {
    if (axis.applies(c.work) && axis.has(c.work)) with_value.push_back(c);
  }
  if (!with_value.empty()) {
    *cases = std::move(with_value);
    return;
  }
  std::set<std::string> seen;
  std::vector<PlannedCase> made;
  for (PlannedCase c : *cases) {
    if (!axis.applies(c.work)) continue;
    axis.set(&c.work);
    c.chosen_by_value = true;
    if (seen.insert(c.work.hash()).second) made.push_back(std::move(c));
  }
  *cases = std::move(made);
}

Result<std::vector<PlannedCase>> filtered(const std::vector<PlannedCase>& cases, const std::string& filter) {
  if (filter.empty()) return cases;
  const auto keep = [&](const std::function<bool(const std::string&)>& matches) {
    std::vector<PlannedCase> kept;
    for (const PlannedCase& c : cases) {
      if (matches(c.work.id())) kept.push_back(c);
    }
    return kept;
  };
  std::vector<PlannedCase> kept;
  if (is_glob(filter)) {
    kept = keep([&](const std::string& id) { return glob_match(filter, id); });
  } else {
    kept = keep([&](const std::string& id) { return has_elements(id, filter); });
    if (kept.empty()) kept = keep([&](const std::string& id) { return id.find(filter) != std::string::npos; });
  }
  if (!kept.empty()) return kept;
  std::vector<std::string> ids;
  ids.reserve(cases.size());
  for (const PlannedCase& c : cases) ids.push_back(c.work.id());
  const std::string near = suggestion(filter, ids);
  return bad_input("--case: expected part of a case's id or a pattern of it, found \"" + filter +
                   "\", which none of the " + std::to_string(cases.size()) + " cases has" +
                   (near.empty() ? "; 'assay list cases' names them" : near));
}

}  // namespace

Result<std::vector<PlannedCase>> plan_suite(const Suite& suite, const std::string& form, const Selection& selection) {
  const bool full = form == "full";
  std::vector<PlannedCase> cases;
  for (const Case& c : full ? suite.full_cases : suite.quick_cases) {
    cases.push_back({c, full ? suite.full : suite.quick, false});
  }
  for (const Axis& axis : axes_of(selection)) {
    choose(axis, &cases);
    if (cases.empty()) {
      return bad_input(std::string(axis.option) + ": no case of suite '" + suite.name + "' has such an axis");
    }
  }
  for (const PlannedCase& c : cases) {
    const Status valid = check_case(c.work);
    if (!valid.ok()) return valid.error();
    if (!selection.routing || c.work.routing.trace == nullptr) continue;
    const std::string fault = trace_fault(*c.work.routing.trace, c.work.model.moe);
    if (!fault.empty()) return bad_input("--routing: " + c.work.routing.file + ": " + fault);
  }
  return cases;
}

Result<std::vector<PlannedCase>> plan_suites(const std::vector<Suite>& suites, const std::string& form,
                                             const Selection& selection) {
  std::vector<PlannedCase> cases;
  std::set<std::string> seen;
  for (const Suite& suite : suites) {
    Result<std::vector<PlannedCase>> planned = plan_suite(suite, form, selection);
    if (!planned.ok()) return planned.error();
    for (PlannedCase& c : *planned) {
      if (seen.insert(c.work.hash()).second) cases.push_back(std::move(c));
    }
  }
  return filtered(cases, selection.filter);
}

}  // namespace assay
