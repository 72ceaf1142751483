#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <string_view>

#include "reports/cells.h"
#include "reports/cost_sheet.h"
#include "reports/csv.h"
#include "reports/format.h"
#include "reports/html/report_fields.h"
#include "reports/html/report_forms.h"
#include "reports/html/report_words.h"
#include "reports/text.h"
#include "suites/base/words.h"

namespace assay {
namespace {

std::string shortest(double value) {
  char text[40];
  return std::string(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

std::string csv_value(const FieldValue& value) {
  if (const auto* number = std::get_if<double>(&value)) return csv_field(shortest(*number), true);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return csv_field(*text, false);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return csv_field(joined(*list, "; "), false);
  return "";
}

std::string line(const std::vector<std::string>& cells) {
  std::string out = "|";
  for (const std::string& text : cells) out += " " + (text.empty() ? "–" : markdown_escaped(text)) + " |";
  return out + "\n";
}

std::string per_100k(const std::optional<double>& cny) { return cny ? number_text(*cny * 1e5, 4) : ""; }
std::string range_per_100k(const Amount& amount) {
  if (!amount.value || std::isnan(amount.interval.low)) return "";
  return per_100k(amount.interval.low) + "–" + per_100k(amount.interval.high);
}

std::string cost_table(const ReportModel& model) {
  std::string out =
      "\n" +
      line({"chip", "model", "way", "used", "CNY/100K tokens", "95 %", "CNY/1M", "of which electricity", "basis"}) +
      "|---|---|---|---:|---:|---:|---:|---:|---|\n";
  for (const ReportCost& c : model.costs) {
    const std::string work = c.work();
    if (!c.missing.empty()) {
      out += line({chip_name(model, c.chip), work, "", "", "", "", "", "", c.missing});
      continue;
    }
    const Amount& amount = c.cost.of(c.cost.headline);
    const std::string range = range_per_100k(amount);
    // Its owner pays the power of a rented chip: no part of the cost beside the rent.
    const std::string power = c.inputs.rented ? "in the rent" : per_100k(c.cost.floor_of(c.cost.headline).value);
    out += line({chip_name(model, c.chip), work + ", " + token_class_name(c.cost.headline), way_text(c.inputs),
                 use_text(c.inputs), per_100k(amount.value), range,
                 amount.value ? number_text(*amount.value * 1e6, 4) : "", power,
                 c.basis + ", prices " + c.cost.price_basis});
  }
  return out;
}

// The case of a row, with what sets the run apart from others of it.
std::string case_text(const ReportModel& model, const ReportRow& r) {
  const ReportCase& c = model.cases[r.test_case];
  const std::string piece = c.piece();
  return c.id + (piece.empty() ? "" : " (" + piece + ")") + (r.options.empty() ? "" : " (" + r.options + ")");
}

std::string rate_table(const ReportModel& model) {
  const std::vector<ShownRow> rows = shown_rows(model);
  const bool dated = std::any_of(rows.begin(), rows.end(), [&](const ShownRow& shown) {
    return shown.records > 1 && !model.rows[shown.row].created.empty();
  });
  std::vector<std::string> head{"chip", "case", "rate", "95 %", "p50", "p99", "J/token", "basis", "record"};
  if (dated) head.insert(head.begin() + 2, "date, UTC");
  std::string out = "\n" + line(head) + (dated ? "|---" : "") + "|---|---|---:|---:|---:|---:|---:|---|---|\n";
  for (const ShownRow& shown : rows) {
    const ReportRow& r = model.rows[shown.row];
    std::vector<std::string> cells{chip_name(model, r.chip), case_text(model, r)};
    if (dated) cells.push_back(minute_text(r.created));
    cells.insert(cells.end(), {row_rate(r), ""});
    if (r.rate.value && r.rate.low && r.rate.high)
      cells.back() = interval_text(Throughput{*r.rate.value, {*r.rate.low, *r.rate.high}, 0, 0}, r.unit);
    cells.push_back(r.p50.value ? time_text(*r.p50.value) : "");
    cells.push_back(r.p99.value ? time_text(*r.p99.value) + (r.p99.high ? "" : "?") : "");
    cells.push_back(r.joules_per_token ? number_text(*r.joules_per_token, 3) : "");
    cells.insert(cells.end(), {row_basis(r) + (r.disturbed ? " *" : ""), r.id.substr(0, 8)});
    out += line(cells);
  }
  return out;
}

std::string clip_table(const ReportModel& model) {
  std::string out = "\n" + line({"chip", "clip", "steps x passes", "time", "CNY per clip", "95 %", "basis"}) +
                    "|---|---|---|---:|---:|---:|---|\n";
  for (const ReportClip& c : model.clips) {
    const ClipEstimate& e = c.clip;
    const std::string bound = e.missing.empty() ? "" : "> ";
    out += line({chip_name(model, c.chip),
                 e.model + " " + e.dtype + ", " + std::to_string(e.clip.frames) + "f " + std::to_string(e.clip.height) +
                     "x" + std::to_string(e.clip.width),
                 e.schedule_text, bound + time_text(e.seconds() * 1e9),
                 c.cost.value ? bound + money_text(*c.cost.value) : "",
                 c.cost.value ? money_interval_text(c.cost.interval, 1) : "", e.basis});
  }
  return out;
}

// "0.03147 CNY per 100K output tokens, qwen2.5-0.5b f32 (0.03014–0.03291, 95 %)"
std::string cost_text(const ReportCost& c) {
  const Amount& amount = c.cost.of(c.cost.headline);
  const std::string range = range_per_100k(amount);
  return per_100k(amount.value) + " CNY per 100K " + token_class_name(c.cost.headline) + " tokens, " + c.work() +
         (range.empty() ? " (no interval is known of its rate or price)" : " (" + range + ", 95 %)");
}

std::string cost_answer(const ReportModel& model) {
  const ReportCostAnswer& money = model.cost_answer;
  const ReportCost& first = model.costs[money.costs[0]];
  const std::string chip = chip_name(model, first.chip);
  if (money.kind == "one-chip") return chip + ": " + cost_text(first);
  const ReportCost& second = model.costs[money.costs[money.rival]];
  const std::string rival = chip_name(model, second.chip);
  const std::optional<Probability>& p = money.probabilities[money.rival - 1];
  const std::string both = chip + " " + cost_text(first) + "; " + rival + " " + cost_text(second);
  if (!p) {
    return "cost can't be judged: of " + chip + " and " + rival +
           " at least one rate or price has no known interval: " + both;
  }
  const std::string likely = "P(" + chip + " cheaper) " + probability_text(*p);
  if (money.kind == "cheapest") {
    return chip + " is the cheapest: " + cost_text(first) + "; its closest rival, " + rival + ": " + cost_text(second) +
           "; " + likely;
  }
  if (money.kind == "rounding") {
    return "can't tell within the rounding of a confidential price whether " + chip + " or " + rival +
           " is the cheaper, " + likely + ", by the exact figure: " + both;
  }
  return "cost doesn't decide between " + chip + " and " + rival + ", " + likely + ": " + both;
}

// "P(a cheaper): 63.2 % against b, 100.0 % against c; ..."
std::string probability_line(const ReportModel& model) {
  const ReportCostAnswer& money = model.cost_answer;
  std::string each;
  for (size_t i = 0; i < money.probabilities.size(); ++i) {
    if (!money.probabilities[i]) continue;
    each += (each.empty() ? "" : ", ") + probability_text(*money.probabilities[i]) + " against " +
            chip_name(model, model.costs[money.costs[i + 1]].chip);
  }
  if (each.empty()) return "";
  return "P(" + chip_name(model, model.costs[money.costs[0]].chip) + " cheaper): " + each +
         "; both drawn together, inputs that they share with one draw, so that intervals may overlap where it is "
         "sure; it counts as the cheaper from " +
         percent_text(money.decided_from) + " on";
}

std::string rate_answer(const ReportModel& model) {
  if (model.answer.groups.empty()) return "no usable result";
  const ReportGroup& first = model.groups[model.answer.groups[0]];
  const std::string rate = row_rate(model.rows[first.row]);
  if (model.answer.kind == "one-chip") return "one chip only: " + chip_name(model, first.chip) + ", " + rate;
  if (model.answer.kind == "fastest") return chip_name(model, first.chip) + " is the fastest: " + rate;
  return "throughput doesn't decide: the 95 % intervals overlap";
}

// What the answer on rates is of.
std::string rate_work(const ReportModel& model) {
  if (model.answer.groups.empty()) return "";
  const ReportGroup& first = model.groups[model.answer.groups[0]];
  const std::string& part = model.rows[first.row].part;
  const std::string piece = model.cases[first.test_case].piece();
  return "case " + model.cases[first.test_case].id +
         (piece.empty() ? "" : "; a " + piece + ", measured apart: no figure of a whole prompt or clip") +
         (part.empty() ? "" : "; only a part of the model ran (" + part + "): not the rate of the whole");
}

std::string marked(const std::string& answer, const std::string& basis) {
  return answer + " [" + (basis.empty() ? "no basis" : basis) + "]";
}

std::string verdict_line(const std::string& target, const Verdict& v) {
  const auto times = [](double gap) { return gap < 100 ? number_text(gap, 3) : number_text(std::round(gap), 9); };
  const bool bounded = std::isfinite(v.gap_interval.low) && std::isfinite(v.gap_interval.high);
  const std::string range = bounded ? times(v.gap_interval.low) + "–" + times(v.gap_interval.high) + " × of it" : "";
  std::string out = "target " + target + ": ";
  if (v.reached == Reached::kReached) {
    out += "reached (95 %)";
  } else if (v.reached == Reached::kNotReached) {
    out += "not reached, " + times(v.gap) + " × of it" + (bounded ? " (" + range + ")" : "");
  } else if (bounded) {
    out += "can't tell at 95 % (" + range + ")";
  } else {
    out += "can't tell at 95 %, no interval is known (" + times(v.gap) + " × of it by the figure stated)";
  }
  return out +
         (v.by_electricity == Reached::kNotReached ? "; electricity alone costs more: not at any chip price" : "");
}

// A remark on a case that the cost doesn't rest on.
bool of_unused(const ReportCost& c, const std::string& note) {
  constexpr std::string_view kEnd = " was disturbed";
  if (note.size() < kEnd.size() || note.compare(note.size() - kEnd.size(), kEnd.size(), kEnd) != 0) return false;
  const std::string of = note.substr(0, note.size() - kEnd.size());
  return of != c.input_case && of != c.output_case;
}

// What the costs of the answer rest on or leave out, each once, and whose it is where it isn't everyone's.
std::vector<std::string> cost_notes(const ReportModel& model) {
  std::vector<std::pair<std::string, std::vector<std::string>>> of;
  for (const size_t i : model.cost_answer.costs) {
    const ReportCost& c = model.costs[i];
    for (const std::string& note : c.notes) {
      if (of_unused(c, note)) continue;
      auto known = std::find_if(of.begin(), of.end(), [&](const auto& item) { return item.first == note; });
      if (known == of.end()) known = of.insert(of.end(), {note, {}});
      known->second.push_back(chip_name(model, c.chip));
    }
  }
  std::vector<std::string> out;
  out.reserve(of.size());
  for (const auto& [note, chips] : of) {
    out.push_back((chips.size() < model.cost_answer.costs.size() ? joined(chips, ", ") + ": " : "") + note);
  }
  return out;
}

// The cases that a cost's rates are from.
std::string cost_cases(const ReportCost& c) {
  std::vector<std::string> cases;
  for (const std::string& of : {c.output_case, c.input_case}) {
    if (!of.empty()) cases.push_back(of);
  }
  return joined(cases, ", ");
}

// What the headline is of, why of that, and what several chips were compared on where it is of one.
std::vector<std::string> cost_work_lines(const ReportModel& model) {
  const ReportCostAnswer& money = model.cost_answer;
  std::vector<std::string> out;
  if (const std::string cases = cost_cases(model.costs[money.costs[0]]); !cases.empty())
    out.push_back("cases " + cases);
  if (money.works > 1)
    out.emplace_back(
        "the headline is of the model that the most chips were priced on, of those with at least a tenth of the "
        "parameters of the largest one measured whole; of several the largest");
  for (const size_t i : money.compared) {
    const ReportCost& c = model.costs[i];
    out.push_back("compared: " + chip_name(model, c.chip) + ", " + cost_text(c) + ", " + cost_cases(c));
  }
  return out;
}

// The answer in bold and, as on the page's first screen, what stands below it.
std::string answer_text(const ReportModel& model) {
  const std::string rates = marked(rate_answer(model), model.answer.basis);
  const ReportCostAnswer& money = model.cost_answer;
  if (money.kind == "none") {
    const std::string work = rate_work(model);
    std::string below = work.empty() ? "" : markdown_item(work);
    for (const std::string& note : model.cost_left_out) below += markdown_item("no cost: " + note);
    return "**" + markdown_escaped(rates) + "**\n\n" + below + (below.empty() ? "" : "\n");
  }
  const ReportCost& first = model.costs[money.costs[0]];
  std::vector<std::string> lines = cost_work_lines(model);
  if (money.mixed_ways)
    lines.push_back("rents stand beside costs of owning: a rent holds the provider's margin and discounts; " +
                    alike_text(money.alike_by));
  if (const std::string likely = probability_line(model); !likely.empty()) lines.push_back(likely);
  for (std::string& note : cost_notes(model)) lines.push_back(std::move(note));
  for (const ReportVerdict& v : first.verdicts) {
    if (v.verdict.reason.empty() && std::isfinite(v.verdict.gap))
      lines.push_back(verdict_line(model.targets[v.target].text, v.verdict));
  }
  for (const std::string& note : model.cost_left_out) lines.push_back("no cost: " + note);
  lines.push_back(rates + (model.answer.groups.empty() ? "" : ", " + rate_work(model)));
  std::string out = "**" + markdown_escaped(marked(cost_answer(model), first.basis)) + "**\n\n";
  for (const std::string& line : lines) out += markdown_item(line);
  return out + "\n";
}

}  // namespace

std::string chip_name(const ReportModel& model, size_t chip) {
  const ReportChip& c = model.chips[chip];
  const auto twins = std::count_if(model.chips.begin(), model.chips.end(),
                                   [&](const ReportChip& other) { return other.product == c.product; });
  const std::string name = c.product.empty() ? "(chip not named)" : c.product;
  return twins == 1 ? name : name + " (" + (c.adapter.empty() ? "imported" : c.adapter) + ")";
}

std::string report_csv(const ReportModel& model) {
  std::string out = "chip_name,case_id";
  for (const ReportField& field : report_fields(ReportRow{})) out += std::string(",") + field.name;
  out += "\r\n";
  for (const ReportRow& row : model.rows) {
    out += csv_field(chip_name(model, row.chip), false) + "," + csv_field(model.cases[row.test_case].id, false);
    for (const ReportField& field : report_fields(row)) out += "," + csv_value(field.value);
    out += "\r\n";
  }
  return out;
}

std::string report_markdown(const ReportModel& model) {
  std::string out =
      "# " + (model.title.empty() ? "Assay report" : markdown_escaped(model.title)) + "\n\n" + answer_text(model);
  out += std::to_string(model.records) + " records, " + std::to_string(model.chips.size()) + " chips, " +
         model.created + ", assay " + model.tool_version + " (" + model.tool_commit + ")\n";
  if (!model.costs.empty()) out += cost_table(model);
  out += rate_table(model);
  if (!model.clips.empty()) out += clip_table(model);
  out += "\n";
  std::set<std::string> notes;
  for (const ReportCase& c : model.cases) notes.insert(old_int8_note(c.dtype));
  for (const std::string& note : notes) out += note.empty() ? "" : markdown_item(note);
  const auto of_several = [](const ReportRow& r) { return r.accelerators && *r.accelerators > 1; };
  if (std::any_of(model.rows.begin(), model.rows.end(), of_several))
    out += "- a reported rate is of one accelerator of the number beside its basis\n";
  for (const Incomparable& i : model.incomparable) out += markdown_item(apart_text(model, i));
  return out;
}

}  // namespace assay
