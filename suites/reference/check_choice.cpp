// Is a choice right? Rounding may decide between candidates that lie closer than the op's limit; nothing else may.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "suites/reference/check_verdict.h"
#include "suites/reference/row_access.h"

namespace assay::reference {
namespace {

constexpr uint64_t kChosenStream = 3, kKeyStream = 4;
constexpr uint64_t kPiece = uint64_t{1} << 20;

void check_argmax(const OpContext& c, const Source& actual, uint64_t row, Verdict* verdict) {
  const uint64_t length = last_dim(input(c, 0));
  double largest = -std::numeric_limits<double>::infinity(), best = 0;
  for (uint64_t first = 0; first < length; first += kPiece) {  // a row may be gigabytes
    const std::vector<double> x = fetch(actual, c.op.in[0], row * length + first, std::min(kPiece, length - first));
    const auto at = std::max_element(x.begin(), x.end());
    if (first > 0 && *at <= largest) continue;
    largest = *at;
    best = static_cast<double>(first) + static_cast<double>(at - x.begin());
  }
  double index = 0, there = 0;
  actual(c.op.out[0], row, 1, &index);
  verdict->count(1);
  const bool inside = index >= 0 && index < static_cast<double>(length);
  if (inside) actual(c.op.in[0], row * length + static_cast<uint64_t>(index), 1, &there);
  if (!inside || !(there >= largest - verdict->limit() * std::abs(largest))) {
    verdict->fail(place("output", row, 0), best, index);
  }
}

// The first `count` entries of an index row as different numbers below `bound`; nothing where they are not that.
std::vector<uint64_t> listed(const std::vector<double>& index, uint64_t row, uint64_t count, uint64_t bound,
                             const char* what, Verdict* verdict) {
  std::vector<uint64_t> out;
  std::set<double> seen;
  for (uint64_t j = 0; j < count; ++j) {
    const bool inside = index[j] >= 0 && index[j] < static_cast<double>(bound) && index[j] == std::floor(index[j]);
    if (!inside || !seen.insert(index[j]).second) {
      verdict->fail(place("index", row, j),
                    std::string(what) + " below " + std::to_string(bound) + " not listed before", number(index[j]));
      return {};
    }
    out.push_back(static_cast<uint64_t>(index[j]));
  }
  return out;
}

class RouterCheck {
 public:
  RouterCheck(const RouterRow& row, uint64_t number, Verdict* verdict)
      : r_(row), number_(number), verdict_(verdict), size_(row.selection.size() / row.groups) {}

  void run(const std::vector<uint64_t>& chosen) {
    std::vector<bool> open(r_.groups, false), taken(r_.selection.size(), false);
    for (const uint64_t e : chosen) {
      open[e / size_] = true;
      taken[e] = true;
    }
    if (r_.groups > 1) check_groups(&open);
    for (size_t j = 0; j + 1 < chosen.size(); ++j) {
      if (larger(r_.selection[chosen[j + 1]], r_.selection[chosen[j]])) {
        verdict_->fail(place("index", number_, j), "experts by descending value", expert(chosen[j]));
      }
    }
    const uint64_t last = *std::min_element(chosen.begin(), chosen.end(),
                                            [&](uint64_t a, uint64_t b) { return r_.selection[a] < r_.selection[b]; });
    for (uint64_t e = 0; e < taken.size(); ++e) {
      if (!taken[e] && open[e / size_] && larger(r_.selection[e], r_.selection[last])) {
        verdict_->fail("index[" + std::to_string(number_) + "]", expert(e) + " among the chosen", expert(last));
        return;
      }
    }
  }

 private:
  bool larger(double a, double b) const { return a > b + verdict_->limit() * std::max(std::abs(a), std::abs(b)); }
  std::string expert(uint64_t e) const { return "expert " + std::to_string(e) + " (" + number(r_.selection[e]) + ")"; }

  // The groups used are among the largest; those that are so beyond doubt are open whether used or not.
  void check_groups(std::vector<bool>* open) {
    std::vector<double> sorted = r_.group_value;
    std::sort(sorted.rbegin(), sorted.rend());
    const double least = sorted[r_.top_groups - 1];
    const double next = r_.top_groups < r_.groups ? sorted[r_.top_groups] : -HUGE_VAL;
    const auto used = static_cast<uint64_t>(std::count(open->begin(), open->end(), true));
    if (used > r_.top_groups) {
      verdict_->fail("index[" + std::to_string(number_) + "]",
                     "experts of " + std::to_string(r_.top_groups) + " groups", "experts of " + std::to_string(used));
    }
    for (uint64_t g = 0; g < r_.groups; ++g) {
      if ((*open)[g] && larger(least, r_.group_value[g])) {
        verdict_->fail("index[" + std::to_string(number_) + "]", "a group of at least " + number(least),
                       "group " + std::to_string(g) + " (" + number(r_.group_value[g]) + ")");
      }
      if (next == -HUGE_VAL || larger(r_.group_value[g], next)) (*open)[g] = true;
    }
  }

