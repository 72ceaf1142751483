#include "harness/run/outputs_check.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "harness/measure/clock.h"
#include "harness/run/load.h"
#include "harness/run/tensor_source.h"
#include "harness/run/timed_loop.h"

namespace assay {
namespace {

constexpr int64_t kKnownRows = 2, kMostLast = 64;
constexpr int kTries = 5;           // noise makes one read or step slow, not the best of three
constexpr double kLateShare = 0.2;  // of a step, that a first read may take longer than a second
constexpr double kNoiseNs = 200e3;  // that a shared machine adds to either
constexpr uint64_t kUnseen = 1000;  // seeds from here on
constexpr double kOther = 1.5, kOtherWarning = 1.25;

std::string milliseconds(double ns) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g ms", ns / 1e6);
  return text.data();
}

Result<double> timed_read(const Bench& bench, const Graph& graph, Program& program, KnownRows* rows) {
  TensorSource source(graph, bench.seed, &program, &bench.pulse);
  const uint64_t begin = now_ns();
  source.get(rows->tensor, 0, rows->values.size(), rows->values.data());
  if (!rows->last_values.empty()) source.get(rows->last_tensor, 0, rows->last_values.size(), rows->last_values.data());
  const auto took = static_cast<double>(now_ns() - begin);
  if (source.error()) return *source.error();
  return took;
}

double relative_error(const std::vector<double>& is, const std::vector<double>& was) {
  double off = 0, whole = 0;
  for (size_t i = 0; i < was.size(); ++i) {
    off += (is[i] - was[i]) * (is[i] - was[i]);
    whole += was[i] * was[i];
  }
  return std::sqrt(off / std::max(whole, 1e-300));
}

bool finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

double least(const std::vector<double>& x) { return *std::min_element(x.begin(), x.end()); }

// What the first read took longer than the second, in the best of the tries.
double lateness_ns(const OutputTimes& times) {
  double best = INFINITY;
  for (size_t i = 0; i < times.first_read_ns.size(); ++i) {
    best = std::min(best, times.first_read_ns[i] - times.second_read_ns[i]);
  }
  return best;
}

bool late(const OutputTimes& times, double step_ns) {
  return lateness_ns(times) > std::max(kLateShare * step_ns, kNoiseNs);
}

bool slow_on_others(const OutputTimes& times, double step_ns, double factor) {
  const double took = least(times.other_step_ns), again = std::max(step_ns, least(times.same_step_ns));
  return took > factor * again && took - again > kNoiseNs;
}

class Check {
 public:
  Check(const Bench& bench, const Graph& graph, Program& program, const assay_run_args& args, const KnownRows& known,
        const OutputsPlan& plan, TruthVerdict* verdict)
      : bench_(bench), graph_(graph), program_(program), args_(args), known_(known), plan_(plan), verdict_(verdict) {}

  Status run() {
    for (int i = 0; i < kTries && (i == 0 || late(times_, plan_.step_ns)); ++i) {
      if (bench_.pulse.stop_asked()) return ok_status();
      if (i > 0) {
        if (Result<double> again = step(); !again.ok()) return again.error();
      }
      if (Status read = read_twice(); !read.ok()) return read;
      if (!right()) return ok_status();
      if (plan_.own_time) break;
    }
    if (plan_.other_inputs) {
      if (Status others = other_inputs(); !others.ok()) return others;
      if (!verdict_->failure.empty()) return ok_status();
    } else {
      verdict_->outcomes["outputs.other-inputs"] = "not run: the step is long";
    }
    if (!plan_.own_time) judge_output_times(times_, plan_.step_ns, verdict_);
    return ok_status();
  }

 private:
  Result<double> step() {
    Step out;
    const StepFailure failure = run_step(program_, args_, bench_.pulse, &out);
    if (failure.status != ASSAY_OK) return program_.last_error(failure.call, failure.status);
    bench_.pulse.beat();
    return static_cast<double>(out.host_ns);
  }

  Status read_twice() {
    rows_ = known_;
    const Result<double> first = timed_read(bench_, graph_, program_, &rows_);
    if (!first.ok()) return first.error();
    const Result<double> second = timed_read(bench_, graph_, program_, &rows_);
    if (!second.ok()) return second.error();
    times_.first_read_ns.push_back(*first);
    times_.second_read_ns.push_back(*second);
    return ok_status();
  }

