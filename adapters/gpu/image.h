// The kernels as the driver loads them: compiled with the adapter, compiled now by the vendor's run-time compiler, or
// given as a file.
#pragma once

#include <map>
#include <string>

#include "adapters/gpu/runtime.h"

namespace assay::gpu {

// Functions by name. `file`: an image to load in place of the one that was built in, "" for none. `cache`: the folder
// where what is compiled now is kept, "" for none. `arch`: compute capability times 10 (90), -1 where unknown. Throws
// Failure with what is missing.
std::map<std::string, void*> load_kernels(const Runtime& runtime, const std::string& file, const std::string& cache,
                                          int arch);

}  // namespace assay::gpu
