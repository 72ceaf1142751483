// The CPU adapter's speed on the layers of the suites beside prefill and decode, as ratios of ceilings measured in the
// same run, taken in turn: products against a large GEMM, expert weights of a decode step against a plain read.
//
//   bench_cpu_suites [threads] [rounds] [filter]
#include <algorithm>
#include <cmath>

#include "harness/loader/manifest.h"
#include "suites/lower/builder.h"
#include "tests/bench/ceilings.h"

namespace assay::bench {
namespace {

double number(int64_t value) { return static_cast<double>(value); }

// A graph, what it does, and what of its speed must be reached.
struct Work {
  std::string name;
  Graph graph;
  double flops = 0;  // of the model: multiply-add = 2
  double bytes = 0;  // of expert weights touched, where the ceiling is the read of memory
  double target = 0;
};

struct AttentionShape {
  int64_t tokens, heads, kv_heads, dim;
  int mask;
};

uint32_t attend(GraphBuilder& g, const AttentionShape& s, uint32_t q, uint32_t k, uint32_t v, const std::string& name) {
  const uint32_t y = g.activation(name, {s.tokens, s.heads * s.dim});
  g.op(ASSAY_OP_ATTENTION, name, {q, k, v}, {y},
       {1, number(s.heads), number(s.kv_heads), number(s.dim), number(s.dim), 1 / std::sqrt(number(s.dim)),
        number(s.mask), 0, 0});
  return y;
}

// QK^T and PV over the keys that are seen.
double attention_flops(const AttentionShape& s, int64_t keys) {
  const double seen =
      s.mask == ASSAY_MASK_CAUSAL ? number(s.tokens) * (number(s.tokens) + 1) / 2 : number(s.tokens) * number(keys);
  return 4 * seen * number(s.heads * s.dim);
}

const Fill kNormal{Fill::Kind::kNormal, 0, 1, 0};

Work attention_work(const AttentionShape& s, const std::string& name) {
  GraphBuilder g(take(dtype_plan("f32")), false);
  const uint32_t q = g.tensor("q", ASSAY_F32, ASSAY_ROLE_INPUT, {s.tokens, s.heads * s.dim}, kNormal);
  const uint32_t k = g.tensor("k", ASSAY_F32, ASSAY_ROLE_STATE, {1, s.tokens, s.kv_heads, s.dim}, kNormal);
  const uint32_t v = g.tensor("v", ASSAY_F32, ASSAY_ROLE_STATE, {1, s.tokens, s.kv_heads, s.dim}, kNormal);
  g.mark_output(attend(g, s, q, k, v, "y"));
  return {name, g.take(), attention_flops(s, s.tokens), 0, 0.60};
}

// One layer of experts of Qwen3-30B-A3B: hidden 2048, 768 wide, 8 a token; 32 of its 128 experts.
constexpr int64_t kHidden = 2048, kWide = 768, kExperts = 32, kChosen = 8;

uint32_t experts(GraphBuilder& g, const std::string& name, int64_t n, int64_t k) {
  const Fill fill{Fill::Kind::kNormal, 0, 1 / std::sqrt(number(k)), 0};
  const uint32_t w = g.tensor(name, g.plan().weight, ASSAY_ROLE_WEIGHT, {kExperts, n, k}, fill);
  if (g.plan().weight != ASSAY_I8) return w;
  const Fill constant{Fill::Kind::kConstant, 1 / std::sqrt(number(k)) / 32, 0, 0};
  g.set_scale(w, g.tensor(name + ".scale", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kExperts, n, k / 128}, constant), 128);
  return w;
}

// One layer of experts: y [tokens, hidden] of x.
uint32_t expert_layer(GraphBuilder& g, uint32_t x, int64_t tokens, const std::string& layer) {
  const int64_t rows = tokens * kChosen;
  const auto integers = [&](const std::string& name, std::vector<int64_t> dims) {
    return g.tensor(layer + name, ASSAY_I32, ASSAY_ROLE_SCRATCH, std::move(dims));
  };
  const Fill fill{Fill::Kind::kNormal, 0, 1 / std::sqrt(number(kHidden)), 0};
  const uint32_t gate = g.tensor(layer + "gate", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kExperts, kHidden}, fill);
  const uint32_t logits = g.activation(layer + "logits", {tokens, kExperts});
  g.op(ASSAY_OP_MATMUL, layer + "gate", {x, gate}, {logits});
  const uint32_t index = integers("index", {tokens, kChosen});
  const uint32_t weight = g.activation(layer + "weight", {tokens, kChosen});
  g.op(ASSAY_OP_ROUTER_TOPK, layer + "topk", {logits}, {index, weight},
       {number(kChosen), ASSAY_ROUTER_SOFTMAX, 1, 1, 1, 1});
  const uint32_t sorted = g.activation(layer + "sorted", {rows, kHidden});
  const uint32_t offsets = integers("offsets", {kExperts + 1});
  const uint32_t place = integers("place", {tokens, kChosen});
  g.op(ASSAY_OP_MOE_DISPATCH, layer + "dispatch", {x, index}, {sorted, offsets, place}, {number(kExperts)});
  const uint32_t up = g.activation(layer + "up", {rows, 2 * kWide});
  g.op(ASSAY_OP_GROUPED_MATMUL, layer + "up", {sorted, experts(g, layer + "w_up", 2 * kWide, kHidden), offsets}, {up});
  const uint32_t act = g.activation(layer + "act", {rows, kWide});
  g.op(ASSAY_OP_GATED_ACT, layer + "act", {up}, {act}, {ASSAY_ACT_SILU});
  const uint32_t down = g.activation(layer + "down", {rows, kHidden});
  g.op(ASSAY_OP_GROUPED_MATMUL, layer + "down", {act, experts(g, layer + "w_down", kHidden, kWide), offsets}, {down});
  const uint32_t y = g.activation(layer + "y", {tokens, kHidden});
  g.op(ASSAY_OP_MOE_COMBINE, layer + "combine", {down, place, weight}, {y});
  return y;
}

