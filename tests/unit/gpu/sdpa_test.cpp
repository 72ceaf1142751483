// Attention by the vendor's library: taken where it is faster and right, said in what the program tells of itself.
#include <gmock/gmock.h>

#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

// 20 queries of 4 heads on 2, before which `slots` - 20 keys may lie.
Graph attention_graph(int mask, int64_t slots) {
  Graph g;
  g.scalars = {"pos"};
  g.tensors = {{"q", ASSAY_BF16, ASSAY_ROLE_INPUT, {20, 64}, -1, 0, {}},
               {"k", ASSAY_BF16, ASSAY_ROLE_STATE, {1, slots, 2, 16}, -1, 0, {}},
               {"v", ASSAY_BF16, ASSAY_ROLE_STATE, {1, slots, 2, 16}, -1, 0, {}},
               {"y", ASSAY_BF16, ASSAY_ROLE_OUTPUT, {20, 64}, -1, 0, {}}};
  const double window = mask == ASSAY_MASK_WINDOW ? 8 : 0;
  std::vector<double> attributes{1, 4, 2, 16, 16, 0.25, static_cast<double>(mask), window, 0};
  g.ops = {{ASSAY_OP_ATTENTION, "attention", -1, {0, 1, 2}, {3}, std::move(attributes), 0, nullptr, 0}};
  return g;
}

// The same with its caches in pages of 16, three a sequence.
Graph paged_graph(int mask, int64_t batch, int64_t tokens) {
  Graph g = attention_graph(mask, 48);
  g.tensors[0].dims = g.tensors[3].dims = {batch * tokens, 64};
  g.tensors[1].dims = g.tensors[2].dims = {3 * batch, 16, 2, 16};
  g.tensors.push_back({"pages", ASSAY_I32, ASSAY_ROLE_INPUT, {batch, 3}, -1, 0, {}});
  g.ops[0].in = {0, 1, 2, kNoTensor, kNoTensor, 4};
  g.ops[0].attr[0] = static_cast<double>(batch);
  g.ops[0].attr.insert(g.ops[0].attr.end(), {0, 0, 0});
  return g;
}

std::string executed(const Graph& g, const Adapter::Options& options = {{"attention", "fastest"}}) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", options);
  if (!adapter.ok()) return adapter.error().message;
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(g, 0);
  return program.ok() ? (*program)->info().executed : program.error().message;
}

TEST(Sdpa, TheFasterIsTaken) {
  const Graph g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  {
    const Setting slow("kernel_ns", 60'000'000'000);
    EXPECT_THAT(executed(g), MatchesRegex("attention of 20 queries and 40 keys of 16: libcudnn.so.9 9.19.0, "
                                          "[0-9.e+]+ ms .own kernel [0-9.e+]+ ms.*"));
  }
  {
    const Setting slow("dnn_ns", 60'000'000'000);
    EXPECT_THAT(executed(g), MatchesRegex("attention of 20 queries and 40 keys of 16: own kernel, [0-9.e+]+ ms "
                                          ".libcudnn.so.9 9.19.0 [0-9.e+]+ ms.*"));
  }
  EXPECT_THAT(executed(g, {{"attention", "own"}}), HasSubstr("own kernel"));
}

TEST(Sdpa, WrongValuesAndRefusalsLeaveTheOwnKernel) {
  const Graph g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  {
    const Setting wrong("dnn_wrong", 1);
    EXPECT_THAT(executed(g), HasSubstr("own kernel; libcudnn.so.9 9.19.0 gave other values"));
  }
  const Setting refuse("dnn_refuse", 1);
  EXPECT_EQ(executed(g),
            "attention of 20 queries and 40 keys of 16: own kernel; libcudnn.so.9 9.19.0 has no plan for it");
}

// What the library is not asked about is told.
TEST(Sdpa, TheOwnKernelSaysWhyItRuns) {
  const std::string begin = "attention of 20 queries and 40 keys of 16: own kernel; the library is not asked about ";
  Graph g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  for (const size_t t : {1, 2}) g.tensors[t].dtype = ASSAY_F32;
  EXPECT_EQ(executed(g), begin + "what is not all bf16, or all f16");
  g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  g.tensors.push_back({"index", ASSAY_I32, ASSAY_ROLE_INPUT, {20, 8}, -1, 0, {}});
  g.ops[0].in = {0, 1, 2, kNoTensor, 4};
  g.ops[0].attr.insert(g.ops[0].attr.end(), {0, 0, 0});
  EXPECT_EQ(executed(g), begin + "keys that an index chooses");
}

// Of few queries two of the library's plans are timed.
TEST(Sdpa, TheFasterPlanIsTaken) {
  const Setting slow("kernel_ns", 60'000'000'000), more("dnn_more_proposals", 2);
  const std::string name = "libcudnn.so.9 9.19.0", begin = "attention of 1 query and 48 keys of 16 in pages of 16: ";
  {
    const Setting first("dnn_ns", 1'000'000'000);
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 2, 1)),
                MatchesRegex(begin + name + " plan 2, [0-9.e+-]+ ms .*" + name + " [0-9.e+-]+ ms.*"));
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 1, 20)), Not(HasSubstr("plan 2")));
  }
  const Setting others("dnn_ns_of_others", 1'000'000'000);
  EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 2, 1)),
              MatchesRegex(begin + name + ", [0-9.e+-]+ ms .*" + name + " plan 2 [0-9.e+-]+ ms.*"));
  const Setting fail("dnn_fail", 2);
  EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 2, 1)), HasSubstr("variant pack failed with status 2000"));
}

