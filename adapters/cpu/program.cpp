#include "adapters/cpu/program.h"

#include <algorithm>
#include <cstring>

#include "adapters/cpu/failure.h"
#include "adapters/sdk/graph/words.h"

namespace assay::cpu {

namespace {

constexpr size_t kPage = 4096;

// The first weights of a thread's next streams, asked for while it waits for others.
class Ahead {
 public:
  void look_to(const Stage::Streams& streams) {
    if (streams.data == streams_.data) return;
    streams_ = streams;
    offset_ = 0;
  }
  void operator()() {
    constexpr size_t kMost = 64u << 10;  // bytes of each stream
    constexpr size_t kLine = 64;
    if (streams_.count == 0 || offset_ >= kMost) return;
    for (size_t s = 0; s < streams_.count; ++s) {
      for (size_t line = 0; line < 2 * kLine; line += kLine) {
        __builtin_prefetch(streams_.data + s * streams_.apart + offset_ + line, 0, 2);
      }
    }
    offset_ += 2 * kLine;
  }

 private:
  Stage::Streams streams_;
  size_t offset_ = 0;
};

size_t rounded(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

}  // namespace

sdk::Model read_program(const assay_program_desc& desc) {
  if (desc.struct_size >= sizeof(assay_program_desc) && desc.device != 0) {
    throw Failure(ASSAY_INVALID_ARGUMENT, "no device " + std::to_string(desc.device) + ": the CPU is device 0");
  }
  return sdk::read_model(desc);
}

Program::Program(Pool& pool, Isa isa, const assay_program_desc& desc) : pool_(pool) {
  const sdk::Model model = read_program(desc);
  plan_.kernels = &kernels_of(isa);
  plan_.isa = isa;
  plan_.threads = pool.size();
  plan_.slots = model.slots;
  ops_ = model.ops;
  n_scalars_ = model.n_scalars;
  page_tables_ = sdk::PageTables(model.slots, ops_);
  allocate(model);
  add_stages(model);
  for (const auto& stage : plan_.stages) {
    const bool in_order = stage->streams(0).count > 0;
    queues_.emplace_back(in_order, in_order ? stage->tasks(Step{}) : 0, pool_.size());
  }
  next_streams_.resize(plan_.stages.size());
  for (size_t i = plan_.stages.size(), next = i; i-- > 0;) {
    next_streams_[i] = next;
    if (plan_.stages[i]->streams(0).count > 0) next = i;
  }
  size_t scratch = 0;
  for (const auto& stage : plan_.stages) scratch = std::max(scratch, rounded(stage->scratch_bytes()));
  require_memory(scratch * pool_.size());
  for (unsigned id = 0; id < pool_.size(); ++id) {
    buffers_.emplace_back(scratch);
    scratch_.push_back(buffers_.back().data());
  }
  for (const Buffer& buffer : buffers_) device_bytes_ += buffer.bytes();
  executed_ = std::string("ISA ") + isa_name(isa) + "; " + sdk::kept_text(model.slots);
  for (const std::string& note : plan_.notes) executed_ += "; " + note;
}

void Plan::note(const std::string& text) {
  for (const std::string& known : notes) {
    if (known == text) return;
  }
  notes.push_back(text);
}

void Program::allocate(const sdk::Model& model) {
  const sdk::Layout layout = sdk::lay_out(model, true);
  require_memory(layout.own_bytes + layout.scratch_bytes);
  // Together, so that small weights lie in huge pages as well.
  size_t own_bytes = 0;
  for (size_t t = 0; t < plan_.slots.size(); ++t) {
    if (layout.scratch_offset[t] == sdk::Layout::kOwn) own_bytes += rounded(plan_.slots[t].bytes());
  }
  char* scratch = buffers_.emplace_back(layout.scratch_bytes).data();
  char* own = buffers_.emplace_back(own_bytes).data();
  for (size_t t = 0; t < plan_.slots.size(); ++t) {
    Slot& slot = plan_.slots[t];
    if (layout.scratch_offset[t] != sdk::Layout::kOwn) {
      slot.data = scratch + layout.scratch_offset[t];
    } else {
      slot.data = own;
      own += rounded(slot.bytes());
    }
  }
}

void Program::add_stages(const sdk::Model& model) {
  const OnednnAlone alone;
  size_t narrow = 0;
  size_t packed = 0;
  for (const Op& op : model.ops) {
    narrow = std::max(narrow, narrow_bytes(plan_, op));
    packed = std::max(packed, conv_packed_bytes(plan_, op));
  }
  require_memory(narrow + packed);
  plan_.narrow = Buffer(narrow);
  plan_.packed = Buffer(packed);
  device_bytes_ += narrow + packed;
  using Add = void (*)(Plan&, const Op&);
  static constexpr Add kAdd[] = {nullptr,         add_matmul,       add_attention,   add_kv_append,
                                 add_rms_norm,    add_rope,         add_gated_act,   add_add,
                                 add_embedding,   add_argmax,       add_quantize,    add_grouped_matmul,
                                 add_router_topk, add_moe_dispatch, add_moe_combine, add_layer_norm_modulate,
                                 add_activation,  add_patchify3d,   add_conv3d,      add_group_norm,
                                 add_head_matmul, add_kv_expand,    add_index_topk};
  for (const Op& op : model.ops) {
    kAdd[op.kind](plan_, op);
    stage_op_.resize(plan_.stages.size(), op.index);
  }
  device_bytes_ += plan_.partial_bytes;
}

void Program::write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  const Slot& slot = sdk::check_range(plan_.slots, tensor, offset, bytes, "write");
  if (slot.role == ASSAY_ROLE_OUTPUT) {
    throw Failure(ASSAY_INVALID_ARGUMENT, "write of tensor " + std::to_string(tensor) + ": its role is OUTPUT");
  }
  if (bytes == 0) return;
  if (src == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "write: null source");
  if (slot.dtype == slot.host_dtype) {
    std::memcpy(slot.data + offset, src, bytes);
    page_tables_.note(tensor, offset, src, bytes);
    return;
  }
  const uint64_t size = element_bytes(slot.host_dtype);
  auto* to = reinterpret_cast<float*>(slot.data) + offset / size;
  plan_.kernels->to_f32(slot.host_dtype, src, to, bytes / size);
}

void Program::read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) const {
  const Slot& slot = sdk::check_range(plan_.slots, tensor, offset, bytes, "read");
  if (bytes == 0) return;
  if (dst == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "read: null destination");
  if (slot.dtype == slot.host_dtype) {
    std::memcpy(dst, slot.data + offset, bytes);
    return;
  }
  const uint64_t size = element_bytes(slot.host_dtype);
  plan_.kernels->from_f32(slot.host_dtype, slot.f32() + offset / size, dst, bytes / size);
}