// `layers`: enough that a decode step touches several times what the caches hold.
Work moe_work(int64_t tokens, const std::string& dtype, int64_t layers, const std::string& name) {
  DtypePlan plan;
  plan.name = dtype;
  plan.weight = dtype == "f32" ? ASSAY_F32 : (dtype == "bf16" ? ASSAY_BF16 : ASSAY_I8);
  GraphBuilder g(plan, false);
  uint32_t x = g.tensor("x", ASSAY_F32, ASSAY_ROLE_INPUT, {tokens, kHidden}, kNormal);
  for (int64_t i = 0; i < layers; ++i) x = expert_layer(g, x, tokens, "layer" + std::to_string(i) + ".");
  g.mark_output(x);
  const double matrix = 3 * number(kHidden * kWide);
  const double size = dtype == "f32" ? 4 : (dtype == "bf16" ? 2 : 1 + 4.0 / 128);
  const double products = 2 * matrix * number(tokens * kChosen) + 2 * number(tokens * kHidden * kExperts);
  Work work{name, g.take(), number(layers) * products, 0, 0.80};
  if (tokens == 1) work.bytes = number(layers) * matrix * size * number(kChosen);
  return work;
}

// One block of Wan2.1-1.3B: hidden 1536, 12 heads, MLP 8960, 512 text tokens; 4096 of its 32760 video tokens.
struct Dit {
  static constexpr int64_t kTokens = 4096, kText = 512, kWidth = 1536, kHeads = 12, kMlp = 8960;
  GraphBuilder g{take(dtype_plan("f32")), false};
  uint32_t mod = 0;
  double flops = 0;

