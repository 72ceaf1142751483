#include "suites/base/routing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <numeric>
#include <set>

#include "suites/base/rng.h"
#include "suites/routing_trace.h"

namespace assay {
namespace {

Routing routing(const std::string& text, uint64_t seed = 1) {
  Result<Routing> r = parse_routing(text);
  EXPECT_TRUE(r.ok()) << text;
  r->seed = seed;
  return *r;
}

double mean_active(const Routing& r, const RouterChoice& choice, int64_t rows, int64_t draws) {
  double sum = 0;
  for (int64_t layer = 0; layer < draws; ++layer) {
    sum += static_cast<double>(RoutingPlan(r, choice, layer).active(rows));
  }
  return sum / static_cast<double>(draws);
}

// Facts: expected distinct experts E[D], closed form, for batches of 1, 4, 16, 32, 64, 128, 256 and 512 rows.
struct Expectation {
  int64_t experts, top_k;
  const char* routing;
  std::vector<double> distinct;
};
const std::vector<Expectation>& table() {
  static const std::vector<Expectation> kTable = {
      {256, 8, "uniform", {8, 30.5, 102, 163, 222, 252, 256, 256}},
      {256, 8, "zipf:0.8", {8, 27.4, 80, 125, 177, 224, 249, 256}},
      {256, 8, "zipf:1.2", {8, 22.7, 58, 89, 129, 175, 218, 246}},
      {384, 8, "uniform", {8, 31, 110, 188, 284, 358, 382, 384}},
      {384, 8, "zipf:1", {8, 26, 74, 118, 179, 252, 322, 367}},
      {384, 6, "uniform", {6, 23, 86, 152, 244, 333, 377, 384}},
      {384, 6, "zipf:1", {6, 20, 59, 95, 149, 217, 291, 350}},
      {128, 8, "uniform", {8, 29, 82, 112, 126, 128, 128, 128}},
      {128, 8, "zipf:1", {8, 24, 58, 82, 106, 122, 127, 128}},
  };
  return kTable;
}
constexpr int64_t kRows[] = {1, 4, 16, 32, 64, 128, 256, 512};

// One unit of the table's last digit.
TEST(Routing, ExpectedExpertsAreTheTables) {
  for (const Expectation& e : table()) {
    const RoutingPlan plan(routing(e.routing), {e.experts, e.top_k, 1, 1}, 0);
    const std::vector<double> inclusion = inclusion_probabilities(plan);
    EXPECT_NEAR(std::accumulate(inclusion.begin(), inclusion.end(), 0.0), static_cast<double>(e.top_k), 1e-9);
    for (size_t i = 0; i < std::size(kRows); ++i) {
      const double wanted = e.distinct[i], slack = wanted == std::floor(wanted) ? 1 : 0.1;
      EXPECT_NEAR(expected_active(inclusion, static_cast<double>(kRows[i])), wanted, slack)
          << e.experts << "/" << e.top_k << " " << e.routing << " " << kRows[i] << " rows";
    }
  }
}

TEST(Routing, UniformClosedFormByHand) {  // 256 (1 - (1 - 8/256)^64) = 222.44
  const RoutingPlan plan(routing("uniform"), {256, 8, 1, 1}, 0);
  EXPECT_NEAR(expected_active(inclusion_probabilities(plan), 64), 222.44, 0.01);
}

// The draw without replacement is not independent clocks cut at a fixed time: it differs from the closed form by a few
// parts in a hundred where few hot experts are in nearly every row.
TEST(Routing, DrawnExpertsAreThoseExpected) {
  for (const Expectation& e : table()) {
    for (size_t i = 0; i < std::size(kRows); ++i) {
      const double drawn = mean_active(routing(e.routing), {e.experts, e.top_k, 1, 1}, kRows[i], 24);
      const double tolerance = std::string(e.routing) == "uniform" ? 0.02 : 0.04;
      EXPECT_NEAR(drawn, e.distinct[i], tolerance * e.distinct[i] + 0.5)
          << e.experts << " " << e.routing << " " << kRows[i];
    }
  }
}

TEST(Routing, RowsHoldKDifferentExpertsAndRepeat) {
  for (const char* text : {"uniform", "zipf:0.6", "zipf:1.8", "log-normal:1", "k-hot", "k-hot:24"}) {
    for (const RouterChoice& choice :
         {RouterChoice{256, 8, 8, 4}, RouterChoice{128, 4, 1, 1}, RouterChoice{16, 16, 1, 1}}) {
      const RoutingPlan plan(routing(text), choice, 3), again(routing(text), choice, 3);
      std::vector<int32_t> chosen, same;
      for (uint64_t row = 0; row < 200; ++row) {
        plan.row(row, &chosen);
        again.row(row, &same);
        EXPECT_EQ(chosen, same);
        const std::set<int32_t> different(chosen.begin(), chosen.end());
        ASSERT_EQ(different.size(), static_cast<size_t>(choice.top_k)) << text;
        EXPECT_GE(*different.begin(), 0);
        EXPECT_LT(*different.rbegin(), choice.experts);
        std::set<int64_t> groups;
        for (const int32_t e : chosen) groups.insert(e / (choice.experts / choice.groups));
        EXPECT_LE(groups.size(), static_cast<size_t>(choice.top_groups)) << text;
      }
    }
  }
}

TEST(Routing, SeedAndLayerPlaceTheHotExperts) {
  const RouterChoice choice{128, 8, 1, 1};
  const auto loads = [&](uint64_t seed, int64_t layer) {
    return RoutingPlan(routing("zipf:1.8", seed), choice, layer).loads(256);
  };
  EXPECT_EQ(loads(1, 0), loads(1, 0));
  EXPECT_NE(loads(1, 0), loads(2, 0));
  EXPECT_NE(loads(1, 0), loads(1, 1));
  for (const int64_t layer : {0, 1, 2}) {
    const std::vector<int64_t> n = loads(1, layer);
    EXPECT_EQ(std::accumulate(n.begin(), n.end(), int64_t{0}), 256 * 8);
  }
}

TEST(Routing, KHotUsesKExperts) {
  EXPECT_EQ(RoutingPlan(routing("k-hot"), {256, 8, 1, 1}, 0).active(512), 8);
  EXPECT_EQ(RoutingPlan(routing("k-hot"), {256, 8, 8, 4}, 0).active(512), 8);
  EXPECT_EQ(RoutingPlan(routing("k-hot:16"), {256, 8, 1, 1}, 0).active(512), 16);
  const RoutingPlan plan(routing("k-hot:16"), {256, 8, 1, 1}, 0);
  EXPECT_NEAR(expected_active(inclusion_probabilities(plan), 2), 16 * (1 - 0.25), 1e-9);  // each row half of 16
}

// Where groups bind, symmetry still gives k/E to every expert of uniform routing.
TEST(Routing, GroupLimitedUniformKeepsItsExpectation) {
  const RouterChoice choice{256, 8, 8, 4};
  const RoutingPlan plan(routing("uniform"), choice, 0);
  EXPECT_NEAR(expected_active(inclusion_probabilities(plan), 64), 222.44, 1.5);
  EXPECT_NEAR(mean_active(routing("uniform"), choice, 64, 32), 222.44, 2.5);
}

TEST(Routing, ThePlanTensorHoldsTheRow) {
  Tensor t{"plan", ASSAY_F32, ASSAY_ROLE_INPUT, {5, 32}, -1, 0, {}};
  t.fill.kind = Fill::Kind::kRouting;
  t.fill.mean = kPlannedScore;
  t.fill.routing = routing_plan(routing("zipf:1.01"), {32, 3, 1, 1}, 2);
  std::vector<float> whole(160), part(40);
  fill_elements(t, 9, 77, 0, 160, whole.data());
  fill_elements(t, 4, 1, 50, 40, part.data());  // neither the run's seed nor the tensor's place matters
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + 50, sizeof(float) * 40), 0);
  for (uint64_t row = 0; row < 5; ++row) {
    std::vector<int32_t> chosen;
    t.fill.routing->row(row, &chosen);
    std::set<int32_t> planned;
    for (int32_t e = 0; e < 32; ++e) {
      if (whole[row * 32 + static_cast<uint64_t>(e)] != 0) planned.insert(e);
    }
    EXPECT_EQ(planned, (std::set<int32_t>(chosen.begin(), chosen.end())));
  }
}

