// What the device's sensors and set-up say of a run: temperature, clocks, what
// held them down, who else was there. No clocks, no threads, so that each rule
// can be tested exactly.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "results/record.h"
#include "suites/base/result.h"

namespace assay {

// One look at the sensors; absent: not valid in that reading.
struct DeviceReading {
  uint64_t t_ns = 0;  // of now_ns()
  std::optional<double> temp_c, core_mhz, mem_mhz;
  std::optional<uint64_t> throttle;  // ASSAY_THROTTLE_*
};

// Extremes of the readings between two times, and the spans in which clocks
// were held down, into the record: each reading holds until the next. Heat and
// protections of the hardware disturb a run; a power cap is how the card is
// set, so it is marked and warned of.
void judge_readings(const std::vector<DeviceReading>& readings, uint64_t t0_ns, uint64_t t1_ns, Record* record);

// The device's state (assay_device_info.state) into the record's environment,
// as device_<name>.
void note_state(const std::map<std::string, std::string>& state, Record* record);
// Others on the device mark the run; where the adapter can't tell ("unknown,
// because ...") it is warned of. An error where it counted uncorrected ECC
// errors in between: no number computed meanwhile can be trusted.
Status judge_state(const std::map<std::string, std::string>& before, const std::map<std::string, std::string>& after,
                   Record* record);

}  // namespace assay