  uint32_t linear(uint32_t x, int64_t n, const std::string& name) {
    const int64_t k = g.at(x).dims[1];
    const uint32_t w = g.weight(name + ".w", n, k, 1 / std::sqrt(number(k)));
    const uint32_t bias = g.tensor(name + ".b", ASSAY_F32, ASSAY_ROLE_WEIGHT, {n}, kNormal);
    flops += 2 * number(g.at(x).dims[0]) * number(n) * number(k);
    return g.project(x, w, name, bias);
  }
  uint32_t norm(uint32_t x, int64_t part, const std::string& name) {
    const uint32_t y = g.activation(name, g.at(x).dims);
    g.op(ASSAY_OP_LAYER_NORM_MODULATE, name, {x, mod}, {y},
         {1, 1e-6, number(part * kWidth), number((part + 1) * kWidth)});
    return y;
  }
  uint32_t rms(uint32_t x, const std::string& name) {
    const uint32_t gamma = g.tensor(name + ".gamma", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kWidth}, kNormal);
    const uint32_t y = g.activation(name, g.at(x).dims);
    g.op(ASSAY_OP_RMS_NORM, name, {x, gamma}, {y}, {1e-6, number(kWidth), 0, 0});
    return y;
  }
  uint32_t rope(uint32_t x, const std::string& name) {  // frames 4 x 32 x 32; 128 = 44 + 42 + 42
    const uint32_t y = g.activation(name, g.at(x).dims);
    g.op(ASSAY_OP_ROPE, name, {x}, {y}, {1, 128, 128, 10000, 1, 0, number(kWidth), 0, 0, 0, 0, 0, 32, 32, 44, 42, 0});
    return y;
  }
  uint32_t add(uint32_t a, uint32_t b, int64_t gate, const std::string& name) {
    const uint32_t y = g.activation(name, g.at(a).dims);
    if (gate < 0) {
      g.op(ASSAY_OP_ADD, name, {a, b}, {y});
    } else {
      g.op(ASSAY_OP_ADD, name, {a, b, mod}, {y}, {1, number(gate * kWidth)});
    }
    return y;
  }
  uint32_t attention(uint32_t q, uint32_t k, uint32_t v, int mask, const std::string& name) {
    const int64_t keys = g.at(k).dims[0];
    const uint32_t kc = g.tensor(name + ".k", ASSAY_F32, ASSAY_ROLE_STATE, {1, keys, kHeads, 128});
    const uint32_t vc = g.tensor(name + ".v", ASSAY_F32, ASSAY_ROLE_STATE, {1, keys, kHeads, 128});
    for (const auto& [x, cache] : {std::pair{k, kc}, std::pair{v, vc}}) {
      g.op(ASSAY_OP_KV_APPEND, name + ".append", {x, cache, cache}, {cache, cache}, {1, number(kHeads), 128, 0, 0, 0});
    }
    const AttentionShape s{kTokens, kHeads, kHeads, 128, mask};
    flops += attention_flops(s, keys);
    return attend(g, s, q, kc, vc, name);
  }
};

Work dit_work() {
  Dit d;
  uint32_t x = d.g.tensor("x", ASSAY_F32, ASSAY_ROLE_INPUT, {Dit::kTokens, Dit::kWidth}, kNormal);
  const uint32_t text = d.g.tensor("text", ASSAY_F32, ASSAY_ROLE_INPUT, {Dit::kText, Dit::kWidth}, kNormal);
  d.mod = d.g.tensor("mod", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 6 * Dit::kWidth}, kNormal);
  const uint32_t n1 = d.norm(x, 0, "norm1");
  const uint32_t q = d.rope(d.rms(d.linear(n1, Dit::kWidth, "q"), "q_norm"), "q_rope");
  const uint32_t k = d.rope(d.rms(d.linear(n1, Dit::kWidth, "k"), "k_norm"), "k_rope");
  const uint32_t self = d.attention(q, k, d.linear(n1, Dit::kWidth, "v"), ASSAY_MASK_FULL, "self");
  x = d.add(x, d.linear(self, Dit::kWidth, "o"), 2, "add1");
  const uint32_t cross_q = d.rms(d.linear(x, Dit::kWidth, "cross_q"), "cross_q_norm");
  const uint32_t cross_k = d.rms(d.linear(text, Dit::kWidth, "cross_k"), "cross_k_norm");
  const uint32_t cross =
      d.attention(cross_q, cross_k, d.linear(text, Dit::kWidth, "cross_v"), ASSAY_MASK_CROSS, "cross");
  x = d.add(x, d.linear(cross, Dit::kWidth, "cross_o"), -1, "add2");
  const uint32_t up = d.linear(d.norm(x, 3, "norm2"), Dit::kMlp, "up");
  const uint32_t act = d.g.activation("act", {Dit::kTokens, Dit::kMlp});
  d.g.op(ASSAY_OP_ACTIVATION, "act", {up}, {act}, {ASSAY_ACT_GELU_TANH});
  const uint32_t y = d.add(x, d.linear(act, Dit::kWidth, "down"), 5, "add3");
  d.g.mark_output(y);
  return {"DiT block, Wan2.1-1.3B, 4096 tok.", d.g.take(), d.flops, 0, 0.80};
}

