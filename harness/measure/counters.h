// Event counters of a whole timed part: cycles, instructions, cache misses, faults, switches, package energy.
#pragma once

#include <memory>
#include <vector>

#include "harness/measure/environment.h"
#include "results/record.h"

namespace assay {

// Open before the adapter is, and on the thread that opens it: threads made later by that thread are then counted
// (inherit); those that already run are not. One instance at a time per thread.
class Counters {
 public:
  virtual ~Counters() = default;
  // Around the timed part only, never per step (reading costs about a microsecond). Same thread as open_counters().
  virtual void start() = 0;
  // So far, between start() and stop(): one value per Counter of stop(), in its
  // order; 0 where that is absent. Same thread. About a microsecond; allocates
  // nothing where `out` has room.
  virtual void peek(std::vector<double>& out) = 0;
  // One Counter for every event wanted, in the same order always: a value, or the reason why there is none.
  virtual std::vector<Counter> stop() = 0;
};

// Each event is probed by really counting (add, start, work, stop, read): availability lists are wrong in VMs. Never
// fails: without PAPI's help every value is absent with its reason.
std::unique_ptr<Counters> open_counters(const SystemRoot& root = {});

}  // namespace assay
