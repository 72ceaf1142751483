// The CPU adapter's speed on steps of the shipped suites, as ratios of ceilings measured in the same run, taken in
// turn: products against a large GEMM in the case's dtype, the expert weights of a decode step against a plain read;
// and decoding's attention over a KV cache in pages against the same over one block a sequence.
//
//   bench_cpu_suites [threads] [rounds] [filter]
#include <algorithm>
#include <cmath>
#include <map>

#include "harness/loader/manifest.h"
#include "tests/bench/ceilings.h"
#include "tests/bench/peak.h"

namespace assay::bench {
namespace {

// L3 caches of today's machines: a decode step must touch several times as much, or it reads from there.
constexpr double kBeyondCaches = 160e6;
constexpr int64_t kMostLayers = 8;

struct Part {
  const char* name;
  bool (*holds)(const Op&);
};
bool is_moe(const Op& op) {
  for (const char* word : {"router", "dispatch", "expert_", "combine"}) {
    if (op.name.find(word) != std::string::npos) return true;
  }
  return false;
}
constexpr Part kStep{"whole step", [](const Op&) { return true; }};
constexpr Part kMoe{"MoE", is_moe};
constexpr Part kAttention{"attention", [](const Op& op) { return op.kind == ASSAY_OP_ATTENTION; }};

enum class Against { kGemm, kRead };
struct Row {
  const char* id;  // of a case of a shipped suite, in its quick or full form
  int64_t layers;  // 0: all; of a decode step the fewest
  Part part;
  Against against;
  double target;  // 0: none is set
};
constexpr Row kRows[] = {
    {"video-diffusion/dit/wan2.1-1.3b/f32/b1/9f128x256", 2, kStep, Against::kGemm, 0.80},
    {"video-diffusion/dit/cogvideox-2b/f32/b1/9f128x256", 2, kStep, Against::kGemm, 0.80},
    {"video-diffusion/text-encoder/cogvideox-2b/bf16/b1/t226", 2, kStep, Against::kGemm, 0},
    {"video-diffusion/vae-tile/cogvideox-2b/f32/b1/5f32x32", 0, kStep, Against::kGemm, 0},
    {"long-context/prefill/qwen2.5-0.5b/f32/b1/t512/c16384", 1, kAttention, Against::kGemm, 0.60},
    {"long-context/prefill/qwen2.5-0.5b/bf16/b1/t512/c16384", 1, kAttention, Against::kGemm, 0.60},
    {"long-context/prefill/deepseek-v2-lite/f32/b1/t512/c16384/uniform", 1, kAttention, Against::kGemm, 0.60},
    {"moe-routing/prefill/qwen3-30b-a3b/f32/b1/t256/uniform", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/prefill/qwen3-30b-a3b/f32/b1/t2048/uniform", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/prefill/qwen3-30b-a3b/bf16/b1/t256/uniform", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/prefill/qwen3-30b-a3b/bf16/b1/t2048/uniform", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/prefill/qwen3-30b-a3b/int8/b1/t256/uniform", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/prefill/qwen3-30b-a3b/int8/b1/t256/zipf-1.2", 1, kMoe, Against::kGemm, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/bf16/b1/c1024/uniform", 1, kMoe, Against::kRead, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/bf16/b16/c1024/uniform", 1, kMoe, Against::kRead, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/int8/b1/c1024/uniform", 1, kMoe, Against::kRead, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/int8/b16/c512/uniform", 1, kMoe, Against::kRead, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/int8/b16/c512/zipf-1.2", 1, kMoe, Against::kRead, 0.80},
    {"moe-routing/decode/qwen3-30b-a3b/int8/b16/c512/k-hot", 1, kMoe, Against::kRead, 0.80},
};

Case suite_case(const Catalogue& catalogue, const Row& row) {
  const std::string id = row.id;
  const Suite suite = take(catalogue.suite(id.substr(0, id.find('/'))));
  for (const auto* cases : {&suite.quick_cases, &suite.full_cases}) {
    for (const Case& c : *cases) {
      if (c.id() == id) return c;
    }
  }
  fail("suite " + suite.name + " has no case " + id);
}

// The ops of a step that belong to a part; what they read of the others becomes random input.
Graph cut(const Graph& whole, const Part& part) {
  Graph out;
  out.scalars = whole.scalars;
  std::map<uint32_t, uint32_t> kept;
  const auto keep = [&](uint32_t t) {
    if (t == kNoTensor) return t;
    if (const auto known = kept.find(t); known != kept.end()) return known->second;
    Tensor tensor = whole.tensors[t];
    if (tensor.scale >= 0) {
      out.tensors.push_back(whole.tensors[static_cast<size_t>(tensor.scale)]);
      tensor.scale = static_cast<int32_t>(out.tensors.size() - 1);
    }
    out.tensors.push_back(std::move(tensor));
    return kept[t] = static_cast<uint32_t>(out.tensors.size() - 1);
  };
  std::vector<bool> written(whole.tensors.size());
  for (const Op& op : whole.ops) {
    if (!part.holds(op)) continue;
    Op copy = op;
    for (uint32_t& t : copy.in) {
      const bool given = t != kNoTensor && !written[t] &&
                         (whole.tensors[t].role == ASSAY_ROLE_SCRATCH || whole.tensors[t].role == ASSAY_ROLE_OUTPUT);
      t = keep(t);
      if (!given) continue;
      out.tensors[t].role = ASSAY_ROLE_INPUT;
      out.tensors[t].fill = {Fill::Kind::kNormal, 0, 1, 0};
    }
    for (uint32_t& t : copy.out) {
      written[t] = true;
      t = keep(t);
    }
    out.ops.push_back(std::move(copy));
  }
  if (out.ops.empty()) fail("a step without " + std::string(part.name));
  return out;
}

double expert_bytes(const Graph& graph, const std::vector<int64_t>& scalars) {
  double bytes = 0;
  for (const Op& op : graph.ops) {
    if (op.kind == ASSAY_OP_GROUPED_MATMUL) bytes += op_cost(graph, op, scalars).weight_bytes;
  }
  return bytes;
}

struct Work {
  Graph graph;
  std::vector<int64_t> scalars;
  double flops = 0, bytes = 0;
};

Work work_of(const Case& c, const Row& row) {
  const auto made = [&](int64_t layers) {
    LowerOptions options;
    options.layers = layers;
    const Graph whole = take(lower(c, options));
    Work work;
    work.graph = cut(whole, row.part);
    work.scalars = step_scalars(c, whole);
    work.flops = graph_cost(work.graph, work.scalars).flops;
    work.bytes = expert_bytes(work.graph, work.scalars);
    return work;
  };
  Work work = made(row.layers);
  if (row.against == Against::kGemm) return work;
  const auto layers = static_cast<int64_t>(std::ceil(kBeyondCaches / work.bytes));
  return layers <= row.layers ? work : made(std::min(layers, kMostLayers));
}

// The large GEMMs of a run, one for each dtype that is asked for.
class Gemms {
 public:
  explicit Gemms(Adapter& adapter) : adapter_(adapter) {}
  double rate(const std::string& dtype) {
    std::unique_ptr<BenchProgram>& gemm = made_[dtype];
    if (!gemm) {
      gemm = std::make_unique<BenchProgram>(adapter_, ceiling_case(StepKind::kGemm, dtype));
      gemm->step();
    }
    return gemm->cost().flops / gemm->median_step(3, 0.2);
  }