// One 3x3x3 convolution of a video decoder: 192 channels, 5 frames of 64 x 64.
Work conv_work() {
  GraphBuilder g(take(dtype_plan("f32")), false);
  const uint32_t x = g.tensor("x", ASSAY_F32, ASSAY_ROLE_INPUT, {5, 64, 64, 192}, kNormal);
  const uint32_t w = g.weight("w", 192, 27 * 192, 0.02);
  const uint32_t y = g.activation("y", {5, 64, 64, 192});
  g.op(ASSAY_OP_CONV3D, "conv", {x, w}, {y}, {3, 3, 3, 0, 0, 0});
  g.mark_output(y);
  // Every place of frame 0 sees one frame, of frame 1 two, of the others three; borders counted as full.
  return {"conv3d 192 ch., 5 x 64 x 64", g.take(), 2.0 * 64 * 64 * 192 * 192 * 9 * (1 + 2 + 3 * 3), 0, 0.80};
}

std::vector<Work> all_work() {
  std::vector<Work> all;
  all.push_back(attention_work({16384, 2, 1, 128, ASSAY_MASK_CAUSAL}, "attention 16K causal d128"));
  all.push_back(attention_work({16384, 2, 2, 64, ASSAY_MASK_CAUSAL}, "attention 16K causal d64"));
  all.push_back(attention_work({16384, 1, 1, 128, ASSAY_MASK_FULL}, "attention 16K full d128"));
  all.push_back(attention_work({16384, 1, 1, 64, ASSAY_MASK_FULL}, "attention 16K full d64"));
  all.push_back(dit_work());
  all.push_back(conv_work());
  all.push_back(moe_work(512, "f32", 1, "MoE prefill f32, 128 rows/expert"));
  all.push_back(moe_work(128, "f32", 1, "MoE prefill f32, 32 rows/expert"));
  all.push_back(moe_work(512, "bf16", 1, "MoE prefill bf16, 128 rows/expert"));
  all.push_back(moe_work(1, "f32", 2, "MoE decode f32 b1"));
  all.push_back(moe_work(1, "bf16", 4, "MoE decode bf16 b1"));
  all.push_back(moe_work(1, "int8", 8, "MoE decode int8 b1, groups of 128"));
  return all;
}

void measure(Adapter& adapter, BenchProgram& gemm, PlainRead& plain, Work work, int rounds) {
  BenchProgram program(adapter, std::move(work.graph), 0);
  program.step();
  std::vector<double> rate, share;
  for (int i = 0; i < rounds; ++i) {
    const bool reads = work.bytes > 0;
    const auto ceiling = [&] {
      if (!reads) return gemm.cost().flops / gemm.median_step(3, 0.2);
      std::vector<double> rates;
      for (int k = 0; k < 3; ++k) rates.push_back(plain.bytes_per_s());
      return median(std::move(rates));
    };
    const double before = ceiling();
    rate.push_back((reads ? work.bytes : work.flops) / program.median_step(reads ? 9 : 1, 0.1));
    share.push_back(rate.back() / ((before + ceiling()) / 2));
  }
  print_row(work.name.c_str(), median(rate) / 1e9, work.bytes > 0 ? "GB/s" : "GFLOP/s", median(share),
            work.bytes > 0 ? "plain read bandwidth" : "GEMM rate", work.target);
  std::fflush(stdout);
}

}  // namespace
}  // namespace assay::bench

int main(int argc, char** argv) {
  using namespace assay;
  using namespace assay::bench;
  const int threads = argc > 1 ? std::atoi(argv[1]) : static_cast<int>(std::thread::hardware_concurrency());
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const std::string filter = argc > 3 ? argv[3] : "";
  if (threads < 1 || rounds < 1) fail("expected positive threads and rounds");
  auto adapter = take(
      Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_cpu.so", {{"threads", std::to_string(threads)}}));
  std::printf("CPU adapter, %d threads, medians of %d rounds taken in turn\n", threads, rounds);
  BenchProgram gemm(*adapter, ceiling_case(StepKind::kGemm, "f32"));
  gemm.step();
  PlainRead plain(threads);
  for (Work& work : all_work()) {
    if (work.name.find(filter) != std::string::npos) measure(*adapter, gemm, plain, std::move(work), rounds);
  }
  return 0;
}