  // Both sides are within the limit of the truth, so within twice of it of each other. Only of the same rows must the
  // last op's choice be the same.
  bool right() {
    const double error = relative_error(rows_.values, known_.values), limit = 2 * whole_limit(graph_);
    const bool chosen = rows_.values != known_.values || rows_.last_values == known_.last_values;
    if (finite(rows_.values) && error <= limit && chosen) {
      verdict_->outcomes["outputs"] = "pass";
      return true;
    }
    std::string what = "relative error " + std::to_string(error) + ", limit " + std::to_string(limit);
    if (!finite(rows_.values)) what = "it is not finite";
    if (!chosen) what = "the last op yields others from the same rows";
    verdict_->outcomes["outputs"] = "fail";
    verdict_->failure =
        "numerics: after the timed steps the result is no longer the one that was checked before them: " + what;
    return false;
  }

  Status other_inputs() {
    for (int i = 0; i < kTries && !bench_.pulse.stop_asked(); ++i) {
      // Others each time, as two sets in turn could both be remembered, and none that a check used before the timing.
      const uint64_t seed = bench_.seed + kUnseen + static_cast<uint64_t>(i);
      if (Status s = load_inputs(graph_, program_, seed, bench_.threads, bench_.pulse); !s.ok()) return s;
      const Result<double> took = step();
      if (!took.ok()) return took.error();
      if (Status s = read_twice(); !s.ok()) return s;
      // Once by chance: a token drawn anew may be the same.
      const bool same = rows_.values == known_.values;
      if (same && i + 1 < kTries) continue;
      if (!finite(rows_.values) || same) {
        verdict_->outcomes["outputs.other-inputs"] = "fail";
        verdict_->failure = std::string("numerics: after the timed steps the result of other inputs ") +
                            (finite(rows_.values) ? "is that of the timed ones" : "is not finite");
        break;
      }
      times_.other_step_ns.push_back(*took);
      const Result<double> again = step();
      if (!again.ok()) return again.error();
      times_.same_step_ns.push_back(*again);
      if (plan_.own_time || !slow_on_others(times_, plan_.step_ns, kOtherWarning)) break;
    }
    return load_inputs(graph_, program_, bench_.seed, bench_.threads, bench_.pulse);
  }

  const Bench& bench_;
  const Graph& graph_;
  Program& program_;
  const assay_run_args& args_;
  const KnownRows& known_;
  const OutputsPlan& plan_;
  TruthVerdict* verdict_;
  OutputTimes times_;
  KnownRows rows_;
};

}  // namespace

Result<std::optional<KnownRows>> known_rows(const Bench& bench, const Case& c, const Graph& graph, Program& program) {
  const std::optional<uint32_t> result = result_tensor(graph);
  if (is_ceiling(c) || !result) return std::optional<KnownRows>();
  const int64_t width = graph.tensors[*result].dims.back();
  KnownRows out;
  out.tensor = *result;
  out.values.resize(static_cast<size_t>(std::min(kKnownRows * width, graph.elements(*result))));
  out.last_tensor = graph.ops.back().out.front();
  if (out.last_tensor != *result && graph.tensors[out.last_tensor].role == ASSAY_ROLE_OUTPUT) {
    out.last_values.resize(static_cast<size_t>(std::min(kMostLast, graph.elements(out.last_tensor))));
  }
  const Result<double> read = timed_read(bench, graph, program, &out);
  if (!read.ok()) return read.error();
  return std::optional(std::move(out));
}

void judge_output_times(const OutputTimes& times, double step_ns, TruthVerdict* verdict) {
  if (late(times, step_ns)) {
    verdict->outcomes["outputs.in-time"] = "fail";
    verdict->failure = "adapter lies about time: after a step of " + milliseconds(step_ns) +
                       " the first read of its result takes " + milliseconds(lateness_ns(times)) +
                       " longer than the second: the work is done when it is read";
    return;
  }
  verdict->outcomes["outputs.in-time"] = "pass";
  if (times.other_step_ns.empty()) return;
  const std::string text = milliseconds(least(times.other_step_ns)) + " on other inputs, " + milliseconds(step_ns) +
                           " on those of the timed steps";
  const bool lies = slow_on_others(times, step_ns, kOther), odd = slow_on_others(times, step_ns, kOtherWarning);
  verdict->outcomes["outputs.other-inputs"] = (lies ? "fail, " : odd ? "warning, " : "pass, ") + text;
  if (lies) {
    verdict->failure = "adapter lies about time: a step takes " + text + ": what did not change was not computed again";
  } else if (odd) {
    verdict->warnings.push_back("a step takes " + text);
  }
}

Status check_outputs(const Bench& bench, const Graph& graph, Program& program, const assay_run_args& args,
                     const KnownRows& known, const OutputsPlan& plan, TruthVerdict* verdict) {
  return Check(bench, graph, program, args, known, plan, verdict).run();
}

}  // namespace assay