TEST(Routing, TextsAreChecked) {
  for (const char* text : {"uniform", "zipf:0.6", "log-normal:1.5", "k-hot", "k-hot:16"}) {
    EXPECT_EQ(routing_text(routing(text)), text);
  }
  for (const char* text :
       {"zip:1", "zipf", "zipf:", "zipf:-1", "zipf:x", "uniform:1", "k-hot:1.5", "trace", "zipf:nan", ""}) {
    const Result<Routing> r = parse_routing(text);
    ASSERT_FALSE(r.ok()) << text;
    EXPECT_EQ(r.error().kind, ErrorKind::kBadInput);
  }
}

TEST(RoutingTrace, WrittenReadAndReplayed) {
  ModelShape m;
  m.name = "small";
  m.moe.experts = 16;
  m.moe.top_k = 2;
  m.moe.dense_layers = 1;
  const RoutingTrace drawn = draw_routing_trace(m, routing("zipf:1.2", 7), 2, 5);
  std::string hash, other;
  const Result<RoutingTrace> read = parse_routing_trace(routing_trace_to_json(drawn), "t.json", &hash);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->layers, drawn.layers);
  Routing replay;
  replay.kind = Routing::Kind::kTrace;
  replay.trace = std::make_shared<const RoutingTrace>(*read);
  const RoutingPlan plan(replay, {16, 2, 1, 1}, 1);  // the layer's second list, then its rows again from the first
  std::vector<int32_t> chosen, wrapped;
  plan.row(2, &chosen);
  plan.row(7, &wrapped);
  EXPECT_EQ(chosen, wrapped);
  EXPECT_EQ(chosen, std::vector<int32_t>(drawn.layers[1].begin() + 4, drawn.layers[1].begin() + 6));
}