void Program::run_tasks(unsigned id, size_t stage, uint32_t tasks, const Step& step) {
  TaskQueue& queue = queues_[stage];
  for (uint32_t task = queue.take(id, tasks); task < tasks; task = queue.take(id, tasks)) {
    plan_.stages[stage]->run(step, task, scratch_[id]);
  }
}

void Program::work(unsigned id, const Step& step, uint32_t repeat) {
  const size_t n = plan_.stages.size();
  for (uint32_t r = 0; r < repeat; ++r) {
    bool alone = true;  // what stands before this stage was done by thread 0 alone
    Ahead ahead;
    for (size_t i = 0; i < n; ++i) {
      const Stage& stage = *plan_.stages[i];
      const uint32_t tasks = stage.tasks(step);
      if (tasks == 0) continue;
      if (tasks == 1 && alone) {
        if (id == 0) stage.run(step, 0, scratch_[id]);
        continue;
      }
      pool_.barrier(ahead);
      const size_t next = next_streams_[i];
      ahead.look_to(next < n ? plan_.stages[next]->streams(queues_[next].first_of(id)) : Stage::Streams{});
      alone = tasks == 1;
      if (!alone) {
        run_tasks(id, i, tasks, step);
      } else if (id == 0) {
        stage.run(step, 0, scratch_[id]);
      }
    }
    pool_.barrier();
    for (TaskQueue& queue : queues_) queue.reset(id);
    pool_.barrier();
  }
}

void Program::work_traced(unsigned id, const Step& step, Trace& trace) {
  pool_.barrier();
  uint64_t begin = id == 0 ? trace.now_ns() : 0;
  for (size_t i = 0; i < plan_.stages.size(); ++i) {
    const uint32_t tasks = plan_.stages[i]->tasks(step);
    run_tasks(id, i, tasks, step);
    pool_.barrier();
    queues_[i].reset(id);
    if (id != 0) continue;
    const uint64_t end = trace.now_ns();
    if (tasks > 0) trace.spans.push_back({stage_op_[i], begin, end});
    begin = end;
  }
  pool_.barrier();
}

void Program::throw_bad_index(const BadIndex& bad_index) const {
  const std::string where = "op " + std::to_string(bad_index.op) + " (" + kind_text(ops_[bad_index.op].kind) + "): ";
  if (bad_index.rows == 0) throw Failure(ASSAY_INVALID_ARGUMENT, where + "the offsets do not ascend from 0");
  throw Failure(ASSAY_INVALID_ARGUMENT, where + "index " + std::to_string(bad_index.index) + " outside a table of " +
                                            std::to_string(bad_index.rows) + " rows");
}

void Program::run(const int64_t* scalars, uint32_t repeat) {
  sdk::check_scalars(plan_.slots, ops_, n_scalars_, scalars);
  page_tables_.check();
  BadIndex bad_index;
  const Step step{scalars, &bad_index};
  pool_.run([&](unsigned id) { work(id, step, repeat); });
  if (bad_index.found) throw_bad_index(bad_index);
}

void Program::run_traced(const int64_t* scalars, Trace& trace) {
  sdk::check_scalars(plan_.slots, ops_, n_scalars_, scalars);
  page_tables_.check();
  BadIndex bad_index;
  const Step step{scalars, &bad_index};
  trace.spans.reserve(trace.spans.size() + plan_.stages.size());
  pool_.run([&](unsigned id) { work_traced(id, step, trace); });
  if (bad_index.found) throw_bad_index(bad_index);
}

void Program::flush_caches() {
  constexpr uint64_t kLine = 64, kUnknownSweep = 256u << 20;  // bytes
  if (evictor_.bytes() == 0) {
    const uint64_t cache = last_level_cache_bytes();
    const uint64_t bytes = cache > 0 ? 4 * cache : kUnknownSweep;
    require_memory(bytes);
    evictor_ = Buffer(bytes);
    std::memset(evictor_.data(), 1, bytes);
  }
  // Every thread reads all of it: each core has caches of its own, and a socket may have several of the last level.
  const volatile char* data = evictor_.data();
  const uint64_t bytes = evictor_.bytes();
  pool_.run([=](unsigned) {
    for (uint64_t at = 0; at < bytes; at += kLine) static_cast<void>(data[at]);
  });
}

}  // namespace assay::cpu
