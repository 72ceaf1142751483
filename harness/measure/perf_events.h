// The kernel's software counters by perf_event_open. Not through PAPI: where there is no PMU, PAPI 7 refuses to inherit
// to threads (it tries a hardware event to see whether it may), and a count of one thread of many misleads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "results/record.h"

namespace assay {

class SoftwareEvents {
 public:
  explicit SoftwareEvents(const SystemRoot& root);  // root: where perf_event_paranoid is read for the reason
  ~SoftwareEvents();
  SoftwareEvents(const SoftwareEvents&) = delete;
  SoftwareEvents& operator=(const SoftwareEvents&) = delete;

  void start();
  void peek(std::vector<double>& out) const;  // appends a value per event, counted so far; 0: absent
  void stop(std::vector<Counter>& out);       // appends one Counter per event

 private:
  struct Event {
    std::string name;
    int fd = -1;
    uint64_t base = 0;
    std::string reason;
  };
  std::vector<Event> events_;
};

// 0, or errno of an attempt to open a hardware counter (cycles of this thread, user level).
int try_hardware_counter();

}  // namespace assay
