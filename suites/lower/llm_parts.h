// Parts of a decoder-only transformer's layer, each from rows [M, hidden] to rows.
#pragma once

#include <string>

#include "suites/lower/builder.h"

namespace assay {

struct LlmContext {
  const Case& c;
  const ModelShape& m;
  GraphBuilder& g;
  uint32_t pos = 0, window_pos = 0;  // scalars; the second where layers have windows
  int64_t rows = 0;                  // batch * tokens
  // Page tables of caches of all tokens and of those of a window; kNoTensor: each sequence has one block of memory.
  uint32_t pages = kNoTensor, window_pages = kNoTensor;
  [[nodiscard]] double batch() const { return static_cast<double>(c.batch); }
};

// Tokens that a cache keeps from before the step, of a window or of all.
int64_t kept_tokens(const LlmContext& x, bool windowed);

double plain_stddev(int64_t inputs);
// Parts that write to the residual stream are scaled down, so that its size does not grow with depth.
double residual_stddev(const ModelShape& m, int64_t inputs);

uint32_t llm_vector(const LlmContext& x, const std::string& name, int64_t size, double mean, double stddev);
// Columns col..col+cols in groups; cols 0: all.
uint32_t rms_norm(const LlmContext& x, uint32_t in, const std::string& name, int64_t group, int64_t col, int64_t cols);
uint32_t add(const LlmContext& x, uint32_t a, uint32_t b, const std::string& name);

// Heads of head_dim in columns col..col+cols; rotary_dim elements from rotary_col of each turn.
struct RopeSpan {
  int64_t head_dim = 0, rotary_dim = 0, rotary_col = 0, col = 0, cols = 0;
  bool interleaved = false;
};
uint32_t rope(const LlmContext& x, uint32_t in, const std::string& name, const RopeSpan& span);

// normed [M, hidden] -> attention's output [M, hidden], after the output projection. Tensors are named prefix + part.
uint32_t gqa_attention(const LlmContext& x, int64_t layer, uint32_t normed, const std::string& prefix);
uint32_t mla_attention(const LlmContext& x, uint32_t normed, const std::string& prefix);
// Whether the step of a model with an indexer attends to chosen tokens only: once there are more than it chooses.
bool sparse_step(const Case& c);

// Gated MLP of width ffn.
uint32_t mlp(const LlmContext& x, uint32_t in, const std::string& prefix, int64_t ffn);
// Router, dispatch, experts, combine; shared experts beside them.
uint32_t moe_mlp(const LlmContext& x, int64_t layer, uint32_t in, const std::string& prefix);

}  // namespace assay
