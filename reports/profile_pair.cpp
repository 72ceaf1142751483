#include "reports/profile_pair.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "reports/format.h"
#include "suites/base/json_input.h"
#include "suites/base/words.h"

namespace assay {
namespace {

constexpr double kLongest = 1e9;        // seconds
constexpr double kLeastChange = 1e-12;  // seconds
constexpr double kExplained = 0.8;      // of what went the difference's way, by as few ops as it takes,
constexpr size_t kMostExplaining = 5;   // or as many
constexpr double kWorthOpposing = 0.1;  // of the difference: ops that went the other way

// A row of both sides; a side that lacks it has no value.
struct Part {
  ProfiledOp op;  // whose names they share
  std::optional<double> a, b;
  // What subtraction leaves of equal times is no change.
  [[nodiscard]] double change() const {
    const double d = b.value_or(0) - a.value_or(0);
    return std::abs(d) < kLeastChange ? 0 : d;
  }
};

auto identity(const ProfiledOp& op) { return std::tie(op.name, op.kind, op.shape, op.flops_each, op.bytes_each); }

// Ops of both sides in pairs; the n-th of equals meets the n-th.
std::vector<Part> parts_of(const SavedProfile& a, const SavedProfile& b) {
  std::vector<Part> out;
  for (const ProfiledOp& op : a.ops) out.push_back({op, op.seconds, std::nullopt});
  for (const ProfiledOp& op : b.ops) {
    const auto same =
        std::find_if(out.begin(), out.end(), [&](const Part& p) { return !p.b && identity(p.op) == identity(op); });
    if (same == out.end()) {
      out.push_back({op, std::nullopt, op.seconds});
    } else {
      same->b = op.seconds;
    }
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Part& x, const Part& y) { return std::abs(x.change()) > std::abs(y.change()); });
  return out;
}

double sum_of_ops(const SavedProfile& p) {
  double sum = 0;
  for (const ProfiledOp& op : p.ops) sum += op.seconds;
  return sum;
}

// What is left of a step beside its ops: gaps between them, and the host before the first and after the last.
std::vector<Part> around(const SavedProfile& a, const SavedProfile& b) {
  ProfiledOp gaps, rest;
  gaps.name = "gaps between ops";
  rest.name = "before the first op, after the last";
  const auto left = [](const SavedProfile& p) { return p.traced_s - p.gap_s - sum_of_ops(p); };
  return {{gaps, a.gap_s, b.gap_s}, {rest, left(a), left(b)}};
}

std::string time_of(double seconds) {
  return seconds == 0 ? "0" : (seconds < 0 ? "-" : "") + time_text(std::abs(seconds) * 1e9);
}
std::string change_of(double seconds) { return (seconds > 0 ? "+" : "") + time_of(seconds); }

SheetCell time_cell(const std::optional<double>& seconds) {
  return seconds ? SheetCell(time_of(*seconds), *seconds) : SheetCell();
}

std::vector<SheetCell> row_of(const Part& p, double difference) {
  const bool both = p.a.value_or(0) > 0 && p.b.value_or(0) > 0;
  return {p.op.name,
          time_cell(p.a),
          time_cell(p.b),
          both ? SheetCell(number_text(*p.b / *p.a, 4), *p.b / *p.a) : SheetCell(),
          {change_of(p.change()), p.change()},
          difference != 0 ? SheetCell(percent_text(p.change() / difference), p.change() / difference) : SheetCell(),
          p.op.kind,
          p.op.shape,
          p.op.count > 0 ? SheetCell(std::to_string(p.op.count), static_cast<double>(p.op.count)) : SheetCell()};
}

// "gate_up_proj +1.50 ms (46.9 %)" of the chosen, joined.
std::string told(const std::vector<const Part*>& parts, double difference) {
  std::vector<std::string> out;
  out.reserve(parts.size());
  for (const Part* p : parts)
    out.push_back(p->op.name + " " + change_of(p->change()) + " (" + percent_text(p->change() / difference) + ")");
  return joined(out, ", ");
}

// Which parts the difference of the traced step lies in.
std::string explanation(std::vector<Part> parts, double difference) {
  std::stable_sort(parts.begin(), parts.end(),
                   [&](const Part& x, const Part& y) { return x.change() / difference > y.change() / difference; });
  std::vector<const Part*> with, against;
  double explained = 0, all = 0;
  for (const Part& p : parts) all += std::max(0.0, p.change() / difference);
  for (const Part& p : parts) {
    const double share = p.change() / difference;
    if (share > 0 && explained < kExplained * all && with.size() < kMostExplaining) {
      with.push_back(&p);
      explained += share;
    }
    if (share < -kWorthOpposing) against.insert(against.begin(), &p);
  }
  std::string text = "the traced step's " + change_of(difference) + " lies in " + told(with, difference);
  if (!against.empty()) text += "; the other way went " + told(against, difference);
  return text;
}

std::string step_text(const char* how, double a, double b) {
  return "step " + std::string(how) + ": " + time_of(a) + " in A, " + time_of(b) + " in B, " + number_text(b / a, 4) +
         " of A";
}

void add_sides(const SavedProfile& p, const std::string& side, std::vector<std::string>* notes) {
  std::string text = side + ": " + p.name + ", " + std::to_string(p.steps) + " steps traced";
  if (p.disturbed.value_or(false)) text += "; * disturbed: " + joined(p.causes, ", ");
  if (!p.disturbed) text += "; its host was not watched";
  notes->push_back(text);
}

void add_kernels(const SavedProfile& a, const SavedProfile& b, std::vector<std::string>* notes) {
  for (const ProfiledOp& op : a.ops) {
    const auto same =
        std::find_if(b.ops.begin(), b.ops.end(), [&](const ProfiledOp& o) { return identity(o) == identity(op); });
    if (same == b.ops.end() || (op.calls == 0) == (same->calls == 0)) continue;
    notes->push_back(op.name + " runs in a kernel of the op before it in " + (op.calls == 0 ? "A" : "B") +
                     " alone: the rows of both together compare");
  }
}

std::vector<std::string> notes_of(const SavedProfile& a, const SavedProfile& b, const std::vector<Part>& parts,
                                  double margin) {
  std::vector<std::string> out{step_text("without tracing", a.step_s, b.step_s),
                               step_text("with tracing", a.traced_s, b.traced_s)};
  const double difference = b.traced_s - a.traced_s;
  const auto beyond = [&](double from, double to) { return to > from * (1 + margin) || to * (1 + margin) < from; };
  if (beyond(a.traced_s, b.traced_s)) {
    out.push_back(explanation(parts, difference));
    if ((b.step_s - a.step_s) * difference < 0)
      out.emplace_back("without tracing the step went the other way: tracing, or chance, made this difference");
  } else if (beyond(a.step_s, b.step_s)) {
    out.push_back("the steps differ without tracing and not with it (margin " + percent_text(margin) +
                  "): the ops' times don't tell what made the difference");
  } else {
    out.push_back("within the margin (" + percent_text(margin) + "): there is no difference in step time to explain");
  }
  out.emplace_back(
      "one pass each, its mean of an op without an interval: whether a difference is more than chance, profiles that "
      "are repeated show, and of the step's time a comparison of records");
  add_sides(a, "A", &out);
  add_sides(b, "B", &out);
  for (const auto& [name, value] : a.facts) {
    const auto other =
        std::find_if(b.facts.begin(), b.facts.end(), [n = &name](const auto& fact) { return fact.first == *n; });
    if (other != b.facts.end() && other->second != value)
      out.push_back(name + ": " + (value.empty() ? "none" : value) + " in A, " +
                    (other->second.empty() ? "none" : other->second) + " in B");
  }
  add_kernels(a, b, &out);
  return out;
}

ProfiledOp op_of(const JsonNode& node) {
  ProfiledOp op;
  op.name = node.at("op").text();
  op.kind = node.at("kind").text();
  op.shape = node.at("shape").text();
  op.count = node.at("count").integer(1);
  op.calls = node.at("calls").integer(0);
  op.flops_each = node.at("flops_each").number();
  op.bytes_each = node.at("bytes_each").number();
  op.seconds = node.at("seconds").number(0, kLongest);
  return op;
}

}  // namespace

