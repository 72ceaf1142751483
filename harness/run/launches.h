// Further launches of a case: what they take from the first, and how they become one record with it.
#pragma once

#include "harness/run/timed_loop.h"
#include "harness/worker_protocol.h"
#include "results/record.h"

namespace assay {

// What a further launch need not find out again. `record` is ok.
EarlierLaunch earlier_launch(const Record& record);

// The steps of a launch, one of `planned`, as its loop timed them.
void keep_samples(const LoopResult& loop, const StepBuffers& buffers, int64_t planned, Record* record);

// Adds a launch of the same case to its record, both as a worker gives them: steps one launch after the other on one
// time axis, counts and energies summed, whatever disturbed or warned with the launch's number, each launch's ceilings
// beside the first's. Numerics, routing and the times of preparing and loading stay the first launch's. A launch that
// failed makes the record failed.
void add_launch(const Record& launch, Record* record);

}  // namespace assay
