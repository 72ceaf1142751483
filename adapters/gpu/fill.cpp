#include "adapters/gpu/fill.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

namespace assay::gpu {

namespace {

constexpr uint64_t kBlockBytes = uint64_t{1} << 20;

// What random bits are kept of an element, and what it gets besides.
struct Pattern {
  uint32_t bytes = 0, kept = 0, set = 0;
};
Pattern pattern_of(uint32_t dtype) {
  switch (dtype) {
    case ASSAY_F32:
      return {4, 0x807fffff, 0x3f000000};
    case ASSAY_F16:
      return {2, 0x83ff, 0x3800};
    case ASSAY_BF16:
      return {2, 0x807f, 0x3f00};
    case ASSAY_F8E4M3:
      return {1, 0x87, 0x30};
    case ASSAY_F8E5M2:
      return {1, 0x83, 0x38};
    default:
      return {1, 0xff, 0};
  }
}

}  // namespace

// A block from the host, then copies of what is there already.
void fill_randomly(const Runtime& runtime, void* stream, void* to, uint32_t dtype, int64_t elements) {
  const Pattern pattern = pattern_of(dtype);
  const uint64_t bytes = static_cast<uint64_t>(elements) * pattern.bytes;
  std::vector<char> block(std::min(bytes, kBlockBytes));
  uint64_t state = 0x9e3779b97f4a7c15;
  for (size_t at = 0; at + pattern.bytes <= block.size(); at += pattern.bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const uint32_t code = (static_cast<uint32_t>(state >> 32) & pattern.kept) | pattern.set;
    std::memcpy(block.data() + at, &code, pattern.bytes);
  }
  auto* first = static_cast<char*>(to);
  runtime.check(runtime.MemcpyAsync(first, block.data(), block.size(), kHostToDevice, stream), "fill");
  for (uint64_t done = block.size(); done < bytes;) {
    const uint64_t more = std::min(done, bytes - done);
    runtime.check(runtime.MemcpyAsync(first + done, first, more, kDeviceToDevice, stream), "fill");
    done += more;
  }
  runtime.check(runtime.StreamSynchronize(stream), "fill");
}

void fill_page_table(const Runtime& runtime, void* stream, void* to, int64_t entries) {
  int64_t step = entries * 5 / 8 + 1;
  while (std::gcd(step, entries) != 1) ++step;
  std::vector<int32_t> table(static_cast<size_t>(entries));
  for (int64_t i = 0; i < entries; ++i) table[static_cast<size_t>(i)] = static_cast<int32_t>(i * step % entries);
  runtime.check(runtime.MemcpyAsync(to, table.data(), table.size() * sizeof(int32_t), kHostToDevice, stream), "fill");
  runtime.check(runtime.StreamSynchronize(stream), "fill");
}

Memory sweep_memory(const Runtime& runtime, uint64_t bytes) {
  try {
    return Memory(runtime, bytes);
  } catch (const Failure& failure) {
    if (failure.status() != ASSAY_OUT_OF_MEMORY) throw;
    return {};
  }
}

}  // namespace assay::gpu