bool is_profile(const std::string& text) {
  JsonInput input(text, "");
  const JsonNode root = input.root();
  // The second: of the first form, which had no version and can't be compared.
  return root.present() && root.is_object() && (root.has("profile_version") || root.has("step_traced_s"));
}

Result<SavedProfile> read_profile(const std::string& text, const std::string& name) {
  JsonInput input(text, name);
  const JsonNode root = input.root();
  if (!root.present()) return input.error();
  if (!root.has("profile_version"))
    return bad_input(name +
                     ": profile_version: expected it, found a profile of an assay that did not write what a "
                     "comparison needs (the chip, the case's hash); profile the case again");
  (void)root.at("profile_version").integer(1, 1);
  SavedProfile p;
  p.name = name;
  p.case_id = root.at("case").text();
  p.case_hash = root.at("case_hash").text();
  p.product = root.at("device_product").text();
  p.basis = root.at("basis").text();
  p.layers = root.at("layers").integer(0);
  p.experts = root.at("experts").integer(0);
  for (const char* fact : {"device", "device_driver", "adapter", "adapter_options", "assay", "threads"}) {
    std::string words = fact;
    std::replace(words.begin(), words.end(), '_', ' ');
    p.facts.emplace_back(words, root.at(fact).text());
  }
  p.step_s = root.at("step_s").number(0, kLongest);
  p.traced_s = root.at("step_traced_s").number(0, kLongest);
  p.gap_s = root.at("gap_s").number(0, kLongest);
  p.steps = root.at("steps").unsigned_integer();
  const JsonNode noise = root.at("noise");
  if (noise.has("disturbed")) p.disturbed = noise.at("disturbed").boolean();
  for (const JsonNode& cause : noise.at("causes").items()) p.causes.push_back(cause.text());
  for (const JsonNode& op : root.at("ops").items(1)) p.ops.push_back(op_of(op));
  for (const JsonNode& copy : root.at("copies").items()) {
    ProfiledOp moved;
    moved.name = copy.at("name").text();
    moved.seconds = copy.at("seconds").number(0, kLongest);
    moved.calls = 1;
    p.ops.push_back(std::move(moved));
  }
  if (input.ok() && !(p.step_s > 0 && p.traced_s > 0)) root.at("step_s").fail_expected("a step that took time");
  if (!input.ok()) return input.error();
  return p;
}

