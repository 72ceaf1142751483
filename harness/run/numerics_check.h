// Are the adapter's numbers right? Every op at its shape on a program of one layer, then the timed program as a whole.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "harness/loader/adapter.h"
#include "harness/run/host_threads.h"
#include "harness/run/layers.h"
#include "harness/run/pulse.h"
#include "results/record.h"
#include "suites/base/result.h"
#include "suites/suite.h"

namespace assay {

// What every stage of a run works with.
struct Bench {
  Adapter& adapter;
  uint32_t device;
  const HostThreads& threads;
  Pulse& pulse;
  uint64_t seed;
};

// pos and its like: the case's context for every scalar.
std::vector<int64_t> scalars_of(const Case& c, const Graph& graph);

// The case itself, or one with fewer sequences and then fewer tokens: the largest whose one-layer graph with every
// intermediate kept stays within `max_bytes` and, by `rates`, within max_step_s.
// `experts`: of each layer, 0 for all.
Result<Case> trace_case(const Case& c, uint64_t max_bytes, const Rates& rates, double max_step_s, int64_t experts = 0);

struct TraceRun {
  Numerics numerics;      // ops only; verdict pass, fail or not-run
  MeasuredStep measured;  // by which longer steps are estimated
};
// Runs one layer with every intermediate kept and checks each op against the reference (`check` false: runs only).
// An Error is the adapter's failure, not a wrong number.
Result<TraceRun> run_trace(const Bench& bench, const Case& traced, bool check, int64_t experts = 0);

// What a step is made for: the last hidden rows, or the latent or the pixels of a video step.
std::optional<uint32_t> result_tensor(const Graph& graph);
// The relative error that the result of all of a graph's ops may have.
double whole_limit(const Graph& graph);

// Seconds that the reference may take for the whole model: in the full form as long as the case's launches are timed,
// up to half a minute.
double whole_check_budget_s(const std::string& form, const RunPolicy& policy);

// Compares hidden rows of the timed program, which has run once with `scalars`, with the reference at full depth (of a
// video step the whole result, or a smaller step's); where that would take over `budget_s`, checks that they are finite
// and follow the inputs (those of `bench.seed` are there again afterwards). Sets numerics->whole, and verdict and
// reason on a failure. `steps` counts the timed program's steps that it ran. Ceilings: nothing is done.
Status check_whole(const Bench& bench, const Case& c, const Graph& graph, Program& program, double budget_s,
                   Numerics* numerics, uint64_t* steps);

}  // namespace assay
