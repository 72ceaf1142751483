// Page-aligned zeroed memory, in huge pages where the kernel has them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace assay::cpu {

class Buffer {
 public:
  Buffer() = default;
  // Throws Failure (OUT_OF_MEMORY) if the mapping is refused; pages are not touched yet.
  explicit Buffer(size_t bytes);
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer();

  [[nodiscard]] char* data() const { return data_; }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
};

struct MemoryState {
  uint64_t total_bytes = 0, available_bytes = 0;  // MemTotal, MemAvailable; 0 = unknown
};
MemoryState memory_state();
// Throws Failure (OUT_OF_MEMORY) with both figures if `bytes` do not fit beside what is in use.
void require_memory(uint64_t bytes);
// Bytes of all caches of the last level together; 0 = unknown, also where none behind an L2 is told: there may be one.
// `cpus`: where Linux tells them.
uint64_t last_level_cache_bytes(const std::string& cpus = "/sys/devices/system/cpu");

}  // namespace assay::cpu
