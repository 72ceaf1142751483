// Hardware counters through PAPI, of this thread and the threads it makes later.
#pragma once

#include <string>
#include <vector>

#include "harness/measure/environment.h"
#include "results/record.h"

namespace assay {

class HardwareEvents {
 public:
  explicit HardwareEvents(const SystemRoot& root);
  ~HardwareEvents();
  HardwareEvents(const HardwareEvents&) = delete;
  HardwareEvents& operator=(const HardwareEvents&) = delete;

  void start();
  void peek(std::vector<double>& out);   // appends a value per event wanted,
                                         // counted so far; 0: absent
  void stop(std::vector<Counter>& out);  // appends one Counter per event wanted

 private:
  struct Event {
    std::string name;
    std::string reason;  // empty: it counts
    int position = -1;   // in the event set
  };
  std::vector<Event> events_;
  int set_ = -1;
  std::vector<long long> base_, now_;
};

}  // namespace assay
