// Elements below 16 bits: what every code stands for, what random ones look like, and how weights in them are lowered.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "suites/base/rng.h"
#include "suites/reference/reference.h"
#include "suites/suite.h"

namespace assay {
namespace {

// OCP OFP8: (-1)^s 2^(e-7) (1 + m/8), subnormals 2^-6 m/8; only s.1111.111 is NaN, so the largest is 2^8 x 1.75 = 448.
TEST(LowPrecision, EveryCodeOfE4M3) {
  for (int code = 0; code < 256; ++code) {
    const int sign = code / 128, exponent = code / 8 % 16, mantissa = code % 8;
    const float value = from_f8e4m3(static_cast<uint8_t>(code));
    if (exponent == 15 && mantissa == 7) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    const double expected =
        exponent == 0 ? std::pow(2.0, -6) * mantissa / 8 : std::pow(2.0, exponent - 7) * (1 + mantissa / 8.0);
    EXPECT_EQ(value, sign == 1 ? -expected : expected) << code;
    EXPECT_EQ(std::signbit(value), sign == 1) << code;
  }
  EXPECT_EQ(from_f8e4m3(0x7e), 448);
}

// OCP OFP8: (-1)^s 2^(e-15) (1 + m/4), subnormals 2^-14 m/4; exponent 31 is infinity (m = 0) or NaN.
TEST(LowPrecision, EveryCodeOfE5M2) {
  for (int code = 0; code < 256; ++code) {
    const int sign = code / 128, exponent = code / 4 % 32, mantissa = code % 4;
    const float value = from_f8e5m2(static_cast<uint8_t>(code));
    if (exponent == 31 && mantissa != 0) {
      EXPECT_TRUE(std::isnan(value)) << code;
      continue;
    }
    double expected =
        exponent == 0 ? std::pow(2.0, -14) * mantissa / 4 : std::pow(2.0, exponent - 15) * (1 + mantissa / 4.0);
    if (exponent == 31) expected = HUGE_VAL;
    EXPECT_EQ(value, sign == 1 ? -expected : expected) << code;
  }
  EXPECT_EQ(from_f8e5m2(0x7b), 57344);
}

// OCP MX: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
TEST(LowPrecision, EveryCodeOfE2M1) {
  const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  for (uint8_t code = 0; code < 16; ++code) {
    EXPECT_EQ(from_f4e2m1(code), code < 8 ? magnitudes[code] : -magnitudes[code - 8]) << int{code};
  }
}

TEST(Unpack, TheEvenElementLiesInTheLowNibble) {
  const uint8_t bytes[] = {0x21, 0xf8, 0x70};
  double out[6];
  unpack(ASSAY_I4, bytes, 0, 6, out);
  EXPECT_EQ(Values(out, out + 6), (Values{1, 2, -8, -1, 0, 7}));
  unpack(ASSAY_I4, bytes, 3, 2, out);
  EXPECT_EQ(Values(out, out + 2), (Values{-1, 0}));
  unpack(ASSAY_F4E2M1, bytes, 0, 6, out);
  EXPECT_EQ(Values(out, out + 6), (Values{0.5, 1, 0, -6, 0, 6}));
}

TEST(Dequantise, ScalesPerBlockOfSubByteElements) {
  const Tensor t{"w", ASSAY_I4, ASSAY_ROLE_WEIGHT, {2, 4}, 0, 2, {}};
  const uint8_t bytes[] = {0x21, 0x43, 0xfe, 0x08};
  const float scales[] = {1, 10, 100, 0.5f};
  EXPECT_EQ(dequantise(t, bytes, scales), (Values{1, 2, 30, 40, -200, -100, -4, 0}));
}

// All codes but NaN and infinity may come; mean 0, and the standard deviation that codes_per_sigma promises (rounding
// and clamping move it by less than 2 %).
TEST(Fill, CodesAreValidAndSpreadAsPromised) {
  for (const uint32_t dtype : {ASSAY_F8E4M3, ASSAY_F8E5M2, ASSAY_I4, ASSAY_F4E2M1}) {
    Tensor t;
    t.dtype = dtype;
    t.fill.kind = Fill::Kind::kNormal;
    constexpr uint64_t kCount = 1 << 20;
    std::vector<uint8_t> raw(packed_bytes(dtype, kCount));
    fill_elements(t, 4, 9, 0, kCount, raw.data());
    Values values(kCount);
    unpack(dtype, raw.data(), 0, kCount, values.data());
    double mean = 0, square = 0;
    for (const double v : values) {
      ASSERT_TRUE(std::isfinite(v)) << dtype_name(dtype);
      mean += v / kCount;
      square += v * v / kCount;
    }
    EXPECT_NEAR(mean / codes_per_sigma(dtype), 0, 0.005) << dtype_name(dtype);
    EXPECT_NEAR(std::sqrt(square) / codes_per_sigma(dtype), 1, 0.02) << dtype_name(dtype);
    // Any slice again, from an even element on.
    std::vector<uint8_t> part(packed_bytes(dtype, 100));
    fill_elements(t, 4, 9, 5000, 100, part.data());
    Values again(100);
    unpack(dtype, part.data(), 0, 100, again.data());
    EXPECT_TRUE(std::equal(again.begin(), again.end(), values.begin() + 5000)) << dtype_name(dtype);
  }
}

TEST(Fill, EveryFourBitCodeComes) {
  for (const uint32_t dtype : {ASSAY_I4, ASSAY_F4E2M1}) {
    Tensor t;
    t.dtype = dtype;
    t.fill.kind = Fill::Kind::kNormal;
    std::vector<uint8_t> raw(1 << 19);
    fill_elements(t, 1, 1, 0, 1 << 20, raw.data());
    std::set<int> codes;
    for (const uint8_t byte : raw) codes.insert({byte % 16, byte / 16});
    EXPECT_EQ(codes.size(), 16u) << dtype_name(dtype);
  }
}

Case gemm(const std::string& dtype, int64_t k) {
  Case c;
  c.suite = "ceilings";
  c.kind = StepKind::kGemm;
  c.dtype = dtype;
  c.m = 3;
  c.n = 5;
  c.k = k;
  return c;
}

TEST(DtypePlan, BlocksOfScalesAlongTheLastAxis) {
  const struct {
    const char* name;
    uint32_t dtype;
    int64_t block;
  } plans[] = {{"fp8", ASSAY_F8E4M3, 128}, {"int4", ASSAY_I4, 128},       {"int4_g32", ASSAY_I4, 32},
               {"fp4", ASSAY_F4E2M1, 32},  {"fp4_g16", ASSAY_F4E2M1, 16}, {"int8", ASSAY_I8, 384}};
  for (const auto& plan : plans) {
    const Result<Graph> g = lower(gemm(plan.name, 384), {});
    ASSERT_TRUE(g.ok()) << g.error().message;
    const Tensor& w = g->tensors[1];
    EXPECT_EQ(w.dtype, plan.dtype);
    EXPECT_EQ(w.scale_block, plan.block) << plan.name;
    EXPECT_EQ(g->tensors[static_cast<size_t>(w.scale)].dims, (std::vector<int64_t>{5, 384 / plan.block})) << plan.name;
    EXPECT_EQ(numerics_limit(*g, g->ops[0]), 1e-2) << plan.name;  // of activations in bf16
  }
  // 576 = 4.5 x 128: blocks of 64, which divide both.
  EXPECT_EQ(lower(gemm("fp8", 576), {})->tensors[1].scale_block, 64);
}

// int8 cases of old records had f32 activations; they are not the cases of today.
TEST(DtypePlan, Int8OfOldRecordsKeepsItsActivations) {
  for (const char* dtype : {"int8", "int8_w8a8"}) {
    const Case today = gemm(dtype, 384);
    EXPECT_EQ(today.dtypes()->activation, static_cast<uint32_t>(ASSAY_BF16));
    EXPECT_EQ(today.dtypes()->kv, static_cast<uint32_t>(ASSAY_BF16));
    std::string text = today.to_json();
    const std::string said = "\"activations\":\"bf16\",";
    ASSERT_NE(text.find(said), std::string::npos) << text;
    EXPECT_FALSE(case_from_json(text, "case")->f32_activations);
    text.erase(text.find(said), said.size());
    const Result<Case> old = case_from_json(text, "case");
    ASSERT_TRUE(old.ok()) << old.error().message;
    EXPECT_EQ(old->dtypes()->activation, static_cast<uint32_t>(ASSAY_F32));
    EXPECT_EQ(old->dtypes()->kv, static_cast<uint32_t>(ASSAY_F32));
    EXPECT_EQ(old->to_json(), text);
    EXPECT_NE(old->hash(), today.hash());
    EXPECT_EQ(lower(*old, {})->tensors.back().dtype, static_cast<uint32_t>(ASSAY_F32));
  }
}

TEST(DtypePlan, OddRowsCantBePacked) {
  const Result<Graph> odd = lower(gemm("int4", 33), {});
  ASSERT_FALSE(odd.ok());
  EXPECT_EQ(odd.error().kind, ErrorKind::kBadInput);
  EXPECT_NE(odd.error().message.find("expected an even last axis of 'w', found 33"), std::string::npos)
      << odd.error().message;
  EXPECT_TRUE(lower(gemm("fp8", 33), {}).ok());
}

// Weights of standard deviation 1 / sqrt(K): what is dequantised has it too.
TEST(DtypePlan, DequantisedWeightsHaveTheirSize) {
  for (const char* name : {"int8", "fp8", "int4", "int4_g32", "fp4", "fp4_g16"}) {
    Case c = gemm(name, 4096);
    c.n = 64;
    const Result<Graph> g = lower(c, {});
    ASSERT_TRUE(g.ok());
    const Tensor& w = g->tensors[1];
    const auto s = static_cast<uint32_t>(w.scale);
    std::vector<uint8_t> raw(g->bytes(1));
    std::vector<float> scales(static_cast<size_t>(g->elements(s)));
    fill_elements(w, 1, 2, 0, static_cast<uint64_t>(g->elements(1)), raw.data());
    fill_elements(g->tensors[s], s, 2, 0, scales.size(), scales.data());
    double square = 0;
    for (const double v : dequantise(w, raw.data(), scales.data())) square += v * v;
    EXPECT_NEAR(std::sqrt(square / 64), 1, 0.03) << name;
  }
}

}  // namespace
}  // namespace assay
