// Which of the product library's algorithms runs: the fastest by timing, remembered in a file that is checked.
#include <gmock/gmock.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include "adapters/gpu/tuning.h"
#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

struct Ran {
  int64_t algorithm = -1;
  std::string executed;
};

class Search : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  // The stand-in's algorithms 0 to 3 are equal but for `fast`, which takes 50 ms less of the device's time.
  Ran run(int64_t fast, const std::string& search = "8") {
    const Setting setting("fast_algorithm", fast);
    Ran out;
    Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"cache_dir", folder_.string()}, {"search", search}});
    if (!adapter.ok()) {
      ADD_FAILURE() << adapter.error().message;
      return out;
    }
    Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
    if (!program.ok()) {
      ADD_FAILURE() << program.error().message;
      return out;
    }
    std::vector<float> y(16 * 64, 1);
    EXPECT_TRUE((*program)->read(2, 0, y.data(), y.size() * sizeof(float)).ok());
    EXPECT_EQ(y, std::vector<float>(y.size(), 0)) << "timing left its traces";
    const assay_run_args args{sizeof(args), 1, nullptr};
    assay_run* handle = nullptr;
    assay_run_result result{};
    result.struct_size = sizeof(result);
    EXPECT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
    EXPECT_EQ((*program)->wait(handle, &result), ASSAY_OK);
    out.algorithm = standin("cuda", "last_algorithm");
    out.executed = (*program)->info().executed;
    return out;
  }

  [[nodiscard]] std::string text() const {
    std::ifstream in(file_);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& text) const { std::ofstream(file_) << text; }

  const fs::path folder_ = fs::temp_directory_path() / ("assay-products-" + std::to_string(getpid()));
  const fs::path file_ = folder_ / "cuda_products.tsv";
};

TEST_F(Search, TheFastestIsChosenAndRemembered) {
  const Ran first = run(2);
  EXPECT_EQ(first.algorithm, 2);
  EXPECT_THAT(first.executed, HasSubstr("1 by the fastest of up to 8 algorithms timed before"));
  EXPECT_THAT(text(), HasSubstr("stand-in of NVIDIA; runtime 13.0, driver 13.0; libcublasLt.so.13 13.1.1\t"));

  const Ran second = run(1);  // another is the fastest now, which nobody times again
  EXPECT_EQ(second.algorithm, 2);
  EXPECT_THAT(second.executed, HasSubstr("1 by one timed earlier (cuda_products.tsv)"));

  const Ran untimed = run(1, "1");
  EXPECT_EQ(untimed.algorithm, 0);
  EXPECT_THAT(untimed.executed, HasSubstr("1 by the library's first choice, untimed"));
}

TEST_F(Search, WeightsThatFitTheCacheAreSweptOutBetween) {
  const int64_t before = standin("cuda", "set_bytes"), sweep = 4 << 20;  // the stand-in's L2 has 1 MiB
  run(2, "1");
  const int64_t untimed = standin("cuda", "set_bytes");
  EXPECT_LT(untimed - before, sweep);
  run(2);
  EXPECT_GE(standin("cuda", "set_bytes") - untimed, 5 * 4 * sweep) << "four algorithms in five rounds";
  EXPECT_THAT(text(), HasSubstr(" cold\t"));
}

TEST_F(Search, AnotherLibraryTimesAnew) {
  EXPECT_EQ(run(2).algorithm, 2);
  {
    const Setting newer("blaslt_version", 130200);
    EXPECT_EQ(run(1).algorithm, 1);
  }
  EXPECT_EQ(run(3).algorithm, 2) << "the other's line is still there";
}

