// A prepared program: its memory, its stages, and how the threads run them.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "adapters/cpu/memory.h"
#include "adapters/cpu/plan.h"
#include "adapters/cpu/pool.h"
#include "adapters/cpu/task_queue.h"

namespace assay::cpu {

// The checked graph of a program for this device. Throws Failure.
sdk::Model read_program(const assay_program_desc& desc);

// One stage of a traced step, of all threads together. Times of the host's clock.
struct Span {
  uint32_t op = 0;
  uint64_t begin_ns = 0, end_ns = 0;
};
struct Trace {
  std::function<uint64_t()> now_ns;
  std::vector<Span> spans;
};

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
  // The same with a barrier around every stage and its times noted in `trace`; one step.
  void run_traced(const int64_t* scalars, Trace& trace);
  [[nodiscard]] const char* kind_of(uint32_t op) const { return sdk::kind_text(ops_[op].kind); }
  // Drives weights and state out of the caches of every thread's core. Throws Failure where memory is short.
  void flush_caches();

  [[nodiscard]] uint64_t device_bytes() const { return device_bytes_; }
  [[nodiscard]] const std::string& executed() const { return executed_; }

 private:
  void allocate(const sdk::Model& model);
  void add_stages(const sdk::Model& model);
  void run_tasks(unsigned id, size_t stage, uint32_t tasks, const Step& step);
  void work(unsigned id, const Step& step, uint32_t repeat);
  void work_traced(unsigned id, const Step& step, Trace& trace);
  void throw_bad_index(const BadIndex& bad_index) const;

  Pool& pool_;
  Plan plan_;
  std::vector<Buffer> buffers_;
  Buffer evictor_;              // more than the caches hold, once it is asked for
  std::vector<char*> scratch_;  // per thread
  std::vector<Op> ops_;
  sdk::PageTables page_tables_;
  std::vector<uint32_t> stage_op_;  // per stage: the op that it belongs to
  uint32_t n_scalars_ = 0;
  uint64_t device_bytes_ = 0;
  std::string executed_;
  std::deque<TaskQueue> queues_;      // per stage
  std::vector<size_t> next_streams_;  // per stage: the next one that reads weights in streams, or their number
};

}  // namespace assay::cpu