// Read where they lie, in both forms; what a trial wrote into the table is gone.
TEST(Sdpa, KeysInPages) {
  const Setting slow("kernel_ns", 60'000'000'000);
  for (const auto& [version, name] : std::map<int64_t, std::string>{{91900, "libcudnn.so.9 9.19.0, "},
                                                                    {92100, "libcudnn.so.9 9.21.0 (SDPA node), "}}) {
    const Setting since("dnn_version", version);
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 2, 1)),
                HasSubstr("attention of 1 query and 48 keys of 16 in pages of 16: " + name));
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 1, 20)), HasSubstr(name));
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_WINDOW, 3, 5)), HasSubstr(name));
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_FULL, 1, 20)), HasSubstr("own kernel; the library is not asked about"));
  }
  {
    const Setting refuse("dnn_refuse", 1);
    EXPECT_THAT(executed(paged_graph(ASSAY_MASK_CAUSAL, 1, 20)),
                HasSubstr("own kernel; libcudnn.so.9 9.19.0 has no plan"));
  }
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"attention", "fastest"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(paged_graph(ASSAY_MASK_CAUSAL, 2, 1), 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  std::vector<int32_t> table(6, -1);
  ASSERT_TRUE((*program)->read(4, 0, table.data(), table.size() * 4).ok());
  EXPECT_EQ(table, std::vector<int32_t>(6, 0));
  const int64_t pos = 3;
  const assay_run_args args{sizeof(args), 1, &pos};
  assay_run* handle = nullptr;
  EXPECT_EQ((*program)->submit(&args, &handle), ASSAY_INVALID_ARGUMENT);
}

// Failing when it is first run, or bound to its tensors, at prepare: the own kernel runs and the record says why.
TEST(Sdpa, AFailureAtTheFirstExecutionLeavesTheOwnKernel) {
  const Graph g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  for (const auto& [kind, said] : std::map<int64_t, std::string>{{1, "attention failed with status 5000"},
                                                                 {2, "variant pack failed with status 2000"}}) {
    const Setting fail("dnn_fail", kind);
    EXPECT_THAT(executed(g),
                HasSubstr("attention of 20 queries and 40 keys of 16: own kernel; libcudnn.so.9 9.19.0: " + said));
  }
  // A program of the same shape that comes later tries no more.
  const Setting fail("dnn_fail", 1);
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"attention", "fastest"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  for (int i = 0; i < 2; ++i) {
    Result<std::unique_ptr<Program>> program = (*adapter)->prepare(g, 0);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_THAT((*program)->info().executed, HasSubstr("own kernel; libcudnn.so.9"));
    const int64_t pos = 3;
    const assay_run_args args{sizeof(args), 1, &pos};
    assay_run* handle = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof(result);
    ASSERT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
    ASSERT_EQ((*program)->wait(handle, &result), ASSAY_OK);
  }
}

// In both forms. Taking the library's values means that they agree with the own kernel's.
TEST(Sdpa, OnlyMasksThatTheGraphHas) {
  const Setting slow("kernel_ns", 60'000'000'000);
  for (const auto& [version, name] : std::map<int64_t, std::string>{{91900, "libcudnn.so.9 9.19.0, "},
                                                                    {92100, "libcudnn.so.9 9.21.0 (SDPA node), "}}) {
    const Setting since("dnn_version", version);
    EXPECT_THAT(executed(attention_graph(ASSAY_MASK_CAUSAL, 40)), HasSubstr(name));
    EXPECT_THAT(executed(attention_graph(ASSAY_MASK_CROSS, 40)), HasSubstr(name));
    EXPECT_THAT(executed(attention_graph(ASSAY_MASK_FULL, 20)), HasSubstr(name));
    EXPECT_THAT(executed(attention_graph(ASSAY_MASK_FULL, 40)),
                HasSubstr("own kernel; the library is not asked about all"));
    EXPECT_THAT(executed(attention_graph(ASSAY_MASK_WINDOW, 40)), HasSubstr(name));
  }
  const Setting since("dnn_version", 92100), refused("dnn_refuse_node", 1);
  EXPECT_THAT(executed(attention_graph(ASSAY_MASK_WINDOW, 40)), HasSubstr("libcudnn.so.9 9.21.0, ")) << "as a graph";
}

// Keys in two parts, one of them shared by all heads (MLA's prefill), become whole ones for matrix cores and the
// library.
TEST(Sdpa, KeysInTwoParts) {
  Graph g = attention_graph(ASSAY_MASK_CAUSAL, 40);
  g.tensors[0].dims = {20, 4 * 32};
  g.tensors[1].dims = {1, 40, 4, 24 + 16};
  g.tensors[2] = {"rope", ASSAY_BF16, ASSAY_ROLE_STATE, {1, 40, 1, 8}, -1, 0, {}};
  g.ops[0].in = {0, 1, 1, 2};
  g.ops[0].attr = {1, 4, 4, 32, 16, 0.25, ASSAY_MASK_CAUSAL, 0, 0, 8, 0, 24};
  const Setting slow("kernel_ns", 60'000'000'000);
  EXPECT_THAT(executed(g), HasSubstr("attention of 20 queries and 40 keys of 32: libcudnn.so.9 9.19.0"));
  EXPECT_EQ(executed(g, {{"attention", "own"}}), "attention of many tokens: own kernel on matrix cores");
}

}  // namespace
}  // namespace assay::gpu_test
