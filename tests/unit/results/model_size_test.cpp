#include "results/metrics/model_size.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

Record reported(const std::string& model) {
  Record r;
  r.model = model;
  r.reported.emplace();
  return r;
}

TEST(ModelSize, AsTheSourceStatesItOrTheNameDoes) {
  Record stated = reported("llama 7B Q4_0");
  stated.reported->stated["model_n_params"] = "6738415616";
  EXPECT_EQ(model_params(stated), 6738415616.0);
  EXPECT_EQ(model_params(reported("llama2-70b-99")), 70e9);
  EXPECT_EQ(model_params(reported("Qwen2.5-0.5B")), 0.5e9);
  EXPECT_EQ(params_in_name("smollm2-135m"), 135e6);
  EXPECT_EQ(model_params(reported("mixtral-8x7b")), 0) << "8 experts of 7B share parts";
  EXPECT_EQ(model_params(reported("zai-org/GLM-5-FP8")), 0);
  EXPECT_EQ(model_params(reported("bert-99")), 0);
}

// 8.03 billion, as its publisher states it.
TEST(ModelSize, OfAMeasuredRecordByTheShape) {
  const Result<std::vector<Record>> records = read_records(
      ASSAY_SOURCE_DIR "/results/published/2026-11-26-h200/decode_llama-3.1-8b_bf16_b1_c4096-f77ce91e.record.json");
  ASSERT_TRUE(records.ok());
  EXPECT_NEAR(model_params(records->front()), 8.03e9, 0.005e9);
}

}  // namespace
}  // namespace assay
