// The graph of one prefill or decode step of a decoder-only transformer.
#pragma once

#include "suites/suite.h"

namespace assay {

// c: valid, kind prefill or decode; layers: 1..c.model.layers.
Graph lower_llm(const Case& c, const DtypePlan& plan, int64_t layers, bool expose_intermediates);

}  // namespace assay
