#include "adapters/gpu/program.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>

#include "adapters/gpu/forms.h"
#include "adapters/gpu/trial.h"

namespace assay::gpu {

namespace {

constexpr uint64_t kAlign = 256;
constexpr uint64_t kEventStepNs = 500;  // what vendors state of their events' resolution: about half a microsecond
constexpr size_t kFaultWords = 3;

uint64_t rounded(uint64_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

Program::Program(Machine& machine, Model model)
    : machine_(machine), runtime_(*machine.runtime), model_(std::move(model)), page_tables_(model_.slots, model_.ops) {
  set_device();
  stream_ = make_stream(runtime_);
  begin_ = make_event(runtime_);
  end_ = make_event(runtime_);
  while (!laid_out()) {
    for (Memory* memory : {&own_, &scratch_, &lengths_, &small_}) *memory = Memory();
  }
  choose();
  if (plan_.choices.timed + plan_.choices.first > 0 || plan_.tried) clear();  // trials wrote over it
}

// What the step's own trials read is 0: the first place of each cache, table and position.
void Program::choose() {
  std::optional<Trial> trial;
  const auto ms = [&](const std::vector<Call>& calls) {
    if (!trial) {
      trial.emplace(runtime_, machine_.device.sweep_bytes);
      if (plan_.tried || plan_.choices.timed + plan_.choices.first > 0) clear();
      runtime_.check(runtime_.MemsetAsync(small_.data(), 0, small_.bytes(), trial->stream()), "clear");
      plan_.tried = true;
    }
    try {
      return trial->step_ms(calls);
    } catch (const Failure&) {
      return HUGE_VAL;
    }
  };
  choose_forms(plan_, &machine_.form_choices, {machine_.candidates, ms, [&] { return machine_.host.now_ns(); }});
  *static_cast<i64*>(pinned_.get()) = 0;
}

// False where a library refuses a product that it took: the next plan does without.
bool Program::laid_out() {
  plan_ = Plan{};
  plan_.runtime = machine_.runtime;
  plan_.device = &machine_.device;
  plan_.products = machine_.products.get();
  plan_.sdpa = machine_.sdpa.get();
  plan_.choices_of_attention = &machine_.choices_of_attention;
  plan_.times_own = machine_.candidates > 1;
  plan_.slots = model_.slots;
  plan_.tf32 = model_.tf32;
  plan_.ops = &model_.ops;
  plan_.fuses = machine_.fuses;
  if (machine_.candidates > 1) plan_.gelu_choices = &machine_.gelu_choices;
  allocate();
  plan_.dry = false;
  try {
    for (const Op& op : model_.ops) lower_op(plan_, op);
  } catch (const ProductRefused&) {
    return false;
  }
  if (machine_.fuses) fuse(plan_);
  return true;
}

Program::~Program() {
  if (stream_.get() != nullptr) runtime_.StreamSynchronize(stream_.get());
}

// All memory at once, by plain allocations, after the sizes are known.
void Program::allocate() {
  for (const Op& op : model_.ops) lower_op(plan_, op);
  const Layout layout = lay_out(model_);
  uint64_t own = 0;
  for (size_t t = 0; t < plan_.slots.size(); ++t) {
    if (layout.offset[t] == ~uint64_t{0}) own += rounded(plan_.slots[t].bytes());
  }
  own_ = Memory(runtime_, own);
  scratch_ = Memory(runtime_, layout.bytes + plan_.workspace_bytes);
  lengths_ = Memory(runtime_, plan_.lengths_bytes);
  plan_.lengths = lengths_.data();
  tables_ = Memory(runtime_, plan_.tables.size() * sizeof(double));
  plan_.device_tables = reinterpret_cast<const double*>(tables_.data());
  small_ = Memory(runtime_, std::max<uint64_t>(1, model_.n_scalars) * sizeof(int64_t));
  pinned_ = make_pinned(runtime_, (kFaultWords + model_.n_scalars) * sizeof(int64_t));
  uint64_t at = 0;
  for (size_t t = 0; t < plan_.slots.size(); ++t) {
    Slot& slot = plan_.slots[t];
    if (layout.offset[t] != ~uint64_t{0}) {
      slot.data = scratch_.data() + layout.offset[t];
    } else {
      slot.data = own_.data() + at;
      at += rounded(slot.bytes());
    }
  }
  plan_.workspace = scratch_.data() + layout.bytes;
  plan_.scalars = reinterpret_cast<i64*>(small_.data());
  plan_.fault = static_cast<i64*>(pinned_.get());
  clear();
  if (plan_.tables.empty()) return;
  runtime_.check(
      runtime_.MemcpyAsync(tables_.data(), plan_.tables.data(), tables_.bytes(), kHostToDevice, stream_.get()),
      "tables");
  runtime_.check(runtime_.StreamSynchronize(stream_.get()), "tables");
}

void Program::clear() {
  runtime_.check(runtime_.MemsetAsync(own_.data(), 0, own_.bytes(), stream_.get()), "clear");
  runtime_.check(runtime_.StreamSynchronize(stream_.get()), "clear");
}

const Slot& Program::checked(uint32_t tensor, uint64_t offset, uint64_t bytes, const char* verb) const {
  const std::string where = std::string(verb) + ": tensor " + std::to_string(tensor);
  if (tensor >= plan_.slots.size()) throw Failure(ASSAY_INVALID_ARGUMENT, where + " does not exist");
  const Slot& slot = plan_.slots[tensor];
  if (slot.role == ASSAY_ROLE_SCRATCH) throw Failure(ASSAY_INVALID_ARGUMENT, where + " is SCRATCH");
  if (offset > slot.bytes() || bytes > slot.bytes() - offset) {
    throw Failure(ASSAY_INVALID_ARGUMENT, where + " has " + std::to_string(slot.bytes()) + " bytes, asked for " +
                                              std::to_string(offset) + " + " + std::to_string(bytes));
  }
  return slot;
}

// For the calling thread.
void Program::set_device() const { runtime_.check(runtime_.SetDevice(static_cast<int>(machine_.index)), "set device"); }

void Program::write(uint32_t tensor, uint64_t offset, const void* src, uint64_t bytes) {
  const Slot& slot = checked(tensor, offset, bytes, "write");
  if (bytes == 0) return;
  if (src == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "write: null source");
  set_device();
  runtime_.check(runtime_.MemcpyAsync(slot.data + offset, src, bytes, kHostToDevice, stream_.get()), "write");
  runtime_.check(runtime_.StreamSynchronize(stream_.get()), "write");
  page_tables_.note(tensor, offset, src, bytes);
}

void Program::read(uint32_t tensor, uint64_t offset, void* dst, uint64_t bytes) {
  const Slot& slot = checked(tensor, offset, bytes, "read");
  if (bytes == 0) return;
  if (dst == nullptr) throw Failure(ASSAY_INVALID_ARGUMENT, "read: null destination");
  set_device();
  runtime_.check(runtime_.MemcpyAsync(dst, slot.data + offset, bytes, kDeviceToHost, stream_.get()), "read");
  runtime_.check(runtime_.StreamSynchronize(stream_.get()), "read");
}

void Program::check_scalars(const int64_t* scalars) const {
  if (model_.n_scalars > 0 && scalars == nullptr) {
    throw Failure(ASSAY_INVALID_ARGUMENT, "submit: the scalars are missing");
  }
  for (const Op& op : model_.ops) {
    if (op.scalar_slot == ASSAY_NO_SCALAR) continue;
    const int64_t pos = scalars[op.scalar_slot];
    const std::string where = "submit: op " + std::to_string(op.index) + ": pos " + std::to_string(pos);
    if (pos < 0 || pos > int64_t{1} << 40) throw Failure(ASSAY_INVALID_ARGUMENT, where + " is out of range");
    const bool attends = op.kind == ASSAY_OP_ATTENTION && op.integer(ASSAY_ATTENTION_MASK) != ASSAY_MASK_CROSS;
    const bool expands = op.kind == ASSAY_OP_KV_EXPAND;
    if (!attends && !expands && op.kind != ASSAY_OP_KV_APPEND && op.kind != ASSAY_OP_INDEX_TOPK) continue;
    const Slot& cache = model_.slots[op.in[expands ? 0 : 1]];
    const Slot* table = op.pages() == kAbsent ? nullptr : &model_.slots[op.pages()];
    const int64_t sequences = table == nullptr ? cache.dims[0] : table->rows;
    const int64_t tokens = expands ? op.integer(ASSAY_KV_EXPAND_TOKENS) : model_.slots[op.in[0]].rows / sequences;
    const int64_t capacity = table == nullptr ? cache.dims[1] : table->cols * cache.dims[1];
    if (pos + tokens > capacity) {
      throw Failure(ASSAY_INVALID_ARGUMENT, where + " and " + std::to_string(tokens) +
                                                " tokens do not fit a KV cache of " + std::to_string(capacity));
    }
  }
}

// The position lies on the device, so that a captured step is good for every one.
void Program::upload(const int64_t* scalars) {
  const size_t n = model_.n_scalars;
  if (n == 0 || (uploaded_.size() == n && std::equal(uploaded_.begin(), uploaded_.end(), scalars))) return;
  uploaded_.assign(scalars, scalars + n);
  auto* staging = static_cast<int64_t*>(pinned_.get()) + kFaultWords;
  std::copy(scalars, scalars + n, staging);
  runtime_.check(runtime_.MemcpyAsync(plan_.scalars, staging, n * sizeof(int64_t), kHostToDevice, stream_.get()),
                 "scalars");
}

void Program::run_calls() {
  for (const Call& call : plan_.calls) call.run(stream_.get());
}

// The first step runs call by call, which loads what is loaded lazily; the second is captured.
void Program::capture() {
  StepGraph step = captured(runtime_, stream_.get(), plan_.calls);
  exec_ = std::move(step.exec);
  graph_ = std::move(step.graph);
}

void Program::run_traced() {
  while (marks_.size() < plan_.calls.size() + 1) marks_.push_back(make_event(runtime_));
  traced_at_ns_ = machine_.host.now_ns();
  runtime_.check(runtime_.EventRecord(marks_[0].get(), stream_.get()), "event");
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    plan_.calls[i].run(stream_.get());
    runtime_.check(runtime_.EventRecord(marks_[i + 1].get(), stream_.get()), "event");
  }
  traced_ = true;
}

void Program::run_recorded() {
  if (runtime_.has_graphs() && machine_.calls_recorded) {
    // A profiler tells the nodes only of graphs that were made while it listened.
    if (captured_in_ != machine_.recordings) capture();
    captured_in_ = machine_.recordings;
    runtime_.check(runtime_.GraphLaunch(exec_.get(), stream_.get()), "launch graph");
    return;
  }
  for (const Call& call : plan_.calls) {
    machine_.activity->begin_call(uint64_t{1} + call.op);
    call.run(stream_.get());
    machine_.activity->end_call();
  }
  machine_.calls_recorded = true;
}

void Program::submit(const assay_run_args& args) {
  if (args.repeat < 1) throw Failure(ASSAY_INVALID_ARGUMENT, "submit: repeat must be at least 1");
  check_scalars(args.scalars);
  page_tables_.check();
  upload(args.scalars);
  const bool traced = machine_.trace != nullptr;
  if (!traced && steps_ == 1 && runtime_.has_graphs()) capture();
  runtime_.check(runtime_.EventRecord(begin_.get(), stream_.get()), "event");
  for (uint32_t r = 0; r < args.repeat; ++r) {
    if (machine_.activity != nullptr) {
      run_recorded();
    } else if (traced) {
      run_traced();
    } else if (exec_.get() != nullptr) {
      runtime_.check(runtime_.GraphLaunch(exec_.get(), stream_.get()), "launch graph");
    } else {
      run_calls();
    }
  }
  runtime_.check(runtime_.EventRecord(end_.get(), stream_.get()), "event");
  ++steps_;
}

void Program::check_fault() const {
  auto* fault = static_cast<i64*>(pinned_.get());
  if (fault[0] == 0) return;
  const auto op = static_cast<uint32_t>(fault[0] - 1);
  const std::string where = "op " + std::to_string(op) + " (" + kind_text(model_.ops[op].kind) + "): ";
  const i64 index = fault[1], bound = fault[2];
  fault[0] = 0;
  if (bound == 0) throw Failure(ASSAY_INVALID_ARGUMENT, where + "the offsets do not ascend from 0");
  throw Failure(ASSAY_INVALID_ARGUMENT,
                where + "index " + std::to_string(index) + " outside a table of " + std::to_string(bound) + " rows");
}

void Program::wait(assay_run_result& result) {
  runtime_.check(runtime_.EventSynchronize(end_.get()), "wait");
  check_fault();
  float ms = 0;
  runtime_.check(runtime_.EventElapsedTime(&ms, begin_.get(), end_.get()), "elapsed time");
  result.device_clock = ASSAY_CLOCK_DEVICE_EVENT;
  result.device_ns = static_cast<uint64_t>(static_cast<double>(ms) * 1e6);
  result.device_clock_step_ns = kEventStepNs;
  if (!traced_ || machine_.trace == nullptr) return;
  traced_ = false;
  double from = 0;
  for (size_t i = 0; i < plan_.calls.size(); ++i) {
    runtime_.check(runtime_.EventElapsedTime(&ms, marks_[0].get(), marks_[i + 1].get()), "elapsed time");
    const double to = std::max(from, static_cast<double>(ms) * 1e6);
    machine_.trace->push_back({plan_.calls[i].op, plan_.calls[i].name, traced_at_ns_ + static_cast<uint64_t>(from),
                               traced_at_ns_ + static_cast<uint64_t>(to)});
    from = to;
  }
}

// Before the step's first event, and done before the host's clock is read.
void Program::flush_caches() {
  if (machine_.flush.data() == nullptr) machine_.flush = Memory(runtime_, machine_.device.sweep_bytes);
  runtime_.check(runtime_.MemsetAsync(machine_.flush.data(), 0, machine_.flush.bytes(), stream_.get()), "flush");
  runtime_.check(runtime_.StreamSynchronize(stream_.get()), "flush");
}

// A step call by call, the calls of each chosen op as one range. What a range counts is done when it ends.
void Program::run_counted(const std::vector<uint64_t>& ops) {
  const auto settle = [&] { runtime_.check(runtime_.StreamSynchronize(stream_.get()), "counters"); };
  std::set<uint64_t> waiting(ops.begin(), ops.end());
  const Call* entered = nullptr;
  const auto leave = [&] {
    if (entered == nullptr) return;
    settle();
    machine_.counters->leave();
    entered = nullptr;
  };
  for (const Call& call : plan_.calls) {
    if (entered != nullptr && entered->op != call.op) leave();
    if (entered == nullptr && waiting.erase(call.op) != 0) {
      settle();
      machine_.counters->enter(std::to_string(call.op));
      entered = &call;
    }
    call.run(stream_.get());
  }
  leave();
  settle();
}

void Program::count(const assay_run_args& args, const std::vector<uint64_t>& ops,
                    const std::function<void(const assay_op_counter&)>& emit) {
  if (machine_.activity != nullptr || machine_.trace != nullptr) {
    throw Failure(ASSAY_INVALID_ARGUMENT, "count: a trace is being taken; stop it first");
  }
  for (const uint64_t op : ops) {
    if (op >= model_.ops.size()) throw Failure(ASSAY_INVALID_ARGUMENT, "count: no op " + std::to_string(op));
  }
  check_scalars(args.scalars);
  page_tables_.check();
  std::string why;
  if (machine_.counters == nullptr) machine_.counters = RangeCounters::load(runtime_.folder(), &why);
  if (machine_.counters == nullptr) throw Failure(ASSAY_UNSUPPORTED, "no hardware counters: " + why);
  void* context = nullptr;
  if (runtime_.CtxGetCurrent == nullptr || runtime_.CtxGetCurrent(&context) != 0 || context == nullptr) {
    throw Failure(ASSAY_UNSUPPORTED, "no hardware counters: the driver names no context");
  }
  upload(args.scalars);
  const RangeCounters::Counted counted =
      machine_.counters->count(machine_.index, context, std::max<size_t>(1, ops.size()), [&] { run_counted(ops); });
  check_fault();
  if (!counted.missing.empty()) machine_.host.log(ASSAY_LOG_WARNING, "the chip has no counter " + counted.missing);
  for (const RangeCounters::Values& values : counted.ranges) {
    for (size_t i = 0; i < counted.metrics.size(); ++i) {
      emit({sizeof(assay_op_counter), 0, std::stoull(values.range), values.of[i], counted.metrics[i].name,
            counted.metrics[i].unit});
    }
  }
}

sdk::ProgramInfo Program::info() {
  sdk::ProgramInfo info;
  info.launches = static_cast<uint32_t>(plan_.calls.size());
  info.device_bytes = own_.bytes() + scratch_.bytes() + small_.bytes() + lengths_.bytes() + tables_.bytes();
  info.lowering = runtime_.has_graphs() ? "graph" : "library";
  for (const std::string& note : plan_.notes) info.executed += (info.executed.empty() ? "" : "; ") + note;
  const std::string choices = plan_.products == nullptr ? "" : plan_.products->choices_text(plan_.choices);
  if (!choices.empty()) info.executed += "; algorithms of products: " + choices;
  return info;
}

}  // namespace assay::gpu
