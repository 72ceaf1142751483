// One job in one worker, from the case to its record.
#pragma once

#include "harness/loader/adapter.h"
#include "harness/measure/counters.h"
#include "harness/run/host_threads.h"
#include "harness/run/pulse.h"
#include "harness/worker_protocol.h"
#include "results/record.h"

namespace assay {

// What a worker keeps between jobs.
struct RunContext {
  Adapter& adapter;
  Counters& counters;  // opened before the adapter, on the calling thread
  const HostThreads& threads;
  Pulse& pulse;
};

// Never fails: whatever goes wrong is the record's status and reason.
Record run_case(const Job& job, const RunContext& context);

// The record of a job before anything has run: case, device's name, policy, seed, environment, tool. Also what is left
// of a job whose worker died or whose adapter can't be opened. status "failed" with `reason`.
Record blank_record(const Job& job, const std::string& reason);

// "cpu:0" -> 0
Result<uint32_t> device_index(const std::string& device);

}  // namespace assay
