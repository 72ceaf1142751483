#include "suites/base/routing.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "suites/base/mix64.h"

namespace assay {
namespace {

constexpr double kMaxParameter = 1e6;
constexpr size_t kKeptPlans = 4096;
constexpr int64_t kSampledRows = 16384;  // for inclusion probabilities where groups bind
constexpr double kCold = 1e-300;         // weight of an expert outside the hot ones: only where these don't suffice

uint64_t stream_key(uint64_t key, uint64_t stream) { return mix64(key ^ mix64(stream + 0x9e3779b97f4a7c15ull)); }

// In (0, 1].
double uniform_of(uint64_t stream, uint64_t index) {
  return (static_cast<double>(mix64(stream + index * 0xd1342543de82ef95ull) >> 11) + 1) * 0x1.0p-53;
}

double uniform(uint64_t key, uint64_t stream, uint64_t index) { return uniform_of(stream_key(key, stream), index); }

constexpr uint64_t kPermutationStream = ~uint64_t{0}, kNormalStream = kPermutationStream - 1,
                   kGroupStream = kNormalStream - 1;

// Numbers 0..n-1 in a random order.
std::vector<int64_t> permutation(uint64_t key, uint64_t stream, int64_t n) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::vector<double> keys;
  for (int64_t i = 0; i < n; ++i) keys.push_back(uniform(key, stream, static_cast<uint64_t>(i)));
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return keys[static_cast<size_t>(a)] < keys[static_cast<size_t>(b)]; });
  return order;
}

double normal(uint64_t key, uint64_t index) {
  constexpr double kTwoPi = 6.283185307179586;
  return std::sqrt(-2 * std::log(uniform(key, kNormalStream, 2 * index))) *
         std::cos(kTwoPi * uniform(key, kNormalStream, 2 * index + 1));
}

// Hot experts of k-hot: where groups bind, within as many groups as a row may use.
std::vector<int64_t> hot_experts(uint64_t key, const RouterChoice& c, int64_t hot) {
  if (c.groups == 1) {
    std::vector<int64_t> all = permutation(key, kPermutationStream, c.experts);
    all.resize(static_cast<size_t>(hot));
    return all;
  }
  const int64_t size = c.experts / c.groups;
  const std::vector<int64_t> groups = permutation(key, kGroupStream, c.groups),
                             places = permutation(key, kPermutationStream, size);
  std::vector<int64_t> out;
  for (int64_t i = 0; i < hot; ++i) {
    // Past the groups of one row the next ones are taken.
    const int64_t band = i / (c.top_groups * size), within = i % (c.top_groups * size);
    const int64_t group = std::min(band * c.top_groups + within % c.top_groups, c.groups - 1);
    out.push_back(groups[static_cast<size_t>(group)] * size + places[static_cast<size_t>(within / c.top_groups)]);
  }
  return out;
}

std::vector<double> expert_weights(const Routing& r, const RouterChoice& c, uint64_t key) {
  const auto n = static_cast<size_t>(c.experts);
  if (r.kind == Routing::Kind::kTrace) return {};
  std::vector<double> weights(n, 1);
  if (r.kind == Routing::Kind::kKHot) {
    const int64_t hot = r.parameter > 0 ? static_cast<int64_t>(r.parameter) : c.top_k;
    std::fill(weights.begin(), weights.end(), kCold);
    for (const int64_t e : hot_experts(key, c, std::clamp(hot, c.top_k, c.experts)))
      weights[static_cast<size_t>(e)] = 1;
  } else if (r.kind == Routing::Kind::kLogNormal) {
    for (size_t e = 0; e < n; ++e) weights[e] = std::exp(r.parameter * normal(key, e));
  } else if (r.kind == Routing::Kind::kZipf) {
    const std::vector<int64_t> order = permutation(key, kPermutationStream, c.experts);
    for (size_t rank = 0; rank < n; ++rank) {
      weights[static_cast<size_t>(order[rank])] = std::pow(static_cast<double>(rank + 1), -r.parameter);
    }
  }
  return weights;
}

