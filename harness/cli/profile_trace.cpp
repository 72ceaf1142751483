// The timeline of a profile's last step.
#include <nlohmann/json.hpp>

#include "harness/cli/profile_sheet.h"

namespace assay {
namespace {

using nlohmann::json;

constexpr int kOps = 1, kCalls = 2, kCopies = 3;  // rows of the timeline

class Timeline {
 public:
  explicit Timeline(const ProfileSheet& sheet) : sheet_(sheet) {
    for (const auto& [tid, name] : {std::pair{kOps, "ops"}, {kCalls, "calls"}, {kCopies, "copies of no op"}}) {
      events_.push_back({{"ph", "M"}, {"name", "thread_name"}, {"pid", 1}, {"tid", tid}, {"args", {{"name", name}}}});
    }
    const std::string process = sheet.device + " " + sheet.work.id();
    events_.push_back({{"ph", "M"}, {"name", "process_name"}, {"pid", 1}, {"args", {{"name", process}}}});
  }

  // Complete events, times in microseconds.
  void add(int tid, const std::string& name, const char* category, uint64_t begin, uint64_t end, json args) {
    const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1e3; };
    events_.push_back({{"ph", "X"},
                       {"name", name},
                       {"cat", category},
                       {"pid", 1},
                       {"tid", tid},
                       {"ts", us(begin)},
                       {"dur", us(end - begin)},
                       {"args", std::move(args)}});
  }

  // An activity, with its bytes if it is a copy or a fill.
  void activity(const ProfiledSpan& span) {
    json args = json::object();
    if (span.op != kNoOp) {
      args["op"] = sheet_.run.graph.ops[span.op].name;
      args["layer"] = sheet_.run.graph.ops[span.op].layer;
    }
    if (span.kind == ASSAY_ACTIVITY_COPY || span.kind == ASSAY_ACTIVITY_FILL) args["bytes"] = span.bytes;
    const char* category = span.kind == ASSAY_ACTIVITY_COPY   ? "copy"
                           : span.kind == ASSAY_ACTIVITY_FILL ? "fill"
                           : span.op == kNoOp                 ? "other"
                                                              : op_kind_name(sheet_.run.graph.ops[span.op].kind);
    add(span.op == kNoOp ? kCopies : kCalls, span.name, category, span.begin_ns, span.end_ns, std::move(args));
  }

  [[nodiscard]] std::string text() const {
    return json{{"traceEvents", events_}, {"displayTimeUnit", "ns"}}.dump() + "\n";
  }

 private:
  const ProfileSheet& sheet_;
  json events_ = json::array();
};

}  // namespace

std::string profile_trace(const ProfileSheet& s) {
  Timeline timeline(s);
  const std::vector<ProfiledSpan>& last = s.run.last;
  for (size_t i = 0; i < last.size();) {
    size_t end = i;
    while (end < last.size() && last[end].op == last[i].op) ++end;
    if (last[i].op != kNoOp) {
      const Op& op = s.run.graph.ops[last[i].op];
      timeline.add(kOps, op.name, op_kind_name(op.kind), last[i].begin_ns, last[end - 1].end_ns,
                   {{"op", op.name}, {"layer", op.layer}});
    }
    for (; i < end; ++i) timeline.activity(last[i]);
  }
  return timeline.text();
}

}  // namespace assay
