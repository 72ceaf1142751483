#include "results/prices/claims.h"

#include <cmath>
#include <set>

#include "suites/base/json_input.h"

namespace assay {
namespace {

constexpr size_t kMaxClaims = 1000, kMaxClaimText = 2048;

ClaimKind kind_at(const JsonNode& node) {
  const std::string kind = node.at("kind").text_of({"token_price", "clip_price", "clip_time", "task_price"});
  if (kind == "clip_price") return ClaimKind::kClipPrice;
  if (kind == "clip_time") return ClaimKind::kClipTime;
  return kind == "task_price" ? ClaimKind::kTaskPrice : ClaimKind::kTokenPrice;
}

void read_price(const JsonNode& node, Claim* claim) {
  const JsonNode price = node.at("price");
  const std::string text = price.text(256);
  if (!price.present()) return;
  const Result<Target> target = parse_target(text, price.where());
  if (!target.ok()) {
    price.fail("expected a price such as \"0.01 CNY/100k tokens\" or \"2.10 USD/clip\", found \"" + text + "\"");
    return;
  }
  claim->target = *target;
  if (target->clips != (claim->kind == ClaimKind::kClipPrice)) {
    price.fail(std::string("expected a price of ") + (target->clips ? "tokens" : "a clip") + ", as the kind says");
  }
}

std::string name_at(const JsonNode& node, const char* what) {
  if (!node.present()) return "";
  std::string name = node.text(64);
  if (name.empty()) node.fail(std::string("expected ") + what + ", found nothing");
  return name;
}

// What the claim says it is of. A price of the market is of no chip, and a model is a name or a size.
void read_subject(const JsonNode& node, Claim* claim) {
  claim->chip = name_at(node.find("chip"), "a chip's name");
  claim->vendor = name_at(node.find("vendor"), "a vendor's name");
  claim->model = name_at(node.find("model"), "a model's name");
  if (node.has("market")) claim->market = node.at("market").boolean();
  if (node.has("params")) claim->params = node.at("params").number(1e6, 1e14);
  if (claim->market && node.has("chip")) node.at("market").fail("expected one of chip and market, found both");
  if (claim->market && node.has("vendor")) node.at("market").fail("expected one of vendor and market, found both");
  if (node.has("chip") && node.has("vendor")) node.at("vendor").fail("expected one of chip and vendor, found both");
  if (node.has("model") && node.has("params")) node.at("params").fail("expected one of model and params, found both");
}

void read_task(const JsonNode& node, Claim* claim) {
  if (!node.present()) return;
  if (claim->kind != ClaimKind::kTaskPrice) {
    node.fail("expected none: the claim is not of a task");
    return;
  }
  node.fields({"cached", "input", "output"});
  TokenMix task;
  for (const auto& [name, count] :
       {std::pair("cached", &task.cached), {"input", &task.input}, {"output", &task.output}}) {
    if (node.has(name)) *count = node.at(name).number(0, 1e12);
  }
  if (!(task.cached + task.input + task.output > 0)) node.fail("expected tokens of a task, found none");
  task.source = "as the claim says";
  claim->task = task;
}

Claim claim_at(const JsonNode& node) {
  node.fields({"id", "text", "kind", "price", "seconds", "amount", "currency", "height", "chip", "vendor", "market",
               "model", "params", "task", "source", "date", "grade", "note"});
  Claim claim;
  claim.id = node.at("id").text(64);
  if (claim.id.empty()) node.at("id").fail("expected a name, found nothing");
  claim.text = node.at("text").text(kMaxClaimText);
  claim.kind = kind_at(node);
  switch (claim.kind) {
    case ClaimKind::kTokenPrice:
    case ClaimKind::kClipPrice:
      read_price(node, &claim);
      break;
    case ClaimKind::kClipTime:
      claim.limit = node.at("seconds").number(1e-3, 1e6);
      break;
    case ClaimKind::kTaskPrice:
      claim.limit = node.at("amount").number(1e-9, 1e9);
      claim.currency = node.at("currency").text_of({"CNY", "USD", "EUR", "HKD", "JPY", "KRW", "TWD"});
      break;
  }
  const bool of_clip = claim.kind == ClaimKind::kClipPrice || claim.kind == ClaimKind::kClipTime;
  if (node.has("height") && !of_clip) node.at("height").fail("expected no height: the claim is not of a clip");
  if (node.has("height")) claim.height = node.at("height").integer(1, 100000);
  read_subject(node, &claim);
  read_task(node.find("task"), &claim);
  claim.source = node.at("source").text(kMaxClaimText);
  if (claim.source.empty()) node.at("source").fail("expected who says so, found nothing");
  if (node.has("date")) claim.date = node.at("date").text(16);
  claim.grade = node.at("grade").text_of({"V", "M", "C", "R", "A", "?"});
  if (node.has("note")) claim.note = node.at("note").text(kMaxClaimText);
  return claim;
}

Amount scaled(Amount amount, double factor) {
  if (amount.value) *amount.value *= factor;
  amount.interval = {amount.interval.low * factor, amount.interval.high * factor};
  return amount;
}

// A sum of amounts that rise and fall together (one chip, one hour's price): the bounds add.
void add(const Amount& part, double count, Amount* sum) {
  if (count == 0 || !sum->reason.empty()) return;
  if (!part.value) {
    sum->value.reset();
    sum->reason = part.reason;
    return;
  }
  sum->value = sum->value.value_or(0) + *part.value * count;
  sum->interval.low += part.interval.low * count;
  sum->interval.high += part.interval.high * count;
}

Amount seconds_amount(const Estimate& seconds) {
  Amount out;
  out.value = seconds.typical;
  const double none = std::nan("");
  out.interval = seconds.spread == Spread::kUnknown ? Interval{none, none} : Interval{seconds.low, seconds.high};
  return out;
}

// A clip of the records says less than it seems to: a smaller one supports no claim of a larger, and one accelerator
// contradicts no time on a number of them that the claim leaves out.
void hold_back(const Claim& claim, const ClaimEvidence& evidence, ClaimVerdict* out) {
  if (evidence.clip_height == 0) return;
  if (out->reached == Reached::kReached && evidence.clip_height < claim.height) {
    out->reached = Reached::kCannotTell;
    out->reason = "the records' clip has " + std::to_string(evidence.clip_height) + " lines, the claim's " +
                  std::to_string(claim.height);
  } else if (out->reached == Reached::kNotReached && claim.kind == ClaimKind::kClipTime) {
    out->reached = Reached::kCannotTell;
    out->reason =
        "the time is of one accelerator, and the claim leaves out of how many its own is: ideally parallel, " +
        std::to_string(static_cast<int64_t>(std::ceil(*out->actual.value / out->limit))) + " would do";
  }
}

}  // namespace

Result<std::vector<Claim>> parse_claims(const std::string& text, const std::string& where) {
  JsonInput input(text, where, {size_t{4} << 20, 8});
  const JsonNode root = input.root();
  root.fields({"schema_version", "claims"});
  (void)root.at("schema_version").integer(1, 1);
  std::vector<Claim> claims;
  std::set<std::string> ids;
  for (const JsonNode& node : root.at("claims").items(0, kMaxClaims)) {
    claims.push_back(claim_at(node));
    if (!ids.insert(claims.back().id).second) node.fail("\"" + claims.back().id + "\" stands here twice");
  }
  if (!input.ok()) return input.error();
  return claims;
}

Result<std::vector<Claim>> read_claims(const std::string& path) {
  Result<std::string> text = read_text_file(path, size_t{4} << 20);
  if (!text.ok()) return text.error();
  return parse_claims(*text, path);
}

Result<ClaimVerdict> judge_claim(const Claim& claim, const PricedSubject& of, const Cost& cost,
                                 const ClaimEvidence& evidence, const PriceBook& book) {
  ClaimVerdict out;
  const std::optional<TokenMix>& task = claim.task ? claim.task : evidence.task;
  const std::string currency = claim.kind == ClaimKind::kTaskPrice ? claim.currency : claim.target.currency;
  double cny = 1;
  if (claim.kind != ClaimKind::kClipTime) {
    const Result<Estimate> one = in_yuan(1, currency, book);
    if (!one.ok()) return one.error();
    cny = one->typical;
    out.limit_confidential = one->confidential;
  }
  switch (claim.kind) {
    case ClaimKind::kTokenPrice:
      out.unit = "CNY/1M tokens";
      out.limit = claim.target.value * cny / claim.target.per * 1e6;
      out.actual = scaled(cost.of(claim.target.token_class.value_or(TokenClass::kBlended)), 1e6);
      break;
    case ClaimKind::kClipPrice:
      out.unit = "CNY/clip";
      out.limit = claim.target.value * cny;
      if (evidence.clip_seconds) out.actual = clip_cost(cost.per_hour, evidence.accelerators, *evidence.clip_seconds);
      break;
    case ClaimKind::kClipTime:
      out.unit = "s/clip";
      out.limit = claim.limit;
      if (evidence.clip_seconds) out.actual = seconds_amount(*evidence.clip_seconds);
      break;
    case ClaimKind::kTaskPrice:
      out.unit = "CNY/task";
      out.limit = claim.limit * cny;
      if (task) {
        add(cost.of(TokenClass::kCached), task->cached, &out.actual);
        add(cost.of(TokenClass::kInput), task->input, &out.actual);
        add(cost.of(TokenClass::kOutput), task->output, &out.actual);
      }
      break;
  }
  const bool of_clips = claim.kind == ClaimKind::kClipPrice || claim.kind == ClaimKind::kClipTime;
  std::vector<std::string> gaps = claim_gaps(claim, of, book, of_clips && evidence.clip_height == 0);
  if (of_clips && !evidence.clip_seconds) {
    gaps.emplace_back("no records compose a clip; --clip gives a time that someone reports");
  } else if (claim.kind == ClaimKind::kTaskPrice && !task) {
    gaps.emplace_back("what a task is isn't stated; --task CACHED:INPUT:OUTPUT shows what one of yours costs");
  } else if (!out.actual.value) {
    gaps.push_back(out.actual.reason);
  }
  out.gaps = gaps.size();
  out.speaks = gaps.empty();
  for (const std::string& gap : gaps) out.reason += (out.reason.empty() ? "" : "; ") + gap;
  if (!out.speaks) return out;
  if (claim.kind == ClaimKind::kTaskPrice && !claim.task) {
    out.reason = "what a task is isn't stated: --task is of yours";
    return out;
  }
  out.reached = reached(out.actual, out.limit);
  if (claim.market) out.reason = "a price in the market, of no chip";
  if (of_clips) hold_back(claim, evidence, &out);
  return out;
}

}  // namespace assay
