#include "adapters/cpu/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
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

uint64_t largest_cache_bytes() {
  uint64_t best = 0;
  for (const int name : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL4_CACHE_SIZE}) {
    const long bytes = sysconf(name);
    if (bytes > 0) best = std::max(best, static_cast<uint64_t>(bytes));
  }
  return best;
}

}  // namespace assay::cpu
