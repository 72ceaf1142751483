// Every op of the suites at every dtype, on the stand-in, against the double-precision reference: the same check that
// precedes each measurement.
#include <algorithm>

#include "suites/video_case.h"
#include "tests/unit/gpu/on_standin.h"
#include "tests/unit/gpu/small_models.h"
#include "tests/unit/suites/plain_model.h"

namespace assay::gpu_test {
namespace {

class OnStandin : public testing::Test {
 protected:
  void passes(const Case& c, const Adapter::Options& options = {}) {
    Result<std::unique_ptr<Adapter>> adapter = open("cuda", options);
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    const HostThreads threads{1};
    Pulse pulse(&page_);
    const Bench bench{**adapter, 0, threads, pulse, 7};
    const Result<TraceRun> run = run_trace(bench, c, true);
    ASSERT_TRUE(run.ok()) << c.id() << ": " << run.error().message;
    EXPECT_EQ(run->numerics.verdict, "pass") << c.id() << ": " << run->numerics.reason;
    EXPECT_GT(run->numerics.ops.size(), 0U);
    EXPECT_EQ(standin("cuda", "overrun"), 0) << c.id() << " wrote outside its memory";
  }
  SharedPage page_{};
};

TEST_F(OnStandin, PrefillAndDecodeInEveryDtype) {
  for (const std::string& dtype : dtype_plan_names()) {
    const bool whole_rows = dtype.find("g16") == std::string::npos;
    if (!whole_rows && dtype.find("fp8") != std::string::npos) continue;
    ModelShape model = llama();
    model.hidden = 128;  // blocks of scales must divide the rows
    model.ffn = 128;
    passes(case_of(model, dtype, StepKind::kDecode, 2, 1, 5));
    passes(case_of(model, dtype, StepKind::kPrefill, 1, 70, 0));
  }
}

TEST_F(OnStandin, ProductsInOwnKernels) {
  for (const char* dtype : {"f32", "bf16", "f16", "int8", "int8_w8a8"}) {
    passes(case_of(llama(), dtype, StepKind::kPrefill, 1, 20, 3), {{"products", "own"}});
  }
}

TEST_F(OnStandin, EightBitFloatsWithoutScalesInTheLibrary) {
  const Setting none("outer_scales", 0);
  ModelShape model = llama();
  model.hidden = model.ffn = 128;
  passes(case_of(model, "fp8_w8a8", StepKind::kPrefill, 1, 20, 3));
  passes(case_of(model, "fp8_w8a8", StepKind::kPrefill, 1, 20, 3), {{"products", "own"}});
}

TEST_F(OnStandin, AttentionByTheLibrary) {
  const Setting slow("kernel_ns", 1'000'000'000);  // so that the library is taken
  const Adapter::Options options{{"attention", "fastest"}};
  for (const char* dtype : {"bf16", "f16"}) {
    passes(case_of(llama(), dtype, StepKind::kPrefill, 2, 20, 13), options);
    passes(case_of(llama(), dtype, StepKind::kDecode, 3, 1, 40), options);
    ModelShape windows = llama();
    windows.window = 10;
    windows.window_period = 2;
    passes(case_of(windows, dtype, StepKind::kPrefill, 1, 20, 13), options);
    Case c = plain::small_case(plain::small_shape(TextStream::kCross), StepKind::kDit);
    c.dtype = dtype;
    passes(c, options);
  }
}

TEST_F(OnStandin, ManySplitsOfOneLongCache) {
  passes(case_of(llama(), "bf16", StepKind::kDecode, 1, 1, 2100));
  passes(case_of(llama(), "f32", StepKind::kDecode, 3, 1, 700));
}

// Head sizes, groups of heads, windows and shares of the keys that the kernels for decoding are made for.
TEST_F(OnStandin, DecodingReadsEveryKeyOnce) {
  for (const char* dtype : {"f32", "bf16", "f16"}) {
    ModelShape model = llama();
    model.layers = 1;
    model.head_dim = 64;
    model.heads = 7;  // of one KV head: a group that fills no whole number of rows
    model.kv_heads = 1;
    passes(case_of(model, dtype, StepKind::kDecode, 2, 1, 300));
    model.head_dim = 128;
    model.heads = 6;
    model.kv_heads = 2;
    model.window = 200;
    model.window_period = 1;
    passes(case_of(model, dtype, StepKind::kDecode, 1, 1, 333));
    model.heads = 10;
    model.kv_heads = 1;
    passes(case_of(model, dtype, StepKind::kPrefill, 1, 3, 131));
  }
}

// Caches in pages: the kernels for decoding, on matrix cores and for any shape, RoPE with and without the appending.
TEST_F(OnStandin, CachesInPages) {
  const auto check = [this](Case c, int64_t page, const Adapter::Options& options = {}) {
    c.page_tokens = page;
    passes(c, options);
  };
  for (const char* dtype : {"f32", "bf16"}) {
    ModelShape model = llama();
    check(case_of(model, dtype, StepKind::kDecode, 3, 1, 40), 7);
    check(case_of(model, dtype, StepKind::kPrefill, 2, 20, 13), 16, {{"attention", "fastest"}, {"fusion", "off"}});
    model.layers = 1;
    model.head_dim = 64;
    model.window = 200;
    model.window_period = 2;
    check(case_of(model, dtype, StepKind::kDecode, 2, 1, 300), 16);
    ModelShape latent = with_latent();
    latent.indexer = {};
    check(case_of(latent, dtype, StepKind::kDecode, 3, 1, 40), 16);
  }
}

// The same by the library, whose own load of pages takes no key past a sequence's end: batches, windows, a latent cache
// and lengths that end inside a page, as a graph of ops and as one node.
TEST_F(OnStandin, CachesInPagesByTheLibrary) {
  const Setting slow("kernel_ns", 1'000'000'000);  // so that the library is taken
  for (const int64_t version : {91900, 92100}) {
    const Setting since("dnn_version", version);
    const auto check = [this](const ModelShape& model, const char* dtype, StepKind kind, int64_t batch,
                              int64_t tokens) {
      Case c = case_of(model, dtype, kind, batch, tokens, 37);
      c.page_tokens = 16;
      passes(c, {{"attention", "fastest"}});
    };
    ModelShape model = llama();
    model.window = 20;
    model.window_period = 2;
    check(model, "bf16", StepKind::kDecode, 3, 1);
    check(model, "f16", StepKind::kPrefill, 2, 20);
    ModelShape latent = with_latent();
    latent.indexer = {};
    check(latent, "bf16", StepKind::kDecode, 2, 1);
  }
}

TEST_F(OnStandin, AWrongPageTableIsRefused) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  Case c = case_of(llama(), "f32", StepKind::kDecode, 2, 1, 20);
  c.page_tokens = 16;
  const Graph graph = lower(c, {}).value();
  const uint32_t table = page_table_of(
      *std::find_if(graph.ops.begin(), graph.ops.end(), [](const Op& op) { return op.kind == ASSAY_OP_ATTENTION; }));
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  const int64_t pos = 20;
  const assay_run_args args{sizeof(assay_run_args), 1, &pos};
  for (const int32_t wrong : {4, -1, 2}) {  // of 4 pages; 2 stands in it already
    const int32_t pages[] = {3, 2, wrong, 0};
    ASSERT_TRUE((*program)->write(table, 0, pages, sizeof pages).ok());
    assay_run* run = nullptr;
    EXPECT_EQ((*program)->submit(&args, &run), ASSAY_INVALID_ARGUMENT) << wrong;
  }
}

TEST_F(OnStandin, WindowsAndLongPrompts) {
  ModelShape model = llama();
  model.window = 20;
  model.window_period = 2;
  passes(case_of(model, "bf16", StepKind::kPrefill, 2, 90, 10));
  passes(case_of(model, "f32", StepKind::kPrefill, 1, 40, 10));
}

TEST_F(OnStandin, Experts) {
  for (const char* dtype : {"f32", "bf16", "int8", "int8_w8a8", "fp8_w8a8"}) {
    passes(case_of(with_experts(), dtype, StepKind::kPrefill, 1, 40, 0));
    passes(case_of(with_experts(), dtype, StepKind::kDecode, 4, 1, 6));
  }
}

// Norms of queries and keys with RoPE behind them, as Qwen3 and as Wan have them, odd counts of heads among them.
TEST_F(OnStandin, NormsOfQueriesAndKeys) {
  ModelShape model = llama();
  model.layers = 1;
  model.qkv_bias = false;
  model.heads = 5;
  model.kv_heads = 1;
  model.head_dim = 128;
  VideoShape video = plain::small_shape(TextStream::kCross);
  video.dit.hidden = 72;
  video.dit.heads = 3;
  video.dit.rope_dims = {8, 8, 8};
  for (const char* dtype : {"f32", "bf16", "f16"}) {
    for (const bool of_rows : {false, true}) {
      model.qk_norm = !of_rows;
      model.qk_norm_row = of_rows;
      passes(case_of(model, dtype, StepKind::kPrefill, 2, 7, 3));
      passes(case_of(model, dtype, StepKind::kDecode, 3, 1, 40));
      video.dit.qk_norm = of_rows ? QkNorm::kRows : QkNorm::kHeads;
      Case c = plain::small_case(video, StepKind::kDit);
      c.dtype = dtype;
      passes(c);
    }
  }
}

TEST_F(OnStandin, LatentAttentionWithChosenKeys) {
  for (const char* dtype : {"f32", "bf16"}) {
    passes(case_of(with_latent(), dtype, StepKind::kPrefill, 1, 30, 4));
    passes(case_of(with_latent(), dtype, StepKind::kDecode, 3, 1, 40));
  }
}

// Whole keys are made of the latent's and the rotated part: of more than 16 queries, in 16 bits.
TEST_F(OnStandin, LatentAttentionOfManyQueries) {
  ModelShape model = with_latent();
  model.indexer = {};
  model.mla.nope_dim = 24;
  const Setting slow("kernel_ns", 1'000'000'000);
  const Case c = case_of(model, "bf16", StepKind::kPrefill, 2, 20, 7);
  passes(c);
  passes(c, {{"attention", "fastest"}});
}

TEST_F(OnStandin, VideoSteps) {
  for (const TextStream stream : {TextStream::kCross, TextStream::kJoint, TextStream::kDual}) {
    for (const char* dtype : {"f32", "bf16"}) {
      Case c = plain::small_case(plain::small_shape(stream), StepKind::kDit);
      c.dtype = dtype;
      passes(c);
    }
  }
  for (const StepKind kind : {StepKind::kTextEncoder, StepKind::kVaeTile}) {
    Case c = plain::small_case(plain::small_shape(TextStream::kCross), kind);
    passes(c);
    c.dtype = "bf16";
    passes(c);
  }
}

}  // namespace
}  // namespace assay::gpu_test
