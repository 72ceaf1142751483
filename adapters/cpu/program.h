// A prepared program: its memory, its stages, and how the threads run them.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "adapters/cpu/memory.h"
#include "adapters/cpu/plan.h"
#include "adapters/cpu/pool.h"

namespace assay::cpu {

// The checked graph of a program for this device. Throws Failure.
sdk::Model read_program(const assay_program_desc& desc);

class Program {
 public:
  // Throws Failure. The pool outlives the program.
  Program(Pool& pool, Isa isa, const assay_program_desc& desc);

  // Byte ranges of the dense image as the host sees it, in whole elements. Throw Failure.
  void write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes);
  void read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) const;
  // Runs `repeat` steps back to back and returns when they are done. Throws Failure, before the first step
  // for scalars that lead outside the KV cache, after the last for an index outside a table.
  void run(const int64_t* scalars, uint32_t repeat);
  // Drives weights and state out of the caches.
  void flush_caches() const;

  [[nodiscard]] uint64_t device_bytes() const { return device_bytes_; }
  [[nodiscard]] const std::string& executed() const { return executed_; }

 private:
  void allocate(const sdk::Model& model);
  void add_stages(const sdk::Model& model);
  void work(unsigned id, const Step& step, uint32_t repeat);

  Pool& pool_;
  Plan plan_;
  std::vector<Buffer> buffers_;
  std::vector<char*> scratch_;  // per thread
  std::vector<Op> ops_;
  uint32_t n_scalars_ = 0;
  uint64_t device_bytes_ = 0;
  std::string executed_;
  struct alignas(64) Counter {
    std::atomic<uint32_t> next{0};
  };
  std::vector<Counter> counters_;  // per stage: the next task to take
};

}  // namespace assay::cpu
