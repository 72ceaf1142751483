// Hardware counters of pieces of work (CUPTI's range profiler), through own declarations: bytes of the device's memory,
// use of the matrix units, occupancy.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/gpu/library.h"

namespace assay::gpu {

struct RangeMetric {
  const char *name, *unit;  // the vendor's name; "byte", "percent"
};

class RangeCounters {
 public:
  // nullptr and the reason in `why` where the vendor has none, or it can't be loaded.
  static std::unique_ptr<RangeCounters> load(const std::string& folder, std::string* why);
  virtual ~RangeCounters() = default;

  struct Values {
    std::string range;
    std::vector<double> of;  // by metric of Counted
  };
  struct Counted {
    std::vector<RangeMetric> metrics;
    std::string missing;  // metrics that this chip has not; "": none
    std::vector<Values> ranges;
  };
  // `pass` does the work once, with enter() and leave() around each range, the device idle at both; it is called as
  // often as the counters need. At most `most_ranges` in a pass. `context`: the driver's, current. Throws Failure,
  // UNSUPPORTED where the driver gives no counters to this process. Nothing else may profile meanwhile.
  virtual Counted count(uint32_t device, void* context, size_t most_ranges, const std::function<void()>& pass) = 0;
  virtual void enter(const std::string& range) = 0;
  virtual void leave() = 0;
};

}  // namespace assay::gpu
