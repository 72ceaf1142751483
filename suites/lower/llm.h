// The graph of one prefill or decode step of a decoder-only transformer.
#pragma once

#include "suites/suite.h"

namespace assay {

// The first layer of those that run: the first of all, but with experts the first of those that have some, as long as
// enough of them are left.
int64_t first_layer(const ModelShape& m, int64_t layers);

// c: valid, kind prefill or decode; layers: 1..c.model.layers.
Graph lower_llm(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates);

}  // namespace assay
