// CUPTI's activity records as far as they are read: fields at the places that they have in CUpti_ActivityKernel9 and
// 10, CUpti_ActivityMemcpy5 and 6, CUpti_ActivityMemset4 and CUpti_ActivityExternalCorrelation (toolkits 12 and 13),
// which only grow at their ends.
#pragma once

#include <cstdint>

namespace assay::gpu::activity_records {

inline constexpr int kMemcpy = 1, kMemset = 2, kDriver = 4, kRuntime = 5, kKernel = 10, kExternalCorrelation = 39;

struct Kernel {
  uint32_t kind, reserved[3];
  uint64_t start, end;
  uint64_t completed;
  uint32_t device, context, stream;
  int32_t grid[3], block[3], shared[2];
  uint32_t local[2];
  uint32_t correlation;
  int64_t grid_id;
  const char* name;
  void* unused;
  uint64_t queued, submitted;
  uint32_t launch, shared_executed;
  uint64_t graph_node;  // 0: launched alone
};

struct Memcpy {
  uint32_t kind;
  uint8_t copy_kind, from, to, flags;
  uint64_t bytes, start, end;
  uint32_t device, context, stream, correlation, runtime_correlation, pad;
  void* unused;
  uint64_t graph_node;
};
inline constexpr uint8_t kToDevice = 1, kToHost = 2, kOnDevice = 8;  // of copy_kind

struct Memset {
  uint32_t kind, value;
  uint64_t bytes, start, end;
  uint32_t device, context, stream, correlation, flags[2];
  void* unused;
  uint64_t graph_node;
};

struct ExternalCorrelation {
  uint32_t kind, external_kind;
  uint64_t external_id;
  uint32_t correlation, unused;
};

}  // namespace assay::gpu::activity_records