TEST(RoutingTrace, FaultsAreNamed) {
  const std::string good =
      R"({"routing_trace_version": 1, "model": "m", "source": "s", "experts": 4, "top_k": 2, "layers": [[[0, 1]]]})";
  const auto fault = [&](const std::string& from, const std::string& to) {
    std::string text = good, hash;
    text.replace(text.find(from), from.size(), to);
    const Result<RoutingTrace> trace = parse_routing_trace(text, "t.json", &hash);
    return trace.ok() ? "" : trace.error().message;
  };
  EXPECT_EQ(fault("\"m\"", "\"n\""), "");
  EXPECT_NE(fault("[0, 1]", "[1, 1]").find("layers[0][0][1]: expected an expert that the row has not named yet"),
            std::string::npos);
  EXPECT_NE(fault("[0, 1]", "[0, 4]").find("layers[0][0][1]: expected an integer from 0 to 3, found 4"),
            std::string::npos);
  EXPECT_NE(fault("[0, 1]", "[0]").find("layers[0][0]"), std::string::npos);
  EXPECT_NE(fault("\"top_k\": 2", "\"top_k\": 5").find("top_k: expected at most experts, found 5"), std::string::npos);
}

// A suite whose block has the axis `routing`.
std::string routed_suite(const std::string& model, const std::string& routing) {
  const std::string cases = R"({"cases": [{"kind": "decode", "models": [")" + model +
                            R"("], "dtypes": ["bf16"], "batch": [4], "context": [16], "routing_seed": 3, "routing": )" +
                            routing + "}]}";
  return R"({"name": "mine", "version": 1, "title": "t", "question": "q", "quick": )" + cases + R"(, "full": )" +
         cases + "}";
}

Result<Suite> parsed(const std::string& model, const std::string& routing) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  return parse_suite(routed_suite(model, routing), std::string(ASSAY_SOURCE_DIR) + "/suites/defs/mine.json",
                     catalogue.models());
}

TEST(RoutingAxis, EachRoutingIsACase) {
  const Result<Suite> suite =
      parsed("qwen3-30b-a3b", R"(["uniform", "zipf:1.2", "trace:../traces/qwen3-30b-a3b-zipf-1.2.json"])");
  ASSERT_TRUE(suite.ok()) << suite.error().message;
  ASSERT_EQ(suite->quick_cases.size(), 3u);
  EXPECT_EQ(suite->quick_cases[1].id(), "mine/decode/qwen3-30b-a3b/bf16/b4/c16/zipf-1.2-seed3");
  const Case& replayed = suite->quick_cases[2];
  EXPECT_EQ(replayed.id(), "mine/decode/qwen3-30b-a3b/bf16/b4/c16/trace-" + replayed.routing.hash.substr(0, 8));
  // What the worker gets names the file; lowering reads it again and holds it against the hash.
  Result<Case> sent = case_from_json(replayed.to_json(), "job");
  ASSERT_TRUE(sent.ok()) << sent.error().message;
  EXPECT_EQ(sent->hash(), replayed.hash());
  EXPECT_TRUE(lower(*sent, {.layers = 1}).ok());
  sent->routing.hash = std::string(32, '0');
  EXPECT_FALSE(lower(*sent, {.layers = 1}).ok());
  EXPECT_FALSE(lower(replayed, {.layers = 1, .experts = 64}).ok());  // a trace needs every expert
}