  const RouterRow& r_;
  uint64_t number_;
  Verdict* verdict_;
  uint64_t size_;
};

void check_router(const OpContext& c, const Source& actual, uint64_t row, Verdict* verdict) {
  const uint64_t k = row_length(c);
  const RouterRow router(c, actual, row);
  const std::vector<uint64_t> chosen =
      listed(fetch(actual, c.op.out[0], row * k, k), row, k, router.selection.size(), "an expert", verdict);
  verdict->count(k);
  if (chosen.empty()) return;
  RouterCheck(router, row, verdict).run(chosen);
  std::vector<uint64_t> columns(k);
  for (uint64_t j = 0; j < k; ++j) columns[j] = j;
  verdict->compare("weight", row, columns, router.weights(chosen), fetch(actual, c.op.out[1], row * k, k));
}

class IndexCheck {
 public:
  IndexCheck(const IndexRow& row, uint64_t number, Verdict* verdict) : r_(row), number_(number), verdict_(verdict) {}

  // `chosen` by descending score; scores of at most `affordable` keys are looked at.
  void run(const std::vector<uint64_t>& chosen, uint64_t affordable, uint64_t seed) {
    const auto keys = static_cast<uint64_t>(r_.keys);
    const bool all = keys <= affordable;
    uint64_t last = chosen.front(), before = chosen.front();
    for (const uint64_t j : sample(chosen.size(), all ? chosen.size() : affordable / 2, seed, kChosenStream)) {
      if (larger(chosen[j], before))
        verdict_->fail(place("index", number_, j), "keys by descending score", key(before));
      before = chosen[j];
      if (score(chosen[j]).value < score(last).value) last = chosen[j];
    }
    const std::set<uint64_t> taken(chosen.begin(), chosen.end());
    for (const uint64_t j : sample(keys, all ? keys : affordable / 2, seed, kKeyStream)) {
      if (taken.contains(j) || !larger(j, last)) continue;
      verdict_->fail("index[" + std::to_string(number_) + "]", key(j) + " among the chosen", key(last));
      return;
    }
  }

 private:
  const IndexRow::Score& score(uint64_t key) {
    const auto known = scores_.find(key);
    return known != scores_.end() ? known->second : scores_[key] = r_.score(static_cast<int64_t>(key));
  }
  bool larger(uint64_t a, uint64_t b) {
    const IndexRow::Score x = score(a), y = score(b);
    return x.value > y.value + verdict_->limit() * std::max(x.size, y.size);
  }
  std::string key(uint64_t j) { return "key " + std::to_string(j) + " (" + number(score(j).value) + ")"; }

  const IndexRow& r_;
  uint64_t number_;
  Verdict* verdict_;
  std::map<uint64_t, IndexRow::Score> scores_;
};

void check_index(const OpContext& c, const Source& actual, uint64_t row, uint64_t seed, double budget,
                 Verdict* verdict) {
  const uint64_t n = row_length(c);
  const IndexRow index(c, actual, row);
  const auto keys = static_cast<uint64_t>(index.keys);
  const std::vector<double> found = fetch(actual, c.op.out[0], row * n, n);
  verdict->count(n);
  for (uint64_t j = keys; j < n; ++j) {
    if (found[j] != -1) return verdict->fail(place("index", row, j), "-1", number(found[j]));
  }
  const std::vector<uint64_t> chosen = listed(found, row, std::min(n, keys), keys, "a key", verdict);
  if (chosen.empty()) return;
  const double per_key = attr(c, ASSAY_INDEX_TOPK_HEADS) * attr(c, ASSAY_INDEX_TOPK_DIM);
  const auto affordable = static_cast<uint64_t>(std::clamp(budget / per_key, 32.0, 1e9));
  IndexCheck(index, row, verdict).run(chosen, affordable, seed);
}

}  // namespace

bool is_choice(uint32_t kind) {
  return kind == ASSAY_OP_ARGMAX || kind == ASSAY_OP_ROUTER_TOPK || kind == ASSAY_OP_INDEX_TOPK;
}

void check_choice(const OpContext& c, const Source& actual, uint64_t row, uint64_t seed, double budget,
                  Verdict* verdict) {
  if (c.op.kind == ASSAY_OP_ARGMAX) return check_argmax(c, actual, row, verdict);
  if (c.op.kind == ASSAY_OP_ROUTER_TOPK) return check_router(c, actual, row, verdict);
  check_index(c, actual, row, seed, budget, verdict);
}

void check_dispatch_order(const OpContext& c, const Source& actual, Verdict* verdict) {
  const uint64_t pairs = row_count(c), choices = last_dim(input(c, 1));
  const Dispatch order(c, actual, pairs);
  const std::vector<double> offsets = fetch(actual, c.op.out[1], 0, order.offsets.size());
  const std::vector<double> places = fetch(actual, c.op.out[2], 0, pairs);
  verdict->count(offsets.size() + places.size());
  for (uint64_t e = 0; e < offsets.size(); ++e) {
    if (offsets[e] != order.offsets[e]) {
      return verdict->fail("offsets[" + std::to_string(e) + "]", number(order.offsets[e]), number(offsets[e]));
    }
  }
  for (uint64_t pair = 0; pair < pairs; ++pair) {
    if (places[pair] != order.place[pair]) {
      return verdict->fail(place("place", pair / choices, pair % choices), number(order.place[pair]),
                           number(places[pair]));
    }
  }
}

}  // namespace assay::reference
