#include "adapters/cpu/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <system_error>
#include <utility>

#include "adapters/cpu/failure.h"

namespace assay::cpu {

namespace {

constexpr uint64_t kReserveBytes = 128ull << 20;  // left for the rest of the machine

std::string mebibytes(uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

}  // namespace

Buffer::Buffer(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  constexpr size_t kHugePage = 2u << 20;
  const size_t spare =
      bytes >= kHugePage ? kHugePage : 0;  // to begin at a huge page: else the first one is of small ones
  void* p = mmap(nullptr, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) throw Failure(ASSAY_OUT_OF_MEMORY, "cannot map " + mebibytes(bytes));
  data_ = static_cast<char*>(p);
  if (spare == 0) return;
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(p) % kHugePage) % kHugePage;
  if (before > 0) munmap(p, before);
  data_ += before;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t end = (bytes + page - 1) / page * page;
  if (bytes + spare > before + end) munmap(data_ + end, bytes + spare - before - end);
  madvise(data_, bytes, MADV_HUGEPAGE);  // refused where there are none: then small pages
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

MemoryState memory_state() {
  MemoryState state;
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  uint64_t kib = 0;
  while (file >> key >> kib) {
    std::getline(file, unit);
    if (key == "MemTotal:") state.total_bytes = kib << 10;
    if (key == "MemAvailable:") state.available_bytes = kib << 10;
  }
  return state;
}

void require_memory(uint64_t bytes) {
  const uint64_t available = memory_state().available_bytes;
  if (available == 0 || bytes + kReserveBytes <= available) return;
  throw Failure(ASSAY_OUT_OF_MEMORY, "the program needs " + mebibytes(bytes) + " (and leaves " +
                                         mebibytes(kReserveBytes) + " to the system), available are " +
                                         mebibytes(available));
}

// Not by sysconf: glibc 2.36 gives an AMD socket's L3 instead of the one that these CPUs have, ten times as much.
uint64_t last_level_cache_bytes(const std::string& cpus) {
  std::map<int, std::map<std::string, uint64_t>> found;  // level -> the CPUs that share a cache -> its bytes
  std::error_code none;
  for (int cpu = 0; std::filesystem::exists(cpus + "/cpu" + std::to_string(cpu), none); ++cpu) {
    for (int index = 0;; ++index) {
      const std::string cache = cpus + "/cpu" + std::to_string(cpu) + "/cache/index" + std::to_string(index) + "/";
      int level = 0;
      uint64_t kib = 0;
      std::string shared;
      if (!(std::ifstream(cache + "level") >> level)) break;
      if (!(std::ifstream(cache + "size") >> kib)) continue;  // "32768K"
      if (std::ifstream(cache + "shared_cpu_list") >> shared) found[level][shared] = kib << 10;
    }
  }
  if (found.empty() || found.rbegin()->first < 3) return 0;
  uint64_t total = 0;
  for (const auto& [shared, bytes] : found.rbegin()->second) total += bytes;
  return total;
}

}  // namespace assay::cpu
