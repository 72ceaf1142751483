// One line on the terminal that says what runs, how far it is, and how long it will take yet.
#pragma once

#include <string>
#include <vector>

#include "harness/plan/eta.h"
#include "harness/run/supervisor.h"

namespace assay {

class ProgressLine {
 public:
  // `limits_s`: the time limit of each launch, pass by pass over `cases` cases. Where stderr is no terminal it only
  // says, once a case, that a step is long.
  ProgressLine(const std::vector<double>& limits_s, size_t cases);
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(size_t index, const std::string& case_id, const Progress& progress);
  void finished(size_t index, double seconds) { eta_.finished(index, seconds); }
  void clear();

 private:
  Eta eta_;
  size_t count_, cases_;
  bool terminal_, shown_ = false;
  size_t told_ = 0;  // cases up to here had their long step told
};

}  // namespace assay
