// The building blocks that transformers and decoders have in common, as tensors and ops of a graph.
#pragma once

#include <cstdint>
#include <string>

#include "suites/lower/builder.h"

namespace assay {

// A weight matrix [out, in] with its bias, made once and applied to one or more streams.
struct Linear {
  uint32_t weight = 0;
  int64_t bias = -1;
};

// Rows of a modulation tensor [B, ld]; < 0: none.
struct ModColumns {
  int64_t tensor = -1;
  int64_t shift = 0, scale = 0, gate = 0;  // columns
};

// K and V of one attention, [B, S, KH, D] each. Every block writes it anew, so that memory does not grow with depth.
struct KvPair {
  uint32_t k = 0, v = 0;
};

class Parts {
 public:
  Parts(GraphBuilder* graph, int64_t batch, double eps) : g_(*graph), batch_(batch), eps_(eps) {}

  static double plain_stddev(int64_t inputs);
  // Of a part that writes to the residual stream of a model with `layers` layers: keeps its size from growing with
  // depth.
  static double residual_stddev(int64_t inputs, int64_t layers);

  uint32_t vector(const std::string& name, int64_t size, double mean, double stddev);
  Linear linear(const std::string& name, int64_t in, int64_t out, double stddev, bool bias = true);
  uint32_t apply(const Linear& l, uint32_t x, const std::string& name);
  // Of columns col..col+cols in groups; cols 0: all.
  uint32_t rms_norm(uint32_t x, uint32_t gamma, const std::string& name, int64_t col, int64_t cols);
  // gamma, beta: < 0 for none.
  uint32_t layer_norm(uint32_t x, const ModColumns& mod, int64_t gamma, int64_t beta, const std::string& name);
  uint32_t activation(uint32_t x, const std::string& name, int function);
  uint32_t add(uint32_t a, uint32_t b, const std::string& name);
  uint32_t gated_add(uint32_t a, uint32_t b, const ModColumns& mod, const std::string& name);
  KvPair kv(const std::string& name, int64_t batch, int64_t slots, int64_t heads, int64_t dim);
  void append(uint32_t x, const KvPair& kv, int64_t k_col, int64_t v_col, const std::string& name,
              uint32_t slot = ASSAY_NO_SCALAR);
  // q's heads begin at column 0; y has the given dims.
  uint32_t attention(uint32_t q, const KvPair& kv, int64_t heads, double scale, int mask, std::vector<int64_t> dims,
                     const std::string& name);

 private:
  GraphBuilder& g_;
  int64_t batch_;
  double eps_;
};

}  // namespace assay
