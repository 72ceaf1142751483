// What to say of a worker that died, hung or was stopped.
#pragma once

#include <cstdint>
#include <string>

#include "harness/worker_protocol.h"

namespace assay {

// How a child ended, as waitpid says it, and what the parent had done to it.
struct WorkerEnd {
  int wait_status = 0;
  bool known = false;        // wait_status is set
  bool killed_hung = false;  // by us
  bool killed_stop = false;  // by us: it did not stop in time
  double silent_s = 0;       // without a heartbeat before we killed it
  std::string garbled;       // not "": what was wrong with its answer
};

// "program.wait", whatever adapter code it was in; "" in the harness's own code.
std::string page_call(const SharedPage& page);

// How long the call in hand may be silent, in seconds: ten times as long where an adapter may compile, which is as it
// opens and as it takes or prepares a program.
double patience_s(const SharedPage& page, double hang_timeout_s);

// "adapter died with SIGSEGV in program.wait (phase timed, 37 steps)", "hung for 120 s in program.wait (phase timed, 37
// steps)", "adapter ended the process with exit code 3 in ...". `output_tail`: the last of what it printed.
std::string death_reason(const WorkerEnd& end, const SharedPage& page, const std::string& output_tail);

// The last `max_bytes` of the file behind `fd` from a line's start, printable; "" if it is no regular file or empty.
std::string output_tail(int fd, size_t max_bytes);

}  // namespace assay
