#include <cmath>
#include <regex>

#include "results/metrics/target.h"

namespace assay {
namespace {

constexpr const char* kShape =
    "AMOUNT CURRENCY/COUNT tokens, such as \"0.01 CNY/100k tokens\" or \"0.65 USD/1M output "
    "tokens\", or AMOUNT CURRENCY/clip";

std::string trimmed(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::string currency_of(const std::string& word) {
  if (word == "yuan" || word == "RMB" || word == "CNY" || word == "¥" || word == "元") return "CNY";
  if (word == "USD" || word == "dollar" || word == "dollars" || word == "$") return "USD";
  return word == "EUR" || word == "HKD" || word == "JPY" || word == "KRW" || word == "TWD" ? word : "";
}

double scale_of(const std::string& letter) {
  if (letter.empty()) return 1;
  switch (letter[0]) {
    case 'k':
    case 'K':
      return 1e3;
    case 'm':
    case 'M':
      return 1e6;
    default:
      return 1e9;
  }
}

std::optional<TokenClass> class_of(const std::string& word) {
  if (word == "input") return TokenClass::kInput;
  if (word == "output") return TokenClass::kOutput;
  if (word == "cached" || word == "cached input") return TokenClass::kCached;
  if (word == "blended") return TokenClass::kBlended;
  return std::nullopt;
}

}  // namespace

std::string Target::text() const {
  std::string count = trimmed(per);
  if (per >= 1e6 && std::fmod(per, 1e6) == 0) {
    count = trimmed(per / 1e6) + "M";
  } else if (per >= 1e3 && std::fmod(per, 1e3) == 0) {
    count = trimmed(per / 1e3) + "K";
  }
  if (clips) return trimmed(value) + " " + currency + "/clip";
  return trimmed(value) + " " + currency + "/" + count + " " +
         (token_class ? std::string(token_class_name(*token_class)) + " " : "") + "tokens";
}

Result<Target> parse_target(const std::string& text, const std::string& where) {
  static const std::regex kMoney(
      "\\s*([¥$元]|[^-+0-9 .]{1,3})?\\s*(-?[0-9]+(?:\\.[0-9]+)?)\\s*([^0-9/ .]*)\\s*/\\s*(.*)");
  static const std::regex kTokens(
      "([0-9]+(?:\\.[0-9]+)?)?\\s*([kKmMbB])?\\s*(cached input|cached|input|output|blended)?\\s*tokens?");
  static const std::regex kClips("(clip|video)s?");
  const auto refuse = [&](const std::string& found) {
    return bad_input(where + ": expected " + kShape + "; found " + found);
  };
  std::smatch money, unit;
  if (!std::regex_match(text, money, kMoney)) {
    return refuse("\"" + text + "\", which names no currency or no count of tokens");
  }
  Target target;
  const std::string word = money[3].length() > 0 ? money[3].str() : money[1].str();
  target.currency = currency_of(word);
  if (target.currency.empty()) return refuse(word.empty() ? "no currency" : "the currency \"" + word + "\"");
  target.value = std::strtod(money[2].str().c_str(), nullptr);
  if (!(target.value > 0 && target.value < 1e9))
    return refuse("the amount " + money[2].str() + ", which must be over 0 and under 1e9");
  const std::string rest = money[4];
  if (std::regex_match(rest, unit, kClips)) {
    target.clips = true;
    target.per = 1;
    return target;
  }
  if (!std::regex_match(rest, unit, kTokens)) return refuse("\"" + rest + "\" as the unit");
  const double count = unit[1].length() > 0 ? std::strtod(unit[1].str().c_str(), nullptr) : 1;
  target.per = count * scale_of(unit[2]);
  if (!(target.per >= 1 && target.per <= 1e12)) return refuse("a count of " + rest);
  target.token_class = class_of(unit[3]);
  return target;
}

}  // namespace assay