TEST_F(Search, BadLinesAreIgnored) {
  EXPECT_EQ(run(2).algorithm, 2);
  const std::string good = text();
  const size_t words = good.find('\t', good.find('\t') + 1) + 1;  // the third field, the algorithm
  const std::string bad[] = {"not a line\n", good.substr(0, good.size() / 2), std::string(9000, 'x') + "\n",
                             good.substr(0, words) + "00000000deadbeef" + good.substr(words + 16),  // no algorithm
                             good.substr(0, words) + "zz" + good.substr(words + 2)};
  const std::string other_digit = good.substr(0, words) + "1" + good.substr(words + 1);  // its check is the old one's
  for (const std::string& line :
       {bad[0], bad[1], bad[2], bad[3], bad[4], other_digit, good.substr(0, good.size() - 2)}) {
    write(line);
    const Ran again = run(1);
    EXPECT_EQ(again.algorithm, 1) << line;
    EXPECT_THAT(again.executed, HasSubstr("timed before")) << line;
    EXPECT_EQ(run(3).algorithm, 1) << "not mended: " << line;
  }
}

TEST_F(Search, MoreAlgorithmsAskedForAreTimedAnew) {
  EXPECT_EQ(run(2, "3").algorithm, 2);
  EXPECT_EQ(run(3, "2").algorithm, 2) << "the best of three is good for two";
  EXPECT_EQ(run(3, "8").algorithm, 3) << "the fourth was not among three";
}

