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
