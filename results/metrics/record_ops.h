// The ops of a record's case as it ran: what one of each works and moves, counted from the graph. Times of single ops
// are not measured: where a roofline puts them is projected.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/record.h"

namespace assay {

struct RecordOp {
  std::string name, layer, kind;
  int64_t count = 1;            // equal ones
  double flops = 0, bytes = 0;  // of one; bytes of weights, KV cache and activations
};

struct RecordOps {
  int64_t layers = 0;  // that ran, of a record of k of L layers; 0: all
  std::vector<RecordOp> ops;
};

// Empty where the record names no case whose graph can be lowered.
RecordOps record_ops(const Record& record);

}  // namespace assay
