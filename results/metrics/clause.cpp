#include "results/metrics/clause.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <vector>

#include "suites/base/nearest.h"

namespace assay {
namespace {

enum class Dimension { kTime, kShare, kRatio, kRate, kEnergy };

struct Named {
  const char* name;
  bool of_step;  // takes "(step)"
  Quantity quantity;
  Dimension dimension;
};
constexpr Named kClauseNames[] = {{"mean", true, Quantity::kMean, Dimension::kTime},
                                  {"max", true, Quantity::kMax, Dimension::kTime},
                                  {"jitter", true, Quantity::kJitter, Dimension::kTime},
                                  {"stall_rate", true, Quantity::kStallRate, Dimension::kShare},
                                  {"tail_ratio", true, Quantity::kTailRatio, Dimension::kRatio},
                                  {"rate", false, Quantity::kRate, Dimension::kRate},
                                  {"rate_per_user", false, Quantity::kRatePerUser, Dimension::kRate},
                                  {"mfu", false, Quantity::kMfu, Dimension::kShare},
                                  {"mbu", false, Quantity::kMbu, Dimension::kShare},
                                  {"joules_per_token", false, Quantity::kJoulesPerToken, Dimension::kEnergy}};

Dimension dimension_of(Quantity quantity) {
  for (const Named& n : kClauseNames) {
    if (n.quantity == quantity) return n.dimension;
  }
  return Dimension::kTime;  // a percentile
}

struct Unit {
  const char* text;
  Dimension dimension;
  double factor;
};
constexpr Unit kUnits[] = {{"ns", Dimension::kTime, 1},       {"us", Dimension::kTime, 1e3},
                           {"µs", Dimension::kTime, 1e3},     {"ms", Dimension::kTime, 1e6},
                           {"s", Dimension::kTime, 1e9},      {"%", Dimension::kShare, 0.01},
                           {"tokens/s", Dimension::kRate, 1}, {"FLOP/s", Dimension::kRate, 1},
                           {"bytes/s", Dimension::kRate, 1},  {"J/token", Dimension::kEnergy, 1}};

std::string units_of(Dimension d) {
  std::string out;
  for (const Unit& u : kUnits) {
    if (u.dimension == d) out.append(out.empty() ? "" : ", ").append(u.text);
  }
  return out;
}

// Reads from left to right; the first fault stays, with its column.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  bool take(std::string_view word) {
    blanks();
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  // Letters and underscores.
  std::string_view name() {
    blanks();
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isalpha(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }
  std::optional<double> number() {
    blanks();
    double value = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    at_ = static_cast<size_t>(end - text_.data());
    return value;
  }
  // Up to a blank, '@' or the end.
  std::string_view word() {
    blanks();
    const size_t begin = at_;
    while (at_ < text_.size() && text_[at_] != ' ' && text_[at_] != '\t' && text_[at_] != '@') ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool end() {
    blanks();
    return at_ == text_.size();
  }
  [[nodiscard]] size_t place() const { return at_; }
  void back_to(size_t place) { at_ = place; }
  [[nodiscard]] std::string_view from(size_t place) const { return text_.substr(place, at_ - place); }

  Error expected(const std::string& what) {
    blanks();
    const std::string found = at_ == text_.size() ? "the end" : "'" + std::string(text_.substr(at_, 24)) + "'";
    return bad_input("column " + std::to_string(at_ + 1) + ": expected " + what + ", found " + found);
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

Status scan_step(Scanner* s) {
  if (!s->take("(")) return s->expected("'(step)'");
  const size_t place = s->place();
  if (s->name() != "step") {
    s->back_to(place);
    return s->expected("'step'");
  }
  if (!s->take(")")) return s->expected("')'");
  return ok_status();
}

Result<Subject> scan_subject(Scanner* s) {
  s->blanks();
  const size_t begin = s->place();
  const std::string_view name = s->name();
  Subject out;
  bool of_step = true;
  if (name == "p") {
    const size_t place = s->place();
    const std::optional<double> p = s->number();
    if (!p || *p <= 0 || *p >= 100) {
      s->back_to(place);
      return s->expected("a percentile between 0 and 100");
    }
    out.quantity = Quantity::kPercentile;
    out.p = *p / 100;
  } else {
    const auto* found =
        std::find_if(std::begin(kClauseNames), std::end(kClauseNames), [&](const Named& n) { return name == n.name; });
    if (found == std::end(kClauseNames)) {
      std::vector<std::string> known{"p99"};
      for (const Named& n : kClauseNames) known.emplace_back(n.name);
      s->back_to(begin);
      Error error = s->expected("a metric such as p99(step) or rate");
      error.message += suggestion(std::string(name), known);
      return error;
    }
    out.quantity = found->quantity;
    of_step = found->of_step;
  }
  if (of_step) {
    const Status step = scan_step(s);
    if (!step.ok()) return step.error();
  }
  out.text = std::string(s->from(begin));
  return out;
}

Result<Measure> scan_quantity(Scanner* s, const Subject& subject) {
  const size_t begin = s->place();
  const std::optional<double> number = s->number();
  if (!number || *number < 0) {
    s->back_to(begin);
    return s->expected("a number of at least 0");
  }
  const Dimension dimension = dimension_of(subject.quantity);
  if (dimension == Dimension::kRatio) return Measure{*number, ""};
  s->blanks();
  const size_t place = s->place();
  const std::string_view word = s->word();
  for (const Unit& u : kUnits) {
    if (u.dimension != dimension || word != u.text) continue;
    return Measure{*number * u.factor, u.text};
  }
  s->back_to(place);
  return s->expected("a unit of " + subject.text + " (" + units_of(dimension) + ")");
}

Result<Compare> scan_compare(Scanner* s) {
  if (s->take("<=") || s->take("≤")) return Compare::kAtMost;
  if (s->take(">=") || s->take("≥")) return Compare::kAtLeast;
  if (s->take("<")) return Compare::kBelow;
  if (s->take(">")) return Compare::kAbove;
  return s->expected("<=, >=, < or >");
}

bool has_no_confidence(Quantity q) {
  return q == Quantity::kMax || q == Quantity::kJitter || q == Quantity::kTailRatio || q == Quantity::kJoulesPerToken;
}

Status scan_confidence(Scanner* s, Clause* clause) {
  const size_t place = s->place();
  if (!s->take("@")) return s->end() ? ok_status() : Status(s->expected("'@' and a confidence, or the end"));
  if (has_no_confidence(clause->subject.quantity)) {
    s->back_to(place);
    return s->expected("the end: " + clause->subject.text + " has no interval, so it can't be held at a confidence");
  }
  s->blanks();
  const size_t number_place = s->place();
  const std::optional<double> number = s->number();
  if (!number || *number <= 50 || *number >= 100) {
    s->back_to(number_place);
    return s->expected("a confidence between 50 and 100 %");
  }
  if (!s->take("%")) return s->expected("'%'");
  if (!s->end()) return s->expected("the end");
  clause->confidence = *number / 100;
  return ok_status();
}

}  // namespace

Result<Clause> parse_clause(const std::string& text) {
  Scanner s(text);
  Clause clause;
  clause.text = text;
  Result<Subject> subject = scan_subject(&s);
  if (!subject.ok()) return subject.error();
  clause.subject = std::move(subject).value();
  const Result<Compare> compare = scan_compare(&s);
  if (!compare.ok()) return compare.error();
  clause.compare = *compare;
  const Result<Measure> limit = scan_quantity(&s, clause.subject);
  if (!limit.ok()) return limit.error();
  clause.limit = limit->value;
  clause.unit = limit->unit;
  const Status confidence = scan_confidence(&s, &clause);
  if (!confidence.ok()) return confidence.error();
  return clause;
}

Result<Subject> parse_subject(const std::string& text) {
  Scanner s(text);
  Result<Subject> subject = scan_subject(&s);
  if (subject.ok() && !s.end()) return s.expected("the end");
  return subject;
}

Result<Measure> parse_quantity(const std::string& text, const Subject& subject) {
  Scanner s(text);
  Result<Measure> value = scan_quantity(&s, subject);
  if (value.ok() && !s.end()) return s.expected("the end");
  return value;
}

}  // namespace assay
