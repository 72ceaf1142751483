#include <algorithm>
#include <cmath>

#include "harness/measure/clock.h"
#include "harness/run/load.h"
#include "harness/run/numerics_check.h"
#include "harness/run/tensor_source.h"
#include "harness/run/timed_loop.h"
#include "suites/video_case.h"

namespace assay {
namespace {

constexpr int64_t kRows = 2;
constexpr int64_t kSmallTextTokens = 8;
// Multiply-add of the double-precision reference; its real cost is lower, so that the estimate errs to skipping.
constexpr double kReferenceMacNs = 1.0;

std::string seconds_text(double seconds) { return std::to_string(static_cast<int64_t>(std::ceil(seconds))) + " s"; }

std::optional<uint32_t> tensor_named(const Graph& graph, const std::string& name) {
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    if (graph.tensors[t].name == name) return t;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint32_t> result_tensor(const Graph& graph) {
  for (const char* name : {"hidden", "denoised", "pixels"}) {
    if (const std::optional<uint32_t> found = tensor_named(graph, name)) return found;
  }
  return std::nullopt;
}

// Errors of the ops on the way add up in quadrature.
double whole_limit(const Graph& graph) {
  // Where activations are quantised, a value near a tie is rounded one way here and the other way there, and from then
  // on the two runs round independently. A step is 1/127 of a row's largest value, its rounding error uniform, so
  // 1/127/sqrt(12) of it; the largest of a normal row is under 5 standard deviations; two roundings: sqrt(2). Each part
  // that is added to the residual stream has passed two quantisations, and all parts together weigh as the stream.
  constexpr double kQuantisedWhole = 5.0 / 127 / 3.4641 * 1.4142 * 1.4142;
  double squares = 0;
  bool quantised = false;
  for (const Op& op : graph.ops) {
    quantised = quantised || op.kind == ASSAY_OP_QUANTIZE;
    if (op.kind != ASSAY_OP_ARGMAX) squares += std::pow(numerics_limit(graph, op), 2);
  }
  if (quantised) squares += kQuantisedWhole * kQuantisedWhole;
  return std::sqrt(squares);
}

namespace {

// Of experts, those that the rows' tokens may choose.
double touched_share(const Graph& graph, const Op& op, int64_t rows) {
  if (op.kind != ASSAY_OP_GROUPED_MATMUL) return 1;
  const auto experts = static_cast<double>(graph.tensors[op.in[1]].dims[0]);
  const auto pairs = static_cast<double>(graph.tensors[op.in[0]].dims[0]);
  const auto tokens = static_cast<double>(graph.elements(graph.ops.front().in.front()));
  return std::min(1.0, static_cast<double>(rows) * std::ceil(pairs / tokens) / experts);
}

// Elements that the reference of `rows` rows makes again, and its multiply-adds: each weight once and used per row,
// each cached key once a row.
struct ReferenceWork {
  double elements = 0, macs = 0;
  uint32_t largest = 0;  // weight
};
ReferenceWork reference_work(const Graph& graph, const std::vector<int64_t>& scalars, int64_t rows, int64_t batch) {
  ReferenceWork work;
  const double tokens = static_cast<double>(graph.elements(graph.ops.front().in.front()));
  for (const Op& op : graph.ops) {
    if (op.layer < 0) continue;
    for (const uint32_t t : op.in) {
      if (t == kNoTensor) continue;
      const uint32_t role = graph.tensors[t].role;
      const auto size = static_cast<double>(graph.elements(t));
      if (role == ASSAY_ROLE_WEIGHT) {
        const double touched = size * touched_share(graph, op, rows);
        work.elements += touched;
        work.macs += touched * static_cast<double>(rows);
        if (size > static_cast<double>(graph.elements(work.largest))) work.largest = t;
      } else if (role == ASSAY_ROLE_STATE && op.kind != ASSAY_OP_KV_APPEND) {
        work.elements += size * static_cast<double>(rows) / static_cast<double>(batch);
      }
    }
    if (op.kind == ASSAY_OP_ATTENTION || op.kind == ASSAY_OP_INDEX_TOPK) {
      work.macs += op_cost(graph, op, scalars).flops / 2 * static_cast<double>(rows) / tokens;
    } else if (op.kind == ASSAY_OP_KV_EXPAND) {
      const double sequences = static_cast<double>(std::min(rows, batch)) / static_cast<double>(batch);
      work.macs += op_cost(graph, op, scalars).flops / 2 * sequences;
    }
  }
  return work;
}

// What an element of a tensor takes to be made again.
double make_ns(const Graph& graph, uint64_t seed, uint32_t tensor) {
  TensorSource probe(graph, seed, nullptr, nullptr);
  std::vector<double> values(static_cast<size_t>(std::min<int64_t>(graph.elements(tensor), 1 << 18)));
  const uint64_t begin = now_ns();
  probe.get(tensor, 0, values.size(), values.data());
  return static_cast<double>(now_ns() - begin) / static_cast<double>(values.size());
}

double reference_seconds(const Graph& graph, const std::vector<int64_t>& scalars, uint64_t seed, int64_t rows,
                         int64_t batch, int threads) {
  const ReferenceWork work = reference_work(graph, scalars, rows, batch);
  return (work.elements * make_ns(graph, seed, work.largest) + work.macs * kReferenceMacNs) / threads / 1e9;
}

// Of all rows of a step: each weight made once, and the multiply-adds of its ops.
double all_rows_seconds(const Graph& graph, const std::vector<int64_t>& scalars, uint64_t seed, int threads) {
  double elements = 0;
  uint32_t largest = 0;
  for (uint32_t t = 0; t < graph.tensors.size(); ++t) {
    if (graph.tensors[t].role != ASSAY_ROLE_WEIGHT) continue;
    elements += static_cast<double>(graph.elements(t));
    if (graph.elements(t) > graph.elements(largest)) largest = t;
  }
  return (elements * make_ns(graph, seed, largest) + graph_cost(graph, scalars).flops / 2 * kReferenceMacNs) / threads /
         1e9;
}

OpNumerics compare(const Values& expected, const std::vector<double>& actual, const Tensor& result, double limit) {
  const int64_t width = result.dims.back();
  OpNumerics out;
  out.op = result.name;
  out.kind = "whole";
  out.dtype = dtype_name(result.dtype);
  out.limit = limit;
  out.elements = expected.size();
  double difference = 0;
  double norm = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = actual[i] - expected[i];
    if (!std::isfinite(d) && out.detail.empty()) {
      const auto at = static_cast<int64_t>(i);
      out.detail = result.name + "[" + std::to_string(at / width) + "," + std::to_string(at % width) + "]: expected " +
                   std::to_string(expected[i]) + ", found " + std::to_string(actual[i]);
    }
    difference += std::isfinite(d) ? d * d : 0;
    norm += expected[i] * expected[i];
  }
  out.error = norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
  out.pass = out.detail.empty() && out.error <= limit;
  return out;
}

Result<std::vector<double>> hidden_rows(const Bench& bench, const Graph& graph, Program& program, uint32_t hidden,
                                        int64_t rows) {
  TensorSource tensors(graph, bench.seed, &program, &bench.pulse);
  std::vector<double> values(static_cast<size_t>(rows * graph.tensors[hidden].dims.back()));
  tensors.get(hidden, 0, values.size(), values.data());
  if (tensors.error()) return *tensors.error();
  return values;
}

void fail(Numerics* numerics, const std::string& reason) {
  numerics->verdict = "fail";
  numerics->reason = reason;
}

Status check_plausible(const Bench& bench, const Graph& graph, Program& program, const assay_run_args& args,
                       uint32_t hidden, const std::vector<double>& before, Numerics* numerics, uint64_t* steps) {
  Status fresh = load_inputs(graph, program, bench.seed + 1, bench.threads, bench.pulse);
  if (!fresh.ok()) return fresh;
  Step step;
  const StepFailure failure = run_step(program, args, bench.pulse, &step);
  if (failure.status != ASSAY_OK) return program.last_error(failure.call, failure.status);
  ++*steps;
  const auto rows = static_cast<int64_t>(before.size()) / graph.tensors[hidden].dims.back();
  Result<std::vector<double>> after = hidden_rows(bench, graph, program, hidden, rows);
  if (!after.ok()) return after.error();
  const auto finite = [](double v) { return std::isfinite(v); };
  if (!std::all_of(before.begin(), before.end(), finite) || !std::all_of(after->begin(), after->end(), finite)) {
    fail(numerics, "hidden rows are not finite");
  } else if (*after == before) {
    fail(numerics, "hidden rows do not change when other inputs are written");
  }
  return load_inputs(graph, program, bench.seed, bench.threads, bench.pulse);
}

void note(Numerics* numerics, const std::string& text) {
  if (numerics->verdict == "pass") numerics->reason += (numerics->reason.empty() ? "" : "; ") + text;
}

void keep_whole(OpNumerics whole, const std::string& of, Numerics* numerics) {
  if (!whole.pass) {
    fail(numerics, of + ": relative error " + std::to_string(whole.error) + ", limit " + std::to_string(whole.limit) +
                       (whole.detail.empty() ? "" : "; " + whole.detail));
  }
  numerics->whole = std::move(whole);
}

// All rows of a step's result, which a program has just computed.
Status compare_all_rows(const Bench& bench, const Graph& graph, const std::vector<int64_t>& scalars, Program& program,
                        const std::string& of, Numerics* numerics) {
  const uint32_t result = *result_tensor(graph);
  const Tensor& tensor = graph.tensors[result];
  Result<std::vector<double>> actual =
      hidden_rows(bench, graph, program, result, graph.elements(result) / tensor.dims.back());
  if (!actual.ok()) return actual.error();
  Result<Values> expected = Error{ErrorKind::kInternal, "not run"};
  bench.threads.run_unpinned([&] {
    const Source host = [&graph, &bench](uint32_t t, uint64_t first, uint64_t count, double* out) {
      TensorSource(graph, bench.seed, nullptr, nullptr).get(t, first, count, out);
    };
    expected = reference_tensor(graph, scalars, result, host, bench.threads.count());
  });
  if (!expected.ok()) return expected.error();
  keep_whole(compare(*expected, *actual, tensor, whole_limit(graph)), of, numerics);
  return ok_status();
}

// A step whose rows all depend on each other can't be told by its first ones. It is compared whole where the reference
// has time for it; else a small step of the same model is, of the fewest layers that have every kind.
struct SmallStep {
  Case work;
  Graph graph;
  int64_t layers = 0;
  double seconds = 0;
};
Result<SmallStep> small_step(const Bench& bench, const Case& c, double budget_s) {
  SmallStep small{c, {}, c.check_layers(), 0};
  small.work.video.dit.text_tokens = std::min(c.video.dit.text_tokens, kSmallTextTokens);
  if (c.kind == StepKind::kTextEncoder) small.work.tokens = std::min(c.tokens, kSmallTextTokens);
  LowerOptions options;
  options.layers = small.layers;
  while (true) {
    Result<Graph> graph = lower(small.work, options);
    if (!graph.ok()) return graph.error();
    small.graph = std::move(graph).value();
    const std::vector<int64_t> scalars = scalars_of(small.work, small.graph);
    small.seconds = all_rows_seconds(small.graph, scalars, bench.seed, bench.threads.count());
    if (small.seconds <= budget_s || !shrink_video_case(&small.work)) return small;
  }
}

Status check_small_step(const Bench& bench, const Case& c, double whole_s, double budget_s, Numerics* numerics) {
  const Result<SmallStep> small = small_step(bench, c, budget_s);
  if (!small.ok()) return small.error();
  const std::string why = "at its own size the reference would take about " + seconds_text(whole_s);
  if (small->seconds > budget_s) {
    note(numerics, "whole step not compared with the reference: " + why + ", of the smallest step " +
                       seconds_text(small->seconds) + "; its result is finite and follows the inputs");
    return ok_status();
  }
  std::unique_ptr<Program> program;
  {
    InAdapter inside(bench.pulse, "program.prepare");
    Result<std::unique_ptr<Program>> prepared = bench.adapter.prepare(small->graph, bench.device);
    if (!prepared.ok() && prepared.error().kind == ErrorKind::kUnsupported) {
      note(numerics, "whole step not compared with the reference: " + why + ", and the adapter has no smaller one");
      return ok_status();
    }
    if (!prepared.ok()) return prepared.error();
    program = std::move(prepared).value();
  }
  if (Status loaded = load_tensors(small->graph, *program, bench.seed, bench.threads, bench.pulse); !loaded.ok()) {
    return loaded;
  }
  const std::vector<int64_t> scalars = scalars_of(small->work, small->graph);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  Step step;
  const StepFailure failure = run_step(*program, args, bench.pulse, &step);
  if (failure.status != ASSAY_OK) return program->last_error(failure.call, failure.status);
  bench.pulse.beat();
  const std::string what =
      small->work.id() +
      (small->layers > 0 ? ", " + std::to_string(small->layers) + " of " + std::to_string(c.layers()) + " layers" : "");
  Status compared = compare_all_rows(bench, small->graph, scalars, *program, "whole step " + what, numerics);
  if (compared.ok()) note(numerics, "whole step compared with the reference as " + what + ": " + why);
  return compared;
}

}  // namespace

double whole_check_budget_s(const std::string& form, const RunPolicy& policy) {
  constexpr double kQuickS = 1.5, kMostS = 30;  // well within a hang timeout, as the reference sends no heartbeat
  if (form != "full") return kQuickS;
  return std::clamp(policy.time_limit_s * static_cast<double>(policy.launches), kQuickS, kMostS);
}

Status check_whole(const Bench& bench, const Case& c, const Graph& graph, Program& program, double budget_s,
                   Numerics* numerics, uint64_t* steps) {
  const std::optional<uint32_t> hidden = result_tensor(graph);
  if (is_ceiling(c) || !hidden) return ok_status();
  const bool causal = c.kind == StepKind::kPrefill || c.kind == StepKind::kDecode;
  const int64_t rows = std::min(kRows, c.kind == StepKind::kDecode ? c.batch : c.tokens);
  const std::vector<int64_t> scalars = scalars_of(c, graph);
  const assay_run_args args{sizeof(assay_run_args), 1, scalars.data()};
  Result<std::vector<double>> actual = hidden_rows(bench, graph, program, *hidden, rows);
  if (!actual.ok()) return actual.error();

  if (!causal) {
    const double whole_s = all_rows_seconds(graph, scalars, bench.seed, bench.threads.count());
    bench.pulse.beat();
    Status compared = whole_s <= budget_s ? compare_all_rows(bench, graph, scalars, program, "whole step", numerics)
                                          : check_small_step(bench, c, whole_s, budget_s, numerics);
    if (!compared.ok() || numerics->verdict == "fail") return compared;
    return check_plausible(bench, graph, program, args, *hidden, *actual, numerics, steps);
  }
  const double estimate_s = reference_seconds(graph, scalars, bench.seed, rows, c.batch, bench.threads.count());
  bench.pulse.beat();
  const auto check_without = [&](const std::string& why) {
    if (numerics->verdict == "pass") {
      numerics->reason =
          "whole model not compared with the reference: " + why + "; hidden rows are finite and follow the inputs";
    }
    return check_plausible(bench, graph, program, args, *hidden, *actual, numerics, steps);
  };
  if (estimate_s > budget_s) {
    return check_without("it would take about " + seconds_text(estimate_s));
  }
  Result<Values> expected = Error{ErrorKind::kInternal, "not run"};
  bench.threads.run_unpinned([&] {
    const Source weights = [&graph, &bench](uint32_t tensor, uint64_t first, uint64_t count, double* out) {
      TensorSource(graph, bench.seed, nullptr, nullptr).get(tensor, first, count, out);
    };
    expected = reference_hidden_prefix(graph, scalars, c.batch, rows, weights, bench.threads.count());
  });
  if (!expected.ok() && expected.error().kind == ErrorKind::kUnsupported)
    return check_without(expected.error().message);
  if (!expected.ok()) return expected.error();
  keep_whole(compare(*expected, *actual, graph.tensors[*hidden], whole_limit(graph)),
             "hidden rows of the timed program", numerics);
  return ok_status();
}

}  // namespace assay
