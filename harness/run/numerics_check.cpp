#include "harness/run/numerics_check.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <thread>

#include "harness/run/load.h"
#include "harness/run/tensor_source.h"
#include "harness/run/timed_loop.h"
#include "suites/video_case.h"

namespace assay {
namespace {

// Multiply-adds of the reference for all ops together, about half a second.
constexpr double kOpsBudget = 3e8;
constexpr int64_t kMinTraceTokens = 16;
constexpr size_t kMostCheckers = 8;  // threads, each with a cache of what it read

// A smaller case of the same kind; false where it can't shrink.
bool shrink(Case* c) {
  if (is_video_step(c->kind)) return shrink_video_case(c);
  if (!has_layers(*c)) return false;
  if (c->batch > 1) {
    c->batch /= 2;
  } else if (c->tokens > kMinTraceTokens) {
    c->tokens = std::max(kMinTraceTokens, c->tokens / 2);
  } else {
    return false;
  }
  return true;
}

LowerOptions trace_options(const Case& c, int64_t experts) {
  LowerOptions options;
  options.experts = experts;
  options.layers = c.check_layers();
  options.expose_intermediates = true;
  return options;
}

OpNumerics to_record(const OpCheck& check) {
  return {check.op, check.kind, check.dtype, check.error, check.limit, check.elements, check.pass, check.detail};
}

// Several threads check ops; whatever reads the program or the pulse does so with `mutex`.
class OpsCheck {
 public:
  OpsCheck(const Bench& bench, const Graph& graph, Program& program, const std::vector<int64_t>& scalars)
      : bench_(bench), graph_(graph), program_(program), scalars_(scalars), checks_(graph.ops.size()) {}

  void run(Numerics* numerics) {
    std::vector<std::thread> pool;
    const size_t threads = std::min({static_cast<size_t>(bench_.threads.count()), graph_.ops.size(), kMostCheckers});
    pool.reserve(threads);
    for (size_t i = 0; i < threads; ++i) {
      pool.emplace_back([this] {
        try {
          bench_.threads.adopt();
          check_some();
        } catch (...) {
          const std::lock_guard lock(mutex_);
          if (!thrown_) thrown_ = std::current_exception();
          next_ = graph_.ops.size();
        }
      });
    }
    for (std::thread& thread : pool) thread.join();
    if (thrown_) std::rethrow_exception(thrown_);
    tell(numerics);
  }

 private:
  void check_some() {
    TensorSource tensors(graph_, bench_.seed, &program_, &bench_.pulse, &mutex_);
    const Source source = tensors.source();
    const double budget = kOpsBudget / static_cast<double>(graph_.ops.size());
    std::unique_lock lock(mutex_);
    while (next_ < graph_.ops.size() && !bench_.pulse.stop_asked()) {
      const size_t i = next_++;
      lock.unlock();
      OpCheck check = check_op(graph_, graph_.ops[i], scalars_, source, bench_.seed, budget);
      lock.lock();
      checks_[i] = std::move(check);
      bench_.pulse.beat();
      bench_.pulse.share(static_cast<double>(++done_) / static_cast<double>(graph_.ops.size()));
    }
    if (!error_) error_ = tensors.error();
  }

  void tell(Numerics* numerics) const {
    numerics->verdict = "pass";
    for (const std::optional<OpCheck>& check : checks_) {
      if (!check) continue;
      numerics->ops.push_back(to_record(*check));
      if (check->pass || numerics->verdict == "fail") continue;
      numerics->verdict = "fail";
      numerics->reason = "op " + check->op + " (" + check->kind + ", " + check->dtype + "): relative error " +
                         std::to_string(check->error) + ", limit " + std::to_string(check->limit) +
                         (check->detail.empty() ? "" : "; " + check->detail);
    }
    if (!error_) return;
    numerics->verdict = "fail";
    numerics->reason = error_->message;
  }

  const Bench& bench_;
  const Graph& graph_;
  Program& program_;
  const std::vector<int64_t>& scalars_;
  std::mutex mutex_;
  size_t next_ = 0, done_ = 0;
  std::vector<std::optional<OpCheck>> checks_;  // of the graph's ops; none: asked to stop before
  std::optional<Error> error_;
  std::exception_ptr thrown_;
};

}  // namespace

std::vector<int64_t> scalars_of(const Case& c, const Graph& graph) { return step_scalars(c, graph); }

Result<Case> trace_case(const Case& c, uint64_t max_bytes, const Rates& rates, double max_step_s, int64_t experts) {
  Case traced = c;
  while (true) {
    Result<Graph> graph = lower(traced, trace_options(traced, experts));
    if (!graph.ok()) return graph.error();
    Result<double> step_s = estimate_step_s(traced, traced.check_layers(), rates, experts);
    if (!step_s.ok()) return step_s.error();
    const uint64_t bytes = graph_memory(*graph).total();
    if ((bytes <= max_bytes && *step_s <= max_step_s) || !shrink(&traced)) return traced;
  }
}

Result<TraceRun> run_trace(const Bench& bench, const Case& traced, bool check, int64_t experts) {
  Result<Graph> graph = lower(traced, trace_options(traced, experts));
  if (!graph.ok()) return graph.error();
  TraceRun out;
  out.numerics.seed = bench.seed;
  out.measured = {traced, traced.check_layers(), 0, experts};
  std::unique_ptr<Program> program;
  {
    InAdapter inside(bench.pulse, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = bench.adapter.prepare(*graph, bench.device);
    if (!prepared.ok()) return prepared.error();
    program = std::move(prepared).value();
  }
  Status loaded = load_tensors(*graph, *program, bench.seed, bench.threads, bench.pulse);
  if (!loaded.ok()) return loaded.error();
  const std::vector<int64_t> scalars = scalars_of(traced, *graph);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  // The first step also builds what an adapter makes lazily; the second is what a step takes.
  for (int i = 0; i < 2; ++i) {
    Step step;
    const StepFailure failure = run_step(*program, args, bench.pulse, &step);
    if (failure.status != ASSAY_OK) return program->last_error(failure.call, failure.status);
    out.measured.step_s = static_cast<double>(step.host_ns) / 1e9;
    bench.pulse.beat();
    if (out.measured.step_s > 0.1) break;
  }
  if (check) {
    OpsCheck(bench, *graph, *program, scalars).run(&out.numerics);
  } else {
    out.numerics.reason = "switched off";
  }
  return out;
}

}  // namespace assay
