// Starting a worker process, with nothing inherited but what it needs.
#pragma once

#include <sys/types.h>

#include <string>

#include "harness/worker_protocol.h"
#include "suites/base/result.h"

namespace assay {

// The parent's ends. Descriptors are close-on-exec; the caller owns all of it.
struct SpawnedWorker {
  pid_t pid = -1;
  int socket = -1;
  int output = -1;             // file behind the worker's stdout and stderr, kept after its death
  SharedPage* page = nullptr;  // mapped; munmap(page, sizeof(SharedPage))
};

// Runs `executable COMMAND --fd N --page M`; "" = this program. Signals are reset, stdin is /dev/null.
Result<SpawnedWorker> spawn_worker(const std::string& executable, const char* command = "worker");

}  // namespace assay