// A trace's first list is the first layer with experts, whatever dense layers lie before it: drawn and replayed, the
// same experts get the same rows. DeepSeek-V2-Lite has one dense layer.
TEST(RoutingAxis, ATraceReplaysTheDrawItWasMadeOf) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  Case c;
  c.kind = StepKind::kDecode;
  c.model = *catalogue.model("deepseek-v2-lite");
  c.batch = 5;
  c.context = 4;
  c.routing = routing("zipf:1.2", 7);
  Case replayed = c;
  replayed.routing.kind = Routing::Kind::kTrace;
  replayed.routing.hash = "drawn";
  replayed.routing.trace = std::make_shared<const RoutingTrace>(draw_routing_trace(c.model, c.routing, 2, 5));
  const auto loads = [](const Case& work) {
    std::vector<std::vector<int64_t>> out;
    const Graph graph = lower(work, {.layers = 2}).value();
    for (const Op& op : graph.ops) {
      if (op.kind == ASSAY_OP_GROUPED_MATMUL) out.push_back(op.routing->loads(op.routed_tokens));
    }
    return out;
  };
  const auto drawn = loads(c);
  ASSERT_EQ(drawn.size(), 4u);  // two products in each of two layers
  EXPECT_NE(drawn[0], drawn[2]);
  EXPECT_EQ(loads(replayed), drawn);
}

// 256 experts in 8 groups of 32, of which a token may use 4: a row of five groups is none that the router can choose.
TEST(RoutingTrace, MustBeAChoiceOfTheModelsRouter) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  const MoeShape moe = catalogue.model("deepseek-v3")->moe;
  RoutingTrace trace;
  trace.experts = 256;
  trace.top_k = 8;
  trace.layers = {{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 33, 34, 65, 66, 97, 98}};
  EXPECT_EQ(trace_fault(trace, moe), "");
  trace.layers[0][15] = 129;
  EXPECT_EQ(trace_fault(trace, moe), "layers[0][1]: expected experts of at most 4 of 8 groups, found 5");
  trace.top_k = 4;
  EXPECT_EQ(trace_fault(trace, moe), "expected a trace of 8 of 256 experts, found one of 4 of 256");
}

// The shipped example is what the command writes: the same draw, again.
TEST(RoutingAxis, TheShippedTraceIsTheDrawItNames) {
  const Catalogue catalogue = Catalogue::load(std::string(ASSAY_SOURCE_DIR) + "/suites").value();
  std::ifstream file(std::string(ASSAY_SOURCE_DIR) + "/suites/traces/qwen3-30b-a3b-zipf-1.2.json");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, routing_trace_to_json(
                      draw_routing_trace(*catalogue.model("qwen3-30b-a3b"), routing("zipf:1.2", 7), 2, 64)));
}

TEST(RoutingAxis, FaultsAreNamed) {
  EXPECT_NE(parsed("qwen3-32b", R"(["uniform"])").error().message.find("model 'qwen3-32b' has no experts to route to"),
            std::string::npos);
  EXPECT_NE(parsed("qwen3-30b-a3b", R"(["zipf"])").error().message.find("routing[0]: expected uniform, zipf:ALPHA"),
            std::string::npos);
  EXPECT_NE(parsed("qwen3-30b-a3b", R"(["trace:none.json"])").error().message.find("none.json"), std::string::npos);
  EXPECT_NE(parsed("gpt-oss-120b", R"(["trace:../traces/qwen3-30b-a3b-zipf-1.2.json"])")
                .error()
                .message.find("expected a trace of 4 of 128 experts, found one of 8 of 128"),
            std::string::npos);
}

}  // namespace
}  // namespace assay
