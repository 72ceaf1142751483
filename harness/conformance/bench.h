// What the checks run on, inside a worker: the adapter, a place for findings, and programs small enough to be kept
// whole.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/conformance/kit.h"
#include "harness/run/pulse.h"
#include "harness/run/timed_loop.h"
#include "suites/graph.h"
#include "suites/reference/reference.h"

namespace assay::conformance {

class Bench {
 public:
  using Emit = std::function<void(const std::string& line)>;  // begin and finding lines to the parent
  Bench(KitOptions options, size_t first, Pulse& pulse, Emit emit)
      : options_(std::move(options)), first_(first), pulse_(pulse), emit_(std::move(emit)) {}

  // Announces what is tried next, so that a death is laid to it. False: it was done by an earlier worker; skip it. The
  // first finding behind it counts.
  bool begin(const std::string& name, const std::string& dtype = "");
  void pass(const std::string& detail = "") { found(Outcome::kPass, detail); }
  void fail(const std::string& detail) { found(Outcome::kFail, detail); }
  void unsupported(const std::string& detail) { found(Outcome::kUnsupported, detail); }
  void advise(const std::string& detail) { found(Outcome::kAdvice, detail); }
  // kUnsupported: unsupported; else a failure.
  void fail(const Error& error);

  // From here on open() refuses an adapter without programs, as unsupported.
  void require_programs() { programs_ = true; }
  // Opened by dlopen anew; nullptr: why has been told of what was begun.
  std::unique_ptr<Adapter> open();
  void close(std::unique_ptr<Adapter> adapter);

  [[nodiscard]] const KitOptions& options() const { return options_; }
  [[nodiscard]] bool quick() const { return options_.quick; }
  [[nodiscard]] uint32_t device() const { return options_.device; }
  [[nodiscard]] uint64_t seed() const { return options_.seed; }
  Pulse& pulse() { return pulse_; }

 private:
  void found(Outcome outcome, const std::string& detail);

  KitOptions options_;
  size_t first_, next_ = 0;
  bool open_ = false;  // begun, and nothing found yet
  bool programs_ = false;
  Pulse& pulse_;
  Emit emit_;
};

// One op, or a few, with its inputs.
struct OpCase {
  std::string name, dtype;
  Graph graph;
  std::map<uint32_t, Values> fixed;  // I32 inputs with values of their own
  std::vector<int64_t> scalars;
};

// A prepared program whose host tensors are kept, so that each output can be held against the reference.
class SmallProgram {
 public:
  SmallProgram(Bench& bench, const OpCase& op_case) : bench_(bench), case_(op_case), scalars_(op_case.scalars) {}
  ~SmallProgram() { destroy(); }
  SmallProgram(const SmallProgram&) = delete;
  SmallProgram& operator=(const SmallProgram&) = delete;
  // supports(), then prepare().
  Status prepare(Adapter& adapter);
  // Makes and writes all inputs, weights and states; `inputs_only`: as before a further step.
  Status write(uint64_t seed, bool inputs_only = false);
  // Steps back to back in one submission; `step` (optional) gets the times.
  Status run(uint32_t repeat = 1, Step* step = nullptr);
  // Hardware counters of ops (trace.count).
  Status count(const std::vector<uint64_t>& ops, const std::function<void(const assay_op_counter&)>& emit);
  void set_scalars(std::vector<int64_t> scalars) { scalars_ = std::move(scalars); }
  // Raw bytes of a tensor as the adapter gives them.
  Result<std::vector<uint8_t>> read(uint32_t tensor);
  // Every op's outputs against the reference.
  Result<std::vector<OpCheck>> check();
  // Right outputs of every op, or the first that is not.
  Status verify();
  void destroy();
  Program& program() { return *program_; }
  [[nodiscard]] const Graph& graph() const { return case_.graph; }

 private:
  Status load(uint32_t tensor);
  Values values_of(uint32_t tensor, const std::vector<uint8_t>& raw) const;

  Bench& bench_;
  const OpCase& case_;
  std::vector<int64_t> scalars_;
  std::unique_ptr<Program> program_;
  std::map<uint32_t, std::vector<uint8_t>> host_;
};

// The bare functions, for calls that the loader would never make.
struct Raw {
  explicit Raw(const Adapter& adapter) : core(adapter.core()), ctx(adapter.ctx()), table(adapter.program_table()) {}
  [[nodiscard]] std::string last_error() const;
  // "INVALID_ARGUMENT (text of last_error)"
  [[nodiscard]] std::string told(assay_status status) const;
  const assay_adapter* core;
  assay_ctx* ctx;
  const assay_program_table* table;
};
const char* status_text(assay_status status);

// prepare, write, run, verify.
Status run_whole(SmallProgram& program, Adapter& adapter, uint64_t seed);
// The same as a finding of what was begun.
void good_program(Bench& bench, Adapter& adapter, const OpCase& c);
// Of the kind's cases that the adapter takes, the one after `skip` of them.
std::optional<OpCase> supported_case(Bench& bench, Adapter& adapter, uint32_t kind, size_t skip = 0);

bool host_fills(const Tensor& t);
std::string number(const char* pattern, double value);

// y = a + b, [rows, cols] f32: what even the smallest adapter has. Where it is unsupported, the first op case that is
// supported stands in; nullopt where nothing is.
std::optional<OpCase> plain_case(Bench& bench, Adapter& adapter, int64_t rows = 33, int64_t cols = 65);
// A program whose step takes long enough to be timed.
struct Work {
  int64_t m = 0, n = 0, k = 0;  // of a product, or n x k of an addition where m is 0
  double step_ns = 0;
  bool implausible = false;                            // faster than any chip: the larger ones were not tried
  [[nodiscard]] OpCase make(int64_t times = 1) const;  // so many times the work
};
// nullopt, with a finding, where neither matmul nor add at f32 is supported or a step fails.
std::optional<Work> find_work(Bench& bench, Adapter& adapter, double min_ns);

// y = x w^T f32.
OpCase matmul_case(int64_t m, int64_t n, int64_t k);
OpCase add_case(int64_t rows, int64_t cols);

// Cases of one op kind, of every dtype plan the kit knows.
std::vector<OpCase> op_cases(uint32_t kind, bool quick);

// A check's own function, by id; nullptr: unknown.
using CheckFunction = void (*)(Bench& bench);
CheckFunction check_function(const std::string& id);
bool check_needs_programs(const std::string& id);

void check_op_kind(Bench& bench, uint32_t kind);
// check_abi.cpp, check_refusals.cpp
void check_entry(Bench& bench);
void check_struct_sizes(Bench& bench);
void check_refused_programs(Bench& bench);
void check_refused_calls(Bench& bench);
// check_timing.cpp, check_flush.cpp, check_inputs.cpp
void check_work(Bench& bench);
void check_return(Bench& bench);
void check_clock(Bench& bench);
void check_flush(Bench& bench);
void check_fresh_inputs(Bench& bench);
void check_dtype(Bench& bench);
// check_life.cpp
void check_reopen(Bench& bench);
void check_leaks(Bench& bench);
void check_memory(Bench& bench);
// check_threads.cpp
void check_threads(Bench& bench);
void check_wait(Bench& bench);
// check_telemetry.cpp, check_trace.cpp
void check_telemetry(Bench& bench);
void check_trace(Bench& bench);
// check_requests.cpp
void check_requests(Bench& bench);
// check_coverage.cpp
void check_coverage(Bench& bench);

}  // namespace assay::conformance
