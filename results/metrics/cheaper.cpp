#include <algorithm>
#include <cmath>

#include "results/metrics/cost.h"
#include "results/metrics/draw.h"

namespace assay {
namespace {

using InputList = std::vector<CostInput>;

// The same figure of the same source.
bool is_same(const Estimate& x, const Estimate& y) {
  return x.low == y.low && x.typical == y.typical && x.high == y.high && x.source == y.source && x.note == y.note &&
         x.cell == y.cell;
}

bool is_of_one_rate(const Estimate& x, const Estimate& y) {
  return !x.only_rate.empty() && x.only_rate == y.only_rate && x.typical > 0;
}

bool are_shared(const CostInputs& a, const CostInputs& b, CostInput i) {
  return a.at(i) && b.at(i) && (is_same(*a.at(i), *b.at(i)) || is_of_one_rate(*a.at(i), *b.at(i)));
}

// What b's input is where the shared one of a is x.
double shared_value(const CostInputs& a, const CostInputs& b, CostInput i, double x) {
  return is_same(*a.at(i), *b.at(i)) ? x : x / a.at(i)->typical * b.at(i)->typical;
}

// InputList of which only the product, or another one figure, counts where both sides share all of them.
const std::vector<InputList>& joint_inputs() {
  static const std::vector<InputList> kJoint{{CostInput::kServerFactor, CostInput::kLifeYears, CostInput::kDiscountRate,
                                              CostInput::kSalvageShare, CostInput::kOpexShare},
                                             {CostInput::kPue, CostInput::kTariff}};
  return kJoint;
}

// The inputs that are known to a step. Over the box of their steps the difference of two costs is at its extremes in
// corners: each moves the difference in one direction while the others stay.
struct Steps {
  InputList own_a, own_b;         // each at the end that favours one side
  std::vector<InputList> shared;  // both sides' at once: each combination of ends is tried, those of one list together
};

Steps steps_of(const CostInputs& a, const CostInputs& b) {
  constexpr size_t kMostShared = 6;  // beyond that each side's own, which gives wider bounds in less time
  Steps out;
  InputList shared;
  for (const CostInput i : all_cost_inputs()) {
    const bool of_a = is_known_to_a_step(a, i), of_b = is_known_to_a_step(b, i);
    if (of_a && of_b && are_shared(a, b, i)) {
      shared.push_back(i);
      continue;
    }
    if (of_a) out.own_a.push_back(i);
    if (of_b) out.own_b.push_back(i);
  }
  const auto take = [&](const InputList& some) {
    InputList taken;
    for (const CostInput i : some) {
      const auto at = std::find(shared.begin(), shared.end(), i);
      if (at == shared.end()) continue;
      shared.erase(at);
      taken.push_back(i);
    }
    if (!taken.empty()) out.shared.push_back(taken);
  };
  for (const InputList& joint : joint_inputs()) {
    if (std::all_of(joint.begin(), joint.end(), [&](CostInput i) { return are_shared(a, b, i); })) take(joint);
  }
  while (!shared.empty()) take({shared.front()});
  for (; out.shared.size() > kMostShared; out.shared.pop_back()) {
    out.own_a.insert(out.own_a.end(), out.shared.back().begin(), out.shared.back().end());
    out.own_b.insert(out.own_b.end(), out.shared.back().begin(), out.shared.back().end());
  }
  return out;
}

void set_ends(const CostInputs& inputs, const InputList& steps, bool highest, CostPoint* p) {
  for (const CostInput i : steps) p->at(i) = cost_end(inputs, i, highest);
}

class CostPair {
 public:
  CostPair(const CostInputs& a, const CostInputs& b, TokenClass c) : a_(a), b_(b), c_(c), steps_(steps_of(a, b)) {}

  // Of one draw: whether a is the cheaper (1; 0.5 at a tie) wherever in their steps the inputs lie, and somewhere.
  [[nodiscard]] Probability of(const CostPoint& a, const CostPoint& b) const {
    if (steps_.own_a.empty() && steps_.own_b.empty() && steps_.shared.empty()) {
      const double won = score(a, b);
      return {won, won};
    }
    Probability out{1, 0};
    CostPoint pa = a, pb = b;
    for (size_t corner = 0; corner < (size_t{1} << steps_.shared.size()) && !(out.low == 0 && out.high == 1);
         ++corner) {
      for (size_t k = 0; k < steps_.shared.size(); ++k) {
        for (const CostInput i : steps_.shared[k]) {
          pa.at(i) = cost_end(a_, i, ((corner >> k) & 1U) != 0);
          pb.at(i) = shared_value(a_, b_, i, pa.at(i));
        }
      }
      for (const bool against : {true, false}) {
        set_ends(a_, steps_.own_a, against, &pa);
        set_ends(b_, steps_.own_b, !against, &pb);
        const double won = score(pa, pb);
        out.low = std::min(out.low, won);
        out.high = std::max(out.high, won);
      }
    }
    return out;
  }

 private:
  [[nodiscard]] double score(const CostPoint& a, const CostPoint& b) const {
    const double of_a = cost_per_token(a, a_, c_), of_b = cost_per_token(b, b_, c_);
    return of_a < of_b ? 1 : of_a == of_b ? 0.5 : 0;
  }

  const CostInputs &a_, &b_;
  TokenClass c_;
  Steps steps_;
};

}  // namespace

std::optional<Probability> probability_cheaper(const CostInputs& a, const CostInputs& b, TokenClass c,
                                               const CostOptions& options) {
  const CostPair pair(a, b, c);
  Draw draw(options.seed);
  Probability sum;
  for (int d = 0; d < options.draws; ++d) {
    CostPoint pa, pb;
    for (const CostInput i : all_cost_inputs()) {
      if (a.at(i)) pa.at(i) = draw.value_of(*a.at(i));
      if (!b.at(i)) continue;
      pb.at(i) = are_shared(a, b, i) ? shared_value(a, b, i, pa.at(i)) : draw.value_of(*b.at(i));
    }
    if (std::isnan(cost_per_token(pa, a, c)) || std::isnan(cost_per_token(pb, b, c))) return std::nullopt;
    const Probability of_draw = pair.of(pa, pb);
    sum.low += of_draw.low;
    sum.high += of_draw.high;
  }
  return Probability{sum.low / options.draws, sum.high / options.draws};
}

double decided_from(const CostOptions& options) { return (1 + options.confidence) / 2; }

}  // namespace assay
