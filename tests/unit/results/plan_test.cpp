#include "results/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "results/plan/queueing.h"
#include "results/record.h"

namespace assay {
namespace {

using testing::HasSubstr;

PlanUnit unit(const std::string& name, double cost) {
  PlanUnit u;
  u.name = name;
  u.basis = "measured";
  u.cost_per_hour = exact_estimate(cost, "reported", "test");
  u.kv_bytes_per_token = 1e5;
  return u;
}
void prefill(PlanUnit* u, double tokens, double rate) { u->prefill.push_back({tokens, rate, rate, rate}); }
void decode(PlanUnit* u, double batch, double context, double ms) { u->decode.push_back({batch, context, ms, ms, ms}); }

// M/M/1 at load 0.8, service 1 s: the mean wait is 0.8/0.2 = 4 s; P(W > t) = 0.8 e^(-0.2 t), so 99 % wait at most
// ln(80)/0.2 = 21.91 s. M/D/1 waits half as long: rho s/(2 (1 - rho)) = 2 s.
TEST(Queueing, ClosedForms) {
  EXPECT_NEAR(mg1_mean_wait(0.8, 1, 1), 4, 1e-12);
  EXPECT_NEAR(mg1_mean_wait(0.8, 1, 0), 2, 1e-12);
  EXPECT_NEAR(mg1_wait_quantile(0.8, 1, 1, 0.99), std::log(80) / 0.2, 1e-9);
  EXPECT_EQ(mg1_wait_quantile(0.005, 1, 1, 0.99), 0) << "more than 99 % don't wait";
  // Poisson of mean 100: P(N <= 124) = 0.9907, P(N <= 123) = 0.9878 (tables).
  EXPECT_NEAR(slots_for_poisson(100, 0.99), 124, 0.5);
}

// DeepSeek's day 6: 608 G tokens in at 73.7k a node and second, 168 G out at 14.8k: 95.5 + 131.4 = 226.86 nodes; at 8 x
// 2 USD an hour 87,116 USD a day, 226.75 and 87,072 published.
TEST(Plan, DeepSeekDaySix) {
  PlanRequest r;
  PlanUnit node = unit("node", 16);
  prefill(&node, 4000, 73700);
  decode(&node, 1000, 8000, 1000 / 14.8);
  r.units = {node};
  r.traffic.prompt_tokens = 4000;
  r.traffic.requests_per_s = 608e9 / 86400 / 4000;
  r.traffic.output_tokens = 168.0 / 608 * 4000;
  for (const Plan& p : plans(r)) {
    ASSERT_EQ(p.problem, "");
    EXPECT_NEAR(p.prefill_flow, 95.5, 0.05);
    EXPECT_NEAR(p.decode_flow, 131.4, 0.05);
    EXPECT_NEAR(p.prefill_flow + p.decode_flow, 226.86, 0.005);
    EXPECT_NEAR(p.flow_cost_per_hour * 24, 87116, 1);
    EXPECT_NEAR(p.flow_cost_per_hour * 24 / 87072, 1, 0.001);
    EXPECT_EQ(p.prefill_units + p.decode_units, p.split ? 96 + 132 : 227);
  }
}

TEST(Plan, CurvesAreLinearAndNeverBeyondTheLastPoint) {
  PlanUnit u = unit("u", 1);
  prefill(&u, 1000, 8000);
  prefill(&u, 3000, 6000);
  EXPECT_DOUBLE_EQ(*prefill_rate(u, 2000), 7000);
  EXPECT_DOUBLE_EQ(*prefill_rate(u, 10), 8000);
  EXPECT_FALSE(prefill_rate(u, 3001));
  decode(&u, 1, 1000, 10);
  decode(&u, 9, 1000, 50);
  decode(&u, 1, 3000, 20);
  decode(&u, 9, 3000, 100);
  EXPECT_DOUBLE_EQ(*decode_step_ms(u, 1, 2000), 15);
  EXPECT_DOUBLE_EQ(*decode_step_ms(u, 5, 1000), 30);
  EXPECT_DOUBLE_EQ(*decode_batch(u, 1000, 30), 5);
  EXPECT_DOUBLE_EQ(*decode_batch(u, 1000, std::nullopt), 9);
  EXPECT_FALSE(decode_batch(u, 1000, 9));
  EXPECT_FALSE(decode_batch(u, 3001, 1000));
}

// A fast prefill at a high price and a cheap decoder: prefill 10 requests/s x 0.1 s = 1 unit of A or 4 of B; decode
// 10 x 100 x 20 ms / 10 = 2 units of B, or 10 x 100 x 10 ms / 10 = 1 of A at ten times the price.
PlanRequest mixed() {
  PlanRequest r;
  PlanUnit a = unit("A", 10), b = unit("B", 1);
  prefill(&a, 1000, 10000);
  prefill(&b, 1000, 2500);
  decode(&a, 10, 2000, 10);
  decode(&b, 10, 2000, 20);
  r.units = {a, b};
  r.traffic = {10, 1000, 100, 0, false, 0};
  return r;
}

TEST(Plan, CheapestFirst) {
  const std::vector<Plan> found = plans(mixed());
  ASSERT_EQ(found.size(), 6U) << "four pairs and two kinds alone";
  EXPECT_EQ(found[0].prefill, "B");
  EXPECT_DOUBLE_EQ(found[0].cost_per_hour, 6) << "4 + 2 units of B";
  EXPECT_DOUBLE_EQ(found[0].per_1m_tokens, 6 / (3600.0 * 10 * 1100) * 1e6);
  for (size_t i = 1; i < found.size(); ++i) EXPECT_GE(found[i].cost_per_hour, found[i - 1].cost_per_hour);
}

// TTFT of 300 ms: B's prefill alone takes 400 ms, so A must prefill. 1000 tokens out are 10 units of A or 20 of B, a
// tenth of the price each: the mixed pair is the cheapest.
TEST(Plan, AMixedPairWhereTheLimitsAskForIt) {
  PlanRequest r = mixed();
  r.traffic.output_tokens = 1000;
  r.limits.ttft_ms = 300;
  for (PlanUnit& u : r.units) u.link_bytes_per_s = 1e15;  // 100 MB in 100 ns
  const std::vector<Plan> found = plans(r);
  EXPECT_EQ(found[0].prefill, "A");
  EXPECT_EQ(found[0].decode, "B");
  EXPECT_TRUE(found[0].split);
  EXPECT_LE(found[0].ttft_ms, 300);
  EXPECT_GT(found[0].prefill_units, 1) << "at a load of 1 the queue would grow without end";
  EXPECT_THAT(found.back().problem, HasSubstr("300 ms"));
  // One unit less would not keep it: M/D/1 wait at 99 %, by hand for n units.
  const double n = found[0].prefill_units - 1;
  EXPECT_TRUE(n <= 1 || 1000 * (mg1_wait_quantile(1 / n, 0.1, 0, 0.99) + 0.1) > 300);
}

// 1000 tokens x 100 kB over 1 GB/s: 100 ms, half of it hidden at an overlap of 0.5; the flow of 10 x 100 MB fills a
// link of 1 GB/s, so that prefill and decode need a unit each for it.
TEST(Plan, KvTransferTakesTimeAndLinks) {
  PlanRequest r = mixed();
  for (PlanUnit& u : r.units) u.link_bytes_per_s = 1e9;
  r.limits.ttft_ms = 1000;
  const auto of = [&](const PlanRequest& request) {
    for (const Plan& p : plans(request)) {
      if (p.split && p.prefill == "A" && p.decode == "B") return p;
    }
    return Plan{};
  };
  const Plan whole = of(r);
  EXPECT_DOUBLE_EQ(whole.transfer_ms, 100);
  r.kv_overlap = 0.5;
  EXPECT_NEAR(whole.ttft_ms - of(r).ttft_ms, 50, 1e-9);
  r.kv_overlap = 0;
  r.units[0].link_bytes_per_s = 1e8;
  const Plan slow = of(r);
  EXPECT_DOUBLE_EQ(slow.transfer_ms, 1000);
  EXPECT_NE(slow.problem, "") << "transfer and prefill together are over 1000 ms";
  r.limits.ttft_ms = 3000;
  EXPECT_GE(of(r).prefill_units, 10) << "1 GB/s leaves over links of 0.1";
  r.traffic.cache_hit = 0.9;
  EXPECT_LT(of(r).prefill_units, 10) << "hits are not moved";
  r.traffic.hits_are_moved = true;
  EXPECT_GE(of(r).prefill_units, 10);
}

// 1000 tokens of unknown bytes over 0.5 GB/s take an unknown time: no pair is judged by a TTFT that has it in it. B
// alone moves nothing. Without that limit the pairs are planned, and say what they leave out.
TEST(Plan, AnUnknownTransferIsNeverTakenForNone) {
  PlanRequest r = mixed();
  for (PlanUnit& u : r.units) u.link_bytes_per_s = 5e8;
  r.units[0].kv_bytes_per_token = 0;
  r.limits.ttft_ms = 1000;
  for (const Plan& p : plans(r)) {
    EXPECT_EQ(p.judged, !(p.split && p.prefill == "A")) << p.prefill << p.decode << p.problem;
    EXPECT_EQ(p.problem.rfind("not judged: TTFT has the KV transfer in it, and KV bytes per token of A", 0) == 0,
              !p.judged);
  }
  r.limits.ttft_ms = 50;  // no link mends a prefill of 100 ms
  for (const Plan& p : plans(r)) {
    EXPECT_TRUE(p.judged) << p.prefill << p.decode << p.problem;
    EXPECT_NE(p.problem, "");
    EXPECT_TRUE(!p.split || p.problem.find("50 ms") != std::string::npos) << p.problem;
  }
  r.limits.ttft_ms.reset();
  r.units[1].link_bytes_per_s = 0;
  for (const Plan& p : plans(r)) {
    EXPECT_EQ(p.problem, "");
    const bool pair = p.split && p.prefill == "A" && p.decode == "B";
    EXPECT_EQ(p.not_counted.find("KV transfer (KV bytes per token of A unknown, link of B unknown)") == 0, pair)
        << p.prefill << p.decode << p.not_counted;
    EXPECT_THAT(p.not_counted, HasSubstr("memory limit (memory of " + p.decode + " unknown)"));
  }
}

TEST(Plan, AMemoryLimitThatIsNotKnownIsSaid) {
  PlanRequest r = mixed();
  for (PlanUnit& u : r.units) u.memory_bytes = 80e9;
  EXPECT_THAT(plans(r)[0].not_counted, HasSubstr("memory limit (weights of B unknown"));
  for (PlanUnit& u : r.units) u.weight_bytes = 1e9;
  for (const Plan& p : plans(r)) EXPECT_EQ(p.not_counted.empty(), !p.split) << "only the links are unknown";
  r.units[1].kv_bytes_per_token = 0;
  EXPECT_THAT(plans(r)[0].not_counted, HasSubstr("memory limit (KV bytes per token of B unknown)"));
}

// 1.05 GB less 1 GB of weights hold 500 tokens of 100 kB: no sequence of 1050.
TEST(Plan, MemoryBoundsTheBatch) {
  PlanRequest r = mixed();
  r.units[1].memory_bytes = 1.05e9;
  r.units[1].weight_bytes = 1e9;
  for (const Plan& p : plans(r)) {
    EXPECT_TRUE(p.decode != "B" || p.problem.find("memory") != std::string::npos) << p.prefill;
  }
  r.units[1].memory_bytes = 1e9 + 5 * 1050 * 1e5;
  for (const Plan& p : plans(r)) {
    EXPECT_TRUE(!p.split || p.decode != "B" || std::abs(p.batch - 5) < 1e-9) << p.batch;
  }
}

// Of 36 layers every second has a window of 128 tokens: 18 x 2 x 8 x 64 x 2 B = 36,864 B a token grow beyond it, twice
// that within. 1000 tokens hold 128 x 73,728 + 872 x 36,864 B = 41.6 MB and not 73.7: a link of 0.416 GB/s moves them
// in 100 ms, and a prompt's and half an answer's 1050 in 43.4 MB, so that 174 MB beside the weights hold four.
TEST(Plan, LayersWithAWindowHoldNoMoreThanIt) {
  PlanRequest r = mixed();
  const double prompt = 128.0 * 73728 + 872.0 * 36864, context = prompt + 50.0 * 36864;
  for (PlanUnit& u : r.units) {
    u.kv_bytes_per_token = 73728;
    u.kv_window_tokens = 128;
    u.kv_bytes_behind_window = 36864;
    u.link_bytes_per_s = prompt * 10;
    u.memory_bytes = 1e9 + 4 * context;
    u.weight_bytes = 1e9;
  }
  EXPECT_NEAR(prompt, 41.58e6, 1e4);
  EXPECT_EQ(kv_bytes(r.units[0], 100), 100 * 73728.0);
  for (const Plan& p : plans(r)) {
    if (!p.split) continue;
    EXPECT_NEAR(p.transfer_ms, 100, 1e-9);
    EXPECT_NEAR(p.batch, 4, 1e-9);
  }
  // The missed half of the prompt has the whole window in it: 500 x 36,864 + 128 x 36,864 B = 23.15 MB, in 55.67 ms.
  r.traffic.cache_hit = 0.5;
  for (const Plan& p : plans(r)) EXPECT_TRUE(!p.split || std::abs(p.transfer_ms - 55.67) < 0.01) << p.transfer_ms;
}

TEST(Plan, IntervalComesFromRatesAndPrices) {
  PlanRequest r = mixed();
  r.units[1].cost_per_hour.low = 0.5;
  r.units[1].cost_per_hour.high = 2;
  r.units[1].prefill[0].low = 1250;  // twice the units of prefill
  const Plan best = plans(r)[0];
  EXPECT_DOUBLE_EQ(best.cost_interval.low, 3);
  EXPECT_DOUBLE_EQ(best.cost_interval.high, 2 * (8 + 2));
  r.units[1].bounded = false;
  EXPECT_TRUE(std::isnan(plans(r)[0].cost_interval.low)) << "of a curve without intervals none is known";
}

// A costs 100 CNY a unit, what B costs is not known; 2 kW each.
TEST(Plan, PurchaseAndPowerAreOfAllUnitsWhereEachIsKnown) {
  PlanRequest r = mixed();
  r.traffic.requests_per_s = 20;
  for (PlanUnit& u : r.units) u.wall_kw = 2;
  r.units[0].purchase = 100;
  for (const Plan& p : plans(r)) {
    ASSERT_EQ(p.problem, "");
    const double units = p.prefill_units + p.decode_units;
    EXPECT_DOUBLE_EQ(*p.wall_kw, 2 * units);
    const bool only_a = p.prefill == "A" && p.decode == "A";
    ASSERT_EQ(p.purchase.has_value(), only_a) << p.prefill << " " << p.decode;
    if (only_a) {
      EXPECT_DOUBLE_EQ(*p.purchase, 100 * units);
    }
  }
}

TEST(Plan, WhatIsLongerThanAnyMeasuredSaysHowFarItGoes) {
  PlanRequest r = mixed();
  r.traffic.output_tokens = 4000;  // a context of 1000 + 4000 / 2
  EXPECT_THAT(plans(r).front().problem, HasSubstr("at a context of 3000 tokens or more; the longest is 2000"));
  r.traffic.prompt_tokens = 1001;
  EXPECT_THAT(plans(r).front().problem, HasSubstr("at 1001 tokens or more; the longest is 1000"));
}

}  // namespace
}  // namespace assay
