#include "tests/support/simulated_records.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "results/record_id.h"
#include "suites/video_case.h"

namespace assay::simulated {
namespace {

// The standard fixes what the engine gives, not what its distributions make of it.
double uniform(std::mt19937_64& random) { return (static_cast<double>(random() >> 11) + 0.5) * 0x1p-53; }
double normal(std::mt19937_64& random) {
  return std::sqrt(-2 * std::log(uniform(random))) * std::cos(2 * M_PI * uniform(random));
}

void add_steps(const Chip& chip, double step_s, size_t steps, uint64_t seed, Record* r) {
  std::mt19937_64 random(seed);
  uint64_t now = 0;
  for (size_t i = 0; i < steps; ++i) {
    double s = step_s * std::exp(chip.jitter * normal(random));
    const bool stall = uniform(random) < chip.stall_share;
    if (stall) s *= 2.2 + uniform(random);
    const auto ns = static_cast<uint64_t>(s * 1e9);
    if (stall && uniform(random) < 0.5) {
      r->noise.host_gap_start_ns.push_back(now + ns / 4);
      r->noise.host_gap_ns.push_back(ns / 2);
    }
    r->samples.start_ns.push_back(now);
    r->samples.host_ns.push_back(ns);
    now += ns + 2000;
  }
  r->stop.timed_s = static_cast<double>(now) / 1e9;
}

void add_work(const Case& c, const GraphCost& cost, Record* r) {
  r->suite = c.suite;
  r->suite_hash = c.suite_hash;
  r->case_id = c.id();
  r->case_hash = c.hash();
  r->case_json = c.to_json();
  r->form = "quick";
  r->model = c.model.name;
  r->dtype = c.dtype;
  r->step_kind = step_kind_name(c.kind);
  r->token_class = c.token_class();
  r->batch = c.batch;
  r->tokens = c.tokens;
  r->context = c.context;
  r->tokens_per_step = c.tokens_per_step();
  r->step_flops = cost.flops;
  r->step_weight_bytes = cost.weight_bytes;
  r->step_kv_bytes = cost.kv_bytes;
  r->step_activation_bytes = cost.activation_bytes;
}

// Counting the operations of a large graph takes longer than making the record: once for each case.
GraphCost cost_of(const Case& c) {
  static std::vector<std::pair<std::string, GraphCost>> known;
  const std::string hash = c.hash();
  for (const auto& [key, cost] : known) {
    if (key == hash) return cost;
  }
  const Result<Graph> graph = lower(c, {});
  known.emplace_back(hash, graph.ok() ? graph_cost(*graph, {c.context}) : GraphCost{});
  return known.back().second;
}

}  // namespace

std::vector<Chip> chips() {
  return {{"Simulated H100 80GB HBM3", 989e12, 3.35e12, 650, 12e-6, 0.02, 0.002},
          {"Simulated Ascend 910B", 320e12, 1.6e12, 330, 30e-6, 0.05, 0.006},
          {"Simulated MTT S4000", 100e12, 0.768e12, 420, 60e-6, 0.09, 0.01}};
}

std::vector<Case> cases(const ModelShape& model) {
  std::vector<Case> out;
  Case c;
  c.suite = "decode";
  c.suite_hash = "simulated";
  c.kind = StepKind::kDecode;
  c.model = model;
  c.dtype = "bf16";
  for (const int64_t batch : {1, 4, 16, 64}) {
    for (const int64_t context : {512, 4096, 16384}) {
      c.batch = batch;
      c.context = context;
      out.push_back(c);
    }
  }
  c.suite = "prefill";
  c.kind = StepKind::kPrefill;
  c.batch = 1;
  c.context = 0;
  for (const int64_t tokens : {512, 2048, 8192}) {
    c.tokens = tokens;
    out.push_back(c);
  }
  return out;
}

std::vector<Case> video_cases(const VideoShape& video) {
  std::vector<Case> out;
  Case c;
  c.suite = "video-diffusion";
  c.suite_hash = "simulated";
  c.dtype = "bf16";
  c.video = video;
  for (const StepKind kind : {StepKind::kDit, StepKind::kTextEncoder, StepKind::kVaeTile}) {
    c.kind = kind;
    const bool text = kind == StepKind::kTextEncoder, tile = kind == StepKind::kVaeTile;
    c.tokens = text ? 512 : 0;
    c.frames = text ? 0 : tile ? 33 : video.clip.frames;
    c.height = text ? 0 : tile ? 256 : video.clip.height;
    c.width = text ? 0 : tile ? 256 : video.clip.width;
    complete_video_case(&c);
    out.push_back(c);
  }
  return out;
}

Record record(const Chip& chip, const Case& c, size_t steps, uint64_t seed) {
  Record r;
  const GraphCost cost = cost_of(c);
  add_work(c, cost, &r);
  r.created = "2026-11-2" + std::to_string(seed % 6) + "T08:00:00Z";
  r.tool_version = "0.1.0";
  r.basis = "simulated";
  r.status = "ok";
  r.adapter = "stand-in";
  r.adapter_version = "0.1.0";
  r.adapter_vendor = "Assay project";
  r.adapter_abi = "1.1";
  r.device = "stand-in:0";
  r.device_product = chip.product;
  r.device_driver = "driver " + std::to_string(chip.product.size());
  r.support = "checked against the API";
  r.threads = 1;
  r.executed = "nothing: times are drawn from a roofline";
  r.environment = {{"os", "none"}, {"chip", chip.product}};
  r.ceiling.flops_per_s = chip.flops_per_s * 0.85;
  r.ceiling.flops_dtype = c.dtype;
  r.ceiling.read_bytes_per_s = chip.bytes_per_s * 0.85;
  r.ceiling.when = "drawn with the record";
  r.numerics.reason = "simulated";
  r.stop.reason = "fixed";
  r.stop.warmup_end = "limit";
  const double bytes = cost.weight_bytes + cost.kv_bytes;
  const double step_s =
      chip.overhead_s + std::max(cost.flops / (0.55 * chip.flops_per_s), bytes / (0.7 * chip.bytes_per_s));
  add_steps(chip, step_s, steps, seed, &r);
  r.energy.joules = chip.watts * r.stop.timed_s;
  r.energy.watts_mean = chip.watts;
  r.energy.source = "simulated board counter";
  r.id = record_id(record_to_json(r));
  return r;
}

}  // namespace assay::simulated