struct Named {
  Routing::Kind kind;
  const char* name;
};
constexpr Named kNames[] = {{Routing::Kind::kUniform, "uniform"},
                            {Routing::Kind::kZipf, "zipf"},
                            {Routing::Kind::kLogNormal, "log-normal"},
                            {Routing::Kind::kKHot, "k-hot"},
                            {Routing::Kind::kTrace, "trace"}};

std::string number(double value) {
  char text[40];
  return {text, std::to_chars(text, text + sizeof(text), value).ptr};
}

Error unknown(const std::string& text, const std::string& why) {
  return {ErrorKind::kBadInput,
          "expected uniform, zipf:ALPHA, log-normal:SIGMA, k-hot, k-hot:EXPERTS or trace:FILE, found \"" + text + "\"" +
              why};
}

}  // namespace

Result<Routing> parse_routing(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon), rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  Routing out;
  const auto* named =
      std::find_if(std::begin(kNames), std::end(kNames), [&](const Named& n) { return name == n.name; });
  if (named == std::end(kNames)) return unknown(text, "");
  out.kind = named->kind;
  const bool bare = colon == std::string::npos;
  if (out.kind == Routing::Kind::kUniform)
    return bare ? Result<Routing>(out) : unknown(text, ": uniform has no parameter");
  if (out.kind == Routing::Kind::kTrace) {
    if (rest.empty()) return unknown(text, ": the file is missing");
    out.file = rest;
    return out;
  }
  if (bare && out.kind == Routing::Kind::kKHot) return out;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), out.parameter);
  const bool whole = out.kind != Routing::Kind::kKHot || out.parameter == std::floor(out.parameter);
  if (parsed.ec != std::errc() || parsed.ptr != rest.data() + rest.size() || !(out.parameter > 0) ||
      out.parameter > kMaxParameter || !whole) {
    return unknown(text, out.kind == Routing::Kind::kKHot ? ": EXPERTS is a whole number above 0"
                                                          : ": the parameter is a number above 0");
  }
  return out;
}

std::string routing_text(const Routing& r) {
  std::string text = kNames[static_cast<size_t>(r.kind)].name;
  if (r.kind == Routing::Kind::kTrace) return text + ":" + r.file;
  return r.parameter > 0 ? text + ":" + number(r.parameter) : text;
}

RoutingPlan::RoutingPlan(Routing routing, RouterChoice choice, int64_t layer)
    : routing_(std::move(routing)), choice_(choice), layer_(layer) {
  key_ = mix64(mix64(routing_.seed + 0x9e3779b97f4a7c15ull) + static_cast<uint64_t>(layer));
  weights_ = expert_weights(routing_, choice_, key_);
}

namespace {

// The router's own rule on the clocks: a group's worth is the sum of its two fastest rates, and only the best groups
// stay; the clocks of the others never ring.
void limit_groups(const RouterChoice& c, std::vector<double>* clocks) {
  const auto size = static_cast<size_t>(c.experts / c.groups);
  std::vector<std::pair<double, size_t>> worth;
  for (size_t g = 0; g < static_cast<size_t>(c.groups); ++g) {
    double fastest = 0, second = 0;
    for (size_t e = g * size; e < (g + 1) * size; ++e) {
      const double rate = 1 / std::max((*clocks)[e], 1e-300);
      second = std::max(second, std::min(fastest, rate));
      fastest = std::max(fastest, rate);
    }
    worth.emplace_back(-(fastest + second), g);
  }
  std::sort(worth.begin(), worth.end());
  for (size_t i = static_cast<size_t>(c.top_groups); i < worth.size(); ++i) {
    std::fill_n(clocks->begin() + static_cast<std::ptrdiff_t>(worth[i].second * size), size,
                std::numeric_limits<double>::infinity());
  }
}

}  // namespace

