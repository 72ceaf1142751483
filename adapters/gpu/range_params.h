// The parameters of CUPTI's range profiler and of its host side, at the places of toolkit 13.0's headers. Each begins
// with its size, up to the end of its last field, by which the library knows what the caller knows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace assay::gpu::range_params {

inline constexpr int kRangeProfiler = 0;    // a type of profiler
inline constexpr uint32_t kUserRange = 2;   // ranges are told by calls
inline constexpr uint32_t kUserReplay = 3;  // who profiles repeats the work
inline constexpr int kInsufficientPrivileges =
    35;  // of an unprivileged process, where the driver keeps counters to root

struct Profiler {  // initialise, deinitialise
  size_t size;
  void* reserved;
};
struct ChipName {
  size_t size;
  void* reserved;
  size_t device;
  const char* name;  // out
};
struct Availability {
  size_t size;
  void* reserved;
  void* context;
  size_t image_bytes;  // in and out
  uint8_t* image;      // null: asks for its size
};
struct HostStart {
  size_t size;
  void* reserved;
  int type;
  const char* chip;
  const uint8_t* availability;
  void* host;  // out
};
struct HostEnd {
  size_t size;
  void* reserved;
  void* host;
};
struct Properties {
  size_t size;
  void* reserved;
  void* host;
  const char* metric;
  const char *description, *unit_of_hardware, *dimension;  // out
  int type;                                                // out
};
struct AddMetrics {
  size_t size;
  void* reserved;
  void* host;
  const char** metrics;
  size_t n;
};
struct ConfigSize {
  size_t size;
  void* reserved;
  void* host;
  size_t bytes;  // out
};
struct Config {
  size_t size;
  void* reserved;
  void* host;
  size_t bytes;
  uint8_t* image;
};
struct Evaluate {
  size_t size;
  void* reserved;
  void* host;
  const uint8_t* data;
  size_t data_bytes, range;
  const char** metrics;
  size_t n;
  double* values;  // out
};
struct Enable {
  size_t size;
  void* reserved;
  void* context;
  void* ranges;  // out
};
struct Ranges {  // disable, start, pop
  size_t size;
  void* reserved;
  void* ranges;
};
struct DataSize {
  size_t size;
  void* reserved;
  void* ranges;
  const char** metrics;
  size_t n, most_ranges;
  uint32_t most_nodes;
  size_t bytes;  // out
};
struct DataStart {
  size_t size;
  void* reserved;
  void* ranges;
  size_t bytes;
  uint8_t* data;
};
struct SetUp {
  size_t size;
  void* reserved;
  void* ranges;
  size_t config_bytes;
  const uint8_t* config;
  size_t data_bytes;
  uint8_t* data;
  uint32_t range, replay;
  size_t most_ranges;
  uint16_t levels, lowest_level;
  size_t pass;
  uint16_t level;
};
struct Stop {
  size_t size;
  void* reserved;
  void* ranges;
  size_t pass, level;  // out
  uint8_t all_passes;  // out
};
struct Push {
  size_t size;
  void* reserved;
  void* ranges;
  const char* name;
};
struct Decode {
  size_t size;
  void* reserved;
  void* ranges;
  size_t dropped;  // out
};
struct DataInfo {
  size_t size;
  void* reserved;
  const uint8_t* data;
  size_t data_bytes;
  size_t n;  // out
};
struct RangeInfo {
  size_t size;
  void* reserved;
  const uint8_t* data;
  size_t data_bytes, range;
  const char *delimiter, *name;  // name: out
};

// As the vendor's headers count it: up to the end of the last field, not to the end of the struct.
#define ASSAY_RANGE_SIZE(Struct, last) \
  (offsetof(range_params::Struct, last) + sizeof(static_cast<range_params::Struct*>(nullptr)->last))

}  // namespace assay::gpu::range_params
