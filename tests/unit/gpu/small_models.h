// Models small enough that a stand-in runs every op of theirs.
#pragma once

#include <string>

#include "suites/case.h"

namespace assay::gpu_test {

inline ModelShape llama() {
  ModelShape m;
  m.name = "small";
  m.layers = 2;
  m.hidden = 64;
  m.ffn = 96;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_dim = 16;
  m.vocab = 200;
  m.max_context = 4096;
  m.qkv_bias = true;
  return m;
}

inline ModelShape with_experts() {
  ModelShape m = llama();
  m.qk_norm = true;
  m.moe.experts = 8;
  m.moe.top_k = 3;
  m.moe.ffn = 32;
  m.moe.router = "softmax";
  m.moe.normalise = true;
  return m;
}

inline ModelShape with_latent() {
  ModelShape m = llama();
  m.kv_heads = m.head_dim = 0;
  m.qkv_bias = false;
  m.mla = {48, 32, 16, 8, 16};
  m.moe = {1, 8, 3, 1, 32, "sigmoid", true, true, 2.5, 4, 2};
  m.indexer = {4, 16, 24, false};
  return m;
}

inline Case case_of(const ModelShape& model, const std::string& dtype, StepKind kind, int64_t batch, int64_t tokens,
                    int64_t context) {
  Case c;
  c.suite = "test";
  c.kind = kind;
  c.model = model;
  c.dtype = dtype;
  c.batch = batch;
  c.tokens = tokens;
  c.context = context;
  return c;
}

}  // namespace assay::gpu_test
