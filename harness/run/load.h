// Fills a program's inputs, weights and state with the values its graph asks for.
#pragma once

#include <cstdint>
#include <functional>

#include "harness/loader/adapter.h"
#include "harness/run/host_threads.h"
#include "harness/run/pulse.h"
#include "suites/base/result.h"
#include "suites/graph.h"

namespace assay {

// Values are made by several threads in chunks of at most 8 MiB while the calling thread alone writes to the adapter:
// memory beyond the program's own stays under 64 MiB. Tensors with Fill::kNone are left alone. A stop
// request ends it early with kTimeout.
Status load_tensors(const Graph& graph, Program& program, uint64_t seed, const HostThreads& threads, Pulse& pulse);

// Writes only the tensors with role INPUT.
Status load_inputs(const Graph& graph, Program& program, uint64_t seed, const HostThreads& threads, Pulse& pulse);

// Writes every float tensor as one random block of at most 8 MiB over and over: enough for a bandwidth ceiling, whose
// time does not depend on values, and quick.
Status load_repeated(const Graph& graph, Program& program, uint64_t seed, Pulse& pulse);

}  // namespace assay