// The file of three writers at once holds what each of them found.
TEST_F(Search, WritersAtOnceLoseNothing) {
  constexpr int kWriters = 3, kShapes = 40;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      gpu::TuningFile file(file_.string(), "a device", 1);
      for (int i = 0; i < kShapes; ++i) {
        EXPECT_EQ(file.keep(std::to_string(w) + " " + std::to_string(i), {{7}, 0, 1000, 8}), "");
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const gpu::TuningFile file(file_.string(), "a device", 1);
  EXPECT_EQ(file.complaint(), "");
  for (int w = 0; w < kWriters; ++w) {
    for (int i = 0; i < kShapes; ++i) {
      const gpu::Tuned* tuned = file.find(std::to_string(w) + " " + std::to_string(i));
      ASSERT_NE(tuned, nullptr) << "writer " << w << ", shape " << i;
      EXPECT_EQ(tuned->candidates, 8U);
    }
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1) << "nothing else is left";
}

// A row's product and the gate of its halves. Whole numbers and scales of powers of two, so that sums are exact in any
// order: x 1 to 3, w -2 to 2.
struct RowProduct {
  static constexpr int64_t kColumns = 130;
  uint32_t dtype = 0, left = 0;
  int64_t block = 0;  // of a scale; 0: none

  // A group of a warp's ring, and a part of one; 4 to 32 weights in a vector.
  [[nodiscard]] int64_t depth() const { return (4 * 32 + 6) * 128 / bits(); }
  [[nodiscard]] int64_t bits() const { return dtype == ASSAY_I4 ? 4 : static_cast<int64_t>(8 * code(dtype, 1).size()); }
  static int64_t x(int64_t k) { return k % 3 + 1; }
  static int64_t w(int64_t n, int64_t k) { return (n + 3 * k + k / 64) % 5 - 2; }
  static double scale(int64_t n, int64_t b) { return (n + b) % 2 == 0 ? 0.5 : 2; }

  // The codes of -2 to 3 in a dtype, as IEEE 754 and OCP's 8-bit format have them.
  static std::string code(uint32_t of, int64_t value) {
    static const std::map<uint32_t, std::array<uint32_t, 4>> kMagnitudes{
        {ASSAY_F32, {0, 0x3f800000, 0x40000000, 0x40400000}},
        {ASSAY_F16, {0, 0x3c00, 0x4000, 0x4200}},
        {ASSAY_BF16, {0, 0x3f80, 0x4000, 0x4040}},
        {ASSAY_F8E4M3, {0, 0x38, 0x40, 0x44}}};
    const size_t bytes = of == ASSAY_F32 ? 4 : of == ASSAY_F16 || of == ASSAY_BF16 ? 2 : 1;
    uint32_t bits = static_cast<uint32_t>(value);
    if (of != ASSAY_I8) {
      bits = kMagnitudes.at(of).at(static_cast<size_t>(std::abs(value))) | (value < 0 ? 1U << (8 * bytes - 1) : 0U);
    }
    return {reinterpret_cast<const char*>(&bits), bytes};
  }

  [[nodiscard]] Graph graph() const {
    Graph g;
    g.tensors = {{"x", left, ASSAY_ROLE_INPUT, {1, depth()}, -1, 0, {}},
                 {"w", dtype, ASSAY_ROLE_WEIGHT, {kColumns, depth()}, -1, 0, {}},
                 {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, kColumns}, -1, 0, {}},
                 {"gated", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, kColumns / 2}, -1, 0, {}}};
    g.ops = {{ASSAY_OP_MATMUL, "product", -1, {0, 1}, {2}, {}, ASSAY_NO_SCALAR, nullptr, 0},
             {ASSAY_OP_GATED_ACT, "gate", -1, {2}, {3}, {ASSAY_ACT_SILU}, ASSAY_NO_SCALAR, nullptr, 0}};
    if (block == 0) return g;
    g.tensors.push_back({"scale", ASSAY_F32, ASSAY_ROLE_WEIGHT, {kColumns, depth() / block}, -1, 0, {}});
    g.tensors[1].scale = 4;
    g.tensors[1].scale_block = block;
    return g;
  }

  [[nodiscard]] std::vector<float> sums() const {
    std::vector<float> out;
    for (int64_t n = 0; n < kColumns; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < depth(); ++k) {
        sum += static_cast<double>(x(k) * w(n, k)) * (block == 0 ? 1 : scale(n, k / block));
      }
      out.push_back(static_cast<float>(sum));
    }
    return out;
  }

  void write(Program& program) const {
    std::string codes, scales, row;
    for (int64_t k = 0; k < depth(); ++k) row += code(left, x(k));
    for (int64_t n = 0; n < kColumns; ++n) {
      for (int64_t k = 0; k < depth(); ++k) {
        if (dtype != ASSAY_I4) {
          codes += code(dtype, w(n, k));
        } else if (k % 2 == 0) {
          codes.push_back(static_cast<char>((w(n, k) & 15) | (w(n, k + 1) & 15) << 4));
        }
        if (block > 0 && k % block == 0) {
          const auto factor = static_cast<float>(scale(n, k / block));
          scales.append(reinterpret_cast<const char*>(&factor), sizeof(factor));
        }
      }
    }
    ASSERT_TRUE(program.write(0, 0, row.data(), row.size()).ok());
    ASSERT_TRUE(program.write(1, 0, codes.data(), codes.size()).ok());
    if (block == 0) return;
    ASSERT_TRUE(program.write(4, 0, scales.data(), scales.size()).ok());
  }
};

struct RowResult {
  std::vector<float> y, gated;
  std::string executed;
};
void run(const RowProduct& row, const Adapter::Options& options, RowResult* out) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", options);
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(row.graph(), 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  out->executed = (*program)->info().executed;
  out->y.assign(RowProduct::kColumns, 1);
  out->gated.assign(RowProduct::kColumns / 2, 1);
  ASSERT_TRUE((*program)->read(2, 0, out->y.data(), out->y.size() * sizeof(float)).ok());
  ASSERT_EQ(out->y, std::vector<float>(out->y.size(), 0)) << "timing left its traces";
  row.write(**program);
  const assay_run_args args{sizeof(args), 1, nullptr};
  assay_run* handle = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof(result);
  ASSERT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
  ASSERT_EQ((*program)->wait(handle, &result), ASSAY_OK);
  ASSERT_TRUE((*program)->read(2, 0, out->y.data(), out->y.size() * sizeof(float)).ok());
  ASSERT_TRUE((*program)->read(3, 0, out->gated.data(), out->gated.size() * sizeof(float)).ok());
  EXPECT_EQ(standin("cuda", "overrun"), 0);
}