 private:
  Adapter& adapter_;
  std::map<std::string, std::unique_ptr<BenchProgram>> made_;
};

double read_rate(PlainRead& plain) { return median({plain.bytes_per_s(), plain.bytes_per_s(), plain.bytes_per_s()}); }

// int8 weights meet rows finer than bf16: two bytes, so two products for each weight.
double products_per_weight(const std::string& dtype) { return dtype == "int8" ? 2 : 1; }

// Where a read's target asks for more products than the units can do, what they allow.
void print_out_of_reach(const Row& row, const std::string& dtype, const Work& work, const PlainRead& plain, double read,
                        double reached) {
  const double peak = arithmetic_peak(dtype, plain.threads()), intensity = work.flops / work.bytes;
  const double products = products_per_weight(dtype), most = peak / products / intensity / read;
  if (peak == 0 || most >= row.target || reached >= row.target) return;
  std::printf(
      "\n    out of reach: %.0f FLOP a byte; the units' %.0f GOP/s from registers, with %.0f products for each ",
      intensity, peak / 1e9, products);
  std::printf("weight, allow %.3f of the read, of which %.2f is reached", most, reached / most);
  if (products > 1) std::printf("; rows of 8 bits would allow %.2f", most * products);
}

void measure(Adapter& adapter, Gemms& gemms, PlainRead& plain, const Case& c, const Row& row, int rounds) {
  Work work = work_of(c, row);
  BenchProgram program(adapter, work.graph, work.scalars);
  program.step();
  const bool reads = row.against == Against::kRead, experts = work.bytes > 0;
  std::vector<double> rate, compute, memory;
  for (int i = 0; i < rounds; ++i) {
    const double gemm_before = gemms.rate(c.dtype);
    const double read_before = experts ? read_rate(plain) : 0;
    const double step = program.median_step(reads ? 5 : 1, 0.1);
    compute.push_back(work.flops / step / ((gemm_before + gemms.rate(c.dtype)) / 2));
    if (experts) memory.push_back(work.bytes / step / ((read_before + read_rate(plain)) / 2));
    rate.push_back((reads ? work.bytes : work.flops) / step);
  }
  const std::vector<double>& share = reads ? memory : compute;
  const std::string of = reads ? "plain read" : "GEMM " + c.dtype;
  std::printf("%-58s %-10s %7.1f %-8s %6.3f of %-10s", row.id, row.part.name, median(rate) / 1e9,
              reads ? "GB/s" : "GFLOP/s", median(share), of.c_str());
  if (row.target > 0) {
    std::printf("  target %.2f  %s", row.target, median(share) >= row.target ? "reached" : "MISSED");
  } else {
    std::printf("  no target");
  }
  if (reads) {
    const bool by_arithmetic = median(compute) > median(memory);
    std::printf("  (%.2f of GEMM %s%s)", median(compute), c.dtype.c_str(), by_arithmetic ? ", which bounds it" : "");
  }
  if (experts && !reads) std::printf("  (%.2f of plain read)", median(memory));
  if (reads) print_out_of_reach(row, c.dtype, work, plain, median(rate) / median(memory), median(memory));
  std::printf("\n");
  std::fflush(stdout);
}

struct PagedRow {
  const char *model, *dtype;
  int64_t layers, context, page;
  double target;
};
constexpr PagedRow kPagedRows[] = {
    {"qwen2.5-0.5b", "f32", 24, 16384, 16, 0.90},     {"qwen2.5-0.5b", "bf16", 24, 16384, 16, 0.90},
    {"llama-3.1-8b", "bf16", 8, 8192, 16, 0.90},      {"llama-3.1-8b", "bf16", 8, 8192, 64, 0.90},
    {"deepseek-v2-lite", "bf16", 16, 8192, 64, 0.90},
};

void measure_paged(Adapter& adapter, const Catalogue& catalogue, const PagedRow& row, int rounds) {
  Case c;
  c.suite = "paged";
  c.kind = StepKind::kDecode;
  c.model = take(catalogue.model(row.model));
  c.dtype = row.dtype;
  c.context = row.context;
  const auto program_of = [&](int64_t page) {
    c.page_tokens = page;
    LowerOptions options;
    options.layers = row.layers;
    const Graph whole = take(lower(c, options));
    return BenchProgram(adapter, cut(whole, kAttention), step_scalars(c, whole));
  };
  BenchProgram block = program_of(0), paged = program_of(row.page);
  block.step();
  paged.step();
  std::vector<double> ratio, rate;
  for (int i = 0; i < rounds; ++i) {
    const double before = block.median_step(5, 0.1), step = paged.median_step(5, 0.1);
    ratio.push_back((before + block.median_step(5, 0.1)) / 2 / step);
    rate.push_back(paged.cost().kv_bytes / step);
  }
  const double reached = median(ratio);
  std::printf("%-58s %-10s %7.1f GB/s     %6.3f of one block  target %.2f  %s\n", c.id().c_str(), "attention",
              median(rate) / 1e9, reached, row.target, reached >= row.target ? "reached" : "MISSED");
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
  const auto catalogue = take(Catalogue::load(ASSAY_BINARY_DIR "/share/assay/suites"));
  auto adapter = take(
      Adapter::open(ASSAY_BINARY_DIR "/lib/assay/adapters/libassay_cpu.so", {{"threads", std::to_string(threads)}}));
  std::printf(
      "CPU adapter, %d threads, medians of %d rounds taken in turn; GEMM DTYPE: 2048^3 as a case of that dtype "
      "computes "
      "it;\nMoE decode: bytes of the experts with a token; in brackets the other side of the roofline\n",
      threads, rounds);
  Gemms gemms(*adapter);
  PlainRead plain(threads);
  for (const Row& row : kRows) {
    if (std::string(row.id).find(filter) == std::string::npos) continue;
    measure(*adapter, gemms, plain, suite_case(catalogue, row), row, rounds);
  }
  for (const PagedRow& row : kPagedRows) {
    if (std::string("paged/").append(row.model).find(filter) == std::string::npos) continue;
    measure_paged(*adapter, catalogue, row, rounds);
  }
  return 0;
}
