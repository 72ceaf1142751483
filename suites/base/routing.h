// Which experts a token's row goes to, prescribed: a pure function of (distribution, seed, layer, row).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "suites/base/result.h"

namespace assay {

// Recorded choices: for each layer rows of top_k different experts.
struct RoutingTrace {
  std::string model, source;
  int64_t experts = 0, top_k = 0;
  std::vector<std::vector<int32_t>> layers;  // [layer][row * top_k + j]
  [[nodiscard]] int64_t rows(size_t layer) const { return static_cast<int64_t>(layers[layer].size()) / top_k; }
};

// The routing axis of a case. Expert weights w: uniform 1; zipf rank^-parameter; log-normal exp(parameter * n(0,1));
// k-hot 1 for `parameter` experts (0: top_k) and 0 for all others. A row draws top_k experts without replacement with
// odds w, by exponential clocks. Hot experts are placed by a permutation of their own in each layer.
struct Routing {
  enum class Kind { kUniform, kZipf, kLogNormal, kKHot, kTrace };
  Kind kind = Kind::kUniform;
  double parameter = 0;
  uint64_t seed = 1;
  std::string file, hash;  // of a trace: where it lies, and xxh3-128 of its canonical JSON
  std::shared_ptr<const RoutingTrace> trace;
};
// "uniform", "zipf:1.2", "log-normal:1", "k-hot", "k-hot:16", "trace:FILE"; the seed stands apart.
Result<Routing> parse_routing(const std::string& text);
std::string routing_text(const Routing& routing);

// What of a router shapes the choice.
struct RouterChoice {
  int64_t experts = 0, top_k = 0, groups = 1, top_groups = 1;
};

// What a plan's entry is where it decides: above every score (at most 1; two of them are summed for a group), above
// every logit.
inline constexpr double kPlannedScore = 4, kPlannedLogit = 32;

class RoutingPlan {
 public:
  RoutingPlan(Routing routing, RouterChoice choice, int64_t layer);
  [[nodiscard]] const RouterChoice& choice() const { return choice_; }
  // The row's experts, top_k different ones, ascending where they are drawn.
  void row(uint64_t row, std::vector<int32_t>* chosen) const;
  // Rows of each expert, of `rows` rows. Kept, so that asking again costs nothing. Safe for several threads.
  [[nodiscard]] std::vector<int64_t> loads(int64_t rows) const;
  [[nodiscard]] int64_t active(int64_t rows) const;  // experts with a row
  [[nodiscard]] const std::vector<double>& weights() const { return weights_; }

 private:
  void draw(uint64_t row, std::vector<int32_t>* chosen) const;

  Routing routing_;
  RouterChoice choice_;
  uint64_t key_ = 0;
  int64_t layer_ = 0;
  std::vector<double> weights_;  // by expert; empty for a trace
  mutable std::mutex mutex_;
  mutable std::map<int64_t, std::vector<int64_t>> loads_;
};
// One plan for equal arguments.
std::shared_ptr<const RoutingPlan> routing_plan(const Routing& routing, const RouterChoice& choice, int64_t layer);

// Chance of each expert to be among a row's top_k: 1 - exp(-l w) with l such that they sum to top_k. Closed form for
// independent clocks cut at a fixed time; exact for uniform weights. Where groups bind, which has no closed form, the
// share of many drawn rows.
std::vector<double> inclusion_probabilities(const RoutingPlan& plan);
// Expected experts with a row, of `rows` independent rows: sum of 1 - (1 - p)^rows.
double expected_active(const std::vector<double>& inclusion, double rows);

}  // namespace assay
