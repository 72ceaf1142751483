// The graph of one prefill or decode step of a decoder-only transformer.
#pragma once

#include "suites/suite.h"

namespace assay {

// Scalar of the layers with a sliding window, whose cache holds no more than the window and the step's tokens:
// min(context, window - 1). Only where the model has such layers.
inline constexpr const char* kWindowPosition = "window_pos";

// The first layer of those that run: the first of all, but with experts the first of those that have some, as long as
// enough of them are left.
int64_t first_layer(const ModelShape& m, int64_t layers);

// Growth of the KV cache per token behind the model's window, where only the layers without one still grow.
double kv_bytes_behind_window(const ModelShape& m, double bytes_per_element);

// c: valid, kind prefill or decode; layers: 1..c.model.layers.
Graph lower_llm(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates);

}  // namespace assay