constexpr int64_t kFadingNs = 100'000'000'000'000'000;  // of a launch, each takes a quarter less than the one before

// Of `search` forms the one tried last is made the fastest, so that each is taken once, and each gives the same sums.
TEST(Products, EveryFormOfOneRowGivesTheSameSums) {
  const RowProduct row{ASSAY_BF16, ASSAY_BF16, 0};
  RowResult first;
  run(row, {{"search", "1"}}, &first);
  EXPECT_EQ(first.y, row.sums());
  EXPECT_EQ(first.executed.find("timed in a step"), std::string::npos) << first.executed;
  std::vector<std::string> told;
  for (int forms = 2; forms <= 7; ++forms) {
    const Setting fading("fading_ns", kFadingNs);
    RowResult last;
    run(row, {{"search", std::to_string(forms)}}, &last);
    EXPECT_EQ(last.y, first.y) << forms;
    EXPECT_EQ(last.gated, first.gated) << forms;
    told.push_back(last.executed);
  }
  EXPECT_THAT(told.front(), HasSubstr("shapes of one row's products: 1 streamed, 0 by a block a column, the fastest of "
                                      "up to 2 forms timed in a step"));
  EXPECT_THAT(told, testing::Contains(HasSubstr("; 1 with the gate apart")));
  EXPECT_THAT(told.back(), HasSubstr("0 streamed, 1 by a block a column, the fastest of up to 7 forms"));
}

TEST(Products, WeightsOfEveryDtypeStream) {
  for (const RowProduct& row : {RowProduct{ASSAY_F32, ASSAY_F32, 0}, RowProduct{ASSAY_F16, ASSAY_F16, 0},
                                RowProduct{ASSAY_I8, ASSAY_BF16, 16 * 134}, RowProduct{ASSAY_F8E4M3, ASSAY_BF16, 16},
                                RowProduct{ASSAY_I4, ASSAY_BF16, 32}}) {
    for (const char* fusion : {"on", "off"}) {
      const Setting fading("fading_ns", kFadingNs);
      RowResult streamed;
      run(row, {{"search", "2"}, {"fusion", fusion}}, &streamed);
      EXPECT_EQ(streamed.y, row.sums()) << row.dtype;
      EXPECT_THAT(streamed.executed, HasSubstr("1 streamed"));
    }
  }
}

// A shape is timed once on a device, with what is beside it; a later program takes what was found out.
TEST(Products, AFormIsChosenOnce) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"search", "8"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  const RowProduct row{ASSAY_F32, ASSAY_F32, 0};
  ASSERT_TRUE((*adapter)->prepare(row.graph(), 0).ok());
  const int64_t before = standin("cuda", "launches");
  Result<std::unique_ptr<Program>> again = (*adapter)->prepare(row.graph(), 0);
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_EQ(standin("cuda", "launches"), before);
  EXPECT_THAT((*again)->info().executed, HasSubstr("timed in a step"));
}

// As a prefill has it, whose step is too long to be run for the head's one row.
TEST(Products, FormsAreNotTimedWhereMostProductsHaveMoreRows) {
  Graph g = product_graph(64);
  g.tensors.insert(g.tensors.end(), {{"z", ASSAY_F32, ASSAY_ROLE_OUTPUT, {16, 64}, -1, 0, {}},
                                     {"row", ASSAY_F32, ASSAY_ROLE_INPUT, {1, 64}, -1, 0, {}},
                                     {"head", ASSAY_F32, ASSAY_ROLE_OUTPUT, {1, 64}, -1, 0, {}}});
  g.ops.push_back({ASSAY_OP_MATMUL, "second", -1, {2, 1}, {3}, {}, ASSAY_NO_SCALAR, nullptr, 0});
  g.ops.push_back({ASSAY_OP_MATMUL, "head", -1, {4, 1}, {5}, {}, ASSAY_NO_SCALAR, nullptr, 0});
  Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"search", "8"}});
  ASSERT_TRUE(adapter.ok()) << adapter.error().message;
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(g, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  EXPECT_THAT((*program)->info().executed, testing::Not(HasSubstr("timed in a step")));
}