Status comparable(const SavedProfile& a, const SavedProfile& b) {
  const auto number = [](int64_t n) { return std::to_string(n); };
  const std::tuple<const char*, std::string, std::string> must[] = {
      {"case", a.case_id, b.case_id},
      {"chip", a.product, b.product},
      {"basis", a.basis, b.basis},
      {"layers", number(a.layers), number(b.layers)},
      {"experts a layer", number(a.experts), number(b.experts)},
      {"case_hash (the case's definition changed)", a.case_hash, b.case_hash}};
  for (const auto& [what, of_a, of_b] : must) {
    if (of_a == of_b) continue;
    std::string text = b.name;
    text.append(": ").append(what).append(": expected ").append(of_a).append(", as in ").append(a.name);
    return bad_input(
        text.append(", found ").append(of_b).append(": ops of unlike profiles have nothing to do with each other"));
  }
  return ok_status();
}

Sheet profile_pair_sheet(const SavedProfile& a, const SavedProfile& b, double margin) {
  SheetTable t;
  t.name = "ops";
  t.title = a.case_id + " on " + a.product + ", " + a.basis + ": one step";
  t.columns = {{"op", "op"},
               {"seconds_a", "A", true},
               {"seconds_b", "B", true},
               {"ratio", "B/A", true},
               {"change_s", "B - A", true},
               {"share_of_change", "of the step's", true},
               {"kind", ""},
               {"shape", ""},
               {"count", ""}};
  std::vector<Part> parts = parts_of(a, b);
  for (Part& p : around(a, b)) parts.push_back(std::move(p));
  const double difference = b.traced_s - a.traced_s;
  for (const Part& p : parts) t.rows.push_back(row_of(p, difference));
  ProfiledOp step, plain;
  step.name = "step, traced";
  plain.name = "step, not traced";
  t.rows.push_back(row_of({step, a.traced_s, b.traced_s}, difference));
  t.rows.push_back(row_of({plain, a.step_s, b.step_s}, 0));
  return {{std::move(t)}, notes_of(a, b, parts, margin)};
}

}  // namespace assay
