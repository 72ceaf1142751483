// Where the libraries of the reference machine mislead: what they can't do here is found by trying, and what the
// adapter did instead is said.
#include <filesystem>
#include <fstream>

#include "adapters/cpu/memory.h"
#include "adapters/cpu/onednn.h"
#include "gmock/gmock.h"
#include "tests/support/scratch.h"
#include "tests/unit/cpu/cpu_program.h"

namespace assay::cpu_test {
namespace {

using testing::HasSubstr;
using testing::Not;

// Whether oneDNN multiplies bf16 on this CPU: Debian's 2.6.3 lists the type and then makes no primitive without
// AVX-512.
bool onednn_multiplies_bf16() {
  const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  const auto desc = [](int64_t rows, int64_t cols, dnnl::memory::data_type type) {
    return dnnl::memory::desc({rows, cols}, type, dnnl::memory::format_tag::ab);
  };
  using Type = dnnl::memory::data_type;
  try {
    (void)cpu::matmul_on(engine, desc(16, 64, Type::bf16), desc(64, 32, Type::bf16), desc(16, 32, Type::f32), {});
    return true;
  } catch (const dnnl::error& refused) {
    EXPECT_EQ(refused.status, dnnl_unimplemented);
    return false;
  }
}

class Machine : public EveryLevel {
 protected:
  // What the adapter says it executed for x w^T of [m,64] and [32,64]; the product is checked against a double loop.
  std::string executed(uint32_t x_dtype, uint32_t w_dtype, int64_t m) {
    constexpr int64_t kOut = 32, kDepth = 64;
    Program p;
    const uint32_t x = p.tensor(x_dtype, ASSAY_ROLE_INPUT, {m, kDepth});
    const uint32_t w = p.tensor(w_dtype, ASSAY_ROLE_WEIGHT, {kOut, kDepth});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {m, kOut});
    p.op(ASSAY_OP_MATMUL, {x, w}, {y});
    p.prepare(adapter_);
    const Doubles xv = p.write_normal(x, 1), wv = p.write_normal(w, 2);
    EXPECT_EQ(p.step(), ASSAY_OK) << Adapter::error();
    Doubles expected;
    for (size_t i = 0; i < static_cast<size_t>(m); ++i) {
      for (size_t j = 0; j < kOut; ++j) {
        double sum = 0;
        for (size_t l = 0; l < kDepth; ++l) sum += xv[i * kDepth + l] * wv[j * kDepth + l];
        expected.push_back(sum);
      }
    }
    EXPECT_LT(relative_error(p.read(y), expected), 1e-5);
    assay_program_info info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(adapter_.program().info(p.handle(), &info), ASSAY_OK);
    return info.executed;
  }
};

TEST_P(Machine, ABf16ProductIsMultipliedInBf16OnlyWhereTheLibraryDoes) {
  const std::string said = executed(ASSAY_BF16, ASSAY_BF16, 16);
  if (onednn_multiplies_bf16() && std::string(GetParam().options.at("isa")) == "avx512") {
    EXPECT_THAT(said, HasSubstr("in bf16 summed in f32"));
  } else {
    EXPECT_THAT(said, AllOf(HasSubstr("in f32, bf16 weights widened tile by tile"), Not(HasSubstr("in bf16"))));
  }
  EXPECT_THAT(said, HasSubstr("; bf16 activations kept in f32 between ops;"));
  EXPECT_THAT(executed(ASSAY_F32, ASSAY_BF16, 16), HasSubstr("; activations in f32 as asked;"));
}

// Queries and a cache in bf16 are multiplied in it only where the CPU does; f32 queries never.
TEST_P(Machine, AttentionOfManyQueriesSaysWhatItMultipliesIn) {
  for (const uint32_t dtype : {ASSAY_BF16, ASSAY_F32}) {
    Program p;
    const uint32_t q = p.tensor(dtype, ASSAY_ROLE_INPUT, {3, 64});
    const uint32_t k = p.tensor(ASSAY_BF16, ASSAY_ROLE_STATE, {1, 8, 1, 32});
    const uint32_t v = p.tensor(ASSAY_BF16, ASSAY_ROLE_STATE, {1, 8, 1, 32});
    const uint32_t y = p.tensor(ASSAY_F32, ASSAY_ROLE_OUTPUT, {3, 64});
    p.op(ASSAY_OP_ATTENTION, {q, k, v}, {y}, {1, 2, 1, 32, 32, 0.2, ASSAY_MASK_CAUSAL, 0, 0}, true);
    p.prepare(adapter_);
    assay_program_info info{};
    info.struct_size = sizeof info;
    ASSERT_EQ(adapter_.program().info(p.handle(), &info), ASSAY_OK);
    const std::string said = info.executed;
    const bool can = std::string(GetParam().options.at("isa")) == "avx512" && __builtin_cpu_supports("avx512bf16");
    if (can && dtype == ASSAY_BF16) {
      EXPECT_THAT(said, AllOf(HasSubstr("products in bf16 summed in f32"), Not(HasSubstr("tiled kernel in f32"))));
      EXPECT_THAT(said, HasSubstr("; bf16 activations kept in f32 between ops, KV cache in bf16 as asked;"));
    } else {
      EXPECT_THAT(said, AllOf(HasSubstr("own tiled kernel in f32"), Not(HasSubstr("products in bf16"))));
    }
  }
}

// A GEMM of one row runs at a quarter of the speed of reading its weights.
TEST_P(Machine, AProductOfOneRowNeverGoesThroughAGemm) {
  for (const uint32_t dtype : {ASSAY_F32, ASSAY_BF16, ASSAY_F16}) {
    const std::string said = executed(ASSAY_F32, dtype, 1);
    EXPECT_THAT(said, AllOf(HasSubstr("matmul up to 8 rows: own kernels"), Not(HasSubstr("oneDNN"))));
  }
  EXPECT_THAT(executed(ASSAY_F32, ASSAY_F32, 9), AllOf(HasSubstr("oneDNN"), Not(HasSubstr("own kernels"))));
}

// Two L3 of 32 MiB, each shared by two of four CPUs, under an L2 each: 64 MiB are the last level.
TEST(Caches, OfTheLastLevelTogether) {
  const ScratchFolder scratch;
  const std::filesystem::path& root = scratch.path();
  const auto write = [&](int cpu, int index, int level, const char* size, const char* shared) {
    const auto dir = root / ("cpu" + std::to_string(cpu)) / "cache" / ("index" + std::to_string(index));
    std::filesystem::create_directories(dir);
    std::ofstream(dir / "level") << level << "\n";
    std::ofstream(dir / "size") << size << "\n";
    std::ofstream(dir / "shared_cpu_list") << shared << "\n";
  };
  for (int cpu = 0; cpu < 4; ++cpu) write(cpu, 0, 2, "1024K", std::to_string(cpu).c_str());
  EXPECT_EQ(cpu::last_level_cache_bytes(root), 0u);  // nothing says that there is no L3
  for (int cpu = 0; cpu < 4; ++cpu) write(cpu, 1, 3, "32768K", cpu < 2 ? "0-1" : "2-3");
  EXPECT_EQ(cpu::last_level_cache_bytes(root), 64u << 20);
  EXPECT_EQ(cpu::last_level_cache_bytes(root / "nothing"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Adapter, Machine, testing::ValuesIn(levels()), level_name);

}  // namespace
}  // namespace assay::cpu_test
