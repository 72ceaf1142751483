// Hardware counters of the device for chosen ops of a profiled step.
#include <algorithm>
#include <cmath>
#include <set>

#include "harness/run/profile_run.h"
#include "suites/profile.h"

namespace assay {

Result<std::vector<uint64_t>> ops_to_count(const Graph& graph, const std::vector<int64_t>& scalars,
                                           const std::string& names) {
  std::set<std::string> wanted, unknown;
  for (size_t at = 0; at <= names.size();) {
    const size_t end = std::min(names.find(',', at), names.size());
    wanted.insert(names.substr(at, end - at));
    at = end + 1;
  }
  unknown = wanted;
  const std::vector<OpGroup> each = op_groups(graph, scalars, true);
  std::vector<uint64_t> out;
  for (size_t i = 0; i < each.size(); ++i) {
    if (wanted.count(each[i].name) == 0 && names != "all") continue;
    unknown.erase(each[i].name);
    const bool first = std::none_of(out.begin(), out.end(), [&](uint64_t op) { return same_work(each[op], each[i]); });
    if (first) out.push_back(i);
  }
  if (names == "all" || unknown.empty()) return out;
  std::string known;
  std::set<std::string> listed;
  for (const OpGroup& group : each) {
    if (listed.insert(group.name).second) known += (known.empty() ? "" : ", ") + group.name;
  }
  return bad_input("--counters: expected all or names of ops, of " + known + "; found '" + *unknown.begin() + "'");
}

namespace {

Status take_counts(Program& program, const std::vector<uint64_t>& ops, ProfileRun* run) {
  const assay_run_args args{sizeof(assay_run_args), 1, run->scalars.data()};
  bool valid = true;
  const auto take = [&](const assay_op_counter& told) {
    valid = valid && told.struct_size >= sizeof(assay_op_counter) && told.name != nullptr && told.unit != nullptr &&
            std::find(ops.begin(), ops.end(), told.correlation) != ops.end();
    if (!valid || !std::isfinite(told.value)) return;  // not a number: the device had nothing to tell of the op
    std::vector<DeviceCounter>& all = run->device_counters;
    auto same = std::find_if(all.begin(), all.end(), [&](const DeviceCounter& c) { return c.name == told.name; });
    if (same == all.end()) same = all.insert(all.end(), {told.name, told.unit, {}});
    same->by_op[static_cast<uint32_t>(told.correlation)] = told.value;
  };
  Status counted = program.count(args, ops, take);
  if (!counted.ok()) return counted;
  if (!valid) return Error{ErrorKind::kAdapter, "trace.count: a counter without a name, or of an op not asked for"};
  return run->device_counters.empty() ? Status(Error{ErrorKind::kAdapter, "the adapter told none"}) : ok_status();
}

}  // namespace

void count_ops(Program& program, const std::string& names, ProfileRun* run) {
  if (names.empty()) {
    run->device_counters_reason = "not asked for (--counters)";
    return;
  }
  const Result<std::vector<uint64_t>> ops = ops_to_count(run->graph, run->scalars, names);
  const Status counted = ops.ok() ? take_counts(program, *ops, run) : Status(ops.error());
  if (counted.ok()) return;
  run->device_counters.clear();
  run->device_counters_reason = counted.error().message;
}

}  // namespace assay
