// What `assay profile` shows of a pass: a row for each group of equal ops, beside the peaks that they are held against.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/run/profile_run.h"
#include "results/metrics/roofline.h"
#include "suites/profile.h"

namespace assay {

// Ops of one group: equal work in every layer, summed over the step.
struct ProfileRow {
  OpGroup group;
  double seconds = 0;                           // in which its activities ran
  double gap_seconds = 0;                       // before them, in which nothing ran
  uint32_t calls = 0;                           // activities of the step
  std::vector<double> counts;                   // by counter of the host in the run, of one step
  std::map<std::string, double> device_counts;  // by the device's counter, of one op; none where not counted

  [[nodiscard]] double flops_per_s() const { return rate(group.each.flops); }
  [[nodiscard]] double bytes_per_s() const { return rate(group.bytes()); }

 private:
  [[nodiscard]] double rate(double each) const {
    return seconds > 0 ? static_cast<double>(group.count) * each / seconds : 0;
  }
};

struct ProfileSheet {
  Case work;
  std::string device;
  // Of the device and what ran it, for who compares profiles.
  std::string product, driver, adapter, adapter_options;
  int threads = 0;
  ProfileRun run;
  std::vector<ProfileRow> rows;                    // the slowest first
  std::optional<double> flops_per_s, bytes_per_s;  // attainable
  std::string attainable;                          // where they come from, or why there are none
  std::optional<Roofline> datasheet;
  std::string no_datasheet;  // why
};

std::vector<ProfileRow> profile_rows(const ProfileRun& run);

std::string profile_table(const ProfileSheet& sheet, bool markdown);
std::string profile_json(const ProfileSheet& sheet);
// Trace Event Format, as Perfetto and chrome://tracing read it: rows of the graph's ops, of what the adapter ran for
// them, and of copies that belong to none.
std::string profile_trace(const ProfileSheet& sheet);

}  // namespace assay
