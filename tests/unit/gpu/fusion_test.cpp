// Neighbouring ops in one kernel: as many launches less as the step has such neighbours, and the same bits.
#include <array>
#include <cmath>
#include <cstring>

#include "harness/run/load.h"
#include "suites/base/low_precision.h"
#include "tests/unit/gpu/on_standin.h"
#include "tests/unit/gpu/small_models.h"
#include "tests/unit/suites/plain_model.h"

namespace assay::gpu_test {
namespace {

struct Stepped {
  uint32_t launches = 0;
  std::map<std::string, std::vector<char>> values;  // of outputs and caches
  std::string executed;
};

// Three steps: call by call, captured, and the graph again.
void three_steps(const Case& c, Adapter::Options options, bool expose, Stepped* out) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", std::move(options));
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  LowerOptions lowering;
  lowering.expose_intermediates = expose;
  const Result<Graph> graph = lower(c, lowering);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(*graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  SharedPage page{};
  Pulse pulse(&page);
  ASSERT_TRUE(load_tensors(*graph, **program, 3, HostThreads{1}, pulse).ok());
  const std::vector<int64_t> scalars = scalars_of(c, *graph);
  for (int step = 0; step < 3; ++step) {
    const assay_run_args args{sizeof(args), 1, scalars.data()};
    assay_run* handle = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof(result);
    ASSERT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
    ASSERT_EQ((*program)->wait(handle, &result), ASSAY_OK);
  }
  const assay_program_info info = (*program)->info();
  out->launches = info.n_launches;
  out->executed = info.executed;
  for (uint32_t t = 0; t < graph->tensors.size(); ++t) {
    const Tensor& tensor = graph->tensors[t];
    if (tensor.role != ASSAY_ROLE_OUTPUT && tensor.role != ASSAY_ROLE_STATE) continue;
    std::vector<char>& bytes = out->values[tensor.name];
    bytes.resize(graph->bytes(t));
    ASSERT_TRUE((*program)->read(t, 0, bytes.data(), bytes.size()).ok());
  }
  EXPECT_EQ(standin("cuda", "overrun"), 0);
}

void saves(const Case& c, uint32_t launches, const char* products = "library") {
  for (const bool expose : {true, false}) {
    Stepped fused, apart;
    three_steps(c, {{"fusion", "on"}, {"products", products}}, expose, &fused);
    three_steps(c, {{"fusion", "off"}, {"products", products}}, expose, &apart);
    EXPECT_EQ(apart.launches - fused.launches, launches) << c.id() << ": " << fused.executed;
    EXPECT_GT(fused.values.size(), 2U);
    EXPECT_TRUE(fused.values == apart.values) << c.id();
    EXPECT_EQ(apart.executed.find("one kernel"), std::string::npos) << apart.executed;
  }
}

// A layer of decoding one row has two residual adds that a norm follows (the last one the final norm), one RoPE before
// its KV append, and one product with a gate behind it, where the weights' dtype has that kernel.
TEST(Fusion, ALayerOfOneRowTakesFourLaunchesLess) {
  ModelShape model = llama();
  model.hidden = 128;
  model.ffn = 128;
  saves(case_of(model, "bf16", StepKind::kDecode, 1, 1, 9), 2 * 4);
  model.layers = 1;
  saves(case_of(model, "int8", StepKind::kDecode, 1, 1, 9), 4);
  saves(case_of(model, "int4_g32", StepKind::kDecode, 1, 1, 9), 4);
  saves(case_of(model, "f32", StepKind::kDecode, 1, 1, 9), 3);
}

// Of two layers with many rows the last residual add has no norm behind it, but the choice of the last rows.
TEST(Fusion, ManyRows) {
  saves(case_of(llama(), "bf16", StepKind::kPrefill, 2, 5, 3), 2 * 3 - 1);
  saves(case_of(llama(), "bf16", StepKind::kDecode, 3, 1, 3), 2 * 3);
}

// Neighbouring pairs, and a part of each head that is not turned.
TEST(Fusion, PartsOfHeads) {
  ModelShape model = llama();
  model.rope_interleaved = true;
  model.rotary_dim = 8;
  saves(case_of(model, "f16", StepKind::kDecode, 2, 1, 5), 2 * 3);
}

// As Qwen3 has them: norms of heads, so that four launches of a layer are one: both norms, RoPE, the append. Odd counts
// of heads leave lanes of a warp without one.
TEST(Fusion, NormsOfHeadsAndRope) {
  ModelShape model = llama();
  model.qk_norm = true;
  model.qkv_bias = false;
  saves(case_of(model, "bf16", StepKind::kPrefill, 2, 5, 3), 2 * 5 - 1);
  saves(case_of(model, "f32", StepKind::kDecode, 3, 1, 3), 2 * 5);
  model.layers = 1;
  for (const auto& [heads, kv_heads, dim] : {std::array<int64_t, 3>{5, 1, 128}, {3, 3, 64}, {7, 7, 8}, {1, 1, 256}}) {
    model.heads = heads;
    model.kv_heads = kv_heads;
    model.head_dim = dim;
    for (const char* dtype : {"bf16", "f16", "f32"}) {
      model.rope_interleaved = dim == 8;
      saves(case_of(model, dtype, StepKind::kDecode, 2, 1, 3), 5);
      saves(case_of(model, dtype, StepKind::kPrefill, 1, 5, 3), 5 - 1);
    }
  }
  Case paged = case_of(model, "bf16", StepKind::kDecode, 3, 1, 20);
  paged.page_tokens = 7;
  saves(paged, 5);
}

TEST(Fusion, NormsOfHeadsOfWhichAPartIsTurned) {
  ModelShape model = llama();
  model.layers = 1;
  model.qk_norm = true;
  model.head_dim = 64;
  model.heads = 3;
  model.kv_heads = 1;
  model.rotary_dim = 32;
  saves(case_of(model, "bf16", StepKind::kDecode, 2, 1, 5), 5);
  model.rope_interleaved = true;
  model.rotary_dim = 40;
  saves(case_of(model, "f16", StepKind::kDecode, 2, 1, 5), 5);
  model.rope_interleaved = false;
  model.rotary_dim = 48;  // halves of three vectors, which lanes do not exchange
  saves(case_of(model, "bf16", StepKind::kDecode, 2, 1, 5), 3);
  model.rotary_dim = 0;
  model.head_dim = 48;  // six lanes
  saves(case_of(model, "bf16", StepKind::kDecode, 2, 1, 5), 3);
}

// As OLMo 2 has them: all queries of a row at once, and all its keys, of which there are fewer.
TEST(Fusion, NormsOfRowsAndRope) {
  ModelShape model = llama();
  model.layers = 1;
  model.qk_norm_row = true;
  for (const auto& [heads, kv_heads, dim] : {std::array<int64_t, 3>{7, 1, 128}, {3, 3, 16}, {9, 3, 64}}) {
    model.heads = heads;
    model.kv_heads = kv_heads;
    model.head_dim = dim;
    for (const char* dtype : {"bf16", "f16", "f32"}) {
      saves(case_of(model, dtype, StepKind::kDecode, 2, 1, 3), 5);
      saves(case_of(model, dtype, StepKind::kPrefill, 1, 5, 3), 5 - 1);  // more rows than multiprocessors
    }
  }
  model.rope_interleaved = true;
  model.head_dim = 24;  // no power of 2 lanes: nothing is exchanged
  saves(case_of(model, "bf16", StepKind::kDecode, 2, 1, 3), 5);
}

// A block of a video model has two residual adds that a layer norm follows, one of them gated, and one RoPE before its
// KV append and behind two norms. Where nothing is exposed the norms of queries and keys and RoPE work in place.
TEST(Fusion, AVideoBlockTakesFiveLaunchesLess) {
  VideoShape video = plain::small_shape(TextStream::kCross);
  video.dit.hidden = 32;
  video.dit.rope_dims = {4, 4, 8};
  Case c = plain::small_case(video, StepKind::kDit);
  c.dtype = "bf16";
  saves(c, 2 * 5, "own");
  video.dit.hidden = 72;
  video.dit.heads = 3;
  video.dit.rope_dims = {8, 8, 8};
  for (const char* dtype : {"bf16", "f32"}) {
    Case odd = plain::small_case(video, StepKind::kDit);
    odd.dtype = dtype;
    saves(odd, 2 * 5, "own");
  }
}

// Of two streams the video's alone is turned, and the other's product stands before the append: two launches less for
// the norms and RoPE of either block, and in the first one a gated add with its norm for each stream.
TEST(Fusion, NormsAndRopeWithoutAnAppendBehindThem) {
  VideoShape video = plain::small_shape(TextStream::kDual);
  video.dit.hidden = 48;
  video.dit.heads = 3;
  video.dit.rope_dims = {4, 4, 8};
  Case c = plain::small_case(video, StepKind::kDit);
  for (const char* dtype : {"bf16", "f32"}) {
    c.dtype = dtype;
    saves(c, 2 * 2 + 2, "own");
  }
}

// The library makes the GELU of a product while it has its sums: of each block's MLP and of the text's, where nobody
// else reads the product. One rounding less than apart, so as near as bf16 is.
TEST(Fusion, TheLibraryMakesAProductsGelu) {
  Case c = plain::small_case(plain::small_shape(TextStream::kCross), StepKind::kDit);
  c.dtype = "bf16";
  Stepped fused, apart, exposed;
  three_steps(c, {{"fusion", "on"}}, false, &fused);
  three_steps(c, {{"fusion", "off"}}, false, &apart);
  EXPECT_EQ(apart.launches - fused.launches, 2 * 2 + 3U) << fused.executed;  // and two adds with their norms a block
  EXPECT_NE(fused.executed.find("a product and its GELU"), std::string::npos) << fused.executed;
  const std::vector<char>&made = fused.values.at("denoised"), &expected = apart.values.at("denoised");
  double squares = 0, norm = 0;
  for (size_t i = 0; i + 1 < made.size(); i += 2) {
    uint16_t a = 0, b = 0;
    std::memcpy(&a, &made[i], 2);
    std::memcpy(&b, &expected[i], 2);
    const double x = from_bf16(a), y = from_bf16(b);
    squares += (x - y) * (x - y);
    norm += y * y;
  }
  EXPECT_LE(std::sqrt(squares / norm), 1e-2);
  {
    const Setting slow("kernel_ns", 100'000'000);  // own kernels, so that timing prefers the one call
    Stepped timed;
    three_steps(c, {{"fusion", "on"}, {"search", "2"}}, false, &timed);
    EXPECT_EQ(timed.launches, fused.launches) << timed.executed;
    EXPECT_TRUE(timed.values == fused.values);
  }
  three_steps(c, {{"fusion", "on"}}, true, &exposed);
  EXPECT_EQ(exposed.executed.find("a product and its GELU"), std::string::npos) << "what is read must be written";
}

}  // namespace
}  // namespace assay::gpu_test
