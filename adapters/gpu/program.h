// A prepared program: its memory, its calls, and how a step runs: as one graph where the vendor's runtime has them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/gpu/activity.h"
#include "adapters/gpu/plan.h"
#include "adapters/gpu/range_counters.h"
#include "adapters/sdk/adapter.h"

namespace assay::gpu {

// What programs of one device share. All of it outlives them.
struct Machine {
  const Runtime* runtime = nullptr;
  std::shared_ptr<Products> products;  // null: the vendor has no product library here
  std::shared_ptr<Sdpa> sdpa;          // null: attention runs in own kernels
  std::map<std::string, AttentionChoice> choices_of_attention;
  std::map<std::string, bool> gelu_choices;
  std::map<std::string, size_t> form_choices;  // of products of one row, by shape
  unsigned candidates = 1;                     // forms timed per shape; 1: no own ones
  Device device;
  uint32_t index = 0;
  sdk::Host host{nullptr};
  bool fuses = true;  // neighbouring kernels into one
  Memory flush;       // allocated when first needed
  // Of a profiling pass. `activity` set: it records, the first step runs call by call, the others as ever.
  Activity* activity = nullptr;
  bool calls_recorded = false;
  uint64_t recordings = 0;
  std::shared_ptr<RangeCounters> counters;  // null until they are asked for
  std::vector<OpSpan>* trace = nullptr;     // set: steps run call by call with an event behind each
};

class Program final : public sdk::Program {
 public:
  Program(Machine& machine, Model model);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() override;  // waits for what still runs
  void write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) override;
  void read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) override;
  void submit(const assay_run_args& args) override;
  void wait(assay_run_result& result) override;
  sdk::ProgramInfo info() override;
  void flush_caches() override;
  void count(const assay_run_args& args, const std::vector<uint64_t>& ops,
             const std::function<void(const assay_op_counter&)>& emit) override;

 private:
  void set_device() const;
  bool laid_out();
  void choose();
  void allocate();
  void clear();
  void upload(const int64_t* scalars);
  void check_scalars(const int64_t* scalars) const;
  void run_calls();
  void run_traced();
  void run_recorded();
  void run_counted(const std::vector<uint64_t>& ops);
  void capture();
  void check_fault() const;
  const Slot& checked(uint32_t tensor, uint64_t offset, uint64_t bytes, const char* verb) const;

  Machine& machine_;
  const Runtime& runtime_;
  Model model_;
  sdk::PageTables page_tables_;
  Plan plan_;
  Memory own_, scratch_, small_, lengths_, tables_;
  Handle stream_, begin_, end_, pinned_, graph_, exec_;
  std::vector<int64_t> uploaded_;
  std::vector<Handle> marks_;  // of a profiling pass, one behind each call
  uint64_t traced_at_ns_ = 0;
  uint64_t steps_ = 0;
  uint64_t captured_in_ = 0;  // the recording in which the graph was made
  bool traced_ = false;
};

}  // namespace assay::gpu
