#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "reports/html/model_parts.h"
#include "results/standing.h"

namespace assay {
namespace {

bool usable(const ReportRow& row) { return row.status != "failed" && row.status != "unsupported" && row.rate.value; }

// Which of two records stands for their group: one with a rate before the rest.
bool stands_before(const ReportRow& a, const ReportRow& b) {
  return std::make_tuple(usable(a), standing(a.status, a.disturbed, a.created, a.id)) >
         std::make_tuple(usable(b), standing(b.status, b.disturbed, b.created, b.id));
}

void take(const ReportRow& row, size_t index, const std::vector<ReportRow>& rows, ReportGroup* group) {
  if (group->records == 0 || stands_before(row, rows[group->row])) group->row = index;
  ++group->records;
  if (!usable(row)) return;
  ++group->ok;
  group->rate_min = std::min(group->rate_min.value_or(*row.rate.value), *row.rate.value);
  group->rate_max = std::max(group->rate_max.value_or(*row.rate.value), *row.rate.value);
}

// Trust in how a number came to be, most first.
constexpr int kLastRealBasis = 1;
int basis_rank(const std::string& basis) {
  const std::vector<std::string> order{"measured", "reported", "projected", "simulated"};
  return static_cast<int>(std::find(order.begin(), order.end(), basis) - order.begin());
}

// The usable groups of each (case, basis, tier, part of the model that ran): what may stand in one ranking. Of a chip
// that ran with several options of its adapter the fastest.
using Ranking = std::vector<size_t>;
std::map<std::tuple<size_t, std::string, std::string, std::string>, Ranking> rankings(const ReportModel& model) {
  std::map<std::tuple<size_t, std::string, std::string, std::string>, Ranking> out;
  for (size_t g = 0; g < model.groups.size(); ++g) {
    const ReportRow& row = model.rows[model.groups[g].row];
    if (!usable(row)) continue;
    Ranking& ranking = out[{row.test_case, row.basis, row.tier, row.part}];
    const auto known = std::find_if(ranking.begin(), ranking.end(),
                                    [&](size_t other) { return model.groups[other].chip == model.groups[g].chip; });
    if (known == ranking.end()) {
      ranking.push_back(g);
    } else if (*row.rate.value > *model.rows[model.groups[*known].row].rate.value) {
      *known = g;
    }
  }
  return out;
}

bool is_model_case(const ReportCase& c) { return c.kind != "gemm" && c.kind != "read" && c.kind != "copy"; }

}  // namespace

std::vector<ReportGroup> group_rows(const std::vector<ReportRow>& rows) {
  std::map<std::tuple<size_t, size_t, std::string, std::string, std::string, std::string>, ReportGroup> groups;
  for (size_t i = 0; i < rows.size(); ++i) {
    const ReportRow& row = rows[i];
    ReportGroup& group = groups[{row.chip, row.test_case, row.basis, row.tier, row.part, row.options}];
    group.chip = row.chip;
    group.test_case = row.test_case;
    take(row, i, rows, &group);
  }
  std::vector<ReportGroup> out;
  out.reserve(groups.size());
  for (auto& [key, group] : groups) out.push_back(group);
  return out;
}

ReportAnswer answer_of(const ReportModel& model) {
  ReportAnswer answer;
  answer.kind = "none";
  const auto rate = [&](size_t group) { return *model.rows[model.groups[group].row].rate.value; };
  // What was measured or published before what was not; whole models before parts; the most chips; the most trusted
  // basis; then decode, which is what a user waits for, and a whole prompt before a piece; then the highest rate.
  std::tuple<bool, bool, size_t, int, int, double> best{false, false, 0, 0, 0, 0};
  for (auto& [key, groups] : rankings(model)) {
    const ReportCase& c = model.cases[std::get<0>(key)];
    if (!is_model_case(c)) continue;
    double highest = 0;
    for (const size_t g : groups) highest = std::max(highest, rate(g));
    const int rank = basis_rank(std::get<1>(key));
    const int kind = c.kind == "decode" ? 2 : c.piece().empty() ? 1 : 0;
    const std::tuple<bool, bool, size_t, int, int, double> score{
        rank <= kLastRealBasis, std::get<3>(key).empty(), groups.size(), -rank, kind, highest};
    if (answer.test_case && score <= best) continue;
    best = score;
    answer.test_case = std::get<0>(key);
    answer.basis = std::get<1>(key);
    answer.groups = groups;
  }
  if (!answer.test_case) return answer;
  std::sort(answer.groups.begin(), answer.groups.end(), [&](size_t a, size_t b) { return rate(a) > rate(b); });
  answer.kind = "one-chip";
  if (answer.groups.size() < 2) return answer;
  const Bounded& first = model.rows[model.groups[answer.groups[0]].row].rate;
  const Bounded& second = model.rows[model.groups[answer.groups[1]].row].rate;
  answer.kind = first.low && second.high && *first.low > *second.high ? "fastest" : "undecided";
  return answer;
}

namespace {

void add_faults(const ReportModel& model, std::vector<Incomparable>* out) {
  for (const ReportGroup& group : model.groups) {
    const ReportRow& row = model.rows[group.row];
    const auto add = [&](const char* kind, const std::string& detail) {
      out->push_back({kind, group.chip, group.test_case, group.records, detail});
    };
    if (!usable(row)) {
      add(row.status == "ok" ? "no-rate" : "failed", row.status == "ok" ? row.reason : row.status + ": " + row.reason);
      continue;
    }
    if (!row.part.empty()) add("part", row.part);
    if (row.numerics == "not-run" && is_model_case(model.cases[group.test_case]) && row.basis == "measured") {
      add("numerics", "");
    }
    if (!row.disturbed) continue;
    std::string causes;
    for (const std::string& cause : row.causes) causes += (causes.empty() ? "" : "; ") + cause;
    add("disturbed", causes);
  }
}

// Groups outside the answer's basis on its case, and cases that only one chip has.
void add_apart(const ReportModel& model, std::vector<Incomparable>* out) {
  std::map<size_t, std::set<size_t>> chips_of_case;
  std::map<std::pair<size_t, std::string>, size_t> by_basis, by_tier;
  for (const ReportGroup& group : model.groups) {
    const ReportRow& row = model.rows[group.row];
    if (!usable(row)) continue;
    chips_of_case[group.test_case].insert(group.chip);
    ++by_basis[{group.chip, row.basis}];
    ++by_tier[{group.chip, row.tier}];
  }
  std::map<size_t, size_t> chunks;
  for (const auto& [c, chips] : chips_of_case) {
    if (!model.cases[c].piece().starts_with("chunk ")) continue;
    for (const size_t chip : chips) ++chunks[chip];
  }
  for (const auto& [chip, count] : chunks) {
    out->push_back({"chunk", chip, std::nullopt, count,
                    "chunks of a prompt behind a context, measured apart: no rates of whole prompts, and not priced"});
  }
  std::map<size_t, size_t> alone;
  for (const auto& [c, chips] : chips_of_case) {
    if (chips.size() == 1 && model.chips.size() > 1) ++alone[*chips.begin()];
  }
  for (const auto& [chip, count] : alone) out->push_back({"one-chip", chip, std::nullopt, count, ""});
  for (const auto& [key, count] : by_basis) {
    if (model.answer.test_case && key.second != model.answer.basis)
      out->push_back({"basis", key.first, std::nullopt, count, key.second});
  }
  for (const auto& [key, count] : by_tier) {
    if (key.second != "program") out->push_back({"tier", key.first, std::nullopt, count, key.second});
  }
}

void add_versions(const ReportModel& model, std::vector<Incomparable>* out) {
  std::map<std::string, std::set<std::string>> hashes;
  for (const ReportCase& c : model.cases) hashes[c.id].insert(c.hash);
  for (const auto& [id, set] : hashes) {
    if (set.size() > 1) out->push_back({"case-version", std::nullopt, std::nullopt, set.size(), id});
  }
}

}  // namespace

std::vector<Incomparable> incomparable_of(const ReportModel& model) {
  std::vector<Incomparable> out;
  add_apart(model, &out);
  add_versions(model, &out);
  add_faults(model, &out);
  return out;
}

std::vector<EnvironmentLine> environment_of(const std::vector<Record>& records, const std::vector<size_t>& chips,
                                            size_t chip_count) {
  // What is another at every run, whatever the machine.
  const std::set<std::string> momentary{"loadavg", "memory_available_bytes", "swap_used_bytes", "measured_mhz"};
  // Of each fact, by chip: its values, and beside each the newest record that states it.
  using Values = std::map<std::string, const Record*>;
  std::map<std::string, std::vector<Values>> facts;
  std::set<size_t> runs;  // chips that something ran on
  const auto add = [&](const std::string& name, size_t chip, const std::string& value, const Record& r) {
    std::vector<Values>& values = facts[name];
    values.resize(chip_count);
    const Record*& known = values[chip][value];
    if (known == nullptr || known->created < r.created) known = &r;
  };
  for (size_t i = 0; i < records.size(); ++i) {
    const Record& r = records[i];
    if (r.reported) continue;  // nothing ran here
    runs.insert(chips[i]);
    for (const auto& [name, value] : r.environment) {
      if (momentary.count(name) == 0) add(name, chips[i], value, r);
    }
    add("adapter_version", chips[i], r.adapter_version, r);
    add("device_driver", chips[i], r.device_driver, r);
    add("threads", chips[i], std::to_string(r.threads), r);
    add("tool_commit", chips[i], r.tool_commit, r);
    add("build_flags", chips[i], r.build_flags, r);
  }
  std::vector<EnvironmentLine> out;
  for (const auto& fact : facts) {
    const auto& values = fact.second;
    std::set<std::string> all;
    for (const Values& of_chip : values) {
      for (const auto& [value, record] : of_chip) all.insert(value);
    }
    const bool same =
        all.size() == 1 && std::all_of(runs.begin(), runs.end(), [&](size_t chip) { return !values[chip].empty(); });
    if (same) continue;
    EnvironmentLine line;
    line.name = fact.first;
    for (const Values& of_chip : values) {
      std::vector<std::string>& texts = line.values.emplace_back();
      std::vector<std::string>& ids = line.records.emplace_back();
      for (const auto& [value, record] : of_chip) {
        texts.push_back(value);
        ids.push_back(record->id);
      }
    }
    out.push_back(std::move(line));
  }
  return out;
}

}  // namespace assay