void RoutingPlan::draw(uint64_t row, std::vector<int32_t>* chosen) const {
  const auto n = static_cast<size_t>(choice_.experts), k = static_cast<size_t>(choice_.top_k);
  const uint64_t stream = stream_key(key_, row);
  std::vector<double> clocks(n);
  for (size_t e = 0; e < n; ++e) clocks[e] = -std::log(uniform_of(stream, e)) / weights_[e];
  if (choice_.top_groups < choice_.groups) limit_groups(choice_, &clocks);
  std::vector<double> order = clocks;
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(k - 1), order.end());
  const double last = order[k - 1];
  chosen->clear();
  for (size_t e = 0; e < n && chosen->size() < k; ++e) {
    if (clocks[e] <= last) chosen->push_back(static_cast<int32_t>(e));
  }
}

void RoutingPlan::row(uint64_t row, std::vector<int32_t>* chosen) const {
  if (routing_.trace == nullptr) return draw(row, chosen);
  const RoutingTrace& t = *routing_.trace;
  const size_t layer = static_cast<size_t>(layer_) % t.layers.size();
  const auto k = static_cast<size_t>(t.top_k);
  const size_t at = row % static_cast<uint64_t>(t.rows(layer)) * k;
  const auto begin = t.layers[layer].begin() + static_cast<std::ptrdiff_t>(at);
  chosen->assign(begin, begin + static_cast<std::ptrdiff_t>(k));
}

std::vector<int64_t> RoutingPlan::loads(int64_t rows) const {
  const std::lock_guard lock(mutex_);
  const auto found = loads_.find(rows);
  if (found != loads_.end()) return found->second;
  std::vector<int64_t> counts(static_cast<size_t>(choice_.experts), 0);
  std::vector<int32_t> chosen;
  for (int64_t r = 0; r < rows; ++r) {
    row(static_cast<uint64_t>(r), &chosen);
    for (const int32_t e : chosen) ++counts[static_cast<size_t>(e)];
  }
  return loads_[rows] = counts;
}

int64_t RoutingPlan::active(int64_t rows) const {
  const std::vector<int64_t> counts = loads(rows);
  return std::count_if(counts.begin(), counts.end(), [](int64_t n) { return n > 0; });
}

std::shared_ptr<const RoutingPlan> routing_plan(const Routing& routing, const RouterChoice& c, int64_t layer) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const RoutingPlan>> plans;
  std::string name = routing_text(routing) + "|" + routing.hash;
  for (const int64_t part : {static_cast<int64_t>(routing.seed), c.experts, c.top_k, c.groups, c.top_groups, layer}) {
    name += "|" + std::to_string(part);
  }
  const std::lock_guard lock(mutex);
  if (plans.size() > kKeptPlans) plans.clear();
  std::shared_ptr<const RoutingPlan>& kept = plans[name];
  if (kept == nullptr) kept = std::make_shared<RoutingPlan>(routing, c, layer);
  return kept;
}

std::vector<double> inclusion_probabilities(const RoutingPlan& plan) {
  const RouterChoice& c = plan.choice();
  std::vector<double> out;
  if (c.top_groups < c.groups) {
    for (const int64_t load : plan.loads(kSampledRows)) out.push_back(static_cast<double>(load) / kSampledRows);
    return out;
  }
  const std::vector<double>& w = plan.weights();
  const double largest = *std::max_element(w.begin(), w.end());
  const auto at = [&](double l) {
    double sum = 0;
    for (const double x : w) sum += -std::expm1(-l * x / largest);
    return sum;
  };
  const auto k = static_cast<double>(c.top_k);
  const auto hot = std::count_if(w.begin(), w.end(), [](double x) { return x > kCold; });
  double low = 0, high = 1;
  while (hot > c.top_k && at(high) < k) high *= 2;
  for (int i = 0; i < 200 && hot > c.top_k; ++i) (at((low + high) / 2) < k ? low : high) = (low + high) / 2;
  for (const double x : w) out.push_back(hot > c.top_k ? -std::expm1(-high * x / largest) : (x > kCold ? 1.0 : 0.0));
  return out;
}

double expected_active(const std::vector<double>& inclusion, double rows) {
  double sum = 0;
  for (const double p : inclusion) sum += 1 - std::pow(1 - p, rows);
  return sum;
}

}  // namespace assay
