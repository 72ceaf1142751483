// Whether the records of a subject are of the chip and model that a claim names.
#include <cctype>
#include <cmath>
#include <cstdio>

#include "results/prices/claims.h"

namespace assay {
namespace {

// Two models are of one class of size where they differ by no more than this: 68 and 73 billion are both a "70B".
constexpr double kSizeClass = 0.1;

// In lower case, blanks as dashes, without the publisher before a slash.
std::string model_key(const std::string& name) {
  const size_t slash = name.rfind('/');
  std::string key;
  for (const char c : slash == std::string::npos ? name : name.substr(slash + 1)) {
    const auto byte = static_cast<unsigned char>(c);
    key += c == ' ' || c == '_' ? '-' : static_cast<char>(std::tolower(byte));
  }
  return key;
}

bool of_model(const std::string& claimed, const std::string& found) {
  const std::string wanted = model_key(claimed), key = model_key(found);
  return key.rfind(wanted, 0) == 0 && (key.size() == wanted.size() || key[wanted.size()] == '-');
}

std::string size_text(double params) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3gB", params / 1e9);
  return text;
}

// "H200", also where the book has no such chip: then by the name within the product's.
bool of_chip(const std::string& claimed, const std::optional<PricedChip>& known, const std::string& product,
             const PriceBook& book) {
  if (const Result<PricedChip> chip = find_chip(book, claimed); chip.ok()) return known && known->id == chip->id;
  PriceBook alone;
  alone.chips.emplace_back().id = claimed;
  return chip_of_product(alone, product).has_value();
}

std::string chip_gap(const Claim& claim, const PricedSubject& of, const PriceBook& book) {
  if (of.of_another_chip) return "its cost is of one chip's rates at the prices of another";
  if (claim.market) return "";
  if (claim.chip.empty() && claim.vendor.empty()) return "of which chip it is isn't stated";
  const std::string product = of.subject.product.empty() && of.chip ? of.chip->id : of.subject.product;
  const std::optional<PricedChip> known = chip_of_product(book, product);
  if (!claim.chip.empty())
    return of_chip(claim.chip, known, product, book) ? "" : "it needs records of the chip " + claim.chip;
  return known && model_key(known->vendor) == model_key(claim.vendor) ? ""
                                                                      : "it needs records of a chip by " + claim.vendor;
}

std::string model_gap(const Claim& claim, const CostSubject& of) {
  if (!claim.model.empty())
    return of_model(claim.model, of.model) ? "" : "it needs records of the model " + claim.model;
  if (claim.params == 0) return "of which model it is isn't stated";
  return std::abs(of.params / claim.params - 1) <= kSizeClass
             ? ""
             : "it needs records of a model of " + size_text(claim.params) + " parameters";
}

}  // namespace

std::vector<std::string> claim_gaps(const Claim& claim, const PricedSubject& of, const PriceBook& book,
                                    bool of_clip_word) {
  std::vector<std::string> gaps;
  if (std::string gap = chip_gap(claim, of, book); !gap.empty()) gaps.push_back(std::move(gap));
  if (of_clip_word) return gaps;
  if (std::string gap = model_gap(claim, of.subject); !gap.empty()) gaps.push_back(std::move(gap));
  return gaps;
}

}  // namespace assay