// Every vendor that has a product library multiplies by it: the numbers that it is given are its own.
TEST(Products, TheLibraryTakesThem) {
  for (const auto& [vendor, library] : std::map<std::string, std::string>{
           {"cuda", "libcublasLt.so.13"}, {"hip", "libhipblaslt.so.1"}, {"dtk", "libhipblaslt.so.1"}}) {
    Result<std::unique_ptr<Adapter>> adapter = open(vendor);
    ASSERT_TRUE(adapter.ok()) << adapter.error().message;
    Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_THAT((*program)->info().executed, HasSubstr("products: " + library));
    Graph tf32 = product_graph(64);
    tf32.tf32 = true;
    program = (*adapter)->prepare(tf32, 0);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_THAT((*program)->info().executed, HasSubstr("f32 products in tf32: " + library));
  }
}

// What the library refuses, at whatever moment, own kernels compute.
TEST(Products, WhatIsRefusedRunsInOwnKernels) {
  for (const int64_t moment : {1, 2, 3}) {
    const Setting refuse("blaslt_refuse", moment);
    for (const char* search : {"1", "8"}) {
      Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{"search", search}});
      ASSERT_TRUE(adapter.ok()) << adapter.error().message;
      Result<std::unique_ptr<Program>> program = (*adapter)->prepare(product_graph(64), 0);
      ASSERT_TRUE(program.ok()) << program.error().message;
      EXPECT_THAT((*program)->info().executed, testing::Not(HasSubstr("cublas")));
      std::vector<float> ones(64 * 64, 1), y(16 * 64);
      ASSERT_TRUE((*program)->write(0, 0, ones.data(), 16 * 64 * sizeof(float)).ok());
      ASSERT_TRUE((*program)->write(1, 0, ones.data(), ones.size() * sizeof(float)).ok());
      const assay_run_args args{sizeof(args), 1, nullptr};
      assay_run* handle = nullptr;
      assay_run_result result{};
      result.struct_size = sizeof(result);
      ASSERT_EQ((*program)->submit(&args, &handle), ASSAY_OK);
      ASSERT_EQ((*program)->wait(handle, &result), ASSAY_OK);
      ASSERT_TRUE((*program)->read(2, 0, y.data(), y.size() * sizeof(float)).ok());
      EXPECT_EQ(y, std::vector<float>(y.size(), 64));
    }
  }
}

TEST_F(Search, AFolderThatCantBeWrittenDoesNotStopTheRun) {
  fs::create_directories(folder_.parent_path());
  std::ofstream(folder_) << "a file where the folder should be";
  EXPECT_EQ(run(2).algorithm, 2);
}

TEST(Options, BadValuesAreRefused) {
  const std::vector<std::array<const char*, 3>> bad{{"search", "many", "expected 1 to 64 algorithms, found 'many'"},
                                                    {"products", "owm", "expected own or library, found 'owm'"},
                                                    {"attention", "cudnn", "expected own or fastest, found 'cudnn'"},
                                                    {"profiler", "cupti", "expected events or vendor, found 'cupti'"}};
  for (const auto& [key, value, said] : bad) {
    const Result<std::unique_ptr<Adapter>> adapter = open("cuda", {{key, value}});
    ASSERT_FALSE(adapter.ok()) << key;
    EXPECT_EQ(adapter.error().kind, ErrorKind::kBadInput) << key;
    EXPECT_THAT(adapter.error().message, HasSubstr(std::string("option ") + key + ": " + said));
  }
}

}  // namespace
}  // namespace assay::gpu_test
