// Experts' products in tiles on matrix cores, against sums in double precision of what the weights and rows mean.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <random>

#include "tests/unit/gpu/on_standin.h"

namespace assay::gpu_test {
namespace {

using testing::HasSubstr;

// Values that a test made, as an adapter reads them and as what they mean.
struct Made {
  std::vector<char> bytes;
  std::vector<double> values;
};

// Codes are chosen, so that their values come from the formats' definitions and not from a rounding.
double meaning(uint32_t dtype, uint32_t code) {
  const auto parts = [code](int exponent_bits, int fraction_bits, int bias) {
    const auto fraction = static_cast<double>(code & ((1U << fraction_bits) - 1));
    const auto exponent = static_cast<int>(code >> fraction_bits & ((1U << exponent_bits) - 1));
    const double scale = std::ldexp(1.0, (exponent == 0 ? 1 : exponent) - bias - fraction_bits);
    const double magnitude = (fraction + (exponent == 0 ? 0 : std::ldexp(1.0, fraction_bits))) * scale;
    return (code >> (exponent_bits + fraction_bits) & 1U) != 0 ? -magnitude : magnitude;
  };
  switch (dtype) {
    case ASSAY_F16:
      return parts(5, 10, 15);
    case ASSAY_BF16:
      return parts(8, 7, 127);
    case ASSAY_F8E4M3:
      return parts(4, 3, 7);
    case ASSAY_F4E2M1:
      return parts(2, 1, 1);
    case ASSAY_I8:
      return static_cast<int8_t>(code);
    default:
      return code < 8 ? code : static_cast<double>(code) - 16;
  }
}

Made made(uint32_t dtype, int64_t n, std::mt19937& random) {
  Made out;
  const int bits = dtype == ASSAY_F16 || dtype == ASSAY_BF16 ? 16 : dtype == ASSAY_I4 || dtype == ASSAY_F4E2M1 ? 4 : 8;
  out.bytes.resize(static_cast<size_t>(n * bits / 8));
  for (int64_t i = 0; i < n; ++i) {
    uint32_t code = static_cast<uint32_t>(random()) & ((1U << bits) - 1);
    if (dtype == ASSAY_BF16) code = (code & 0x81ffU) | 0x3e00U;  // of magnitudes 1/8 to 4
    if (dtype == ASSAY_F16) code = (code & 0x8fffU) | 0x3000U;
    if (dtype == ASSAY_F8E4M3 && (code & 0x7fU) == 0x7fU) code = 0;  // not a number
    out.values.push_back(meaning(dtype, code));
    const auto at = static_cast<size_t>(i * bits / 8);
    if (bits == 16) std::memcpy(&out.bytes[at], &code, 2);
    if (bits == 8) out.bytes[at] = static_cast<char>(code);
    if (bits == 4) out.bytes[at] = static_cast<char>(static_cast<uint8_t>(out.bytes[at]) | code << (i % 2 * 4));
  }
  return out;
}

struct Experts {
  uint32_t x, w;  // x in codes: with a scale per row
  std::vector<int32_t> counts;
  int64_t n, k, block;  // block: of codes that share a scale, 0: no codes
  const char* says;
  double limit;  // error by norm: of sums in f32, or of weights that were rounded to bf16 with their scale
};

Graph graph_of(const Experts& e, int64_t rows) {
  const auto experts = static_cast<int64_t>(e.counts.size());
  Graph g;
  g.tensors = {{"x", e.x, ASSAY_ROLE_INPUT, {rows, e.k}, -1, 0, {}},
               {"w", e.w, ASSAY_ROLE_WEIGHT, {experts, e.n, e.k}, -1, 0, {}},
               {"offsets", ASSAY_I32, ASSAY_ROLE_INPUT, {experts + 1}, -1, 0, {}},
               {"y", ASSAY_F32, ASSAY_ROLE_OUTPUT, {rows, e.n}, -1, 0, {}}};
  if (e.block != 0) {
    g.tensors.push_back({"scales", ASSAY_F32, ASSAY_ROLE_WEIGHT, {experts, e.n, e.k / e.block}, -1, 0, {}});
    g.tensors[1].scale = 4;
    g.tensors[1].scale_block = static_cast<int32_t>(e.block);
  }
  if (e.x == ASSAY_I8 || e.x == ASSAY_F8E4M3) {
    g.tensors.push_back({"x_scales", ASSAY_F32, ASSAY_ROLE_INPUT, {rows, 1}, -1, 0, {}});
    g.tensors[0].scale = 5;
    g.tensors[0].scale_block = static_cast<int32_t>(e.k);
  }
  g.ops = {{ASSAY_OP_GROUPED_MATMUL, "experts", -1, {0, 1, 2}, {3}, {}, ASSAY_NO_SCALAR, nullptr, 0}};
  return g;
}

assay_status step(Program& program) {
  const assay_run_args args{sizeof(args), 1, nullptr};
  assay_run* handle = nullptr;
  assay_run_result result{};
  result.struct_size = sizeof(result);
  const assay_status status = program.submit(&args, &handle);
  return status != ASSAY_OK ? status : program.wait(handle, &result);
}

double error(const Experts& e) {
  std::vector<int32_t> offsets{0};
  for (const int32_t count : e.counts) offsets.push_back(offsets.back() + count);
  const int64_t rows = offsets.back(), weights = static_cast<int64_t>(e.counts.size()) * e.n * e.k;
  std::mt19937 random(7);
  const Made x = made(e.x, rows * e.k, random), w = made(e.w, weights, random);
  std::vector<float> scales;
  for (int64_t i = 0; e.block != 0 && i < weights / e.block; ++i) {
    scales.push_back(0.01F + static_cast<float>(random() % 1000) / 1000);
  }
  std::vector<float> x_scales;
  for (int64_t m = 0; m < rows; ++m) x_scales.push_back(0.01F + static_cast<float>(random() % 1000) / 1000);
  const Graph graph = graph_of(e, rows);
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(graph, 0);
  if (!program.ok()) throw std::runtime_error(program.error().message);
  EXPECT_STREQ((*program)->info().executed, e.says);
  std::vector<float> y(static_cast<size_t>(rows * e.n));
  bool good = (*program)->write(0, 0, x.bytes.data(), x.bytes.size()).ok();
  good = good && (*program)->write(1, 0, w.bytes.data(), w.bytes.size()).ok();
  good = good && (*program)->write(2, 0, offsets.data(), offsets.size() * 4).ok();
  if (e.block != 0) good = good && (*program)->write(4, 0, scales.data(), scales.size() * 4).ok();
  const bool codes = graph.tensors[0].scale >= 0;
  if (codes) good = good && (*program)->write(5, 0, x_scales.data(), x_scales.size() * 4).ok();
  good = good && step(**program) == ASSAY_OK && (*program)->read(3, 0, y.data(), y.size() * 4).ok();
  EXPECT_TRUE(good && standin("cuda", "overrun") == 0);
  double off = 0, norm = 0;
  for (int64_t m = 0, expert = 0; m < rows; ++m) {
    while (m >= offsets[static_cast<size_t>(expert) + 1]) ++expert;
    for (int64_t n = 0; n < e.n; ++n) {
      double sum = 0;
      for (int64_t k = 0; k < e.k; ++k) {
        const int64_t at = (expert * e.n + n) * e.k + k;
        const double scale = e.block == 0 ? 1 : static_cast<double>(scales[static_cast<size_t>(at / e.block)]);
        sum += x.values[static_cast<size_t>(m * e.k + k)] * w.values[static_cast<size_t>(at)] * scale;
      }
      if (codes) sum *= static_cast<double>(x_scales[static_cast<size_t>(m)]);
      const double difference = static_cast<double>(y[static_cast<size_t>(m * e.n + n)]) - sum;
      off += difference * difference;
      norm += sum * sum;
    }
  }
  return std::sqrt(off / norm);
}

constexpr double kSumsInF32 = 1e-6, kScaledInBf16 = 2.5e-3;  // half of 2^-7 at most, by norm about a quarter

const std::vector<int32_t> kFew{15, 0, 17, 1, 0, 16, 0, 3, 0}, kSome{1, 66, 0, 130, 17}, kMany{131, 254};
constexpr const char* kOf16 = "experts: own kernel on matrix cores, tiles of 16 rows";
constexpr const char* kOf64 = "experts: own kernel on matrix cores, tiles of 64 rows";
constexpr const char* kOf128 = "experts: own kernel on matrix cores, tiles of 128 rows";
constexpr const char* kIntegersOf16 = "experts: own kernel on matrix cores in i32, tiles of 16 rows";
constexpr const char* kIntegersOf64 = "experts: own kernel on matrix cores in i32, tiles of 64 rows";
constexpr const char* kIntegersOf128 = "experts: own kernel on matrix cores in i32, tiles of 128 rows";
constexpr const char* kOther = "experts: own kernel on matrix cores";

TEST(ExpertsInTiles, MultiplyExactly) {
  const Experts cases[] = {{ASSAY_BF16, ASSAY_BF16, kFew, 69, 680, 0, kOf16, kSumsInF32},
                           {ASSAY_F16, ASSAY_F16, kFew, 66, 136, 0, kOf16, kSumsInF32},
                           {ASSAY_BF16, ASSAY_I8, kFew, 69, 144, 144, kOf16, kSumsInF32},
                           {ASSAY_BF16, ASSAY_I8, kFew, 69, 288, 32, kOf16, kScaledInBf16},
                           {ASSAY_BF16, ASSAY_F8E4M3, kFew, 69, 144, 144, kOf16, kSumsInF32},
                           {ASSAY_BF16, ASSAY_F8E4M3, kFew, 69, 256, 128, kOf16, kScaledInBf16},
                           {ASSAY_BF16, ASSAY_I4, kFew, 69, 160, 16, kOf16, kScaledInBf16},
                           {ASSAY_BF16, ASSAY_F4E2M1, kFew, 69, 160, 160, kOf16, kSumsInF32},
                           {ASSAY_BF16, ASSAY_BF16, kSome, 131, 72, 0, kOf64, kSumsInF32},
                           {ASSAY_BF16, ASSAY_I8, kSome, 33, 80, 80, kOf64, kSumsInF32},
                           {ASSAY_BF16, ASSAY_F4E2M1, kSome, 33, 96, 32, kOf64, kScaledInBf16},
                           {ASSAY_BF16, ASSAY_BF16, kMany, 131, 136, 0, kOf128, kSumsInF32},
                           {ASSAY_F16, ASSAY_F16, kMany, 9, 72, 0, kOf128, kSumsInF32},
                           {ASSAY_BF16, ASSAY_F8E4M3, kMany, 33, 80, 80, kOf128, kSumsInF32},
                           {ASSAY_BF16, ASSAY_I4, kMany, 33, 256, 128, kOf128, kScaledInBf16},
                           {ASSAY_I8, ASSAY_I8, kFew, 69, 144, 144, kIntegersOf16, kSumsInF32},
                           {ASSAY_I8, ASSAY_I8, kSome, 131, 80, 80, kIntegersOf64, kSumsInF32},
                           {ASSAY_I8, ASSAY_I8, kFew, 33, 256, 128, kOf16, kScaledInBf16},
                           {ASSAY_F8E4M3, ASSAY_F8E4M3, kFew, 69, 144, 144, kOf16, kSumsInF32},
                           {ASSAY_F8E4M3, ASSAY_F8E4M3, kSome, 33, 256, 128, kOf64, kScaledInBf16},
                           {ASSAY_I8, ASSAY_I8, kMany, 9, 80, 80, kIntegersOf128, kSumsInF32},
                           {ASSAY_BF16, ASSAY_I8, kFew, 33, 72, 24, kOther, kScaledInBf16}};
  for (const Experts& e : cases) {
    EXPECT_LT(error(e), e.limit) << "case " << &e - cases;
  }
}

// A compiler without the instruction makes no such kernel: codes are then multiplied in bf16, as those of f8 are.
TEST(ExpertsInTiles, IntegersWithoutTheirInstruction) {
  const Setting without("integer_matrix", 0);
  EXPECT_LT(error({ASSAY_I8, ASSAY_I8, kFew, 69, 144, 144, kOf16, kSumsInF32}), kSumsInF32);
  EXPECT_LT(error({ASSAY_I8, ASSAY_I8, kMany, 9, 80, 80, kOf128, kSumsInF32}), kSumsInF32);
}

// 2^17 products of -128 and -128 are 2^31, one more than an i32 holds; 16 codes less fit.
TEST(ExpertsInTiles, SumsThatAnIntegerMayNotHoldAreFloats) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  for (const auto& [k, says] : {std::pair<int64_t, const char*>{131072, kOf16}, {131056, kIntegersOf16}}) {
    const Result<std::unique_ptr<Program>> program =
        (*adapter)->prepare(graph_of({ASSAY_I8, ASSAY_I8, {2}, 8, k, k, says, 0}, 2), 0);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_STREQ((*program)->info().executed, says) << k;
  }
}

// Sums of integers are exact until they meet their scales: of codes of 127 and 126 beyond 2^24, where not every integer
// is a float, so that sums in floats would have been rounded on the way.
TEST(ExpertsInTiles, IntegersAddUpExactly) {
  constexpr int64_t kDepth = 2064;  // 16 stages of 128 and 16 more
  const std::vector<int32_t> offsets{0, 3, 20};
  const Experts experts{ASSAY_I8, ASSAY_I8, {3, 17}, 12, kDepth, kDepth, kIntegersOf64, 0};
  const Graph graph = graph_of(experts, offsets.back());
  std::vector<int8_t> x(static_cast<size_t>(offsets.back() * kDepth)), w(static_cast<size_t>(2 * 12 * kDepth));
  std::mt19937 random(5);
  for (int8_t& code : x) code = static_cast<int8_t>(126 + random() % 2);
  for (int8_t& code : w) code = static_cast<int8_t>(random() % 16 == 0 ? -128 : 126 + random() % 2);
  const std::vector<float> scales(2 * 12, 1), x_scales(static_cast<size_t>(offsets.back()), 1);
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(graph, 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  EXPECT_STREQ((*program)->info().executed, experts.says);
  ASSERT_TRUE((*program)->write(0, 0, x.data(), x.size()).ok() && (*program)->write(1, 0, w.data(), w.size()).ok() &&
              (*program)->write(2, 0, offsets.data(), offsets.size() * 4).ok() &&
              (*program)->write(4, 0, scales.data(), scales.size() * 4).ok() &&
              (*program)->write(5, 0, x_scales.data(), x_scales.size() * 4).ok());
  ASSERT_EQ(step(**program), ASSAY_OK);
  std::vector<float> y(static_cast<size_t>(offsets.back() * 12));
  ASSERT_TRUE((*program)->read(3, 0, y.data(), y.size() * 4).ok());
  int64_t least = int64_t{1} << 40;
  for (int64_t m = 0; m < offsets.back(); ++m) {
    for (int64_t n = 0; n < 12; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < kDepth; ++k) {
        sum += int64_t{x[static_cast<size_t>(m * kDepth + k)]} *
               w[static_cast<size_t>(((m < offsets[1] ? 0 : 12) + n) * kDepth + k)];
      }
      EXPECT_EQ(y[static_cast<size_t>(m * 12 + n)], static_cast<float>(sum)) << "row " << m << ", column " << n;
      least = std::min(least, sum);
    }
  }
  EXPECT_GT(least, int64_t{1} << 24);
}

// The grid has room for as many tiles as so many rows can make: none of one expert's rows is left out.
TEST(ExpertsGrid, HasRoomForEveryTile) {
  for (const std::vector<int32_t>& counts : {std::vector<int32_t>(300, 1), {16, 17, 1, 1, 1, 1, 1, 1}, {1}}) {
    EXPECT_LT(error({ASSAY_BF16, ASSAY_BF16, counts, 8, 8, 0, kOf16, 0}), kSumsInF32);
  }
}

TEST(ExpertsGrid, ATableThatDoesNotAscendIsRefused) {
  Result<std::unique_ptr<Adapter>> adapter = open("cuda");
  const Experts e{ASSAY_BF16, ASSAY_BF16, {0, 0, 0}, 8, 8, 0, kOf16, 0};
  Result<std::unique_ptr<Program>> program = (*adapter)->prepare(graph_of(e, 8), 0);
  ASSERT_TRUE(program.ok()) << program.error().message;
  for (const std::vector<int32_t>& wrong :
       {std::vector<int32_t>{0, 5, 3, 8}, {1, 5, 6, 8}, {0, 5, 6, 9}, {0, -1, 6, 8}}) {
    ASSERT_TRUE((*program)->write(2, 0, wrong.data(), 16).ok());
    EXPECT_EQ(step(**program), ASSAY_INVALID_ARGUMENT);
    EXPECT_THAT((*program)->last_error("wait", ASSAY_INVALID_ARGUMENT).message,
                HasSubstr("the offsets do not ascend from 0"));
  }
  const int32_t right[] = {0, 5, 6, 8};
  ASSERT_TRUE((*program)->write(2, 0, right, sizeof right).ok());
  EXPECT_EQ(step(**program), ASSAY_OK);
}

}  // namespace
}  // namespace assay::gpu_test
